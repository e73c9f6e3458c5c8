"""Differences between a recorded note and rendered ones as they are heard: the measure that has the last word."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from noisysynth.inversion.note import RecordedNote
from noisysynth.listening.distance import LOG_FLOOR, MAGNITUDE_WEIGHT

Floats = npt.NDArray[np.float32]

# Of the six lengths of the spectral distance every other one, and hops of a whole window: a sixth of the work.
SIZES = (2048, 512, 128)


class HeardSpectra:
    """The terms of `SpectralDistance`, one by one, on fewer windows."""

    def __init__(self, note: RecordedNote) -> None:
        self.n_samples = len(note.audio)
        self._targets: list[tuple[int, Floats, Floats]] = []
        weights = []
        for size in SIZES:
            used = slice(0, int(note.highest_hz * size / note.rate) + 1)
            magnitude = _magnitudes(note.audio, size)[:, used]
            self._targets.append((size, magnitude, np.log(magnitude + np.float32(LOG_FLOOR))))
            weights += 2 * [np.full(magnitude.size, 1.0 / magnitude.size)]
        weight = np.concatenate(weights)
        self.weights = (weight * len(weight) / len(SIZES)).astype(np.float32)
        """[R]: the mean of weighted absolute residuals is the distance."""

    def residuals(self, audio: Floats) -> Floats:
        """[B, R] of audio [B, samples]."""
        out = np.empty((len(audio), len(self.weights)), np.float32)
        for row, sound in enumerate(audio):
            at = 0
            for size, target, target_log in self._targets:
                magnitude = _magnitudes(sound, size)[:, : target.shape[1]]
                for difference in (
                    np.float32(MAGNITUDE_WEIGHT) * (magnitude - target),
                    np.log(magnitude + np.float32(LOG_FLOOR)) - target_log,
                ):
                    out[row, at : at + target.size] = difference.ravel()
                    at += target.size
        return out


def _magnitudes(audio: Floats, size: int) -> Floats:
    padded = np.pad(audio, (size // 2, size))
    return np.abs(np.fft.rfft(sliding_window_view(padded, size)[::size] * _window(size)))


@functools.lru_cache(maxsize=8)
def _window(size: int) -> Floats:
    window = np.hanning(size)
    return (window / window.sum()).astype(np.float32)
