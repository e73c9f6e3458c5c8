"""An embedding that nothing was trained for: MFCC means, deviations and deltas. It keeps the trained one honest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.features import N_MELS, SAMPLE_RATE, log_mel
from noisysynth.listening.resampling import resample

N_MFCC = 20
SIZE = 3 * N_MFCC
_FLOOR = float(np.log(1e-4))  # -80 dB: what is below is silence


def plain_embedding(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """[60]: mean over time of 20 MFCCs, their deviation, and the mean size of their steps from frame to frame (20 ms).

    audio: [samples]. MFCCs: orthonormal DCT-II of the natural log of mel band magnitudes (`noisysynth.features`).
    """
    bands = np.maximum(log_mel(resample(audio, sample_rate, SAMPLE_RATE), SAMPLE_RATE), _FLOOR)
    mfcc = bands @ _DCT
    steps = np.abs(np.diff(mfcc, axis=0, prepend=mfcc[:1]))
    return np.concatenate([mfcc.mean(axis=0), mfcc.std(axis=0), steps.mean(axis=0)]).astype(np.float32)


def _dct() -> NDArray[np.float32]:
    """[N_MELS, N_MFCC]"""
    angle = np.pi / N_MELS * (np.arange(N_MELS)[:, None] + 0.5) * np.arange(N_MFCC)[None, :]
    basis = np.cos(angle) * np.sqrt(2.0 / N_MELS)
    basis[:, 0] /= np.sqrt(2.0)
    return np.asarray(basis, np.float32)


_DCT = _dct()
