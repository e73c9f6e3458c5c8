"""Differentiable synths in torch: the player's compiled kernels forward, hand-written compiled kernels backward.

Controls on a GPU are rendered on the CPU and the audio is brought back; `eager` runs anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisysynth.dsp.harmonic import render_harmonics
from noisysynth.dsp.noise import band_noise_loops, render_noise
from noisysynth.train.ddsp.kernels import harmonics_backward, noise_backward


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy()


class _Harmonics(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, f0_hz: Tensor, amplitudes: Tensor, sample_rate: float, hop: int) -> Tensor:
        ctx.save_for_backward(f0_hz, amplitudes)
        ctx.sample_rate, ctx.hop = sample_rate, hop
        audio = render_harmonics(_array(f0_hz), _array(amplitudes), sample_rate, hop)
        return torch.from_numpy(audio).to(f0_hz.device)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        f0_hz, amplitudes = ctx.saved_tensors
        d_f0_hz = np.zeros(f0_hz.shape, np.float32)
        d_amplitudes = np.zeros(amplitudes.shape, np.float32)
        harmonics_backward(
            _array(f0_hz), _array(amplitudes), ctx.sample_rate, ctx.hop, _array(grads[0]), d_f0_hz, d_amplitudes
        )
        device = f0_hz.device
        return torch.from_numpy(d_f0_hz).to(device), torch.from_numpy(d_amplitudes).to(device), None, None


class _Noise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gains: Tensor, sample_rate: int, hop: int, position: NDArray[np.int64]) -> Tensor:
        ctx.shape, ctx.device = gains.shape, gains.device
        ctx.sample_rate, ctx.hop, ctx.position = sample_rate, hop, position
        return torch.from_numpy(render_noise(_array(gains), sample_rate, hop, position)).to(gains.device)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        loops, lengths = band_noise_loops(ctx.sample_rate, ctx.shape[2])
        d_gains = np.zeros(ctx.shape, np.float32)
        noise_backward(ctx.hop, ctx.position, loops, lengths, _array(grads[0]), d_gains)
        return torch.from_numpy(d_gains).to(ctx.device), None, None, None


def harmonic_synth(f0_hz: Tensor, amplitudes: Tensor, sample_rate: float, hop: int) -> Tensor:
    """Audio [B, (F - 1) * hop], differentiable by f0_hz [B, F] and amplitudes [B, F, K].

    The maths of `eager.harmonic_synth`; see `noisysynth.dsp.harmonic.render_harmonics`.
    """
    audio: Tensor = _Harmonics.apply(f0_hz, amplitudes, float(sample_rate), hop)
    return audio


def noise_synth(gains: Tensor, sample_rate: int, hop: int, position: NDArray[np.int64]) -> Tensor:
    """Audio [B, (F - 1) * hop], differentiable by the band RMS gains [B, F, N]; position [B]: start in the loops."""
    starts = np.ascontiguousarray(position, np.int64)
    audio: Tensor = _Noise.apply(gains, sample_rate, hop, starts)
    return audio
