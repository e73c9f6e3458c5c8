"""Oscilloscope strip: the newest output, standing still on its rising zero crossing."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.ui import theme

WINDOW = 1024  # samples drawn: 21 ms at 48 kHz, two periods of the lowest bass string's octave
SILENCE = 1e-4
SMALLEST_SCALE = 0.1  # quiet sounds are enlarged up to here, so that noise does not fill the strip
SCALE_RELEASE = 0.04  # per frame


def mix_down(stereo: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of both channels, [n, 2] -> [n]; always finite."""
    mono = (stereo[:, 0] + stereo[:, 1]) * np.float32(0.5)
    return mono if np.isfinite(mono.sum()) else np.nan_to_num(mono, nan=0.0, posinf=1.0, neginf=-1.0)


def paint_well(painter: QPainter, widget: QWidget) -> None:
    """The sunk ground of a view."""
    painter.fillRect(widget.rect(), theme.qcolor(theme.PANEL))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.qcolor(theme.WELL))
    painter.drawRoundedRect(QRectF(widget.rect()), theme.RADIUS, theme.RADIUS)
    painter.setBrush(Qt.BrushStyle.NoBrush)  # paths drawn over it would be filled, which is slow


def trigger_start(mono: NDArray[np.float32], window: int) -> int:
    """Index of the latest rising zero crossing that leaves `window` samples after it.

    Of all crossings the one before the highest peak wins, so a tone with strong partials does not hop between
    several crossings of one period. Without any crossing: the newest window.
    """
    last = len(mono) - window
    if last <= 0:
        return 0
    crossings = np.flatnonzero((mono[:last] < 0.0) & (mono[1 : last + 1] >= 0.0)) + 1
    if not len(crossings):
        return last
    peaks = np.maximum.reduceat(mono[: last + 1], crossings)
    best = float(peaks.max())
    return int(crossings[np.flatnonzero(peaks >= 0.98 * best)[-1]])


class Scope(QWidget):
    """pyqtgraph turns the samples into one path; drawing it here costs a third of a PlotWidget."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._samples = np.zeros(0, np.float32)
        self._scale = 1.0
        self._silent = True
        self.frames_drawn = 0
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Oscilloscope")
        self.setToolTip("The sound that leaves the synthesizer, enlarged when it is quiet.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(40 * theme.UNIT, 9 * theme.UNIT)

    def feed(self, stereo: NDArray[np.float32]) -> None:
        """The newest output samples, [n, 2]."""
        mono = mix_down(stereo)
        start = trigger_start(mono, WINDOW)
        samples = mono[start : start + WINDOW]
        peak = float(np.abs(samples).max(initial=0.0))
        silent = peak < SILENCE
        if silent and self._silent:
            return
        self._silent = silent
        wanted = max(peak, SMALLEST_SCALE)
        self._scale = max(wanted, self._scale + (wanted - self._scale) * SCALE_RELEASE)
        self._samples = samples
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        self.frames_drawn += 1
        painter = QPainter(self)
        paint_well(painter, self)
        middle = self.height() / 2
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(theme.qcolor(theme.LINE))
        painter.drawLine(theme.UNIT, int(middle), self.width() - theme.UNIT, int(middle))
        if len(self._samples) > 1 and not self._silent:
            self._paint_wave(painter, middle)
        painter.end()

    def _paint_wave(self, painter: QPainter, middle: float) -> None:
        # Wide antialiased lines cost ten times a cosmetic one in the raster engine.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.qcolor(theme.METER), 1.0))
        x = np.linspace(theme.UNIT, self.width() - theme.UNIT, len(self._samples))
        y = middle - self._samples * ((middle - theme.UNIT) / self._scale)
        painter.drawPath(pg.functions.arrayToQPath(x, y, finiteCheck=False))
