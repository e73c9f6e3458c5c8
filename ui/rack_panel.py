"""The rack page: a strip for each part, and what brings parts and whole racks in and out."""

from __future__ import annotations

import itertools
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QLabel, QMenu, QScrollArea, QVBoxLayout, QWidget

from noisysynth.engine.messages import EngineStatus
from noisysynth.parameters import N_PARTS
from noisysynth.ui import theme
from noisysynth.ui.controls.standard import Button
from noisysynth.ui.history import RACK
from noisysynth.ui.instrument_menu import add_instruments
from noisysynth.ui.player import Player
from noisysynth.ui.rack_columns import COLUMNS, GAP, column_widths
from noisysynth.ui.rack_file import SUFFIX
from noisysynth.ui.rack_strip import RackStrip

LOWEST_STRIP, TALLEST_STRIP = 5 * theme.UNIT, 7 * theme.UNIT
LINE = 2  # between strips
RACK_FILES = f"Racks (*{SUFFIX});;All files (*)"
ADVICE = (
    "A new part plays together with the others. Give it a MIDI channel, or a range of keys, to play it alone. "
    "The keys of this window play the channel of the part that is edited."
)


class RackPanel(QFrame):
    """`strips` by part, made when a part is first used."""

    hinted = Signal(str)

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.strips: dict[int, RackStrip] = {}
        self.setProperty("panel", True)
        self.add = Button("Add part")
        self.add.setToolTip("Put another instrument into the first part that is free")
        self.add.clicked.connect(self._ask_part)
        self.read = Button("Open rack\u2026")
        self.read.setToolTip(f"Play a whole rack from a file ({SUFFIX})")
        self.read.clicked.connect(self._ask_read)
        self.write = Button("Save rack\u2026")
        self.write.setToolTip(f"Keep the whole rack as a file ({SUFFIX})")
        self.write.clicked.connect(self._ask_write)
        heading = QLabel("Rack")
        heading.setProperty("heading", True)
        self.count = QLabel()
        self.count.setProperty("quiet", True)
        self.count.setFont(theme.font(theme.SMALL))
        head = QHBoxLayout()
        head.setContentsMargins(theme.HALF, 0, 0, 0)
        head.setSpacing(theme.UNIT)
        head.addWidget(heading)
        head.addWidget(self.count)
        head.addStretch()
        for button in (self.add, self.read, self.write):
            head.addWidget(button)

        self._heads = QWidget()
        self._head_labels = {column.id: QLabel(column.head, self._heads) for column in COLUMNS if column.head}
        for label in self._head_labels.values():
            label.setProperty("heading", True)
        self._heads.setFixedHeight(2 * theme.UNIT)
        self._content = QWidget()
        self._lines = QVBoxLayout(self._content)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(LINE)
        advice = QLabel(ADVICE)
        advice.setProperty("quiet", True)
        advice.setFont(theme.font(theme.SMALL + 1))
        advice.setWordWrap(True)
        advice.setContentsMargins(theme.HALF, theme.UNIT, theme.HALF, 0)
        self._lines.addWidget(advice)
        self._lines.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._content)
        for ground in (self._scroll.viewport(), self._content):  # the panel's own is seen
            ground.setAutoFillBackground(False)
        self._scroll.verticalScrollBar().rangeChanged.connect(lambda *_: self._lay_out())
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.UNIT, theme.UNIT, theme.UNIT, theme.UNIT)
        column.setSpacing(theme.UNIT)
        column.addLayout(head)
        column.addWidget(self._heads)
        column.addWidget(self._scroll, 1)

        player.part_changed.connect(self._show_part)
        player.part_chosen.connect(lambda _: self._show_chosen())
        player.part_parameter_changed.connect(self._show_value)
        player.learned_changed.connect(self._show_learned)
        self._show_chosen()

    # what is shown

    def feed(self, status: EngineStatus) -> None:
        """Once per screen frame, while the page is seen."""
        for number, strip in self.strips.items():
            if not strip.isHidden() and number < min(len(status.part_peaks), len(status.part_voices)):
                strip.meter.feed(status.part_peaks[number], status.part_voices[number])

    def _show_part(self, number: int) -> None:
        used = self._player.parts[number].used
        strip = self.strips.get(number)
        if used and strip is None:
            strip = self.strips[number] = RackStrip(self._player, number)
            strip.hinted.connect(self.hinted)
            strip.setFixedHeight(LOWEST_STRIP)
            at = sorted(self.strips).index(number)
            self._lines.insertWidget(at, strip)
            stops = [stop for each in sorted(self.strips) for stop in self.strips[each].stops]
            for before, after in itertools.pairwise([self.write, *stops]):
                QWidget.setTabOrder(before, after)
        if strip is not None:
            strip.setVisible(used)
            strip.show_part()
        self._count()
        self._lay_out()

    def _show_chosen(self) -> None:
        for strip in self.strips.values():
            strip.show_part()
        chosen = self.strips.get(self._player.chosen)
        if chosen is not None:
            self._scroll.ensureWidgetVisible(chosen, 0, 0)
        self._count()

    def _count(self) -> None:
        used = len(self._player.used)
        self.count.setText(f"{used} of {N_PARTS} parts")
        self.add.setEnabled(used < N_PARTS)

    def _show_value(self, number: int, parameter_id: str, value: float) -> None:
        if number != RACK and number in self.strips:
            self.strips[number].show_value(parameter_id, value)

    def _show_learned(self) -> None:
        for strip in self.strips.values():
            strip.show_learned()

    def take_focus(self) -> None:
        """On the part that is edited."""
        strip = self.strips.get(self._player.chosen)
        (strip.button if strip is not None else self.add).setFocus(Qt.FocusReason.OtherFocusReason)

    # sizes

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()
        QTimer.singleShot(0, self._lay_out)  # once more, when the layout has given the list its height

    def _lay_out(self) -> None:
        shown = [strip for strip in self.strips.values() if not strip.isHidden()]
        room = self._scroll.height()
        height = min(max(room // max(len(shown), 1) - LINE, LOWEST_STRIP), TALLEST_STRIP) // theme.HALF * theme.HALF
        bar = self._scroll.verticalScrollBar()
        width = self.width() - 2 * theme.UNIT - (bar.sizeHint().width() if bar.maximum() > 0 else 0)
        widths = column_widths(width - 2 * GAP)
        for strip in shown:
            strip.setFixedHeight(height)
            strip.set_widths(widths)
        x = GAP
        for label in self._head_labels.values():
            label.hide()
        shown_columns = [column for column in COLUMNS if column.id in widths]
        for at, column in enumerate(shown_columns):
            head = self._head_labels.get(column.id)
            if head is not None:
                over = sum(widths[each.id] + GAP for each in shown_columns[at : at + column.over])
                head.setGeometry(x, 0, over - GAP, self._heads.height())
                head.show()
            x += widths[column.id] + GAP

    # gestures

    def part_menu(self) -> QMenu:
        """Instruments for another part."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName("Add part")
        add_instruments(menu, self._player, self._player.rack.add)
        return menu

    def _ask_part(self) -> None:
        self.part_menu().popup(self.add.mapToGlobal(self.add.rect().bottomLeft()))

    def _ask_read(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open rack", "", RACK_FILES)
        if name:
            self._player.rack.read_file(Path(name))

    def _ask_write(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save rack", f"My rack{SUFFIX}", RACK_FILES)
        if name:
            path = Path(name)
            self._player.rack.write_file(path if path.suffix else path.with_suffix(SUFFIX))
