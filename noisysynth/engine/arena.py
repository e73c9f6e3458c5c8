"""What the callback uses but nobody shares: noise loops, and what effects and rooms remember."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.dsp.effects import memory_floats
from noisysynth.dsp.noise import band_noise_loops
from noisysynth.dsp.room import prepare_response, room_floats
from noisysynth.effects import SENDS
from noisysynth.engine.state import NOISE_BANDS, PARTS
from noisysynth.parameters import N_INSERTS

ROOM_HALVES = 2  # one plays while the other is written
ARRAYS = 6  # in Arena.arrays: loops, their lengths, memory of inserts, of buses, room responses, memory of rooms
LENGTHS = 1  # the one that is int64 and one-dimensional


class Arena:
    """The arrays beside the state. Zeros that are never touched take no memory: see `have_at_hand`."""

    def __init__(self, sample_rate: float) -> None:
        self.sample_rate = float(sample_rate)
        loops, lengths = band_noise_loops(round(sample_rate), NOISE_BANDS)
        effect_floats = memory_floats(self.sample_rate)
        response_floats, room_memory_floats = room_floats(self.sample_rate)
        self._responses = np.zeros((PARTS * ROOM_HALVES, response_floats), np.float32)
        # What render_block takes between the state and the output.
        self.arrays: tuple[NDArray[np.float32] | NDArray[np.int64], ...] = (
            loops,
            lengths,
            np.zeros((PARTS * N_INSERTS, effect_floats), np.float32),
            np.zeros((len(SENDS), effect_floats), np.float32),
            self._responses,
            np.zeros((PARTS, room_memory_floats), np.float32),
        )

    def have_at_hand(self) -> None:
        """Have the system give the memory of effects and rooms now, 50 MB: else the callback would wait for it."""
        for array in self.arrays[2:4] + self.arrays[5:]:
            array.fill(0)

    def prepared(self, response: NDArray[np.float32]) -> NDArray[np.float32]:
        """A room response [L, 2], at this arena's sample rate, as `put` takes it: milliseconds of work."""
        target = np.zeros(self._responses.shape[1], np.float32)
        prepare_response(response, self.sample_rate, target)
        return target

    def put(self, part: int, half: int, prepared: NDArray[np.float32]) -> None:
        """Copy a prepared response to where Command.ROOM can choose it."""
        self._responses[part * ROOM_HALVES + half] = prepared

    def write_response(self, part: int, half: int, response: NDArray[np.float32]) -> None:
        """Both at once."""
        self.put(part, half, self.prepared(response))
