"""The event record: everything that can happen to the instrument, as one fixed-size row."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from noisysynth.spec import MAX_LATENT

NOW = -1
BY_CHANNEL = -1  # in `part`: every part that listens to the event's channel


class EventKind(enum.IntEnum):
    """What a row means, and how it uses `channel`, `part`, `index`, `value` and `latent`."""

    NOTE_ON = 1  # index: MIDI note; value: velocity, 0..1
    NOTE_OFF = 2  # index: MIDI note; value: release velocity, 0..1
    PITCH_BEND = 3  # value: -1..1 of the bend range
    CONTROL_CHANGE = 4  # index: MIDI controller number; value: 0..1
    PARAMETER = 5  # part; index: row in PARAMETERS; value: in the parameter's own unit
    LATENT = 6  # part; latent: the part's base latent vector (what a preset sets)
    ALL_NOTES_OFF = 7  # release every note, of every channel
    PANIC = 8  # silence at once: fade in a few milliseconds, forget every note and pedal
    CHANNEL_PRESSURE = 9  # value: 0..1
    POLY_PRESSURE = 10  # index: MIDI note; value: 0..1
    PROGRAM_CHANGE = 11  # index: program, 0..127, within the bank that controllers 0 and 32 chose
    PRESET = 12  # part; index: preset of the part's instrument, as a program change would choose it
    CLOCK = 13  # MIDI clock: 24 of them make a quarter note
    TRANSPORT = 14  # index: a Transport


class Transport(enum.IntEnum):
    """MIDI's song position commands."""

    START = 1
    CONTINUE = 2
    STOP = 3


EVENT_DTYPE = np.dtype(
    [
        ("time", np.int64),  # sample of the engine's clock; NOW: as soon as possible
        ("kind", np.int32),
        ("channel", np.int32),  # MIDI channel 0..15
        ("part", np.int32),  # 0..15, or BY_CHANNEL
        ("index", np.int32),
        ("value", np.float32),
        ("latent", np.float32, (MAX_LATENT,)),
    ],
    align=True,
)


def make_event(
    kind: EventKind,
    index: int = 0,
    value: float = 0.0,
    *,
    time: int = NOW,
    channel: int = 0,
    part: int | None = None,
    latent: NDArray[np.float32] | None = None,
) -> NDArray[np.void]:
    """One event as an array of shape [1] and dtype EVENT_DTYPE; a short `latent` is padded with zeros.

    part: None stands for the first part where the kind belongs to one part, and for BY_CHANNEL elsewhere.
    """
    event = np.zeros(1, EVENT_DTYPE)
    event["time"] = time
    event["kind"] = kind
    event["channel"] = channel
    of_part = kind in (EventKind.PARAMETER, EventKind.LATENT, EventKind.PRESET)
    event["part"] = part if part is not None else 0 if of_part else BY_CHANNEL
    event["index"] = index
    event["value"] = value
    if latent is not None:
        event["latent"][0, : len(latent)] = latent
    return event
