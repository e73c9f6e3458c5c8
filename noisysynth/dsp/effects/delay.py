"""Delay: repeats that lose their highs, straight or from side to side.

A new time is reached as by a tape machine whose speed changes: what is in the line bends by at most an octave, and the
speed has inertia, too. The effect is given the time in seconds; the engine has resolved what follows the tempo.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects.blending import BEFORE, HEADER, OWN, begin, blend_powers, clean, finish
from noisysynth.dsp.effects.lines import GUARD, READ_BEHIND, forget_line, read_line, write_line

_TIME, _SYNC, _FEEDBACK, _DAMPING, _CROSS, _MIX = range(6)
LONGEST_S = 2.0
FASTEST_UP, FASTEST_DOWN = 0.5, -1.0  # samples per sample: an octave down, an octave up
GLIDE_S = 0.1  # time constants with which the delay comes to rest, and its speed follows
INERTIA_S = 0.02
_AT = OWN  # next index in the lines; they have fewer than 2^24 samples, so float32 counts them
_WRITTEN = OWN + 1
_DELAY = OWN + 2  # whole samples, and what is over
_SPEED = OWN + 4  # of the delay, samples per sample
_LOW = OWN + 5  # the dampers' memory
_WORK = HEADER  # left and right: repeats, what goes into the lines
_LINES = _WORK + 4 * 64


@jit
def _size(sample_rate):  # type: ignore[no-untyped-def]
    """Samples of a line and its guard."""
    return int(LONGEST_S * sample_rate) + 2 * READ_BEHIND + GUARD


def memory_floats(sample_rate: float) -> int:
    return int(_LINES + 2 * _size(float(sample_rate)))


@jit
def _glide(delay, wanted, memory, n, sample_rate):  # type: ignore[no-untyped-def]
    """Where the delay gets to in n samples; the memory's _SPEED follows."""
    wanted_speed = min(max((wanted - delay) / (GLIDE_S * sample_rate), FASTEST_DOWN), FASTEST_UP)
    speed = float(memory[_SPEED])
    speed += (1.0 - math.exp(-n / (INERTIA_S * sample_rate))) * (wanted_speed - speed)
    there = abs(wanted - delay) < 0.01 and abs(speed) < 1e-4
    memory[_SPEED] = 0.0 if there else speed
    return wanted if there else max(delay + speed * n, float(READ_BEHIND))


@jit
def process(audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    fresh = memory[0] == np.float32(0)
    begin(memory, values)
    before = memory[BEFORE:OWN]
    size = _size(sample_rate)
    one = np.float32(1)
    count = np.float32(n)
    at = int(memory[_AT])
    written = int(memory[_WRITTEN])
    longest = float(size - GUARD - READ_BEHIND)
    wanted = min(max(values[_TIME] * sample_rate, float(READ_BEHIND)), longest)
    delay = wanted if fresh else float(memory[_DELAY]) + float(memory[_DELAY + 1])
    delay_end = _glide(delay, wanted, memory, n, sample_rate)
    repeat_left = memory[_WORK : _WORK + 64]
    repeat_right = memory[_WORK + 64 : _WORK + 128]
    into_left = memory[_WORK + 128 : _WORK + 192]
    into_right = memory[_WORK + 192 : _LINES]
    left = memory[_LINES : _LINES + size]
    right = memory[_LINES + size : _LINES + 2 * size]
    read_line(left, at, written, delay, delay_end, repeat_left, n)
    read_line(right, at, written, delay, delay_end, repeat_right, n)

    open_start = one - np.float32(math.exp(-2.0 * math.pi * before[_DAMPING] / sample_rate))
    open_end = one - np.float32(math.exp(-2.0 * math.pi * values[_DAMPING] / sample_rate))
    opening = open_start
    opening_step = (open_end - open_start) / count
    low_left = memory[_LOW]
    low_right = memory[_LOW + 1]
    feedback = before[_FEEDBACK]
    feedback_step = (values[_FEEDBACK] - feedback) / count
    cross = before[_CROSS]
    cross_step = (values[_CROSS] - cross) / count
    for i in range(n):
        opening += opening_step
        feedback += feedback_step
        cross += cross_step
        low_left += opening * (repeat_left[i] - low_left)
        low_right += opening * (repeat_right[i] - low_right)
        # All crossed, the input enters on the left only, and each repeat comes back on the other side.
        both = np.float32(0.5) * cross * (audio[i, 0] + audio[i, 1])
        stay = (one - cross) * feedback
        change = cross * feedback
        into_left[i] = (one - cross) * audio[i, 0] + both + stay * low_left + change * low_right
        into_right[i] = (one - cross) * audio[i, 1] + stay * low_right + change * low_left
    memory[_LOW] = clean(low_left)
    memory[_LOW + 1] = clean(low_right)
    write_line(left, at, into_left, n)
    memory[_AT] = write_line(right, at, into_right, n)
    memory[_WRITTEN] = min(written + n, size)
    memory[_DELAY] = math.floor(delay_end)
    memory[_DELAY + 1] = delay_end - math.floor(delay_end)
    blend_powers(audio, repeat_left, repeat_right, n, before[_MIX], values[_MIX])
    finish(memory, values)


@jit
def reset(memory, sample_rate):  # type: ignore[no-untyped-def]
    size = _size(sample_rate)
    for i in range(_WORK):
        memory[i] = np.float32(0)
    forget_line(memory[_LINES : _LINES + size])
    forget_line(memory[_LINES + size : _LINES + 2 * size])
