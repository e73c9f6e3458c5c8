"""What is heard of a note's course: loudness, brightness, release, clicks."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.005
SILENT_DB = -90.0
CLICK_WINDOW_S = 0.002
CLICK_AROUND_S = 0.1
# Of the third difference: what is quieter stands out of nothing.
_CLICK_FLOOR = 1e-3
_RELEASE_DROP_DB = 30.0
_AUDIBLE_DB = -60.0
_AGAIN_FRAME_S = 0.02
_BEAT_S = 0.2
_LOUDNESS_FFT = 2_048

Audio = NDArray[np.float32]


def level_db(audio: Audio, sample_rate: int, frame_s: float = FRAME_S) -> NDArray[np.float64]:
    """RMS level of every frame [samples / frame] in dB re full scale, at least -90."""
    size = max(1, round(frame_s * sample_rate))
    frames = audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64)
    return np.maximum(10.0 * np.log10(np.mean(frames**2, axis=1) + 1e-20), SILENT_DB)


def loudness_db(audio: Audio, sample_rate: int) -> float:
    """A-weighted level (IEC 61672) of the whole in dB, at least -90."""
    power, hz = _mean_power(audio, sample_rate)
    return max(SILENT_DB, 10.0 * math.log10(float((power * _a_weights(len(hz), sample_rate)).sum()) + 1e-20))


def brightness_hz(audio: Audio, sample_rate: int) -> float:
    """Spectral centroid by magnitude, up to 16 kHz."""
    power, hz = _mean_power(audio, sample_rate)
    magnitude = np.sqrt(power) * (hz < 16_000.0)
    return float((magnitude * hz).sum() / max(float(magnitude.sum()), 1e-12))


def release(audio: Audio, sample_rate: int, gate_s: float) -> tuple[float, float]:
    """Slope in dB/s from note-off until 30 dB lower (or the end), and how far it had fallen at the end, in dB.

    A note that is silent when it is let go has fallen by nothing, at no slope: NaN, NaN.
    """
    levels = level_db(audio, sample_rate, 0.02)
    off = min(int(gate_s / 0.02), len(levels) - 1)
    at_off = float(levels[max(0, off - 1) : off + 1].max())
    if at_off < SILENT_DB + _RELEASE_DROP_DB:
        return math.nan, math.nan
    after = levels[off:]
    fallen = at_off - float(after[-1])
    low = np.flatnonzero(after <= at_off - _RELEASE_DROP_DB)
    n = int(low[0]) if len(low) else len(after) - 1
    drop = at_off - float(after[n])
    return drop / max(n * 0.02, 0.02), fallen


def sounds_again_db(audio: Audio, sample_rate: int, gate_s: float) -> float:
    """How far a released note rises again above what it had fallen to, in dB; what stays under -60 dB is not counted.

    Frames of 20 ms, of which the loudest in a fifth of a second counts: partials that beat die away and do not begin
    anew.
    """
    levels = level_db(audio, sample_rate, _AGAIN_FRAME_S)
    after = np.maximum(levels[min(int(gate_s / _AGAIN_FRAME_S) + 1, len(levels) - 1) :], _AUDIBLE_DB)
    window = min(round(_BEAT_S / _AGAIN_FRAME_S), len(after))
    loudest = np.lib.stride_tricks.sliding_window_view(after, window).max(axis=1)
    return float((loudest - np.minimum.accumulate(loudest)).max())


def click_db(audio: Audio, sample_rate: int, from_s: float = 0.0) -> float:
    """How far the most outstanding 2 ms from `from_s` on stand above the 100 ms on their louder side, in dB.

    By third differences: a click is broad-band and short, and stands above what is before it and what is after it; the
    onset of a note stands out on one side only. The windows beside it belong to it.
    """
    rough = np.abs(np.diff(audio.astype(np.float64), 3))
    size = round(CLICK_WINDOW_S * sample_rate)
    windows = rough[: len(rough) // size * size].reshape(-1, size).max(axis=1)
    around = round(CLICK_AROUND_S / CLICK_WINDOW_S)
    first = max(round(from_s / CLICK_WINDOW_S), around + 2)
    padded = np.concatenate([windows, np.zeros(around + 2)])  # silence follows
    sides = np.lib.stride_tricks.sliding_window_view(padded, around).max(axis=1)
    at = np.arange(first, len(windows))
    if not len(at):
        return -math.inf
    beside = np.maximum(sides[at - around - 2], sides[np.minimum(at + 3, len(sides) - 1)])
    return float(20.0 * np.log10(np.maximum(windows[at], 1e-12) / np.maximum(beside, _CLICK_FLOOR)).max())


def _mean_power(audio: Audio, sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean power spectrum [bins], which sums to the mean square, and its frequencies in Hz."""
    size = _LOUDNESS_FFT
    padded = np.pad(audio, (0, max(0, size - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
    window = np.hanning(size)
    power = (np.abs(np.fft.rfft(frames * window)) ** 2).mean(axis=0) * 2.0 / (size * (window**2).sum())
    return np.asarray(power, np.float64), np.asarray(np.fft.rfftfreq(size, 1.0 / sample_rate))


@functools.cache
def _a_weights(n_bins: int, sample_rate: int) -> NDArray[np.float64]:
    f2 = np.linspace(0.0, sample_rate / 2.0, n_bins) ** 2
    ra = 12194.0**2 * f2**2 / ((f2 + 20.6**2) * np.sqrt((f2 + 107.7**2) * (f2 + 737.9**2)) * (f2 + 12194.0**2))
    return np.asarray((ra * 10.0 ** (2.0 / 20.0)) ** 2)
