"""Does the packed network say what the trained one says? Measured, printed, and refused when it does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from noisysynth.engine.control_net import ControlNet
from noisysynth.errors import UserError
from noisysynth.export.golden import AUDIO_HOP, AUDIO_RATE, Arrays, harmonic_audio, kernel_inputs, torch_controls
from noisysynth.export.onnx_graph import takes_shimmer
from noisysynth.instrument import GOLDEN_OUTPUTS, Instrument
from noisysynth.train.ddsp import eager

CONTROLS_BAR = 1e-4
BATCH_BAR = 1e-4  # a share of a note that is 80 dB under it: float32 rounds as it likes, and shimmer makes more of it
AUDIO_BAR_DB = -60.0

_SHAPES = ((1, 1), (3, 7), (64, 16))  # voices, frames: shapes other than the one that was traced
_LATEST_S = 8.0


@dataclasses.dataclass(frozen=True)
class Row:
    """One measured difference. It passes when it is finite and not above its bar."""

    metric: str
    label: str
    value: float
    bar: float
    unit: str = ""

    @property
    def passes(self) -> bool:
        return self.value <= self.bar  # False for NaN


def measure_parity(generator: nn.Module, instrument: Instrument, seed: int = 0) -> tuple[Row, ...]:
    """Torch against ONNX Runtime, one voice against many, and readable against compiled audio.

    generator: float32, on the CPU, in evaluation mode.
    """
    net = ControlNet(instrument)
    if net.shimmers != takes_shimmer(generator):
        raise UserError("only one of the trained network and the packed one knows of shimmer; export the run again")
    rng = np.random.default_rng(seed)
    worst = dict.fromkeys(GOLDEN_OUTPUTS, 0.0)
    inputs: Arrays = {}
    for voices, frames in _SHAPES:
        inputs = random_inputs(instrument, voices, frames, rng)
        if net.shimmers:
            inputs["shimmer"] = (2.0 * rng.random((voices, frames))).astype(np.float32)
            inputs["shimmer_clock"] = (60.0 * rng.random((voices, frames))).astype(np.float32)
        expected = torch_controls(generator, inputs)
        for name, values in zip(GOLDEN_OUTPUTS, net.run(**inputs), strict=True):
            worst[name] = _worse(worst[name], _difference(values, expected[name]))
    rows = [Row(f"parity_{name}", f"torch / ONNX, {name}", worst[name], CONTROLS_BAR) for name in GOLDEN_OUTPUTS]
    rows.append(Row("parity_batch", "1 voice / 64 voices", _batch_difference(net, inputs), BATCH_BAR))
    rows.append(Row("parity_audio_db", "eager / compiled audio", _audio_difference_db(instrument), AUDIO_BAR_DB, "dB"))
    return tuple(rows)


def check_parity(rows: Sequence[Row]) -> None:
    """Raise UserError, one line, naming every row that fails."""
    failed = [f"{row.label} differ by {row.value:.2g} {row.unit}".strip() for row in rows if not row.passes]
    if failed:
        raise UserError(f"parity: {'; '.join(failed)}; nothing was written, as the export would not sound as trained")


def format_table(rows: Sequence[Row]) -> str:
    """The rows as text, one a line."""
    lines = [f"{'parity':<28}{'difference':>12}{'bar':>10}"]
    for row in rows:
        value = f"{row.value:.1f} {row.unit}" if row.unit else f"{row.value:.2e}"
        bar = f"{row.bar:.0f} {row.unit}" if row.unit else f"{row.bar:.0e}"
        lines.append(f"{row.label:<28}{value:>12}{bar:>10}  {'ok' if row.passes else 'FAILS'}")
    return "\n".join(lines)


def random_inputs(instrument: Instrument, voices: int, frames: int, rng: np.random.Generator) -> Arrays:
    """Notes all over the instrument's range, its presets' latents moved about, held and released."""
    presets = np.stack([preset.latent for preset in instrument.presets])
    low, high = instrument.pitch_range
    time_on = _LATEST_S * rng.random((voices, frames)) ** 4  # dense where notes begin
    inputs = {
        "z": presets[rng.integers(len(presets), size=voices)] + 0.3 * rng.normal(size=(voices, presets.shape[1])),
        "pitch": rng.uniform(low, high, voices),
        "velocity": rng.random(voices),
        "time_on": time_on,
        "time_off": time_on - rng.uniform(0.0, 2.0, (voices, 1)),
    }
    return {name: values.astype(np.float32) for name, values in inputs.items()}


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a.astype(np.float64) - b))) if a.shape == b.shape else float("inf")


def _worse(a: float, b: float) -> float:
    return float(np.fmax(a, b)) if np.isfinite(b) else float("inf")


def _batch_difference(net: ControlNet, inputs: Arrays) -> float:
    together = net.run(**inputs)
    worst = 0.0
    for voice in range(0, len(inputs["pitch"]), 7):
        row = slice(voice, voice + 1)
        alone = net.run(**{name: values[row] for name, values in inputs.items()})
        for one, many in zip(alone, together, strict=True):
            worst = _worse(worst, _difference(one, many[row]))
    return worst


def _audio_difference_db(instrument: Instrument) -> float:
    golden = dict(instrument.golden)
    f0_hz, amplitudes = kernel_inputs(golden)
    compiled = harmonic_audio(golden).astype(np.float64)
    plain = eager.harmonic_synth(torch.from_numpy(f0_hz), torch.from_numpy(amplitudes), AUDIO_RATE, AUDIO_HOP)
    reference = plain.double().numpy()
    power = float(np.mean(reference**2))
    if power < 1e-20:  # a silent note has nothing to compare
        return -120.0 if float(np.max(np.abs(compiled))) < 1e-9 else float("inf")
    return float(10.0 * np.log10(max(float(np.mean((compiled - reference) ** 2)) / power, 1e-20)))
