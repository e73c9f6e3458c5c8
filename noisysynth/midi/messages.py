"""MIDI bytes to events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noisysynth.events import EventKind, Transport, make_event

_BEND_CENTER = 8192
_RELEASE_UNKNOWN = 64 / 127  # what MIDI takes for a key let go by a note-on without velocity

# Of channel messages, by the upper half of the status byte: what it means, and how many data bytes follow.
_CHANNEL_MESSAGES = {
    0x80: (EventKind.NOTE_OFF, 2),
    0x90: (EventKind.NOTE_ON, 2),
    0xA0: (EventKind.POLY_PRESSURE, 2),
    0xB0: (EventKind.CONTROL_CHANGE, 2),
    0xC0: (EventKind.PROGRAM_CHANGE, 1),
    0xD0: (EventKind.CHANNEL_PRESSURE, 1),
    0xE0: (EventKind.PITCH_BEND, 2),
}
_TRANSPORTS = {0xFA: Transport.START, 0xFB: Transport.CONTINUE, 0xFC: Transport.STOP}
_CLOCK = 0xF8


def event_of(message: Sequence[int]) -> NDArray[np.void] | None:
    """The event [1] of one whole MIDI message (status byte first); None for what we do not play.

    Data bytes over 127 and messages of the wrong length are no MIDI and give None.
    """
    if len(message) == 1:
        if message[0] == _CLOCK:
            return make_event(EventKind.CLOCK)
        transport = _TRANSPORTS.get(message[0])
        return None if transport is None else make_event(EventKind.TRANSPORT, transport)
    if not message or not 0x80 <= message[0] < 0xF0 or any(not 0 <= byte <= 127 for byte in message[1:]):
        return None
    kind, length = _CHANNEL_MESSAGES[message[0] & 0xF0]
    channel, data = message[0] & 0x0F, [int(byte) for byte in message[1:]]
    if len(data) != length:
        return None
    if kind == EventKind.PITCH_BEND:
        bend = data[0] + 128 * data[1] - _BEND_CENTER
        # The upper half has one step less than the lower; both ends must reach full bend.
        return make_event(kind, 0, bend / (_BEND_CENTER - 1 if bend > 0 else _BEND_CENTER), channel=channel)
    if kind == EventKind.PROGRAM_CHANGE:
        return make_event(kind, data[0], channel=channel)
    if kind == EventKind.CHANNEL_PRESSURE:
        return make_event(kind, 0, data[0] / 127.0, channel=channel)
    if kind == EventKind.NOTE_ON and data[1] == 0:
        return make_event(EventKind.NOTE_OFF, data[0], _RELEASE_UNKNOWN, channel=channel)
    return make_event(kind, data[0], data[1] / 127.0, channel=channel)
