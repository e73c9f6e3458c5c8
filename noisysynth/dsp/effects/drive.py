"""Drive: soft saturation, twice oversampled and antialiased by its antiderivative.

The curve is f(u) = u / sqrt(1 + u^2). Its mean between two samples, which is what first-order antiderivative
antialiasing plays (Parker, Zavalishin, Le Bivic 2016), is (a + b) / (sqrt(1 + a^2) + sqrt(1 + b^2)): no division by a
difference that may be 0, as with tanh.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects.blending import BEFORE, HEADER, OWN, begin, blend, clean, finish, gain_of_db

_DRIVE, _TONE, _LEVEL, _MIX = range(4)
_KEPT_LEVEL = 0.25  # what goes in at this level comes out at it, however hard it is driven
_TAPS = 16  # of the half-band filter's even half; its odd half is one tap in the middle
_LATENCY = _TAPS - 1  # samples, up and down together
_ROW = _TAPS + 64  # what came before, then this quantum
# Rows of each channel: input, driven input, even and odd half of the oversampled, the same bent, output.
_DRY, _DRIVEN, _EVEN, _ODD, _EVEN_BENT, _ODD_BENT, _WET = range(7)
_ROWS = 7
_FLOATS = HEADER + 2 * _ROWS * _ROW


def _half_band() -> Any:
    """Taps 0, 2, 4, ... of a Kaiser-windowed half-band low-pass with 2 * _TAPS - 1 taps, gain 1: -70 dB."""
    at = np.arange(0, 2 * _TAPS - 1, 2) - (_TAPS - 1)
    taps = 0.5 * np.sinc(0.5 * at) * np.kaiser(2 * _TAPS - 1, 6.8)[::2]
    return (0.5 * taps / taps.sum()).astype(np.float32)


_HALF_BAND = _half_band()


def memory_floats(sample_rate: float) -> int:
    return _FLOATS


@jit
def _row(memory, channel, row):  # type: ignore[no-untyped-def]
    start = HEADER + (channel * _ROWS + row) * _ROW
    return memory[start : start + _ROW]


@jit
def _filter(target, source, n, gain):  # type: ignore[no-untyped-def]
    """target[i] = gain * sum of _HALF_BAND[k] * source[i - k], both rows."""
    out = target[_TAPS:]
    for i in range(n):
        out[i] = np.float32(0)
    for k in range(0, _TAPS, 4):
        a = gain * _HALF_BAND[k]
        b = gain * _HALF_BAND[k + 1]
        c = gain * _HALF_BAND[k + 2]
        d = gain * _HALF_BAND[k + 3]
        past = source[_TAPS - k - 3 :]
        for i in range(n):
            out[i] += a * past[i + 3] + b * past[i + 2] + c * past[i + 1] + d * past[i]


@jit
def _bend(u, before):  # type: ignore[no-untyped-def]
    one = np.float32(1)
    return (u + before) / (np.sqrt(one + u * u) + np.sqrt(one + before * before))


@jit
def _saturate(memory, channel, n):  # type: ignore[no-untyped-def]
    """From the driven row to the wet row."""
    driven = _row(memory, channel, _DRIVEN)
    even = _row(memory, channel, _EVEN)
    odd = _row(memory, channel, _ODD)
    even_bent = _row(memory, channel, _EVEN_BENT)
    odd_bent = _row(memory, channel, _ODD_BENT)
    wet = _row(memory, channel, _WET)
    middle = _TAPS // 2
    _filter(even, driven, n, np.float32(2))
    for i in range(_TAPS, _TAPS + n):
        odd[i] = driven[i - middle + 1]
    for i in range(_TAPS, _TAPS + n):
        even_bent[i] = _bend(even[i], odd[i - 1])
    for i in range(_TAPS, _TAPS + n):
        odd_bent[i] = _bend(odd[i], even[i])
    _filter(wet, even_bent, n, np.float32(1))
    half = np.float32(0.5)
    for i in range(_TAPS, _TAPS + n):
        wet[i] += half * odd_bent[i - middle]


@jit
def _kept(drive):  # type: ignore[no-untyped-def]
    pushed = drive * np.float32(_KEPT_LEVEL)
    return np.sqrt(np.float32(1) + pushed * pushed) / drive


@jit
def _tone(hz, sample_rate):  # type: ignore[no-untyped-def]
    """Share of the way per sample of a one-pole low-pass."""
    return np.float32(1.0 - math.exp(-2.0 * math.pi * hz / sample_rate))


@jit
def process(audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    begin(memory, values)
    before = memory[BEFORE:OWN]
    count = np.float32(n)
    drive = gain_of_db(before[_DRIVE])
    drive_step = (gain_of_db(values[_DRIVE]) - drive) / count
    drive_end = gain_of_db(values[_DRIVE])
    level = gain_of_db(before[_LEVEL]) * _kept(drive)
    level_step = (gain_of_db(values[_LEVEL]) * _kept(drive_end) - level) / count
    tone = _tone(before[_TONE], sample_rate)
    tone_step = (_tone(values[_TONE], sample_rate) - tone) / count
    # The dry sound waits for the wet one, or the mix would be a comb; but with nothing mixed in it need not.
    wait = min(np.float32(20) * before[_MIX], np.float32(1))
    wait_step = (min(np.float32(20) * values[_MIX], np.float32(1)) - wait) / count
    for channel in range(2):
        dry = _row(memory, channel, _DRY)
        driven = _row(memory, channel, _DRIVEN)
        for i in range(n):
            x = clean(audio[i, channel])
            dry[_TAPS + i] = x
            driven[_TAPS + i] = x * (drive + drive_step * np.float32(i + 1))
        _saturate(memory, channel, n)
        wet = _row(memory, channel, _WET)[_TAPS:]
        low = memory[OWN + channel]
        for i in range(n):
            t = np.float32(i + 1)
            low += (tone + tone_step * t) * (wet[i] * (level + level_step * t) - low)
            wet[i] = low
            audio[i, channel] += (wait + wait_step * t) * (dry[_TAPS + i - _LATENCY] - audio[i, channel])
        memory[OWN + channel] = clean(low)
        for row in range(_WET):
            kept = _row(memory, channel, row)
            for i in range(_TAPS):
                kept[i] = kept[n + i]
    left = _row(memory, 0, _WET)[_TAPS:]
    right = _row(memory, 1, _WET)[_TAPS:]
    blend(audio, left, right, n, before[_MIX], values[_MIX])
    finish(memory, values)


@jit
def reset(memory, sample_rate):  # type: ignore[no-untyped-def]
    for i in range(_FLOATS):
        memory[i] = np.float32(0)
