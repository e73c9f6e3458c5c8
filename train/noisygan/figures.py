"""The paper's figures and sounds: real, untrained and trained notes, and the loss curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.train.checkpoint import write_atomically
from noisysynth.train.noisygan.data import RealNotes
from noisysynth.train.noisygan.sampling import PaperRun, draw, load_paper_run, untrained
from noisysynth.train.noisygan.synth import SAMPLE_RATE
from noisysynth.train.noisygan.training import Losses

COLUMNS = 4
SEED = 7
KINDS = ("real", "untrained", "trained")

_DPI = 72
_FLOOR_DB, _STEP_DB = -80.0, 5.0
_WAV_PEAK = 0.9

Rows = dict[str, list[tuple[str, NDArray[np.float32]]]]  # kind: titles and sounds


def write_figures(run_dir: Path, data: RealNotes) -> list[Path]:
    """Write RUN/figures/*.png and RUN/sounds/*.wav of the newest checkpoint; the files. UserError: none, a full disk.

    Waveforms and WAVs are scaled to one peak each, as untrained sounds are far from full scale.
    """
    run = load_paper_run(run_dir)
    rows = _rows(run, data)
    figures, sounds = run_dir / "figures", run_dir / "sounds"
    written = []
    try:
        for folder in (figures, sounds):
            folder.mkdir(parents=True, exist_ok=True)
        for kind, notes in rows.items():
            for number, (_, audio) in enumerate(notes):
                written.append(sounds / f"{kind}_{number}.wav")
                soundfile.write(written[-1], _scaled(audio), SAMPLE_RATE, subtype="PCM_16")
        for name, draw_on in (("spectrograms", _draw_spectrogram), ("waveforms", _draw_waveform)):
            written.append(figures / f"{name}.png")
            _draw_grid(written[-1], rows, run, draw_on)
        written.append(figures / "losses.png")
        _draw_losses(written[-1], run.losses)
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"cannot write figures under {run_dir}: {error}") from error
    return written


def _rows(run: PaperRun, data: RealNotes) -> Rows:
    chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(SEED))[:COLUMNS]
    real = [(data.names[row], data.audio(torch.tensor([row]))[0].numpy()) for row in chosen.tolist()]
    drawn = {"untrained": draw(untrained(run.config), COLUMNS, SEED), "trained": draw(run.generator, COLUMNS, SEED)}
    rows: Rows = {"real": real}
    for kind, sounds in drawn.items():
        titles = [f"f0 about MIDI {pitch:.1f}" for pitch in sounds.pitch]
        rows[kind] = list(zip(titles, sounds.audio, strict=True))
    return rows


def _scaled(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    return audio * np.float32(_WAV_PEAK / max(float(np.abs(audio).max()), 1e-9))


def _draw_grid(path: Path, rows: Rows, run: PaperRun, draw_on: Any) -> None:
    """A row of each kind, the same notes in the same columns of every figure."""
    from matplotlib.figure import Figure

    columns = max(len(notes) for notes in rows.values())
    figure = Figure(figsize=(3.0 * columns, 7.2), layout="constrained", dpi=_DPI)
    axes = figure.subplots(len(rows), columns, squeeze=False, sharex=True, sharey=True)
    for line, (kind, notes) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(kind if kind != "trained" else f"trained, {run.steps} steps")
        for axis, (title, audio) in zip(line, notes, strict=False):
            draw_on(axis, audio)
            axis.set_title(title, fontsize=8)
            axis.tick_params(labelsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("s", fontsize=8)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    write_atomically(path, lambda file: figure.savefig(file, format="png"))


def _draw_spectrogram(axis: Any, audio: NDArray[np.float32]) -> None:
    """dB under the loudest point, 0 to 8 kHz, in steps that make a small file."""
    size, hop = 1024, 256
    window = torch.hann_window(size)
    spectrum = torch.stft(torch.from_numpy(audio), size, hop, window=window, return_complex=True).abs().numpy()
    level_db = 20.0 * np.log10(spectrum / max(float(spectrum.max()), 1e-12) + 1e-12)
    level_db = _STEP_DB * np.round(np.maximum(level_db, _FLOOR_DB) / _STEP_DB)
    extent = (0.0, len(audio) / SAMPLE_RATE, 0.0, 0.5e-3 * SAMPLE_RATE)
    colours = {"cmap": "magma", "vmin": _FLOOR_DB, "vmax": 0.0, "interpolation": "nearest"}
    axis.imshow(level_db, origin="lower", aspect="auto", extent=extent, **colours)


def _draw_waveform(axis: Any, audio: NDArray[np.float32]) -> None:
    """Lowest and highest sample of each column of pixels: a line through every sample would be solid anyway."""
    blocks = _scaled(audio)[: len(audio) // 250 * 250].reshape(-1, 250)
    time_s = np.arange(len(blocks)) * (250 / SAMPLE_RATE)
    axis.fill_between(time_s, blocks.min(axis=1), blocks.max(axis=1), linewidth=0.4)
    axis.set_ylim(-1.0, 1.0)


def _draw_losses(path: Path, losses: list[Losses]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.6), layout="constrained", dpi=_DPI)
    above, below = figure.subplots(2, 1, sharex=True)
    steps = np.arange(1, len(losses) + 1)
    table = np.array(losses, dtype=np.float64).reshape(-1, len(Losses._fields))
    for axis, names in ((above, ("discriminator", "generator")), (below, ("real_score", "fake_score"))):
        for name in names:
            axis.plot(steps, table[:, Losses._fields.index(name)], label=name.replace("_", " "), linewidth=0.8)
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    above.set_ylabel("binary cross-entropy")
    below.set_ylabel("discriminator's output")
    below.set_xlabel("step")
    _save(figure, path)
