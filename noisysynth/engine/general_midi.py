"""A song of several channels on one instrument that knows the General MIDI programs: a part for each channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.events import EventKind, make_event
from noisysynth.instrument import Instrument
from noisysynth.parameters import PARAMETER_INDEX


def channels_of_song(instrument: Instrument, events: NDArray[np.void]) -> list[int]:
    """Channels (0 to 15) of the notes that each want a part of their own; none where one part plays all.

    One part does where the song has one channel or the instrument's presets are not General MIDI programs.
    """
    channels = np.unique(events["channel"][events["kind"] == EventKind.NOTE_ON])
    if len(channels) < 2 or all(preset.program is None for preset in instrument.presets):
        return []
    return [int(channel) for channel in channels]


def tell_parts(channels: list[int]) -> NDArray[np.void]:
    """Events for the song's start: part i listens to channels[i] alone, and has program 0 until the song says more."""
    rows = []
    for part, channel in enumerate(channels):
        rows.append(make_event(EventKind.PARAMETER, PARAMETER_INDEX["channel"], channel + 1.0, part=part, time=0))
        rows.append(make_event(EventKind.PROGRAM_CHANGE, 0, channel=channel, time=0))
    return np.concatenate(rows)
