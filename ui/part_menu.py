"""A menu of the parts there are, to choose the one that is edited."""

from __future__ import annotations

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from noisysynth.ui.player import Player

WITH_KEY = 9  # parts that Ctrl and a digit choose


def part_name(player: Player, number: int) -> str:
    """'Factory, Strings' in a line."""
    part = player.parts[number]
    if part.instrument is None:
        return f"{part.title} is missing"
    return f"{part.title}, {part.preset_name}" if part.preset_name else part.title


def add_parts(menu: QMenu, player: Player) -> None:
    group = QActionGroup(menu)
    for number in player.used:
        key = f"\tCtrl+{number + 1}" if number < WITH_KEY else ""
        text = f"{number + 1}   {part_name(player, number)}".replace("&", "&&")
        action = menu.addAction(text + key, lambda number=number: player.choose_part(number))  # type: ignore[misc]
        action.setCheckable(True)
        action.setChecked(number == player.chosen)
        group.addAction(action)
