"""What a recording's melody is: f0 by YIN, and level, 250 times a second."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LOWEST_HZ, HIGHEST_HZ = 60.0, 1_600.0
FLOOR_DB = -80.0
_WINDOW = 1024
_THRESHOLD = 0.15
_LEVEL_WINDOW = 512
_SMOOTHED = 5  # frames


class PitchTrack(NamedTuple):
    """pitch [F]: MIDI, the nearest voiced frame's where there is none. voiced [F]: is there a pitch?"""

    pitch: Floats
    voiced: NDArray[np.bool_]


def track_pitch(audio: Floats, sample_rate: int, hop: int) -> PitchTrack:
    """f0 of audio [N] around samples n * hop, [N / hop], of one voice between 60 and 1,600 Hz.

    YIN (de Cheveigne and Kawahara 2002), steps 1 to 5: the first dip of the cumulative mean normalised difference
    under 0.15, refined by a parabola.
    """
    shortest, longest = int(sample_rate / HIGHEST_HZ), int(sample_rate / LOWEST_HZ)
    n_frames = len(audio) // hop
    half = (_WINDOW + longest) // 2
    padded = np.pad(audio.astype(np.float64), (half, half + longest + hop))
    frames = sliding_window_view(padded, _WINDOW + longest)[: n_frames * hop : hop]
    size = 2 * _WINDOW
    spectrum = np.fft.rfft(frames, size)
    correlation = np.fft.irfft(spectrum * np.conj(np.fft.rfft(frames[:, :_WINDOW], size)), size)[:, : longest + 1]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    moved = energy[:, _WINDOW : _WINDOW + longest + 1] - energy[:, : longest + 1]
    difference = np.maximum(moved[:, :1] + moved - 2.0 * correlation, 0.0)
    lags = np.arange(1, longest + 1)
    normalised = np.ones_like(difference)
    normalised[:, 1:] = difference[:, 1:] * lags / np.maximum(np.cumsum(difference[:, 1:], axis=1), 1e-9)

    inner = normalised[:, shortest:longest]
    dip = (inner < _THRESHOLD) & (inner <= normalised[:, shortest + 1 : longest + 1])
    loud = moved[:, 0] > _WINDOW * 10.0 ** (FLOOR_DB / 10.0)
    voiced = dip.any(axis=1) & loud
    lag = shortest + np.where(voiced, dip.argmax(axis=1), 0)
    rows = np.arange(n_frames)
    before, at, after = (normalised[rows, lag + step] for step in (-1, 0, 1))
    bend = before - 2.0 * at + after
    offset = np.where(bend > 1e-9, 0.5 * (before - after) / np.where(bend > 1e-9, bend, 1.0), 0.0)
    hz = sample_rate / (lag + np.clip(offset, -0.5, 0.5))
    pitch = 69.0 + 12.0 * np.log2(hz / 440.0)
    return PitchTrack(_filled(pitch, voiced), voiced)


def _filled(pitch: NDArray[np.float64], voiced: NDArray[np.bool_]) -> Floats:
    """Median of five voiced neighbours against single wrong frames; unvoiced frames take the nearest voiced one's."""
    known = np.flatnonzero(voiced)
    if len(known) == 0:
        return np.full(len(pitch), 60.0, np.float32)
    values = np.pad(pitch[known], _SMOOTHED // 2, mode="edge")
    smooth = np.median(sliding_window_view(values, _SMOOTHED), axis=1)
    nearest = np.abs(np.arange(len(pitch))[:, None] - known).argmin(axis=1)
    return smooth[nearest].astype(np.float32)


def level_db(audio: Floats, hop: int) -> Floats:
    """RMS level [N / hop] around samples n * hop, dB re full scale, at least -80."""
    n_frames = len(audio) // hop
    power = np.pad(np.square(audio.astype(np.float64)), (_LEVEL_WINDOW // 2, _LEVEL_WINDOW))
    total = np.concatenate(([0.0], np.cumsum(power)))
    starts = np.arange(n_frames) * hop
    mean = (total[starts + _LEVEL_WINDOW] - total[starts]) / _LEVEL_WINDOW
    return np.asarray(10.0 * np.log10(np.maximum(mean, 10.0 ** (FLOOR_DB / 10.0))), np.float32)
