"""The computer keyboard as a piano: two rows of keys, octave, velocity, pedal, panic."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from noisysynth.ui.held_notes import HeldNotes

KEYS = "AWSEDFTGYHUJKOLP"  # C, C sharp, D ... up to the D sharp of the next octave
SOURCE = "computer keyboard"
LOWEST_BASE, HIGHEST_BASE = 0, 108
VELOCITY_STEP = 0.125
REPEAT_WAIT_MS = 8  # a release is heard this much later, where it has to wait
REPEAT_GAP_MS = 2

_NOTE_KEYS = {getattr(Qt.Key, f"Key_{letter}"): offset for offset, letter in enumerate(KEYS)}
_TEXT_WIDGETS = (QLineEdit, QTextEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox)
_COMMAND_MODIFIERS = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)


class ComputerKeyboard(QObject):
    """Filters the key events of one window, whatever control has the focus, except where text is typed.

    What a released key plays is remembered from when it was pressed, so octave changes and modifiers in between
    never leave a note hanging.
    """

    base_changed = Signal(int)
    velocity_changed = Signal(float)
    pedal_changed = Signal(bool)
    panic_asked = Signal()

    def __init__(self, window: QWidget, notes: HeldNotes) -> None:
        super().__init__(window)
        self._window = window
        self._notes = notes
        self._down: dict[int, int | None] = {}  # physical key -> the MIDI note it sounds, if any
        self._pedal_key: int | None = None
        # An X server repeats a key as release and press. Qt only tells such a pair when both have arrived, so there
        # a release waits a moment for its press.
        self.await_repeats = QGuiApplication.platformName() == "xcb"
        self._waiting: dict[int, int] = {}  # physical key -> time stamp of its release
        self._wait_over = QTimer(self, singleShot=True, interval=REPEAT_WAIT_MS)
        self._wait_over.timeout.connect(self._finish_releases)
        self.base = 60
        self.velocity = 0.75
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self)

    def letters(self) -> dict[int, str]:
        """MIDI note -> the key that plays it now."""
        return {self.base + offset: letter for offset, letter in enumerate(KEYS) if self.base + offset <= 127}

    # state

    def set_base(self, base: int) -> None:
        """The note of the A key; a C."""
        base = min(max(base // 12 * 12, LOWEST_BASE), HIGHEST_BASE)
        if base != self.base:
            self.base = base
            self.base_changed.emit(base)

    def shift_octave(self, octaves: int) -> None:
        self.set_base(self.base + 12 * octaves)

    def set_velocity(self, velocity: float) -> None:
        velocity = min(max(velocity, VELOCITY_STEP), 1.0)
        if velocity != self.velocity:
            self.velocity = velocity
            self.velocity_changed.emit(velocity)

    def let_go(self) -> None:
        """Release what our keys hold: the window lost the keyboard and will not hear of the releases."""
        for physical in tuple(self._down):
            self._lift(physical)

    # events

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._is_ours(watched) and self._press(event)
        if kind == QEvent.Type.KeyRelease and isinstance(event, QKeyEvent):
            return self._release(event)
        if (kind == QEvent.Type.WindowDeactivate and watched is self._window) or (
            kind == QEvent.Type.ApplicationStateChange
            and QApplication.applicationState() != Qt.ApplicationState.ApplicationActive
        ):
            self.let_go()
        return False

    def _is_ours(self, watched: QObject) -> bool:
        """Key events reach the focus widget first; dialogs, menus and text keep theirs."""
        if not isinstance(watched, QWidget) or QApplication.activePopupWidget() is not None:
            return False
        if isinstance(watched, _TEXT_WIDGETS) or isinstance(watched.window(), QDialog):
            return False
        return watched.window() is self._window

    @staticmethod
    def _physical(event: QKeyEvent) -> int:
        return event.nativeScanCode() or int(event.key())

    def _press(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key not in _NOTE_KEYS and key not in _ACTIONS:
            return False
        physical = self._physical(event)
        if event.isAutoRepeat() or self._was_repeat(physical, event.timestamp()):
            return True
        if event.modifiers() & _COMMAND_MODIFIERS:
            return False
        self._lift(physical)  # if its release got lost
        if key in _NOTE_KEYS:
            self._strike(physical, self.base + _NOTE_KEYS[key])
        else:
            self._down[physical] = None
            _ACTIONS[key](self, physical)
        return True

    def _was_repeat(self, physical: int, pressed_at: int) -> bool:
        """Whether this press belongs to the release that is waiting; a hand is never that fast."""
        released_at = self._waiting.pop(physical, None)
        if released_at is None:
            return False
        if pressed_at - released_at <= REPEAT_GAP_MS:
            return True
        self._lift(physical)
        return False

    def _strike(self, physical: int, pitch: int) -> None:
        if pitch <= 127:
            self._down[physical] = pitch
            self._notes.press(SOURCE, pitch, self.velocity)

    def _release(self, event: QKeyEvent) -> bool:
        physical = self._physical(event)
        if physical not in self._down:
            return False
        if event.isAutoRepeat():
            return True
        if self.await_repeats:
            self._waiting[physical] = event.timestamp()
            self._wait_over.start()
        else:
            self._lift(physical)
        return True

    def _finish_releases(self) -> None:
        for physical in tuple(self._waiting):
            self._lift(physical)

    def _lift(self, physical: int) -> None:
        """The key is up: end what it began."""
        self._waiting.pop(physical, None)
        pitch = self._down.pop(physical, None)
        # Two keys of different octaves may have struck the same note.
        if pitch is not None and pitch not in self._down.values():
            self._notes.release(SOURCE, pitch)
        if physical == self._pedal_key:
            self._pedal_key = None
            self.pedal_changed.emit(False)

    def _press_pedal(self, physical: int) -> None:
        self._pedal_key = physical
        self.pedal_changed.emit(True)

    def _panic(self) -> None:
        self._down.clear()
        self._waiting.clear()
        self._pedal_key = None
        self.panic_asked.emit()


_ACTIONS = {
    Qt.Key.Key_Z: lambda keyboard, _: keyboard.shift_octave(-1),
    Qt.Key.Key_X: lambda keyboard, _: keyboard.shift_octave(1),
    Qt.Key.Key_C: lambda keyboard, _: keyboard.set_velocity(keyboard.velocity - VELOCITY_STEP),
    Qt.Key.Key_V: lambda keyboard, _: keyboard.set_velocity(keyboard.velocity + VELOCITY_STEP),
    Qt.Key.Key_Space: lambda keyboard, physical: keyboard._press_pedal(physical),
    Qt.Key.Key_Escape: lambda keyboard, _: keyboard._panic(),
}
