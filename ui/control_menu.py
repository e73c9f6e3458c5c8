"""The context menu of a control of a parameter: MIDI learn, typing, default."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from noisysynth.ui.controls.base import ValueControl
from noisysynth.ui.controls.choice import Choice
from noisysynth.ui.player import Player


def control_menu(control: ValueControl, parameter_id: str, player: Player, part: int) -> QMenu:
    """part: whose parameter it is."""
    teaching = player.teaching
    menu = QMenu(control)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setAccessibleName(control.accessibleName())
    if teaching.waits(parameter_id, part):
        menu.addAction("Stop waiting for a controller", teaching.stop)
    else:
        menu.addAction("Learn MIDI controller", lambda: teaching.learn(parameter_id, part))
    moved_by = teaching.moved_by(parameter_id, part)
    if moved_by:
        menu.addAction(f"Forget {moved_by}", lambda: teaching.forget(parameter_id, part))
    menu.addSeparator()
    menu.addAction("Choose\u2026" if isinstance(control, Choice) else "Type a value\u2026", control.begin_edit)
    menu.addAction("Back to the default", control.reset)
    return menu
