"""Bottom of the window: wheels, octave and velocity, keys."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFont, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from noisysynth.parameters import Parameter
from noisysynth.ui import theme
from noisysynth.ui.computer_keyboard import VELOCITY_STEP, ComputerKeyboard
from noisysynth.ui.controls.keyboard import Keyboard
from noisysynth.ui.controls.standard import IconButton
from noisysynth.ui.controls.values import note_name
from noisysynth.ui.controls.wheel import Wheel
from noisysynth.ui.player import Player
from noisysynth.ui.tempo import TempoPanel

MOUSE = "mouse"

# Performance controls, not rows of the table: they are events, never part of a preset.
BEND = Parameter("bend", "Bend", "", -1.0, 1.0, 0.0, help="Pitch bend; springs back when let go.")
MODULATION = Parameter(
    "modulation", "Mod", "", 0.0, 1.0, 0.0, midi_cc=1, help="Modulation wheel: brings in the vibrato."
)


class _Stepper(QWidget):
    """Caption, value, and a button to either side of it."""

    def __init__(self, caption: str, lower: str, higher: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.down = IconButton("minus", lower)
        self.up = IconButton("plus", higher)
        for button in (self.down, self.up):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._value = QLabel()
        self._value.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._value.setFont(theme.font(theme.BODY, QFont.Weight.DemiBold))
        self._value.setFixedWidth(5 * theme.UNIT)
        label = QLabel(caption)
        label.setProperty("quiet", True)
        label.setFont(theme.font(theme.SMALL))
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(0)
        grid.setVerticalSpacing(theme.HALF)
        grid.addWidget(label, 0, 0, 1, 3)
        grid.addWidget(self.down, 1, 0)
        grid.addWidget(self._value, 1, 1)
        grid.addWidget(self.up, 1, 2)

    def set_text(self, text: str) -> None:
        self._value.setText(text)

    def text(self) -> str:
        return self._value.text()


class KeyboardPanel(QFrame):
    """Mouse and computer keyboard both play `player.notes`; whatever they hold is shown."""

    def __init__(self, player: Player, computer: ComputerKeyboard, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._computer = computer
        self.setProperty("panel", True)

        self.bend = Wheel(BEND, springs_back=True)
        self.bend.setAccessibleName("Pitch bend")
        self.bend.value_changed.connect(player.bend)
        self.modulation = Wheel(MODULATION, springs_back=False)
        self.modulation.setAccessibleName("Modulation")
        self.modulation.value_changed.connect(player.modulate)
        self.octave = _Stepper("Octave", "Octave down (Z)", "Octave up (X)")
        self.octave.down.clicked.connect(lambda: computer.shift_octave(-1))
        self.octave.up.clicked.connect(lambda: computer.shift_octave(1))
        self.velocity = _Stepper("Velocity", "Softer computer keyboard (C)", "Louder computer keyboard (V)")
        self.velocity.down.clicked.connect(lambda: computer.set_velocity(computer.velocity - VELOCITY_STEP))
        self.velocity.up.clicked.connect(lambda: computer.set_velocity(computer.velocity + VELOCITY_STEP))
        self.tempo = TempoPanel(player)
        self.keys = Keyboard()
        self.keys.note_pressed.connect(lambda pitch, velocity: player.notes.press(MOUSE, pitch, velocity))
        self.keys.note_released.connect(lambda pitch: player.notes.release(MOUSE, pitch))
        player.notes.changed.connect(self.keys.set_held)

        steppers = QVBoxLayout()
        steppers.setSpacing(theme.UNIT)
        steppers.addStretch()
        steppers.addWidget(self.octave)
        steppers.addWidget(self.velocity)
        steppers.addStretch()
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.UNIT, theme.UNIT, theme.UNIT, theme.UNIT)
        row.setSpacing(theme.UNIT)
        row.addWidget(self.bend)
        row.addWidget(self.modulation)
        row.addLayout(steppers)
        row.addWidget(self.tempo)
        row.addSpacing(theme.HALF)
        row.addWidget(self.keys, 1)

        computer.base_changed.connect(self._show_octave)
        computer.velocity_changed.connect(self._show_velocity)
        self._show_octave()
        self._show_velocity()

    def _show_octave(self) -> None:
        base = self._computer.base
        self.fit_range()
        self.keys.set_letters(self._computer.letters())
        self.octave.set_text(note_name(base))

    def fit_range(self) -> None:
        """What the computer keyboard plays (an octave and a bit) stands in the middle of the keys shown."""
        octaves = max((self.keys.whites() - 1) // 7, 1)
        self.keys.set_lowest(self._computer.base - 12 * ((octaves - 1) // 2))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        QTimer.singleShot(0, self.fit_range)  # after the layout has given the keys their width

    def _show_velocity(self) -> None:
        self.velocity.set_text(str(round(self._computer.velocity * 127)))

    def let_go(self) -> None:
        """Everything the mouse holds."""
        self.keys.let_go()
        self.bend.let_go()
