"""What is odd about prepared notes. They are used all the same: the report names them, for a person to judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

LOUDEST_WITHIN_S = 0.05
# A note so far from the median of its instrument, and from that of all notes, is no matter of how hard it was struck.
ODD_LEVEL_DB = 30.0
SHORT_S = 0.15


class Oddity(NamedTuple):
    """note: its id. kind: for counting. words: one line."""

    note: str
    kind: str
    words: str


def level_db(audio: npt.NDArray[np.float32], sample_rate: int) -> float:
    """RMS of the loudest 50 ms, dB re full scale."""
    size = max(1, min(len(audio), round(LOUDEST_WITHIN_S * sample_rate)))
    power = np.convolve(np.square(audio, dtype=np.float64), np.full(size, 1.0 / size), mode="valid")
    return round(float(10.0 * np.log10(power.max(initial=0.0) + 1e-14)), 1)


def oddities(notes: Sequence[dict[str, Any]], groups: Sequence[Sequence[int]], frame_rate: int) -> list[Oddity]:
    """Of index entries; groups: those that are one recording (indices)."""
    found = []
    levels: dict[str, list[float]] = defaultdict(list)
    for note in notes:
        if "level_db" in note:
            levels[note["instrument"]].append(note["level_db"])
    everywhere = float(np.median([each for some in levels.values() for each in some])) if levels else 0.0
    for note in notes:
        level = note.get("level_db")
        if level is not None:
            others = levels[note["instrument"]]
            usual = float(np.median(others)) if len(others) > 1 else everywhere  # else it would be its own judge
            if min(abs(level - usual), abs(level - everywhere)) > ODD_LEVEL_DB:
                found.append(Oddity(note["id"], "level", f"{level:.0f} dB, its instrument's median is {usual:.0f} dB"))
        seconds = note["n_frames"] / frame_rate
        if seconds < SHORT_S:
            found.append(Oddity(note["id"], "short", f"{1000.0 * seconds:.0f} ms of sound"))
    for group in groups:
        ids = [str(notes[i]["id"]) for i in group]
        found.append(
            Oddity(ids[0], "duplicate", f"the same recording as {', '.join(ids[1:4])}{' ...' * (len(ids) > 4)}")
        )
    return found
