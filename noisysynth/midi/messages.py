"""MIDI bytes to events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noisysynth.events import EventKind, make_event

_NOTE_OFF = 0x80
_NOTE_ON = 0x90
_CONTROL_CHANGE = 0xB0
_PITCH_BEND = 0xE0
_BEND_CENTER = 8192


def event_of(message: Sequence[int]) -> NDArray[np.void] | None:
    """The event [1] of one whole MIDI message (status byte first); None for what we do not play.

    Data bytes over 127 and messages cut short are no MIDI and give None.
    """
    if len(message) != 3 or any(not 0 <= byte <= 127 for byte in message[1:]):
        return None
    status, channel = message[0] & 0xF0, message[0] & 0x0F
    first, second = int(message[1]), int(message[2])
    if status == _NOTE_ON and second > 0:
        return make_event(EventKind.NOTE_ON, first, second / 127.0, channel=channel)
    if status in (_NOTE_ON, _NOTE_OFF):
        return make_event(EventKind.NOTE_OFF, first, second / 127.0, channel=channel)
    if status == _CONTROL_CHANGE:
        return make_event(EventKind.CONTROL_CHANGE, first, second / 127.0, channel=channel)
    if status == _PITCH_BEND:
        bend = first + 128 * second - _BEND_CENTER
        # The upper half has one step less than the lower; both ends must reach full bend.
        return make_event(
            EventKind.PITCH_BEND, 0, bend / (_BEND_CENTER - 1 if bend > 0 else _BEND_CENTER), channel=channel
        )
    return None
