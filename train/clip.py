"""Clip: one recorded or rendered note, what every data set becomes before analysis."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

DEFAULT_VELOCITY = 0.75


@dataclasses.dataclass(frozen=True)
class Clip:
    """One note whose onset is sample 0.

    audio: float32 [samples], mono, full scale 1.
    pitch: nominal MIDI note, fractional where the label says so. velocity: 0..1.
    gate_s: seconds from onset to note-off; None where nobody knows.
    note_id: unique in its data set. instrument: what is held out as a whole. tags: free words.
    """

    audio: npt.NDArray[np.float32]
    sample_rate: int
    pitch: float
    velocity: float
    gate_s: float | None
    note_id: str
    instrument: str
    family: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""

    @property
    def seconds(self) -> float:
        return len(self.audio) / self.sample_rate


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A note that could not be used, and why, for the report. "": nobody asked for it, and no report names it."""

    note_id: str
    reason: str = ""


class ClipSource(Protocol):
    """Where clips come from: batches that can be made in any order, each the same every time."""

    n_notes: int
    n_batches: int
    attribution: list[str]

    def arguments(self) -> dict[str, Any]:
        """What decides the clips, as JSON values: equal arguments give equal clips."""

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        """The notes of one batch, one at a time."""
