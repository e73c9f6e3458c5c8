"""Knob: name above, arc and pointer, value below. Bipolar parameters fill from their middle."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.base import ValueControl

SWEEP = 270.0
START = 225.0  # degrees, counter-clockwise from three o'clock, of position 0
MAXIMUM_DIAMETER = 12 * theme.UNIT
ROOMY_DIAMETER = 10 * theme.UNIT  # from here on the text grows too
TEXT_HEIGHT = 2 * theme.UNIT


class Knob(ValueControl):
    """`colour` tells its family: theme.ACCENT for the sound, theme.TIMBRE for latent directions."""

    def __init__(
        self,
        parameter: Parameter,
        name: str | None = None,
        colour: str = theme.ACCENT,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parameter, name, parent)
        self.colour = colour
        self._limit = MAXIMUM_DIAMETER
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(7 * theme.UNIT, 2 * TEXT_HEIGHT + 4 * theme.UNIT))

    def sizeHint(self) -> QSize:
        return QSize(9 * theme.UNIT, 2 * TEXT_HEIGHT + 7 * theme.UNIT)

    def room(self) -> int:
        """The largest diameter that fits here."""
        return min(self.width() - theme.UNIT, self.height() - 2 * TEXT_HEIGHT - theme.UNIT)

    def limit_diameter(self, diameter: int) -> None:
        """A panel gives all its knobs the same size."""
        diameter = min(diameter, MAXIMUM_DIAMETER)
        if diameter != self._limit:
            self._limit = diameter
            self.update()

    def _diameter(self) -> float:
        return max(min(self.room(), self._limit), 1)

    def _top(self) -> float:
        """Name, knob and value stay together in the middle, however tall the cell."""
        return (self.height() - self._diameter() - 2 * TEXT_HEIGHT - theme.HALF) // 2

    def dial_rect(self) -> QRectF:
        size = self._diameter()
        return QRectF((self.width() - size) / 2, self._top() + TEXT_HEIGHT + theme.HALF, size, size)

    def editor_rect(self) -> QRectF:
        # The arc is open at the bottom, so the value may sit a little higher than the circle ends.
        return QRectF(0, self.dial_rect().bottom() - theme.HALF / 2, self.width(), TEXT_HEIGHT + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_dial(painter)
        width = self.width() - 2
        larger = 1 if self._diameter() >= ROOMY_DIAMETER else 0
        painter.setFont(theme.fitting_font(self.name, width, theme.SMALL + 1 + larger, QFont.Weight.Medium))
        painter.setPen(theme.qcolor(theme.TEXT))
        name = painter.fontMetrics().elidedText(self.name, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRectF(0, self._top(), self.width(), TEXT_HEIGHT), Qt.AlignmentFlag.AlignCenter, name)
        value = self.value_text()
        painter.setFont(theme.fitting_font(value, width, theme.SMALL + larger))
        painter.setPen(theme.qcolor(theme.TEXT if self.hovered or self.held else theme.TEXT_QUIET))
        painter.drawText(self.editor_rect(), Qt.AlignmentFlag.AlignCenter, value)
        top, bottom = self._top() - theme.HALF, self.editor_rect().bottom() + theme.HALF
        self.paint_focus_ring(painter, QRectF(0, max(top, 0), self.width(), min(bottom, self.height()) - max(top, 0)))
        painter.end()

    def _paint_dial(self, painter: QPainter) -> None:
        dial = self.dial_rect()
        stroke = max(3.0, dial.width() / 14)
        arc = dial.adjusted(stroke / 2, stroke / 2, -stroke / 2, -stroke / 2)
        cap_style = Qt.PenCapStyle.RoundCap
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.qcolor(theme.LINE), stroke, Qt.PenStyle.SolidLine, cap_style))
        painter.drawArc(arc, round((START - SWEEP) * 16), round(SWEEP * 16))

        position = self.position
        origin = self._origin()
        if abs(position - origin) > 1e-4:
            painter.setPen(QPen(theme.qcolor(self.colour), stroke, Qt.PenStyle.SolidLine, cap_style))
            painter.drawArc(arc, round((START - SWEEP * position) * 16), round(SWEEP * (position - origin) * 16))
        inset = stroke * 2
        cap = dial.adjusted(inset, inset, -inset, -inset)
        painter.setPen(Qt.PenStyle.NoPen)
        lit = self.hovered or self.held
        painter.setBrush(theme.qcolor(theme.RAISED_HOVER if lit else theme.RAISED))
        painter.drawEllipse(cap)

        angle = math.radians(START - SWEEP * position)
        direction = QPointF(math.cos(angle), -math.sin(angle))
        radius = cap.width() / 2
        painter.setPen(QPen(theme.qcolor(theme.TEXT), max(2.0, stroke * 0.6), Qt.PenStyle.SolidLine, cap_style))
        painter.drawLine(cap.center() + direction * radius * 0.45, cap.center() + direction * radius * 0.85)

    def _origin(self) -> float:
        """Position that the coloured arc grows from: zero for signed values, the default for stretch factors."""
        if self.parameter.minimum < 0.0 < self.parameter.maximum and self.parameter.unit != "dB":
            return self.parameter.to_position(0.0)
        if self.parameter.unit == "x":
            return self.parameter.to_position(1.0)
        return 0.0
