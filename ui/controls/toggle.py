"""Toggle: an off/on row of the table as a letter. A click or Enter turns it over, otherwise as every control."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.base import ValueControl

SIZE = 4 * theme.UNIT


class Toggle(ValueControl):
    """colour: of its ground while it is on; the letter is bold then."""

    def __init__(
        self,
        parameter: Parameter,
        letter: str,
        colour: str = theme.ACCENT,
        name: str | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parameter, name, parent)
        self._letter = letter
        self._colour = colour
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(SIZE, SIZE)

    def begin_edit(self) -> None:
        """There is nothing to type: Enter turns it over."""
        self.change_value(self.parameter.maximum if self.value == self.parameter.minimum else self.parameter.minimum)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.begin_edit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)  # of two quick clicks the second counts, too

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        on = self.value != self.parameter.minimum
        ground = self._colour if on else theme.RAISED_HOVER if self.hovered else theme.RAISED
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(ground))
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(rect, theme.HALF, theme.HALF)
        painter.setFont(theme.font(theme.BODY, QFont.Weight.Bold if on else QFont.Weight.Normal))
        painter.setPen(theme.qcolor(theme.TEXT_ON_ACCENT if on else theme.TEXT_QUIET))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self._letter)
        self.paint_marks(painter, QRectF(self.rect()), QPointF(self.width() - 5.0, 5.0), theme.HALF)
        painter.end()
