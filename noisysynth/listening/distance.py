"""How far apart two sounds are, by their spectra at several window lengths."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

FFT_SIZES = (2048, 1024, 512, 256, 128, 64)
LOG_FLOOR = 1e-5
MAGNITUDE_WEIGHT = 100.0

Floats = npt.NDArray[np.float32]


class SpectralDistance:
    """DDSP's distance (Engel et al. 2020) from one sound to others: mean L1 of magnitude plus of log magnitude.

    FFT 2048 ... 64, hops of a quarter. Log floor 1e-5; magnitudes are per window sum, times 100, so that both terms
    weigh alike on notes near full scale.
    """

    def __init__(self, reference: npt.ArrayLike, sizes: tuple[int, ...] = FFT_SIZES) -> None:
        """reference: [samples], mono."""
        self._reference = np.asarray(reference, np.float32)
        self.sizes = sizes
        self._spectra = [_spectra(self._reference, len(self._reference), size) for size in sizes]

    def __call__(self, other: npt.ArrayLike) -> float:
        """To another sound [samples] at the same rate; the shorter of the two is padded."""
        sound = np.asarray(other, np.float32)
        length = max(len(self._reference), len(sound))
        total = 0.0
        for size, known in zip(self.sizes, self._spectra, strict=True):
            magnitude, log = known
            if length > len(self._reference):
                magnitude, log = _spectra(self._reference, length, size)
            other_magnitude, other_log = _spectra(sound, length, size)
            total += MAGNITUDE_WEIGHT * float(np.abs(magnitude - other_magnitude).mean(dtype=np.float64))
            total += float(np.abs(log - other_log).mean(dtype=np.float64))
        return total / len(self.sizes)


def multi_scale_spectral_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """`SpectralDistance` of two sounds [samples] at one rate; the shorter is padded."""
    return SpectralDistance(first)(second)


def magnitudes(audio: Floats, length: int, size: int, hop: int) -> Floats:
    """Spectra [frames, size / 2 + 1] under a Hann window that sums to one, frame f centred on sample f * hop.

    The audio is taken as `length` samples, silent beyond its end; a full-scale sinusoid on a bin has magnitude 1/2.
    """
    padded = np.pad(audio, (size // 2, length - len(audio) + size))
    return np.abs(np.fft.rfft(sliding_window_view(padded, size)[::hop] * _window(size)))


def _spectra(audio: Floats, length: int, size: int) -> tuple[Floats, Floats]:
    """Magnitudes and their logarithms."""
    magnitude: Any = magnitudes(audio, length, size, size // 4)
    return magnitude, np.log(magnitude + np.float32(LOG_FLOOR))


@functools.lru_cache(maxsize=16)
def _window(size: int) -> Floats:
    window = np.hanning(size)
    return (window / window.sum()).astype(np.float32)
