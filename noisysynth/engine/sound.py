"""A loaded instrument at play: its control network, and where in its latent space it is."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.arena import Arena
from noisysynth.engine.control_net import ControlNet
from noisysynth.engine.state import NOISE_BANDS
from noisysynth.engine.tracks import Glide
from noisysynth.instrument import Instrument
from noisysynth.parameters import N_KNOBS
from noisysynth.spec import noise_band_responses

LATENT_PARAMETERS = ("pad_x", "pad_y", *(f"knob_{number}" for number in range(1, N_KNOBS + 1)))


class Sound:
    """One instrument in one part; `axes` [len(LATENT_PARAMETERS), Z] is what a unit of each latent parameter adds."""

    def __init__(self, instrument: Instrument, net: ControlNet) -> None:
        self.instrument = instrument
        self.net = net
        self.latent_size = instrument.spec.latent_size
        self.n_partials = instrument.spec.n_harmonics
        axes = np.zeros((len(LATENT_PARAMETERS), self.latent_size))
        axes[:2] = instrument.pad_axes
        for i, direction in enumerate(instrument.directions[:N_KNOBS]):
            axes[2 + i] = direction.vector
        self.axes = axes
        self.base = np.zeros(self.latent_size)
        if instrument.presets:
            self.base = np.asarray(instrument.presets[0].latent, np.float64)
        self.glide = Glide(self.base)

    def to_engine_bands(self, noise: NDArray[np.float32]) -> NDArray[np.float32]:
        """Band RMS [V, F, N] of the network as band RMS [V, F, NOISE_BANDS] of the engine, the power kept."""
        if noise.shape[-1] == NOISE_BANDS:
            return noise
        return np.sqrt(np.square(noise) @ _band_map(noise.shape[-1]))


def room_at(instrument: Instrument, sample_rate: float) -> NDArray[np.float32]:
    """The instrument's room response [L, 2] at another sample rate; [0, 2] for one that has none."""
    if instrument.room is None:
        return np.zeros((0, 2), np.float32)
    response = instrument.room.response
    if instrument.room.sample_rate != sample_rate:
        import soxr

        ratio = sample_rate / instrument.room.sample_rate
        response = soxr.resample(response, instrument.room.sample_rate, sample_rate) / np.float32(ratio)
    return np.ascontiguousarray(np.broadcast_to(response, (len(response), 2)), np.float32)


def prepared_room(instrument: Instrument, arena: Arena) -> NDArray[np.float32]:
    """The instrument's room as the arena keeps it: milliseconds of work, so not for the control thread."""
    return arena.prepared(room_at(instrument, arena.sample_rate))


@functools.cache
def _band_map(n_bands: int) -> NDArray[np.float32]:
    """How the power of n_bands is shared out to NOISE_BANDS: [n_bands, NOISE_BANDS], rows sum to one.

    Each of ours takes what lies under it of the other's power spectrum.
    """
    frequencies_hz = np.arange(5.0, 24_000.0, 5.0)
    shares = noise_band_responses(frequencies_hz, n_bands) @ noise_band_responses(frequencies_hz, NOISE_BANDS).T
    return (shares / shares.sum(1, keepdims=True)).astype(np.float32)
