"""What every effect does: remember last quantum's values to ramp from, keep its memory clean, blend dry and wet."""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.effects import EFFECT_VALUES

# An effect's memory begins with: whether the values before are known, and those values. The rest is its own.
BEFORE = 1
OWN = BEFORE + EFFECT_VALUES
HEADER = 32


@jit
def begin(memory, values):  # type: ignore[no-untyped-def]
    """Fresh or reset memory takes up the values at once, so that nothing is ramped."""
    if memory[0] == np.float32(0):
        memory[0] = np.float32(1)
        for i in range(EFFECT_VALUES):
            memory[BEFORE + i] = values[i]


@jit
def finish(memory, values):  # type: ignore[no-untyped-def]
    """Remember the values that the quantum ended with."""
    for i in range(EFFECT_VALUES):
        memory[BEFORE + i] = values[i]


@jit
def clean(x):  # type: ignore[no-untyped-def]
    """x for a memory: nothing instead of NaN, of what can only be an accident, and of what would become denormal."""
    size = abs(x)
    return x if np.float32(1e-15) < size < np.float32(1e6) else np.float32(0)


@jit
def gain_of_db(db):  # type: ignore[no-untyped-def]
    return np.float32(10.0 ** (0.05 * db))


@jit
def blend(audio, left, right, n, mix_start, mix_end):  # type: ignore[no-untyped-def]
    """Fade audio [n, 2] to left and right [n] by the mix, linearly: for wet that is the dry sound, bent."""
    step = (mix_end - mix_start) / np.float32(n)
    for i in range(n):
        mix = mix_start + step * np.float32(i + 1)
        audio[i, 0] += mix * (left[i] - audio[i, 0])
        audio[i, 1] += mix * (right[i] - audio[i, 1])


@jit
def _powers(mix):  # type: ignore[no-untyped-def]
    """Gains of dry and wet. Not the roots of the shares: these start steeply, and a turned knob would be heard."""
    wet = math.sin(0.5 * math.pi * mix)
    return np.float32(math.sqrt(1.0 - wet * wet)), np.float32(wet)


@jit
def blend_powers(audio, left, right, n, mix_start, mix_end):  # type: ignore[no-untyped-def]
    """The same at equal power: for wet that is a sound of its own, as repeats and rooms are."""
    share = np.float32(1) / np.float32(n)
    dry, wet = _powers(mix_start)
    dry_end, wet_end = _powers(mix_end)
    dry_step = (dry_end - dry) * share
    wet_step = (wet_end - wet) * share
    for i in range(n):
        t = np.float32(i + 1)
        audio[i, 0] = audio[i, 0] * (dry + dry_step * t) + left[i] * (wet + wet_step * t)
        audio[i, 1] = audio[i, 1] * (dry + dry_step * t) + right[i] * (wet + wet_step * t)
