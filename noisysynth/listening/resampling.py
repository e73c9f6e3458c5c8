"""Another sample rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr


def resample(audio: npt.NDArray[np.float32], from_rate: int, to_rate: int) -> npt.NDArray[np.float32]:
    """Audio [samples] at another rate, high quality; the same array when the rates agree."""
    if from_rate == to_rate:
        return audio
    return np.asarray(soxr.resample(audio, from_rate, to_rate, quality="HQ"), dtype=np.float32)
