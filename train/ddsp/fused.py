"""The synth of partials at any ratios on CUDA: Triton kernels for its phases, its sound and its gradients.

A program has a segment, which is what lies between two frames, with a tile of partials and samples in registers at a
time, so nothing of the size [batch, samples, partials] is ever in memory. Frames' phases are float64; a partial's is
multiplied and wrapped in float64 at the beginning of a segment, and only the way from there is float32.

Signal path: `_segments` (phases of the fundamental), `_starts` (of the partials), `_forward` (audio); back through
`_backward` and `_frequency_gradient`.

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

# Partials and samples of a tile, and the warps that share it: the fastest of those tried on an H200. Backward, the
# partials of a program and after how many samples their sines are taken anew; fewer partials took 1.6 times as long.
FORWARD_TILE, FORWARD_WARPS = (4, 128), 1
BACKWARD_PARTIALS, BACKWARD_CHAIN, BACKWARD_WARPS = 128, 8, 1
_FRAMES = 1024  # of a row at once, where phases are summed
_BLOCK = 512  # partials of all segments at once, where their phases are wrapped
_TURN = tl.constexpr(2.0 * math.pi)
_PARTS = tl.constexpr(2.0**44)


@triton.jit
def _segments(  # type: ignore[no-untyped-def]
    f0_ptr, segment_ptr, n_segments, RATE: tl.constexpr, HOP: tl.constexpr, FRAMES: tl.constexpr
):
    """Of each segment of a row: turns at its beginning, slope, bend and highest frequency, as in `phase`; float64."""
    row = tl.program_id(0).to(tl.int64)
    whole_before = tl.zeros((), tl.float64)
    parts_before = tl.zeros((), tl.int64)
    for first in range(0, n_segments, FRAMES):
        s = first + tl.arange(0, FRAMES)
        inside = s < n_segments
        start = tl.load(f0_ptr + row * (n_segments + 1) + s, mask=inside, other=0.0).to(tl.float64)
        end = tl.load(f0_ptr + row * (n_segments + 1) + s + 1, mask=inside, other=0.0).to(tl.float64)
        slope = (start - 0.5 * (end - start) / HOP) / RATE
        bend = 0.5 * (end - start) / (HOP * RATE)
        own = HOP * (slope + bend * HOP)
        whole = tl.floor(own)
        parts = tl.floor((own - whole) * _PARTS + 0.5).to(tl.int64)
        turns = whole_before + (tl.cumsum(whole, 0) - whole)
        turns += (parts_before + (tl.cumsum(parts, 0) - parts)).to(tl.float64) / _PARTS
        highest = tl.maximum(start, end)
        at = segment_ptr + 4 * (row * n_segments + s)
        tl.store(at, turns, mask=inside)
        tl.store(at + 1, slope, mask=inside)
        tl.store(at + 2, bend, mask=inside)
        tl.store(at + 3, tl.where(highest > 0.0, highest, float("inf")), mask=inside)
        whole_before += tl.sum(whole, 0)
        parts_before += tl.sum(parts, 0)


@triton.jit
def _starts(  # type: ignore[no-untyped-def]
    segment_ptr, ratio_ptr, start_ptr, n_segments, n_partials, n_starts, nyquist_hz, BLOCK: tl.constexpr
):
    """Of each partial in each segment what `_turns` wants, in four arrays; a phase of -1 if it is not to be heard.

    This is all that needs float64 for each partial; done here once, not once in every thread of the others.
    """
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n_starts
    segment, k = at // n_partials, at % n_partials
    real = start_ptr.dtype.element_ty
    ratio = tl.load(ratio_ptr + segment // n_segments * n_partials + k, mask=inside, other=0.0)
    turns = ratio * tl.load(segment_ptr + 4 * segment, mask=inside, other=0.0)
    step = ratio * tl.load(segment_ptr + 4 * segment + 1, mask=inside, other=0.0)
    bend = ratio * tl.load(segment_ptr + 4 * segment + 2, mask=inside, other=0.0)
    heard = ratio * tl.load(segment_ptr + 4 * segment + 3, mask=inside, other=0.0) < nyquist_hz
    coarse = tl.floor(step * 4096.0) / 4096.0  # times a sample's number it is exact in float32
    tl.store(start_ptr + at, tl.where(heard, turns - tl.floor(turns), -1.0).to(real), mask=inside)
    tl.store(start_ptr + n_starts + at, coarse.to(real), mask=inside)
    tl.store(start_ptr + 2 * n_starts + at, (step - coarse).to(real), mask=inside)
    tl.store(start_ptr + 3 * n_starts + at, bend.to(real), mask=inside)


@triton.jit
def _start(start_ptr, segment, k, n_partials, n_starts):  # type: ignore[no-untyped-def]
    """What `_starts` wrote of partials k in a segment: which are heard, and phase, coarse and fine step and bend."""
    at = start_ptr + segment * n_partials + k
    phase = tl.load(at, mask=k < n_partials, other=-1.0)
    heard = phase >= 0.0
    coarse = tl.load(at + n_starts, mask=heard, other=0.0)
    fine = tl.load(at + 2 * n_starts, mask=heard, other=0.0)
    bend = tl.load(at + 3 * n_starts, mask=heard, other=0.0)
    return heard, phase, coarse, fine, bend


@triton.jit
def _turns(phase, coarse, fine, bend, t):  # type: ignore[no-untyped-def]
    """Turns of partials at sample t of a segment, within half a one, in the precision of t."""
    whole = coarse * t
    turns = whole - tl.floor(whole)  # whole turns come off exactly
    turns += phase + t * (fine + bend * t)
    return turns - tl.floor(turns + 0.5)


@triton.jit
def _sine(turns):  # type: ignore[no-untyped-def]
    """sin(2 pi turns) within half a turn: float32 by polynomial, at most 2.3e-7 off."""
    if turns.dtype == tl.float64:
        sine = tl.sin(turns * _TURN)
    else:
        square = turns * turns
        p = -0.79039991 * square + 3.51241589
        p = p * square - 9.62397003
        p = p * square + 16.76915741
        p = p * square - 16.20895576
        p = p * square + 6.28318548
        sine = turns * (1.0 - 4.0 * square) * p
    return sine


@triton.jit
def _cosine(turns):  # type: ignore[no-untyped-def]
    """cos(2 pi turns), as `_sine`; at most 3.1e-7 off."""
    if turns.dtype == tl.float64:
        cosine = tl.cos(turns * _TURN)
    else:
        square = turns * turns
        p = -0.41371687 * square + 1.60101616
        p = p * square - 3.66138673
        p = p * square + 5.11190319
        p = p * square - 3.73920560
        p = p * square + 1.0
        cosine = (1.0 - 16.0 * square) * p
    return cosine


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    start_ptr, amplitude_ptr, audio_ptr, n_segments, n_partials, n_starts, hop,
    PARTIALS: tl.constexpr, SAMPLES: tl.constexpr,
):  # fmt: skip
    """A program writes SAMPLES samples of a segment; its threads lie along them, so each sums its own partials."""
    segment = tl.program_id(0).to(tl.int64)
    frame = segment + segment // n_segments  # a row has one frame more than segments
    real = audio_ptr.dtype.element_ty
    i = tl.program_id(1) * SAMPLES + tl.arange(0, SAMPLES)
    t = i.to(real)[None, :]
    x = t / hop
    total = tl.zeros((PARTIALS, SAMPLES), real)
    for first in range(0, n_partials, PARTIALS):
        k = (first + tl.arange(0, PARTIALS))[:, None]
        heard, phase, coarse, fine, bend = _start(start_ptr, segment, k, n_partials, n_starts)
        start = tl.load(amplitude_ptr + frame * n_partials + k, mask=heard, other=0.0)
        end = tl.load(amplitude_ptr + (frame + 1) * n_partials + k, mask=heard, other=0.0)
        total += (start + (end - start) * x) * _sine(_turns(phase, coarse, fine, bend, t))
    tl.store(audio_ptr + segment * hop + i, tl.sum(total, 0), mask=i < hop)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    segment_ptr, start_ptr, ratio_ptr, amplitude_ptr, grad_ptr, left_ptr, right_ptr, moment_ptr, by_ratio_ptr,
    n_segments, n_partials, n_starts, hop,
    RATIOS: tl.constexpr, PARTIALS: tl.constexpr, CHAIN: tl.constexpr,
):  # fmt: skip
    """A program writes what a segment has to say to each gradient; its threads lie along the partials.

    That is: to the amplitudes [B, F, K] of its two frames (left_ptr, right_ptr), to the moments [B, F - 1, 3] of
    `phase.frequency_gradient`, and, with RATIOS, to the ratios [B, F - 1, K].
    With g the gradient of the audio, s and c sine and cosine, x from 0 to 1 over the segment, all of it is made of
    the sums of g s, g s x and g c x^n, n from 0 to 3. Every CHAIN samples sine and cosine are taken anew; on the way
    from there they are turned by a step that is itself turned by the bend, which is about half of the work.
    """
    segment = tl.program_id(0).to(tl.int64)
    batch = segment // n_segments
    frame = segment + batch
    real = grad_ptr.dtype.element_ty
    grad_ptr += segment * hop
    by_turns = tl.zeros((PARTIALS,), tl.float64)
    by_start = tl.zeros((PARTIALS,), tl.float64)
    by_end = tl.zeros((PARTIALS,), tl.float64)
    for first_k in range(0, n_partials, PARTIALS):
        k = first_k + tl.arange(0, PARTIALS)
        heard, phase, coarse, fine, bend = _start(start_ptr, segment, k, n_partials, n_starts)
        coarse_turns = coarse - tl.floor(coarse + 0.5)
        bend_sine, bend_cosine = _sine(2.0 * bend), _cosine(2.0 * bend)
        sine0 = tl.zeros((PARTIALS,), real)
        sine1 = tl.zeros((PARTIALS,), real)
        cosine0 = tl.zeros((PARTIALS,), real)
        cosine1 = tl.zeros((PARTIALS,), real)
        cosine2 = tl.zeros((PARTIALS,), real)
        cosine3 = tl.zeros((PARTIALS,), real)
        for first in range(0, hop, CHAIN):
            t = (first + tl.zeros((PARTIALS,), tl.int32)).to(real)
            turns = _turns(phase, coarse, fine, bend, t)
            sine, cosine = _sine(turns), _cosine(turns)
            turns = coarse_turns + (fine + bend * (2.0 * t + 1.0))
            turns = turns - tl.floor(turns + 0.5)
            step_sine, step_cosine = _sine(turns), _cosine(turns)
            for j in tl.static_range(CHAIN):
                i = first + j
                x = i.to(real) / hop
                grad = tl.load(grad_ptr + i, mask=i < hop, other=0.0)
                sine0 += grad * sine
                cosine0 += grad * cosine
                grad *= x
                sine1 += grad * sine
                cosine1 += grad * cosine
                grad *= x
                cosine2 += grad * cosine
                grad *= x
                cosine3 += grad * cosine
                sine, cosine = sine * step_cosine + cosine * step_sine, cosine * step_cosine - sine * step_sine
                step_sine, step_cosine = (
                    step_sine * bend_cosine + step_cosine * bend_sine,
                    step_cosine * bend_cosine - step_sine * bend_sine,
                )
        tl.store(left_ptr + frame * n_partials + k, tl.where(heard, sine0 - sine1, 0.0), mask=k < n_partials)
        tl.store(right_ptr + (frame + 1) * n_partials + k, tl.where(heard, sine1, 0.0), mask=k < n_partials)
        # Of p, the gradient of the partial's turns at sample i: sums of p, p i and p i (i - 1) / (2 hop).
        start = tl.load(amplitude_ptr + frame * n_partials + k, mask=heard, other=0.0).to(tl.float64)
        rise = tl.load(amplitude_ptr + (frame + 1) * n_partials + k, mask=heard, other=0.0).to(tl.float64) - start
        moment1 = cosine1.to(tl.float64)
        moment2 = cosine2.to(tl.float64)
        total = (start * cosine0.to(tl.float64) + rise * moment1) * _TURN
        ramp = (start * moment1 + rise * moment2) * hop * _TURN
        square = (start * moment2 + rise * cosine3.to(tl.float64)) * hop * _TURN
        bent = 0.5 * (square - ramp / hop)
        ratio = tl.load(ratio_ptr + batch * n_partials + k, mask=heard, other=0.0)
        by_turns += ratio * total
        by_start += ratio * (ramp - bent)
        by_end += ratio * bent
        if RATIOS:
            at = segment_ptr + 4 * segment
            by_ratio = tl.load(at) * total + tl.load(at + 1) * ramp + tl.load(at + 2) * square * hop
            tl.store(by_ratio_ptr + segment * n_partials + k, by_ratio, mask=k < n_partials)
    at = moment_ptr + 3 * segment
    tl.store(at, tl.sum(by_turns, 0))
    tl.store(at + 1, tl.sum(by_start, 0))
    tl.store(at + 2, tl.sum(by_end, 0))


@triton.jit
def _frequency_gradient(  # type: ignore[no-untyped-def]
    moment_ptr, grad_ptr, n_segments, RATE: tl.constexpr, HOP: tl.constexpr, FRAMES: tl.constexpr
):
    """A row of `phase.frequency_gradient`, from its last frame to its first."""
    row = tl.program_id(0).to(tl.int64)
    bend = 0.5 * (HOP - 1)
    later = tl.zeros((), tl.float64)  # what comes after the block
    for back in range(0, n_segments + 1, FRAMES):
        j = n_segments - back - tl.arange(0, FRAMES)  # frames, the last one first
        at = moment_ptr + 3 * (row * n_segments + j)
        opens, closes = (j >= 0) & (j < n_segments), j > 0  # a segment
        total = tl.load(at, mask=opens, other=0.0)
        through = later + tl.cumsum(total, 0)  # of this segment and all after it
        left = tl.load(at + 1, mask=opens, other=0.0) + tl.where(opens, (through - total) * (HOP - bend), 0.0)
        right = tl.load(at - 1, mask=closes, other=0.0) + tl.where(closes, through * bend, 0.0)
        tl.store(grad_ptr + row * (n_segments + 1) + j, (left + right) / RATE, mask=j >= 0)
        later += tl.sum(total, 0)


class FusedPartials(torch.autograd.Function):
    """f0_hz [B, F], amplitudes [B, F, K], ratios [B, K]: the maths of `eager.inharmonic_synth`."""

    @staticmethod
    def forward(ctx: Any, f0_hz: Tensor, amplitudes: Tensor, ratios: Tensor, sample_rate: float, hop: int) -> Tensor:
        ctx.sample_rate, ctx.hop, ctx.ratio_type = sample_rate, hop, ratios.dtype
        batch, frames, n_partials = amplitudes.shape
        n_segments, n_starts = frames - 1, batch * (frames - 1) * n_partials
        f0_hz, amplitudes, ratios = f0_hz.contiguous(), amplitudes.contiguous(), ratios.double().contiguous()
        segments = ratios.new_empty(batch, n_segments, 4)
        starts = amplitudes.new_empty(4, batch, n_segments, n_partials)
        ctx.save_for_backward(f0_hz, amplitudes, ratios, segments, starts)
        if n_starts == 0 or hop == 0:
            return amplitudes.new_zeros(batch, n_segments * hop)
        audio = amplitudes.new_empty(batch, n_segments * hop)
        _segments[(batch,)](f0_hz, segments, n_segments, RATE=sample_rate, HOP=hop, FRAMES=_FRAMES)
        _starts[(triton.cdiv(n_starts, _BLOCK),)](
            segments, ratios, starts, n_segments, n_partials, n_starts, 0.5 * sample_rate, BLOCK=_BLOCK
        )
        samples = min(FORWARD_TILE[1], triton.next_power_of_2(hop))
        _forward[(batch * n_segments, triton.cdiv(hop, samples))](
            starts, amplitudes, audio, n_segments, n_partials, n_starts, hop,
            PARTIALS=FORWARD_TILE[0], SAMPLES=samples, num_warps=FORWARD_WARPS,
        )  # fmt: skip
        return audio

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None, None]:
        f0_hz, amplitudes, ratios, segments, starts = ctx.saved_tensors
        sample_rate, hop, wants_ratios = ctx.sample_rate, ctx.hop, ctx.needs_input_grad[2]
        batch, frames, n_partials = amplitudes.shape
        n_segments, n_starts = frames - 1, batch * (frames - 1) * n_partials
        d_f0_hz = torch.zeros_like(f0_hz)
        sides = amplitudes.new_zeros(2, batch, frames, n_partials)
        by_ratio = segments.new_zeros((batch, n_segments, n_partials) if wants_ratios else (1, 1, 1))
        if n_starts and hop:
            moments = segments.new_empty(batch, n_segments, 3)
            grad = grads[0].to(amplitudes.dtype).contiguous()
            _backward[(batch * n_segments,)](
                segments, starts, ratios, amplitudes, grad, sides[0], sides[1], moments, by_ratio,
                n_segments, n_partials, n_starts, hop,
                RATIOS=wants_ratios, PARTIALS=BACKWARD_PARTIALS, CHAIN=BACKWARD_CHAIN, num_warps=BACKWARD_WARPS,
            )  # fmt: skip
            _frequency_gradient[(batch,)](moments, d_f0_hz, n_segments, RATE=sample_rate, HOP=hop, FRAMES=_FRAMES)
        d_ratios = by_ratio.sum(1).to(ctx.ratio_type) if wants_ratios else None
        return d_f0_hz, sides[0] + sides[1], d_ratios, None, None
