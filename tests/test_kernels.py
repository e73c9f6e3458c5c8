"""The voices' kernels against slow float64 definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from noisysynth.dsp.harmonic import add_partials, render_harmonics
from noisysynth.dsp.oscillator import fill_rotation
from noisysynth.dsp.spectral_filter import filter_gain, weight_bands, weight_partials
from noisysynth.dsp.stretched import STEP, add_stretched_partials, seed_rotator
from noisysynth.parameters import FILTER_MODES
from noisysynth.spec import MAX_HARMONICS

RATE = 48_000.0
Floats = NDArray[np.float32]


def floats(x: NDArray[np.float64]) -> Floats:
    return np.ascontiguousarray(x, np.float32)


def worst_db(error: NDArray[np.float64], full_scale: float) -> float:
    return float(20 * np.log10(np.abs(error).max() / full_scale + 1e-12))


def partials(
    phase: NDArray[np.float64], ramp: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """phase: [n] in turns or [n, K], of every partial. Returns [n]."""
    if phase.ndim == 1:
        phase = phase[:, None] * np.arange(1, len(start) + 1)
    amplitude = start + (end - start) * ramp[:, None]
    return np.asarray((amplitude * np.sin(2 * np.pi * phase)).sum(1))


@pytest.mark.parametrize("count", [1, 2, 3, 16, 31, 100, MAX_HARMONICS])
def test_partials_are_the_sum_of_their_sines(count: int) -> None:
    rng = np.random.default_rng(count)
    for n, f0_hz, turn in itertools.product(
        (64, 1, 7, 65, 200), (20.0, 61.0, 440.0, 3_000.0, 12_000.0, 23_990.0), (0.0, 0.25, 0.5, 0.123)
    ):
        # Near phases 0 and pi most recurrences lose their precision: stay there for some of the time.
        phase = turn + np.arange(n) * f0_hz / RATE
        sin1, cos1 = floats(np.sin(2 * np.pi * phase)), floats(np.cos(2 * np.pi * phase))
        ramp = floats(np.clip(np.arange(n) / n - 0.2, 0.0, 1.0))
        start, end = floats(rng.uniform(0, 1, count)), floats(rng.uniform(0, 1, count))
        out = floats(rng.uniform(-1, 1, n + 3))
        expected = out.astype(float)
        given = np.arctan2(sin1.astype(float), cos1.astype(float)) / (2 * np.pi)
        expected[:n] += partials(given, ramp.astype(float), start.astype(float), end.astype(float))
        add_partials(out, n, sin1, cos1, ramp, start, end, count)
        assert worst_db(out - expected, max(start.sum(), end.sum(), 1.0)) < -115, (n, f0_hz, turn)


def test_partials_at_the_very_ends_of_the_circle() -> None:
    offsets = np.concatenate([[0.0], 10.0 ** np.arange(-30.0, -1.0)])
    phase = np.concatenate([offsets, -offsets, 0.5 + offsets, 0.5 - offsets, 0.25 + offsets])
    sin1, cos1 = floats(np.sin(2 * np.pi * phase)), floats(np.cos(2 * np.pi * phase))
    amps = floats(np.ones(100))
    ramp = floats(np.zeros(len(phase)))
    out = floats(np.zeros(len(phase)))
    add_partials(out, len(phase), sin1, cos1, ramp, amps, amps, 100)
    given = np.arctan2(sin1.astype(float), cos1.astype(float)) / (2 * np.pi)
    expected = partials(given, ramp.astype(float), amps.astype(float), amps.astype(float))
    assert worst_db(out - expected, 100.0) < -115


def test_the_fundamental_s_phase_is_the_oracle_s() -> None:
    for n, phase, start, end in (
        (64, 0.3, 440.0, 441.0),
        (64, 0.0, 27.5, 27.5),
        (65, 0.99, 9_000.0, 50.0),
        (1, 0.5, 1.0, 2.0),
    ):
        sin1, cos1 = floats(np.zeros(n)), floats(np.zeros(n))
        i = np.arange(n + 1.0)
        turns = phase + (start * i + (end - start) / n * i * (i - 1) / 2) / RATE
        after = fill_rotation(sin1, cos1, n, phase, start, end, RATE)
        np.testing.assert_allclose(sin1, np.sin(2 * np.pi * turns[:n]), atol=1e-6)
        np.testing.assert_allclose(cos1, np.cos(2 * np.pi * turns[:n]), atol=1e-6)
        assert after == pytest.approx(turns[n] % 1.0, abs=1e-12)


def test_more_partials_than_the_kernel_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="partials"):
        render_harmonics(floats(np.full((1, 2), 10.0)), floats(np.zeros((1, 2, MAX_HARMONICS + 1))), RATE, 64)


def stretched_phases(
    seed: float, hz: list[float], quanta: int, stretch: float, count: int, n: int = 64
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Phases [quanta * n, K] in turns and frequencies in Hz of stretched partials, f0 held for STEP samples."""
    k = np.arange(1, count + 1)
    f0_hz = np.empty(quanta * n)
    for q in range(quanta):
        for first in range(0, n, STEP):
            last = min(first + STEP, n)
            middle = (first + last - 1) / 2
            f0_hz[q * n + first : q * n + last] = hz[q] + (hz[q + 1] - hz[q]) * middle / n
    each = f0_hz[:, None] * k * np.sqrt(1 + stretch * k**2)
    before = np.vstack([np.zeros(count), np.cumsum(each, 0)[:-1]])
    return seed * k + before / RATE, each


@pytest.mark.parametrize(("stretch", "count", "n"), [(0.0, 100, 64), (3e-4, 100, 64), (0.01, 31, 64), (1e-3, 17, 41)])
def test_stretched_partials_are_the_sum_of_their_sines(stretch: float, count: int, n: int) -> None:
    rng = np.random.default_rng(count)
    quanta = 20
    hz = [60.0 * 1.01**q for q in range(quanta + 1)]
    amps = floats(rng.uniform(0, 1, (quanta + 1, count)))
    ramp = floats(np.arange(n) / n)
    rotator = np.zeros((2, MAX_HARMONICS), np.float32)
    seed_rotator(rotator, 0.37, count)
    phase, each = stretched_phases(0.37, hz, quanta, stretch, count, n)
    out = floats(np.zeros(quanta * n))
    expected = np.zeros(quanta * n)
    for q in range(quanta):
        here = slice(q * n, (q + 1) * n)
        start, end = amps[q].astype(float), amps[q + 1].astype(float)
        amplitude = start + (end - start) * ramp.astype(float)[:, None]
        expected[here] = (amplitude * np.sin(2 * np.pi * phase[here])).sum(1)
        add_stretched_partials(
            out[here], n, rotator, hz[q], hz[q + 1], stretch, RATE, ramp, amps[q], amps[q + 1], count
        )
    assert each.max() < RATE / 2
    assert worst_db(out - expected, float(amps.sum(1).max())) < -80
    assert np.abs(np.hypot(*rotator[:, :count]) - 1).max() < 1e-6


def test_an_unstretched_rotator_goes_on_as_the_harmonic_kernel() -> None:
    hz, phase = 220.0, 0.6
    amps = floats(1 / np.arange(1, 81))
    ramp = floats(np.arange(64) / 64)
    sin1, cos1, out, stretched = (floats(np.zeros(64)) for _ in range(4))
    rotator = np.zeros((2, 80), np.float32)
    fill_rotation(sin1, cos1, 64, phase, hz, hz, RATE)
    add_partials(out, 64, sin1, cos1, ramp, amps, amps, 80)
    seed_rotator(rotator, phase, 80)
    add_stretched_partials(stretched, 64, rotator, hz, hz, 0.0, RATE, ramp, amps, amps, 80)
    assert worst_db(out.astype(float) - stretched, float(amps.sum())) < -100


def test_stretched_partials_at_nyquist_are_silent() -> None:
    ramp = floats(np.zeros(64))
    out = floats(np.zeros(64))
    rotator = np.zeros((2, 40), np.float32)
    seed_rotator(rotator, 0.1, 40)
    amps = floats(np.arange(40) >= 20)
    for _ in range(50):  # partials 21 and up are over 24 kHz only because they are stretched
        add_stretched_partials(out, 64, rotator, 1_100.0, 1_100.0, 1e-3, RATE, ramp, amps, amps, 40)
        assert not out.any()
    assert np.isfinite(rotator).all()


def prototype(mode: str, ratio: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """Squared magnitude on the imaginary axis."""
    s = 1j * ratio
    section = 1 / (s**2 + s / q + 1)
    flat = 1 / (s**2 + np.sqrt(2) * s + 1)
    response = {
        "Off": np.ones(len(s)),
        "Low-pass 12": section,
        "Low-pass 24": section * flat,
        "High-pass 12": s**2 * section,
        "High-pass 24": s**4 * section * flat,
        "Band-pass": s / q * section,
        "Notch": (s**2 + 1) * section,
    }[mode]
    return np.asarray(np.abs(response) ** 2)


@pytest.mark.parametrize("mode", range(len(FILTER_MODES)), ids=FILTER_MODES)
@pytest.mark.parametrize("q", [0.5, 0.71, 16.0])
def test_filters_are_their_prototypes(mode: int, q: float) -> None:
    k = np.arange(1, 101)
    for hz, cutoff_hz, stretch in ((55.0, 440.0, 0.0), (1_000.0, 20.0, 0.0), (100.0, 20_000.0, 1e-3)):
        ratio = hz * k * np.sqrt(1 + stretch * k**2) / cutoff_hz
        expected = prototype(FILTER_MODES[mode], ratio, q)
        weights = floats(np.ones(104))
        weight_partials(weights, 100, hz, stretch, mode, np.log2(cutoff_hz), q)
        np.testing.assert_allclose(weights[:100], np.sqrt(expected), rtol=1e-4, atol=1e-3)
        assert (weights[100:] == 1).all()
        power = floats(np.full(100, 0.25))
        weight_bands(power, floats(ratio * cutoff_hz), mode, np.log2(cutoff_hz), q)
        np.testing.assert_allclose(power, 0.25 * expected, rtol=2e-4, atol=1e-5)
        gains = [filter_gain(mode, r, q) for r in ratio]
        np.testing.assert_allclose(gains, expected, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("mode", range(len(FILTER_MODES)), ids=FILTER_MODES)
def test_filters_stay_finite_at_the_ends_of_everything(mode: int) -> None:
    for hz, cutoff, q in ((0.0, 17.0, 0.05), (24_000.0, 0.0, 40.0), (24_000.0, 0.0, 0.05)):
        weights = floats(np.ones(128))
        weight_partials(weights, 128, hz, 1.0, mode, cutoff, q)
        assert np.isfinite(weights).all()
        assert (weights >= 0).all()
