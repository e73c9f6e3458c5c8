"""Spectrogram: the spectrum as it went by, low at the bottom, newest at the right."""

from __future__ import annotations

import functools

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.listening.log_spectrum import FLOOR_DB, LABELS, TOP_DB, log_spectrum, place
from noisysynth.ui import theme
from noisysynth.ui.controls.scope import mix_down, paint_well

COLOURS = "inferno"  # black is silence; evenly lighter from there, whatever colours one can tell apart
GUTTER = 4 * theme.UNIT


@functools.cache
def colours() -> NDArray[np.uint32]:
    """0xFFRRGGBB from FLOOR_DB to TOP_DB, [256]."""
    red, green, blue = pg.colormap.get(COLOURS).getLookupTable(nPts=256)[:, :3].astype(np.uint32).T
    return np.uint32(0xFF000000) | red << np.uint32(16) | green << np.uint32(8) | blue


class Spectrogram(QWidget):
    """A column of pixels each time it is fed, in a ring that is drawn in two pieces."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._begin_anew()
        self.frames_drawn = 0
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Spectrogram")
        self.setToolTip("The last seconds: frequency in Hz from bottom to top, louder is lighter, newest at the right.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(40 * theme.UNIT, 9 * theme.UNIT)

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(GUTTER, theme.HALF, -theme.HALF, -theme.HALF)

    def _begin_anew(self) -> None:
        area = self._area()
        rows, columns = max(int(area.height()), 1), max(int(area.width()), 1)
        self._pixels = np.full((rows, columns), colours()[0], np.uint32)
        self._image = QImage(self._pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
        self._next = 0  # column that is written next: the oldest
        self._quiet = columns  # columns of silence since the last sound

    @property
    def pixels(self) -> NDArray[np.uint32]:
        """0xFFRRGGBB as shown, highest and oldest first, [rows, columns]."""
        return np.roll(self._pixels, -self._next, axis=1)

    def feed(self, stereo: NDArray[np.float32], rate_hz: float, ticks: int = 1) -> None:
        """The newest output samples, [n, 2], and how many ticks of the clock they stand for: a column each."""
        rows, columns = self._pixels.shape
        levels = log_spectrum(len(stereo), rate_hz, rows).levels_db(mix_down(stereo))
        self._quiet = 0 if levels.max() > FLOOR_DB else self._quiet + 1
        if self._quiet > columns:  # nothing but silence is left
            return
        shades = np.clip((levels - FLOOR_DB) * (255.0 / (TOP_DB - FLOOR_DB)), 0.0, 255.0).astype(np.uint8)
        ticks = min(ticks, columns)
        self._pixels[:, (self._next + np.arange(ticks)) % columns] = colours()[shades[::-1]][:, None]
        self._next = (self._next + ticks) % columns
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._begin_anew()

    def showEvent(self, event: QShowEvent) -> None:
        """What went by meanwhile is not known."""
        super().showEvent(event)
        self._begin_anew()

    def paintEvent(self, event: QPaintEvent) -> None:
        self.frames_drawn += 1
        painter = QPainter(self)
        paint_well(painter, self)
        area = self._area()
        rows, columns = self._pixels.shape
        older = columns - self._next
        painter.drawImage(area.topLeft(), self._image, QRectF(self._next, 0, older, rows))
        if self._next:
            painter.drawImage(area.topLeft() + QPointF(older, 0), self._image, QRectF(0, 0, self._next, rows))
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.qcolor(theme.TEXT_QUIET))
        for hz, text in LABELS.items():
            y = area.bottom() - place(hz) * area.height()
            line = QRectF(0, y - theme.UNIT, GUTTER - theme.HALF, 2 * theme.UNIT)
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
            painter.drawLine(QPointF(GUTTER - 3, y), QPointF(GUTTER - 1, y))
        painter.end()
