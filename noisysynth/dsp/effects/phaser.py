"""Phaser: six all-passes in a row, swept together; where they turn the phase around, the mix has a notch.

The sweep is a sine over octaves, on the right a quarter turn behind the left.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects.blending import BEFORE, HEADER, OWN, begin, blend, clean, finish

_RATE, _DEPTH, _CENTER, _FEEDBACK, _MIX = range(5)
STAGES = 6
OCTAVES = 2.0  # to either side, at full depth
_PHASE = OWN  # of the sweep, in turns
_STATE = HEADER  # for each channel: last input of each stage, and last output
_WET = _STATE + 2 * (STAGES + 1)
_FLOATS = _WET + 2 * 64


def memory_floats(sample_rate: float) -> int:
    return _FLOATS


@jit
def _coefficient(center_hz, depth, turns, sample_rate):  # type: ignore[no-untyped-def]
    """Of a first-order all-pass that turns the phase by a quarter at the sweep's frequency."""
    hz = center_hz * 2.0 ** (OCTAVES * depth * math.sin(2.0 * math.pi * turns))
    g = math.tan(math.pi * min(hz, 0.45 * sample_rate) / sample_rate)
    return np.float32((g - 1.0) / (g + 1.0))


@jit
def process(audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    begin(memory, values)
    before = memory[BEFORE:OWN]
    count = np.float32(n)
    phase = memory[_PHASE]
    phase_end = phase + np.float32(n * values[_RATE] / sample_rate)
    feedback_step = (values[_FEEDBACK] - before[_FEEDBACK]) / count
    for channel in range(2):
        state = memory[_STATE + channel * (STAGES + 1) : _STATE + (channel + 1) * (STAGES + 1)]
        wet = memory[_WET + channel * 64 : _WET + (channel + 1) * 64]
        behind = np.float32(0.25 * channel)
        a = _coefficient(before[_CENTER], before[_DEPTH], phase - behind, sample_rate)
        a_step = (_coefficient(values[_CENTER], values[_DEPTH], phase_end - behind, sample_rate) - a) / count
        feedback = before[_FEEDBACK]
        s0, s1, s2, s3, s4, s5, s6 = state[0], state[1], state[2], state[3], state[4], state[5], state[6]
        for i in range(n):
            a += a_step
            feedback += feedback_step
            # All frequencies together keep their power, whatever the feedback.
            kept = np.sqrt(np.float32(1) - feedback * feedback)
            y0 = kept * audio[i, channel] + feedback * s6
            y1 = a * (y0 - s1) + s0
            y2 = a * (y1 - s2) + s1
            y3 = a * (y2 - s3) + s2
            y4 = a * (y3 - s4) + s3
            y5 = a * (y4 - s5) + s4
            y6 = a * (y5 - s6) + s5
            s0, s1, s2, s3, s4, s5, s6 = y0, y1, y2, y3, y4, y5, y6
            wet[i] = y6
        state[0] = clean(s0)
        state[1] = clean(s1)
        state[2] = clean(s2)
        state[3] = clean(s3)
        state[4] = clean(s4)
        state[5] = clean(s5)
        state[6] = clean(s6)
    memory[_PHASE] = phase_end - np.floor(phase_end)
    blend(audio, memory[_WET : _WET + 64], memory[_WET + 64 : _WET + 128], n, before[_MIX], values[_MIX])
    finish(memory, values)


@jit
def reset(memory, sample_rate):  # type: ignore[no-untyped-def]
    for i in range(_WET):
        memory[i] = np.float32(0)
