"""Equalizer: low shelf, bell and high shelf as trapezoidal state-variable filters, which stay stable while they move.

Source: Andrew Simper, "Solving the continuous SVF equations using trapezoidal integration" (Cytomic, 2013). At 0 dB
each is exactly nothing.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects.blending import BEFORE, HEADER, OWN, begin, blend, clean, finish

LOW_HZ = 200.0
HIGH_HZ = 5_000.0
_LOW, _MID, _MID_HZ, _HIGH, _MIX = range(5)
_SHELF_Q = 0.7071
_BELL_Q = 0.9
_BANDS = 3
_COEFFICIENTS = 6  # a1, a2, a3, m0, m1, m2
_STATE = HEADER  # for each channel and band: two integrators
_FROM = _STATE + 4 * _BANDS
_TO = _FROM + _BANDS * _COEFFICIENTS
_WET = _TO + _BANDS * _COEFFICIENTS
_FLOATS = _WET + 2 * 64


def memory_floats(sample_rate: float) -> int:
    return _FLOATS


@jit
def _design(values, coefficients, sample_rate):  # type: ignore[no-untyped-def]
    """Write a1, a2, a3, m0, m1, m2 of each band."""
    for band in range(_BANDS):
        if band == 0:
            db = values[_LOW]
            hz = LOW_HZ
        elif band == 1:
            db = values[_MID]
            hz = values[_MID_HZ]
        else:
            db = values[_HIGH]
            hz = HIGH_HZ
        root = 10.0 ** (db / 40.0)
        g = math.tan(math.pi * min(hz, 0.45 * sample_rate) / sample_rate)
        k = 1.0 / _SHELF_Q
        m0 = 1.0
        if band == 0:
            g /= math.sqrt(root)
            m1 = k * (root - 1.0)
            m2 = root * root - 1.0
        elif band == 1:
            k = 1.0 / (_BELL_Q * root)
            m1 = k * (root * root - 1.0)
            m2 = 0.0
        else:
            g *= math.sqrt(root)
            m0 = root * root
            m1 = k * (1.0 - root) * root
            m2 = 1.0 - root * root
        a1 = 1.0 / (1.0 + g * (g + k))
        row = coefficients[band * _COEFFICIENTS : (band + 1) * _COEFFICIENTS]
        row[0] = a1
        row[1] = g * a1
        row[2] = g * g * a1
        row[3] = m0
        row[4] = m1
        row[5] = m2


@jit
def _filter(left, right, n, start, end, state):  # type: ignore[no-untyped-def]
    """One band in place; its coefficients go linearly from start to end. state: two integrators left, two right."""
    share = np.float32(1) / np.float32(n)
    a1, a2, a3, m0, m1, m2 = start[0], start[1], start[2], start[3], start[4], start[5]
    a1_step, a2_step, a3_step = (end[0] - a1) * share, (end[1] - a2) * share, (end[2] - a3) * share
    m0_step, m1_step, m2_step = (end[3] - m0) * share, (end[4] - m1) * share, (end[5] - m2) * share
    two = np.float32(2)
    left_1, left_2, right_1, right_2 = state[0], state[1], state[2], state[3]
    for i in range(n):
        a1 += a1_step
        a2 += a2_step
        a3 += a3_step
        m0 += m0_step
        m1 += m1_step
        m2 += m2_step
        x = left[i]
        high = x - left_2
        band = a1 * left_1 + a2 * high
        low = left_2 + a2 * left_1 + a3 * high
        left_1 = two * band - left_1
        left_2 = two * low - left_2
        left[i] = m0 * x + m1 * band + m2 * low
        x = right[i]
        high = x - right_2
        band = a1 * right_1 + a2 * high
        low = right_2 + a2 * right_1 + a3 * high
        right_1 = two * band - right_1
        right_2 = two * low - right_2
        right[i] = m0 * x + m1 * band + m2 * low
    state[0] = clean(left_1)
    state[1] = clean(left_2)
    state[2] = clean(right_1)
    state[3] = clean(right_2)


@jit
def process(audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    begin(memory, values)
    before = memory[BEFORE:OWN]
    start = memory[_FROM:_TO]
    end = memory[_TO:_WET]
    left = memory[_WET : _WET + 64]
    right = memory[_WET + 64 : _WET + 128]
    _design(before, start, sample_rate)
    _design(values, end, sample_rate)
    for i in range(n):
        left[i] = audio[i, 0]
        right[i] = audio[i, 1]
    for band in range(_BANDS):
        span = slice(band * _COEFFICIENTS, (band + 1) * _COEFFICIENTS)
        state = memory[_STATE + 4 * band : _STATE + 4 * (band + 1)]
        _filter(left, right, n, start[span], end[span], state)
    blend(audio, left, right, n, before[_MIX], values[_MIX])
    finish(memory, values)


@jit
def reset(memory, sample_rate):  # type: ignore[no-untyped-def]
    memory[0] = np.float32(0)
    for i in range(_STATE, _FROM):
        memory[i] = np.float32(0)
