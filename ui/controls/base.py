"""What every control shares: dragging, fine steps, wheel, keys, typed values, focus, names for screen readers."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QLineEdit, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.values import format_range, format_value, parse_value

DRAG_TRAVEL_PX = 200.0  # a drag of this length crosses the whole range
FINE = 0.1  # shift makes every step this much smaller
WHEEL_STEP = 0.02
KEY_STEP = 0.01
PAGE_STEP = 0.1


def is_fine(event: QMouseEvent | QWheelEvent | QKeyEvent) -> bool:
    """Shift asks for fine steps everywhere."""
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)


def came_by_keyboard(event: QFocusEvent) -> bool:
    """A focus ring is for those who steer by keys; after a mouse click it would only be noise."""
    reasons = Qt.FocusReason
    return event.reason() in (reasons.TabFocusReason, reasons.BacktabFocusReason, reasons.ShortcutFocusReason)


def wheel_notches(event: QWheelEvent) -> float:
    """Notches turned, up is positive. Some systems turn a shifted wheel into a horizontal one."""
    delta = event.angleDelta()
    return (delta.y() or delta.x()) / 120.0


class RelativeDrag:
    """Sums up mouse movement, so that pressing shift in the middle of a drag does not make the value jump."""

    def __init__(self, start: QPointF) -> None:
        self._last = start

    def moved(self, position: QPointF, fine: bool) -> tuple[float, float]:
        """Travel since the last call in px (x to the right, y upwards), scaled down when fine."""
        scale = FINE if fine else 1.0
        delta = position - self._last
        self._last = position
        return delta.x() * scale, -delta.y() * scale


class ValueEditor(QLineEdit):
    """A small text field over a control: Enter takes the text, Escape and losing focus drop it."""

    submitted = Signal(str)
    closed = Signal()

    def __init__(self, parent: QWidget, text: str) -> None:
        super().__init__(text, parent)
        self.setProperty("inline", True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAccessibleName(f"{parent.accessibleName()}, type a value")
        self.selectAll()

    def refuse(self, reason: str) -> None:
        """Stay open, marked as wrong."""
        self.setProperty("bad", True)
        self.setToolTip(reason)
        self.style().unpolish(self)
        self.style().polish(self)
        self.selectAll()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.submitted.emit(self.text())
        elif event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.closed.emit()


class Control(QWidget):
    """A focusable, self-painting widget with a hover state and an inline editor."""

    hinted = Signal(str)  # one line for the status bar while the pointer is here; "" when it leaves

    def __init__(self, name: str, help_text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self.help_text = help_text
        self.hovered = False
        self._ring = False
        self._editor: ValueEditor | None = None
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    # the inline editor

    def editor_rect(self) -> QRectF:
        """Where the typed value goes."""
        return QRectF(self.rect())

    def editor_text(self) -> str:
        return ""

    def take_text(self, text: str) -> None:
        """Set the value from typed text; ValueError keeps the editor open."""
        raise NotImplementedError

    def begin_edit(self) -> None:
        """Open the text field with the value selected."""
        if self._editor is not None:
            return
        editor = ValueEditor(self, self.editor_text())
        editor.setGeometry(self.editor_rect().toAlignedRect())
        editor.submitted.connect(self._submit)
        editor.closed.connect(self.end_edit)
        self._editor = editor
        editor.show()
        editor.setFocus()

    def _submit(self, text: str) -> None:
        try:
            self.take_text(text)
        except ValueError as error:
            if self._editor is not None:
                self._editor.refuse(str(error))
            return
        self.end_edit()

    def end_edit(self) -> None:
        editor, self._editor = self._editor, None
        if editor is not None:
            had_focus = editor.hasFocus()
            editor.hide()
            editor.deleteLater()
            if had_focus:
                self.setFocus()

    # hover and focus

    def hint(self) -> str:
        return self.help_text

    def describe(self) -> None:
        """Tell screen readers the value; only worth its cost for the control that they are on."""

    def enterEvent(self, event: QEnterEvent) -> None:
        self.hovered = True
        self.hinted.emit(self.hint())
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered = False
        self.hinted.emit("")
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._ring = came_by_keyboard(event)
        self.describe()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._ring = False
        self.update()

    def paint_focus_ring(self, painter: QPainter, rect: QRectF, radius: float = theme.RADIUS) -> None:
        if self._ring:
            painter.setPen(QPen(theme.qcolor(theme.ACCENT), 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


class ValueControl(Control):
    """A control of one parameter. `value_changed` is only emitted when the player moves it."""

    value_changed = Signal(float)
    menu_asked = Signal(QPoint)  # the context menu, at this place of the screen

    def __init__(self, parameter: Parameter, name: str | None = None, parent: QWidget | None = None) -> None:
        super().__init__(name or parameter.label, parameter.help, parent)
        self.parameter = parameter
        self._value = parameter.default
        self._drag: RelativeDrag | None = None
        self._travel = 0.0  # unclipped position while dragging, so overshoot is not forgotten at the ends
        self.moved_by = ""  # the MIDI controller that was taught to move it, in words
        self.waiting = False  # for a controller to learn
        self._turned = 0.0  # of the mouse wheel, not yet enough for the next choice
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._set_tooltip()
        self.describe()

    # value

    @property
    def value(self) -> float:
        return self._value

    @property
    def position(self) -> float:
        """Knob position 0..1."""
        return self.parameter.to_position(self._value)

    @property
    def held(self) -> bool:
        """Whether the player has it in hand."""
        return self._drag is not None

    def set_value(self, value: float) -> None:
        """Show a value that came from elsewhere (preset, MIDI, session)."""
        value = self.parameter.clip(value)
        if value != self._value:
            self._value = value
            if self.hasFocus():
                self.describe()
            self.update()

    def set_name(self, name: str, help_text: str) -> None:
        self.name, self.help_text = name, help_text
        self.setAccessibleName(name)
        self._set_tooltip()
        self.describe()
        self.update()

    def set_parameter(self, parameter: Parameter, name: str) -> None:
        """Become the control of another row; its value is to be set next."""
        self.parameter = parameter
        self._drag = None
        self._value = parameter.clip(self._value)
        self.set_name(name, parameter.help)

    def change_value(self, value: float) -> None:
        """Set and tell, as every gesture of the player does."""
        value = self.parameter.clip(value)
        if value != self._value:
            self.set_value(value)
            self.hinted.emit(self.hint())
            self.value_changed.emit(value)

    def change_position(self, position: float) -> None:
        self.change_value(self.parameter.from_position(position))

    def reset(self) -> None:
        self.change_value(self.parameter.default)

    def let_go(self) -> None:
        """Take it out of the player's hand, and drop what is being typed."""
        self.end_edit()
        if self._drag is not None:
            self._drag = None
            self.update()

    # words

    def value_text(self) -> str:
        return format_value(self.parameter, self._value)

    def hint(self) -> str:
        return f"{self.name}: {self.value_text()}.  {self.help_text}"

    def _set_tooltip(self) -> None:
        cc = self.parameter.midi_cc
        midi = f"\nMIDI controller {cc}." if cc is not None else ""
        learned = f"\nMoved by {self.moved_by}." if self.moved_by else ""
        self.setToolTip(f"{self.name}: {format_range(self.parameter)}.\n{self.help_text}{midi}{learned}")

    def set_learned(self, moved_by: str, waiting: bool) -> None:
        """Mark that a MIDI controller moves it, or that it waits for one."""
        if (moved_by, waiting) != (self.moved_by, self.waiting):
            self.moved_by, self.waiting = moved_by, waiting
            self._set_tooltip()
            self.update()

    def paint_marks(self, painter: QPainter, rect: QRectF, dot: QPointF, radius: float = theme.RADIUS) -> None:
        """Focus ring; a dashed frame while a controller is awaited, a dot (around its place) once there is one."""
        self.paint_focus_ring(painter, rect, radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.waiting:
            painter.setPen(QPen(theme.qcolor(theme.TIMBRE), 1.0, Qt.PenStyle.DashLine))
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        elif self.moved_by:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.qcolor(theme.TIMBRE))
            painter.drawEllipse(dot, 2.0, 2.0)

    def describe(self) -> None:
        self.setAccessibleDescription(f"{self.value_text()}. {self.help_text}")

    def editor_text(self) -> str:
        return self.value_text()

    def take_text(self, text: str) -> None:
        self.change_value(parse_value(self.parameter, text))

    # gestures

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = RelativeDrag(event.position())
            self._travel = self.position
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            _, up = self._drag.moved(event.position(), is_fine(event))
            self._travel += up / DRAG_TRAVEL_PX
            self.change_position(self._travel)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = None
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._drag = None
        if self.editor_rect().contains(event.position()):
            self.begin_edit()
        else:
            self.reset()

    def step(self, share: float) -> float:
        """A share of the way, but never less than from one choice to the next."""
        return max(share, 1.0 / (len(self.parameter.choices) - 1)) if self.parameter.choices else share

    def wheelEvent(self, event: QWheelEvent) -> None:
        step = self.step(WHEEL_STEP * (FINE if is_fine(event) else 1.0))
        notches = wheel_notches(event)
        if self.parameter.choices:  # a touchpad sends many small turns, each too small for a choice
            self._turned += notches
            notches = float(int(self._turned))
            self._turned -= notches
        self.change_position(self.position + notches * step)
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_asked.emit(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = self.step(KEY_STEP * (FINE if is_fine(event) else 1.0))
        key = event.key()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Right):
            self.change_position(self.position + step)
        elif key in (Qt.Key.Key_Down, Qt.Key.Key_Left):
            self.change_position(self.position - step)
        elif key == Qt.Key.Key_PageUp:
            self.change_position(self.position + self.step(PAGE_STEP))
        elif key == Qt.Key.Key_PageDown:
            self.change_position(self.position - self.step(PAGE_STEP))
        elif key == Qt.Key.Key_Home:
            self.change_value(self.parameter.minimum)
        elif key == Qt.Key.Key_End:
            self.change_value(self.parameter.maximum)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.reset()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.begin_edit()
        else:
            super().keyPressEvent(event)
