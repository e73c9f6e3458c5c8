"""f0 track of a note whose pitch is known: phase-derivative frequencies of its strong low partials."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from noisysynth.listening.resampling import resample

Array = npt.NDArray[Any]

MAX_DEVIATION_CENTS = 80.0
N_TRACKED_PARTIALS = 6
# A frame this far below the loudest frame cannot be trusted and takes its neighbours' pitch.
HOLD_BELOW_DB = -50.0
SMOOTHING_FRAMES = 7
_NOTHING = 1e-20  # the spectrum of what has died away to denormal numbers


def track_cents(
    audio: npt.NDArray[np.float32], sample_rate: int, f0_hz: float, frame_rate: int, n_frames: int
) -> npt.NDArray[np.float32]:
    """Deviation of f0 from f0_hz in cents, [n_frames], at times n / frame_rate, within +-80.

    Each frame is windowed over four periods (25 ms at least). The frequency of each partial is read by
    reassignment (Auger and Flandrin 1995): bin frequency minus Im(X_dw / X_w), at the strongest bin
    within 80 cents of k * f0_hz. Partials are averaged by power and by k^2, as the variance of a partial's
    cents goes with 1/k^2; each one's own lasting offset (stiff strings) is taken off first.
    """
    decimation = next((d for d in (4, 2) if sample_rate / d > 6.0 * f0_hz and sample_rate / d > 10_000), 1)
    rate = sample_rate / decimation
    signal = resample(audio, sample_rate, sample_rate // decimation) if decimation > 1 else audio
    if sample_rate % decimation:
        rate = float(sample_rate // decimation)
    length = 2 * round(max(4.0 / f0_hz, 0.025) * rate / 2)
    partials = np.arange(1, N_TRACKED_PARTIALS + 1)
    partials = partials[partials * f0_hz < 0.45 * rate]
    if len(partials) == 0 or len(signal) == 0:
        return np.zeros(n_frames, np.float32)
    cents, power = _partial_cents(signal, rate, length, f0_hz, partials, frame_rate, n_frames)
    weight = power * partials**2
    if weight.sum() <= 0.0:
        return np.zeros(n_frames, np.float32)

    # twice: the first common track shows each partial's own offset
    offset = np.zeros(len(partials))
    center = _weighted_median(cents, weight)
    near = weight * np.exp(-(((cents - center) / 40.0) ** 2))
    for _ in range(2):
        track = ((cents - offset) * near).sum(axis=1) / (near.sum(axis=1) + 1e-30)
        for k in range(len(partials)):
            offset[k] = _weighted_median(cents[:, k] - track, near[:, k])
        offset -= (offset * near.sum(axis=0)).sum() / (near.sum() + 1e-30)
    total = power.sum(axis=1)
    trusted = (total > total.max() * 10.0 ** (HOLD_BELOW_DB / 10.0)) & (near.sum(axis=1) > 0.05 * weight.sum(axis=1))
    if not trusted.any():
        return np.zeros(n_frames, np.float32)
    frames = np.arange(n_frames)
    track = np.interp(frames, frames[trusted], track[trusted])
    return _smooth(np.clip(track, -MAX_DEVIATION_CENTS, MAX_DEVIATION_CENTS)).astype(np.float32)


def _partial_cents(
    signal: npt.NDArray[np.float32],
    rate: float,
    length: int,
    f0_hz: float,
    partials: Array,
    frame_rate: int,
    n_frames: int,
) -> tuple[Array, Array]:
    """Cents from nominal and power, both [n_frames, K], of the partials in each frame."""
    padded = np.pad(signal, (0, max(0, length - len(signal))))
    starts = np.round(np.arange(n_frames) * (rate / frame_rate)).astype(int) - length // 2
    # windows never reach before the onset or past the end: a step there would pull the frequency
    starts = np.clip(starts, 0, len(padded) - length)
    frames = sliding_window_view(padded, length)[starts]
    n = np.arange(length) + 0.5
    window = (0.5 - 0.5 * np.cos(2 * np.pi * n / length)).astype(np.float32)
    slope = (np.pi / length * np.sin(2 * np.pi * n / length)).astype(np.float32)  # per sample
    spectrum = np.fft.rfft(frames * window)
    slope_spectrum = np.fft.rfft(frames * slope)
    cents = np.zeros((n_frames, len(partials)))
    power = np.zeros((n_frames, len(partials)))
    rows = np.arange(n_frames)
    reach = 2.0 ** (MAX_DEVIATION_CENTS / 1200.0)
    for column, k in enumerate(partials):
        low = int(np.floor(k * f0_hz / reach * length / rate))
        high = int(np.ceil(k * f0_hz * reach * length / rate))
        low, high = max(1, low), min(high, spectrum.shape[1] - 1)
        magnitude = np.abs(spectrum[:, low : high + 1])
        best = low + magnitude.argmax(axis=1)
        value = spectrum[rows, best]
        power[:, column] = np.abs(value) ** 2
        safe = np.where(np.abs(value) < _NOTHING, 1.0, value)  # or dividing by a denormal number overflows
        hz = best * rate / length - np.imag(slope_spectrum[rows, best] / safe) * rate / (2 * np.pi)
        ratio = np.clip(hz / (k * f0_hz), 0.5, 2.0)
        cents[:, column] = 1200.0 * np.log2(ratio)
    power[np.abs(cents) > 1.5 * MAX_DEVIATION_CENTS] = 0.0
    return cents, power


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values, axis=None)
    cumulative = np.cumsum(weights.ravel()[order])
    if cumulative[-1] <= 0.0:
        return 0.0
    return float(values.ravel()[order[np.searchsorted(cumulative, 0.5 * cumulative[-1])]])


def _smooth(track: Array) -> Array:
    """Median of 5, then a triangular mean: removes single bad frames, keeps vibrato."""
    padded = np.pad(track, 2, mode="edge")
    track = np.median(sliding_window_view(padded, 5), axis=1)
    kernel = np.bartlett(SMOOTHING_FRAMES + 2)[1:-1]
    padded = np.pad(track, SMOOTHING_FRAMES // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
