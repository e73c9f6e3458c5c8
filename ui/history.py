"""What was set before: undo and redo. No Qt, no engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

MOST = 500
JOIN_S = 1.0  # a drag, or one knob turned in several goes, is one edit


@dataclasses.dataclass
class Change:
    """What an edit changed, as it was before: the preset, and values by parameter. `what`: its name in a few words."""

    what: str
    preset: int
    values: dict[str, float]


class History:
    """Edits that can be taken back, the newest last, and those that were taken back."""

    def __init__(self) -> None:
        self._done: list[Change] = []
        self._undone: list[Change] = []
        self._newest_s = -JOIN_S

    def add(self, what: str, preset: int, before: Mapping[str, float], now_s: float) -> None:
        """Keep how things were before an edit; of edits of the same thing shortly after one another only the first."""
        self._undone.clear()
        if self._done and self._done[-1].what == what and now_s - self._newest_s < JOIN_S:
            self._done[-1].values = {**before, **self._done[-1].values}
        else:
            self._done.append(Change(what, preset, dict(before)))
            del self._done[:-MOST]
        self._newest_s = now_s

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    def undo(self, preset: int, values: Mapping[str, float]) -> Change | None:
        """What to go back to, or None. preset, values: how things are now, for `redo`."""
        return self._step(self._done, self._undone, preset, values)

    def redo(self, preset: int, values: Mapping[str, float]) -> Change | None:
        return self._step(self._undone, self._done, preset, values)

    def _step(
        self, source: list[Change], target: list[Change], preset: int, values: Mapping[str, float]
    ) -> Change | None:
        if not source:
            return None
        change = source.pop()
        target.append(Change(change.what, preset, {each: values[each] for each in change.values}))
        self._newest_s = -JOIN_S  # what comes next is an edit of its own
        return change
