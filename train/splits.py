"""Which notes are trained on, and which are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

SPLITS = ("train", "test_notes", "test_instruments")
BY = ("instruments", "notes")
HELD_OUT_SHARE = 0.08
FEWEST_INSTRUMENTS_TO_HOLD_OUT = 10
# "notes" is GANSynth's split (Engel et al. 2019): notes shuffled, 80 to 20, whatever instrument they are of.
SHARE_OF_NOTES = 0.2


def assign_splits(
    notes: Sequence[dict[str, Any]], groups: Sequence[Sequence[int]] = (), by: str = "instruments"
) -> None:
    """Set `split` of each index entry. It depends on ids and instruments alone, so it never moves.

    groups: notes (indices) that are one recording: all are held out where one of them is.
    by: "instruments" holds some out as a whole, where there are enough, and some notes of the others; "notes" a fifth
    of the notes.
    """
    share = SHARE_OF_NOTES if by == "notes" else HELD_OUT_SHARE
    held_out = _held_out_instruments(sorted({note["instrument"] for note in notes})) if by == "instruments" else set()
    for note in notes:
        if note["instrument"] in held_out:
            note["split"] = "test_instruments"
        else:
            note["split"] = "test_notes" if _chance(note["id"]) < share else "train"
    for group in groups:  # decided by one of them: with more chances, what is used often would be held out oftener
        first = min(notes[i]["id"] for i in group)
        apart = _chance(first) < share or any(notes[i]["split"] == "test_instruments" for i in group)
        for i in group:
            if notes[i]["split"] != "test_instruments":
                notes[i]["split"] = "test_notes" if apart else "train"
    if not any(note["split"] == "train" for note in notes):
        for note in notes:
            note["split"] = "train"


def _held_out_instruments(instruments: list[str]) -> set[str]:
    if len(instruments) < FEWEST_INSTRUMENTS_TO_HOLD_OUT:
        return set()
    count = max(1, round(HELD_OUT_SHARE * len(instruments)))
    return set(sorted(instruments, key=_chance)[:count])


def _chance(text: str) -> float:
    """A number in 0..1 that depends on nothing but the text, so that splits never move."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2.0**64
