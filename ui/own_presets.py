"""Presets of the player's own: saved, renamed, deleted, brought back, given away and taken in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from noisysynth.errors import UserError
from noisysynth.ui.user_presets import UserPreset, UserPresets

if TYPE_CHECKING:
    from noisysynth.ui.player import Player

NO_INSTRUMENT = "open an instrument first: a preset belongs to one"


class OwnPresets:
    """Works on the part that is edited; an index is one of `Player.presets`. What goes wrong is told in a line."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def of(self, instrument: str) -> UserPresets | None:
        """Those for an instrument of this name; parts that play the same share them."""
        player = self._player
        for part in player.parts:
            if part.mine is not None and part.instrument is not None and part.instrument.name == instrument:
                return part.mine
        return UserPresets(player.presets_folder, instrument) if player.presets_folder is not None else None

    def at(self, index: int) -> int | None:
        """Which of the player's own presets this is of all; None for one of the instrument's."""
        part = self._player.part
        at = index - part.index_of_mine(0)
        return at if part.mine is not None and 0 <= at < len(part.mine.presets) else None

    def save(self, name: str) -> None:
        """Keep the sound as it is under this name; one of the player's own with that name is replaced."""
        part = self._player.part
        mine, blend = part.mine, part.blend()
        if mine is None or part.instrument is None or blend is None:
            self._player.noticed.emit(NO_INSTRUMENT)
            return
        if name.strip() in (preset.name for preset in part.instrument.presets):
            self._player.noticed.emit(f"{name.strip()!r} belongs to the instrument; choose another name")
            return

        def save() -> int:
            preset = UserPreset.of_data({"name": name, "values": part.sound(), "base": blend[0].astype(float).tolist()})
            if preset is None:
                raise UserError("a preset needs a name")
            return mine.save(preset)

        self._change(save, "saved {}")

    def rename(self, index: int, name: str) -> None:
        player, mine, at = self._player, self._player.part.mine, self.at(index)
        if at is None or mine is None:
            return
        try:
            mine.rename(at, name)
        except UserError as error:
            player.noticed.emit(str(error))
            return
        self._told_of(mine)
        player.edited.emit()  # the session knows the chosen one by its name
        player.noticed.emit(f"it is {mine.presets[at].name!r} now")

    def delete(self, index: int) -> None:
        """`restore` brings it back."""
        player, mine, at = self._player, self._player.part.mine, self.at(index)
        if at is None or mine is None:
            return
        name = mine.presets[at].name
        try:
            mine.delete(at)
        except UserError as error:
            player.noticed.emit(str(error))
            return
        for number, part in enumerate(player.parts):
            if part.mine is mine:
                gone = part.index_of_mine(at)
                part.preset = -1 if part.preset == gone else part.preset - (part.preset > gone)
                player.history.forget_preset(number, gone)
        self._told_of(mine)
        player.noticed.emit(f"deleted {name!r}; the menu of the presets brings it back")

    def restore(self) -> None:
        """Bring back the one deleted last, and play it."""
        mine = self._player.part.mine
        if mine is not None and mine.deleted is not None:
            self._change(mine.restore, "{} is back", play=True)

    def export(self, index: int, path: Path) -> None:
        at, mine = self.at(index), self._player.part.mine
        if at is not None and mine is not None:
            try:
                mine.write_to(at, path)
                self._player.noticed.emit(f"wrote {path}")
            except UserError as error:
                self._player.noticed.emit(str(error))

    def take_in(self, path: Path) -> None:
        """From a file."""
        mine = self._player.part.mine
        if mine is None:
            self._player.noticed.emit(NO_INSTRUMENT)
            return
        self._change(lambda: mine.read_from(path), "{} is one of yours now", play=True)

    def _change(self, work: Callable[[], int | None], done: str, play: bool = False) -> None:
        """Do it, and make the preset it returns the present one."""
        player, part = self._player, self._player.part
        assert part.mine is not None
        try:
            at = work()
        except UserError as error:
            player.noticed.emit(str(error))
            return
        if at is None:
            return
        index = part.index_of_mine(at)
        if not play:
            part.preset, part.stray = index, None
        self._told_of(part.mine)
        if play:
            player.choose_preset(index)
        else:
            player.edited.emit()
        player.noticed.emit(done.format(repr(part.presets[index].name)))

    def _told_of(self, mine: UserPresets) -> None:
        player = self._player
        player.presets_changed.emit()
        player.preset_changed.emit(player.preset)
        for number, part in enumerate(player.parts):
            if part.mine is mine:
                player.part_changed.emit(number)
