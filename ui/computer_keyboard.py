"""The computer keyboard as a piano: two rows of keys, octave, velocity, pedal, panic."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
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
        self._sounding: dict[int, int] = {}  # physical key -> MIDI note
        self._pedal_key: int | None = None
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
        for pitch in self._sounding.values():
            self._notes.release(SOURCE, pitch)
        self._sounding.clear()
        self._release_pedal()

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
        if event.modifiers() & _COMMAND_MODIFIERS:
            return False
        key = Qt.Key(event.key())
        ours = key in _NOTE_KEYS or key in _ACTIONS
        if not ours or event.isAutoRepeat():
            return ours
        if key in _NOTE_KEYS:
            self._strike(self._physical(event), self.base + _NOTE_KEYS[key])
        else:
            _ACTIONS[key](self, event)
        return True

    def _strike(self, physical: int, pitch: int) -> None:
        before = self._sounding.pop(physical, None)  # its release got lost
        if before is not None:
            self._notes.release(SOURCE, before)
        if pitch <= 127:
            self._sounding[physical] = pitch
            self._notes.press(SOURCE, pitch, self.velocity)

    def _release(self, event: QKeyEvent) -> bool:
        if event.isAutoRepeat():
            return False
        physical = self._physical(event)
        if physical == self._pedal_key:
            self._release_pedal()
            return True
        pitch = self._sounding.pop(physical, None)
        if pitch is None:
            return False
        # Two keys of different octaves may have struck the same note.
        if pitch not in self._sounding.values():
            self._notes.release(SOURCE, pitch)
        return True

    def _press_pedal(self, event: QKeyEvent) -> None:
        self._pedal_key = self._physical(event)
        self.pedal_changed.emit(True)

    def _release_pedal(self) -> None:
        if self._pedal_key is not None:
            self._pedal_key = None
            self.pedal_changed.emit(False)

    def _panic(self) -> None:
        self._sounding.clear()
        self._pedal_key = None
        self.panic_asked.emit()


_ACTIONS = {
    Qt.Key.Key_Z: lambda keyboard, event: keyboard.shift_octave(-1),
    Qt.Key.Key_X: lambda keyboard, event: keyboard.shift_octave(1),
    Qt.Key.Key_C: lambda keyboard, event: keyboard.set_velocity(keyboard.velocity - VELOCITY_STEP),
    Qt.Key.Key_V: lambda keyboard, event: keyboard.set_velocity(keyboard.velocity + VELOCITY_STEP),
    Qt.Key.Key_Space: lambda keyboard, event: keyboard._press_pedal(event),
    Qt.Key.Key_Escape: lambda keyboard, event: keyboard._panic(),
}
