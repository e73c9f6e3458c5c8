"""Partials of stiff strings and bells, k * f0 * sqrt(1 + B k^2): a rotator for each, partials in the vector lanes.

Frequencies hold for STEP samples. In between a sine follows from the one before and its difference, as
x += d, d -= 4 sin(w / 2)^2 x; the rotators themselves make one turn for the whole step, and so do not drift.
"""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.lanes import (
    WIDTH,
    add,
    broadcast,
    fma,
    load,
    minimum,
    mul,
    numbers,
    square_root,
    stack_floats,
    store,
    sub,
    total,
    where_less,
)
from noisysynth.dsp.oscillator import fill_rotation, half_angle

STEP = 16
_SUMS = STEP * WIDTH


@jit
def seed_rotator(rotator, phase_turns, count):  # type: ignore[no-untyped-def]
    """Set rotator [2, >= count], sines and cosines, to the phases k * phase_turns that unstretched partials have."""
    fill_rotation(rotator[0], rotator[1], count, phase_turns, phase_turns, phase_turns, 1.0)


@jit
def _one_step(rotator, k, count, length, f0_turns, stretch, amp_start, amp_end):  # type: ignore[no-untyped-def]
    """Take the rotators of partials k + 1 ... over a step. Returns lanes for the way there: the sine, its difference to
    the sample before, the recurrence's factor, the amplitude and its slope."""
    one = broadcast(np.float32(1))
    two = broadcast(np.float32(2))
    half = broadcast(np.float32(0.5))
    number = add(numbers(), broadcast(np.float32(k + 1)))
    turns = mul(mul(f0_turns, number), square_root(fma(stretch, mul(number, number), one)))
    audible = where_less(turns, half)
    s, c = half_angle(minimum(turns, half))
    sine = mul(two, mul(s, c))
    less = mul(two, mul(s, s))  # 1 - cosine, without the cancellation
    cosine = sub(one, less)
    first = load(rotator[0], k, count - k)
    x = first
    y = load(rotator[1], k, count - k)
    difference = fma(x, less, mul(y, sine))
    left = length
    while left > 0:  # the turn of all samples together, by squares
        if left % 2:
            x, y = fma(x, cosine, mul(y, sine)), sub(mul(y, cosine), mul(x, sine))
        twice = mul(two, sine)
        sine, cosine = mul(twice, cosine), sub(one, mul(twice, sine))
        left //= 2
    to_length_1 = sub(broadcast(np.float32(1.5)), mul(half, fma(x, x, mul(y, y))))
    store(rotator[0], k, count - k, mul(x, to_length_1))
    store(rotator[1], k, count - k, mul(y, to_length_1))
    start = load(amp_start, k, count - k)
    slope = sub(load(amp_end, k, count - k), start)
    return first, difference, mul(broadcast(np.float32(-2)), less), mul(audible, start), mul(audible, slope)


@jit
def add_stretched_partials(  # type: ignore[no-untyped-def]
    out, n, rotator, hz_start, hz_end, stretch, sample_rate, ramp, amp_start, amp_end, count
):
    """Add `count` partials over n samples to `out`; partial k is at k * f0 * sqrt(1 + stretch * k^2).

    f0 goes linearly from hz_start to hz_end, in steps of STEP samples. rotator: [2, >= count], sines and cosines at the
    first sample, which `seed_rotator` begins; here they go on to sample n. ramp [n], amp_start and amp_end [count]:
    as for `add_partials`. A partial that reaches Nyquist is silent for the step. All arrays are float32.
    """
    sums = stack_floats(_SUMS)
    zero = broadcast(np.float32(0))
    stretches = broadcast(np.float32(stretch))
    for first in range(0, n, STEP):
        length = min(STEP, n - first)
        hz = hz_start + (hz_end - hz_start) * (first + 0.5 * (length - 1)) / n  # mean over the step
        f0_turns = broadcast(np.float32(hz / sample_rate))
        for i in range(length):
            store(sums, i * WIDTH, WIDTH, zero)
        for k in range(0, count, WIDTH):
            x, d, u, amp, slope = _one_step(rotator, k, count, length, f0_turns, stretches, amp_start, amp_end)
            for i in range(length):
                gain = fma(broadcast(ramp[first + i]), slope, amp)
                store(sums, i * WIDTH, WIDTH, fma(gain, x, load(sums, i * WIDTH, WIDTH)))
                d = fma(u, x, d)
                x = add(x, d)
        for i in range(length):
            out[first + i] += total(load(sums, i * WIDTH, WIDTH))
