"""Analysis: a clip becomes a track in control space (cents, harmonics, noise bands), and back."""

from __future__ import annotations

import dataclasses
import itertools
import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from noisysynth.listening.pitch_track import track_cents
from noisysynth.listening.resampling import resample
from noisysynth.spec import SynthSpec, midi_to_hz, noise_band_centers_hz, noise_band_responses
from noisysynth.train.analysis_kernels import add_partials, interpolate, sinc_table
from noisysynth.train.clip import Clip

Array = npt.NDArray[Any]

HIGHEST_PARTIAL_HZ = 20_000.0
# Long windows separate partials from noise, short ones keep attacks; see `_transience`.
LONG_PERIODS, LONG_SECONDS = 6, 0.030
SHORT_PERIODS, SHORT_SECONDS = 3, 0.008
# Inner product with Hann^2 hears 1.944 / 1.5 times the noise of a plain Hann bin.
MATCHED_OVER_HANN_NOISE = 1.944 / 1.5
# Noise bandwidth of a fitted partial in units of 1 / window length; more than Hann^2's, for frames are interpolated.
FITTED_NOISE = 2.8
MOST_NOISE_LOST = 0.75
# Half the width, in bins of a Hann window, of where a fitted partial leaves over what it has missed.
PARTIAL_REACH = 2.3
# Noise power in one bin is exponentially distributed; subtracting its mean alone leaves half of it standing.
OVERSUBTRACTION = 2.0
CLOSEST_PARTIALS = 0.8
# Noise analysis windows in samples at 44.1 kHz, and the frequency up to which each is used.
NOISE_WINDOWS = ((1024, 2_500.0), (512, 6_000.0), (256, math.inf))


@dataclasses.dataclass(frozen=True)
class Track:
    """One note in control space, at times n / frame_rate.

    cents: float32 [F]. harmonics: float32 [F, H], linear peak amplitude. noise: float32 [F, N], band RMS.
    partial_ratios: float32 [H], where the partial that went into harmonic k really was, over f0.
    inharmonicity: B of f_k = k f0 sqrt(1 + B k^2) fitted to partial_ratios; 0 where it does not fit.
    """

    pitch: float
    frame_rate: int
    cents: npt.NDArray[np.float32]
    harmonics: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]
    partial_ratios: npt.NDArray[np.float32]
    inharmonicity: float


def analyse(clip: Clip, spec: SynthSpec) -> Track:
    """Control space of a clip at spec.frame_rate.

    The signal is warped to constant pitch, so that each partial stands still in a short-time spectrum whose
    window is a whole number of periods; each partial is then the least-squares fit of one sinusoid under a
    Hann^2 window. What the fitted partials do not explain is noise, but for what they have missed of themselves. See
    `_partials`, `_noise_bands` and `_share_between_partials`.
    """
    audio = resample(clip.audio, clip.sample_rate, spec.sample_rate)
    rate = spec.sample_rate
    hop = rate / spec.frame_rate
    n_frames = int(len(audio) / hop) + 1
    f0_nominal_hz = float(midi_to_hz(clip.pitch))
    cents = track_cents(audio, rate, f0_nominal_hz, spec.frame_rate, n_frames)
    f0_hz = f0_nominal_hz * 2.0 ** (cents.astype(np.float64) / 1200.0)
    cycles = np.concatenate(([0.0], np.cumsum(0.5 * (f0_hz[1:] + f0_hz[:-1])))) / spec.frame_rate

    ratios, values, gain, absorbed = _partials(audio, rate, hop, f0_hz, cycles, spec.n_harmonics)
    fitted = np.zeros_like(audio)
    wanted = values * gain
    add_partials(np.ascontiguousarray(wanted.real), np.ascontiguousarray(wanted.imag), cycles, ratios, hop, fitted)
    residual = audio - fitted
    noise = _noise_bands(residual, rate, hop, n_frames, spec.n_noise_bands)
    # The share of each band's noise that the fitted partials carried off is given back; but what they have missed is
    # no noise, and would hiss: no band is louder than it is between them.
    centers_hz = noise_band_centers_hz(spec.n_noise_bands)
    lost = sum(share @ _notch_shares(centers_hz, ratios * np.median(f0_hz), width_hz) for share, width_hz in absorbed)
    left = 1.0 - np.minimum(lost, MOST_NOISE_LOST)
    between = _share_between_partials(residual, rate, hop, f0_hz, cycles, ratios, left)
    noise *= np.sqrt(np.minimum(between, 1.0) / left).astype(np.float32)

    harmonics = np.abs(wanted)
    k = np.arange(1, spec.n_harmonics + 1)
    harmonics[k[None, :] * f0_hz[:, None] >= min(0.5 * rate, HIGHEST_PARTIAL_HZ)] = 0.0
    return Track(
        pitch=clip.pitch,
        frame_rate=spec.frame_rate,
        cents=cents,
        harmonics=np.ascontiguousarray(harmonics, dtype=np.float32),
        noise=noise,
        partial_ratios=ratios.astype(np.float32),
        inharmonicity=_fit_inharmonicity(ratios, harmonics),
    )


def resynthesise(track: Track, sample_rate: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Audio [samples] of a track: partials at k * f0 (zero phase at onset) and filtered Gaussian noise."""
    hop = sample_rate / track.frame_rate
    n_frames, n_harmonics = track.harmonics.shape
    f0_hz = float(midi_to_hz(track.pitch)) * 2.0 ** (track.cents.astype(np.float64) / 1200.0)
    cycles = np.concatenate(([0.0], np.cumsum(0.5 * (f0_hz[1:] + f0_hz[:-1])))) / track.frame_rate
    out = np.zeros(round((n_frames - 1) * hop), np.float32)
    add_partials(
        np.zeros_like(track.harmonics),
        -track.harmonics,
        cycles,
        np.arange(1.0, n_harmonics + 1.0),
        hop,
        out,
    )
    return out + _filtered_noise(track.noise, sample_rate, hop, len(out), seed)


# --- partials -------------------------------------------------------------------------------------------------


def _partials(
    audio: npt.NDArray[np.float32], rate: int, hop: float, f0_hz: Array, cycles: Array, n_harmonics: int
) -> tuple[Array, Array, Array, tuple[tuple[Array, float], ...]]:
    """Frequency ratios [H], complex amplitudes [F, H] (phase against ratio * cycles), gains [F, H], absorbed noise.

    The gains take noise out of the amplitudes. `absorbed` holds, for long and short windows, the share [F, H] of
    the noise that goes with the fitted partial all the same, and the width in Hz over which it does.
    """
    highest_hz = min(0.5 * rate, HIGHEST_PARTIAL_HZ)
    f0_mean = float(np.median(f0_hz))
    n_partials = int(np.clip(math.ceil(highest_hz / f0_mean) - 1, 1, n_harmonics))
    warped, points = _warp_to_constant_pitch(audio, rate, hop, f0_hz, cycles)
    long_periods = _long_periods(f0_mean)
    short_periods = max(SHORT_PERIODS, math.ceil(SHORT_SECONDS * f0_mean))

    long_spectrum = _spectra(warped, cycles, points, long_periods)
    ratios = _partial_ratios(long_spectrum[0], long_periods, n_partials)
    long_values = _matched(*long_spectrum, ratios, long_periods)
    short_values = _matched(*_spectra(warped, cycles, points, short_periods), ratios, short_periods)
    floor = _noise_floor(long_spectrum[0], long_periods, n_partials)
    long_gain = _noise_gain(long_values, floor * MATCHED_OVER_HANN_NOISE)
    short_gain = _noise_gain(short_values, floor * MATCHED_OVER_HANN_NOISE * (long_periods / short_periods))
    loudness = np.sqrt((np.abs(short_values) ** 2).sum(axis=1))
    reach = max(1, math.ceil(0.4 * long_periods / f0_mean * rate / hop))
    transience = _transience(loudness, reach)[:, None].astype(np.float32)
    onset = _onset_shape(audio, rate, hop, 1.0 / f0_mean, 0.5 * short_periods / f0_mean)[:, None]

    # where stretched partials skip a harmonic, its place must not be fitted to the neighbour's energy as well
    level = np.concatenate(([0.0], (np.abs(long_values) ** 2).mean(axis=0), [0.0]))
    spacing = np.diff(ratios, prepend=0.0, append=ratios[-1] + 1.0)
    overheard = np.zeros(n_partials)
    for gap, neighbour in ((spacing[:-1], level[:-2]), (spacing[1:], level[2:])):
        overheard = np.maximum(overheard, np.where(gap < CLOSEST_PARTIALS, neighbour, 0.0))
    skipped = level[1:-1] < 0.1 * overheard
    long_gain[:, skipped] = 0.0
    short_gain[:, skipped] = 0.0

    values = onset * ((1.0 - transience) * long_values + transience * short_values)
    gain = (1.0 - transience) * long_gain + transience * short_gain
    full_ratios = np.arange(1.0, n_harmonics + 1.0)
    full_ratios[:n_partials] = ratios
    full_values = np.zeros((len(cycles), n_harmonics), np.complex64)
    full_gain = np.zeros((len(cycles), n_harmonics), np.float32)
    full_values[:, :n_partials] = values
    full_gain[:, :n_partials] = gain
    taken = 1.0 - (1.0 - full_gain) ** 2
    absorbed = (
        ((1.0 - transience) * taken, FITTED_NOISE * f0_mean / long_periods),
        (transience * taken, FITTED_NOISE * f0_mean / short_periods),
    )
    return full_ratios, full_values, full_gain, absorbed


def _long_periods(f0_hz: float) -> int:
    return max(LONG_PERIODS, math.ceil(LONG_SECONDS * f0_hz))


def _notch_shares(centers_hz: Array, partials_hz: Array, width_hz: float) -> Array:
    """Share [K, N] of each noise band inside a notch of width_hz around each partial, overlaps counted twice."""
    n_bands = len(centers_hz)
    spacing_hz = np.gradient(centers_hz)
    # seven points across a notch stand for it; sum of response over band area
    points = partials_hz[:, None] + width_hz * (np.arange(7) - 3) / 7.0
    responses = noise_band_responses(np.maximum(points, 0.0).ravel(), n_bands)
    inside = responses.reshape(n_bands, len(partials_hz), 7).mean(axis=2).T
    return np.asarray(inside * (width_hz / spacing_hz)[None, :])


def _fast_even(minimum: float) -> int:
    """Smallest even number of the form 2^a 3^b 5^c that is not below `minimum`."""
    candidate = 2 * math.ceil(minimum / 2)
    while True:
        rest = candidate
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return candidate
        candidate += 2


def _warp_to_constant_pitch(
    audio: npt.NDArray[np.float32], rate: int, hop: float, f0_hz: Array, cycles: Array
) -> tuple[npt.NDArray[np.float32], int]:
    """The audio sampled so many times per period of its f0 track, and how many times that is."""
    points = _fast_even(1.05 * rate / float(f0_hz.min()))
    n_warped = int(cycles[-1] * points) + 1
    frame_positions = np.arange(len(cycles)) * hop
    positions = np.interp(np.arange(n_warped) / points, cycles, frame_positions)
    warped = np.empty(n_warped, np.float32)
    interpolate(np.ascontiguousarray(audio), positions, _sinc_table(), warped)
    return warped, points


@lru_cache(maxsize=1)
def _sinc_table() -> npt.NDArray[np.float32]:
    return sinc_table()


def _spectra(warped: npt.NDArray[np.float32], cycles: Array, points: int, periods: int) -> tuple[Array, Array]:
    """Hann spectra complex64 [F, bins] (bin b at b / periods times f0, phase at the centre) and centres [F].

    A full-scale sinusoid on a bin has magnitude 1. Windows that would begin before the onset or end after the
    clip are moved inside: a struck note is at full level at once, not half of it.
    """
    length = periods * points
    padded = np.pad(warped, (0, max(0, length - len(warped))))
    starts = np.clip(np.round(cycles * points).astype(int) - length // 2, 0, len(padded) - length)
    n = np.arange(length)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * n / length)).astype(np.float32)
    window *= 2.0 / window.sum()
    frames = sliding_window_view(padded, length)[starts]
    spectra = np.fft.rfft(frames * window)
    spectra[:, 1::2] *= -1.0
    return spectra.astype(np.complex64, copy=False), (starts + length // 2) / points


def _partial_ratios(spectra: Array, periods: int, n_partials: int) -> Array:
    """Where the partials are, over f0, [n_partials]: the clear peak nearest to k, else k itself.

    Stiff strings and bars put partials beside k * f0. A peak must stand 10 dB above the rest of its cell
    and is searched within half a harmonic spacing.
    """
    power = (np.abs(spectra) ** 2).mean(axis=0)
    ratios = np.arange(1.0, n_partials + 1.0)
    half = periods // 2
    for index in range(n_partials):
        middle = (index + 1) * periods
        low, high = max(2, middle - half), min(middle - half + periods, len(power) - 1)
        if high - low < 3:
            continue
        cell = power[low:high]
        peak = low + int(cell.argmax())
        left, top, right = np.log(power[peak - 1 : peak + 2] + 1e-30)
        if top < max(left, right) or power[peak] < 10.0 * np.quantile(cell, 0.2):
            continue
        shift = 0.5 * (left - right) / (left - 2.0 * top + right - 1e-12)
        position = peak + float(np.clip(shift, -0.5, 0.5))
        if abs(position - middle) > 0.35:
            ratios[index] = position / periods
    return ratios


def _matched(spectra: Array, centers: Array, ratios: Array, periods: int) -> Array:
    """Least-squares complex amplitude [F, K] of a sinusoid at each ratio * f0, phase against ratio * cycles.

    Projection of five Hann bins on the Hann main lobe; equals an inner product under Hann^2.
    """
    position = ratios * periods
    nearest = np.round(position).astype(int)
    bins = nearest[:, None] + np.arange(-2, 3)[None, :]
    lobe = _hann_lobe(bins - position[:, None])
    lobe[(bins < 1) | (bins >= spectra.shape[1])] = 0.0
    weights = (lobe / (lobe**2).sum(axis=1, keepdims=True)).astype(np.float32)
    picked = spectra[:, np.clip(bins, 0, spectra.shape[1] - 1)]
    values = np.einsum("fkb,kb->fk", picked, weights)
    turns = ratios[None, :] * centers[:, None]
    return np.asarray(values * np.exp(-2j * np.pi * (turns - np.floor(turns))).astype(np.complex64))


def _hann_lobe(offset: Array) -> Array:
    """Transform of the Hann window at `offset` bins from its centre, 1 at 0."""
    offset = np.where(np.abs(np.abs(offset) - 1.0) < 1e-6, offset + 2e-6, offset)
    return np.asarray(np.sinc(offset) / (1.0 - offset**2))


def _noise_floor(spectra: Array, periods: int, n_partials: int) -> Array:
    """Mean power [F, K] of noise per Hann bin around each harmonic, from the gaps on both sides of it.

    A gap is the bin between two harmonics that is quietest over the whole clip, so it also lies between partials
    that are not at k * f0. The lower of the two gaps counts: sidebands and stray partials sit on one side.
    """
    power = np.abs(spectra) ** 2
    average = power.mean(axis=0)
    edges = np.minimum(np.arange(n_partials + 2) * periods, len(average) - 1)
    quietest = [
        low + 1 + int(average[low + 1 : high].argmin()) if high - low > 2 else low
        for low, high in itertools.pairwise(edges)
    ]
    gaps = power[:, quietest]
    gaps = _smooth_frames(gaps, 5)
    return np.asarray(np.minimum(gaps[:, :-1], gaps[:, 1:]))


def _smooth_frames(values: Array, reach: int) -> Array:
    """Mean over 2 * reach + 1 frames of [F, K], edges repeated."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    sums = np.cumsum(np.pad(padded, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
    return np.asarray((sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1))


def _noise_gain(values: Array, floor: Array) -> Array:
    """Gain [F, K] that takes the noise floor out of a partial's amplitude (power subtraction)."""
    power = _smooth_frames(np.abs(values) ** 2, 4)
    remaining = np.clip(1.0 - OVERSUBTRACTION * floor / (power + 1e-20), 0.0, 1.0)
    return np.sqrt(remaining).astype(np.float32)


def _transience(loudness: Array, reach: int) -> Array:
    """How much each frame needs the short window, 0..1: 1 where loudness changes 8 dB within the long window."""
    level = 20.0 * np.log10(loudness + 1e-3 * loudness.max() + 1e-9)
    padded = np.pad(level, reach, mode="edge")
    view = sliding_window_view(padded, 2 * reach + 1)
    return np.asarray(np.clip((view.max(axis=1) - view.min(axis=1) - 2.0) / 6.0, 0.0, 1.0))


def _onset_shape(audio: Array, rate: int, hop: float, period_s: float, settled_s: float) -> Array:
    """Gain [F] that lets a slow or late attack begin at silence although the first windows lie after the onset.

    It is the signal's own level, over a period (3 ms at least), against its level at settled_s, at most 1.
    """
    half = max(2, round(max(0.5 * period_s, 0.0015) * rate))
    n_frames = int(len(audio) / hop) + 1
    shape = np.ones(n_frames, np.float32)
    settled = min(n_frames - 1, math.ceil(settled_s * rate / hop))
    power = np.concatenate(([0.0], np.cumsum(np.square(audio[: int((settled + 1) * hop) + half], dtype=np.float64))))
    centers = np.round(np.arange(settled + 1) * hop).astype(int)
    low, high = (np.clip(centers + side, 0, len(power) - 1) for side in (-half, half))
    rms = np.sqrt((power[high] - power[low]) / np.maximum(high - low, 1))
    if settled > 0 and rms[settled] > 0.0:
        shape[:settled] = np.minimum(1.0, rms[:settled] / rms[settled])
    return shape


def _fit_inharmonicity(ratios: Array, harmonics: Array) -> float:
    """B of (ratio / k)^2 = 1 + B k^2 by weighted least squares; 0 unless it explains the shifted partials."""
    k = np.arange(1, len(ratios) + 1, dtype=np.float64)
    weight = harmonics.astype(np.float64).sum(axis=0)
    # further up, a partial lands nearest to some other harmonic's place
    astray = np.flatnonzero(np.abs(ratios - k) > 0.4)
    last = int(astray[0]) if len(astray) else len(k)
    use = (k <= min(last, 25)) & (weight > 1e-3 * weight.max())
    if weight.max() <= 0.0 or use.sum() < 4:
        return 0.0
    stretch, square, w = (ratios[use] / k[use]) ** 2 - 1.0, k[use] ** 2, np.sqrt(weight[use])
    b = float((w * square * stretch).sum() / (w * square**2).sum())
    unexplained = float((w * (stretch - b * square) ** 2).sum() / ((w * stretch**2).sum() + 1e-20))
    return b if 1e-6 < b < 5e-3 and unexplained < 0.5 else 0.0


# --- noise ----------------------------------------------------------------------------------------------------


def _noise_bands(
    residual: npt.NDArray[np.float32], rate: int, hop: float, n_frames: int, n_bands: int
) -> npt.NDArray[np.float32]:
    """Band RMS [F, N] of the residual: g_b^2 = integral of response_b * PSD.

    Responses add up to one, so the band powers add up to the residual's power. High bands use short windows
    (6 ms), low bands longer ones, as `NOISE_WINDOWS` says.
    """
    power = np.zeros((n_frames, n_bands), np.float32)
    centers_hz = noise_band_centers_hz(n_bands)
    lowest_hz = 0.0
    for size_at_44100, highest_hz in NOISE_WINDOWS:
        size = 2 * round(size_at_44100 * rate / 44_100 / 2)
        bands = (centers_hz >= lowest_hz) & (centers_hz < highest_hz)
        lowest_hz = highest_hz
        if not bands.any():
            continue
        padded = np.pad(residual, (0, max(0, size - len(residual))))
        starts = np.round(np.arange(n_frames) * hop).astype(int) - size // 2
        starts = np.clip(starts, 0, len(padded) - size)
        window = np.hanning(size + 1)[:-1].astype(np.float32)
        spectra = np.fft.rfft(sliding_window_view(padded, size)[starts] * window)
        density = np.square(spectra.real) + np.square(spectra.imag)
        density *= 2.0 / (size * float(np.square(window).sum()))
        onset = _onset_shape(residual, rate, hop, 0.0, 0.5 * size / rate)[:, None]
        power[:, bands] = np.square(onset) * (density @ _band_weights(rate, size, n_bands)[:, bands])
    return np.asarray(np.sqrt(power))


def _share_between_partials(
    residual: npt.NDArray[np.float32], rate: int, hop: float, f0_hz: Array, cycles: Array, ratios: Array, left: Array
) -> Array:
    """Power density [F, N] between the partials over that of noise which left so much of each band [F, N] beside them.

    It is about 1 where the residual is noise, and less where beside a partial lies what its fit has missed: an
    attack, a beat, a decay that is faster than the window. Over 100 ms, or chance would take some off. A band that is
    narrower than from partial to partial takes its densities from as far around it.
    """
    f0_mean = float(np.median(f0_hz))
    periods = _long_periods(f0_mean)
    warped, points = _warp_to_constant_pitch(residual, rate, hop, f0_hz, cycles)
    power = np.abs(_spectra(warped, cycles, points, periods)[0]) ** 2
    bins = np.arange(power.shape[1])
    partials = np.concatenate(([0.0], ratios * periods))
    following = np.clip(np.searchsorted(partials, bins), 1, len(partials) - 1)
    distance = np.minimum(np.abs(bins - partials[following]), np.abs(bins - partials[following - 1]))

    hz, bands_hz = bins * f0_mean / periods, noise_band_centers_hz(left.shape[1])
    reach_hz = 1.2 * f0_mean
    everywhere = _wide_enough(noise_band_responses(hz, len(bands_hz)), hz, bands_hz, reach_hz) * (hz < 0.49 * rate)
    between = everywhere * (distance >= PARTIAL_REACH)
    bands = _wide_enough(np.eye(len(bands_hz)), bands_hz, bands_hz, reach_hz) * np.gradient(bands_hz)
    density, density_between = (_smooth_frames(_means(power, each), 12) for each in (everywhere, between))
    share = density_between / (density + 1e-20) * _means(left, bands)
    share[:, between.sum(axis=1) < 0.5] = 1.0
    return np.asarray(share)


def _wide_enough(weights: Array, hz: Array, bands_hz: Array, reach_hz: float) -> Array:
    """Weights [N, K] of bands at hz [K], and for those that reach less far triangles that do."""
    triangles = np.maximum(0.0, 1.0 - np.abs(hz - bands_hz[:, None]) / reach_hz)
    return np.asarray(np.where((weights.sum(axis=1) < triangles.sum(axis=1))[:, None], triangles, weights))


def _means(values: Array, weights: Array) -> Array:
    """Weighted means [F, N] of values [F, K] under weights [N, K]."""
    shares = weights / (weights.sum(axis=1, keepdims=True) + 1e-12)
    return np.asarray(values @ shares.T.astype(values.dtype))


@lru_cache(maxsize=8)
def _band_weights(rate: int, size: int, n_bands: int) -> npt.NDArray[np.float32]:
    """Band responses [bins, N] averaged over each FFT bin, so that narrow bands lose nothing between bins."""
    fine = 32
    spacing = rate / size
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    bins = np.arange(size // 2 + 1)
    frequencies: Array = ((bins[:, None] + offsets[None, :]) * spacing).ravel()
    responses = noise_band_responses(frequencies, n_bands)
    averaged = responses.reshape(n_bands, len(bins), fine).mean(axis=2).T
    return np.ascontiguousarray(averaged, dtype=np.float32)


def _filtered_noise(noise: Array, rate: int, hop: float, n_samples: int, seed: int) -> Array:
    """Gaussian noise [samples] with the band RMS of `noise` [F, N], by overlap-add of 512-sample Hann frames."""
    size = 512
    step = size // 4
    rng = np.random.default_rng(seed)
    frequencies = np.asarray(np.fft.rfftfreq(size, 1.0 / rate), dtype=np.float64)
    fine = np.arange(0.5, rate / 2, dtype=np.float64)
    widths = noise_band_responses(fine, noise.shape[1]).sum(axis=1)  # Hz
    shapes = noise_band_responses(frequencies, noise.shape[1]) / widths[:, None]
    n_steps = n_samples // step + 5
    times = np.arange(n_steps) * step / hop
    frame = np.clip(times, 0, len(noise) - 1)
    low = frame.astype(int)
    high = np.minimum(low + 1, len(noise) - 1)
    fraction = (frame - low)[:, None]
    rms = (1.0 - fraction) * noise[low] + fraction * noise[high]
    magnitude = np.sqrt((rms**2) @ shapes * rate / 2)
    white = rng.standard_normal((n_steps + 3) * step + size)
    window = np.sqrt(np.hanning(size + 1)[:-1])
    frames = sliding_window_view(white, size)[::step][:n_steps] * window
    shaped = np.fft.irfft(np.fft.rfft(frames) * magnitude, n=size) * window / 2.0
    out = np.zeros(n_steps * step + size)
    for index in range(n_steps):
        out[index * step : index * step + size] += shaped[index]
    return np.asarray(out[size // 2 : size // 2 + n_samples], dtype=np.float32)
