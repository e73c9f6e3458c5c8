"""Undo, redo and the two settings A and B, over all parts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from noisysynth.parameters import PARAMETER_INDEX
from noisysynth.ui.history import RACK, Change, History
from noisysynth.ui.part import PLACE
from noisysynth.ui.user_presets import UserPreset

if TYPE_CHECKING:
    from noisysynth.ui.player import Player


class Undo:
    """Gathers edits while they are made, and goes back to how things were before them."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.history = History()
        self._before: dict[str, float] | None = None  # during an edit: what it changed, as it was

    @contextlib.contextmanager
    def edit(self, what: str, part: int) -> Iterator[None]:
        """Remember what is changed inside, as one edit of a part or of the RACK."""
        if self._before is not None:
            yield
            return
        (preset, stray), self._before = self._chosen_in(part), {}
        try:
            yield
        finally:
            before, self._before = self._before, None
            values = self._values_of(part)
            now = self._chosen_in(part)
            other = preset != now[0] or stray is not now[1]
            if other or any(values[each] != value for each, value in before.items()):
                self.history.add(Change(what, part, before, preset, stray), time.monotonic())
                self._player.history_changed.emit()

    def note(self, values: dict[str, float], *parameters: str) -> None:
        """These are about to change."""
        if self._before is not None:
            for each in parameters:
                self._before.setdefault(each, values[each])

    def _values_of(self, part: int) -> dict[str, float]:
        return self._player.rack_values if part == RACK else self._player.parts[part].values

    def _chosen_in(self, part: int) -> tuple[int, UserPreset | None]:
        """The preset's index, or -1 and the one that is in no list."""
        if part == RACK:
            return -1, None
        chosen = self._player.parts[part]
        return chosen.preset, chosen.stray

    def _now(self, change: Change) -> Change:
        """How things are that a change touches."""
        values, parts = self._values_of(change.part), None
        if change.parts is not None:
            parts = {number: self._player.parts[number].data() for number in change.parts}
        here = {each: values[each] for each in change.values}
        return Change(change.what, change.part, here, *self._chosen_in(change.part), change.side, parts)

    def undo(self) -> None:
        """Take back the newest edit, of whatever part; that one is edited then."""
        if not self._still_loading():
            self._go_to(self.history.undo(self._now), "undone: {}", "nothing to undo")

    def redo(self) -> None:
        if not self._still_loading():
            self._go_to(self.history.redo(self._now), "done again: {}", "nothing to do again")

    def compare(self) -> None:
        """Play the other one of two settings of the part, A and B; B begins as A is. Each has its own history."""
        player = self._player
        if player.instrument is None or self._still_loading():
            return
        here = Change("compare", player.chosen, player.part.sound(), player.preset, player.part.stray, player.side)
        other = self.history.turn(here)
        self._go_to(other, f"{player.side} plays", "")

    def _still_loading(self) -> bool:
        if self._player.rack.loading:
            self._player.noticed.emit("wait until the instrument is open")
        return bool(self._player.rack.loading)

    def _go_to(self, change: Change | None, done: str, nothing: str) -> None:
        player = self._player
        if change is None:
            player.noticed.emit(nothing)
            return
        if change.part != RACK and not player.parts[change.part].used:  # its instrument could not be opened again
            player.noticed.emit(f"part {change.part + 1} is empty; what was changed there cannot be undone")
            return
        if change.part != RACK:
            player.choose_part(change.part)
            part = player.parts[change.part]
            if change.preset != part.preset or change.stray is not part.stray:
                part.preset = change.preset if change.preset < len(part.presets) else -1
                part.stray = change.stray
                player.tell_preset(change.part)
        # In the table's order: what an insert is comes before its values, which it resets.
        values = self._values_of(change.part)
        for parameter_id in sorted(change.values, key=PARAMETER_INDEX.__getitem__):
            if values[parameter_id] != change.values[parameter_id]:
                player.put(change.part, parameter_id, change.values[parameter_id])
        if change.part != RACK:
            if change.values.keys() & set(PLACE):
                player.parts[change.part].preset_stands = player.parts[change.part].at_preset()
            player.send_place(change.part)
        if change.parts is not None:
            player.rack.change(change.parts)
        player.noticed.emit(done.format(change.what))
        player.history_changed.emit()
        player.edited.emit()
