"""The harmonic synth: partials k * f0 by Clenshaw's recurrence, samples in the vector lanes.

Goertzel and Clenshaw lose float32 precision near phases 0 and pi. Reinsch's form of the recurrence does not: it keeps
the difference d of neighbouring terms b, and counts the phase from 0 or from pi, whichever is nearer (Stoer and
Bulirsch, Introduction to Numerical Analysis, 2.3.2). That is four operations for each partial and sample, half of them
additions, which many cores do beside the multiplications; a rotation recurrence needs six.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from noisysynth.dsp.compiling import jit
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
    sign_of,
    stack_floats,
    store,
    sub,
)
from noisysynth.dsp.oscillator import fill_rotation
from noisysynth.spec import MAX_HARMONICS

_COPIED = -(-MAX_HARMONICS // WIDTH) * WIDTH


@jit
def _two_cosines_less_two(sin, cos):  # type: ignore[no-untyped-def]
    """2 |cos| - 2 = -4 sin(x / 2) ** 2 without the cancellation."""
    return div(mul(mul(broadcast(np.float32(-2)), sin), sin), add(broadcast(np.float32(1)), absolute(cos)))


@jit
def _even(b, d, u, ramp, amp, step):  # type: ignore[no-untyped-def]
    """The difference d after one more partial, an even one."""
    return fma(u, b, add(d, fma(ramp, step, amp)))


@jit
def _odd(b, d, u, side, ramp, amp, step):  # type: ignore[no-untyped-def]
    """The same for an odd one, whose sine changes its sign where the phase is counted from pi: `side` is -1 there."""
    return fma(u, b, fma(side, fma(ramp, step, amp), d))


@jit
def add_partials(out, n, sin1, cos1, ramp, amp_start, amp_end, count):  # type: ignore[no-untyped-def]
    """Add `count` partials, at most MAX_HARMONICS, over n samples to `out`.

    sin1, cos1: [n] of the fundamental, from `fill_rotation`. At sample i partial k + 1 has amplitude
    amp_start[k] + (amp_end[k] - amp_start[k]) * ramp[i]. All arrays are float32.
    Four vectors at a time hide the latency of the chain; splitting it by residue classes of k was no faster. Nor was a
    flipped sign bit instead of the multiplication by `side`, nor an unrolled loop: 450,000 partials became 414,000.
    """
    # Amplitudes and their steps, with zeros behind the last, so that partials go in pairs.
    amps = stack_floats(_COPIED)
    steps = stack_floats(_COPIED)
    for k in range(0, count, WIDTH):
        keep_rolled()
        start = load(amp_start, k, count - k)
        store(amps, k, WIDTH, start)
        store(steps, k, WIDTH, sub(load(amp_end, k, count - k), start))
    zero = broadcast(np.float32(0))
    one = broadcast(np.float32(1))
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
        k = count + count % 2
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
        store(out, i0, n - i0, fma(mul(side0, s0), b0, load(out, i0, n - i0)))
        store(out, i1, n - i1, fma(mul(side1, s1), b1, load(out, i1, n - i1)))
        store(out, i2, n - i2, fma(mul(side2, s2), b2, load(out, i2, n - i2)))
        store(out, i3, n - i3, fma(mul(side3, s3), b3, load(out, i3, n - i3)))


@jit
def partials_below_nyquist(hz_start, hz_end, sample_rate, n_partials):  # type: ignore[no-untyped-def]
    """How many partials k = 1.. keep k * f0 under half the sample rate throughout a segment."""
    highest = max(hz_start, hz_end)
    if not highest > 0.0:
        return 0
    return min(n_partials, math.ceil(0.5 * sample_rate / highest) - 1)


def _render_harmonics(f0_hz, amplitudes, sample_rate, hop, phase, ramp, out):  # type: ignore[no-untyped-def]
    for b in nb.prange(f0_hz.shape[0]):
        rotation = np.empty((2, hop), np.float32)
        turns = phase[b]
        for f in range(f0_hz.shape[1] - 1):
            start = f0_hz[b, f]
            end = f0_hz[b, f + 1]
            segment = out[b, f * hop : (f + 1) * hop]
            segment[:] = np.float32(0)
            turns = fill_rotation(rotation[0], rotation[1], hop, turns, start, end, sample_rate)
            count = partials_below_nyquist(start, end, sample_rate, amplitudes.shape[2])
            add_partials(segment, hop, rotation[0], rotation[1], ramp, amplitudes[b, f], amplitudes[b, f + 1], count)
        phase[b] = turns


_render_harmonics_parallel = jit(_render_harmonics, parallel=True)


def render_harmonics(
    f0_hz: NDArray[np.float32],
    amplitudes: NDArray[np.float32],
    sample_rate: float,
    hop: int,
    phase: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Audio [B, (F - 1) * hop] of harmonic notes.

    f0_hz: [B, F]. amplitudes: [B, F, K], linear peak amplitudes of partials 1..K. hop: samples between frames.
    phase: [B] in turns at the first sample, overwritten with the phase after the last; zeros when None.
    A partial is silent in every segment in which it would reach Nyquist. ValueError: the shapes do not fit, or there
    are more than MAX_HARMONICS partials.
    """
    f0_hz = np.ascontiguousarray(f0_hz, np.float32)
    amplitudes = np.ascontiguousarray(amplitudes, np.float32)
    batch, frames = f0_hz.shape
    if amplitudes.shape[:2] != (batch, frames):
        raise ValueError(f"f0_hz {f0_hz.shape} and amplitudes {amplitudes.shape} differ in batch or frames")
    if amplitudes.shape[2] > MAX_HARMONICS:
        raise ValueError(f"{amplitudes.shape[2]} partials, but {MAX_HARMONICS} are the most")
    ramp = (np.arange(hop) / hop).astype(np.float32)
    out = np.empty((batch, max(frames - 1, 0) * hop), np.float32)
    turns: Any = np.zeros(batch) if phase is None else phase
    _render_harmonics_parallel(f0_hz, amplitudes, float(sample_rate), hop, turns, ramp, out)
    return out
