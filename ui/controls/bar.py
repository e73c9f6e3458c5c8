"""Bar: a value in one line of a table, filled from its origin. Dragged along itself, otherwise as every control."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.base import DRAG_TRAVEL_PX, ValueControl, is_fine

HEIGHT = 3 * theme.UNIT


class Bar(ValueControl):
    """A double click resets it; Enter, or a double click with Shift, lets one type.

    origin: the value from which it is filled.
    """

    def __init__(
        self, parameter: Parameter, name: str | None = None, origin: float = 0.0, parent: QWidget | None = None
    ) -> None:
        super().__init__(parameter, name, parent)
        self._origin = origin
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(QSize(6 * theme.UNIT, HEIGHT))

    def sizeHint(self) -> QSize:
        return QSize(10 * theme.UNIT, HEIGHT)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            right, up = self._drag.moved(event.position(), is_fine(event))
            self._travel += (right + up) / DRAG_TRAVEL_PX
            self.change_position(self._travel)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._drag = None
        if is_fine(event):
            self.begin_edit()
        else:
            self.reset()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.WELL))
        painter.drawRoundedRect(QRectF(self.rect()), theme.HALF, theme.HALF)
        track = QRectF(theme.HALF, self.height() - 6.0, self.width() - 2 * theme.HALF, 3.0)
        painter.setBrush(theme.qcolor(theme.LINE))
        painter.drawRect(track)
        origin = self.parameter.to_position(self._origin)
        start, end = sorted((origin, self.position))
        painter.setBrush(theme.qcolor(theme.ACCENT))
        painter.drawRect(QRectF(track.left() + start * track.width(), track.top(),
                                (end - start) * track.width(), track.height()))  # fmt: skip
        painter.setBrush(theme.qcolor(theme.TEXT_QUIET))
        painter.drawRect(QRectF(round(track.left() + origin * track.width()), track.top() - 1.0, 1.0, 5.0))
        painter.setFont(theme.font(theme.SMALL + 1))
        resting = not (self.value or self.hovered or self.held)
        painter.setPen(theme.qcolor(theme.TEXT_QUIET if resting else theme.TEXT))
        text = QRectF(0.0, 0.0, self.width(), track.top() + 1.0)
        painter.drawText(text, Qt.AlignmentFlag.AlignCenter, self.value_text())
        self.paint_marks(painter, QRectF(self.rect()), QPointF(self.width() - 5.0, 5.0), theme.HALF)
        painter.end()
