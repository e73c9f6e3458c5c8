"""For now: what the kernels will do, until they are there."""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit


@jit
def seed_rotator(rotator, phase_turns, count):  # type: ignore[no-untyped-def]
    for k in range(count):
        rotator[0, k] = math.sin(2.0 * math.pi * (k + 1) * phase_turns)
        rotator[1, k] = math.cos(2.0 * math.pi * (k + 1) * phase_turns)


@jit
def add_stretched_partials(  # type: ignore[no-untyped-def]
    out, n, rotator, hz_start, hz_end, stretch, sample_rate, ramp, amp_start, amp_end, count
):
    for k in range(count):
        number = k + 1.0
        turn = 2.0 * math.pi * hz_end * number * math.sqrt(1.0 + stretch * number * number) / sample_rate
        sine = math.sin(turn)
        cosine = math.cos(turn)
        s = np.float64(rotator[0, k])
        c = np.float64(rotator[1, k])
        for i in range(n):
            out[i] += s * (amp_start[k] + (amp_end[k] - amp_start[k]) * ramp[i])
            rotated = c * cosine - s * sine
            s = s * cosine + c * sine
            c = rotated
        rotator[0, k] = s
        rotator[1, k] = c


@jit
def weight_partials(weights, n, hz, stretch, mode, cutoff, q):  # type: ignore[no-untyped-def]
    cutoff_hz = 2.0**cutoff
    for k in range(n):
        weights[k] /= np.float32(math.sqrt(1.0 + (hz * (k + 1) / cutoff_hz) ** 4))


@jit
def weight_bands(power, band_hz, mode, cutoff, q):  # type: ignore[no-untyped-def]
    cutoff_hz = 2.0**cutoff
    for b in range(power.shape[0]):
        power[b] /= np.float32(1.0 + (band_hz[b] / cutoff_hz) ** 4)
