"""How much a note moves: a recording and what was found of it shall tremble alike, though never in the same phases."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

SKIPPED_S = 0.1  # the attack, which moves for reasons of its own
WINDOW, HOP = 2048, 512
BANDS_PER_OCTAVE, LOWEST_HZ, HIGHEST_HZ = 5, 60.0, 12_000.0
HEARD_DB = 45.0  # under the loudest band of the note
FEWEST_FRAMES = 5


def movement_db(audio: npt.NDArray[np.float32], rate: int, gate_s: float, highest_hz: float = HIGHEST_HZ) -> float:
    """Mean change of band levels from frame to frame (512 samples) while a note is held, in dB.

    audio: [samples] from its onset. highest_hz: what is above is not looked at. Bands are a fifth of an octave wide,
    or a bin where that is more. NaN where the note is too short to tell.
    """
    held = audio[round(SKIPPED_S * rate) : round(min(gate_s, len(audio) / rate) * rate)]
    if len(held) < WINDOW + FEWEST_FRAMES * HOP:
        return math.nan
    spectra = np.fft.rfft(sliding_window_view(held, WINDOW)[::HOP] * np.hanning(WINDOW))
    n_bands = round(BANDS_PER_OCTAVE * math.log2(min(highest_hz, 0.5 * rate, HIGHEST_HZ) / LOWEST_HZ))
    edges = LOWEST_HZ * 2.0 ** (np.arange(n_bands + 1) / BANDS_PER_OCTAVE)
    bins = np.unique(np.clip(np.round(edges * WINDOW / rate), 0, WINDOW // 2).astype(np.int64))
    power = np.add.reduceat(np.square(np.abs(spectra)), bins, axis=1)[:, :-1]
    level_db = 10.0 * np.log10(power + 1e-12)
    heard = level_db > level_db.max() - HEARD_DB
    both = heard[1:] & heard[:-1]
    return float(np.abs(np.diff(level_db, axis=0))[both].mean()) if both.any() else math.nan
