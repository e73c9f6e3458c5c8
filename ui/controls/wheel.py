"""Wheel: pitch bend (springs back) or modulation (stays)."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFocusEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.base import ValueControl, is_fine

LABEL_HEIGHT = 2 * theme.UNIT
HANDLE_HEIGHT = 3.0 * theme.UNIT


class Wheel(ValueControl):
    """Follows the hand over its own height instead of the common drag distance; otherwise as every control."""

    def __init__(self, parameter: Parameter, springs_back: bool, parent: QWidget | None = None) -> None:
        super().__init__(parameter, parent=parent)
        self.springs_back = springs_back
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(5 * theme.UNIT, 12 * theme.UNIT)

    def track_rect(self) -> QRectF:
        width = 3.5 * theme.UNIT
        return QRectF((self.width() - width) / 2, 2, width, self.height() - LABEL_HEIGHT - theme.HALF)

    def editor_rect(self) -> QRectF:
        return QRectF(0, self.height() - LABEL_HEIGHT, self.width(), LABEL_HEIGHT)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            _, up = self._drag.moved(event.position(), is_fine(event))
            self._travel += up / max(self.track_rect().height() - HANDLE_HEIGHT, 1.0)
            self.change_position(self._travel)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.let_go()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self.springs_back:  # nobody lets go of a mouse wheel, so a bend would stay
            super().wheelEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.let_go()

    def hideEvent(self, event: QEvent) -> None:
        self.let_go()

    def let_go(self) -> None:
        self._drag = None
        if self.springs_back:
            self.reset()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = self.track_rect()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.WELL))
        painter.drawRoundedRect(track, theme.HALF, theme.HALF)

        handle_height = HANDLE_HEIGHT
        inner = track.adjusted(2, 2, -2, -2)
        travel = inner.height() - handle_height
        top = inner.bottom() - handle_height - self.position * travel
        handle = QRectF(inner.left(), top, inner.width(), handle_height)

        origin = self.parameter.to_position(0.0)
        origin_y = inner.bottom() - handle_height / 2 - origin * travel
        painter.setBrush(theme.qcolor(theme.ACCENT_DEEP))
        fill_top, fill_bottom = sorted((origin_y, handle.center().y()))
        painter.drawRect(QRectF(inner.left(), fill_top, inner.width(), fill_bottom - fill_top))

        lit = self.hovered or self.held
        painter.setBrush(theme.qcolor(theme.RAISED_HOVER if lit else theme.RAISED))
        painter.drawRoundedRect(handle, 3, 3)
        middle = round(handle.center().y())
        left, right = int(handle.left() + theme.HALF), int(handle.right() - theme.HALF)
        painter.setPen(QPen(theme.qcolor(theme.LINE), 1))
        for ridge in (-6, 6):
            painter.drawLine(left, middle + ridge, right, middle + ridge)
        painter.setPen(QPen(theme.qcolor(theme.ACCENT), 2))
        painter.drawLine(left, middle, right, middle)

        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.qcolor(theme.TEXT_QUIET))
        painter.drawText(self.editor_rect(), Qt.AlignmentFlag.AlignCenter, self.name)
        self.paint_focus_ring(painter, QRectF(self.rect()), theme.HALF)
        painter.end()
