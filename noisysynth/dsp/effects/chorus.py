"""Chorus: three voices for each channel, read from a line at delays that swing a third of a turn apart.

With feedback, of one voice, and a short delay it is a flanger. Spread shifts the swing of the right channel's voices
by up to half of what lies between two of them.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects.blending import BEFORE, HEADER, OWN, begin, blend_powers, clean, finish
from noisysynth.dsp.effects.lines import GUARD, forget_line, hermite
from noisysynth.dsp.oscillator import fill_rotation

_RATE, _DEPTH, _DELAY, _SPREAD, _FEEDBACK, _MIX = range(6)
LONGEST_S = 0.03 + 2 * 0.008
VOICES = 3
_GAIN = 0.53  # of each voice: between what keeps the level of treble, where they are strangers, and of bass
_AT = OWN
_WRITTEN = OWN + 1
_PHASE = OWN + 2
_WORK = HEADER  # sine and cosine of the swing, left, right
_LINES = _WORK + 4 * 64


@jit
def _size(sample_rate):  # type: ignore[no-untyped-def]
    """Samples of a line and its guard."""
    return int(LONGEST_S * sample_rate) + 64 + 2 * GUARD


def memory_floats(sample_rate: float) -> int:
    return int(_LINES + 2 * _size(float(sample_rate)))


@jit
def _tap(line, at, written, delay):  # type: ignore[no-untyped-def]
    """What was in the line `delay` samples before index `at`, where the next sample goes."""
    age = int(delay)
    k = at - age - 2
    if k < 0:
        k += line.shape[0] - GUARD
    heard = age - 1 <= written
    return hermite(line, k, np.float32(1) - (delay - np.float32(age))) if heard else np.float32(0)


@jit
def process(audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    begin(memory, values)
    before = memory[BEFORE:OWN]
    size = _size(sample_rate)
    length = size - GUARD
    written = int(memory[_WRITTEN])
    sine = memory[_WORK : _WORK + 64]
    cosine = memory[_WORK + 64 : _WORK + 128]
    rate = float(values[_RATE])
    memory[_PHASE] = fill_rotation(sine, cosine, n, float(memory[_PHASE]), rate, rate, sample_rate)
    share = np.float32(1) / np.float32(n)
    one = np.float32(1)
    gain = np.float32(_GAIN)
    half = np.float32(0.5)
    side = np.float32(math.sqrt(0.75))
    per_ms = np.float32(0.001 * sample_rate)
    shortest = np.float32(GUARD)
    at = int(memory[_AT])
    for channel in range(2):
        wet = memory[_WORK + (2 + channel) * 64 : _WORK + (3 + channel) * 64]
        line = memory[_LINES + channel * size : _LINES + (channel + 1) * size]
        turn = 2.0 * math.pi / (2 * VOICES) * channel
        along = np.float32(math.cos(turn * before[_SPREAD]))
        across = np.float32(math.sin(turn * before[_SPREAD]))
        along_step = (np.float32(math.cos(turn * values[_SPREAD])) - along) * share
        across_step = (np.float32(math.sin(turn * values[_SPREAD])) - across) * share
        depth = before[_DEPTH] * per_ms
        depth_step = (values[_DEPTH] * per_ms - depth) * share
        delay = before[_DELAY] * per_ms
        delay_step = (values[_DELAY] * per_ms - delay) * share
        feedback = before[_FEEDBACK]
        feedback_step = (values[_FEEDBACK] - feedback) * share
        at = int(memory[_AT])
        for i in range(n):
            along += along_step
            across += across_step
            depth += depth_step
            delay += delay_step
            feedback += feedback_step
            swing = sine[i] * along + cosine[i] * across
            quarter = cosine[i] * along - sine[i] * across
            middle = max(delay + depth, shortest + depth)
            first = _tap(line, at, written + i, middle + depth * swing)
            second = _tap(line, at, written + i, middle + depth * (side * quarter - half * swing))
            third = _tap(line, at, written + i, middle - depth * (side * quarter + half * swing))
            wet[i] = gain * (first + second + third)
            x = clean(np.sqrt(one - feedback * feedback) * audio[i, channel] + feedback * first)
            line[at] = x
            if at < GUARD:
                line[length + at] = x
            at += 1
            if at == length:
                at = 0
    memory[_AT] = at
    memory[_WRITTEN] = min(written + n, length)
    left = memory[_WORK + 128 : _WORK + 192]
    right = memory[_WORK + 192 : _LINES]
    blend_powers(audio, left, right, n, before[_MIX], values[_MIX])
    finish(memory, values)


@jit
def reset(memory, sample_rate):  # type: ignore[no-untyped-def]
    size = _size(sample_rate)
    for i in range(_WORK):
        memory[i] = np.float32(0)
    forget_line(memory[_LINES : _LINES + size])
    forget_line(memory[_LINES + size : _LINES + 2 * size])
