"""The real notes of an evaluation: which ones, under what conditions, and what is listened to of each."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.train.prepared import PreparedDataset, PreparedNote

LONGEST_S = 4.0
RING_OUT_S = 1.0
# One training note in five is kept from the embedding, so that it is new to it as a held-out note is.
KEPT_SHARE = 0.2
FEWEST_NOTES = 4
# The floor is measured so many times, each with other notes, where the data have them.
FLOORS = 3
_CACHE_BYTES = 1 << 29

Audio = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Told:
    """What a player says of a note: pitch (MIDI note, fractional), velocity (0..1), s from note-on to note-off."""

    pitch: float
    velocity: float
    gate_s: float

    @property
    def heard_s(self) -> float:
        """How much of it is listened to: its ring-out, but no more than LONGEST_S in all."""
        return min(self.gate_s + RING_OUT_S, LONGEST_S)


@dataclasses.dataclass(frozen=True, eq=False)
class RealNote:
    """A recorded note. audio: [samples] at the data's sample rate, exactly told.heard_s long."""

    told: Told
    audio: Audio
    note: PreparedNote


class NoteSet:
    """Some notes of a prepared data set, in the order of the shards. name: as a reader should see it."""

    def __init__(self, name: str, dataset: PreparedDataset, rows: Sequence[int]) -> None:
        self.name = name
        self.dataset = dataset
        self.rows = sorted(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RealNote]:
        return (self.real(row) for row in self.rows)

    @property
    def told(self) -> list[Told]:
        """The conditions of every note, without reading any audio."""
        return [self._told(row) for row in self.rows]

    @property
    def ids(self) -> list[str]:
        return [str(self.dataset.entries[row]["id"]) for row in self.rows]

    @property
    def instruments(self) -> list[str]:
        """The instrument of every note."""
        return [str(self.dataset.entries[row]["instrument"]) for row in self.rows]

    def real(self, row: int) -> RealNote:
        """The note in this row of the data set. UserError when it is damaged."""
        note = self.dataset.note(row)
        assert note.audio is not None
        told = self._told(row)
        return RealNote(told, as_heard(note.audio, self.dataset.spec.sample_rate, told), note)

    def some(self, n: int, seed: int) -> NoteSet:
        """At most n of them, drawn evenly."""
        return NoteSet(self.name, self.dataset, drawn(self.rows, n, seed))

    def _told(self, row: int) -> Told:
        entry = self.dataset.entries[row]
        gate_s = entry["gate_s"]
        if gate_s is None:  # nobody knows when it was let go: as if it had been held to the end
            gate_s = entry["n_frames"] / self.dataset.spec.frame_rate
        return Told(float(entry["pitch"]), float(entry["velocity"]), max(float(gate_s), 0.01))


@dataclasses.dataclass(frozen=True)
class Sets:
    """The notes of an evaluation; no note is in two sets.

    held_out: n notes of trained instruments, never trained on. fresh: training notes that the embedding never saw, n at
    least and FLOORS times as many at most. foreign: at most n notes of instruments never trained on, maybe none.
    learned: what the embedding learns from.
    """

    held_out: NoteSet
    fresh: NoteSet
    foreign: NoteSet
    learned: NoteSet
    sample_rate: int
    attribution: list[str]

    def conditions(self, n: int, seed: int) -> list[Told]:
        """n conditions of training notes that are in neither side of a comparison, the same for the same seed.

        So what is generated is as independent of the held-out notes as the floor's notes are.
        """
        told = self.learned.told
        rng = np.random.default_rng(seed)
        return [told[i] for i in rng.choice(len(told), n, replace=n > len(told))]


def choose_sets(data: Path, n: int, seed: int = 0) -> Sets:
    """n notes for each side of the comparisons. UserError when the data are missing or hold no held-out notes."""
    train, test, foreign = (
        PreparedDataset(data, split, _CACHE_BYTES) for split in ("train", "test_notes", "test_instruments")
    )
    if len(test) < FEWEST_NOTES:
        raise UserError(f"{data} has {len(test)} held-out notes; an evaluation needs {FEWEST_NOTES}: prepare more data")
    kept = [i for i, entry in enumerate(train.entries) if _chance(str(entry["id"])) < KEPT_SHARE]
    learned = sorted(set(range(len(train))) - set(kept))
    if len(kept) < FEWEST_NOTES or not learned:
        raise UserError(f"{data} has {len(train)} training notes, too few to compare with; prepare more data")
    n = min(n, len(test), len(kept))
    return Sets(
        held_out=NoteSet("held-out notes", test, drawn(range(len(test)), n, seed)),
        fresh=NoteSet("training notes", train, drawn(kept, FLOORS * n, seed)),
        foreign=NoteSet("held-out instruments", foreign, drawn(range(len(foreign)), n, seed)),
        learned=NoteSet("the embedding's notes", train, learned),
        sample_rate=train.spec.sample_rate,
        attribution=train.attribution,
    )


def as_heard(audio: Audio, sample_rate: int, told: Told) -> Audio:
    """The audio cut, or filled with silence, to told.heard_s."""
    length = round(told.heard_s * sample_rate)
    return np.pad(audio[:length], (0, max(0, length - len(audio)))).astype(np.float32, copy=False)


def drawn(rows: Sequence[int], n: int, seed: int) -> list[int]:
    """At most n of rows, evenly, in order."""
    rows = list(rows)
    if len(rows) <= n:
        return rows
    return sorted(rows[i] for i in np.random.default_rng(seed).choice(len(rows), n, replace=False))


def _chance(text: str) -> float:
    """A number in 0..1 that depends on nothing but the text; not the one that decides the splits."""
    return int.from_bytes(hashlib.sha256(f"embedding {text}".encode()).digest()[:8], "big") / 2.0**64
