"""Knob: name above, arc and pointer, value below. Bipolar parameters fill from their middle."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.cell import Cell
from noisysynth.ui.controls.values import is_silent

SWEEP = 270.0
START = 225.0  # degrees, counter-clockwise from three o'clock, of position 0


class Knob(Cell):
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

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_dial(painter)
        self.paint_name(painter)
        value = self.value_text()
        painter.setFont(theme.fitting_font(value, self.width() - 2, self.text_size()))
        painter.setPen(theme.qcolor(theme.TEXT if self.hovered or self.held else theme.TEXT_QUIET))
        painter.drawText(self.editor_rect(), Qt.AlignmentFlag.AlignCenter, value)
        self.paint_frame(painter, self.dial_rect().topRight() + QPointF(-4.0, 4.0))
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
        level = is_silent(self.parameter, self.parameter.minimum)
        if self.parameter.minimum < 0.0 < self.parameter.maximum and not level:
            return self.parameter.to_position(0.0)
        if self.parameter.unit == "x":
            return self.parameter.to_position(1.0)
        return 0.0
