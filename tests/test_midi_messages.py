"""MIDI bytes as events."""

from __future__ import annotations

import pytest

from noisysynth.events import BY_CHANNEL, EventKind, Transport
from noisysynth.midi.messages import event_of


@pytest.mark.parametrize(
    ("message", "kind", "index", "value"),
    [
        ([0x93, 60, 127], EventKind.NOTE_ON, 60, 1.0),
        ([0x93, 60, 1], EventKind.NOTE_ON, 60, 1 / 127),
        ([0x93, 60, 0], EventKind.NOTE_OFF, 60, 64 / 127),  # MIDI 1.0: as a note-off of velocity 64
        ([0x83, 60, 32], EventKind.NOTE_OFF, 60, 32 / 127),
        ([0xA3, 60, 127], EventKind.POLY_PRESSURE, 60, 1.0),
        ([0xB3, 64, 127], EventKind.CONTROL_CHANGE, 64, 1.0),
        ([0xC3, 127], EventKind.PROGRAM_CHANGE, 127, 0.0),
        ([0xD3, 127], EventKind.CHANNEL_PRESSURE, 0, 1.0),
        ([0xE3, 0, 0], EventKind.PITCH_BEND, 0, -1.0),
        ([0xE3, 0, 64], EventKind.PITCH_BEND, 0, 0.0),
        ([0xE3, 127, 127], EventKind.PITCH_BEND, 0, 1.0),
        (bytes([0x83, 60, 127]), EventKind.NOTE_OFF, 60, 1.0),
    ],
)
def test_messages_of_a_channel(message: list[int], kind: EventKind, index: int, value: float) -> None:
    event = event_of(message)
    assert event is not None
    assert (event["kind"][0], event["channel"][0], event["index"][0]) == (kind, 3, index)
    assert event["part"][0] == BY_CHANNEL
    assert event["value"][0] == pytest.approx(value)


@pytest.mark.parametrize(
    ("status", "kind", "index"),
    [
        (0xF8, EventKind.CLOCK, 0),
        (0xFA, EventKind.TRANSPORT, Transport.START),
        (0xFB, EventKind.TRANSPORT, Transport.CONTINUE),
        (0xFC, EventKind.TRANSPORT, Transport.STOP),
    ],
)
def test_messages_of_the_system(status: int, kind: EventKind, index: int) -> None:
    event = event_of([status])
    assert event is not None
    assert (event["kind"][0], event["index"][0]) == (kind, index)


@pytest.mark.parametrize(
    "message",
    [
        [], [60], [60, 60, 60], [0x90], [0x90, 60], [0x90, 60, 1, 1], [0x90, 60, 200], [0x90, -1, 3], [0x190, 60, 100],
        [0xC0], [0xC0, 5, 5], [0xD0, 128], [0xF0, 1, 2, 0xF7], [0xF1, 1], [0xF2, 1, 2], [0xF6], [0xF8, 1], [0xF9],
        [0xFE], [0xFF], [0x100], [-8],
    ],
)  # fmt: skip
def test_what_is_no_message_of_ours_is_ignored(message: list[int]) -> None:
    assert event_of(message) is None
