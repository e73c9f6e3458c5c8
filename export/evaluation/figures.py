"""The pictures of an evaluation, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from noisysynth.export.evaluation.bars import COVERAGE, FRECHET_RATIO
from noisysynth.export.evaluation.envelopes import level_db
from noisysynth.export.evaluation.evaluate import Gallery, Shown
from noisysynth.export.evaluation.notes import Audio
from noisysynth.export.evaluation.playability import VELOCITIES
from noisysynth.listening.pitch_track import track_cents
from noisysynth.spec import midi_to_hz

WINDOW, HOP = 1024, 256
HIGHEST_HZ = 12_000.0
FLOOR_DB = -80.0
ROW_NAMES = {
    "floor": "training notes (floor)",
    "floor_halves": "held-out notes, half against half (floor)",
    "foreign": "held-out instruments, real",
    "ddsp": "DDSP fit of held-out notes",
    "rebuilt": "held-out notes through the encoder",
    "model": "the instrument, drawn from the prior",
    "paper": "the paper's model",
    "real_16k": "held-out notes at 16 kHz",
    "noise": "noise",
    "floor_foreign": "training notes (floor)",
    "floor_foreign_halves": "these notes, half against half",
    "model_foreign": "the instrument, drawn from the prior",
}
# Distinct for the colour-blind (Okabe and Ito).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def png(figure: Figure, dpi: int = 80) -> bytes:
    """The figure as a PNG file's bytes."""
    out = io.BytesIO()
    figure.savefig(out, dpi=dpi, format="png", metadata={"Software": None})
    return out.getvalue()


def spectrogram(audio: Audio, rate: int) -> NDArray[np.float64]:
    """[bins up to HIGHEST_HZ, frames], dB under the loudest bin."""
    padded = np.pad(audio, (WINDOW // 2, WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, 2 * WINDOW)).T ** 2
    power = power[: round(min(HIGHEST_HZ, rate / 2) / rate * 2 * WINDOW)]
    return np.maximum(10.0 * np.log10(power / max(float(power.max()), 1e-20) + 1e-12), FLOOR_DB)


def shown_picture(shown: Shown, rate: int) -> bytes:
    """Spectrograms of a note side by side; under them its envelopes and pitch tracks, one over the other."""
    n = len(shown.sounds)
    width = max(3.2 * n, 4.8)
    figure = Figure(figsize=(width, 3.6))
    # Fixed margins: working them out costs as much as drawing.
    grid = figure.add_gridspec(2, 2 * n, height_ratios=(2.0, 1.0), left=0.55 / width, right=1.0 - 0.1 / width,
                               top=0.94, bottom=0.06, wspace=1.4 / n, hspace=0.16)  # fmt: skip
    seconds = max(len(audio) for audio in shown.sounds.values()) / rate
    for i, (who, audio) in enumerate(shown.sounds.items()):
        axes = figure.add_subplot(grid[0, 2 * i : 2 * i + 2])
        _show_spectrogram(axes, audio, rate)
        axes.set_title(who if n > 1 else "", fontsize=9, loc="left")
        if i:
            axes.set_yticklabels([])
        else:
            axes.set_ylabel("kHz", fontsize=8)
    left, right = figure.add_subplot(grid[1, :n]), figure.add_subplot(grid[1, n:])
    for i, (who, audio) in enumerate(shown.sounds.items()):
        levels = level_db(audio, rate)
        left.plot(np.arange(len(levels)) * 0.005, levels, color=_COLOURS[i], linewidth=1.0, label=who)
        cents = track_cents(audio, rate, float(midi_to_hz(shown.told.pitch)), 100, int(seconds * 100))
        held = int(min(shown.told.gate_s, seconds) * 100)
        right.plot(np.arange(held) / 100.0, cents[:held], color=_COLOURS[i], linewidth=1.0)
    for axes, label, low, high in ((left, "level, dB", -90.0, 0.0), (right, "pitch, cents", -50.0, 50.0)):
        axes.axvline(shown.told.gate_s, color="0.6", linewidth=0.8, linestyle=":")
        axes.set(xlim=(0.0, seconds), ylim=(low, high))
        axes.set_ylabel(label, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.25)
    if n > 1:
        left.legend(fontsize=7, loc="lower left")
    return png(figure)


def ladder_picture(sounds: Sequence[Audio], rate: int) -> bytes:
    """A strip of spectrograms."""
    figure = Figure(figsize=(1.1 * len(sounds), 1.5))
    margins = {"left": 0.005, "right": 0.995, "top": 0.86, "bottom": 0.01, "wspace": 0.04}
    for i, (axes, audio) in enumerate(zip(figure.subplots(1, len(sounds), gridspec_kw=margins), sounds, strict=True)):
        _show_spectrogram(axes, audio, rate)
        axes.set_axis_off()
        axes.set_title(str(i + 1), fontsize=8)
    return png(figure)


def distances_picture(results: dict[str, Any]) -> bytes:
    """Frechet distance over the floor, and coverage, of every row that was measured."""
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    _show_distances(figure.subplots(1, 2, sharey=True), results)
    return png(figure)


def keyboard_picture(results: dict[str, Any]) -> bytes:
    """Cents of every key that was played."""
    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    _show_keyboard(figure.subplots(), results["keyboard"])
    return png(figure)


def velocity_picture(results: dict[str, Any]) -> bytes:
    """Loudness over velocity, a line for each ladder."""
    figure = Figure(figsize=(4.8, 2.6), layout="constrained")
    _show_velocity(figure.subplots(), results["velocity"])
    return png(figure)


def gates_picture(results: dict[str, Any]) -> bytes:
    """Levels over time of one timbre at every gate."""
    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    _show_gates(figure.subplots(), results["gates"])
    return png(figure)


def summary_picture(name: str, results: dict[str, Any], gallery: Gallery, rate: int) -> bytes:
    """Everything on one sheet, for a document: distances, keyboard, velocity, gates, and pairs of spectrograms."""
    pairs = (gallery.pairs[:2] + gallery.foreign[:2])[:4]
    figure = Figure(figsize=(12.0, 9.0 if pairs else 6.4), layout="constrained")
    figure.suptitle(name, fontsize=13)
    rows: Any = figure.subfigures(3 if pairs else 2, 1)
    _show_distances(rows[0].subplots(1, 2, sharey=True), results)
    three = rows[1].subplots(1, 3)
    for axes, key, show in zip(
        three, ("keyboard", "velocity", "gates"), (_show_keyboard, _show_velocity, _show_gates), strict=True
    ):
        if key in results:
            show(axes, results[key])
        else:
            axes.set_axis_off()
    if pairs:
        for i, axes in enumerate(rows[2].subplots(1, 2 * len(pairs))):
            who = ("recorded", "rebuilt")[i % 2]
            _show_spectrogram(axes, pairs[i // 2].sounds[who], rate)
            title = pairs[i // 2].title.split(",")[0][:18] if i % 2 == 0 else "rebuilt"
            axes.set_title(title, fontsize=8, loc="left")
            axes.tick_params(labelsize=6)
            if i:
                axes.set_yticklabels([])
    return png(figure, 75)


def _show_spectrogram(axes: Axes, audio: Audio, rate: int) -> None:
    extent = (0.0, len(audio) / rate, 0.0, min(HIGHEST_HZ, rate / 2) / 1000.0)
    colours = matplotlib.colormaps["magma"]
    axes.imshow(spectrogram(audio, rate), origin="lower", aspect="auto", extent=extent, cmap=colours)
    axes.tick_params(labelsize=7)


def _show_distances(pair: NDArray[Any], results: dict[str, Any]) -> None:
    left, right = pair
    rows = [(name, results["sets"][key]["trained"]) for key, name in ROW_NAMES.items()
            if key in results["sets"] and "_foreign" not in key and key != "floor_halves"]  # fmt: skip
    names = [name for name, _ in rows]
    places = np.arange(len(rows))[::-1]
    ratios = [row.get("ratio", 1.0) for _, row in rows]
    left.barh(places, ratios, color=[_COLOURS[1] if "prior" in name else _COLOURS[0] for name in names])
    left.axvline(FRECHET_RATIO, color="0.3", linestyle="--", linewidth=1.0)
    left.set(xscale="log", yticks=places, yticklabels=names)
    left.set_title("Frechet distance over the floor (dashed: bar)", fontsize=9)
    right.barh(places, [row["coverage"] for _, row in rows], color=_COLOURS[2])
    right.axvline(COVERAGE, color="0.3", linestyle="--", linewidth=1.0)
    right.set_xlim(0.0, 1.0)
    right.set_title("coverage", fontsize=9)
    for axes in pair:
        axes.tick_params(labelsize=8)
        axes.grid(axis="x", alpha=0.25)


def _show_keyboard(axes: Axes, keyboard: dict[str, Any]) -> None:
    points = np.array(keyboard["keys"]).reshape(-1, 2)
    axes.axhspan(-10.0, 10.0, color=_COLOURS[2], alpha=0.15)
    axes.scatter(points[:, 0], np.clip(points[:, 1], -60.0, 60.0), s=6, color=_COLOURS[0])
    axes.set(xlabel="key", ylabel="cents", ylim=(-62.0, 62.0), title="pitch of every key (clipped at 60)")
    _small(axes)


def _show_velocity(axes: Axes, velocity: dict[str, Any]) -> None:
    for ladder in velocity["ladders"]:
        axes.plot(VELOCITIES, ladder, color=_COLOURS[0], alpha=0.4, linewidth=1.0)
    axes.set(xlabel="velocity", ylabel="dB (A)", title="loudness over velocity")
    _small(axes)


def _show_gates(axes: Axes, gates: dict[str, Any]) -> None:
    colours = matplotlib.colormaps["viridis"]
    courses = gates["courses"]
    for i, (gate, levels) in enumerate(courses.items()):
        axes.plot(np.arange(len(levels)) * 0.02, levels, color=colours(i / max(len(courses) - 1, 1)), linewidth=1.0,
                  label=f"{gate} s")  # fmt: skip
    axes.set(xlabel="s", ylabel="dB", ylim=(-92.0, 0.0), title="one sound, eight gates")
    axes.legend(fontsize=6, ncols=2, loc="upper right")
    _small(axes)


def _small(axes: Axes) -> None:
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=7)
    axes.title.set_fontsize(9)
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)
