"""Compressor: feed-forward, both channels turned down alike, with a soft knee.

The gain in dB follows the level's curve with decoupled attack and release. Source: Giannoulis, Massberg, Reiss,
"Digital Dynamic Range Compressor Design" (JAES 2012), equations 4 and 17. It is computed for STEP samples at a time,
which is far shorter than the shortest attack, and goes linearly in between.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects.blending import BEFORE, HEADER, OWN, begin, clean, finish, gain_of_db

_THRESHOLD, _RATIO, _ATTACK, _RELEASE, _GAIN, _MIX = range(6)
KNEE_DB = 6.0
STEP = 4
_HELD = OWN  # dB turned down, after the release
_TURNED = OWN + 1  # after the attack, too


def memory_floats(sample_rate: float) -> int:
    return HEADER


@jit
def _reduction_db(level_db, threshold_db, ratio):  # type: ignore[no-untyped-def]
    over = level_db - threshold_db
    slope = np.float32(1) - np.float32(1) / ratio
    half = np.float32(0.5 * KNEE_DB)
    if over <= -half:
        return np.float32(0)
    if over < half:
        return slope * (over + half) * (over + half) / np.float32(2.0 * KNEE_DB)
    return slope * over


@jit
def process(audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    begin(memory, values)
    before = memory[BEFORE:OWN]
    count = np.float32(n)
    one = np.float32(1)
    attack = np.float32(1.0 - math.exp(-STEP / (values[_ATTACK] * sample_rate)))
    release = np.float32(1.0 - math.exp(-STEP / (values[_RELEASE] * sample_rate)))
    mix_step = (values[_MIX] - before[_MIX]) / count
    makeup = gain_of_db(before[_GAIN])
    makeup_step = (gain_of_db(values[_GAIN]) - makeup) / count
    held = memory[_HELD]
    turned = memory[_TURNED]
    gain = gain_of_db(-turned)
    for start in range(0, n, STEP):
        end = min(start + STEP, n)
        peak = np.float32(1e-6)
        for i in range(start, end):
            peak = max(peak, abs(audio[i, 0]), abs(audio[i, 1]))
        level_db = np.float32(20.0 * math.log10(peak))
        wanted = _reduction_db(level_db, values[_THRESHOLD], max(values[_RATIO], one))
        held = max(wanted, held + release * (wanted - held))
        turned += attack * (held - turned)
        gain_step = (gain_of_db(-turned) - gain) / np.float32(end - start)
        for i in range(start, end):
            gain += gain_step
            t = np.float32(i + 1)
            mix = before[_MIX] + mix_step * t
            now = one + mix * (gain * (makeup + makeup_step * t) - one)
            audio[i, 0] *= now
            audio[i, 1] *= now
    memory[_HELD] = clean(held)
    memory[_TURNED] = clean(turned)
    finish(memory, values)


@jit
def reset(memory, sample_rate):  # type: ignore[no-untyped-def]
    memory[0] = np.float32(0)
    memory[_HELD] = np.float32(0)
    memory[_TURNED] = np.float32(0)
