"""The last thing before the loudspeaker: NaN guard, limiter without latency, and a soft ceiling.

The limiter sees a whole quantum before it leaves, so it needs no look-ahead delay: its gain falls within the first
quarter of the quantum that would be too loud, recovers slowly, and what still stands out is bent under full scale.
Below the threshold the path is exactly linear.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit

THRESHOLD = 0.89  # -1 dB
CEILING = 0.999
RELEASE_S = 0.15


@jit
def guard_and_limit(stereo, n, gain, sample_rate):  # type: ignore[no-untyped-def]
    """Limit stereo [n, 2] in place. Return (gain after it, samples that were not finite and are now 0)."""
    peak = np.float32(0)
    bad = 0
    for i in range(n):
        for channel in range(2):
            x = stereo[i, channel]
            # A NaN fails every comparison, so this is one test for NaN, infinity and absurd values.
            if not abs(x) < np.float32(1e6):
                stereo[i, channel] = np.float32(0)
                bad += 1
            elif abs(x) > peak:
                peak = abs(x)
    released = 1.0 - (1.0 - gain) * math.exp(-n / (RELEASE_S * sample_rate))
    if released > 0.99999:
        released = 1.0
    target = released
    if peak * target > THRESHOLD:
        target = THRESHOLD / peak
    if target == 1.0 and gain == 1.0:
        return 1.0, bad
    ramp = n if target > gain else max(n // 4, 1)
    step = (target - gain) / ramp
    knee = CEILING - THRESHOLD
    for i in range(n):
        now = gain + step * (i + 1) if i < ramp else target
        for channel in range(2):
            x = stereo[i, channel] * np.float32(now)
            over = abs(x) - THRESHOLD
            if over > 0.0:
                bent = THRESHOLD + knee * (over / (over + knee))
                x = np.float32(bent if x > 0 else -bent)
            stereo[i, channel] = x
    return target, bad
