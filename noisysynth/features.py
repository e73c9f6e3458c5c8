"""Log-mel features of a recording: what the encoder hears, in training and in the player."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from noisysynth.spec import hz_to_mel, mel_to_hz

SAMPLE_RATE = 44_100
FRAMES_PER_SECOND = 50
FFT_SIZE = 2048
N_MELS = 80
LOWEST_HZ = 30.0
HIGHEST_HZ = 16_000.0
FLOOR = 1e-5

_HOP = SAMPLE_RATE // FRAMES_PER_SECOND
_FRAMES_AT_ONCE = 512


def log_mel(audio: npt.ArrayLike, sample_rate: int) -> npt.NDArray[np.float32]:
    """Natural log of mel band magnitudes, float32 [T, 80], 50 frames per second.

    audio: [samples], mono, full scale 1; sample_rate must be 44,100 Hz (resample first), else ValueError.
    Frame t is centred on sample t * 882, t = 0 .. samples // 882 (silence is assumed outside), under a
    periodic Hann window of 2048 samples scaled to sum 1, so a full-scale sinusoid on a bin has magnitude 1/2.
    Bands: triangles evenly spaced between 30 Hz and 16 kHz on O'Shaughnessy's mel scale, height 1, power summed,
    then the square root: the band magnitude. Magnitudes below 1e-5 of full scale count as 1e-5
    (about -11.5 in the output).
    """
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"log_mel wants audio at {SAMPLE_RATE} Hz, not {sample_rate} Hz")
    signal = np.asarray(audio, dtype=np.float32)
    if signal.ndim != 1:
        raise ValueError(f"log_mel wants mono audio [samples], not an array of shape {signal.shape}")
    n_frames = len(signal) // _HOP + 1
    padded = np.pad(signal, FFT_SIZE // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SIZE)[::_HOP]
    window, bands = _tables()
    out = np.empty((n_frames, N_MELS), np.float32)
    for start in range(0, n_frames, _FRAMES_AT_ONCE):
        spectra = np.fft.rfft(frames[start : start + _FRAMES_AT_ONCE][: n_frames - start] * window)
        power: npt.NDArray[Any] = np.square(spectra.real) + np.square(spectra.imag)
        out[start : start + len(power)] = np.log(np.maximum(np.sqrt(power @ bands), FLOOR))
    return out


@lru_cache(maxsize=1)
def mel_centers_hz() -> tuple[float, ...]:
    """Centre frequencies of the bands."""
    return tuple(_edges_hz()[1:-1].tolist())


def _edges_hz() -> npt.NDArray[np.float64]:
    """Where band b begins, is highest and ends: b, b + 1 and b + 2, [N_MELS + 2]."""
    return mel_to_hz(np.linspace(hz_to_mel(LOWEST_HZ), hz_to_mel(HIGHEST_HZ), N_MELS + 2))


@lru_cache(maxsize=1)
def _tables() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Window [2048] and mel bands [1025, 80]."""
    window = np.hanning(FFT_SIZE + 1)[:-1]
    edges = _edges_hz()
    frequencies = np.fft.rfftfreq(FFT_SIZE, 1.0 / SAMPLE_RATE)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    bands = np.clip(np.minimum(rising, falling), 0.0, None)
    return (window / window.sum()).astype(np.float32), bands.astype(np.float32)
