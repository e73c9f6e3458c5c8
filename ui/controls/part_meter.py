"""Part meter: how loud one part is, and how many voices it has."""

from __future__ import annotations

import time

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.meter import FALL_DB_PER_S, LOWEST_DB, level_db, paint_level

NUMBER_WIDTH = 3 * theme.UNIT
BAR_HEIGHT = 7.0


class PartMeter(QWidget):
    """Fed once per screen frame; repaints only when a pixel would change."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.voices = 0
        self._level = LOWEST_DB
        self._fed = time.monotonic()
        self._drawn: tuple[int, int] = (-1, -1)
        self.setAccessibleName(name)
        self.setToolTip(f"{name}: its loudness, -60 to 0 dB, and how many voices it has.")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(8 * theme.UNIT, 4 * theme.UNIT)

    def feed(self, peak: float, voices: int) -> None:
        """peak: linear, since the last call."""
        now = time.monotonic()
        self._level = max(level_db(peak), self._level - FALL_DB_PER_S * (now - self._fed), LOWEST_DB)
        self._fed = now
        if voices != self.voices:
            self.voices = voices
            self.setAccessibleDescription(f"{voices} voices")
        if self._appearance() != self._drawn:
            self.update()

    def _bar(self) -> QRectF:
        return QRectF(0.0, (self.height() - BAR_HEIGHT) // 2, self.width() - NUMBER_WIDTH, BAR_HEIGHT)

    def _appearance(self) -> tuple[int, int]:
        return self.voices, round((1.0 - self._level / LOWEST_DB) * self._bar().width())

    def paintEvent(self, event: QPaintEvent) -> None:
        self._drawn = self._appearance()
        painter = QPainter(self)
        painter.fillRect(self._bar(), theme.qcolor(theme.WELL))
        paint_level(painter, self._bar(), self._level)
        painter.setFont(theme.font(theme.SMALL + 1))
        painter.setPen(theme.qcolor(theme.TEXT if self.voices else theme.TEXT_QUIET))
        number = QRectF(self.width() - NUMBER_WIDTH, 0, NUMBER_WIDTH, self.height())
        painter.drawText(number, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(self.voices))
        painter.end()
