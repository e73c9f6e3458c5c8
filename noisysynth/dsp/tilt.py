"""A slope over the spectrum, straight in dB per octave."""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.bits import exp2
from noisysynth.dsp.compiling import jit

_OCTAVES_PER_DB = np.float32(math.log2(10.0) / 20.0)  # of gain
_STEEPEST = np.float32(100.0)


@jit
def weigh_tilt(weights, n, log2_partial, tilt):  # type: ignore[no-untyped-def]
    """Multiply weights [n] of partials by 10 ** (tilt * log2_partial / 20); tilt: dB per octave, within 100."""
    slope = min(max(np.float32(tilt), -_STEEPEST), _STEEPEST) * _OCTAVES_PER_DB
    for k in range(n):
        weights[k] *= exp2(log2_partial[k] * slope)
