"""A button in each corner of the pad, with a menu: pin a sound there, or free the corner."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QMenu, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.standard import Button
from noisysynth.ui.corners import LETTERS
from noisysynth.ui.player import Player

SIZE = 3 * theme.UNIT  # as wide as the pad's margin, so that no place is covered


class CornerButtons:
    """`buttons` in the order of LETTERS, laid over `pad`."""

    def __init__(self, pad: QWidget, player: Player) -> None:
        self._pad = pad
        self._player = player
        self.buttons = tuple(self._button(corner) for corner in range(len(LETTERS)))
        grid = QGridLayout(pad)
        grid.setContentsMargins(0, 0, 0, 0)
        for row, column, button in zip((0, 0, 2, 2), (0, 2, 0, 2), self.buttons, strict=True):
            grid.addWidget(button, row, column)
        grid.setRowStretch(1, 1)
        grid.setColumnStretch(1, 1)
        player.pins_changed.connect(self._show)
        player.instrument_changed.connect(self._show)
        self._show()

    def _button(self, corner: int) -> Button:
        button = Button(LETTERS[corner])
        button.setProperty("chip", True)
        button.setProperty("corner", True)
        button.setCheckable(True)
        button.setFixedSize(SIZE, SIZE)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(lambda: self._open(corner))
        return button

    def _open(self, corner: int) -> None:
        self._show()  # the click has turned the button over
        self.menu(corner).popup(self.buttons[corner].mapToGlobal(self.buttons[corner].rect().bottomLeft()))

    def menu(self, corner: int) -> QMenu:
        """What can be done with a corner."""
        player, letter = self._player, LETTERS[corner]
        menu = QMenu(self._pad)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(f"Corner {letter}")
        menu.addAction("Pin what sounds now", lambda: player.pin(corner)).setEnabled(player.instrument is not None)
        presets = menu.addMenu("Pin a preset")
        for index, (name, _, _) in enumerate(player.places):
            presets.addAction(name.replace("&", "&&"), lambda *_, index=index: player.pin(corner, index))
        presets.setEnabled(bool(player.places))
        if player.corners.pins:
            menu.addSeparator()
        if corner in player.corners.pins:
            menu.addAction("Unpin", lambda: player.unpin(corner))
        if player.corners.pins:
            menu.addAction("Unpin all: back to the map", lambda: player.unpin(*player.corners.order))
        return menu

    def _show(self) -> None:
        for corner, (letter, button) in enumerate(zip(LETTERS, self.buttons, strict=True)):
            pin = self._player.corners.pins.get(corner)
            holds = f"holds {pin.name}" if pin is not None else "is free"
            button.setChecked(pin is not None)
            button.setAccessibleName(f"Corner {letter} {holds}")
            button.setToolTip(f"Corner {letter} {holds}.\nPin two sounds or more, and the pad blends between them.")
