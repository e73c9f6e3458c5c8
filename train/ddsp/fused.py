"""The synth of partials at any ratios on CUDA: one Triton kernel forward, one backward.

A program has a tile of partials and samples in registers and goes over the other partials or samples in a loop, so
nothing of the size [batch, samples, partials] is ever in memory. Frames' phases are float64; a partial's is multiplied
and wrapped in float64 at the beginning of a segment, and only the way from there is float32.

Importing this needs Triton. With TRITON_INTERPRET=1 it runs on the CPU, slowly: that is how it is tested.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from noisysynth.train.ddsp.phase import frequency_gradient, highest_hz, segment_phases

PARTIALS, SAMPLES = 16, 64  # of a tile
_TURN = tl.constexpr(2.0 * math.pi)


@triton.jit
def _tile(segment_ptr, ratio_ptr, segment, k, inside, ratio_row, nyquist_hz):  # type: ignore[no-untyped-def]
    """Of partials k in a segment: their ratios, which are heard, and phase, step and bend in turns, all float64."""
    turns = tl.load(segment_ptr + 4 * segment)
    slope = tl.load(segment_ptr + 4 * segment + 1)
    bend = tl.load(segment_ptr + 4 * segment + 2)
    highest_hz = tl.load(segment_ptr + 4 * segment + 3)
    ratio = tl.load(ratio_ptr + ratio_row + k, mask=inside, other=0.0)
    heard = inside & (ratio * highest_hz < nyquist_hz)
    phase = ratio * turns
    return ratio, heard, phase - tl.floor(phase), ratio * slope, ratio * bend


@triton.jit
def _phases(phase, step, bend, t):  # type: ignore[no-untyped-def]
    """Radians of partials [K] at samples t [T] of a segment, as [K, T]: within half a turn, in the precision of t."""
    coarse = tl.floor(step * 4096.0) / 4096.0  # times t it is exact in float32, and whole turns come off exactly
    fine = (step - coarse).to(t.dtype)[:, None]
    t = t[None, :]
    whole = coarse.to(t.dtype)[:, None] * t
    turns = whole - tl.floor(whole)
    turns += phase.to(t.dtype)[:, None] + t * (fine + bend.to(t.dtype)[:, None] * t)
    return (turns - tl.floor(turns + 0.5)) * _TURN


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    segment_ptr, ratio_ptr, amplitude_ptr, audio_ptr, n_segments, n_partials, hop, nyquist_hz,
    PARTIALS: tl.constexpr, SAMPLES: tl.constexpr,
):  # fmt: skip
    """A program writes SAMPLES samples of a segment."""
    segment = tl.program_id(0).to(tl.int64)
    batch = segment // n_segments
    frame = segment + batch  # a row has one frame more than segments
    real = audio_ptr.dtype.element_ty
    i = tl.program_id(1) * SAMPLES + tl.arange(0, SAMPLES)
    t = i.to(real)
    share = (t / hop)[None, :]
    total = tl.zeros((PARTIALS, SAMPLES), real)
    for first in range(0, n_partials, PARTIALS):
        k = first + tl.arange(0, PARTIALS)
        _, heard, phase, step, bend = _tile(
            segment_ptr, ratio_ptr, segment, k, k < n_partials, batch * n_partials, nyquist_hz
        )
        if tl.max(heard.to(tl.int32), 0) > 0:
            start = tl.load(amplitude_ptr + frame * n_partials + k, mask=heard, other=0.0)[:, None]
            end = tl.load(amplitude_ptr + (frame + 1) * n_partials + k, mask=heard, other=0.0)[:, None]
            total += (start + (end - start) * share) * tl.sin(_phases(phase, step, bend, t))
    tl.store(audio_ptr + segment * hop + i, tl.sum(total, 0), mask=i < hop)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    segment_ptr, ratio_ptr, amplitude_ptr, grad_ptr, sums_ptr, n_segments, n_partials, hop, nyquist_hz,
    PARTIALS: tl.constexpr, SAMPLES: tl.constexpr,
):  # fmt: skip
    """A program writes the five sums of PARTIALS partials over a segment that every gradient is made of.

    With g the gradient of the audio, s the sine, p = 2 pi g a cos the gradient by the partial's turns, i the sample:
    sums of g s, g s i / hop, p, p i and p i (i - 1) / (2 hop).
    """
    segment = tl.program_id(0).to(tl.int64)
    batch = segment // n_segments
    frame = segment + batch
    real = grad_ptr.dtype.element_ty
    k = tl.program_id(1) * PARTIALS + tl.arange(0, PARTIALS)
    inside = k < n_partials
    _, heard, phase, step, bend = _tile(segment_ptr, ratio_ptr, segment, k, inside, batch * n_partials, nyquist_hz)
    sine = tl.zeros((PARTIALS, SAMPLES), real)
    sine_ramp = tl.zeros((PARTIALS, SAMPLES), real)
    slope = tl.zeros((PARTIALS, SAMPLES), real)
    slope_ramp = tl.zeros((PARTIALS, SAMPLES), real)
    slope_bend = tl.zeros((PARTIALS, SAMPLES), real)
    if tl.max(heard.to(tl.int32), 0) > 0:
        start = tl.load(amplitude_ptr + frame * n_partials + k, mask=heard, other=0.0)[:, None]
        end = tl.load(amplitude_ptr + (frame + 1) * n_partials + k, mask=heard, other=0.0)[:, None]
        for first in range(0, hop, SAMPLES):
            i = first + tl.arange(0, SAMPLES)
            grad = tl.load(grad_ptr + segment * hop + i, mask=i < hop, other=0.0)[None, :]
            t = i.to(real)
            radians = _phases(phase, step, bend, t)
            t = t[None, :]
            share = t / hop
            product = grad * tl.sin(radians)
            sine += product
            sine_ramp += product * share
            product = grad * tl.cos(radians) * (start + (end - start) * share)
            slope += product
            product *= t
            slope_ramp += product
            slope_bend += product * (share - 1.0 / hop)
    row = tl.num_programs(0).to(tl.int64) * n_partials  # from one sum to the next
    at = sums_ptr + segment * n_partials + k
    zero = tl.zeros((PARTIALS,), real)
    tl.store(at, tl.where(heard, tl.sum(sine, 1), zero), mask=inside)
    tl.store(at + row, tl.where(heard, tl.sum(sine_ramp, 1), zero), mask=inside)
    tl.store(at + 2 * row, tl.where(heard, tl.sum(slope, 1), zero) * _TURN, mask=inside)
    tl.store(at + 3 * row, tl.where(heard, tl.sum(slope_ramp, 1), zero) * _TURN, mask=inside)
    tl.store(at + 4 * row, tl.where(heard, tl.sum(slope_bend, 1), zero) * (0.5 * _TURN), mask=inside)


class FusedPartials(torch.autograd.Function):
    """f0_hz [B, F], amplitudes [B, F, K], ratios [B, K]: the maths of `eager.inharmonic_synth`."""

    @staticmethod
    def forward(ctx: Any, f0_hz: Tensor, amplitudes: Tensor, ratios: Tensor, sample_rate: float, hop: int) -> Tensor:
        ctx.save_for_backward(f0_hz, amplitudes, ratios)
        ctx.sample_rate, ctx.hop = sample_rate, hop
        batch, frames, n_partials = amplitudes.shape
        audio = amplitudes.new_zeros(batch, (frames - 1) * hop)
        if audio.numel() and n_partials:
            arguments = FusedPartials._arguments(f0_hz, ratios, amplitudes, sample_rate, hop)
            grid = (batch * (frames - 1), triton.cdiv(hop, SAMPLES))
            _forward[grid](
                *arguments, audio, frames - 1, n_partials, hop, 0.5 * sample_rate, PARTIALS=PARTIALS, SAMPLES=SAMPLES
            )
        return audio

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        f0_hz, amplitudes, ratios = ctx.saved_tensors
        sample_rate, hop = ctx.sample_rate, ctx.hop
        batch, frames, n_partials = amplitudes.shape
        sums = amplitudes.new_zeros(5, batch, frames - 1, n_partials)
        if sums.numel():
            arguments = FusedPartials._arguments(f0_hz, ratios, amplitudes, sample_rate, hop)
            grad = grads[0].to(amplitudes.dtype).contiguous()
            grid = (batch * (frames - 1), triton.cdiv(n_partials, PARTIALS))
            _backward[grid](
                *arguments, grad, sums, frames - 1, n_partials, hop, 0.5 * sample_rate,
                PARTIALS=PARTIALS, SAMPLES=SAMPLES,
            )  # fmt: skip
        sine, sine_ramp = sums[:2]
        d_amplitudes = torch.zeros_like(amplitudes)
        d_amplitudes[:, :-1] += sine - sine_ramp
        d_amplitudes[:, 1:] += sine_ramp
        total, ramp, curve = sums[2:].double()
        wide_ratios = ratios.double().unsqueeze(1)
        moments = torch.stack([(wide_ratios * part).sum(-1) for part in (total, ramp - curve, curve)], -1)
        d_f0_hz = frequency_gradient(moments, sample_rate, hop).to(f0_hz.dtype)
        d_ratios = None
        if ctx.needs_input_grad[2]:
            turns, slope, bend = (part.unsqueeze(-1) for part in segment_phases(f0_hz, sample_rate, hop))
            square = 2.0 * hop * curve + ramp  # times i * i instead of i * (i - 1) / (2 hop)
            d_ratios = (turns * total + slope * ramp + bend * square).sum(1).to(ratios.dtype)
        return d_f0_hz, d_amplitudes, d_ratios, None, None  # type: ignore[return-value]

    @staticmethod
    def _arguments(
        f0_hz: Tensor, ratios: Tensor, amplitudes: Tensor, sample_rate: float, hop: int
    ) -> tuple[Tensor, ...]:
        segments = torch.stack((*segment_phases(f0_hz, sample_rate, hop), highest_hz(f0_hz)), -1)
        return segments.contiguous(), ratios.double().contiguous(), amplitudes.contiguous()
