"""The MIDI monitor: what it says of messages, what it shows, and that it costs nothing while it is hidden."""

from __future__ import annotations

import re
import time

import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from noisysynth.engine.messages import MidiMessage
from noisysynth.ui.controls.values import MINUS
from noisysynth.ui.midi_log import KEPT, MidiLogModel
from noisysynth.ui.midi_monitor import MidiMonitor
from noisysynth.ui.midi_words import Group, in_words
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)


def message(*data: int, port: str = "Keys", number: int = 0) -> MidiMessage:
    return MidiMessage(number, time.perf_counter(), port, bytes(data), len(data))


@pytest.mark.parametrize(
    ("data", "group", "channel", "text", "value"),
    [
        ((0x90, 60, 100), Group.NOTES, 1, "Note on C4 (60)", "100"),
        ((0x93, 61, 0), Group.NOTES, 4, "Note off C\u266f4 (61)", ""),
        ((0x8F, 21, 64), Group.NOTES, 16, "Note off A0 (21)", "64"),
        ((0xA0, 60, 5), Group.EXPRESSION, 1, "Pressure of C4 (60)", "5"),
        ((0xB0, 74, 70), Group.CONTROLLERS, 1, "Controller 74, Tilt", "70"),
        ((0xB0, 1, 3), Group.CONTROLLERS, 1, "Controller 1, Mod wheel", "3"),
        ((0xB0, 64, 127), Group.CONTROLLERS, 1, "Controller 64, Sustain pedal", "127, down"),
        ((0xB0, 64, 0), Group.CONTROLLERS, 1, "Controller 64, Sustain pedal", "0, up"),
        ((0xB0, 90, 1), Group.CONTROLLERS, 1, "Controller 90", "1"),
        ((0xC1, 4), Group.PROGRAMS, 2, "Program change", "5"),
        ((0xD0, 33), Group.EXPRESSION, 1, "Pressure", "33"),
        ((0xE0, 0, 64), Group.EXPRESSION, 1, "Pitch bend", "0.00"),
        ((0xE0, 127, 127), Group.EXPRESSION, 1, "Pitch bend", "+1.00"),
        ((0xE0, 0, 0), Group.EXPRESSION, 1, "Pitch bend", f"{MINUS}1.00"),
        ((0xF8,), Group.CLOCK, 0, "Clock", ""),
        ((0xFA,), Group.CLOCK, 0, "Start", ""),
        ((0xF2, 1, 1), Group.SYSTEM, 0, "Song position", "129"),
        ((0xFE,), Group.SYSTEM, 0, "Active sensing", ""),
        ((0xF0, 0x7E, 0xF7), Group.SYSTEM, 0, "System exclusive, 3 bytes", "F0 7E F7"),
        ((0x90, 60), Group.SYSTEM, 0, "Not understood", "90 3C"),
        ((), Group.SYSTEM, 0, "Not understood", ""),
    ],
)
def test_words(data: tuple[int, ...], group: Group, channel: int, text: str, value: str) -> None:
    words = in_words(bytes(data), len(data))
    assert (words.group, words.channel, words.text, words.value) == (group, channel, text, value)


def test_a_long_message_shows_its_beginning() -> None:
    words = in_words(bytes([0xF0, 1, 2]), 100)
    assert (words.text, words.value) == ("System exclusive, 100 bytes", "F0 01 02 \u2026")


@pytest.fixture
def monitor(window: Window, qtbot: QtBot) -> MidiMonitor:
    qtbot.keyClick(window, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(window.monitor.isVisible)
    return window.monitor


def texts(monitor: MidiMonitor) -> list[str]:
    return [line.words.text for line in monitor.model.lines]


def test_what_comes_in_is_shown_while_it_is_open(
    window: Window, engine: FakeEngine, monitor: MidiMonitor, qtbot: QtBot
) -> None:
    assert engine.watched
    engine.incoming += [message(0x90, 60, 100, port="Stage 61"), message(0xB2, 74, 3, port="Stage 61")]
    qtbot.waitUntil(lambda: len(monitor.model.lines) == 2)
    first, second = (line.cells() for line in monitor.model.lines)
    assert first[1:] == ("Stage 61", "1", "Note on C4 (60)", "100")
    assert second[1:] == ("Stage 61", "3", "Controller 74, Tilt", "3")
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", first[0])
    assert monitor.state.text() == "2 messages"


def test_hidden_it_asks_nothing(window: Window, engine: FakeEngine, monitor: MidiMonitor, qtbot: QtBot) -> None:
    monitor.accept()
    assert not engine.watched
    assert not monitor.watching
    reads = engine.midi_reads
    qtbot.wait(250)
    assert engine.midi_reads == reads
    engine.incoming += [message(0x90, 60, 100)]
    monitor.show()
    qtbot.wait(200)
    assert texts(monitor) == []  # what came meanwhile is nobody's business


def test_pause_holds_still_and_leaves_out(engine: FakeEngine, monitor: MidiMonitor, qtbot: QtBot) -> None:
    monitor.pause.click()
    assert (engine.watched, monitor.watching) == (False, False)
    engine.incoming += [message(0x90, 60, 100)]
    qtbot.wait(200)
    monitor.pause.click()
    engine.incoming += [message(0x90, 62, 100)]
    qtbot.waitUntil(lambda: texts(monitor) == ["Note on D4 (62)"])


def test_filters(engine: FakeEngine, monitor: MidiMonitor, qtbot: QtBot) -> None:
    engine.incoming += [
        message(0x90, 60, 100, port="A"),
        message(0x91, 62, 100, port="B"),
        message(0xF8, port="B"),
        message(0xE0, 0, 64, port="A"),
    ]
    qtbot.waitUntil(lambda: len(texts(monitor)) == 3)
    assert "Clock" not in texts(monitor)  # it would bury the rest
    monitor.chips[Group.CLOCK].setChecked(True)
    assert len(texts(monitor)) == 4
    monitor.port.setCurrentIndex(monitor.port.findData("B"))
    monitor.port.activated.emit(0)
    assert texts(monitor) == ["Note on D4 (62)", "Clock"]
    monitor.channel.setCurrentIndex(2)
    monitor.channel.activated.emit(2)
    assert texts(monitor) == ["Note on D4 (62)"]
    monitor.chips[Group.NOTES].setChecked(False)
    assert texts(monitor) == []


def test_it_copies_what_is_chosen_or_everything(engine: FakeEngine, monitor: MidiMonitor, qtbot: QtBot) -> None:
    engine.incoming += [message(0x90, 60 + i, 100) for i in range(3)]
    qtbot.waitUntil(lambda: len(texts(monitor)) == 3)
    monitor.copy.click()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert [line.split("\t")[3] for line in lines] == ["Note on C4 (60)", "Note on C\u266f4 (61)", "Note on D4 (62)"]
    monitor.table.selectRow(1)
    qtbot.keyClick(monitor.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    (line,) = QGuiApplication.clipboard().text().splitlines()
    assert line.split("\t")[1:] == ["Keys", "1", "Note on C\u266f4 (61)", "100"]
    monitor.clear.click()
    assert texts(monitor) == []


def test_an_engine_that_starts_anew_is_watched_again(
    window: Window, engine: FakeEngine, monitor: MidiMonitor, qtbot: QtBot
) -> None:
    window.player.restart()
    engine.watched = False
    qtbot.waitUntil(lambda: window.player.running)
    qtbot.waitUntil(lambda: engine.watched)


def test_no_row_is_cut(engine: FakeEngine, monitor: MidiMonitor, qtbot: QtBot) -> None:
    engine.incoming += [message(0x90, 60, i % 127 + 1) for i in range(100)]
    qtbot.waitUntil(lambda: len(texts(monitor)) == 100)
    for height in (420, 431, 500, 517):
        monitor.resize(monitor.width(), height)
        table = monitor.table
        qtbot.waitUntil(lambda t=table, h=height: monitor.height() == h and t.viewport().height() % t.rowHeight(0) == 0)
        table.scrollToBottom()
        assert table.rowViewportPosition(99) + table.rowHeight(99) == table.viewport().height()


def test_a_flood_is_bounded(qtbot: QtBot) -> None:
    model = MidiLogModel()
    for _ in range(5):
        model.add([message(0xB0, 1, i % 128) for i in range(1000)])
    assert model.rowCount() == KEPT
    assert len(model.lines) == KEPT
