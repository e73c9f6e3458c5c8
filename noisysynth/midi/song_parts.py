"""A song of several channels on one instrument that knows the General MIDI programs: a part for each channel."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from noisysynth.events import EventKind
from noisysynth.instrument import Instrument, Preset


@dataclasses.dataclass(frozen=True)
class SongPart:
    """channel: 0 to 15. preset: index of what it begins with, and the preset itself."""

    channel: int
    index: int
    preset: Preset


def parts_of_song(instrument: Instrument, events: NDArray[np.void]) -> list[SongPart]:
    """A part for each channel with notes; none where one part plays all.

    One part does where the song has one channel or the instrument's presets are not General MIDI programs. A channel
    begins with its first program, 0 if it has none.
    """
    channels = np.unique(events["channel"][events["kind"] == EventKind.NOTE_ON])
    if len(channels) < 2 or all(preset.program is None for preset in instrument.presets):
        return []
    parts = []
    for channel in channels:
        programs = events["index"][(events["kind"] == EventKind.PROGRAM_CHANGE) & (events["channel"] == channel)]
        index = instrument.preset_of_program(0, int(programs[0]) if len(programs) else 0)
        assert index is not None
        parts.append(SongPart(int(channel), index, instrument.presets[index]))
    return parts
