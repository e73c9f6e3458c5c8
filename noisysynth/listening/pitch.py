"""The pitch of a recorded note of which nothing is known."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from noisysynth.listening.pitch_track import track_cents
from noisysynth.listening.resampling import resample
from noisysynth.spec import midi_to_hz

Array = npt.NDArray[Any]

LOWEST_PITCH, HIGHEST_PITCH = 20.0, 110.0
# Attacks are noise and pianos settle; what comes after this is listened to for as long as LISTENED_S.
SKIPPED_S, LISTENED_S = 0.04, 1.2
RATE = 22_050
WINDOW = 2048
HOP = 512
FFT_SIZE = 65_536
N_PARTIALS = 12
PARTIAL_DECAY = 0.84  # each partial's say in subharmonic summation, as Hermes measured
PRESENT = 0.03  # of the loudest partial's root: what is weaker is missing
# How much each witness is believed, as an exponent. Bars and bells are not periodic; chosen by 919 labelled notes.
PERIODICITY_SAY, PRESENCE_SAY = 0.35, 0.5
STEP = 0.1  # semitones between candidates
QUIET_DB = -35.0  # frames this far under the loudest are not listened to
TRACKED_RATE = 100


@dataclasses.dataclass(frozen=True)
class FoundPitch:
    """pitch: MIDI, fractional. clarity: 0 for noise, near 1 for a periodic tone.

    certainty: by how much it beats the best pitch further away than a semitone, octaves too, as a share of its score.
    """

    pitch: float
    clarity: float
    certainty: float = 0.0


def find_pitch(audio: npt.NDArray[np.float32], sample_rate: int) -> FoundPitch:
    """Pitch of one note, audio [samples] from its onset, between MIDI 20 and 110.

    Three witnesses are heard: YIN's difference function (de Cheveigne and Kawahara, 2002), averaged over the
    note, whose dips lie at the period and its multiples; subharmonic summation (Hermes, 1988), which is highest at f0
    and takes multiples of it for less bad than fractions; and how many partials are there up to the highest one: few of
    a fraction's. Their product wins, and is refined by the phases of its partials (`track_cents`). ValueError when
    there is nothing to listen to.
    """
    start = min(round(SKIPPED_S * sample_rate), max(0, len(audio) - WINDOW))
    heard = audio[start : start + round(LISTENED_S * sample_rate)]
    if len(heard) < 32 or not np.any(heard):
        raise ValueError("nothing to listen to")
    pitches = np.arange(LOWEST_PITCH, HIGHEST_PITCH + STEP / 2, STEP)
    f0_hz = np.asarray(midi_to_hz(pitches))
    aperiodicity = _aperiodicity(resample(heard, sample_rate, RATE), f0_hz)
    summed, present = _partials_heard(heard, sample_rate, f0_hz)
    score = (1.0 - np.clip(aperiodicity, 0.0, 1.0)) ** PERIODICITY_SAY * summed * present**PRESENCE_SAY
    best = int(score.argmax())
    pitch = _refined(audio, sample_rate, float(pitches[best]))
    clarity = float(np.clip(1.0 - aperiodicity[max(0, best - 2) : best + 3].min(), 0.0, 1.0))
    rival = float(score[np.abs(pitches - pitches[best]) > 1.0].max())
    return FoundPitch(pitch, clarity, 1.0 - rival / max(float(score[best]), 1e-12))


def _aperiodicity(audio: Array, f0_hz: Array) -> Array:
    """YIN's cumulative mean normalised difference at the periods of f0_hz, energy-weighted over the frames."""
    longest = math.ceil(RATE / f0_hz[0]) + 2
    padded = np.pad(audio, (0, max(0, WINDOW + longest - len(audio))))
    frames = sliding_window_view(padded, WINDOW + longest)[::HOP].astype(np.float64)
    energy = np.square(frames[:, :WINDOW]).sum(axis=1)
    frames = frames[energy >= energy.max() * 10.0 ** (QUIET_DB / 10.0)]
    size = 1 << (2 * WINDOW + longest).bit_length()
    head = np.fft.rfft(frames[:, :WINDOW], size)
    correlation = np.fft.irfft(np.fft.rfft(frames, size) * head.conj(), size)[:, : longest + 1]
    squares = np.concatenate((np.zeros((len(frames), 1)), np.cumsum(np.square(frames), axis=1)), axis=1)
    powers = squares[:, WINDOW : WINDOW + longest + 1] - squares[:, : longest + 1]
    difference = (powers[:, :1] + powers - 2.0 * correlation).sum(axis=0)
    difference = np.maximum(difference, 0.0)
    lags = np.arange(longest + 1)
    mean = np.cumsum(difference)[1:] / lags[1:]
    normalised = np.concatenate(([1.0], difference[1:] / np.maximum(mean, 1e-20)))
    return np.asarray(_at_lags(normalised, RATE / f0_hz))


def _at_lags(values: Array, lags: Array) -> Array:
    """Parabolas through three neighbours: short periods lie far between whole samples."""
    middle = np.clip(np.round(lags).astype(int), 1, len(values) - 2)
    left, top, right = values[middle - 1], values[middle], values[middle + 1]
    offset = np.clip(lags - middle, -0.5, 0.5)
    return top + 0.5 * offset * (right - left) + 0.5 * offset**2 * (left - 2.0 * top + right)


def _partials_heard(audio: Array, sample_rate: int, f0_hz: Array) -> tuple[Array, Array]:
    """The partials of each f0 among the spectrum's compressed peaks: their decaying sum, 1 at most, and the share of
    them that is present, up to the highest one."""
    segment = audio[: min(len(audio), FFT_SIZE)] * np.hanning(min(len(audio), FFT_SIZE))
    spectrum = np.abs(np.fft.rfft(segment, FFT_SIZE))
    hz_per_bin = sample_rate / FFT_SIZE
    level = np.sqrt(spectrum / (spectrum.max() + 1e-30))
    # the ground under the peaks is noise and hall: what stands above the local mean counts
    width = max(3, round(60.0 / hz_per_bin))
    ground = np.convolve(level, np.full(width, 1.0 / width), mode="same")
    level = np.clip(level - ground, 0.0, None)
    # a candidate speaks for all within half a step of it
    reach = 2.0 ** (STEP / 24.0)
    partials = np.zeros((N_PARTIALS, len(f0_hz)))
    for k in range(1, N_PARTIALS + 1):
        low = np.floor(k * f0_hz / reach / hz_per_bin).astype(int)
        high = np.ceil(k * f0_hz * reach / hz_per_bin).astype(int) + 1
        for row in np.flatnonzero(high < len(level)):
            partials[k - 1, row] = level[low[row] : high[row]].max()
    total = PARTIAL_DECAY ** np.arange(N_PARTIALS) @ partials
    present = partials > PRESENT
    highest = np.where(present, np.arange(1, N_PARTIALS + 1)[:, None], 0).max(axis=0)
    return total / (total.max() + 1e-30), present.sum(axis=0) / np.maximum(highest, 1)


def _refined(audio: npt.NDArray[np.float32], sample_rate: int, pitch: float) -> float:
    for _ in range(2):
        seconds = min(len(audio) / sample_rate, SKIPPED_S + LISTENED_S)
        n_frames = max(4, int(seconds * TRACKED_RATE))
        cents = track_cents(audio, sample_rate, float(midi_to_hz(pitch)), TRACKED_RATE, n_frames)
        pitch += float(np.median(cents[min(5, n_frames // 2) :])) / 100.0
    return pitch
