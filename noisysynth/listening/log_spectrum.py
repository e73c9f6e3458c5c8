"""Levels over log frequency: the numbers behind the spectrum and the spectrogram."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0
FLOOR_DB, TOP_DB = -100.0, 0.0
GRID_HZ = (50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0)
LABELS = {100.0: "100", 1000.0: "1k", 10_000.0: "10k"}
SILENCE = 10.0 ** (FLOOR_DB / 20.0)
PADDING = 2  # times the samples: a sine between two bins reads at most 0.2 dB too low
# Blackman-Harris: its side lobes, 92 dB down, are below nearly all that is drawn.
_WINDOW = (0.35875, -0.48829, 0.14128, -0.01168)
_OCTAVES = math.log2(HIGHEST_HZ / LOWEST_HZ)


def place(hz: float) -> float:
    """Where a frequency is from LOWEST_HZ (0) to HIGHEST_HZ (1)."""
    return math.log2(hz / LOWEST_HZ) / _OCTAVES


def harmonics_hz(fundamental_hz: float, width_px: float, gap_px: float) -> NDArray[np.float64]:
    """Harmonics up to HIGHEST_HZ, for as long as two of them are at least `gap_px` apart on an axis of `width_px`."""
    if not 0.0 < fundamental_hz <= HIGHEST_HZ or width_px <= 0.0:
        return np.zeros(0)
    apart = 1.0 / math.expm1(math.log(2.0) * _OCTAVES * gap_px / width_px)
    count = min(int(HIGHEST_HZ / fundamental_hz), int(apart) + 1)
    return fundamental_hz * np.arange(1, count + 1, dtype=np.float64)


class LogSpectrum:
    """Spectra of `samples` samples at `rate_hz` in `columns` places of equal width from LOWEST_HZ to HIGHEST_HZ."""

    def __init__(self, samples: int, rate_hz: float, columns: int) -> None:
        turn = 2.0 * np.pi * np.arange(samples) / samples
        window = np.array(_WINDOW) @ np.cos(np.outer(np.arange(len(_WINDOW)), turn))
        self._window = (2.0 * window / window.sum()).astype(np.float32)  # a sine of peak 1 reads 0 dB
        self._fft_length = PADDING * samples
        edges_hz = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (np.arange(columns + 1) / columns)
        edges = edges_hz * self._fft_length / rate_hz  # in bins
        used = int(np.searchsorted(edges[1:], self._fft_length // 2, side="right"))  # columns below Nyquist
        first_bins = np.ceil(edges[: used + 1]).astype(np.intp)
        empty = np.flatnonzero(np.diff(first_bins) == 0)
        # Columns between two bins are interpolated; from here on each has bins of its own, and shows the loudest.
        self._wide = int(empty[-1]) + 1 if len(empty) else 0
        self._starts, self._end = first_bins[self._wide : used], int(first_bins[-1])
        centres = np.sqrt(edges[: self._wide] * edges[1 : self._wide + 1])
        self._below = centres.astype(np.intp)
        self._share = (centres - self._below).astype(np.float32)
        self._silence = np.full(columns, FLOOR_DB, np.float32)

    def levels_db(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        """Level of each column, a sine's peak of 1 being 0 dB and FLOOR_DB the least, [columns]."""
        levels = self._silence.copy()
        if float(np.abs(mono).max(initial=0.0)) < SILENCE:
            return levels
        bins = np.fft.rfft(mono * self._window, self._fft_length)
        power = bins.real**2 + bins.imag**2 + np.float32(1e-20)  # not 0, which has no logarithm
        decibels = np.maximum(10.0 * np.log10(power), np.float32(FLOOR_DB)).astype(np.float32, copy=False)
        lower, upper = decibels[self._below], decibels[self._below + 1]
        levels[: self._wide] = lower + (upper - lower) * self._share
        if len(self._starts):
            loudest = np.maximum.reduceat(decibels[: self._end], self._starts)
            levels[self._wide : self._wide + len(loudest)] = loudest
        return levels


@functools.lru_cache(maxsize=4)
def log_spectrum(samples: int, rate_hz: float, columns: int) -> LogSpectrum:
    """The one for this size, made once."""
    return LogSpectrum(samples, rate_hz, columns)
