"""The ring in which incoming MIDI is written down for who watches."""

from __future__ import annotations

import numpy as np
import pytest

from noisysynth.engine.midi_log import MidiLog, read_log
from noisysynth.engine.state import MEMORY_DTYPE, MIDI_LOG_BYTES, MIDI_LOG_LENGTH, MIDI_LOG_PORT


@pytest.fixture
def memory() -> np.void:
    return np.zeros(1, MEMORY_DTYPE)[0]


def test_nothing_is_kept_while_nobody_watches(memory: np.void) -> None:
    log = MidiLog(memory)
    log.note("Keys", [0x90, 60, 100], 1.0)
    assert read_log(memory, 0) == ([], 0)
    memory["midi_watched"][0] = 1
    log.note("Keys", [0x90, 62, 100], 2.0)
    memory["midi_watched"][0] = 0
    log.note("Keys", [0x90, 64, 100], 3.0)
    messages, after = read_log(memory, 0)
    assert [(each.port, each.data, each.length, each.came_s) for each in messages] == [
        ("Keys", bytes([0x90, 62, 100]), 3, 2.0)
    ]
    assert after == 1


def test_each_is_read_once(memory: np.void) -> None:
    log = MidiLog(memory)
    memory["midi_watched"][0] = 1
    for value in range(5):
        log.note("Keys", [0xB0, 1, value], float(value))
    first, after = read_log(memory, 0)
    log.note("Keys", [0xB0, 1, 99], 9.0)
    second, _ = read_log(memory, after)
    assert [each.data[2] for each in first] == [0, 1, 2, 3, 4]
    assert [each.data[2] for each in second] == [99]
    assert [each.number for each in second] == [5]
    assert read_log(memory, 1 << 60) == ([], 6)  # from now on


def test_a_long_message_and_a_long_name_are_cut(memory: np.void) -> None:
    log = MidiLog(memory)
    memory["midi_watched"][0] = 1
    log.note("é" * 100, [0xF0, *range(100), 0xF7], 1.0)
    log.note("Short", [0xF8], 2.0)
    (long, short), _ = read_log(memory, 0)
    assert (long.length, len(long.data)) == (102, MIDI_LOG_BYTES)
    assert long.port == "é" * (MIDI_LOG_PORT // 2)
    assert (short.port, short.data) == ("Short", b"\xf8")  # nothing of the one before


def test_a_flood_loses_the_oldest(memory: np.void) -> None:
    log = MidiLog(memory)
    memory["midi_watched"][0] = 1
    count = MIDI_LOG_LENGTH + 100
    for number in range(count):
        log.note("Keys", [0x90, number % 128, 1], float(number))
    messages, after = read_log(memory, 0)
    assert after == count
    assert messages[-1].number == count - 1
    numbers = [each.number for each in messages]
    assert numbers == list(range(numbers[0], count))
    assert numbers[0] >= count - MIDI_LOG_LENGTH
    assert all(each.came_s == each.number for each in messages)
