"""Picture: the spectrogram of a short sound, whole, with the axis and the colours of the live view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.listening.log_spectrum import LABELS, place
from noisysynth.ui import theme
from noisysynth.ui.controls.scope import paint_well
from noisysynth.ui.controls.spectrogram import GUTTER, colours


class Picture(QWidget):
    """Empty until `show_shades`."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """name: what it shows, for a screen reader."""
        super().__init__(parent)
        self._image: QImage | None = None
        self._pixels = np.zeros((0, 0), np.uint32)
        self.setAccessibleName(name)
        self.setToolTip(f"{name}: frequency in Hz from bottom to top, time to the right, louder is lighter.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(24 * theme.UNIT, 16 * theme.UNIT))

    def sizeHint(self) -> QSize:
        return QSize(40 * theme.UNIT, 24 * theme.UNIT)

    @property
    def empty(self) -> bool:
        return self._image is None

    def show_shades(self, shades: NDArray[np.uint8] | None) -> None:
        """Shades [rows, columns], highest frequency and first moment first; None for nothing."""
        if shades is None:
            self._image = None
        else:
            self._pixels = np.ascontiguousarray(colours()[shades])
            rows, columns = self._pixels.shape
            self._image = QImage(self._pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_well(painter, self)
        area = QRectF(self.rect()).adjusted(GUTTER, theme.HALF, -theme.HALF, -theme.HALF)
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(area, self._image)
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.qcolor(theme.TEXT_QUIET))
        for hz, text in LABELS.items():
            y = area.bottom() - place(hz) * area.height()
            line = QRectF(0, y - theme.UNIT, GUTTER - theme.HALF, 2 * theme.UNIT)
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
            painter.drawLine(QPointF(GUTTER - 3, y), QPointF(GUTTER - 1, y))
        painter.end()
