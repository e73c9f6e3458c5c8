"""The voices' kernels against slow float64 definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from noisysynth.dsp.harmonic import add_partials, render_harmonics
from noisysynth.dsp.oscillator import fill_rotation
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
        np.testing.assert_allclose(sin1, np.sin(2 * np.pi * turns[:n]), atol=5e-7)
        np.testing.assert_allclose(cos1, np.cos(2 * np.pi * turns[:n]), atol=5e-7)
        assert after == pytest.approx(turns[n] % 1.0, abs=1e-12)


def test_more_partials_than_the_kernel_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="partials"):
        render_harmonics(floats(np.full((1, 2), 10.0)), floats(np.zeros((1, 2, MAX_HARMONICS + 1))), RATE, 64)
