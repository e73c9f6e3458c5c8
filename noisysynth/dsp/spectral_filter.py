"""Filters as weights on a spectrum: the magnitudes of analogue two-pole prototypes, without state or latency.

With x = (f / cutoff)^2 and the quality factor q, the denominator of each is (1 - x)^2 + x / q^2. The squared magnitude
has over it 1 for low-pass, x^2 for high-pass, x / q^2 for band-pass and (1 - x)^2 for the notch. Those of 24 dB have
Butterworth's section behind that one, (1 or x^2) / (1 + x^2), which is flat at any q: the peak is not squared.
"""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.bits import exp2
from noisysynth.dsp.compiling import jit
from noisysynth.parameters import FILTER_MODES

OFF, LOW_12, LOW_24, HIGH_12, HIGH_24, BAND, NOTCH = range(len(FILTER_MODES))
_FARTHEST = np.float32(1e8)  # x: its fourth power is still a float32
# By mode: factors of 1, x, x^2 in the first numerator (that of x over q^2 for band-pass), of 1 and x^2 in the second.
_NUMERATORS = np.array(
    (
        (1, 0, 0, 1, 1),
        (1, 0, 0, 1, 1),
        (1, 0, 0, 1, 0),
        (0, 0, 1, 1, 1),
        (0, 0, 1, 0, 1),
        (0, 1, 0, 1, 1),
        (1, -2, 1, 1, 1),
    ),
    np.float32,
)


@jit
def _power(x, per_q2, n0, n1, n2, m0, m2):  # type: ignore[no-untyped-def]
    x = min(x, _FARTHEST)
    x2 = x * x
    below = np.float32(1) - x
    first = max(n0 + n1 * x + n2 * x2, np.float32(0))  # the notch's comes out below 0 by rounding
    second = np.float32(1) + x2
    return first * (m0 + m2 * x2) / ((below * below + x * per_q2) * second)


@jit
def _factors(mode, q):  # type: ignore[no-untyped-def]
    """What `_power` takes behind x."""
    per_q2 = np.float32(1) / (np.float32(q) * np.float32(q))
    n1 = _NUMERATORS[mode, 1]
    if mode == BAND:
        n1 = per_q2
    return per_q2, _NUMERATORS[mode, 0], n1, _NUMERATORS[mode, 2], _NUMERATORS[mode, 3], _NUMERATORS[mode, 4]


@jit
def filter_gain(mode, ratio, q):  # type: ignore[no-untyped-def]
    """Squared magnitude at `ratio` times the cutoff; mode: place in FILTER_MODES; q: above 0, a peak from 0.71 on."""
    if mode == OFF:
        return np.float32(1)
    per_q2, n0, n1, n2, m0, m2 = _factors(mode, q)
    return _power(np.float32(ratio) * np.float32(ratio), per_q2, n0, n1, n2, m0, m2)


@jit
def weight_partials(weights, n, hz, stretch, mode, cutoff_log2_hz, q):  # type: ignore[no-untyped-def]
    """Multiply weights [>= n] of partials k * hz * sqrt(1 + stretch * k^2) by the filter's magnitude."""
    if mode == OFF:
        return
    per_q2, n0, n1, n2, m0, m2 = _factors(mode, q)
    ratio = np.float32(hz) / exp2(np.float32(cutoff_log2_hz))
    x1 = ratio * ratio
    more = np.float32(stretch)
    for k in range(n):
        number = np.float32(np.int32(k + 1))
        k2 = number * number
        weights[k] *= np.sqrt(_power(x1 * k2 * (np.float32(1) + more * k2), per_q2, n0, n1, n2, m0, m2))


@jit
def weight_bands(power, band_hz, mode, cutoff_log2_hz, q):  # type: ignore[no-untyped-def]
    """Multiply powers [n] of noise bands around band_hz [n] by the filter's squared magnitude."""
    if mode == OFF:
        return
    per_q2, n0, n1, n2, m0, m2 = _factors(mode, q)
    per_hz = np.float32(1) / exp2(np.float32(cutoff_log2_hz))
    for b in range(power.shape[0]):
        ratio = np.float32(band_hz[b]) * per_hz
        power[b] *= _power(ratio * ratio, per_q2, n0, n1, n2, m0, m2)
