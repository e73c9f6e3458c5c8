"""What was set before: undo and redo, and the two settings A and B of each part. No Qt, no engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from noisysynth.ui.part_data import PartData
from noisysynth.ui.user_presets import UserPreset

MOST = 500
JOIN_S = 1.0  # a drag, or one knob turned in several goes, is one edit
RACK = -1  # in `part`: of the whole rack


@dataclasses.dataclass
class Change:
    """What an edit changed, as it was before. `what`: its name in a few words.

    part: whose preset (an index; -1: `stray`, which is in no list, or none) and values; RACK: the rack's values, and
    `parts` that came, went or were replaced, as a whole, None for an empty one. side: which of the part's two settings
    it belongs to.
    """

    what: str
    part: int
    values: dict[str, float]
    preset: int = -1
    stray: UserPreset | None = None
    side: str = "A"
    parts: Mapping[int, PartData | None] | None = None


@dataclasses.dataclass(frozen=True)
class Marked:
    """All of a history at one moment."""

    done: tuple[Change, ...]
    undone: tuple[Change, ...]
    sides: dict[int, str]
    others: dict[int, Change]


Now = Callable[[Change], Change]  # how things are that a change touches


class History:
    """Edits of all parts that can be taken back, the newest last, and those that were taken back.

    Each part has two settings, A and B; edits of the one that does not play wait until it does.
    """

    def __init__(self) -> None:
        self._done: list[Change] = []
        self._undone: list[Change] = []
        self._newest_s = -JOIN_S
        self._sides: dict[int, str] = {}
        self._others: dict[int, Change] = {}  # how the setting that does not play was left, by part

    def mark(self) -> Marked:
        """What `go_back_to` goes back to."""
        done, undone = (tuple(map(dataclasses.replace, edits)) for edits in (self._done, self._undone))
        others = {part: dataclasses.replace(each) for part, each in self._others.items()}
        return Marked(done, undone, dict(self._sides), others)

    def go_back_to(self, marked: Marked) -> None:
        """Forget all edits since then."""
        self._done, self._undone = list(marked.done), list(marked.undone)
        self._sides, self._others = dict(marked.sides), dict(marked.others)
        self._newest_s = -JOIN_S

    def side(self, part: int) -> str:
        """Which of its settings plays, "A" or "B"."""
        return self._sides.get(part, "A")

    def _plays(self, change: Change) -> bool:
        return change.side == self.side(change.part)

    def add(self, change: Change, now_s: float) -> None:
        """Keep how things were before an edit; of edits of the same thing shortly after one another only the first."""
        change = dataclasses.replace(change, side=self.side(change.part))
        self._undone = [each for each in self._undone if not self._plays(each)]
        newest = self._done[-1] if self._done else None
        if (
            newest is not None
            and change.parts is None
            and change.stray is newest.stray  # another one is in no list: it can only be had back from here
            and (newest.what, newest.part, newest.side) == (change.what, change.part, change.side)
            and now_s - self._newest_s < JOIN_S
        ):
            newest.values = {**change.values, **newest.values}
        else:
            self._done.append(change)
            del self._done[:-MOST]
        self._newest_s = now_s

    def settle(self, parts: Iterable[int]) -> None:
        """These parts get other instruments: only what plays is left of their two settings, as A."""
        for part in parts:
            for edits in (self._done, self._undone):
                edits[:] = [each for each in edits if each.part != part or self._plays(each)]
                for each in edits:
                    each.side = "A" if each.part == part else each.side
            self._sides.pop(part, None)
            self._others.pop(part, None)

    def turn(self, here: Change) -> Change:
        """Let the other setting of a part play, left as `here`; returns how the other is, at first like this one."""
        other = self._others.get(here.part, here)
        self._others[here.part] = here
        self._sides[here.part] = "B" if self.side(here.part) == "A" else "A"
        self._newest_s = -JOIN_S
        return other

    def forget_preset(self, part: int, index: int) -> None:
        """A preset of the part's is gone: those after it are counted anew."""
        for each in (*self._done, *self._undone, *self._others.values()):
            if each.part == part and each.preset >= index:
                each.preset = -1 if each.preset == index else each.preset - 1

    @property
    def can_undo(self) -> bool:
        return any(map(self._plays, self._done))

    @property
    def can_redo(self) -> bool:
        return any(map(self._plays, self._undone))

    def undo(self, now: Now) -> Change | None:
        """What to go back to, or None."""
        return self._step(self._done, self._undone, now)

    def redo(self, now: Now) -> Change | None:
        return self._step(self._undone, self._done, now)

    def _step(self, source: list[Change], target: list[Change], now: Now) -> Change | None:
        at = next((i for i in reversed(range(len(source))) if self._plays(source[i])), None)
        if at is None:
            return None
        change = source.pop(at)
        target.append(now(change))
        self._newest_s = -JOIN_S  # what comes next is an edit of its own
        return change
