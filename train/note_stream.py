"""More notes than memory holds: some groups of them at a time, which ones a function of the step alone.

So a run that goes on after `kill -9` meets the same notes at the same steps as one that was never stopped.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import random
from collections.abc import Callable, Sequence

import torch

from noisysynth.spec import SynthSpec
from noisysynth.train.note_bank import Note, NoteBank

GROUPS_AT_ONCE = 4


@dataclasses.dataclass(frozen=True)
class NoteGroups:
    """All notes in groups of about a quarter of what memory shall hold; `read(i)` reads group i, in any thread."""

    count: int
    n_notes: int
    read: Callable[[int], list[Note]]


class NoteStream:
    """A window of four groups: after every so many steps one goes and another comes, read meanwhile."""

    def __init__(
        self,
        groups: NoteGroups,
        spec: SynthSpec,
        instruments: Sequence[str],
        seed: int,
        steps_per_group: int,
        keep_audio: bool = False,
        device: torch.device | str = "cpu",
        noise_trim_db: float = 0.0,
    ) -> None:
        self._groups, self._seed, self._steps_per_group = groups, seed, steps_per_group
        self._read = lambda number: NoteBank(
            groups.read(number), spec, instruments, keep_audio, noise_trim_db=noise_trim_db
        )
        self._device = device
        self._window: tuple[int, ...] = ()
        self._here: dict[int, NoteBank] = {}  # a packed bank takes half of what its notes do
        self._bank: NoteBank | None = None
        self._reader = concurrent.futures.ThreadPoolExecutor(1, "notes")
        self._coming: dict[int, concurrent.futures.Future[NoteBank]] = {}

    def at(self, step: int) -> NoteBank:
        """The notes that step learns from. Raises what reading raises: UserError for damaged data.

        Whoever has the bank of the step before lets go of it first: there is not memory for two.
        """
        move = step // self._steps_per_group
        window = self.window(move)
        if window != self._window or self._bank is None:
            self._bank = None
            self._here = {number: self._taken(number) for number in window}
            self._bank = NoteBank.joined(list(self._here.values()), self._device)
            self._window = window
            for number in self.window(move + 1):
                if number not in self._here and number not in self._coming:
                    self._coming[number] = self._reader.submit(self._read, number)
        return self._bank

    def window(self, move: int) -> tuple[int, ...]:
        """Which groups are there after so many moves: all come equally often, each epoch in another order."""
        count = self._groups.count
        if count <= GROUPS_AT_ONCE:
            return tuple(range(count))
        return tuple(dict.fromkeys(self._nth(move + i) for i in range(GROUPS_AT_ONCE)))

    def close(self) -> None:
        self._reader.shutdown(cancel_futures=True)

    def _nth(self, place: int) -> int:
        epoch, place = divmod(place, self._groups.count)
        order = list(range(self._groups.count))
        random.Random(f"{self._seed} {epoch}").shuffle(order)
        return order[place]

    def _taken(self, number: int) -> NoteBank:
        if number in self._here:
            return self._here[number]
        coming = self._coming.pop(number, None)
        return coming.result() if coming is not None else self._read(number)
