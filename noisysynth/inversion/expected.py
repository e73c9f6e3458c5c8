"""What spectrum controls lead to, without making audio: the quick measure that finds the neighbourhood."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from noisysynth.engine.control_net import ControlFrames
from noisysynth.inversion.note import RecordedNote
from noisysynth.listening.distance import LOG_FLOOR, MAGNITUDE_WEIGHT
from noisysynth.spec import SynthSpec, hz_to_mel, mel_to_hz, midi_to_hz, noise_band_responses

Floats = npt.NDArray[np.float32]

LOWEST_HZ, HIGHEST_HZ = 30.0, 20_000.0
STRONG = 1e-3  # of the loudest band's power
# A partial's magnitudes in all bins that it reaches, over the root of their summed squares.
SPREAD = 1.6
_FINE = 16  # points of a band's response in each FFT bin


@dataclasses.dataclass(frozen=True)
class Scale:
    """One window length: how many bands, and how many frames from `first_s` on, by a quadratic law to the end."""

    size: int
    n_bands: int
    n_frames: int
    first_s: float
    last_s: float
    weight: float


# Long windows tell partials apart; short ones see the attack. The long ones begin where they hear little of before.
SCALES = (Scale(2048, 80, 48, 0.025, 60.0, 1.0), Scale(256, 16, 24, 0.002, 0.15, 0.25))


@dataclasses.dataclass(frozen=True, eq=False)
class _Target:
    """What one scale wants: the recording's bands, and what partials and noise bands put into them."""

    frames: slice
    of_partials: Floats
    of_noise: Floats
    floor: Floats
    log: Floats
    magnitude: Floats
    loudness: np.float32


class ExpectedSpectra:
    """Differences of log band magnitudes between a recorded note and notes in control space.

    The expected power of an FFT bin is that of each partial times the window's transform at their distance, plus the
    density of the noise bands (partials and noises are taken as uncorrelated). Bands are triangles in mel.
    """

    def __init__(self, note: RecordedNote, spec: SynthSpec) -> None:
        highest_hz = min(HIGHEST_HZ, note.highest_hz)
        partials_hz = float(midi_to_hz(note.pitch)) * np.arange(1, spec.n_harmonics + 1, dtype=np.float64)
        self._scales: list[_Target] = []
        times, weights, strong, start = [], [], [], 0
        for scale in SCALES:
            scale_times = _times(scale, note.seconds)
            bands = _mel_bands(scale.size, note.rate, scale.n_bands, highest_hz)
            of_partials = (0.25 * _lobes(partials_hz, scale.size, note.rate) @ bands).astype(np.float32)
            of_noise = (_noise_density(spec.n_noise_bands, scale.size, note.rate) @ bands).astype(np.float32)
            floor = (LOG_FLOOR**2 * bands.sum(axis=0)).astype(np.float32)
            power = _power(note.audio, scale.size, np.round(scale_times * note.rate).astype(int)) @ bands
            frames = slice(start, start + len(scale_times))
            magnitude = np.sqrt(power)
            loudness = MAGNITUDE_WEIGHT * SPREAD * scale.n_bands / len(bands)
            self._scales.append(_Target(frames, of_partials, of_noise, floor, np.log(power + floor).astype(np.float32),
                                        magnitude.astype(np.float32), np.float32(loudness)))  # fmt: skip
            # half as the ear divides frequencies, half as an FFT does
            shares = 0.5 / scale.n_bands + 0.5 * bands.sum(axis=0) / bands.sum()
            weights += [np.tile(scale.weight / len(power) * shares, len(power)),
                        np.full(power.size, scale.weight / power.size)]  # fmt: skip
            strong += [(power > STRONG * power.max()).ravel(), np.zeros(power.size, bool)]
            times.append(scale_times)
            start += len(scale_times)
        self.times_s = np.concatenate(times).astype(np.float32)
        """[F], where controls are wanted."""
        weight = np.concatenate(weights)
        self.weights = (weight * len(weight) / sum(scale.weight for scale in SCALES)).astype(np.float32)
        """[R]: the mean of weighted absolute residuals is about the spectral distance."""
        self.strong = np.concatenate(strong)
        """[R], the logarithms where the recording is loud."""

    def residuals(self, frames: ControlFrames) -> Floats:
        """Of controls at `times_s`, [B, R]: logarithms of magnitudes, and magnitudes as the distance weighs them."""
        partials = np.square(frames.amplitude[..., None] * frames.harmonics)
        noise = np.square(frames.noise)
        out = []
        for target in self._scales:
            power = partials[:, target.frames] @ target.of_partials + noise[:, target.frames] @ target.of_noise
            logs = np.float32(0.5) * (np.log(power + target.floor) - target.log)
            loud = target.loudness * (np.sqrt(power) - target.magnitude)
            out += [logs.reshape(len(partials), -1), loud.reshape(len(partials), -1)]
        return np.concatenate(out, axis=1)


def _times(scale: Scale, seconds: float) -> npt.NDArray[np.float64]:
    """Dense where notes begin."""
    last = max(min(scale.last_s, seconds - 0.5 * scale.first_s), scale.first_s + 1e-3)
    return scale.first_s + (last - scale.first_s) * np.linspace(0.0, 1.0, scale.n_frames) ** 1.5


def _power(audio: Floats, size: int, centers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Squared magnitudes [frames, bins] under a Hann window that sums to one."""
    padded = np.pad(audio, (size // 2, size))
    window = np.hanning(size + 1)[:-1]
    frames = sliding_window_view(padded, size)[np.clip(centers, 0, len(audio))]
    return np.asarray(np.square(np.abs(np.fft.rfft(frames * (window / window.sum())))), np.float64)


def _mel_bands(size: int, rate: int, n_bands: int, highest_hz: float) -> npt.NDArray[np.float64]:
    """Triangles [bins, n_bands], averaged over each bin, so that none falls between two."""
    edges = mel_to_hz(np.linspace(hz_to_mel(LOWEST_HZ), hz_to_mel(highest_hz), n_bands + 2))
    bins = np.arange(size // 2 + 1)
    offsets = (np.arange(_FINE) + 0.5) / _FINE - 0.5
    hz = ((bins[:, None] + offsets[None, :]) * (rate / size)).ravel()[:, None]
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    triangles = np.clip(np.minimum(rising, falling), 0.0, None)
    return np.asarray(triangles.reshape(len(bins), _FINE, n_bands).mean(axis=1))


def _lobes(partials_hz: npt.NDArray[np.float64], size: int, rate: int) -> npt.NDArray[np.float64]:
    """Power [H, bins] of the Hann window's transform around each partial, 1 on it; 0 for those above Nyquist."""
    offset = np.abs(np.arange(size // 2 + 1)[None, :] - partials_hz[:, None] * (size / rate))
    offset = np.where(np.abs(offset - 1.0) < 1e-6, offset + 2e-6, offset)
    lobe = np.sinc(offset) / (1.0 - offset**2)
    return np.asarray(np.square(lobe) * (partials_hz < 0.5 * rate)[:, None])


def _noise_density(n_bands: int, size: int, rate: int) -> npt.NDArray[np.float64]:
    """Expected power [N, bins] of noise of unit RMS in each band."""
    hz = np.arange(size // 2 + 1, dtype=np.float64) * (rate / size)
    fine = np.arange(0.5, 0.5 * rate, 1.0, dtype=np.float64)
    area = np.maximum(noise_band_responses(fine, n_bands).sum(axis=1), 1e-9)  # Hz
    window = np.hanning(size + 1)[:-1]
    heard = 0.5 * rate * np.square(window / window.sum()).sum()
    return np.asarray(noise_band_responses(hz, n_bands) / area[:, None] * heard)
