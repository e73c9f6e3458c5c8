"""Under the pad: record a loop, play it, or let the pad walk; the clock of what moves the pad by itself."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics, QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.bar import Bar
from noisysynth.ui.controls.pad import Pad
from noisysynth.ui.controls.standard import Button
from noisysynth.ui.motion import FASTEST_HZ, LONGEST_S, SLOWEST_HZ, USUAL_HZ, Doing, Loop, Transport
from noisysynth.ui.player import Player

MOVE_MS = 17  # no more than 60 moves a second

# Not a row of the table: the engine knows no walk, it only hears of places.
SPEED = Parameter(
    "walk_speed", "Random walk speed", "Hz", SLOWEST_HZ, FASTEST_HZ, USUAL_HZ, "log",
    help="How many new places a second the random walk heads for.",
)  # fmt: skip


class MotionBar(QWidget):
    """A transport for the pad. It moves the pad by `Player.move_pad`, as a hand does.

    It rests once the window is hidden or minimized: nobody could see what moves the sound, and systems slow the timers
    of hidden windows down, so a loop would stumble. A pad that rests is a sound that stays.
    """

    edited = Signal()  # something that the session keeps

    def __init__(self, pad: Pad, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pad = pad
        self._player = player
        self._told: Loop | None = None  # the loop that the session knows
        self.transport = Transport()
        self.record = _chip("Record loop", ("Record", "Armed", "Finish"))
        self.record.setToolTip(
            "Record a loop: drag in the pad, and let go to hear it again and again.\n"
            f"With the keys: arm, steer the pad, and press once more. Up to {LONGEST_S:g} s."
        )
        self.play = _chip("Play loop", ("Play", "Stop"))
        self.play.setToolTip("Play the recorded loop, or stop what moves the pad.\nTouch the pad to take over.")
        self.walk = _chip("Random walk", ("Random walk",))
        self.walk.setToolTip("Let the pad wander by itself, from where it is.\nTouch the pad to take over.")
        self.speed = Bar(SPEED)
        self.speed.setMaximumWidth(24 * theme.UNIT)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.HALF)
        for widget in (self.record, self.play, self.walk):
            row.addWidget(widget)
        row.addWidget(self.speed, 1)
        row.addStretch()

        self._clock = QTimer(self, interval=MOVE_MS)
        self._clock.setTimerType(Qt.TimerType.PreciseTimer)
        self._clock.timeout.connect(self._tick)
        self.record.clicked.connect(self._record)
        self.play.clicked.connect(self._play)
        self.walk.clicked.connect(self._walk)
        self.speed.value_changed.connect(self._set_speed)
        pad.moved.connect(self._touch)
        pad.released.connect(self._let_go)
        self._show()

    def restore(self, loop: str, speed_hz: float) -> None:
        """What a session kept; it may be anything."""
        self.transport.loop = self._told = Loop.from_text(loop)
        self.speed.set_value(speed_hz)
        self.transport.set_speed(self.speed.value, time.perf_counter())
        self._show()

    def loop_text(self) -> str:
        """For the session; "" when there is no loop."""
        return self.transport.loop.to_text() if self.transport.loop is not None else ""

    # what was pressed

    def _record(self) -> None:
        self.transport.record(time.perf_counter())
        if self.transport.doing == Doing.ARMED:
            self._player.noticed.emit("drag in the pad: it is recorded until you let go, and then plays")
        self._show()

    def _play(self) -> None:
        if self.transport.doing == Doing.RESTING:
            self.transport.play(time.perf_counter())
        else:
            self.transport.stop()
        self._show()

    def _walk(self) -> None:
        if self.transport.doing == Doing.WALKING:
            self.transport.stop()
        else:
            self.transport.walk(time.perf_counter(), self._here())
        self._show()

    def _set_speed(self, speed_hz: float) -> None:
        self.transport.set_speed(speed_hz, time.perf_counter())
        self.edited.emit()

    # the hand on the pad

    def _here(self) -> tuple[float, float]:
        return self._pad.x_value, self._pad.y_value

    def _touch(self, x: float, y: float) -> None:
        self.transport.touch(time.perf_counter(), (x, y))
        self._show()

    def _let_go(self) -> None:
        self.transport.let_go(time.perf_counter(), self._here())
        self._show()

    # time

    def _tick(self) -> None:
        if self.window().isMinimized():  # which not every system calls hidden
            self.rest()
            return
        doing = self.transport.doing
        place = self.transport.place(time.perf_counter())
        if self.transport.doing != doing:  # a recording became as long as it may be
            self._show()
        if place is not None and not self._pad.held:
            self._player.move_pad(*place, edited=False)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not self.window().isVisible():  # and not only behind another page
            self.rest()

    def rest(self) -> None:
        """Leave the pad where it is."""
        self.transport.stop()
        self._show()

    def _show(self) -> None:
        """Bring buttons and clock in line with the transport."""
        doing, loop = self.transport.doing, self.transport.loop
        self.record.setText({Doing.ARMED: "Armed", Doing.RECORDING: "Finish"}.get(doing, "Record"))
        self.record.setChecked(doing in (Doing.ARMED, Doing.RECORDING))
        self.play.setText("Play" if doing == Doing.RESTING else "Stop")
        self.play.setChecked(doing == Doing.LOOPING)
        self.play.setEnabled(loop is not None or doing != Doing.RESTING)
        self.walk.setChecked(doing == Doing.WALKING)
        if not self.transport.moving:
            self._clock.stop()
        elif not self._clock.isActive():
            self._clock.start()
        if loop is not self._told:
            self._told = loop
            self.edited.emit()


def _chip(name: str, texts: tuple[str, ...]) -> Button:
    """A small button as wide as the widest of the texts it will show."""
    chip = Button(texts[0])
    chip.setProperty("chip", True)
    chip.setCheckable(True)
    chip.setAccessibleName(name)
    metrics = QFontMetrics(theme.font(theme.SMALL))
    chip.setFixedWidth(max(metrics.horizontalAdvance(text) for text in texts) + 2 * theme.UNIT + theme.HALF)
    return chip
