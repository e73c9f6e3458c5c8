"""Draw each preset's note beside the recorded note it learned from, as spectrograms: docs/images/presets.png.

    python scripts/draw_presets.py INSTRUMENT.noisy DATASET OUT.png

The preset's note is played by the engine at the recorded note's pitch, velocity and gate, so what differs is timbre.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.offline import OfflineEngine
from noisysynth.events import EventKind, make_event
from noisysynth.export.families import readable_name, unique_names
from noisysynth.instrument import Preset, read_instrument
from noisysynth.parameters import PARAMETER_INDEX
from noisysynth.train.prepared import PreparedDataset, PreparedNote

PER_ROW = 4
SHOWN_S = 2.5
FLOOR_DB = -75.0
WINDOW, HOP = 1024, 256
HIGHEST_HZ = 12_000.0


def typical_note(dataset: PreparedDataset, instrument: str) -> PreparedNote:
    """A note of the instrument near its middle pitch and a good forte, long enough to show a sustain."""
    entries = [(i, e) for i, e in enumerate(dataset.entries) if e["instrument"] == instrument]
    pitches = np.array([e["pitch"] for _, e in entries])

    def oddness(pair: tuple[int, dict[str, float]]) -> float:
        entry = pair[1]
        gate_s = entry["gate_s"] or SHOWN_S
        return (
            abs(entry["pitch"] - float(np.median(pitches)))
            + 10 * abs(entry["velocity"] - 0.75)
            + 6 * abs(np.log2(gate_s / 1.2))
        )

    return dataset.note(min(entries, key=oddness)[0])


def played(engine: OfflineEngine, preset: Preset, note: PreparedNote) -> NDArray[np.float32]:
    """The preset's note through the engine, mono, SHOWN_S long."""
    start = int(engine.state["position"][0]) + 4 * HOP
    gate = round((note.gate_s or SHOWN_S) * engine.sample_rate)
    pitch = round(note.pitch)
    rows = [
        make_event(EventKind.LATENT, latent=preset.latent, time=start - 2 * HOP),
        make_event(EventKind.PARAMETER, PARAMETER_INDEX["volume"], 0.0, time=start - 2 * HOP),
        make_event(EventKind.NOTE_ON, pitch, note.velocity, time=start),
        make_event(EventKind.NOTE_OFF, pitch, time=start + gate),
    ]
    audio = engine.render(np.concatenate(rows), 4 * HOP + round(SHOWN_S * engine.sample_rate))[4 * HOP :]
    engine.render(make_event(EventKind.PANIC, time=int(engine.state["position"][0])), engine.sample_rate // 4)
    return audio.mean(1)


def spectrogram_db(audio: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """[frequencies up to HIGHEST_HZ, frames] in dB under the loudest bin."""
    shown = round(SHOWN_S * rate)
    audio = np.pad(audio, (WINDOW // 2, shown))[: shown + WINDOW]
    frames = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, 2 * WINDOW)).T ** 2
    power = power[: round(HIGHEST_HZ / rate * 2 * WINDOW)]
    return np.maximum(10 * np.log10(power / power.max() + 1e-12), FLOOR_DB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("instrument", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    instrument = read_instrument(options.instrument)
    dataset = PreparedDataset(options.dataset)
    names = sorted({entry["instrument"] for entry in dataset.entries})
    recorded = dict(zip(unique_names([readable_name(name) for name in names]), names, strict=True))
    presets = [preset for preset in instrument.presets if preset.name in recorded]
    engine = OfflineEngine(instrument, instrument.spec.sample_rate)

    rows = -(-len(presets) // PER_ROW)
    figure, axes = plt.subplots(rows, 2 * PER_ROW, figsize=(16, 1.75 * rows), squeeze=False, layout="constrained")
    extent = (0.0, SHOWN_S, 0.0, HIGHEST_HZ / 1000)
    for axis in axes.ravel():
        axis.set_axis_off()
    for index, preset in enumerate(presets):
        note = typical_note(dataset, recorded[preset.name])
        assert note.audio is not None
        rate = instrument.spec.sample_rate
        pair = (("recorded", note.audio), ("noisysynth", played(engine, preset, note)))
        for side, (who, audio) in enumerate(pair):
            axis = axes[index // PER_ROW, 2 * (index % PER_ROW) + side]
            axis.set_axis_on()
            axis.imshow(spectrogram_db(audio, rate), origin="lower", aspect="auto", extent=extent, cmap="magma")
            title = preset.name if side == 0 else who
            axis.set_title(title, fontsize=9, loc="left", color="black" if side == 0 else "0.45")
            axis.tick_params(labelsize=6, length=2)
            if side:
                axis.set_yticklabels([])
    figure.suptitle(
        f"Left: recorded note. Right: the preset's note by {instrument.name}. Seconds, kHz, {-FLOOR_DB:.0f} dB range.",
        fontsize=11,
    )
    figure.savefig(options.out, dpi=90)


if __name__ == "__main__":
    main()
