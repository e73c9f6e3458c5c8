"""Level meter: two bars with peak hold, a lamp that says CLIP or LIMIT in words."""

from __future__ import annotations

import math
import time

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.ui import theme

LOWEST_DB = -60.0
FALL_DB_PER_S = 30.0
HOLD_S = 1.2
CLIP_HOLD_S = 2.0
LAMP_WIDTH = 5 * theme.UNIT
LIMITING_DB = -0.1


def level_db(peak: float) -> float:
    """Peak in dBFS, LOWEST_DB for silence and for anything that is no number."""
    return max(20.0 * math.log10(peak), LOWEST_DB) if peak > 0.0 and math.isfinite(peak) else LOWEST_DB


def paint_level(painter: QPainter, bar: QRectF, level: float) -> None:
    """Fill a bar up to a level in dBFS, in the colours of what is safe, loud and too loud."""
    for start, end, name in ((LOWEST_DB, -12.0, theme.METER), (-12.0, -3.0, theme.ACCENT), (-3.0, 0.0, theme.DANGER)):
        if level > start:
            left, right = (bar.width() * (each / -LOWEST_DB + 1.0) for each in (start, min(level, end)))
            painter.fillRect(QRectF(bar.left() + left, bar.top(), right - left, bar.height()), theme.qcolor(name))


class Meter(QWidget):
    """Fed once per screen frame; repaints only when a pixel would change."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level = [LOWEST_DB, LOWEST_DB]
        self._hold = [LOWEST_DB, LOWEST_DB]
        self._hold_until = [0.0, 0.0]
        self._clip_until = 0.0
        self._limit_until = 0.0
        self._fed = time.monotonic()
        self._drawn: tuple[object, ...] = ()
        self.setAccessibleName("Level meter")
        self.setToolTip("Output level, left and right, -60 to 0 dB.\nClick to clear the hold.")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(22 * theme.UNIT, 4 * theme.UNIT)

    @property
    def clipping(self) -> bool:
        return time.monotonic() < self._clip_until

    @property
    def limiting(self) -> bool:
        return time.monotonic() < self._limit_until

    def feed(self, peak: tuple[float, float], limiter_gain_db: float) -> None:
        """Peaks (linear) since the last call."""
        now = time.monotonic()
        fallen = FALL_DB_PER_S * (now - self._fed)
        self._fed = now
        for side, value in enumerate(peak):
            level = level_db(value)
            self._level[side] = max(level, self._level[side] - fallen, LOWEST_DB)
            if level >= self._hold[side]:
                self._hold[side], self._hold_until[side] = level, now + HOLD_S
            elif now > self._hold_until[side]:
                self._hold[side] = max(self._hold[side] - fallen, self._level[side])
        if max(peak) >= 1.0:
            self._clip_until = now + CLIP_HOLD_S
        if limiter_gain_db < LIMITING_DB:
            self._limit_until = now + HOLD_S / 2
        if self._appearance() != self._drawn:
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._hold = list(self._level)
        self._clip_until = 0.0
        self.update()

    def _bar_width(self) -> float:
        return self.width() - LAMP_WIDTH - theme.HALF

    def _appearance(self) -> tuple[object, ...]:
        """What is on the screen, in whole pixels."""
        return (
            *(round(self._x(level)) for level in self._level + self._hold),
            self.clipping,
            self.limiting,
        )

    def _x(self, level: float) -> float:
        return (level - LOWEST_DB) / -LOWEST_DB * self._bar_width()

    def paintEvent(self, event: QPaintEvent) -> None:
        self._drawn = self._appearance()
        painter = QPainter(self)
        bar_height, gap = 7.0, 3.0
        top = 3.0
        for side in range(2):
            y = top + side * (bar_height + gap)
            painter.fillRect(QRectF(0, y, self._bar_width(), bar_height), theme.qcolor(theme.PANEL))
            paint_level(painter, QRectF(0, y, self._bar_width(), bar_height), self._level[side])
            hold = self._x(self._hold[side])
            if hold > 1.0:
                colour = theme.DANGER if self._hold[side] >= -0.1 else theme.TEXT
                painter.fillRect(QRectF(min(hold, self._bar_width()) - 2, y, 2, bar_height), theme.qcolor(colour))
        self._paint_scale(painter, top + 2 * bar_height + gap)
        self._paint_lamp(painter, QRectF(self.width() - LAMP_WIDTH, top, LAMP_WIDTH, 2 * bar_height + gap))
        painter.end()

    def _paint_scale(self, painter: QPainter, top: float) -> None:
        painter.setPen(theme.qcolor(theme.TEXT_QUIET))
        for level in (-48, -36, -24, -12, 0):
            x = min(int(self._x(float(level))), int(self._bar_width()) - 1)
            painter.drawLine(x, int(top) + 2, x, int(top) + 4)

    def _paint_lamp(self, painter: QPainter, rect: QRectF) -> None:
        if self.clipping:
            text, colour = "CLIP", theme.DANGER
        elif self.limiting:
            text, colour = "LIMIT", theme.ACCENT
        else:
            text, colour = "CLIP", theme.PANEL
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(colour))
        painter.drawRoundedRect(rect, 3, 3)
        lit = colour != theme.PANEL
        painter.setFont(theme.font(theme.SMALL, QFont.Weight.Bold if lit else QFont.Weight.Normal))
        painter.setPen(theme.qcolor(theme.TEXT_ON_ACCENT if lit else theme.TEXT_QUIET))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
