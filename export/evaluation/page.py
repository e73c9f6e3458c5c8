"""The evaluation as one HTML page that needs nothing beside it: figures, pictures and sounds are inside."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import soundfile

from noisysynth.export.evaluation import figures
from noisysynth.export.evaluation.bars import FEW_NOTES, judge
from noisysynth.export.evaluation.embedding import SIZE
from noisysynth.export.evaluation.evaluate import Gallery, Shown
from noisysynth.export.evaluation.figures import ROW_NAMES
from noisysynth.export.evaluation.notes import Audio
from noisysynth.report_page import Cell, document, escaped, image, table


def make_page(about: dict[str, Any], results: dict[str, Any], gallery: Gallery, rate: int) -> str:
    """The page. about: what is shown at the top, by name. Whatever was not measured is left out."""
    title = f"{about.get('Instrument', 'Instrument')}: evaluation"
    parts = [f"<h1>{escaped(title)}</h1>", _facts(about)]
    if not results.get("complete", False):
        parts.append("<p><b>Not complete: it was stopped before everything was measured.</b></p>")
    parts += [_bars(results), _sets(results)]
    for make in (_pitch, _playing, _latent, _further):
        parts.append(make(results))
    parts += _gallery(gallery, rate)
    return document(title, parts)


# --- tables


def _facts(about: dict[str, Any]) -> str:
    return table((), [(name, Cell(str(value))) for name, value in about.items()])


def _bars(results: dict[str, Any]) -> str:
    rows = []
    for bar in judge(results):
        said = {True: ("pass", "pass"), False: ("miss", "MISS"), None: ("", "not measured")}[bar.passed]
        rows.append((bar.name, Cell(bar.wanted), Cell(bar.value), Cell(said[1], said[0]), Cell(bar.remark)))
    return "<h2>What it must reach</h2>" + table(("", "bar", "measured", "", ""), rows)


def _sets(results: dict[str, Any]) -> str:
    sets = results["sets"]
    if "floor" not in sets:
        return ""
    parts = [
        "<h2>How far from real notes</h2>",
        '<p class="note">Frechet distance and KID: less is nearer. Density is about 1 for a perfect model, coverage '
        "falls first when modes collapse, NDB/K is about 0.05 for a perfect model. Each row has as many notes on both "
        "sides; the floor is what other real notes reach at the same N. What is made from held-out notes is compared "
        "with training notes that are new to the embedding, everything else with the held-out notes, so that no note "
        "meets itself. ± is the standard deviation over draws, that in brackets over random subsets.</p>",
        image(figures.distances_picture(results), "Frechet distances and coverage"),
    ]
    heading = ("", "N", "Frechet", "/ floor", "KID", "density", "coverage", "NDB/K")
    for embedding, words in (
        ("trained", f"{SIZE} dimensions of our own network, trained on real notes only"),
        ("plain", "MFCC means, deviations and deltas, nothing trained"),
    ):
        for foreign, where in ((False, "held-out notes of trained instruments"), (True, "held-out instruments")):
            rows = []
            for key, name in ROW_NAMES.items():
                if key in sets and ("_foreign" in key) == foreign:
                    rows.append((name, *_set_cells(sets[key], embedding)))
            if rows:
                ours = {ROW_NAMES["model"]}
                parts.append(f"<h3>Against {where}; {words}</h3>" + table(heading, rows, ours))
    small = [row["n"] for row in sets.values() if row["n"] < FEW_NOTES]
    if small:
        parts.append(
            f'<p class="note">At N below {FEW_NOTES} a Frechet distance in {SIZE} dimensions is mostly the bias of '
            "small sets, in the floor as well: the ratio says little. KID, which has no such bias, is the one to "
            "read.</p>"
        )
    ear = results.get("embedding")
    if ear:
        parts.append(
            f'<p class="note">The network names the instrument of {ear["instrument_accuracy"]:.0%} of the held-out '
            f"notes and the pitch of {ear['pitch_accuracy']:.0%} within a semitone; its velocity is off by "
            f"{ear['velocity_error']:.2f}.</p>"
        )
    near = results.get("memorisation")
    if near:
        parts.append(
            f"<h3>Memorisation</h3><p>{near['share']:.1%} of the samples are nearer to one of {near['n']} training "
            f"notes than to any of as many held-out notes ({near['z']:+.1f} standard deviations from one half); median "
            f"distances {near['ratio']:.2f} to 1. Copies would give 100 % and a ratio near 0.</p>"
        )
    return "\n".join(parts)


def _set_cells(row: dict[str, Any], embedding: str) -> list[Cell]:
    figures_ = row[embedding]
    spread = figures_["spread"] if row["times"] > 1 else {}

    def cell(name: str, digits: int, scale: float = 1.0) -> Cell:
        value = _number(figures_[name], digits, scale)
        return Cell(f"{value} ± {_number(spread[name], digits, scale)}" if name in spread and value != "-" else value)

    kid = cell("kid", 3)
    if row["times"] == 1 and kid.text != "-":
        kid = Cell(f"{kid.text} ({_number(figures_['kid_deviation'], 3)})")
    ratio = Cell(_number(figures_.get("ratio"), 2))
    return [
        Cell(str(row["n"])),
        cell("frechet", 2),
        ratio,
        kid,
        cell("density", 2),
        cell("coverage", 2),
        cell("ndb", 2),
    ]


def _pitch(results: dict[str, Any]) -> str:
    names = {"real": "real notes (calibration)", "ddsp": "DDSP fit", "rebuilt": "through the encoder", "model": "prior"}
    rows = [
        (label, *_pitch_cells(results["pitch"][key])) for key, label in names.items() if key in results.get("pitch", {})
    ]
    if "keyboard" in results:
        rows.append(("keys 36 to 96", *_pitch_cells(results["keyboard"])))
    if not rows:
        return ""
    heading = ("", "N", "audible", "median cents", "within 10", "within 50", "within 10, any octave", "wrong octave")
    picture = image(figures.keyboard_picture(results), "pitch of every key") if "keyboard" in results else ""
    return (
        "<h2>Pitch</h2>"
        + table(heading, rows)
        + '<p class="note">Over 20 to 80 % of the gate, of notes that are audible there. '
        "A tracker that is told no pitch finds the octave; where it agrees with the key, the phases of the low "
        "partials give the cents. The first row shows what recordings, which need not be in tune, and the tracker "
        "itself are good for.</p>" + picture
    )


def _pitch_cells(row: dict[str, Any]) -> list[Cell]:
    shares = ("within_10", "within_50", "within_10_any_octave", "octave_errors")
    return [
        Cell(str(row["n"])),
        Cell(_percent(row["audible"])),
        Cell(_number(row["median_cents"], 1)),
        *(Cell(_percent(row[name])) for name in shares),
    ]


def _playing(results: dict[str, Any]) -> str:
    parts = []
    if "velocity" in results:
        row = results["velocity"]
        parts.append(
            f"<h3>Velocity</h3><p>{row['monotonic']:.0%} of {row['n']} ladders never get softer when struck harder "
            f"({row['rising']:.1%} of the steps rise; largest fall {row['largest_fall_db']:.1f} dB, "
            f"with shimmer {row['played_fall_db']:.1f} dB); median range "
            f"{row['range_db']:.1f} dB. {row['brighter']:.0%} end brighter, by {row['brightness_octaves']:+.2f} "
            "octaves.</p>" + image(figures.velocity_picture(results), "loudness over velocity")
        )
    if "gates" in results:
        row = results["gates"]
        parts.append(
            f"<h3>Note length</h3><p>{row['n']} notes of 0.05 to 10 s: {row['clicks']} with a click (the most "
            f"outstanding 2 ms {row['worst_click_db']:.1f} dB above what is around), {row['hanging']} of "
            f"{row['released']} still sounding 2 s after the key, {row['again']} sound again, {row['silent']} silent. "
            "Median release "
            f"{_number(row['release_db_per_s'], 0)} dB/s; largest drift of a 10 s note "
            f"{_number(row['drift_cents'], 1)} cents (of {row['held']} that are audible then).</p>"
            + image(figures.gates_picture(results), "levels at every gate")
        )
    if "sustain" in results and results["sustain"]["n"]:
        row = results["sustain"]
        parts.append(
            f"<h3>Held notes</h3><p>{row['n']} sustained recordings rebuilt and held for 10 s: {row['dead']} die, "
            f"median loss {row['loss_db']:.1f} dB from the second to the tenth second. Level moves by "
            f"{row['movement_db']:.2f} dB (recordings: {row['real_movement_db']:.2f}).</p>"
        )
    return "<h2>Playing</h2>" + "\n".join(parts) if parts else ""


def _latent(results: dict[str, Any]) -> str:
    parts = []
    if "path" in results:
        row = results["path"]
        parts.append(
            f"<p>Perceptual path length {row['path_length']:.0f} ± {row['deviation']:.0f} ({row['n']} lines; the same "
            f"latent played twice: {row['jitter']:.0f}, taken off). Read it beside coverage: a collapsed model is "
            "smooth.</p>"
        )
    if "ladders" in results:
        row = results["ladders"]
        fits = ", ".join(f"{name} {value:.2f}" for name, value in row["descriptors"].items())
        parts.append(
            f"<p>{row['n']} ladders of nine steps: descriptors go along a straight line with R² "
            f"{_number(row['linearity'], 2)} ({escaped(fits)}); the largest step is "
            f"{_number(row['largest_over_mean'], 2)} times the mean one (1 is even).</p>"
        )
    return "<h2>Latent space</h2>" + "\n".join(parts) if parts else ""


def _further(results: dict[str, Any]) -> str:
    """Spectral distances of rebuilt notes; and `inversion`, a table of figures by name, where somebody measured it."""
    parts = []
    names = {"held_out": "held-out notes", "foreign": "notes of held-out instruments"}
    rows = [
        (names[key], Cell(str(row["n"])), *(Cell(_number(row[name], 3)) for name in ("rebuilt", "ddsp", "ratio")))
        for key, row in results.get("paired", {}).items()
    ]
    if rows:
        parts.append(
            "<h2>Rebuilding recordings</h2>"
            + table(("", "N", "encoder", "DDSP fit", "encoder / fit"), rows)
            + '<p class="note">Six-scale spectral distance from the recording: of what the encoder makes of it in one '
            "step, and of its own analysis, the best any control network could do.</p>"
        )
    if results.get("inversion"):
        figures_ = results["inversion"].items()
        parts.append("<h3>Inversion</h3>" + table((), [(name, Cell(_number(value, 3))) for name, value in figures_]))
    return "\n".join(parts)


# --- pictures and sounds


def _gallery(gallery: Gallery, rate: int) -> list[str]:
    parts = []
    for heading, shown in (
        ("Held-out notes: recorded, rebuilt, DDSP fit", gallery.pairs),
        ("Held-out instruments: recorded, rebuilt, DDSP fit", gallery.foreign),
        ("Drawn from the prior", gallery.prior),
        ("The paper's model", gallery.paper),
    ):
        if shown:
            parts.append(f"<h2>{heading}</h2>")
            parts += [_shown(each, rate) for each in shown]
    if gallery.ladders:
        parts.append("<h2>Ladders</h2>")
    for name, sounds in gallery.ladders:
        players = "".join(_player(audio, str(i + 1), rate, 1.0) for i, audio in enumerate(sounds))
        parts.append(
            f"<h3>{escaped(name)}</h3>{image(figures.ladder_picture(sounds, rate), name)}"
            f'<div class="players ladder">{players}</div>'
        )
    return parts


def _shown(shown: Shown, rate: int) -> str:
    loudest = max(float(np.abs(audio).max()) for audio in shown.sounds.values())
    gain = 0.9 / max(loudest, 1e-4)  # one gain for all, so that they can be compared
    players = "".join(_player(audio, who, rate, gain) for who, audio in shown.sounds.items())
    return (
        f"<h3>{escaped(shown.title)}</h3>{image(figures.shown_picture(shown, rate), shown.title)}"
        f'<div class="players">{players}</div>'
    )


def _player(audio: Audio, label: str, rate: int, gain: float) -> str:
    out = io.BytesIO()
    soundfile.write(out, np.clip(audio * gain, -1.0, 1.0), rate, format="FLAC", subtype="PCM_16")
    source = f"data:audio/flac;base64,{base64.b64encode(out.getvalue()).decode()}"
    audio_element = f'<audio controls preload="none" src="{source}"></audio>'
    return f"<figure><figcaption>{escaped(label)}</figcaption>{audio_element}</figure>"


def _number(value: float | None, digits: int, scale: float = 1.0) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value * scale:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.1%}"
