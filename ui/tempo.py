"""Tempo: shown and set where one plays, tapped, and said to be ours or that of a MIDI clock."""

from __future__ import annotations

import statistics
import time

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS
from noisysynth.ui import theme
from noisysynth.ui.controls.base import ValueControl
from noisysynth.ui.controls.standard import Button
from noisysynth.ui.player import Player

TEMPO = PARAMETERS[PARAMETER_INDEX["tempo"]]
OURS, CLOCKS = "Tempo", "MIDI clock"
CLOCK_GONE_S = 1.0
LOOK_MS = 250
LONGEST_GAP_S = 60.0 / TEMPO.minimum  # a tap after so long begins anew
TAPS = 8
CAPTION_HEIGHT = 14
# A tap this far off the beat so far is no slip of the hand but another tempo.
ANOTHER = 0.25


class TapTempo:
    """Beats per minute of the last few taps."""

    def __init__(self) -> None:
        self._taps: list[float] = []

    def tap(self, now_s: float) -> float | None:
        """The tempo, once there are two taps; their times are in seconds of any steady clock."""
        gap_s = now_s - self._taps[-1] if self._taps else 0.0
        if gap_s > LONGEST_GAP_S or gap_s <= 0.0:
            self._taps = []
        elif len(self._taps) > 1 and abs(gap_s / self._beat_s() - 1.0) > ANOTHER:
            self._taps = self._taps[-1:]
        self._taps = [*self._taps, now_s][-TAPS:]
        return TEMPO.clip(60.0 / self._beat_s()) if len(self._taps) > 1 else None

    def _beat_s(self) -> float:
        return statistics.fmean(b - a for a, b in zip(self._taps, self._taps[1:], strict=False))


class TempoBox(ValueControl):
    """A caption over the number; dragged, turned and typed as every control. `caption` says whose tempo it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(TEMPO, OURS, parent)
        self.caption = OURS
        self.setFixedSize(QSize(9 * theme.UNIT, CAPTION_HEIGHT + theme.HALF + theme.BUTTON_HEIGHT))

    def set_source(self, caption: str) -> None:
        """OURS or CLOCKS."""
        if caption != self.caption:
            self.caption = caption
            self.set_name(OURS, f"{TEMPO.help} Now: {'MIDI clock' if caption == CLOCKS else 'set here'}.")

    def number(self) -> str:
        return f"{self.value:.1f}"

    def editor_rect(self) -> QRectF:
        return QRectF(0, CAPTION_HEIGHT + theme.HALF, self.width(), theme.BUTTON_HEIGHT)

    def mouseDoubleClickEvent(self, event: object) -> None:
        """Nobody wants 120 back by accident in the middle of a song: a double click anywhere types."""
        self._drag = None
        self.begin_edit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.qcolor(theme.TIMBRE if self.caption == CLOCKS else theme.TEXT_QUIET))
        painter.drawText(QRectF(0, 0, self.width(), CAPTION_HEIGHT), Qt.AlignmentFlag.AlignCenter, self.caption)
        box = self.editor_rect().adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.RAISED_HOVER if self.hovered or self.held else theme.WELL))
        painter.drawRoundedRect(box, theme.RADIUS, theme.RADIUS)
        painter.setFont(theme.font(theme.BODY, QFont.Weight.DemiBold))
        painter.setPen(theme.qcolor(theme.TEXT))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.number())
        self.paint_marks(painter, QRectF(self.rect()), QPointF(self.width() - 5.0, 5.0), theme.HALF)
        painter.end()


class TempoPanel(QWidget):
    """The box over a button to tap."""

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._taps = TapTempo()
        self._ticks = -1
        self._ticked_s = -CLOCK_GONE_S
        self.box = TempoBox()
        self.box.set_value(player.values["tempo"])
        self.box.value_changed.connect(lambda value: player.set_parameter("tempo", value))
        self.tap = Button("Tap")
        self.tap.setToolTip("Tap the beat here, or with Ctrl+T")
        self.tap.setAccessibleName("Tap tempo")
        self.tap.pressed.connect(self.tapped)  # not when it is let go: the hand means the moment it comes down
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.UNIT)
        column.addStretch()
        column.addWidget(self.box)
        column.addSpacing(CAPTION_HEIGHT + theme.HALF)  # level with the buttons beside it
        column.addWidget(self.tap)
        column.addStretch()
        player.parameter_changed.connect(self._show)
        self._clock = QTimer(self, interval=LOOK_MS)
        self._clock.timeout.connect(self._look)
        self._clock.start()

    def tapped(self) -> None:
        """A beat is now."""
        tempo = self._taps.tap(time.perf_counter())
        if tempo is not None:
            self._player.set_parameter("tempo", tempo)

    def _show(self, parameter_id: str, value: float) -> None:
        if parameter_id == "tempo":
            self.box.set_value(value)

    def _look(self) -> None:
        """Whether a MIDI clock ticks; reads what the window has polled already."""
        status, now_s = self._player.last_status, time.monotonic()
        ticks = status.clock_ticks if status is not None else 0
        if self._ticks >= 0 and ticks > self._ticks:
            self._ticked_s = now_s
        self._ticks = ticks
        self.box.set_source(CLOCKS if now_s - self._ticked_s < CLOCK_GONE_S else OURS)
