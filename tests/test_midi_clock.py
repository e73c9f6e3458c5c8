"""The tempo of ticks that come early and late."""

from __future__ import annotations

import numpy as np
import pytest

from noisysynth.midi.clock import TICKS_PER_BEAT, ClockFollower

PERIODS = 60.0 / TICKS_PER_BEAT  # of one tick, over bpm


def feed(clock: ClockFollower, bpm: float, ticks: int, start_s: float = 0.0, jitter_s: float = 0.0) -> float:
    """Tick at a tempo with uniform jitter; returns when the next tick is due."""
    noise = np.random.default_rng(7)
    for i in range(ticks):
        clock.tick(start_s + i * PERIODS / bpm + jitter_s * noise.uniform(-1.0, 1.0))
    return start_s + ticks * PERIODS / bpm


@pytest.mark.parametrize("bpm", [30.0, 120.0, 174.3, 280.0])
def test_an_even_clock_is_told_exactly(bpm: float) -> None:
    clock = ClockFollower()
    feed(clock, bpm, 5)
    assert clock.tempo is None
    feed(clock, bpm, 6)
    assert clock.tempo == pytest.approx(bpm)


@pytest.mark.parametrize("bpm", [60.0, 120.0, 200.0])
def test_jitter_hardly_counts(bpm: float) -> None:
    noise = np.random.default_rng(1)
    clock = ClockFollower()
    tempos = []
    for i in range(480):
        clock.tick(i * PERIODS / bpm + 0.003 * noise.uniform(-1.0, 1.0))
        if i >= 48:
            tempos.append(clock.tempo)
    assert np.abs(np.array(tempos) / bpm - 1.0).max() < 0.01


def test_a_clock_that_comes_in_bunches() -> None:
    """As from a program that sends the ticks of each audio block together."""
    clock = ClockFollower()
    block_s = 1024 / 48_000
    for i in range(96):
        clock.tick(np.ceil(i * PERIODS / 120.0 / block_s) * block_s)
    assert clock.tempo == pytest.approx(120.0, rel=0.02)


def test_a_jump_is_followed_within_half_a_beat() -> None:
    clock = ClockFollower()
    at = feed(clock, 90.0, 96, jitter_s=0.001)
    at = feed(clock, 150.0, 14, at, 0.001)
    assert clock.tempo == pytest.approx(150.0, rel=0.03)
    feed(clock, 60.0, 14, at, 0.001)
    assert clock.tempo == pytest.approx(60.0, rel=0.03)


def test_a_small_change_is_followed_within_two_beats() -> None:
    clock = ClockFollower()
    feed(clock, 124.0, 49, feed(clock, 120.0, 96))
    assert clock.tempo == pytest.approx(124.0, rel=1e-3)


def test_a_stop_keeps_the_tempo_and_starts_anew() -> None:
    clock = ClockFollower()
    at = feed(clock, 120.0, 48)
    clock.tick(at + 10.0)
    assert clock.tempo == pytest.approx(120.0)
    feed(clock, 100.0, 12, at + 20.0)
    assert clock.tempo == pytest.approx(100.0)


def test_time_that_goes_back_or_stands_does_no_harm() -> None:
    clock = ClockFollower()
    feed(clock, 120.0, 48, start_s=100.0)
    feed(clock, 120.0, 48, start_s=0.0)
    assert clock.tempo == pytest.approx(120.0)
    for _ in range(100):
        clock.tick(50.0)
    assert clock.tempo is not None
    assert 20.0 <= clock.tempo <= 300.0


def test_a_lost_tick_is_no_new_tempo() -> None:
    clock = ClockFollower()
    at = feed(clock, 120.0, 48)
    feed(clock, 120.0, 24, at + PERIODS / 120.0)
    assert clock.tempo == pytest.approx(120.0, rel=0.04)


def test_beats_count_from_the_start() -> None:
    clock = ClockFollower()
    assert clock.beats == 0.0
    at = feed(clock, 120.0, 7)
    clock.start()
    assert clock.beats == 0.0
    at = feed(clock, 120.0, 1, at)
    assert clock.beats == 0.0
    feed(clock, 120.0, 36, at)
    assert clock.beats == 1.5
