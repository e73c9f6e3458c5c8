"""The synths written plainly in torch: the definition that the compiled operators are tested against.

Everything is built in full, [batch, samples, partials], so use it on short audio only. Runs on any device.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisysynth.dsp.noise import band_noise_loops


def _ramps(frames: Tensor, hop: int) -> Tensor:
    """[B, (F - 1) * hop, ...] from [B, F, ...], linear from each frame to the next."""
    share = torch.arange(hop, dtype=frames.dtype, device=frames.device) / hop
    share = share.reshape(1, 1, hop, *([1] * (frames.dim() - 2)))
    ramps = frames[:, :-1].unsqueeze(2) * (1.0 - share) + frames[:, 1:].unsqueeze(2) * share
    return ramps.flatten(1, 2)


def harmonic_synth(f0_hz: Tensor, amplitudes: Tensor, sample_rate: float, hop: int) -> Tensor:
    """Audio [B, (F - 1) * hop] from f0_hz [B, F] and peak amplitudes [B, F, K] of partials k * f0.

    Partial k sounds between two frames only if it is under Nyquist at both. Phases are summed in float64.
    """
    frequency_hz = _ramps(f0_hz.double(), hop)
    turns = torch.cumsum(frequency_hz, dim=1) - frequency_hz
    radians = (2.0 * math.pi / sample_rate) * turns
    number = torch.arange(1, amplitudes.shape[-1] + 1, device=f0_hz.device)
    highest_hz = torch.maximum(f0_hz[:, :-1], f0_hz[:, 1:]).repeat_interleave(hop, dim=1)
    audible = highest_hz.unsqueeze(-1) * number < 0.5 * sample_rate
    sines = torch.sin(radians.unsqueeze(-1) * number).to(amplitudes.dtype)
    return (_ramps(amplitudes, hop) * audible * sines).sum(-1)


def noise_synth(gains: Tensor, sample_rate: int, hop: int, position: NDArray[np.int64]) -> Tensor:
    """Audio [B, (F - 1) * hop] from band RMS gains [B, F, N]; position [B]: start in the endless loops."""
    loops, lengths = band_noise_loops(sample_rate, gains.shape[2])
    n_samples = (gains.shape[1] - 1) * hop
    at = (np.asarray(position)[:, None, None] + np.arange(n_samples)[:, None]) % lengths
    noise = torch.from_numpy(loops[np.arange(gains.shape[2]), at]).to(gains.device, gains.dtype)
    return (_ramps(gains, hop) * noise).sum(-1)
