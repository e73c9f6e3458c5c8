"""The pitch tracker of the evaluation: no pitch is told to it, so it can be wrong by octaves, and must not be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_notes import tone

from noisysynth.export.evaluation.notes import Told
from noisysynth.export.evaluation.pitch import Reading, _normalised_difference, free_f0_hz, pitch_figures, read_pitch
from noisysynth.spec import midi_to_hz

RATE = 44_100


def note(pitch: float, cents: float = 0.0, seconds: float = 0.8) -> NDArray[np.float32]:
    return tone(pitch + cents / 100.0, seconds, rate=RATE)


@pytest.mark.parametrize("pitch", [24, 36, 45, 60, 76, 88, 96, 103])
@pytest.mark.parametrize("cents", [0.0, 7.0, -30.0])
def test_reads_a_known_pitch_to_a_cent(pitch: int, cents: float) -> None:
    reading = read_pitch(note(pitch, cents), RATE, Told(pitch, 0.8, 0.7))
    assert reading.audible
    assert reading.octaves == 0
    assert reading.cents == pytest.approx(cents, abs=1.0)


@pytest.mark.parametrize("octaves", [-2, -1, 1, 2])
def test_sees_a_wrong_octave(octaves: int) -> None:
    reading = read_pitch(note(60.0 + 12.0 * octaves, 4.0), RATE, Told(60.0, 0.8, 0.7))
    assert reading.octaves == octaves
    assert reading.cents == pytest.approx(4.0, abs=1.0)
    assert reading.error_cents > 1_000.0


def test_sees_a_wrong_note() -> None:
    reading = read_pitch(note(64.0), RATE, Told(60.0, 0.8, 0.7))
    assert reading.error_cents == pytest.approx(400.0, abs=10.0)


def test_a_missing_fundamental_is_heard_all_the_same() -> None:
    time_s = np.arange(RATE) / RATE
    audio = sum(np.sin(2 * np.pi * 220.0 * k * time_s) / k for k in (2, 3, 4, 5)).astype(np.float32) * 0.2
    assert free_f0_hz(audio, RATE, RATE // 5, RATE * 4 // 5) == pytest.approx(220.0, rel=0.005)


def test_noise_hardly_moves_it() -> None:
    noisy = note(57.0, 5.0) + 0.03 * np.random.default_rng(0).normal(size=round(0.8 * RATE)).astype(np.float32)
    assert read_pitch(noisy, RATE, Told(57.0, 0.8, 0.7)).cents == pytest.approx(5.0, abs=3.0)


def test_short_notes_are_read() -> None:
    assert read_pitch(note(60.0, 0.0, 0.2), RATE, Told(60.0, 0.8, 0.1)).error_cents < 5.0


def test_silence_has_no_pitch() -> None:
    assert not read_pitch(np.zeros(RATE, np.float32), RATE, Told(60.0, 0.8, 0.7)).audible
    assert not read_pitch(np.zeros(0, np.float32), RATE, Told(60.0, 0.8, 0.7)).audible
    assert not read_pitch(1e-4 * note(60.0), RATE, Told(60.0, 0.8, 0.7)).audible


def test_difference_function_is_its_definition() -> None:
    longest, window = 50, 4_096
    frame = np.random.default_rng(1).normal(size=window + longest)
    difference = np.array([np.sum((frame[:window] - frame[lag : lag + window]) ** 2) for lag in range(longest + 1)])
    expected = np.ones(longest + 1)
    for lag in range(1, longest + 1):
        expected[lag] = difference[lag] * lag / difference[1 : lag + 1].sum()
    np.testing.assert_allclose(_normalised_difference(frame, longest), expected, atol=1e-9)


def test_figures_count_what_they_say() -> None:
    readings = [
        Reading(3.0, 0, True), Reading(-20.0, 0, True), Reading(1.0, 1, True), Reading(70.0, 0, True),
        Reading(0.0, 0, False),
    ]  # fmt: skip
    figures = pitch_figures(readings)
    assert figures["n"] == 5
    assert figures["audible"] == pytest.approx(0.8)
    assert figures["median_cents"] == pytest.approx(11.5)
    assert figures["within_10"] == 0.25
    assert figures["within_50"] == 0.5
    assert figures["within_10_any_octave"] == 0.5
    assert figures["octave_errors"] == 0.25
    assert midi_to_hz(69) == 440.0
    assert math.isnan(pitch_figures([])["within_10"])
