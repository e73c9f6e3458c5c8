"""Wavetables without aliasing: each table at several numbers of harmonics, of which a segment takes what fits.

Levels lie half an octave apart, so at most the upper half octave below Nyquist is given up.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def level_harmonics(length: int) -> list[int]:
    """Harmonics of each level of tables of this length, ascending: 1, 2, 4, 5, 8, 11, 16 ... and all there are."""
    most = (length - 1) // 2
    counts = {math.floor(2.0 ** (0.5 * step)) for step in range(2 * length.bit_length())}
    return sorted({count for count in counts if count < most} | ({most} if most else set()))


def band_limited(tables: Tensor) -> Tensor:
    """Levels [M, L, W] of tables [W, L], differentiable. A table's mean is left out: nobody hears it."""
    length = tables.shape[1]
    counts = torch.tensor(level_harmonics(length), device=tables.device)
    numbers = torch.arange(length // 2 + 1, device=tables.device)
    heard = (numbers > 0) & (numbers <= counts.unsqueeze(-1))
    spectra = torch.fft.rfft(tables) * heard.unsqueeze(1)
    return torch.fft.irfft(spectra, length).transpose(1, 2).contiguous()


def segment_levels(highest_hz: Tensor, sample_rate: float, length: int) -> Tensor:
    """Level of each segment, int64 as highest_hz; -1 where not even the fundamental is below Nyquist."""
    counts = torch.tensor(level_harmonics(length), dtype=torch.float64, device=highest_hz.device)
    audible = highest_hz.unsqueeze(-1) * counts < 0.5 * sample_rate
    return audible.sum(-1) - 1
