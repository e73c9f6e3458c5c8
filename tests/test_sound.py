"""A loaded instrument: noise bands of other numbers, rooms of other rates."""

from __future__ import annotations

import numpy as np
import pytest
from make_instrument import make_test_instrument

from noisysynth.engine.control_net import ControlNet
from noisysynth.engine.sound import Sound, room_at
from noisysynth.engine.state import NOISE_BANDS
from noisysynth.instrument import Room
from noisysynth.spec import SynthSpec, noise_band_responses


@pytest.mark.parametrize("bands", [2, 20, 45, 64, 80])
def test_other_noise_bands_keep_their_power_and_place(bands: int) -> None:
    spec = SynthSpec(n_harmonics=40, n_noise_bands=bands, latent_size=8)
    instrument = make_test_instrument(spec, golden={})
    sound = Sound(instrument, ControlNet(instrument))
    hz = np.arange(10.0, 22_000.0, 10.0)
    theirs, ours = noise_band_responses(hz, bands), noise_band_responses(hz, NOISE_BANDS)
    ours /= ours.sum(1, keepdims=True)
    for band in {0, bands // 2, bands - 1}:
        noise = np.zeros((1, 1, bands), np.float32)
        noise[0, 0, band] = 0.3
        power = np.square(sound.to_engine_bands(noise)[0, 0].astype(np.float64))
        assert power.shape == (NOISE_BANDS,)
        assert np.sum(power) == pytest.approx(0.09, rel=1e-4)
        heard, meant = power @ ours, theirs[band]
        assert np.sum(hz * heard) / 0.09 == pytest.approx(np.sum(hz * meant) / np.sum(meant), rel=0.1, abs=20.0)


def test_a_room_sounds_alike_at_another_rate() -> None:
    time_s = np.arange(22_050) / 44_100
    response = (np.sin(2 * np.pi * 440 * time_s) * np.exp(-time_s / 0.05) * 0.01).astype(np.float32)[:, None]
    instrument = make_test_instrument(room=Room(response, 44_100))

    def gain_at(hz: float, rate: int) -> float:
        heard = room_at(instrument, rate)
        assert heard.shape[1] == 2
        return abs(np.sum(heard[:, 0] * np.exp(-2j * np.pi * hz * np.arange(len(heard)) / rate)))

    for rate in (48_000, 96_000):
        for hz in (300.0, 440.0, 700.0):
            assert gain_at(hz, rate) == pytest.approx(gain_at(hz, 44_100), rel=0.02)
    assert room_at(make_test_instrument(), 48_000).shape == (0, 2)
