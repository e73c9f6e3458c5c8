"""Cell: a control with its name above and something of the panel's common size below it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.base import ValueControl

MAXIMUM_DIAMETER = 12 * theme.UNIT
ROOMY_DIAMETER = 10 * theme.UNIT  # from here on the text grows too
TEXT_HEIGHT = 2 * theme.UNIT


class Cell(ValueControl):
    """Cells of one row line up, whatever is in them."""

    def __init__(self, parameter: Parameter, name: str | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parameter, name, parent)
        self._limit = MAXIMUM_DIAMETER
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(7 * theme.UNIT, 2 * TEXT_HEIGHT + 4 * theme.UNIT))

    def sizeHint(self) -> QSize:
        return QSize(9 * theme.UNIT, 2 * TEXT_HEIGHT + 7 * theme.UNIT)

    def room(self) -> int:
        """The largest diameter that fits here."""
        return min(self.width() - theme.UNIT, self.height() - 2 * TEXT_HEIGHT - theme.UNIT)

    def limit_diameter(self, diameter: int) -> None:
        """A panel gives all its cells the same size."""
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
        """The square between name and value."""
        size = self._diameter()
        return QRectF((self.width() - size) / 2, self._top() + TEXT_HEIGHT + theme.HALF, size, size)

    def editor_rect(self) -> QRectF:
        # The arc is open at the bottom, so the value may sit a little higher than the circle ends.
        return QRectF(0, self.dial_rect().bottom() - theme.HALF / 2, self.width(), TEXT_HEIGHT + 2)

    def text_size(self) -> int:
        return theme.SMALL + (1 if self._diameter() >= ROOMY_DIAMETER else 0)

    def paint_name(self, painter: QPainter) -> None:
        width = self.width() - 2
        painter.setFont(theme.fitting_font(self.name, width, self.text_size() + 1, QFont.Weight.Medium))
        painter.setPen(theme.qcolor(theme.TEXT))
        name = painter.fontMetrics().elidedText(self.name, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRectF(0, self._top(), self.width(), TEXT_HEIGHT), Qt.AlignmentFlag.AlignCenter, name)

    def paint_frame(self, painter: QPainter, dot: QPointF) -> None:
        """Focus and MIDI marks around name, knob and value."""
        top = max(self._top() - theme.HALF, 0)
        bottom = min(self.editor_rect().bottom() + theme.HALF, self.height())
        self.paint_marks(painter, QRectF(0, top, self.width(), bottom - top), dot)
