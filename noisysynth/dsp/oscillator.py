"""Sine and cosine of a phase ramp, as polynomials that vectorise."""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit


@jit
def fill_rotation(sin1, cos1, n, phase, hz_start, hz_end, sample_rate):  # type: ignore[no-untyped-def]
    """Write sin and cos of the fundamental's phase for n samples; return the phase after them.

    phase: turns, at the first sample. Frequency is linear in Hz from hz_start (first sample) to hz_end (sample n), so
    sample i has phase `phase + (hz_start * i + (hz_end - hz_start) / n * i * (i - 1) / 2) / sample_rate`.
    The polynomials are least-squares fits on a quarter turn, in half angles; both are good to 1e-7.
    """
    step = hz_start / sample_rate
    bend = (hz_end - hz_start) / (n * sample_rate)
    for i in range(n):
        turns = phase + step * i + bend * (0.5 * i * (i - 1))
        y = np.float32(0.5) * np.float32(turns - math.floor(turns + 0.5))
        q = y * y
        s = y * (
            np.float32(6.2831853)
            + q
            * (
                np.float32(-41.341702)
                + q
                * (
                    np.float32(81.605249)
                    + q * (np.float32(-76.705859) + q * (np.float32(42.058694) + q * np.float32(-15.094643)))
                )
            )
        )
        c = np.float32(1) + q * (
            np.float32(-19.739209)
            + q
            * (
                np.float32(64.939394)
                + q
                * (
                    np.float32(-85.456817)
                    + q * (np.float32(60.244641) + q * (np.float32(-26.426257) + q * np.float32(7.903536)))
                )
            )
        )
        sin1[i] = np.float32(2) * s * c
        cos1[i] = c * c - s * s
    end = phase + step * n + bend * (0.5 * n * (n - 1))
    return end - math.floor(end)
