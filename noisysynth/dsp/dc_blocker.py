"""Removes what is too slow to hear, so that it takes no room under the limiter."""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit

CORNER_HZ = 3.0
_LEAST = 1e-20  # below: nothing, so that silence does not become denormal
_MOST = 1e6


@jit
def block_dc(stereo, n, memory, sample_rate):  # type: ignore[no-untyped-def]
    """High-pass stereo [n, 2] in place, one pole at CORNER_HZ. memory: float64 [2, 2], channel; last input, output.

    y[t] = x[t] - x[t - 1] + r y[t - 1], in float64, as in float32 a pole this close to 1 would hum.
    """
    pole = math.exp(-2.0 * math.pi * CORNER_HZ / sample_rate)
    for channel in range(2):
        before = memory[channel, 0]
        y = memory[channel, 1]
        for i in range(n):
            x = np.float64(stereo[i, channel])
            y = (x - before) + pole * y
            before = x
            stereo[i, channel] = np.float32(y)
        memory[channel, 0] = before if abs(before) < _MOST else 0.0
        memory[channel, 1] = y if _LEAST < abs(y) < _MOST else 0.0
