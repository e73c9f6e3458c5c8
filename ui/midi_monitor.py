"""MIDI monitor: what comes in, from which port, in words. While it is hidden, nothing is kept and nothing asked."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from noisysynth.ui import theme
from noisysynth.ui.controls.standard import Button, Combo
from noisysynth.ui.midi_log import MidiLogModel
from noisysynth.ui.midi_words import Group
from noisysynth.ui.player import Player

LOOK_MS = 80
FROM_NOW_ON = 1 << 62  # a message number that is never reached
ROW = 3 * theme.UNIT
ALL_PORTS, ALL_CHANNELS = "All ports", "All channels"
NOT_AT_FIRST = (Group.CLOCK,)  # 48 lines a second would hide everything else
WIDTHS = (13 * theme.UNIT, 20 * theme.UNIT, 4 * theme.UNIT, 28 * theme.UNIT)  # of the columns but the last


class MidiMonitor(QDialog):
    """Stays open beside the window, so that one can play and look."""

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._next = FROM_NOW_ON
        self.setWindowTitle("MIDI monitor")
        self.resize(92 * theme.UNIT, 64 * theme.UNIT)
        self.model = MidiLogModel(self)
        self.table = self._make_table()
        self.port = Combo("Port")
        self.port.addItem(ALL_PORTS, "")
        self.channel = Combo("Channel")
        self.channel.addItem(ALL_CHANNELS, 0)
        for number in range(1, 17):
            self.channel.addItem(f"Channel {number}", number)
        self.chips: dict[Group, Button] = {}
        for group in Group:
            chip = Button(group.value)
            chip.setProperty("chip", True)
            chip.setCheckable(True)
            chip.setChecked(group not in NOT_AT_FIRST)
            chip.setAccessibleName(f"Show {group.value.lower()}")
            chip.toggled.connect(self._filter)
            self.chips[group] = chip
        self.pause = Button("Pause")
        self.pause.setCheckable(True)
        self.pause.setToolTip("Hold the list still; what comes in meanwhile is left out")
        self.pause.toggled.connect(self._pause)
        self.clear = Button("Clear")
        self.clear.clicked.connect(self.model.clear)
        self.copy = Button("Copy")
        self.copy.setToolTip("Copy the chosen lines as text, or all of them (Ctrl+C)")
        self.copy.clicked.connect(self.copy_text)
        self.state = QLabel()
        self.state.setProperty("quiet", True)
        self.close_button = Button("Close")
        self.close_button.clicked.connect(self.accept)
        for button in (*self.chips.values(), self.pause, self.clear, self.copy, self.close_button):
            button.setAutoDefault(False)
        self._lay_out()
        for combo in (self.port, self.channel):
            combo.activated.connect(self._filter)
        self._filter()
        self._clock = QTimer(self, interval=LOOK_MS)
        self._clock.timeout.connect(self.look)

    @staticmethod
    def _make_table() -> QTableView:
        table = QTableView()
        table.setAccessibleName("Messages")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW)
        return table

    def _lay_out(self) -> None:
        table, header = self.table, self.table.horizontalHeader()
        table.setModel(self.model)
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for place, width in enumerate(WIDTHS):
            header.resizeSection(place, width)
        header.setSectionResizeMode(len(WIDTHS), QHeaderView.ResizeMode.Stretch)
        filters = QHBoxLayout()
        filters.setSpacing(theme.HALF)
        for chip in self.chips.values():
            filters.addWidget(chip)
        filters.addStretch()
        choices = QHBoxLayout()
        choices.setSpacing(theme.UNIT)
        choices.addWidget(self.port, 2)
        choices.addWidget(self.channel, 1)
        choices.addWidget(self.pause)
        choices.addWidget(self.clear)
        frame = QFrame()
        frame.setProperty("panel", True)
        self._frame, self._inside = frame, QVBoxLayout(frame)
        self._inside.addWidget(table)
        self._leave_whole_rows()
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.UNIT)
        buttons.addWidget(self.copy)
        buttons.addWidget(self.state, 1)
        buttons.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT)
        column.setSpacing(theme.UNIT)
        column.addLayout(choices)
        column.addLayout(filters)
        column.addWidget(frame, 1)
        column.addLayout(buttons)

    def _leave_whole_rows(self) -> None:
        """The margin below takes what is left over, or the uppermost row would be cut."""
        room = self._frame.height() - 2 * theme.UNIT - self.table.horizontalHeader().height()
        self._inside.setContentsMargins(theme.UNIT, theme.UNIT, theme.UNIT, theme.UNIT + max(room, 0) % ROW)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        QTimer.singleShot(0, self._leave_whole_rows)  # once the layout has given the frame its height

    # only while somebody sees it

    @property
    def watching(self) -> bool:
        return self._clock.isActive()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.table.setFocus()
        self._watch(not self.pause.isChecked())

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._watch(False)

    def _watch(self, on: bool) -> None:
        self._next = FROM_NOW_ON
        self._player.watch_midi(on)
        if on:
            self._clock.start()
            self.look()
        else:
            self._clock.stop()
        self._tell()

    def _pause(self, paused: bool) -> None:
        self.pause.setText("Go on" if paused else "Pause")
        if self.isVisible():
            self._watch(not paused)

    def look(self) -> None:
        """Take in what came since the last look."""
        player = self._player
        player.watch_midi(True)  # an engine that started meanwhile knows nothing of us
        messages, self._next = player.midi_messages(self._next)
        if messages:
            bar = self.table.verticalScrollBar()
            at_end = bar.value() >= bar.maximum()
            for message in messages:
                if self.port.findData(message.port) < 0:
                    self.port.addItem(message.port, message.port)
            self.model.add(messages)
            if at_end:
                self.table.scrollToBottom()
        self._tell()

    def _tell(self) -> None:
        if self.pause.isChecked():
            text = "paused"
        elif not self._player.running:
            text = "the engine is not running"
        elif not self.model.rowCount():
            text = "waiting for messages: play something"
        else:
            text = f"{self.model.rowCount()} messages"
        if text != self.state.text():
            self.state.setText(text)

    # what the player does

    def _filter(self) -> None:
        groups = frozenset(group for group, chip in self.chips.items() if chip.isChecked())
        self.model.filter(groups, self.channel.currentData(), self.port.currentData())
        self.table.scrollToBottom()
        self._tell()

    def copy_text(self) -> None:
        """Put the chosen lines, or all that are shown, on the clipboard."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        text = self.model.text(rows or range(self.model.rowCount()))
        QGuiApplication.clipboard().setText(text)
        count = len(text.splitlines())
        self.state.setText(f"copied {count} line{'s' * (count != 1)}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_text()
        else:
            super().keyPressEvent(event)
