"""The last thing before the loudspeaker: NaN guard, limiter without latency, and a soft ceiling.

The limiter sees a whole quantum before it leaves, so it needs no look-ahead delay: its gain falls within the first
quarter of the quantum that would be too loud, recovers slowly, and what still stands out is bent under full scale.
Below the threshold the path is exactly linear.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.bits import peak
from noisysynth.dsp.compiling import jit

THRESHOLD = np.float32(0.89)  # -1 dB
CEILING = np.float32(0.999)
RELEASE_S = 0.15
_ABSURD = np.float32(1e6)


@jit
def _zero_what_is_no_sample(stereo, n):  # type: ignore[no-untyped-def]
    """Return how many of stereo [n, 2] were not finite, or absurd, and are now 0."""
    bad = 0
    for i in range(n):
        for channel in range(2):
            # A NaN fails every comparison, so this is one test for NaN, infinity and absurd values.
            if not abs(stereo[i, channel]) < _ABSURD:
                stereo[i, channel] = np.float32(0)
                bad += 1
    return bad


@jit
def guard_and_limit(stereo, n, gain, sample_rate):  # type: ignore[no-untyped-def]
    """Limit stereo [n, 2] in place. Return (gain after it, samples that were not finite and are now 0)."""
    gain = np.float32(gain)
    one = np.float32(1)
    bad = 0
    loudest = peak(stereo, n)
    if not loudest < _ABSURD:
        bad = _zero_what_is_no_sample(stereo, n)
        loudest = peak(stereo, n)
    target = one
    if gain < one:
        target = one - (one - gain) * np.float32(math.exp(-n / (RELEASE_S * sample_rate)))
        if target > np.float32(0.99999):
            target = one
    if loudest * target > THRESHOLD:
        target = THRESHOLD / loudest
    if target == one and gain == one:
        return one, bad
    falling = np.float32(n if target > gain else max(n // 4, 1))
    step = (target - gain) / falling
    knee = CEILING - THRESHOLD
    for i in range(n):
        now = gain + step * min(np.float32(i + 1), falling)
        for channel in range(2):
            x = stereo[i, channel] * now
            over = max(abs(x) - THRESHOLD, np.float32(0))
            held = min(abs(x), THRESHOLD) + knee * (over / (over + knee))
            stereo[i, channel] = held if x > np.float32(0) else -held
    return target, bad
