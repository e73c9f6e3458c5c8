"""A sound on trial: it plays until it is kept or discarded, and then all is as it was before."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from noisysynth.instrument import Instrument, Preset
from noisysynth.parameters import PARAMETER_INDEX
from noisysynth.ui.history import Change, Marked
from noisysynth.ui.latent_map import Vector
from noisysynth.ui.user_presets import UserPreset

if TYPE_CHECKING:
    from noisysynth.ui.part import Part
    from noisysynth.ui.player import Player


@dataclasses.dataclass(frozen=True, eq=False)
class _Before:
    """How a part was."""

    instrument: Instrument | None
    preset: Preset | UserPreset | None
    preset_stood: bool
    values: dict[str, float]
    history: Marked


class Trial:
    """One at a time, in one part. Choosing another sound there ends it, as does another instrument."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._number = 0
        self._preset: UserPreset | None = None
        self._before: _Before | None = None

    @property
    def _part(self) -> Part:
        return self._player.parts[self._number]

    @property
    def going_on(self) -> bool:
        return self._preset is not None and self._part.chosen is self._preset

    def begin(self, number: int, name: str, latent: Vector, parameters: Mapping[str, float]) -> None:
        """Let a latent [Z] sound in a part, with these parameters and the default of all else of the sound."""
        player, part = self._player, self._player.parts[number]
        preset = part.preset_of(name, latent, parameters)
        if preset is None:
            return
        if not self.going_on or number != self._number:
            self._number = number
            self._before = _Before(
                part.instrument, part.chosen, part.preset_stands, part.sound(), player.history.mark()
            )
        self._preset = preset
        player.select_stray(preset, number)

    def keep(self, name: str) -> str:
        """Make a preset of the player's own of it; what went wrong, or "" when all is well. One edit for undo."""
        before, player = self._before, self._player
        if not self.going_on or before is None:
            return "nothing is on trial any more"
        player.choose_part(self._number)
        heard: list[str] = []
        hear = heard.append
        player.noticed.connect(hear)
        player.save_preset(name)
        player.noticed.disconnect(hear)
        if self._part.preset < 0:  # it was refused
            return heard[-1] if heard else "the preset cannot be kept"
        self._preset = self._before = None
        player.history.go_back_to(before.history)
        player.history.add(Change("recording", self._number, before.values, *self._chosen(before)), time.monotonic())
        self._part.preset_stands = True
        player.history_changed.emit()
        return ""

    def discard(self) -> None:
        """The sound is what it was before the trial."""
        before, player, part = self._before, self._player, self._part
        if not self.going_on or before is None or part.instrument is not before.instrument:
            return
        self._preset = self._before = None
        part.preset, part.stray = self._chosen(before)
        # In the table's order: what an insert is comes before its values, which it resets.
        for parameter_id in sorted(before.values, key=PARAMETER_INDEX.__getitem__):
            if part.values[parameter_id] != before.values[parameter_id]:
                player.put(self._number, parameter_id, before.values[parameter_id])
        part.preset_stands = before.preset_stood
        player.history.go_back_to(before.history)
        player.tell_preset(self._number)
        player.send_place(self._number)
        player.noticed.emit("the sound of before plays again")
        player.history_changed.emit()
        player.edited.emit()

    def _chosen(self, before: _Before) -> tuple[int, UserPreset | None]:
        """Where its preset is in the list, which may have changed meanwhile; or the preset itself, as it is in none."""
        number = next((i for i, each in enumerate(self._part.presets) if each is before.preset), -1)
        return number, before.preset if number < 0 and isinstance(before.preset, UserPreset) else None
