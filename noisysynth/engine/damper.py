"""The damper: whatever a network says, a released note does not swell.

Networks learn from recordings how a note dies away, and between their instruments they may guess wrong: half a second
after its release a note would come back. So some time after it, partials and noise are never louder than they
lately were. What beats or trembles as it dies away stays as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from noisysynth.dsp.compiling import jit
from noisysynth.engine.state import RING, VOICES

# A note that is let go while it begins may well go on rising for so long; as the network is told, with Release at 1.
GRACE_S = 0.25
# Frames, 0.2 s, that are looked back over, fewer where Release is shorter: whose dips are longer, loses of its crests.
LATELY = 48
# Frames may be computed anew, but none that is RING older than the newest.
_KEPT = LATELY + RING


class DamperMemory(NamedTuple):
    """What voices were told, for `damp`.

    levels: [VOICES, 2, frames], RMS of partials and of noise, frame n at n modulo frames. newest: [VOICES], the last
    frame told of.
    """

    levels: NDArray[np.float32]
    newest: NDArray[np.int64]


def damper_memory() -> DamperMemory:
    """Of voices that never sounded."""
    return DamperMemory(np.zeros((VOICES, 2, _KEPT), np.float32), np.zeros(VOICES, np.int64))


def damper_lookback(told_off_s: NDArray[np.float64], time_off_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Frames that a note is held down to, 0 where it may still rise.

    told_off_s: seconds since note-off as the network is told, which Release stretches. time_off_s: as they are.
    """
    dying = told_off_s > GRACE_S
    if not dying.any():
        return np.zeros(dying.shape, np.int64)
    stretch = np.divide(time_off_s, told_off_s, out=np.ones_like(told_off_s), where=dying)
    return np.where(dying, np.ceil(LATELY * np.minimum(stretch, 1.0)), 0.0).astype(np.int64)


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
def damp(levels, newest, voices, first_frames, lookback, amplitude, harmonics, noise):  # type: ignore[no-untyped-def]
    """Hold down F frames of each of V voices, in place.

    levels, newest: of `DamperMemory`. voices, first_frames: int64 [V]; voice v's frames are numbered from
    first_frames[v]. lookback: int64 [V, F], of `damper_lookback`. amplitude [V, F], harmonics [V, F, H], noise
    [V, F, N]: of the control network.
    """
    for v in range(len(voices)):
        tones = levels[voices[v], 0]
        noises = levels[voices[v], 1]
        if first_frames[v] == 0:
            tones[:] = np.float32(0)
            noises[:] = np.float32(0)
            newest[voices[v]] = -1
        # Where frames came too late to be told, the voice held on to the one before.
        last = newest[voices[v]]
        for n in range(max(last + 1, first_frames[v] - _KEPT), first_frames[v]):
            tones[n % _KEPT] = tones[last % _KEPT]
            noises[n % _KEPT] = noises[last % _KEPT]
        newest[voices[v]] = first_frames[v] + amplitude.shape[1] - 1
        for f in range(amplitude.shape[1]):
            n = first_frames[v] + f
            bands = noise[v, f]
            tone = amplitude[v, f] * _rms(harmonics[v, f])
            hiss = _rms(bands)
            if lookback[v, f] > 0:
                # What is not a number is not louder: the queue makes it safe.
                most = _loudest(tones, n - lookback[v, f], n)
                if tone > most:
                    amplitude[v, f] *= most / tone
                    tone = most
                most = _loudest(noises, n - lookback[v, f], n)
                if hiss > most:
                    for b in range(len(bands)):
                        bands[b] *= most / hiss
                    hiss = most
            tones[n % _KEPT] = tone
            noises[n % _KEPT] = hiss
