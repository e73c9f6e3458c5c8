"""The test tone: a quiet sine on the left, on the right, then on both, straight before the limiter."""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.engine.state import QUANTUM

TONE_HZ = 440.0
TONE_GAIN = np.float32(0.1)  # -20 dB: heard on every loudspeaker, and too loud on none
TONE_FADE_S = 0.03
TONE_PLACES = ("left", "right", "both")  # one after the other, for the same time


@jit
def add_test_tone(state, quantum):  # type: ignore[no-untyped-def]
    """Add it to quantum [QUANTUM, 2] while the clock is between `tone_begin` and `tone_end`, and while it fades."""
    now = state.rendered[0]
    begin, end = state.tone_begin, state.tone_end
    place = -1
    if begin <= now and now < end:
        place = (now - begin) * len(TONE_PLACES) // (end - begin)
    if place < 0 and state.tone_gain[0] == 0.0 and state.tone_gain[1] == 0.0:
        state.tone_phase = 0.0
        return
    most = np.float32(TONE_GAIN * QUANTUM / (TONE_FADE_S * state.sample_rate))
    step = TONE_HZ / state.sample_rate
    for channel in range(2):
        goal = TONE_GAIN if place == channel or place == 2 else np.float32(0)
        start = state.tone_gain[channel]
        stop = min(start + most, goal) if goal > start else max(start - most, goal)
        state.tone_gain[channel] = stop
        if start == 0.0 and stop == 0.0:
            continue
        for i in range(QUANTUM):
            gain = start + (stop - start) * state.ramp[i]
            phase = state.tone_phase + step * i
            quantum[i, channel] += gain * np.float32(math.sin(2.0 * math.pi * phase))
    phase = state.tone_phase + step * QUANTUM
    state.tone_phase = phase - math.floor(phase)
