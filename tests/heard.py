"""What is heard in a recording: levels, pitches, partials, noise. Audio is [n, 2] at 48 kHz, times are seconds."""

from __future__ import annotations

import numpy as np
from engine_tools import RATE, level_db
from numpy.typing import NDArray

Audio = NDArray[np.float32]
Floats = NDArray[np.float64]
SILENT_DB = -75.0


def cut(audio: Audio, start_s: float, end_s: float) -> Audio:
    return audio[round(start_s * RATE) : round(end_s * RATE)]


def middle(audio: Audio) -> Floats:
    return audio.mean(axis=1, dtype=np.float64)


def side(audio: Audio) -> Floats:
    """What is different between the ears: of a sound in the middle only what an effect adds."""
    return 0.5 * (audio[:, 0].astype(np.float64) - audio[:, 1])


def balance_db(audio: Audio) -> float:
    """Right over left."""
    return level_db(audio[:, 1], audio[:, 0])


def width_db(audio: Audio) -> float:
    """Side over middle."""
    return level_db(side(audio), middle(audio))


def _spectrum(mono: Floats) -> tuple[Floats, float]:
    """Amplitudes, and Hz of a bin."""
    n = 1 << 16
    return np.abs(np.fft.rfft(mono * np.blackman(len(mono)), n)) / (0.21 * len(mono)), RATE / n


def pitch_hz(mono: Floats, near_hz: float, within: float = 0.5) -> float:
    """The strongest line up to `within` octaves from a frequency."""
    amplitudes, bin_hz = _spectrum(mono)
    low, high = int(near_hz * 2.0**-within / bin_hz), int(near_hz * 2.0**within / bin_hz)
    at = low + int(np.argmax(amplitudes[low:high]))
    a, b, c = np.log(amplitudes[at - 1 : at + 2] + 1e-12)
    return float((at + 0.5 * (a - c) / (a - 2.0 * b + c)) * bin_hz)


def cents(mono: Floats, from_hz: float, within: float = 0.5) -> float:
    return 1200.0 * float(np.log2(pitch_hz(mono, from_hz, within) / from_hz))


def partial_db(mono: Floats, hz: float, within_hz: float = 12.0) -> float:
    amplitudes, bin_hz = _spectrum(mono)
    low, high = int((hz - within_hz) / bin_hz), int((hz + within_hz) / bin_hz) + 2
    return float(20.0 * np.log10(amplitudes[low:high].max() + 1e-12))


def above_db(mono: Floats, hz: float) -> float:
    """Level of what lies above a frequency, over all."""
    amplitudes, bin_hz = _spectrum(mono)
    power = amplitudes**2
    return float(10.0 * np.log10(power[int(hz / bin_hz) :].sum() / power.sum() + 1e-15))


def centroid_hz(mono: Floats) -> float:
    amplitudes, bin_hz = _spectrum(mono)
    return float((np.arange(len(amplitudes)) * amplitudes).sum() / amplitudes.sum() * bin_hz)


def noise_db(mono: Floats, f0_hz: float, lowest_hz: float = 1000.0) -> float:
    """Level of what lies in the middle between partials."""
    amplitudes, bin_hz = _spectrum(mono)
    between = np.arange(np.ceil(lowest_hz / f0_hz) + 0.5, 18_000.0 / f0_hz) * f0_hz
    bins = np.round(between[:, None] / bin_hz + np.arange(-30, 31)).astype(int)
    return float(10.0 * np.log10(np.mean(amplitudes[bins] ** 2) + 1e-15))


def envelope(mono: Floats, window_s: float = 0.005) -> Floats:
    """RMS in windows that follow each other."""
    size = round(window_s * RATE)
    return np.sqrt(np.mean(np.square(mono[: len(mono) // size * size]).reshape(-1, size), axis=1))


def rise_s(mono: Floats, share: float = 0.7, window_s: float = 0.005) -> float:
    """Until it has so much of its greatest level."""
    levels = envelope(mono, window_s)
    return window_s * float(np.argmax(levels >= share * levels.max()))


def onset_s(mono: Floats, level: float = 1e-3) -> float:
    """Until something is heard; the length when nothing is."""
    loud = np.flatnonzero(np.abs(mono) > level)
    return float(loud[0]) / RATE if loud.size else len(mono) / RATE


def track(mono: Floats, f0_hz: float, window_s: float = 0.008) -> Floats:
    """Semitones from f0_hz, every 2 ms: how fast the fundamental's phase turns. The first is half a window later."""
    spun = mono * np.exp(-2j * np.pi * f0_hz / RATE * np.arange(len(mono)))
    smooth = np.convolve(spun, np.hanning(round(window_s * RATE)), "valid")[::24]
    turned = np.angle(smooth[1:] * np.conj(smooth[:-1])) / (2.0 * np.pi) * RATE / 24.0
    turned = turned[: len(turned) // 4 * 4].reshape(-1, 4).mean(axis=1)
    return np.asarray(12.0 * np.log2(np.maximum(1.0 + turned / f0_hz, 0.05)))


def rate_hz(wave: Floats, step_s: float = 0.002, highest_hz: float = 40.0) -> float:
    """How often a track swings: its strongest line."""
    n = 1 << 13
    amplitudes = np.abs(np.fft.rfft((wave - wave.mean()) * np.hanning(len(wave)), n))
    return float(np.argmax(amplitudes[: int(highest_hz * n * step_s)]) / (n * step_s))
