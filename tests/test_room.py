"""The room's convolution, its transform and the DC blocker, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from noisysynth.dsp.dc_blocker import CORNER_HZ, block_dc
from noisysynth.dsp.fft import LENGTH, transform
from noisysynth.dsp.room import BLOCK, LONGEST_S, prepare_response, process_room, reset_room, room_floats

RATE = 48_000.0


class Room:
    """A response at work."""

    def __init__(self, response: NDArray[np.float32]) -> None:
        response_floats, memory_floats = room_floats(RATE)
        self.response = np.full(response_floats, 7.0, np.float32)
        self.memory = np.zeros(memory_floats, np.float32)
        prepare_response(response, RATE, self.response)

    def render(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        wet = np.full_like(audio, np.nan)
        for i in range(0, len(audio), BLOCK):
            process_room(audio[i : i + BLOCK], wet[i : i + BLOCK], self.response, self.memory)
        return wet


def noise(n: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((n, 2)).astype(np.float32)


def response_of(length: int) -> NDArray[np.float32]:
    decay = np.exp(-6.0 * np.arange(length) / length)[:, None]
    response = noise(length, seed=1) * decay
    return (response / np.sqrt(np.sum(response**2, axis=0))).astype(np.float32)


def convolved(audio: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float64]:
    columns = [np.convolve(audio[:, c].astype(np.float64), response[:, c])[: len(audio)] for c in range(2)]
    return np.stack(columns, axis=1)


def error_db(found: NDArray[np.float32], expected: NDArray[np.float64]) -> float:
    return float(10.0 * np.log10(np.mean((found - expected) ** 2) / np.mean(expected**2)))


def test_the_transform_is_numpys_and_its_swap_the_inverse() -> None:
    x = noise(LENGTH)
    re, im = x[:, 0].copy(), x[:, 1].copy()
    other = np.zeros((2, LENGTH), np.float32)
    transform(re, im, other[0], other[1])
    np.testing.assert_allclose(re + 1j * im, np.fft.fft(x[:, 0] + 1j * x[:, 1]), atol=2e-5)
    transform(im, re, other[1], other[0])
    np.testing.assert_allclose(np.stack([re, im], axis=1) / LENGTH, x, atol=2e-6)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 5_000, 20_000])
def test_the_room_is_a_convolution_without_latency(length: int) -> None:
    audio = noise(BLOCK * 150)
    response = response_of(length)
    assert error_db(Room(response).render(audio), convolved(audio, response)) < -100.0


def test_the_ring_of_the_longest_response_comes_round() -> None:
    """More blocks than the memory holds: an impulse is still answered as at first, two seconds later, and once."""
    length = round(LONGEST_S * RATE)
    response = np.zeros((length + 500, 2), np.float32)
    response[[0, length - 1, length + 499]] = [[1.0], [0.5], [9.0]]
    audio = np.zeros((BLOCK * 3_200, 2), np.float32)
    audio[104_000] = 1.0, -1.0
    wet = Room(response).render(audio)
    expected = np.zeros_like(wet)
    expected[104_000] = 1.0, -1.0
    expected[104_000 + length - 1] = 0.5, -0.5
    np.testing.assert_allclose(wet, expected, atol=1e-6)


def test_what_nobody_hears_costs_nothing() -> None:
    response = np.zeros((40_000, 2), np.float32)
    response[:1_000] = response_of(1_000)
    assert Room(response).response[0] == -(-1_000 // BLOCK)
    assert Room(np.zeros((500, 2), np.float32)).response[0] == 0
    assert Room(np.zeros((0, 2), np.float32)).response[0] == 0


@pytest.mark.parametrize("response", [np.zeros(8), np.zeros((8, 1)), np.full((8, 2), np.nan)])
def test_a_response_that_is_none_is_refused(response: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="room response"):
        Room(response.astype(np.float32))


def test_a_reset_room_is_silent_and_then_as_new() -> None:
    response = response_of(5_000)
    room = Room(response)
    room.render(noise(BLOCK * 200))
    reset_room(room.memory)
    assert not np.any(room.render(np.zeros((BLOCK * 100, 2), np.float32)))
    reset_room(room.memory)
    audio = noise(BLOCK * 100, seed=2)
    assert error_db(room.render(audio), convolved(audio, response)) < -100.0


def test_a_bad_sample_does_not_stay_in_the_room() -> None:
    response = response_of(1_000)
    bad, good = noise(BLOCK * 50), noise(BLOCK * 50)
    bad[100, 0] = np.nan
    bad[101, 1] = np.inf
    good[100, 0] = good[101, 1] = 0.0
    assert error_db(Room(response).render(bad), convolved(good, response)) < -100.0


def dc_blocked(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    out = audio.copy()
    memory = np.zeros((2, 2))
    for i in range(0, len(out), 64):
        block_dc(out[i : i + 64], len(out[i : i + 64]), memory, RATE)
    return out


def test_dc_goes_and_the_lowest_note_stays() -> None:
    seconds = np.arange(round(3 * RATE)) / RATE
    tone = np.sin(2.0 * np.pi * 27.5 * seconds)
    out = dc_blocked(np.stack([0.5 + 0.0 * tone, 0.5 + 0.3 * tone], axis=1).astype(np.float32))
    last = out[-round(RATE * 40 / 27.5) :]
    assert np.max(np.abs(last[:, 0])) < 1e-6
    assert abs(np.mean(last[:, 1])) < 1e-4
    gain = np.std(last[:, 1]) / (0.3 / np.sqrt(2.0))
    assert gain == pytest.approx(1.0 / np.hypot(1.0, CORNER_HZ / 27.5), abs=2e-3)


def test_the_dc_blocker_falls_silent_and_forgets_bad_samples() -> None:
    audio = np.zeros((round(4 * RATE), 2), np.float32)
    audio[:1_000] = 1.0
    audio[500, 0] = np.nan
    out = dc_blocked(audio)
    assert np.all(np.isfinite(out[1_000:]))
    assert not np.any(out[-1_000:])
