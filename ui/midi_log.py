"""The lines of the MIDI monitor: what came in, filtered, as a table's model."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterable

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from noisysynth.engine.messages import MidiMessage
from noisysynth.ui import theme
from noisysynth.ui.midi_words import Group, Words, in_words

COLUMNS = ("Time", "Port", "Ch", "Message", "Value")
KEPT = 2000

_NO_INDEX = QModelIndex()


@dataclasses.dataclass(frozen=True)
class Line:
    """A message as it is shown; `time`: of day, to the millisecond."""

    time: str
    port: str
    words: Words

    def cells(self) -> tuple[str, ...]:
        """One text for each of COLUMNS."""
        channel = str(self.words.channel) if self.words.channel else ""
        return (self.time, self.port, channel, self.words.text, self.words.value)


class MidiLogModel(QAbstractTableModel):
    """The newest KEPT lines, of which those that pass the filters are shown."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: collections.deque[Line] = collections.deque(maxlen=KEPT)
        self._shown: list[Line] = []
        self._groups: frozenset[Group] = frozenset(Group)
        self._channel = 0
        self._port = ""

    @property
    def lines(self) -> tuple[Line, ...]:
        """Those that are shown, oldest first."""
        return tuple(self._shown)

    def add(self, messages: Iterable[MidiMessage]) -> None:
        """Append messages; the oldest lines make room."""
        now_s, clock_s = time.time(), time.perf_counter()
        new = [_line(message, now_s - clock_s + message.came_s) for message in messages]
        self._lines.extend(new)
        new = [line for line in new if self._passes(line)]
        if not new:
            return
        at = len(self._shown)
        self.beginInsertRows(QModelIndex(), at, at + len(new) - 1)
        self._shown += new
        self.endInsertRows()
        if (over := len(self._shown) - KEPT) > 0:
            self.beginRemoveRows(QModelIndex(), 0, over - 1)
            del self._shown[:over]
            self.endRemoveRows()

    def clear(self) -> None:
        self.beginResetModel()
        self._lines.clear()
        self._shown.clear()
        self.endResetModel()

    def filter(self, groups: frozenset[Group], channel: int, port: str) -> None:
        """channel: 0 for all; what belongs to no channel passes then only. port: "" for all."""
        self.beginResetModel()
        self._groups, self._channel, self._port = groups, channel, port
        self._shown = [line for line in self._lines if self._passes(line)]
        self.endResetModel()

    def _passes(self, line: Line) -> bool:
        return (
            line.words.group in self._groups
            and self._channel in (0, line.words.channel)
            and self._port in ("", line.port)
        )

    def text(self, rows: Iterable[int]) -> str:
        """Lines of these rows for a letter or a report: cells with tabs between them."""
        return "\n".join("\t".join(self._shown[row].cells()) for row in rows)

    # what the table asks

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | None:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._shown[index.row()].cells()[index.column()]
        if role == Qt.ItemDataRole.ForegroundRole and index.column() < 3:
            return theme.qcolor(theme.TEXT_QUIET)
        return None


def _line(message: MidiMessage, came_s: float) -> Line:
    clock = time.strftime("%H:%M:%S", time.localtime(came_s))
    return Line(f"{clock}.{int(came_s % 1.0 * 1000):03d}", message.port, in_words(message.data, message.length))
