"""Spectrum: what the output is made of now, its peaks of late, and where the harmonics of the last note belong."""

from __future__ import annotations

import math
import time

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.listening.log_spectrum import (
    FLOOR_DB,
    GRID_HZ,
    LABELS,
    LOWEST_HZ,
    TOP_DB,
    harmonics_hz,
    log_spectrum,
    place,
)
from noisysynth.ui import theme
from noisysynth.ui.controls.scope import mix_down, paint_well
from noisysynth.ui.controls.values import note_name

FALL_DB_PER_S = 20.0
MARK_GAP_PX = 4.0
GRID_DB = (-20, -40, -60, -80)
LABELLED_DB = (-40, -80)
# Opaque: these lines are many, and Qt takes long to blend them.
GRID = theme.qcolor(theme.RAISED)
FUNDAMENTAL, HARMONIC = theme.qcolor(theme.TIMBRE), theme.qcolor(theme.TIMBRE_DEEP)
GROUND_ALPHA = 0.2


class Spectrum(QWidget):
    """Computes only when fed; one value for each pixel of its width."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._levels = np.zeros(0, np.float32)
        self._hold = np.zeros(0, np.float32)
        self._fed = 0.0
        self._note_hz = 0.0
        self.frames_drawn = 0
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Spectrum")
        self.setToolTip(
            "Level in dB over frequency in Hz; the thin line holds the peaks for a while.\n"
            "Upright lines: the harmonics of the note played last."
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(40 * theme.UNIT, 9 * theme.UNIT)

    @property
    def levels(self) -> NDArray[np.float32]:
        """dB, from 20 Hz to 20 kHz."""
        return self._levels

    @property
    def hold(self) -> NDArray[np.float32]:
        return self._hold

    @property
    def note_hz(self) -> float:
        """Fundamental of the note that the marks belong to; 0 before the first."""
        return self._note_hz

    def feed(self, stereo: NDArray[np.float32], rate_hz: float, note_hz: float) -> None:
        """The newest output samples, [n, 2], and the fundamental of the newest note that sounds (0 in silence)."""
        columns = max(self.width() - 2 * theme.UNIT, 2)
        levels = log_spectrum(len(stereo), rate_hz, columns).levels_db(mix_down(stereo))
        now = time.monotonic()
        fallen = np.float32(FALL_DB_PER_S * (now - self._fed))
        self._fed = now
        hold = np.maximum(levels, self._hold - fallen) if len(self._hold) == columns else levels
        another = note_hz > 0.0 and math.isfinite(note_hz) and note_hz != self._note_hz
        if another:
            self._note_hz = note_hz
        still = len(self._hold) == columns and self._hold.max() <= FLOOR_DB and hold.max() <= FLOOR_DB
        self._levels, self._hold = levels, hold
        if another or not still:
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        self.frames_drawn += 1
        painter = QPainter(self)
        paint_well(painter, self)
        area = QRectF(self.rect()).adjusted(theme.UNIT, theme.HALF, -theme.UNIT, -theme.HALF)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._paint_grid(painter, area)
        self._paint_marks(painter, area)
        if len(self._hold) > 1 and self._hold.max() > FLOOR_DB:
            self._paint_levels(painter, area)
        self._paint_note(painter, area)
        painter.end()

    def _paint_grid(self, painter: QPainter, area: QRectF) -> None:
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.qcolor(theme.TEXT_QUIET))
        for hz in GRID_HZ:
            x = _upright(painter, area, hz, GRID)
            if hz in LABELS:
                painter.drawText(x + 3, int(area.bottom()) - 1, LABELS[hz])
        for level in GRID_DB:
            y = int(_height(float(level), area))
            painter.fillRect(int(area.left()), y, int(area.width()), 1, GRID)
            if level in LABELLED_DB:
                painter.drawText(int(area.left()), y - 2, f"\u2212{-level} dB")

    def _paint_marks(self, painter: QPainter, area: QRectF) -> None:
        for number, hz in enumerate(harmonics_hz(self._note_hz, area.width(), MARK_GAP_PX)):
            if hz >= LOWEST_HZ:
                _upright(painter, area, float(hz), HARMONIC if number else FUNDAMENTAL)

    def _paint_levels(self, painter: QPainter, area: QRectF) -> None:
        x = area.left() + (np.arange(len(self._levels)) + 0.5) * (area.width() / len(self._levels))
        levels = _heights(self._levels, area)
        self._paint_ground(painter, area, levels)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.qcolor(theme.TEXT_QUIET), 1.0))
        painter.drawPath(pg.functions.arrayToQPath(x, _heights(self._hold, area), finiteCheck=False))
        painter.setPen(QPen(theme.qcolor(theme.METER), 1.0))
        painter.drawPath(pg.functions.arrayToQPath(x, levels, finiteCheck=False))

    @staticmethod
    def _paint_ground(painter: QPainter, area: QRectF, heights: NDArray[np.float64]) -> None:
        """What is under the levels, as an image: filling a path of noise takes Qt twenty times as long."""
        rows, columns = int(area.height()), len(heights)
        under = area.top() + np.arange(rows, dtype=np.float32)[:, None] >= heights.astype(np.float32)
        pixels = np.where(under, np.uint32(_premultiplied(theme.METER, GROUND_ALPHA)), np.uint32(0))
        kind = QImage.Format.Format_ARGB32_Premultiplied
        image = QImage(pixels.data, columns, rows, 4 * columns, kind)
        painter.drawImage(area.topLeft(), image)

    def _paint_note(self, painter: QPainter, area: QRectF) -> None:
        if self._note_hz <= 0.0:
            return
        pitch = round(69.0 + 12.0 * math.log2(self._note_hz / 440.0))
        text = f"{note_name(pitch)}  {self._note_hz:.1f} Hz"
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.qcolor(theme.TEXT))
        painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, text)


def _height(level_db: float, area: QRectF) -> float:
    return area.bottom() - (level_db - FLOOR_DB) / (TOP_DB - FLOOR_DB) * area.height()


def _heights(levels_db: NDArray[np.float32], area: QRectF) -> NDArray[np.float64]:
    shown = np.minimum(levels_db, TOP_DB).astype(np.float64)
    return area.bottom() - (shown - FLOOR_DB) * (area.height() / (TOP_DB - FLOOR_DB))


def _upright(painter: QPainter, area: QRectF, hz: float, colour: QColor) -> int:
    """Draw a line at a frequency; returns its x."""
    x = int(area.left() + place(hz) * area.width())
    painter.fillRect(x, int(area.top()), 1, int(area.height()), colour)
    return x


def _premultiplied(name: str, alpha: float) -> int:
    """0xAARRGGBB."""
    colour = theme.qcolor(name)
    return QColor.fromRgbF(colour.redF() * alpha, colour.greenF() * alpha, colour.blueF() * alpha, alpha).rgba()
