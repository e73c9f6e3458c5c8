"""The oracle: the synths in slow, obvious NumPy, float64, one loop per idea."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def harmonics(f0_hz: Array, amplitudes: Array, sample_rate: float, hop: int, phase_turns: float = 0.0) -> Array:
    """Audio [(F - 1) * hop] of one note: f0_hz [F], peak amplitudes [F, K]."""
    audio = np.zeros((len(f0_hz) - 1) * hop)
    turns = phase_turns
    for segment in range(len(f0_hz) - 1):
        hz_start, hz_end = f0_hz[segment], f0_hz[segment + 1]
        for i in range(hop):
            share = i / hop
            for k in range(1, amplitudes.shape[1] + 1):
                if k * max(hz_start, hz_end) < sample_rate / 2:
                    amplitude = (1 - share) * amplitudes[segment, k - 1] + share * amplitudes[segment + 1, k - 1]
                    audio[segment * hop + i] += amplitude * np.sin(2 * np.pi * k * turns)
            turns += (hz_start + (hz_end - hz_start) * share) / sample_rate
    return audio


def noise(gains: Array, loops: NDArray[np.float32], lengths: NDArray[np.int64], hop: int, position: int) -> Array:
    """Audio [(F - 1) * hop] of one row: band RMS gains [F, N] on the loops [N, L] of the given lengths [N]."""
    audio = np.zeros((len(gains) - 1) * hop)
    for t in range(len(audio)):
        segment, share = t // hop, (t % hop) / hop
        for band in range(gains.shape[1]):
            gain = (1 - share) * gains[segment, band] + share * gains[segment + 1, band]
            audio[t] += gain * loops[band, (position + t) % lengths[band]]
    return audio
