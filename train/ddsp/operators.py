"""The differentiable synths for training: compiled kernels on the CPU, fused Triton kernels for partials on CUDA.

The maths of each is in `eager`. Precision is that of the amplitudes, float32 or float64; phases are exact in long
notes. On CUDA, partials are fused where Triton is installed (torch brings it there); everything else is `eager`.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisysynth.train.ddsp import compiled, eager
from noisysynth.train.ddsp.wavetables import band_limited


def _fit(f0_hz: Tensor, frames: Tensor, name: str) -> None:
    if f0_hz.dim() != 2 or frames.dim() != 3 or frames.shape[:2] != f0_hz.shape or f0_hz.shape[1] == 0:
        raise ValueError(f"f0_hz {list(f0_hz.shape)} and {name} {list(frames.shape)} are not [B, F] and [B, F, ...]")


def _fused(tensor: Tensor) -> bool:
    return tensor.is_cuda and importlib.util.find_spec("triton") is not None


def harmonic_synth(f0_hz: Tensor, amplitudes: Tensor, sample_rate: float, hop: int) -> Tensor:
    """Audio [B, (F - 1) * hop], differentiable by f0_hz [B, F] and amplitudes [B, F, K]; see `eager.harmonic_synth`.

    Raise ValueError when the shapes do not fit.
    """
    _fit(f0_hz, amplitudes, "amplitudes")
    sample_rate = float(sample_rate)
    audio: Tensor
    if not amplitudes.is_cuda and compiled.fits_recurrence(amplitudes):
        audio = compiled.Harmonics.apply(f0_hz, amplitudes, sample_rate, hop)
        return audio
    if amplitudes.is_cuda and not _fused(amplitudes):
        return eager.harmonic_synth(f0_hz, amplitudes, sample_rate, hop)
    numbers = torch.arange(1, amplitudes.shape[2] + 1, dtype=torch.float64, device=f0_hz.device)
    return inharmonic_synth(f0_hz, amplitudes, numbers.expand(f0_hz.shape[0], -1), sample_rate, hop)


def inharmonic_synth(f0_hz: Tensor, amplitudes: Tensor, ratios: Tensor, sample_rate: float, hop: int) -> Tensor:
    """The same with partials at ratios [B, K] times f0, by which it is differentiable too.

    `eager.stretched_ratios` has those of a stiff string. Raise ValueError when the shapes do not fit.
    """
    _fit(f0_hz, amplitudes, "amplitudes")
    if ratios.shape != (amplitudes.shape[0], amplitudes.shape[2]):
        raise ValueError(f"ratios {list(ratios.shape)} are not [B, K] of amplitudes {list(amplitudes.shape)}")
    audio: Tensor
    if _fused(amplitudes):
        from noisysynth.train.ddsp.fused import FusedPartials  # needs Triton, which others do not have

        audio = FusedPartials.apply(f0_hz, amplitudes, ratios, float(sample_rate), hop)
        return audio
    if amplitudes.is_cuda:
        return eager.inharmonic_synth(f0_hz, amplitudes, ratios, sample_rate, hop)
    audio = compiled.Partials.apply(f0_hz, amplitudes, ratios, float(sample_rate), hop)
    return audio


def noise_synth(gains: Tensor, sample_rate: int, hop: int, position: NDArray[np.int64]) -> Tensor:
    """Audio [B, (F - 1) * hop], differentiable by the band RMS gains [B, F, N]; position [B]: start in the loops.

    Raise ValueError when hop is above `noise.MAX_SEGMENT`.
    """
    if gains.is_cuda:
        return eager.noise_synth(gains, sample_rate, hop, position)
    starts = np.ascontiguousarray(position, np.int64)
    audio: Tensor = compiled.Noise.apply(gains, sample_rate, hop, starts)
    return audio


def wavetable_synth(f0_hz: Tensor, weights: Tensor, tables: Tensor, sample_rate: float, hop: int) -> Tensor:
    """Audio [B, (F - 1) * hop], differentiable by f0_hz [B, F], weights [B, F, W] and tables [W, L].

    See `eager.wavetable_synth`. Raise ValueError when the shapes do not fit.
    """
    _fit(f0_hz, weights, "weights")
    if tables.dim() != 2 or tables.shape[0] != weights.shape[2] or tables.shape[1] < 3:
        raise ValueError(f"tables {list(tables.shape)} are not [W, L > 2] of weights {list(weights.shape)}")
    if weights.is_cuda:
        return eager.wavetable_synth(f0_hz, weights, tables, sample_rate, hop)
    audio: Tensor = compiled.Wavetables.apply(f0_hz, weights, band_limited(tables), float(sample_rate), hop)
    return audio
