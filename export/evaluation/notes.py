"""The real notes of an evaluation: which ones, under what conditions, and what is listened to of each."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.spec import SynthSpec
from noisysynth.train.prepared import PreparedDataset, PreparedNote
from noisysynth.train.splits import SPLITS

LONGEST_S = 4.0
RING_OUT_S = 1.0
# One training note in five is kept from the embedding, so that it is new to it as a held-out note is.
KEPT_SHARE = 0.2
FEWEST_NOTES = 4
# The floor is measured so many times, each with other notes, where the data have them.
FLOORS = 3
_CACHE_BYTES = 1 << 29

Audio = NDArray[np.float32]
Thing = TypeVar("Thing")


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


Place = tuple[PreparedDataset, int]


class NoteSet:
    """Some notes of prepared data, each a data set and a row of it. name: as a reader should see it."""

    def __init__(self, name: str, spec: SynthSpec, places: Sequence[Place]) -> None:
        self.name = name
        self.spec = spec
        self.places = list(places)

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[RealNote]:
        """UserError when one is damaged."""
        for dataset, row in self.places:
            note = dataset.note(row)
            assert note.audio is not None
            told = _told(dataset, row)
            yield RealNote(told, as_heard(note.audio, self.spec.sample_rate, told), note)

    @property
    def told(self) -> list[Told]:
        """The conditions of every note, without reading any audio."""
        return [_told(dataset, row) for dataset, row in self.places]

    @property
    def ids(self) -> list[str]:
        return [f"{dataset.path.absolute().name}/{dataset.entries[row]['id']}" for dataset, row in self.places]

    @property
    def instruments(self) -> list[str]:
        """The instrument of every note."""
        return [_instrument(place) for place in self.places]

    def some(self, n: int, seed: int) -> NoteSet:
        """At most n of them, drawn evenly."""
        return NoteSet(self.name, self.spec, drawn(self.places, n, seed))


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
    spec: SynthSpec
    attribution: list[str]

    @property
    def sample_rate(self) -> int:
        return self.spec.sample_rate

    def conditions(self, n: int, seed: int) -> list[Told]:
        """n conditions of training notes that are in neither side of a comparison, the same for the same seed.

        So what is generated is as independent of the held-out notes as the floor's notes are.
        """
        told = self.learned.told
        rng = np.random.default_rng(seed)
        return [told[i] for i in rng.choice(len(told), n, replace=n > len(told))]


def choose_sets(
    data: Sequence[Path], n: int, unseen: Sequence[Path] = (), all_instruments: bool = False, seed: int = 0
) -> Sets:
    """n notes for each side of the comparisons.

    data: what the instrument was trained on. unseen: prepared data of which training saw nothing, whose notes are held
    out, too, as of a trained or of an unknown instrument. all_instruments: training took the held-out instruments in.
    UserError: data are missing, differ in their spec or hold too few notes.
    """
    opened: dict[str, list[PreparedDataset]] = {
        split: [PreparedDataset(path, split, _CACHE_BYTES) for path in data] for split in SPLITS
    }
    others = [PreparedDataset(path, None, _CACHE_BYTES) for path in unseen]
    spec = opened["train"][0].spec
    for dataset in [*opened["train"], *others]:
        if dataset.spec != spec:
            raise UserError(f"{dataset.path} was prepared with other settings than {data[0]}; prepare it again alike")
    train, test, foreign = (_places(opened[split]) for split in SPLITS)
    if all_instruments:
        train, foreign = train + foreign, []
    known = {_instrument(place) for place in train}
    for place in _places(others):
        (test if _instrument(place) in known else foreign).append(place)
    if len(test) < FEWEST_NOTES:
        raise UserError(
            f"{data[0]} has {len(test)} held-out notes; an evaluation needs {FEWEST_NOTES}: prepare more, for --unseen"
        )
    kept = [(dataset, row) for dataset, row in train if _chance(str(dataset.entries[row]["id"])) < KEPT_SHARE]
    learned = [(dataset, row) for dataset, row in train if _chance(str(dataset.entries[row]["id"])) >= KEPT_SHARE]
    if len(kept) < FEWEST_NOTES or not learned:
        raise UserError(f"{data[0]} has {len(train)} training notes, too few to compare with; prepare more data")
    n = min(n, len(test), len(kept))
    return Sets(
        held_out=NoteSet("held-out notes", spec, drawn(test, n, seed)),
        fresh=NoteSet("training notes", spec, drawn(kept, FLOORS * n, seed)),
        foreign=NoteSet("held-out instruments", spec, drawn(foreign, n, seed)),
        learned=NoteSet("the embedding's notes", spec, learned),
        spec=spec,
        attribution=list(dict.fromkeys(line for each in [*opened["train"], *others] for line in each.attribution)),
    )


def as_heard(audio: Audio, sample_rate: int, told: Told) -> Audio:
    """The audio cut, or filled with silence, to told.heard_s."""
    length = round(told.heard_s * sample_rate)
    return np.pad(audio[:length], (0, max(0, length - len(audio)))).astype(np.float32, copy=False)


def drawn(things: Sequence[Thing], n: int, seed: int) -> list[Thing]:
    """At most n of them, evenly, in order."""
    if len(things) <= n:
        return list(things)
    return [things[i] for i in sorted(np.random.default_rng(seed).choice(len(things), n, replace=False).tolist())]


def _places(datasets: Sequence[PreparedDataset]) -> list[Place]:
    return [(dataset, row) for dataset in datasets for row in range(len(dataset))]


def _instrument(place: Place) -> str:
    return str(place[0].entries[place[1]]["instrument"])


def _told(dataset: PreparedDataset, row: int) -> Told:
    entry = dataset.entries[row]
    gate_s = entry["gate_s"]
    if gate_s is None:  # nobody knows when it was let go: as if it had been held to the end
        gate_s = entry["n_frames"] / dataset.spec.frame_rate
    return Told(float(entry["pitch"]), float(entry["velocity"]), max(float(gate_s), 0.01))


def _chance(text: str) -> float:
    """A number in 0..1 that depends on nothing but the text; not the one that decides the splits."""
    return int.from_bytes(hashlib.sha256(f"embedding {text}".encode()).digest()[:8], "big") / 2.0**64
