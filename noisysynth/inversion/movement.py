"""How much a note moves: a recording and what was found of it shall tremble alike, though never in the same phases."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

SKIPPED_S = 0.1  # the attack, which moves for reasons of its own
WINDOW, HOP = 2048, 512
N_BANDS, LOWEST_HZ, HIGHEST_HZ = 40, 60.0, 12_000.0
HEARD_DB = 45.0  # under the loudest band of the note
FEWEST_FRAMES = 5


def movement_db(audio: npt.NDArray[np.float32], rate: int, gate_s: float) -> float:
    """Mean change of the levels of third octaves or so from frame to frame (512 samples) while a note is held, in dB.

    audio: [samples] from its onset. NaN where it is too short to tell.
    """
    held = audio[round(SKIPPED_S * rate) : round(min(gate_s, len(audio) / rate) * rate)]
    if len(held) < WINDOW + FEWEST_FRAMES * HOP:
        return math.nan
    spectra = np.fft.rfft(sliding_window_view(held, WINDOW)[::HOP] * np.hanning(WINDOW))
    edges = np.round(np.geomspace(LOWEST_HZ, HIGHEST_HZ, N_BANDS + 1) * WINDOW / rate).astype(int)
    edges = np.unique(edges)  # low bands are narrower than a bin
    power = np.add.reduceat(np.square(np.abs(spectra)), edges, axis=1)[:, :-1]
    level_db = 10.0 * np.log10(power + 1e-12)
    heard = level_db > level_db.max() - HEARD_DB
    both = heard[1:] & heard[:-1]
    return float(np.abs(np.diff(level_db, axis=0))[both].mean()) if both.any() else math.nan
