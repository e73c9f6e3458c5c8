"""How deep the partials of a recorded note tremble."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.train.networks.shimmer import LEAST_DB, LOWEST_HZ, MEASURED_PARTIALS, MOST_DB, N_OCTAVES

_DB_PER_NEPER = 20.0 / np.log(10.0)
_FROM_S = 0.12  # after the attack
_FALLEN = 10.0 ** (-40.0 / 20.0)  # from the loudest moment to where the note is over
_HEARD = 10.0 ** (-45.0 / 20.0)  # of the whole note, at least so much must a partial be
_FLOOR = 10.0 ** (-60.0 / 20.0)
_AUDIBLE = 10.0 ** (-80.0 / 20.0)
_FEWEST_PERIODS = 1.4  # of an octave's slowest rate


def log_shimmer(partials: NDArray[np.float32], gate: int, frame_rate: int) -> NDArray[np.float32]:
    """[N_OCTAVES, len(MEASURED_PARTIALS)]: log of the RMS in dB by which each partial's level moves, NaN if unknown.

    partials: [F, H]. gate: frames held. What moves is the amplitude about a cubic over the held note's levels, as a
    share of it, small ones in dB; its power spectrum is summed over each octave of rates from LOWEST_HZ on.
    """
    found = np.full((N_OCTAVES, len(MEASURED_PARTIALS)), np.nan, np.float32)
    numbers = np.array([number for number in MEASURED_PARTIALS if number <= partials.shape[1]])
    held = partials[int(_FROM_S * frame_rate) : gate].astype(np.float64)
    level = np.sqrt(np.square(held).sum(axis=1, keepdims=True))
    quiet = level[:, 0] <= _FALLEN * level.max(initial=0.0)
    if quiet.all():
        return found
    loudest = int(level.argmax())
    swollen = np.flatnonzero(quiet[:loudest]).max(initial=-1) + 1
    over = np.flatnonzero(quiet[loudest:])
    held, level = (each[swollen : loudest + int(over[0]) if len(over) else None] for each in (held, level))
    n = len(held)
    octaves = np.arange(N_OCTAVES)
    periods = n / frame_rate * LOWEST_HZ * 2.0**octaves
    known = periods >= _FEWEST_PERIODS
    if not known.any():
        return found
    held = held[:, numbers - 1]
    heard = np.median(held / level, axis=0) > _HEARD
    heard &= np.median(held, axis=0) > _AUDIBLE
    if not heard.any():
        return found

    db = 20.0 * np.log10(np.maximum(held[:, heard], _FLOOR * level))
    trend = np.vander(np.linspace(-1.0, 1.0, n), 4)
    about = 10.0 ** ((db - trend @ np.linalg.lstsq(trend, db, rcond=None)[0]) / 20.0)
    # Not in dB: the dip of a beat, sharp there, is not heard, and its overtones would be taken for a flutter.
    moves = _DB_PER_NEPER * (about / about.mean(axis=0) - 1.0)
    window = np.hanning(n)[:, None]
    power = np.square(np.abs(np.fft.rfft(moves * window, axis=0))) * (2.0 / (n * np.square(window).sum()))
    rate_hz = np.fft.rfftfreq(n, 1.0 / frame_rate)
    octave = np.floor(np.log2(np.maximum(rate_hz, 1e-6) / LOWEST_HZ))
    rms = np.sqrt((octave[None, :] == octaves[:, None]).astype(np.float64) @ power)
    rms *= np.exp(_log_shortfall(periods))[:, None]
    rms[~known] = np.nan
    columns = np.flatnonzero(heard)
    found[:, columns] = np.log(np.clip(rms, LEAST_DB, MOST_DB))
    return found


def _log_shortfall(periods: NDArray[Any]) -> NDArray[Any]:
    """By how much the log of an RMS over so many periods of an octave's slowest rate is too small on average.

    A short stretch of something random has a power of few degrees of freedom d, chi-squared: the mean of its log is
    under the log of its mean by ln(d/2) - psi(d/2), about 1/d + 1/(3 d^2). A Hann window leaves two thirds of them.
    """
    freedom = np.maximum(2.0 * periods / 1.5, 1.0)
    shortfall: NDArray[Any] = 0.5 * (1.0 / freedom + 1.0 / (3.0 * freedom**2))
    return shortfall
