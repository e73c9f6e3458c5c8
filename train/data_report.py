"""report.html and report.json beside prepared data: what is in it, what was left out and why, and what is odd."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from noisysynth.report_page import Cell, document, escaped, table
from noisysynth.train.duplicates import duplicates
from noisysynth.train.note_checks import oddities
from noisysynth.train.splits import SPLITS

PAGE, FIGURES = "report.html", "report.json"
_MOST_ROWS = 300
_WIDTH, _HEIGHT = 460, 110


def report_files(name: str, index: dict[str, Any]) -> dict[str, bytes]:
    """What to write beside `index.json` of the data set of this name: bytes by file name."""
    figures = make_figures(index)
    data = json.dumps(figures, indent=1) + "\n"
    return {FIGURES: data.encode(), PAGE: make_page(name, index, figures).encode()}


def make_figures(index: dict[str, Any]) -> dict[str, Any]:
    """What report.json says of an index."""
    notes, rejected = index["notes"], index["rejected"]
    frame_rate = int(index["spec"]["frame_rate"])
    groups = duplicates(notes)
    odd = oddities(notes, groups, frame_rate)
    return {
        "notes": len(notes),
        "instruments": len({note["instrument"] for note in notes}),
        "minutes": round(sum(note["n_frames"] for note in notes) / frame_rate / 60.0, 2),
        "splits": dict(Counter(note["split"] for note in notes)),
        "left_out": dict(Counter(_kind(each["reason"]) for each in rejected)),
        "odd": dict(Counter(each.kind for each in odd)),
        "pitches": _histogram([note["pitch"] for note in notes], np.arange(0.0, 133.0, 6.0)),
        "levels_db": _histogram([note["level_db"] for note in notes if "level_db" in note], np.arange(-84.0, 3.0, 6.0)),
        "seconds": _histogram([note["n_frames"] / frame_rate for note in notes], np.arange(0.0, 10.6, 0.5)),
        "rejected": rejected,
        "oddities": [each._asdict() for each in odd],
        "duplicates": [[notes[i]["id"] for i in group] for group in groups],
    }


def make_page(name: str, index: dict[str, Any], figures: dict[str, Any]) -> str:
    """The page of one data set."""
    splits = ", ".join(f"{figures['splits'].get(each, 0)} {each}" for each in SPLITS if each in figures["splits"])
    facts = [
        ("Notes", Cell(str(figures["notes"]))),
        ("Instruments", Cell(str(figures["instruments"]))),
        ("Minutes of sound", Cell(f"{figures['minutes']:.1f}")),
        ("Splits", Cell(splits, "text")),
        ("Attribution", Cell("; ".join(index.get("attribution", [])) or "-", "text")),
    ]
    parts = [f"<h1>{escaped(name)}: prepared notes</h1>", table((), facts)]
    for title, key, unit in (
        ("Pitch", "pitches", "MIDI"), ("Level of the loudest 50 ms", "levels_db", "dB"), ("Length", "seconds", "s"),
    ):  # fmt: skip
        parts.append(f"<h3>{title}, {unit}</h3>{_bars(figures[key])}")
    parts += _list(
        "Left out", "These notes are not in the data.", [(each["id"], each["reason"]) for each in figures["rejected"]]
    )
    parts += _list(
        "Odd, but used",
        "Look at them; what should not be used, take out of the folder or the table, and prepare it anew. Notes that "
        "are one recording are never held out from one another.",
        [(each["note"], f"{each['kind']}: {each['words']}") for each in figures["oddities"]],
    )
    return document(f"{name}: prepared notes", parts)


def _list(heading: str, words: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    parts = [f"<h2>{heading} ({len(rows)})</h2>"]
    if not rows:
        return [*parts, "<p>None.</p>"]
    parts.append(f'<p class="note">{words}</p>')
    parts.append(table(("note", "why"), [(name, Cell(why, "text")) for name, why in rows[:_MOST_ROWS]]))
    if len(rows) > _MOST_ROWS:
        parts.append(f"<p>{len(rows) - _MOST_ROWS} more are in {FIGURES}.</p>")
    return parts


def _histogram(values: Sequence[float], edges: np.ndarray[Any, Any]) -> dict[str, list[float]]:
    """Counts between edges; what lies outside is counted in the first or last."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _bars(histogram: dict[str, list[float]]) -> str:
    """An SVG of one."""
    counts, edges = histogram["counts"], histogram["edges"]
    most, step = max([*counts, 1]), _WIDTH / len(counts)
    bars, labels = [], []
    for i, count in enumerate(counts):
        height = 80.0 * count / most
        bars.append(
            f'<rect x="{i * step + 1:.1f}" y="{86 - height:.1f}" width="{step - 2:.1f}" height="{height:.1f}">'
            f"<title>{edges[i]:g} to {edges[i + 1]:g}: {count}</title></rect>"
        )
        if i % max(1, len(counts) // 8) == 0:
            labels.append(f'<text x="{i * step:.1f}" y="102">{edges[i]:g}</text>')
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" fill="#0072b2" font-size="11">{"".join(bars)}'
        f'<path d="M0 86.5H{_WIDTH}" stroke="#888"/><g fill="#555">{"".join(labels)}</g></svg>'
    )


def _kind(reason: str) -> str:
    return reason.split(":")[0]
