"""One line of the rack page: a part's name, where it listens, how loud it is."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QSizePolicy, QWidget

from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS
from noisysynth.ui import theme
from noisysynth.ui.control_menu import control_menu
from noisysynth.ui.controls.bar import Bar
from noisysynth.ui.controls.base import ValueControl, came_by_keyboard
from noisysynth.ui.controls.choice import Choice
from noisysynth.ui.controls.part_meter import PartMeter
from noisysynth.ui.controls.standard import Button, IconButton
from noisysynth.ui.controls.toggle import Toggle
from noisysynth.ui.instrument_menu import add_instruments
from noisysynth.ui.part_menu import part_name
from noisysynth.ui.player import Player
from noisysynth.ui.rack_columns import COLUMNS, GAP, MARK

CONTROL_HEIGHT = 4 * theme.UNIT
PARAMETERS_SHOWN = (
    "channel", "key_low", "key_high", "velocity_low", "velocity_high", "volume", "pan", "mute", "solo",
)  # fmt: skip


class PartButton(Button):
    """Number, instrument and preset of a part. A click, or Enter, has it edited."""

    def __init__(self, number: int, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._number = number
        self._instrument = self._preset = ""
        self._missing = self._chosen = False
        self.setProperty("part", True)
        self._ring = False
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(15 * theme.UNIT, 5 * theme.UNIT)

    def set_part(self, instrument: str, preset: str, missing: bool, chosen: bool) -> None:
        self._instrument, self._preset, self._missing, self._chosen = instrument, preset, missing, chosen
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = came_by_keyboard(event)
        super().focusInEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if self.underMouse():
            painter.setBrush(theme.qcolor(theme.RAISED))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawRoundedRect(rect, theme.HALF, theme.HALF)
        if self.hasFocus() and self._ring:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(theme.qcolor(theme.ACCENT))
            painter.drawRoundedRect(rect, theme.HALF, theme.HALF)
        middle = Qt.AlignmentFlag.AlignVCenter
        weight = QFont.Weight.DemiBold if self._chosen else QFont.Weight.Normal
        painter.setFont(theme.font(theme.LARGE, weight))
        painter.setPen(theme.qcolor(theme.ACCENT if self._chosen else theme.TEXT_QUIET))
        number = QRectF(0, 0, 4 * theme.UNIT, self.height())
        painter.drawText(number, middle | Qt.AlignmentFlag.AlignHCenter, str(self._number + 1))
        left, line = number.right() + theme.HALF, 2.25 * theme.UNIT
        width, top = self.width() - left - theme.HALF, (self.height() - 2 * line) / 2
        elide = Qt.TextElideMode.ElideRight
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.qcolor(theme.TEXT_QUIET))
        name = painter.fontMetrics().elidedText(self._instrument, elide, int(width))
        painter.drawText(QRectF(left, top, width, line), middle, name)
        painter.setFont(theme.font(theme.BODY, weight))
        painter.setPen(theme.qcolor(theme.DANGER if self._missing else theme.TEXT))
        name = painter.fontMetrics().elidedText(self._preset, elide, int(width))
        painter.drawText(QRectF(left, top + line, width, line), middle, name)
        painter.end()


class RackStrip(QFrame):
    """`controls` by parameter id. A click beside them has the part edited as well."""

    hinted = Signal(str)

    def __init__(self, player: Player, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.number = number
        self.button = PartButton(number)
        self.button.clicked.connect(lambda: player.choose_part(number))
        self.controls = {parameter_id: self._control(parameter_id) for parameter_id in PARAMETERS_SHOWN}
        self.meter = PartMeter(f"Part {number + 1} level")
        self.menu_button = IconButton("more", f"More about part {number + 1}")
        self.menu_button.clicked.connect(self._open_menu)
        self._cells: dict[str, QWidget] = {
            "part": self.button, **self.controls, "meter": self.meter, "menu": self.menu_button,
        }  # fmt: skip
        row = QHBoxLayout(self)
        row.setContentsMargins(GAP - MARK, 0, GAP, 0)
        row.setSpacing(GAP)
        for column in COLUMNS:
            row.addWidget(self._cells[column.id])
        self.show_part()
        self.show_learned()

    def _control(self, parameter_id: str) -> ValueControl:
        row, number = PARAMETERS[PARAMETER_INDEX[parameter_id]], self.number
        name = f"Part {number + 1} {row.label.lower()}"
        control: ValueControl
        if parameter_id == "mute":
            control = Toggle(row, "M", theme.DANGER, name)
        elif parameter_id == "solo":
            control = Toggle(row, "S", theme.ACCENT, name)
        elif parameter_id == "channel":
            control = Choice(row, name, bare=True)
        else:
            control = Bar(row, name, row.minimum if parameter_id == "volume" else 0.0)
        control.setFixedHeight(CONTROL_HEIGHT)
        control.set_value(self._player.parts[number].values[parameter_id])
        control.value_changed.connect(lambda value: self._player.set_parameter(parameter_id, value, number))
        control.menu_asked.connect(lambda place: control_menu(control, parameter_id, self._player, number).popup(place))
        control.hinted.connect(self.hinted)
        return control

    @property
    def stops(self) -> list[QWidget]:
        """What Tab leads to, in this order."""
        return [self.button, *self.controls.values(), self.menu_button]

    def set_widths(self, widths: Mapping[str, int]) -> None:
        for id_, cell in self._cells.items():
            cell.setVisible(id_ in widths)
            if id_ in widths:
                cell.setFixedWidth(widths[id_])

    # what is shown

    def show_part(self) -> None:
        """Instrument and preset, and whether this is the part that is edited."""
        player, part = self._player, self._player.parts[self.number]
        chosen, missing = self.number == player.chosen, part.instrument is None
        name = part_name(player, self.number)
        self.button.set_part(part.title, "is missing" if missing else part.preset_name, missing, chosen)
        self.button.setAccessibleName(f"Part {self.number + 1}: {name}")
        self.button.setAccessibleDescription("This part is edited." if chosen else "")
        self.button.setToolTip(f"{name}.\n{'This part is edited.' if chosen else 'Click to edit this part.'}")
        self.setProperty("strip", "chosen" if chosen else "other")
        self.style().unpolish(self)
        self.style().polish(self)
        for parameter_id, control in self.controls.items():
            self.show_value(parameter_id, part.values[parameter_id])
            control.setEnabled(not missing)

    def show_value(self, parameter_id: str, value: float) -> None:
        control = self.controls.get(parameter_id)
        if control is not None and not control.held:
            control.set_value(value)

    def show_learned(self) -> None:
        teaching = self._player.teaching
        for parameter_id, control in self.controls.items():
            control.set_learned(teaching.moved_by(parameter_id, self.number), teaching.waits(parameter_id, self.number))

    # gestures

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._player.choose_part(self.number)

    def _open_menu(self) -> None:
        self.menu().popup(self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))

    def menu(self) -> QMenu:
        """What can be done with the part."""
        player, number, part = self._player, self.number, self._player.parts[self.number]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(f"Part {number + 1}")
        menu.addAction("Edit this part", lambda: player.choose_part(number)).setEnabled(number != player.chosen)
        presets = menu.addMenu("Preset")
        for index, preset in enumerate(part.presets):
            name = preset.name.replace("&", "&&")
            action = presets.addAction(name, lambda index=index: player.choose_preset(index, number))  # type: ignore[misc]
            action.setCheckable(True)
            action.setChecked(index == part.preset)
        presets.setEnabled(bool(part.presets))
        add_instruments(menu.addMenu("Replace instrument"), player, lambda path: player.rack.replace(number, path))
        menu.addSeparator()
        menu.addAction("Remove part", lambda: player.rack.remove(number)).setEnabled(len(player.used) > 1)
        return menu
