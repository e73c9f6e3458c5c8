"""The damper: whatever a network says, a released note does not swell.

Networks learn from recordings how a note dies away, and between their instruments they may guess wrong: half a second
after its release a note would come back. So some time after it, partials and noise are never louder than they
lately were. What beats or trembles as it dies away stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.dsp.compiling import jit
from noisysynth.engine.state import RING, VOICES

# A note that is let go while it begins may well go on rising for so long.
GRACE_S = 0.25
# Frames, 0.2 s, that are looked back over: whose dips are longer than that, loses of its crests.
LATELY = 48
# Frames may be computed anew, but none that is RING older than the newest.
_KEPT = LATELY + RING


def damper_memory() -> NDArray[np.float32]:
    """[VOICES, 2, frames], for `damp`: what was told of each voice's partials and noise, frame n at n modulo frames."""
    return np.zeros((VOICES, 2, _KEPT), np.float32)


@jit
def _loudest(levels, first, last):  # type: ignore[no-untyped-def]
    """Of the frames from `first` up to `last`, without it."""
    loudest = np.float32(0)
    for n in range(max(first, 0), last):
        level = levels[n % _KEPT]
        if level > loudest:
            loudest = level
    return loudest


@jit
def _rms(parts):  # type: ignore[no-untyped-def]
    power = np.float32(0)
    for i in range(len(parts)):
        power += parts[i] * parts[i]
    return np.sqrt(power)


@jit
def damp(memory, voices, first_frames, dying, amplitude, harmonics, noise):  # type: ignore[no-untyped-def]
    """Hold down F frames of each of V voices, in place.

    memory: of `damper_memory`. voices, first_frames: int64 [V]; voice v's frames are numbered from first_frames[v].
    dying: bool [V, F], where a note may only fall. amplitude [V, F], harmonics [V, F, H], noise [V, F, N]: of the
    control network.
    """
    for v in range(len(voices)):
        tones = memory[voices[v], 0]
        noises = memory[voices[v], 1]
        if first_frames[v] == 0:
            tones[:] = np.float32(0)
            noises[:] = np.float32(0)
        for f in range(amplitude.shape[1]):
            n = first_frames[v] + f
            bands = noise[v, f]
            tone = amplitude[v, f] * _rms(harmonics[v, f])
            hiss = _rms(bands)
            if dying[v, f]:
                # What is not a number is not louder: the queue makes it safe.
                most = _loudest(tones, n - LATELY, n)
                if tone > most:
                    amplitude[v, f] *= most / tone
                    tone = most
                most = _loudest(noises, n - LATELY, n)
                if hiss > most:
                    for b in range(len(bands)):
                        bands[b] *= most / hiss
                    hiss = most
            tones[n % _KEPT] = tone
            noises[n % _KEPT] = hiss
