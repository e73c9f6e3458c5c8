"""Choice: one of several names. A click opens the list; otherwise it is turned like a knob."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QFrame, QListWidget, QListWidgetItem, QSizePolicy, QVBoxLayout, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.cell import Cell
from noisysynth.ui.controls.standard import paint_icon
from noisysynth.ui.controls.values import format_value

PILL_HEIGHT = 3 * theme.UNIT
WIDEST_PILL = 14 * theme.UNIT
ARROW_WIDTH = theme.UNIT + theme.HALF
LONGEST_LIST = 16  # rows; the others are scrolled to
ROW_HEIGHT = 3 * theme.UNIT


class ChoiceList(QFrame):
    """The open list. Not a QMenu: fifty rows want to be scrolled and typed at."""

    chosen = Signal(int)
    double_clicked = Signal()  # the second click of a double click on the owner lands here

    def __init__(self, owner: QWidget, labels: tuple[str, ...], current: int) -> None:
        super().__init__(owner, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMouseReplay)  # a click on the owner closes and does not open again
        self.setProperty("choices", True)
        self._owner = owner
        self._opened = time.monotonic()
        self.list = QListWidget()
        self.list.setAccessibleName(owner.accessibleName())
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for label in labels:
            item = QListWidgetItem(label)
            item.setSizeHint(QSize(0, ROW_HEIGHT))
            self.list.addItem(item)
        self.list.setCurrentRow(current)
        self.list.itemEntered.connect(self.list.setCurrentItem)
        self.list.itemClicked.connect(lambda _: self._take())
        self.list.installEventFilter(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.HALF, theme.HALF, theme.HALF, theme.HALF)
        column.addWidget(self.list)
        self.setFocusProxy(self.list)

    def open_at(self, pill: QRect) -> None:
        """Under the pill (in the screen's coordinates), or over it where there is no room."""
        rows = min(self.list.count(), LONGEST_LIST)
        metrics = self.list.fontMetrics()
        texts = max(metrics.horizontalAdvance(self.list.item(i).text()) for i in range(self.list.count()))
        scroll_bar = 2 * theme.UNIT if rows < self.list.count() else 0
        margins = 2 * theme.HALF
        width = max(pill.width(), texts + 2 * theme.UNIT + theme.HALF + scroll_bar + margins)
        place = QRect(pill.left(), pill.bottom() + 1, width, rows * ROW_HEIGHT + margins)
        screen = self._owner.screen().availableGeometry()
        if place.bottom() > screen.bottom():
            place.moveBottom(max(pill.top(), screen.top() + place.height()))
        place.moveLeft(max(min(place.left(), screen.right() - width), screen.left()))
        self.setGeometry(place)
        self.show()
        self.list.setFocus(Qt.FocusReason.PopupFocusReason)
        self.list.scrollToItem(self.list.currentItem(), QListWidget.ScrollHint.PositionAtCenter)

    def _take(self) -> None:
        row = self.list.currentRow()
        self.close()
        self.chosen.emit(row)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._take()
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.close()
                return True
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.rect().contains(event.position().toPoint()):
            return
        soon = time.monotonic() - self._opened < QApplication.doubleClickInterval() / 1000.0
        on_owner = self._owner.rect().contains(self._owner.mapFromGlobal(event.globalPosition()).toPoint())
        self.close()
        if soon and on_owner:
            self.double_clicked.emit()

    mouseDoubleClickEvent = mousePressEvent


class Choice(Cell):
    """`bare`: only the pill, for tables and headings that name it."""

    def __init__(
        self, parameter: Parameter, name: str | None = None, bare: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parameter, name, parent)
        self.bare = bare
        self._pressed_at: QPoint | None = None
        self.list: ChoiceList | None = None  # while it is open
        if bare:
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self.setMinimumSize(QSize(7 * theme.UNIT, PILL_HEIGHT))

    def sizeHint(self) -> QSize:
        return QSize(12 * theme.UNIT, PILL_HEIGHT) if self.bare else super().sizeHint()

    def pill_rect(self) -> QRectF:
        if self.bare:
            return QRectF(self.rect())
        width = min(self.width() - theme.HALF, WIDEST_PILL)
        middle = self.dial_rect().center()
        return QRectF(middle.x() - width / 2, round(middle.y() - PILL_HEIGHT / 2), width, PILL_HEIGHT)

    @property
    def held(self) -> bool:
        return super().held or self.list is not None

    # the list

    def begin_edit(self) -> None:
        """Open the list."""
        labels = tuple(
            format_value(self.parameter, self.parameter.minimum + i) for i in range(len(self.parameter.choices))
        )
        self.list = ChoiceList(self, labels, round(self.value - self.parameter.minimum))
        self.list.chosen.connect(lambda row: self.change_value(self.parameter.minimum + row))
        self.list.double_clicked.connect(self.reset)
        self.list.destroyed.connect(self._list_closed)
        pill = self.pill_rect().toRect()
        self.list.open_at(QRect(self.mapToGlobal(pill.topLeft()), pill.size()))
        self.update()

    def _list_closed(self) -> None:
        self.list = None
        self.update()

    # gestures: a press that does not travel is a click

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        pressed = self._pressed_at
        if pressed is not None:
            if (event.position().toPoint() - pressed).manhattanLength() < QApplication.startDragDistance():
                return
            self._pressed_at = None
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        clicked, self._pressed_at = self._pressed_at is not None, None
        if clicked and event.button() == Qt.MouseButton.LeftButton:
            self.begin_edit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = self._pressed_at = None
            self.reset()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.bare:
            self.paint_name(painter)
        self._paint_pill(painter)
        corner = self.pill_rect().topRight() + QPointF(-4.0, 4.0 if self.bare else -5.0)
        if self.bare:
            self.paint_marks(painter, self.pill_rect(), corner, theme.HALF)
        else:
            self.paint_frame(painter, corner)
        painter.end()

    def _paint_pill(self, painter: QPainter) -> None:
        pill = self.pill_rect()
        lit = self.hovered or self.held
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.RAISED_HOVER if lit else theme.RAISED))
        painter.drawRoundedRect(pill, theme.HALF, theme.HALF)
        text_rect = pill.adjusted(theme.HALF + 1, 0, -ARROW_WIDTH, 0)
        text = self.value_text()
        painter.setFont(theme.fitting_font(text, int(text_rect.width()), self.text_size()))
        resting = self.bare and self.value == self.parameter.default
        painter.setPen(theme.qcolor(theme.TEXT_QUIET if resting else theme.TEXT))
        line = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(text_rect.width()))
        painter.drawText(text_rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, line)
        arrow = QRectF(pill.right() - ARROW_WIDTH, pill.top(), ARROW_WIDTH - 2, pill.height())
        paint_icon(painter, "small down", arrow, theme.TEXT_QUIET, 1.5)

    def text_size(self) -> int:
        return theme.SMALL + 1 if self.bare else super().text_size()
