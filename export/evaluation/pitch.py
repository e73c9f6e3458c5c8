"""Is a note in tune? A tracker that is told no pitch finds the octave, one that reads phases finds the cents."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noisysynth.export.evaluation.notes import Told
from noisysynth.listening.pitch_track import track_cents
from noisysynth.spec import midi_to_hz

LOWEST_HZ, HIGHEST_HZ = 25.0, 5_000.0
# What is looked at of a note, as shares of its gate: past the attack, before the release.
LOOKED_AT = (0.2, 0.8)
# A note quieter than this where it is looked at has no pitch worth naming.
INAUDIBLE_DB = -60.0
IN_TUNE_CENTS, NEAR_CENTS = 10.0, 50.0
FRAME_RATE = 250
_WINDOW = 4_096
_FRAMES = 7
# pYIN's beta distribution of thresholds, mean 0.1, and what is left to a frame without a dip under the threshold.
_THRESHOLDS = np.arange(0.01, 1.0, 0.01)
_BETA = (2.0, 18.0)
_NO_DIP = 0.01
_BIN_CENTS = 25.0
_SEMITONE = 100.0

Audio = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Reading:
    """What was found of a note. cents: from its nominal pitch, within its octave. octaves: how many too high or low.

    audible: False where it is too quiet to tell; the rest means nothing then.
    """

    cents: float
    octaves: int
    audible: bool

    @property
    def error_cents(self) -> float:
        return abs(self.cents + 1200.0 * self.octaves)


def read_pitch(audio: Audio, sample_rate: int, told: Told) -> Reading:
    """The pitch of a note [samples] from note-on: the median over 20 to 80 % of its gate, as far as it goes."""
    end_s = min(told.gate_s, len(audio) / sample_rate)
    start, stop = (round(share * end_s * sample_rate) for share in LOOKED_AT)
    part = audio[start:stop]
    if len(part) < 2 or 20.0 * math.log10(float(np.sqrt(np.mean(np.square(part, dtype=np.float64)))) + 1e-12) < (
        INAUDIBLE_DB
    ):
        return Reading(0.0, 0, False)
    nominal_hz = float(midi_to_hz(told.pitch))
    coarse = 1200.0 * math.log2(free_f0_hz(audio, sample_rate, start, stop) / nominal_hz)
    octaves = round(coarse / 1200.0)
    within = coarse - 1200.0 * octaves
    if abs(within) < _SEMITONE:
        track = track_cents(audio, sample_rate, nominal_hz * 2.0**octaves, FRAME_RATE, int(end_s * FRAME_RATE) + 1)
        first, last = (int(share * (len(track) - 1)) for share in LOOKED_AT)
        within = float(np.median(track[first : last + 1]))
    return Reading(within, octaves, True)


def free_f0_hz(audio: Audio, sample_rate: int, start: int, stop: int) -> float:
    """f0 between two samples of a note of one pitch, anywhere from 25 to 5000 Hz.

    The candidates of pYIN (Mauch and Dixon 2014): dips of YIN's difference function, each with the share of thresholds
    that would choose it. Its hidden Markov model is left out: a note has one pitch, so the frames simply vote.
    """
    longest = math.ceil(sample_rate / LOWEST_HZ)
    length = _WINDOW + longest
    middle = (start + stop) // 2
    first, last = min(start + length // 2, middle), max(stop - length // 2, middle)
    votes_cents: list[float] = []
    weights: list[float] = []
    for center in np.unique(np.linspace(first, last, _FRAMES).astype(int)):
        begin = max(0, min(center - length // 2, len(audio) - length))
        frame = audio[begin : begin + length].astype(np.float64)
        periods, shares = _candidates(np.pad(frame, (0, length - len(frame))), longest, sample_rate)
        votes_cents += list(-1200.0 * np.log2(periods))
        weights += list(shares)
    if not weights:
        return LOWEST_HZ
    cents, weight = np.array(votes_cents), np.array(weights)
    order = np.argsort(cents)
    cents, weight = cents[order], weight[order]
    # The densest window of a quarter tone, by weight.
    ends = np.searchsorted(cents, cents + 2.0 * _BIN_CENTS, side="right")
    total = np.concatenate([[0.0], np.cumsum(weight)])
    best = int(np.argmax(total[ends] - total[:-1]))
    chosen = slice(best, int(ends[best]))
    period = 2.0 ** (-float(np.average(cents[chosen], weights=weight[chosen])) / 1200.0)
    return sample_rate / period


def _candidates(
    frame: NDArray[np.float64], longest: int, sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Periods in samples [n] and their probabilities [n] of one frame [_WINDOW + longest]."""
    normal = _normalised_difference(frame, longest)
    low = max(2, int(sample_rate / HIGHEST_HZ))
    at = np.arange(low, longest)
    dips = at[(normal[at] <= normal[at - 1]) & (normal[at] < normal[at + 1])]
    if not len(dips):
        return np.zeros(0), np.zeros(0)
    left, mid, right = normal[dips - 1], normal[dips], normal[dips + 1]
    curve = np.maximum(left - 2.0 * mid + right, 1e-12)
    shift = np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
    depth = mid - 0.25 * (left - right) * shift
    # The first dip under each threshold; the deepest of all, with little weight, where there is none.
    least = np.minimum.accumulate(depth)
    first = np.searchsorted(-least, -_THRESHOLDS, side="right")
    found = first < len(dips)
    shares = np.zeros(len(dips))
    np.add.at(shares, first[found], _threshold_weights()[found])
    shares[int(depth.argmin())] += _NO_DIP * float(_threshold_weights()[~found].sum())
    return (dips + shift)[shares > 0.0], shares[shares > 0.0]


def _normalised_difference(frame: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """YIN's cumulative mean normalised difference [longest + 1] (de Cheveigne and Kawahara 2002, equation 8)."""
    size = 1 << (len(frame) + _WINDOW).bit_length()
    head = np.fft.rfft(frame[:_WINDOW], size)
    correlation = np.fft.irfft(np.conj(head) * np.fft.rfft(frame, size), size)[: longest + 1]
    energy = np.concatenate([[0.0], np.cumsum(frame**2)])
    lags = np.arange(longest + 1)
    tails = energy[np.minimum(lags + _WINDOW, len(frame))] - energy[lags]
    difference = np.maximum(energy[_WINDOW] + tails - 2.0 * correlation, 0.0)
    difference[0] = 0.0
    total = np.cumsum(difference)
    normal = np.ones(longest + 1)
    normal[1:] = difference[1:] * lags[1:] / np.maximum(total[1:], 1e-20)
    return normal


@functools.cache
def _threshold_weights() -> NDArray[np.float64]:
    a, b = _BETA
    density = _THRESHOLDS ** (a - 1.0) * (1.0 - _THRESHOLDS) ** (b - 1.0)
    return np.asarray(density / density.sum())


def pitch_figures(readings: Sequence[Reading]) -> dict[str, float]:
    """Of audible notes: median cents, shares within 10 and 50 cents (a wrong octave is outside of both), wrong octaves.

    n: how many there were in all; audible: the share of them.
    """
    heard = [reading for reading in readings if reading.audible]
    errors = np.array([reading.error_cents for reading in heard])
    cents = np.array([abs(reading.cents) for reading in heard])

    def share(of: NDArray[np.bool_]) -> float:
        return float(np.mean(of)) if len(of) else math.nan

    return {
        "n": len(readings),
        "audible": len(heard) / len(readings) if readings else math.nan,
        "median_cents": float(np.median(cents)) if len(cents) else math.nan,
        "within_10": share(errors <= IN_TUNE_CENTS),
        "within_50": share(errors <= NEAR_CENTS),
        "within_10_any_octave": share(cents <= IN_TUNE_CENTS),
        "octave_errors": share(np.array([reading.octaves != 0 for reading in heard], bool)),
    }
