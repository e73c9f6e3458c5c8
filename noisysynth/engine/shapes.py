"""Closed forms of envelopes and LFOs: any instant can be asked for, so frames ahead cost nothing but themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# A fall is called over at -60 dB.
_FALL = np.log(1000.0)


def envelope(
    time_on: Floats, time_off: Floats, attack_s: float, decay_s: float, sustain: float, release_s: float
) -> Floats:
    """An ADSR in 0..1: linear rise, then exponential falls to `sustain` and, from wherever it was, to 0.

    time_on: s since note-on. time_off: s since note-off, negative while held. attack_s: 0 begins at once. decay_s,
    release_s: until -60 dB.
    """
    held_for = time_on - np.maximum(time_off, 0.0)
    rising = held_for / attack_s if attack_s > 0.0 else np.ones_like(held_for)
    falling = sustain + (1.0 - sustain) * np.exp(-_FALL * np.maximum(held_for - attack_s, 0.0) / decay_s)
    level = np.where(rising < 1.0, rising, falling)
    released = np.exp(-_FALL * np.maximum(time_off, 0.0) / release_s)
    return np.asarray(np.maximum(level, 0.0) * released)


def lfo(shape: int, phase: Floats) -> Floats:
    """LFO_SHAPES[shape] in -1..1 at phases in turns."""
    whole = np.floor(phase)
    turn = phase - whole
    if shape == 0:
        return np.asarray(np.sin(2.0 * np.pi * turn))
    if shape == 1:
        return np.asarray(1.0 - 4.0 * np.abs(np.mod(turn + 0.25, 1.0) - 0.5))
    if shape == 2:
        return np.asarray(2.0 * turn - 1.0)
    if shape == 3:
        return np.asarray(1.0 - 2.0 * turn)
    if shape == 4:
        return np.where(turn < 0.5, 1.0, -1.0)
    if shape == 5:
        return _dice(whole)
    share = 0.5 - 0.5 * np.cos(np.pi * turn)
    before, after = _dice(whole), _dice(whole + 1.0)
    return np.asarray(before + (after - before) * share)


def _dice(number: Floats) -> Floats:
    """A value in -1..1 for each whole number, the same at every call."""
    return np.asarray(2.0 * np.mod(np.sin(number * 12.9898 + 4.1414) * 43758.5453, 1.0) - 1.0)
