"""Compiled backward pass of the harmonic synth, and both of the noise synth; `noisysynth.dsp` plays harmonics forward.

The harmonic synth is a sum over partials at each sample, so its gradients are two sums: over samples, of the gradient
times the sine, for each partial; and over partials, of amplitude times number times cosine, for each sample. Both go by
Reinsch's recurrence as the forward pass does (`noisysynth.dsp.harmonic`), the first of them run the other way round
with the gradient as its start: four operations a partial and sample each.
"""

from __future__ import annotations

import functools
import math

import numba as nb
import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.harmonic import partials_below_nyquist
from noisysynth.dsp.lanes import (
    WIDTH,
    absolute,
    add,
    broadcast,
    div,
    flip,
    fma,
    keep_rolled,
    load,
    mul,
    numbers,
    sign_of,
    stack_floats,
    store,
    sub,
    total,
)
from noisysynth.dsp.oscillator import fill_rotation
from noisysynth.spec import MAX_HARMONICS

_COPIED = -(-MAX_HARMONICS // WIDTH) * WIDTH
_SUMS = (MAX_HARMONICS + MAX_HARMONICS % 2) * WIDTH


@jit
def _two_cosines_less_two(sin, cos):  # type: ignore[no-untyped-def]
    """2 |cos| - 2 = -4 sin(x / 2) ** 2 without the cancellation."""
    return div(mul(mul(broadcast(np.float32(-2)), sin), sin), add(broadcast(np.float32(1)), absolute(cos)))


@jit
def _add_sine_sums(grad, n, sin1, cos1, ramp, count, d_start, d_end):  # type: ignore[no-untyped-def]
    """Add to d_start, d_end [count] the gradients of a segment's amplitudes, grad and all others being [n]."""
    sums = stack_floats(_SUMS)
    ramps = stack_floats(_SUMS)
    zero = broadcast(np.float32(0))
    one = broadcast(np.float32(1))
    whole = count + count % 2
    for k in range(0, whole * WIDTH, WIDTH):
        keep_rolled()
        store(sums, k, WIDTH, zero)
        store(ramps, k, WIDTH, zero)
    for i0 in range(0, n, 4 * WIDTH):
        i1 = i0 + WIDTH
        i2 = i1 + WIDTH
        i3 = i2 + WIDTH
        s0 = load(sin1, i0, n - i0)
        s1 = load(sin1, i1, n - i1)
        s2 = load(sin1, i2, n - i2)
        s3 = load(sin1, i3, n - i3)
        c0 = load(cos1, i0, n - i0)
        c1 = load(cos1, i1, n - i1)
        c2 = load(cos1, i2, n - i2)
        c3 = load(cos1, i3, n - i3)
        u0 = _two_cosines_less_two(s0, c0)
        u1 = _two_cosines_less_two(s1, c1)
        u2 = _two_cosines_less_two(s2, c2)
        u3 = _two_cosines_less_two(s3, c3)
        side0 = flip(one, sign_of(c0))
        side1 = flip(one, sign_of(c1))
        side2 = flip(one, sign_of(c2))
        side3 = flip(one, sign_of(c3))
        ramp0 = load(ramp, i0, n - i0)
        ramp1 = load(ramp, i1, n - i1)
        ramp2 = load(ramp, i2, n - i2)
        ramp3 = load(ramp, i3, n - i3)
        # The gradient times the sine of k * the phase, the phase counted from 0 or pi; and its difference to the last.
        x0 = d0 = mul(mul(side0, s0), load(grad, i0, n - i0))
        x1 = d1 = mul(mul(side1, s1), load(grad, i1, n - i1))
        x2 = d2 = mul(mul(side2, s2), load(grad, i2, n - i2))
        x3 = d3 = mul(mul(side3, s3), load(grad, i3, n - i3))
        for k in range(0, whole * WIDTH, 2 * WIDTH):
            keep_rolled()
            y0 = mul(side0, x0)
            y1 = mul(side1, x1)
            y2 = mul(side2, x2)
            y3 = mul(side3, x3)
            store(sums, k, WIDTH, add(load(sums, k, WIDTH), add(add(y0, y1), add(y2, y3))))
            store(
                ramps, k, WIDTH, fma(ramp0, y0, fma(ramp1, y1, fma(ramp2, y2, fma(ramp3, y3, load(ramps, k, WIDTH)))))
            )
            d0 = fma(u0, x0, d0)
            x0 = add(x0, d0)
            d1 = fma(u1, x1, d1)
            x1 = add(x1, d1)
            d2 = fma(u2, x2, d2)
            x2 = add(x2, d2)
            d3 = fma(u3, x3, d3)
            x3 = add(x3, d3)
            j = k + WIDTH
            store(sums, j, WIDTH, add(load(sums, j, WIDTH), add(add(x0, x1), add(x2, x3))))
            store(
                ramps, j, WIDTH, fma(ramp0, x0, fma(ramp1, x1, fma(ramp2, x2, fma(ramp3, x3, load(ramps, j, WIDTH)))))
            )
            d0 = fma(u0, x0, d0)
            x0 = add(x0, d0)
            d1 = fma(u1, x1, d1)
            x1 = add(x1, d1)
            d2 = fma(u2, x2, d2)
            x2 = add(x2, d2)
            d3 = fma(u3, x3, d3)
            x3 = add(x3, d3)
    for k in range(count):
        end = total(load(ramps, k * WIDTH, WIDTH))
        d_start[k] += total(load(sums, k * WIDTH, WIDTH)) - end
        d_end[k] += end


@jit
def _even(b, d, u, ramp, amp, step):  # type: ignore[no-untyped-def]
    """The difference d after one more partial, an even one."""
    return fma(u, b, add(d, fma(ramp, step, amp)))


@jit
def _odd(b, d, u, side, ramp, amp, step):  # type: ignore[no-untyped-def]
    """The same for an odd one, whose cosine changes its sign where the phase is counted from pi: `side` is -1 there."""
    return fma(u, b, fma(side, fma(ramp, step, amp), d))


@jit
def _ended(b, d, u, grad):  # type: ignore[no-untyped-def]
    """2 pi times grad times the sum of cosines that the recurrence ends with."""
    turn = broadcast(np.float32(2.0 * math.pi))
    return mul(mul(turn, grad), fma(mul(broadcast(np.float32(0.5)), u), b, d))


@jit
def _write_moments(grad, n, sin1, cos1, ramp, amp_start, amp_end, count, moments):  # type: ignore[no-untyped-def]
    """Write moments [3] of the gradient by the fundamental's turns, as `phase.frequency_gradient` wants them."""
    amps = stack_floats(_COPIED)
    steps = stack_floats(_COPIED)
    for k in range(0, count, WIDTH):
        keep_rolled()
        number = add(numbers(), broadcast(np.float32(k + 1)))
        start = load(amp_start, k, count - k)
        store(amps, k, WIDTH, mul(number, start))
        store(steps, k, WIDTH, mul(number, sub(load(amp_end, k, count - k), start)))
    zero = broadcast(np.float32(0))
    one = broadcast(np.float32(1))
    half = broadcast(np.float32(0.5))
    lane = numbers()
    whole = zero
    by_ramp = zero
    by_curve = zero
    for i0 in range(0, n, 4 * WIDTH):
        i1 = i0 + WIDTH
        i2 = i1 + WIDTH
        i3 = i2 + WIDTH
        s0 = load(sin1, i0, n - i0)
        s1 = load(sin1, i1, n - i1)
        s2 = load(sin1, i2, n - i2)
        s3 = load(sin1, i3, n - i3)
        c0 = load(cos1, i0, n - i0)
        c1 = load(cos1, i1, n - i1)
        c2 = load(cos1, i2, n - i2)
        c3 = load(cos1, i3, n - i3)
        ramp0 = load(ramp, i0, n - i0)
        ramp1 = load(ramp, i1, n - i1)
        ramp2 = load(ramp, i2, n - i2)
        ramp3 = load(ramp, i3, n - i3)
        u0 = _two_cosines_less_two(s0, c0)
        u1 = _two_cosines_less_two(s1, c1)
        u2 = _two_cosines_less_two(s2, c2)
        u3 = _two_cosines_less_two(s3, c3)
        side0 = flip(one, sign_of(c0))
        side1 = flip(one, sign_of(c1))
        side2 = flip(one, sign_of(c2))
        side3 = flip(one, sign_of(c3))
        b0 = b1 = b2 = b3 = zero
        d0 = d1 = d2 = d3 = zero
        if count % 2:
            amp = broadcast(amps[count - 1])
            step = broadcast(steps[count - 1])
            b0 = d0 = mul(side0, fma(ramp0, step, amp))
            b1 = d1 = mul(side1, fma(ramp1, step, amp))
            b2 = d2 = mul(side2, fma(ramp2, step, amp))
            b3 = d3 = mul(side3, fma(ramp3, step, amp))
        k = count - count % 2
        while k > 0:
            keep_rolled()
            amp = broadcast(amps[k - 1])
            step = broadcast(steps[k - 1])
            d0 = _even(b0, d0, u0, ramp0, amp, step)
            b0 = add(b0, d0)
            d1 = _even(b1, d1, u1, ramp1, amp, step)
            b1 = add(b1, d1)
            d2 = _even(b2, d2, u2, ramp2, amp, step)
            b2 = add(b2, d2)
            d3 = _even(b3, d3, u3, ramp3, amp, step)
            b3 = add(b3, d3)
            amp = broadcast(amps[k - 2])
            step = broadcast(steps[k - 2])
            d0 = _odd(b0, d0, u0, side0, ramp0, amp, step)
            b0 = add(b0, d0)
            d1 = _odd(b1, d1, u1, side1, ramp1, amp, step)
            b1 = add(b1, d1)
            d2 = _odd(b2, d2, u2, side2, ramp2, amp, step)
            b2 = add(b2, d2)
            d3 = _odd(b3, d3, u3, side3, ramp3, amp, step)
            b3 = add(b3, d3)
            k -= 2
        p0 = _ended(b0, d0, u0, load(grad, i0, n - i0))
        p1 = _ended(b1, d1, u1, load(grad, i1, n - i1))
        p2 = _ended(b2, d2, u2, load(grad, i2, n - i2))
        p3 = _ended(b3, d3, u3, load(grad, i3, n - i3))
        whole = add(whole, add(add(p0, p1), add(p2, p3)))
        p0 = mul(p0, add(lane, broadcast(np.float32(i0))))
        p1 = mul(p1, add(lane, broadcast(np.float32(i1))))
        p2 = mul(p2, add(lane, broadcast(np.float32(i2))))
        p3 = mul(p3, add(lane, broadcast(np.float32(i3))))
        by_ramp = add(by_ramp, add(add(p0, p1), add(p2, p3)))
        # i * (i - 1) / (2 n), as half of i * (ramp - 1 / n)
        less = broadcast(np.float32(-1) / np.float32(n))
        curve = fma(p0, add(ramp0, less), mul(p1, add(ramp1, less)))
        by_curve = fma(half, add(curve, fma(p2, add(ramp2, less), mul(p3, add(ramp3, less)))), by_curve)
    moments[0] = total(whole)
    moments[1] = total(sub(by_ramp, by_curve))
    moments[2] = total(by_curve)


@functools.partial(jit, parallel=True)
def harmonics_backward(f0_hz, amplitudes, sample_rate, hop, ramp, grad, d_amplitudes, moments):  # type: ignore[no-untyped-def]
    """Add to d_amplitudes [B, F, K] the gradient given that of the audio, grad [B, (F - 1) * hop].

    ramp: [hop], from 0 to below 1. moments: float64 [B, F - 1, 3], written as `phase.frequency_gradient` wants them, or
    [B, 0, 3] when nobody wants them. Everything else is float32. At most MAX_HARMONICS partials.
    """
    for b in nb.prange(f0_hz.shape[0]):
        rotation = np.empty((2, hop), np.float32)
        turns = 0.0
        for f in range(f0_hz.shape[1] - 1):
            start = f0_hz[b, f]
            end = f0_hz[b, f + 1]
            turns = fill_rotation(rotation[0], rotation[1], hop, turns, start, end, sample_rate)
            count = partials_below_nyquist(start, end, sample_rate, amplitudes.shape[2])
            segment = grad[b, f * hop : (f + 1) * hop]
            _add_sine_sums(
                segment, hop, rotation[0], rotation[1], ramp, count, d_amplitudes[b, f], d_amplitudes[b, f + 1]
            )
            if f < moments.shape[1]:
                _write_moments(
                    segment, hop, rotation[0], rotation[1], ramp, amplitudes[b, f], amplitudes[b, f + 1], count,
                    moments[b, f],
                )  # fmt: skip


@functools.partial(jit, parallel=True)
def noise_forward(gains, hop, position, loops, lengths, out):  # type: ignore[no-untyped-def]
    """Write audio [B, (F - 1) * hop] to out from gains [B, F, N], both float32 or float64."""
    real = out.dtype.type
    per_sample = real(1) / real(hop)
    for b in nb.prange(gains.shape[0]):
        for f in range(gains.shape[1] - 1):
            segment = out[b, f * hop : (f + 1) * hop]
            segment[:] = real(0)
            for band in range(gains.shape[2]):
                gain = gains[b, f, band]
                slope = (gains[b, f + 1, band] - gain) * per_sample
                at = (position[b] + f * hop) % lengths[band]
                loop = loops[band, at : at + hop]
                for i in range(hop):
                    segment[i] += loop[i] * (gain + slope * real(i))


@functools.partial(jit, parallel=True)
def noise_backward(hop, position, loops, lengths, grad, d_gains):  # type: ignore[no-untyped-def]
    """Add to d_gains [B, F, N] the gradients of the band gains given that of the audio, grad [B, (F - 1) * hop]."""
    real = grad.dtype.type
    per_sample = real(1) / real(hop)
    for b in nb.prange(d_gains.shape[0]):
        for f in range(d_gains.shape[1] - 1):
            segment = grad[b, f * hop : (f + 1) * hop]
            for band in range(d_gains.shape[2]):
                at = (position[b] + f * hop) % lengths[band]
                loop = loops[band, at : at + hop]
                total_ = real(0)
                ramp = real(0)
                for i in range(hop):
                    product = segment[i] * loop[i]
                    total_ += product
                    ramp += product * real(i)
                d_gains[b, f, band] += total_ - ramp * per_sample
                d_gains[b, f + 1, band] += ramp * per_sample
