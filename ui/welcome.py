"""The welcome: three steps that point at what they speak of, beside which one can play already."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.standard import Button

WIDTH = 44 * theme.UNIT
GAP = 2 * theme.UNIT
POINTER = 1.5 * theme.UNIT
BORDER = 1
DONE = "\u2713  "


@dataclasses.dataclass(frozen=True)
class Step:
    """title, text: what it says. target: what it points at. praise: said once the player has done it."""

    title: str
    text: str
    target: QWidget
    praise: str


class _Pointer(QWidget):
    """A frame around the target and an arrow from the card; nothing of it takes the mouse."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._target = QRect()
        self._card = QRect()

    def show_at(self, target: QRect, card: QRect) -> None:
        self._target, self._card = target, card
        # No larger than it has to be: what lies under it is drawn anew with every change of it.
        self.setGeometry(target.adjusted(-GAP, -GAP, GAP, GAP))
        self.show()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(-self.geometry().topLeft())
        painter.setPen(QPen(theme.qcolor(theme.ACCENT), 2.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        ring = QRectF(self._target).adjusted(-2, -2, 2, 2)
        painter.drawRoundedRect(ring, theme.RADIUS + 2, theme.RADIUS + 2)
        arrow = self._arrow(ring)
        if arrow is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.qcolor(theme.ACCENT))
            painter.drawPolygon(arrow)
        painter.end()

    def _arrow(self, ring: QRectF) -> QPolygonF | None:
        """From the card's side to the ring; none where the card lies on its target."""
        card = QRectF(self._card)
        x = min(max(card.center().x(), ring.left() + 3 * POINTER), ring.right() - 3 * POINTER)
        y = min(max(card.center().y(), ring.top() + 3 * POINTER), ring.bottom() - 3 * POINTER)
        if card.bottom() <= ring.top():
            tip, along = QPointF(x, ring.top()), QPointF(0, -POINTER)
        elif card.top() >= ring.bottom():
            tip, along = QPointF(x, ring.bottom()), QPointF(0, POINTER)
        elif card.left() >= ring.right():
            tip, along = QPointF(ring.right(), y), QPointF(POINTER, 0)
        elif card.right() <= ring.left():
            tip, along = QPointF(ring.left(), y), QPointF(-POINTER, 0)
        else:
            return None
        across = QPointF(along.y(), along.x()) * 0.6
        return QPolygonF([tip, tip + along + across, tip + along - across])


class Welcome(QObject):
    """Shown over `window`. It takes no keys: they play."""

    ended = Signal()  # seen to the end, or waved away: not to come again by itself

    def __init__(self, window: QWidget, steps: tuple[Step, ...]) -> None:
        super().__init__(window)
        self._window = window
        self._steps = steps
        self._watched = (window, *(step.target for step in steps))
        self._at = -1
        self._waiting = ""
        self.pointer = _Pointer(window)
        self.pointer.hide()
        self.card = QFrame(window)
        self.card.setObjectName("welcome")
        self.card.setAccessibleName("Welcome")
        self.card.setStyleSheet(
            f"#welcome {{ background: {theme.PANEL}; border: {BORDER}px solid {theme.ACCENT};"
            f" border-radius: {theme.RADIUS}px; }}"
        )
        self.card.setFixedWidth(WIDTH)
        self.title, self.text, self.praise, self.count = QLabel(), QLabel(), QLabel(), QLabel()
        self.title.setFont(theme.font(theme.TITLE, QFont.Weight.DemiBold))
        self.count.setProperty("quiet", True)
        self.praise.setFont(theme.font(theme.BODY, QFont.Weight.DemiBold))
        self.praise.setStyleSheet(f"color: {theme.METER};")
        for label in (self.text, self.praise):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.skip, self.back, self.next = Button("Skip"), Button("Back"), Button("Next")
        self.next.setProperty("primary", True)
        self.skip.setToolTip("Do not show this again; Help at the bottom right has it")
        self.skip.clicked.connect(self.end)
        self.back.clicked.connect(lambda: self._turn(self._at - 1))
        self.next.clicked.connect(lambda: self._turn(self._at + 1))
        self._lay_out()
        self.card.hide()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.UNIT)
        buttons.addWidget(self.count)
        buttons.addStretch()
        buttons.addWidget(self.skip)
        buttons.addWidget(self.back)
        buttons.addWidget(self.next)
        column = QVBoxLayout(self.card)
        column.setContentsMargins(2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT)
        column.setSpacing(theme.UNIT)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addWidget(self.praise)
        column.addLayout(buttons)

    @property
    def active(self) -> bool:
        return self._at >= 0

    def begin(self) -> None:
        """From the first step on."""
        if not self.active:
            for each in self._watched:
                each.installEventFilter(self)
        self._turn(0)

    def end(self) -> None:
        if self.active:
            self._at = -1
            for each in self._watched:
                each.removeEventFilter(self)
            self.card.hide()
            self.pointer.hide()
            self.ended.emit()

    def done(self, step: int) -> None:
        """The player did what this step is about."""
        if step == self._at and not self._waiting and not self.praise.text():
            self.praise.setText(DONE + self._steps[step].praise)
            self._place()

    def wait(self, line: str) -> None:
        """Say that there is no sound yet, and why; "" when there is."""
        if line != self._waiting:
            self._waiting = line
            if self.active:
                self._show()

    def _turn(self, step: int) -> None:
        if not 0 <= step < len(self._steps):
            self.end()
            return
        self._at = step
        self.praise.clear()
        self._show()

    def _show(self) -> None:
        step = self._steps[self._at]
        self.title.setText(step.title)
        text = f"{step.text}\n\n{self._waiting}" if self._waiting else step.text
        self.text.setText(text)
        self.card.setAccessibleDescription(f"{step.title}. {text}")
        self.count.setText(f"{self._at + 1} of {len(self._steps)}")
        last = self._at == len(self._steps) - 1
        self.next.setText("Done" if last else "Next")
        self.skip.setVisible(not last)
        self.back.setVisible(self._at > 0)
        self._place()

    # where it stands

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            QTimer.singleShot(0, self._place)  # once everything has its place
        return False

    def _place(self) -> None:
        if not self.active:
            return
        self.praise.setVisible(bool(self.praise.text()))
        target = self._steps[self._at].target
        around = QRect(target.mapTo(self._window, QPoint(0, 0)), target.size())
        self.card.setFixedHeight(self._height())
        card = place_beside(around, self.card.size().width(), self.card.height(), self._window.rect())
        self.card.setGeometry(card)
        if target.isVisible():
            self.pointer.show_at(around, card)
        else:  # another page was turned to
            self.pointer.hide()
        self.card.show()
        self.pointer.raise_()
        self.card.raise_()

    def _height(self) -> int:
        layout = self.card.layout()
        assert layout is not None
        layout.activate()
        inside = WIDTH - 2 * BORDER  # the frame's line takes room, too
        return layout.heightForWidth(inside) + 2 * BORDER + theme.HALF


def place_beside(target: QRect, width: int, height: int, room: QRect) -> QRect:
    """A place of this size in `room` beside `target`: above, right, left or below it (of a tall one, sideways first);
    on it where nothing else fits.
    """
    inside = room.adjusted(theme.UNIT, theme.UNIT, -theme.UNIT, -theme.UNIT)
    middle = target.center()
    places: tuple[Callable[[], QPoint], ...] = (
        lambda: QPoint(middle.x() - width // 2, target.top() - GAP - height),
        lambda: QPoint(target.right() + GAP, middle.y() - height // 2),
        lambda: QPoint(target.left() - GAP - width, middle.y() - height // 2),
        lambda: QPoint(middle.x() - width // 2, target.bottom() + GAP),
    )
    tall = target.height() > target.width()
    for place in sorted(places, key=lambda place: tall and place not in places[1:3]):
        corner = place()
        card = QRect(corner.x(), corner.y(), width, height)
        card.moveLeft(min(max(card.left(), inside.left()), inside.right() - width))
        card.moveTop(min(max(card.top(), inside.top()), inside.bottom() - height))
        if not card.intersects(target):
            return card
    return QRect(middle.x() - width // 2, middle.y() - height // 2, width, height)
