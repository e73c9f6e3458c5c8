"""The knobs: the instrument's named directions, then the sound, vibrato and output parameters of the table."""

from __future__ import annotations

import dataclasses
import itertools

from PySide6.QtCore import QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from noisysynth.parameters import N_KNOBS, PARAMETER_INDEX, PARAMETERS, Parameter
from noisysynth.ui import theme
from noisysynth.ui.controls.knob import Knob
from noisysynth.ui.player import Player

COLUMNS = 6
ON_THE_PAD = ("pad_x", "pad_y")
DIRECTIONS = tuple(f"knob_{number}" for number in range(1, N_KNOBS + 1))


@dataclasses.dataclass(frozen=True)
class Section:
    """Knobs under one heading; `row` of the panel's grid."""

    title: str
    row: int
    parameters: tuple[str, ...]


_SECTIONS = (
    Section("Sound", 1, ("brightness", "tone_level", "noise_level", "attack", "release", "morph_time")),
    Section("Vibrato", 2, ("vibrato_rate", "vibrato_depth")),
    Section("Output", 2, ("tune", "bend_range", "volume")),
)


def sections() -> tuple[Section, ...]:
    """Where each parameter of the table goes; new rows of the table show up under More."""
    placed = {name for section in _SECTIONS for name in section.parameters} | set(ON_THE_PAD) | set(DIRECTIONS)
    rest = tuple(row.id for row in PARAMETERS if row.id not in placed)
    more = tuple(Section("More", 3 + i // COLUMNS, rest[i : i + COLUMNS]) for i in range(0, len(rest), COLUMNS))
    return _SECTIONS + more


def short_name(parameter: Parameter, title: str) -> str:
    """'Vibrato rate' under the heading Vibrato is 'Rate'."""
    rest = parameter.label.removeprefix(title).strip()
    return rest[:1].upper() + rest[1:] if rest else parameter.label


class _SectionFrame(QFrame):
    """A heading over a row of knobs."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("panel", True)
        heading = QLabel(title)
        heading.setProperty("heading", True)
        self.knobs = QHBoxLayout()
        self.knobs.setSpacing(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.HALF, theme.UNIT, theme.HALF, theme.HALF)
        column.setSpacing(0)
        column.addWidget(heading)
        column.addLayout(self.knobs, 1)
        heading.setContentsMargins(theme.UNIT, 0, 0, 0)


class KnobPanel(QWidget):
    """Knobs by parameter id in `knobs`."""

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.knobs: dict[str, Knob] = {}
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.UNIT)
        self.directions = _SectionFrame("Timbre")
        for parameter_id in DIRECTIONS:
            self._add_knob(self.directions, parameter_id, None, theme.TIMBRE)
        grid.addWidget(self.directions, 0, 0, 1, COLUMNS)
        for row, in_row in itertools.groupby(sections(), key=lambda section: section.row):
            self._add_row(grid, row, list(in_row))
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)
        for row in range(grid.rowCount()):
            grid.setRowStretch(row, 1)

        player.parameter_changed.connect(self._show_value)
        player.instrument_changed.connect(self._name_directions)
        self._name_directions()

    def _add_row(self, grid: QGridLayout, row: int, in_row: list[Section]) -> None:
        """A column for each knob; the last section is stretched, so that every row ends at the same edge."""
        start = 0
        for section in in_row:
            frame = _SectionFrame(section.title)
            for parameter_id in section.parameters:
                parameter = PARAMETERS[PARAMETER_INDEX[parameter_id]]
                self._add_knob(frame, parameter_id, short_name(parameter, section.title), theme.ACCENT)
            span = COLUMNS - start if section is in_row[-1] else len(section.parameters)
            grid.addWidget(frame, row, start, 1, span)
            start += span

    def _add_knob(self, frame: _SectionFrame, parameter_id: str, name: str | None, colour: str) -> None:
        parameter = PARAMETERS[PARAMETER_INDEX[parameter_id]]
        knob = Knob(parameter, name, colour)
        if name is not None:
            knob.setAccessibleName(parameter.label)
        knob.set_value(self._player.values[parameter_id])
        knob.value_changed.connect(lambda value, key=parameter_id: self._player.set_parameter(key, value))
        frame.knobs.addWidget(knob)
        self.knobs[parameter_id] = knob

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # After the layout: only then do the knobs know their room.
        QTimer.singleShot(0, self._even_out)

    def _even_out(self) -> None:
        """One diameter for all knobs, a multiple of four so that centres fall on whole pixels."""
        room = min((knob.room() for knob in self.knobs.values() if knob.isVisible()), default=0)
        for knob in self.knobs.values():
            knob.limit_diameter(room // 4 * 4)

    def _show_value(self, parameter_id: str, value: float) -> None:
        knob = self.knobs.get(parameter_id)
        if knob is not None and not knob.held:
            knob.set_value(value)

    def _name_directions(self) -> None:
        instrument = self._player.instrument
        named = instrument.directions if instrument is not None else ()
        for index, parameter_id in enumerate(DIRECTIONS):
            knob = self.knobs[parameter_id]
            if index < len(named):
                direction = named[index]
                effect = direction.effect or PARAMETERS[PARAMETER_INDEX[parameter_id]].help
                knob.set_name(direction.name, effect)
            knob.setVisible(index < len(named))
        self.directions.setVisible(bool(named))
        QTimer.singleShot(0, self._even_out)
