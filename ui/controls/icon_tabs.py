"""Tabs with icons, one over the other: a single stop of the tab key, the arrow keys go from one to the next."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.base import Control
from noisysynth.ui.controls.standard import paint_icon

_BACK = (Qt.Key.Key_Up, Qt.Key.Key_Left)
_FORTH = (Qt.Key.Key_Down, Qt.Key.Key_Right)


class IconTabs(Control):
    """`tabs`: icon and name of each. `chosen` is also emitted by `choose`."""

    chosen = Signal(int)

    def __init__(self, name: str, tabs: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(name, "", parent)
        self._tabs = tuple(tabs)
        self._index = 0
        self._pointed = -1
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedWidth(3 * theme.UNIT + theme.HALF)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.describe()

    def sizeHint(self) -> QSize:
        return QSize(3 * theme.UNIT + theme.HALF, len(self._tabs) * 3 * theme.UNIT)

    @property
    def index(self) -> int:
        return self._index

    def choose(self, index: int) -> None:
        index = min(max(index, 0), len(self._tabs) - 1)
        if index != self._index:
            self._index = index
            self.describe()
            self.update()
            self.chosen.emit(index)

    def tab_rect(self, index: int) -> QRectF:
        height = self.height() / len(self._tabs)
        return QRectF(0.0, index * height, self.width(), height)

    def describe(self) -> None:
        self.setAccessibleDescription(self._tabs[self._index][1])

    def hint(self) -> str:
        return f"{self.name}: {self._tabs[self._index if self._pointed < 0 else self._pointed][1]}"

    # gestures

    def _point_at(self, index: int) -> None:
        if index != self._pointed:
            self._pointed = index
            self.setToolTip(self._tabs[index][1] if index >= 0 else "")
            self.update()

    def _at(self, event: QMouseEvent) -> int:
        return min(max(int(event.position().y() * len(self._tabs) / max(self.height(), 1)), 0), len(self._tabs) - 1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if (index := self._at(event)) != self._pointed:
            self._point_at(index)
            self.hinted.emit(self.hint())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.choose(self._at(event))

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(-1)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _BACK:
            self.choose(self._index - 1)
        elif event.key() in _FORTH:
            self.choose(self._index + 1)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index, (icon, _) in enumerate(self._tabs):
            rect, chosen = self.tab_rect(index), index == self._index
            painter.setPen(Qt.PenStyle.NoPen)
            if chosen:
                painter.setBrush(theme.qcolor(theme.RAISED))
                painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), theme.HALF, theme.HALF)
                painter.fillRect(QRectF(0.0, rect.top() + theme.HALF, 2.0, rect.height() - theme.UNIT),
                                 theme.qcolor(theme.ACCENT))  # fmt: skip
            paint_icon(painter, icon, rect, theme.TEXT if chosen or index == self._pointed else theme.TEXT_QUIET)
        self.paint_focus_ring(painter, QRectF(self.rect()), theme.HALF)
        painter.end()
