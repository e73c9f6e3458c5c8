"""The knobs: a tab for each page of the parameter table, and on the first the instrument's named directions."""

from __future__ import annotations

import dataclasses
import itertools

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from noisysynth.effects import EFFECT_VALUES, EFFECTS
from noisysynth.parameters import N_INSERTS, N_ROUTES, PARAMETER_INDEX, PARAMETERS, Parameter
from noisysynth.ui import theme
from noisysynth.ui.control_menu import control_menu
from noisysynth.ui.controls.bar import Bar
from noisysynth.ui.controls.base import ValueControl
from noisysynth.ui.controls.cell import Cell
from noisysynth.ui.controls.choice import Choice
from noisysynth.ui.controls.knob import Knob
from noisysynth.ui.controls.standard import ElidedLabel
from noisysynth.ui.controls.values import counts
from noisysynth.ui.destinations import destination_names
from noisysynth.ui.pages import COLUMNS, DIRECTIONS, Page, Section, pages, short_name
from noisysynth.ui.player import Player

TABLE_HEADINGS = ("", "Source", "Destination", "Amount", "Via")
TABLE_STRETCH = (0, 10, 11, 8, 10)
TALLEST_LINE = 7 * theme.UNIT
DESTINATIONS = tuple(f"mod_{number}_destination" for number in range(1, N_ROUTES + 1))
INSERTS = {f"insert_{number}": number for number in range(1, N_INSERTS + 1)}


class _SectionFrame(QFrame):
    """A heading over a row of controls."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("panel", True)
        self.heading = QHBoxLayout()
        self.heading.setContentsMargins(theme.UNIT, 0, theme.UNIT, 0)
        self.heading.setSpacing(theme.UNIT)
        self.heading.addWidget(_heading(title))
        self.row = QHBoxLayout()
        self.row.setSpacing(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.HALF, theme.UNIT, theme.HALF, theme.HALF)
        column.setSpacing(0)
        column.addLayout(self.heading)
        column.addLayout(self.row, 1)


class _ScrollPage(QScrollArea):
    """Its content as wide as itself; in a window too low for it, it scrolls."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)


class KnobPanel(QWidget):
    """Controls by parameter id in `knobs`, in the order of the pages."""

    page_turned = Signal(str)  # its title

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.knobs: dict[str, ValueControl] = {}
        self.effect_helps: dict[str, ElidedLabel] = {}  # by the parameter that chooses the effect
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

        self.tabs = QTabBar()
        self.tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(True)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setAccessibleName("Pages of the sound's settings")
        self.stack = QStackedWidget()
        self.directions = _SectionFrame("Timbre")
        for parameter_id in DIRECTIONS:
            self.directions.row.addWidget(self._control(parameter_id, None, theme.TIMBRE))
        for page in pages():
            content = self._table(page) if page.table else self._grid(page)
            self.stack.addWidget(_ScrollPage(content))
            self.tabs.addTab(page.title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.HALF)
        column.addWidget(self.tabs)
        column.addWidget(self.stack, 1)

        self.tabs.currentChanged.connect(self._turn_to)
        player.parameter_changed.connect(self._show_value)
        player.instrument_changed.connect(self._name_directions)
        player.learned_changed.connect(self._show_learned)
        player.part_chosen.connect(self._let_go)
        self._name_directions()
        for number in INSERTS.values():
            self._name_insert(number)

    def turn_to(self, title: str) -> None:
        """Show the page of this title."""
        self.tabs.setCurrentIndex([page.title for page in pages()].index(title))

    def _turn_to(self, index: int) -> None:
        self.stack.setCurrentIndex(index)
        self._even_out_soon()
        self.page_turned.emit(pages()[index].title)

    # what is on the pages

    def _grid(self, page: Page) -> QWidget:
        """Columns of one width; the last section of a row is stretched, so that every row ends at the same edge."""
        content = QWidget()
        grid = QGridLayout(content)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.UNIT)
        rows = itertools.groupby(page.sections, key=lambda section: section.row)
        for row, in_row in ((row, list(group)) for row, group in rows):
            start = 0
            for section in in_row:
                span = COLUMNS - start if section is in_row[-1] else section.columns
                grid.addWidget(self._section(section), row, start, 1, span)
                start += span
        if page is pages()[0]:
            grid.addWidget(self.directions, 0, 0, 1, COLUMNS)
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)
        for row in range(grid.rowCount()):
            grid.setRowStretch(row, 1)
        return content

    def _section(self, section: Section) -> _SectionFrame:
        frame = _SectionFrame(section.title)
        in_row = section.parameters
        if section.headed:
            head, *rest = in_row
            what = self.effect_helps[head] = ElidedLabel(theme.SMALL, theme.TEXT_QUIET)
            choice = self._control(head, section.title, bare=True)
            choice.setFixedWidth(choice.sizeHint().width())
            frame.heading.addWidget(choice)
            frame.heading.addWidget(what, 1)
            in_row = tuple(rest)
        for parameter_id in in_row:
            control = self._control(parameter_id, short_name(_row(parameter_id), section.title))
            frame.row.addWidget(control, 3 if isinstance(control, Choice) else 2)
        return frame

    def _table(self, page: Page) -> QWidget:
        content = QWidget()
        frame = QFrame()
        frame.setProperty("panel", True)
        frame.setMaximumHeight((len(page.sections) + 1) * TALLEST_LINE)
        table = QGridLayout(frame)
        table.setContentsMargins(theme.UNIT, theme.UNIT, theme.UNIT, theme.HALF)
        table.setHorizontalSpacing(theme.HALF)
        table.setVerticalSpacing(2)
        for column, (text, stretch) in enumerate(zip(TABLE_HEADINGS, TABLE_STRETCH, strict=True)):
            table.addWidget(_heading(text), 0, column, Qt.AlignmentFlag.AlignVCenter)
            table.setRowStretch(0, 1)
            table.setColumnStretch(column, stretch)
        for line, section in enumerate(page.sections, 1):
            table.addWidget(_heading(str(line)), line, 0)
            table.setRowStretch(line, 1)
            for column, parameter_id in enumerate(section.parameters, 1):
                control = self._control(parameter_id, _row(parameter_id).label, bare=True)
                table.addWidget(control, line, column, Qt.AlignmentFlag.AlignVCenter)
        column_layout = QVBoxLayout(content)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.addWidget(frame, 1)
        column_layout.addStretch(0)
        return content

    def _control(
        self, parameter_id: str, name: str | None, colour: str = theme.ACCENT, bare: bool = False
    ) -> ValueControl:
        """What suits a row: a list for names, a knob for what can be turned; `bare` where the line is named."""
        parameter = _row(parameter_id)
        control: ValueControl
        if parameter.choices and not counts(parameter):
            control = Choice(parameter, name, bare)
        elif bare:
            control = Bar(parameter, name)
        else:
            control = Knob(parameter, name, colour)
        if name is not None:
            control.setAccessibleName(parameter.label)
        control.set_value(self._player.values[parameter_id])
        control.value_changed.connect(lambda value: self._player.set_parameter(parameter_id, self._own(parameter_id)))
        control.menu_asked.connect(lambda place: self.menu(parameter_id).popup(place))
        self.knobs[parameter_id] = control
        return control

    # sizes

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._even_out_soon()

    def _even_out_soon(self) -> None:
        """After the layout: only then do the cells know their room."""
        QTimer.singleShot(0, self._even_out)

    def _even_out(self) -> None:
        """One diameter for all that is seen, a multiple of four so that centres fall on whole pixels."""
        page = self.stack.currentWidget()
        cells = [cell for cell in self.findChildren(Cell) if page is not None and page.isAncestorOf(cell)]
        cells = [cell for cell in cells if not (isinstance(cell, Choice) and cell.bare)]
        cells = [cell for cell in cells if not cell.isHidden() or cell.sizePolicy().retainSizeWhenHidden()]
        room = min((cell.room() for cell in cells), default=0)
        for cell in cells:
            cell.limit_diameter(room // 4 * 4)

    # values

    def _own(self, parameter_id: str) -> float:
        """What a control shows, in the unit of its row of the table: an insert's knobs show the effect's units."""
        control, row = self.knobs[parameter_id], _row(parameter_id)
        return control.value if control.parameter is row else row.from_position(control.position)

    def _show_value(self, parameter_id: str, value: float) -> None:
        control = self.knobs.get(parameter_id)
        if control is not None and not control.held:
            row, shown = _row(parameter_id), control.parameter
            control.set_value(value if shown is row else shown.from_position(row.to_position(value)))
        if parameter_id in INSERTS:
            self._name_insert(INSERTS[parameter_id])

    def _name_insert(self, number: int) -> None:
        """Give the knobs of an insert the names, units and ranges of its effect; those that it lacks are hidden."""
        kind = round(self._player.values[f"insert_{number}"])
        rows = EFFECTS[kind - 1].parameters if kind else ()
        for i in range(1, EFFECT_VALUES + 1):
            parameter_id = f"insert_{number}_{i}"
            knob = self.knobs[parameter_id]
            row = rows[i - 1] if i <= len(rows) else _row(parameter_id)
            if knob.parameter is not row:
                knob.set_parameter(row, row.label)
                knob.setAccessibleName(f"Insert {number} {row.label}" if rows else row.label)
            keeps_place = knob.sizePolicy()
            keeps_place.setRetainSizeWhenHidden(True)
            knob.setSizePolicy(keeps_place)
            knob.setVisible(i <= len(rows))
            self._show_value(parameter_id, self._player.values[parameter_id])
        self.effect_helps[f"insert_{number}"].set_text(EFFECTS[kind - 1].help if kind else "")
        self._name_destinations()
        self._even_out_soon()

    def _name_directions(self) -> None:
        instrument = self._player.instrument
        named = instrument.directions if instrument is not None else ()
        for index, parameter_id in enumerate(DIRECTIONS):
            knob = self.knobs[parameter_id]
            if index < len(named):
                direction = named[index]
                knob.set_name(direction.name, direction.effect or _row(parameter_id).help)
            knob.setVisible(index < len(named))
        self.directions.setVisible(bool(named))
        self._name_destinations()
        self._even_out_soon()

    def _name_destinations(self) -> None:
        """The matrix calls what it moves as the knobs are called."""
        names = destination_names(self._player.instrument, self._player.values)
        for parameter_id in DESTINATIONS:
            control, row = self.knobs[parameter_id], _row(parameter_id)
            if control.parameter.choices != names:
                control.set_parameter(dataclasses.replace(row, choices=names), row.label)
                control.set_value(self._player.values[parameter_id])

    def _let_go(self) -> None:
        """What the hand began belongs to the part that was edited."""
        for control in self.knobs.values():
            control.let_go()

    # MIDI learn

    def _show_learned(self) -> None:
        for parameter_id, control in self.knobs.items():
            teaching, part = self._player.teaching, self._player.chosen
            control.set_learned(teaching.moved_by(parameter_id, part), teaching.waits(parameter_id, part))

    def menu(self, parameter_id: str) -> QMenu:
        """The context menu of a control."""
        return control_menu(self.knobs[parameter_id], parameter_id, self._player, self._player.chosen)


def _row(parameter_id: str) -> Parameter:
    return PARAMETERS[PARAMETER_INDEX[parameter_id]]


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("heading", True)
    return label
