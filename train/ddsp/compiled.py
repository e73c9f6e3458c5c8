"""The synths on the CPU as torch functions: compiled kernels forward, hand-written compiled kernels backward.

Nothing of the size [batch, samples, partials] is ever made: a backward pass keeps only the controls and computes the
rest again. Controls on another device are brought to the CPU and the results go back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from noisysynth.dsp.harmonic import render_harmonics
from noisysynth.dsp.noise import MAX_SEGMENT, band_noise_loops
from noisysynth.spec import MAX_HARMONICS
from noisysynth.train.ddsp.kernels import harmonics_backward, noise_backward, noise_forward
from noisysynth.train.ddsp.partial_kernels import partials_backward, partials_forward
from noisysynth.train.ddsp.phase import frequency_gradient, highest_hz, segment_phases
from noisysynth.train.ddsp.wavetable_kernels import wavetables_backward, wavetables_forward
from noisysynth.train.ddsp.wavetables import segment_levels

# Rows of a batch share this many gradients of the tables: enough for the threads, and the same for any number of them.
_GROUPS = 8


def array(tensor: Tensor, dtype: torch.dtype | None = None) -> NDArray[Any]:
    """What a kernel reads: on the CPU, contiguous, in the tensor's own precision or this one."""
    return tensor.detach().to("cpu", dtype or tensor.dtype).contiguous().numpy()


def _samples(frames: Tensor, hop: int) -> tuple[int, int]:
    return frames.shape[0], max(frames.shape[1] - 1, 0) * hop


def _phases(f0_hz: Tensor, sample_rate: float, hop: int) -> list[NDArray[np.float64]]:
    f0_hz = f0_hz.detach().cpu()
    return [array(part) for part in segment_phases(f0_hz, sample_rate, hop)]


class Harmonics(torch.autograd.Function):
    """f0_hz [B, F], amplitudes [B, F, K <= MAX_HARMONICS], float32."""

    @staticmethod
    def forward(ctx: Any, f0_hz: Tensor, amplitudes: Tensor, sample_rate: float, hop: int) -> Tensor:
        ctx.save_for_backward(f0_hz, amplitudes)
        ctx.sample_rate, ctx.hop = sample_rate, hop
        audio = render_harmonics(array(f0_hz), array(amplitudes), sample_rate, hop)
        return torch.from_numpy(audio).to(f0_hz.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        f0_hz, amplitudes = ctx.saved_tensors
        hop, device = ctx.hop, f0_hz.device
        ramp = (np.arange(hop) / hop).astype(np.float32)
        d_amplitudes = np.zeros(amplitudes.shape, np.float32)
        wanted = ctx.needs_input_grad[0]
        moments = np.zeros((f0_hz.shape[0], f0_hz.shape[1] - 1 if wanted else 0, 3))
        harmonics_backward(
            array(f0_hz), array(amplitudes), ctx.sample_rate, hop, ramp, array(grads[0]), d_amplitudes, moments
        )
        d_f0_hz = None
        if wanted:
            d_f0_hz = frequency_gradient(torch.from_numpy(moments), ctx.sample_rate, hop).to(device, f0_hz.dtype)
        return d_f0_hz, torch.from_numpy(d_amplitudes).to(device), None, None


class Partials(torch.autograd.Function):
    """f0_hz [B, F], amplitudes [B, F, K], ratios [B, K]."""

    @staticmethod
    def forward(ctx: Any, f0_hz: Tensor, amplitudes: Tensor, ratios: Tensor, sample_rate: float, hop: int) -> Tensor:
        ctx.save_for_backward(f0_hz, amplitudes, ratios)
        ctx.sample_rate, ctx.hop = sample_rate, hop
        amps = array(amplitudes)
        audio = np.empty(_samples(f0_hz, hop), amps.dtype)
        partials_forward(*Partials._arguments(f0_hz, ratios, sample_rate, hop, amps), audio)
        return torch.from_numpy(audio).to(f0_hz.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        f0_hz, amplitudes, ratios = ctx.saved_tensors
        amps = array(amplitudes)
        d_amplitudes = np.zeros_like(amps)
        d_ratios = np.zeros(ratios.shape)
        moments = np.zeros((f0_hz.shape[0], f0_hz.shape[1] - 1, 3))
        arguments = Partials._arguments(f0_hz, ratios, ctx.sample_rate, ctx.hop, amps)
        partials_backward(*arguments, array(grads[0], amplitudes.dtype), d_amplitudes, d_ratios, moments)
        d_f0_hz = frequency_gradient(torch.from_numpy(moments), ctx.sample_rate, ctx.hop)
        device = f0_hz.device
        return (
            d_f0_hz.to(device, f0_hz.dtype),
            torch.from_numpy(d_amplitudes).to(device),
            torch.from_numpy(d_ratios).to(device, ratios.dtype),
            None,
            None,
        )

    @staticmethod
    def _arguments(f0_hz: Tensor, ratios: Tensor, sample_rate: float, hop: int, amps: NDArray[Any]) -> tuple[Any, ...]:
        highest = array(highest_hz(f0_hz))
        wide_ratios = array(ratios, torch.float64)
        return *_phases(f0_hz, sample_rate, hop), highest, amps, wide_ratios, 0.5 * sample_rate, hop


class Noise(torch.autograd.Function):
    """gains [B, F, N], position int64 [B]. ValueError: hop is above MAX_SEGMENT, which the loops repeat."""

    @staticmethod
    def forward(ctx: Any, gains: Tensor, sample_rate: int, hop: int, position: NDArray[np.int64]) -> Tensor:
        if hop > MAX_SEGMENT:
            raise ValueError(f"hop {hop} is above {MAX_SEGMENT}")
        ctx.shape, ctx.device = gains.shape, gains.device
        ctx.sample_rate, ctx.hop, ctx.position = sample_rate, hop, position
        loops, lengths = band_noise_loops(sample_rate, gains.shape[2])
        values = array(gains)
        audio = np.empty(_samples(gains, hop), values.dtype)
        noise_forward(values, hop, position, loops, lengths, audio)
        return torch.from_numpy(audio).to(gains.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        loops, lengths = band_noise_loops(ctx.sample_rate, ctx.shape[2])
        grad = array(grads[0])
        d_gains = np.zeros(ctx.shape, grad.dtype)
        noise_backward(ctx.hop, ctx.position, loops, lengths, grad, d_gains)
        return torch.from_numpy(d_gains).to(ctx.device), None, None, None


class Wavetables(torch.autograd.Function):
    """f0_hz [B, F], weights [B, F, W], levels [M, L, W] of `wavetables.band_limited`."""

    @staticmethod
    def forward(ctx: Any, f0_hz: Tensor, weights: Tensor, levels: Tensor, sample_rate: float, hop: int) -> Tensor:
        ctx.save_for_backward(f0_hz, weights, levels)
        ctx.sample_rate, ctx.hop = sample_rate, hop
        arguments = Wavetables._arguments(f0_hz, weights, levels, sample_rate, hop)
        audio = np.empty(_samples(f0_hz, hop), arguments[-2].dtype)
        wavetables_forward(*arguments, audio)
        return torch.from_numpy(audio).to(f0_hz.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        f0_hz, weights, levels = ctx.saved_tensors
        arguments = Wavetables._arguments(f0_hz, weights, levels, ctx.sample_rate, ctx.hop)
        d_weights = np.zeros_like(arguments[4])
        d_levels = np.zeros((max(min(_GROUPS, f0_hz.shape[0]), 1), *levels.shape), d_weights.dtype)
        moments = np.zeros((f0_hz.shape[0], f0_hz.shape[1] - 1, 3))
        wavetables_backward(*arguments, array(grads[0]), d_weights, d_levels, moments)
        d_f0_hz = frequency_gradient(torch.from_numpy(moments), ctx.sample_rate, ctx.hop)
        device = f0_hz.device
        return (
            d_f0_hz.to(device, f0_hz.dtype),
            torch.from_numpy(d_weights).to(device),
            torch.from_numpy(d_levels.sum(0)).to(device),
            None,
            None,
        )

    @staticmethod
    def _arguments(f0_hz: Tensor, weights: Tensor, levels: Tensor, sample_rate: float, hop: int) -> tuple[Any, ...]:
        level = array(segment_levels(highest_hz(f0_hz), sample_rate, levels.shape[1]))
        return *_phases(f0_hz, sample_rate, hop), level, array(weights), array(levels, weights.dtype), hop


def fits_recurrence(amplitudes: Tensor) -> bool:
    """Whether `Harmonics` can take these; else `Partials` does the same, slower and in any precision."""
    return amplitudes.dtype == torch.float32 and amplitudes.shape[2] <= MAX_HARMONICS
