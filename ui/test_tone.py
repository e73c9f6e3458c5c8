"""The button that plays the engine's test tone: left, right, both."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QWidget

from noisysynth.ui.controls.standard import Button
from noisysynth.ui.player import Player

PLACES = ("left", "right", "both sides")
PLACE_S = 1.0


class TestToneButton(Button):
    """The engine plays it, at a safe level and through the same output, and ends it by itself."""

    __test__ = False  # no test, whatever its name

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__("Test tone", parent)
        self._player = player
        self._place = -1
        self.setAutoDefault(False)
        self.setToolTip("Play a quiet tone on the left, on the right, and on both sides")
        self._timer = QTimer(self, interval=round(1000 * PLACE_S))
        self._timer.timeout.connect(self._next)
        self.clicked.connect(self._pressed)
        player.engine_changed.connect(self.rest)

    @property
    def playing(self) -> bool:
        return self._place >= 0

    def _pressed(self) -> None:
        if self.playing:
            self._player.ask(lambda client: client.test_tone(0.0))
            self.rest()
        else:
            self._player.ask(
                lambda client: client.test_tone(PLACE_S * len(PLACES)), lambda _: self._begin(), self._fail
            )

    def _begin(self) -> None:
        self._place = -1
        self._timer.start()
        self._next()

    def _next(self) -> None:
        self._place += 1
        if self._place < len(PLACES):
            self.setText(f"Stop ({PLACES[self._place]})")
        else:
            self.rest()

    def rest(self) -> None:
        self._place = -1
        self._timer.stop()
        self.setText("Test tone")

    def _fail(self, line: str) -> None:
        self.rest()
        self._player.noticed.emit(line)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self.playing:
            self._pressed()
