"""Sine and cosine of a phase ramp, as polynomials that vectorise."""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.lanes import WIDTH, add, broadcast, fma, mul, nearest, numbers, store, sub

# Least-squares fits in half turns of the phase, within a quarter; both are good to 1e-7.
_SINE = tuple(map(np.float32, (-15.094643, 42.058694, -76.705859, 81.605249, -41.341702, 6.2831853)))
_COSINE = tuple(map(np.float32, (7.903536, -26.426257, 60.244641, -85.456817, 64.939394, -19.739209, 1.0)))


@jit
def half_angle(turns):  # type: ignore[no-untyped-def]
    """Sine and cosine of half the angle, as lanes, for lanes of turns from -0.5 to 0.5."""
    y = mul(broadcast(np.float32(0.5)), turns)
    q = mul(y, y)
    sine = broadcast(_SINE[0])
    for i in range(1, len(_SINE)):
        sine = fma(sine, q, broadcast(_SINE[i]))
    cosine = broadcast(_COSINE[0])
    for i in range(1, len(_COSINE)):
        cosine = fma(cosine, q, broadcast(_COSINE[i]))
    return mul(sine, y), cosine


@jit
def fill_rotation(sin1, cos1, n, phase, hz_start, hz_end, sample_rate):  # type: ignore[no-untyped-def]
    """Write sin and cos of the fundamental's phase for n samples; return the phase after them.

    phase: turns, at the first sample. Frequency is linear in Hz from hz_start (first sample) to hz_end (sample n), so
    sample i has phase `phase + (hz_start * i + (hz_end - hz_start) / n * i * (i - 1) / 2) / sample_rate`.
    """
    per_hz = 1.0 / (n * sample_rate)
    bend = 0.5 * (hz_end - hz_start) * per_hz
    slope = hz_start * (n * per_hz) - bend
    lane = numbers()
    one = broadcast(np.float32(1))
    square = mul(broadcast(np.float32(bend)), lane)
    for i in range(0, n, WIDTH):
        # Whole turns are dropped before they cost precision: those of the first lane in float64, those from lane to
        # lane as multiples of 1 / 4096, which float32 holds exactly.
        first = phase + i * (slope + bend * i)
        step = slope + 2.0 * bend * i
        coarse = np.floor(step * 4096.0) / 4096.0
        turns = mul(lane, broadcast(np.float32(coarse)))
        turns = add(sub(turns, nearest(turns)), broadcast(np.float32(first - np.floor(first + 0.5))))
        turns = fma(lane, add(square, broadcast(np.float32(step - coarse))), turns)
        s, c = half_angle(sub(turns, nearest(turns)))
        twice = mul(broadcast(np.float32(2)), s)
        store(sin1, i, n - i, mul(twice, c))
        store(cos1, i, n - i, sub(one, mul(twice, s)))
    end = phase + n * (slope + bend * n)
    return end - np.floor(end)
