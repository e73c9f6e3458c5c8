"""Compiled synth of partials at any ratios, forward and backward, in float32 or float64.

Each partial has its own phase, so there is no recurrence over them as in `noisysynth.dsp.harmonic`: a polynomial gives
the sine (in float64 the library's). Samples are in the vector lanes, and nothing but sums outlives a segment.
"""

from __future__ import annotations

import functools
import math

import numba as nb
import numpy as np
from numba.core import types
from numba.extending import overload

from noisysynth.dsp.compiling import FASTMATH, jit

# Least-squares fits in half turns, as in noisysynth.dsp.oscillator, and in turns within a quarter; good to 1e-7.
_SINE = tuple(map(np.float32, (-15.094643, 42.058694, -76.705859, 81.605249, -41.341702, 6.2831853)))
_COSINE = tuple(map(np.float32, (7.903536, -26.426257, 60.244641, -85.456817, 64.939394, -19.739209, 1.0)))
_IN_ORDER = FASTMATH - {"reassoc"}  # what takes whole turns off must not be summed in another order


def _sine_cosine(turns):  # type: ignore[no-untyped-def]
    """Sine and cosine of turns from -0.5 to 0.5."""
    return math.sin(2.0 * math.pi * turns), math.cos(2.0 * math.pi * turns)


@overload(_sine_cosine, jit_options={"fastmath": FASTMATH})
def _compiled_sine_cosine(turns):  # type: ignore[no-untyped-def]
    if turns != types.float32:
        return _sine_cosine

    def polynomials(turns):  # type: ignore[no-untyped-def]
        y = np.float32(0.5) * turns
        q = y * y
        s = _SINE[0] * q + _SINE[1]
        s = s * q + _SINE[2]
        s = s * q + _SINE[3]
        s = s * q + _SINE[4]
        s = (s * q + _SINE[5]) * y
        c = _COSINE[0] * q + _COSINE[1]
        c = c * q + _COSINE[2]
        c = c * q + _COSINE[3]
        c = c * q + _COSINE[4]
        c = c * q + _COSINE[5]
        c = c * q + _COSINE[6]
        twice = np.float32(2) * s
        return twice * c, np.float32(1) - twice * s

    return polynomials


@functools.partial(jit, fastmath=_IN_ORDER)
def _turns(t, first, coarse, fine, bend):  # type: ignore[no-untyped-def]
    """Phase at sample t, from -0.5 to 0.5; coarse is a multiple of 1 / 4096, so its whole turns come off exactly."""
    whole = t * coarse
    near = (whole - np.rint(whole)) + (first + t * (fine + bend * t))
    return near - np.rint(near)


@jit
def _add_partial(out, n, first, step, bend, amp_start, amp_end):  # type: ignore[no-untyped-def]
    real = out.dtype.type
    coarse = np.floor(step * 4096.0) / 4096.0
    a = real(first - np.floor(first))
    b = real(coarse)
    c = real(step - coarse)
    d = real(bend)
    rise = (amp_end - amp_start) / real(n)
    for i in range(n):
        t = real(i)
        s, _ = _sine_cosine(_turns(t, a, b, c, d))
        out[i] += s * (amp_start + rise * t)


@jit
def _partial_sums(grad, n, first, step, bend, amp_start, amp_end):  # type: ignore[no-untyped-def]
    """Sums over a segment, t being the sample: of the gradient times the sine, and t times that; of the gradient by the
    partial's turns, and t and t * (t - 1) times that."""
    real = grad.dtype.type
    coarse = np.floor(step * 4096.0) / 4096.0
    a = real(first - np.floor(first))
    b = real(coarse)
    c = real(step - coarse)
    d = real(bend)
    rise = (amp_end - amp_start) / real(n)
    sine = real(0)
    sine_ramp = real(0)
    slope = real(0)
    slope_ramp = real(0)
    slope_bend = real(0)
    for i in range(n):
        t = real(i)
        s, cosine = _sine_cosine(_turns(t, a, b, c, d))
        product = grad[i] * s
        sine += product
        sine_ramp += product * t
        product = grad[i] * cosine * (amp_start + rise * t)
        slope += product
        product *= t
        slope_ramp += product
        slope_bend += product * (t - real(1))
    turn = real(2.0 * math.pi)
    return sine, sine_ramp, turn * slope, turn * slope_ramp, turn * slope_bend


@functools.partial(jit, parallel=True)
def partials_forward(turns, slope, bend, highest_hz, amplitudes, ratios, nyquist_hz, hop, out):  # type: ignore[no-untyped-def]
    """Write audio [B, (F - 1) * hop] to out.

    turns, slope, bend, highest_hz: float64 [B, F - 1], of `phase`. amplitudes: [B, F, K]. ratios: float64 [B, K].
    """
    for b in nb.prange(turns.shape[0]):
        for f in range(turns.shape[1]):
            segment = out[b, f * hop : (f + 1) * hop]
            segment[:] = out.dtype.type(0)
            for k in range(ratios.shape[1]):
                ratio = ratios[b, k]
                if ratio * highest_hz[b, f] < nyquist_hz:
                    _add_partial(
                        segment, hop, ratio * turns[b, f], ratio * slope[b, f], ratio * bend[b, f],
                        amplitudes[b, f, k], amplitudes[b, f + 1, k],
                    )  # fmt: skip


@functools.partial(jit, parallel=True)
def partials_backward(  # type: ignore[no-untyped-def]
    turns, slope, bend, highest_hz, amplitudes, ratios, nyquist_hz, hop, grad, d_amplitudes, d_ratios, moments
):
    """Add to d_amplitudes [B, F, K] and d_ratios [B, K], float64, the gradients given that of the audio.

    moments: float64 [B, F - 1, 3], which must be zeros: written as `phase.frequency_gradient` wants them.
    """
    for b in nb.prange(turns.shape[0]):
        for f in range(turns.shape[1]):
            segment = grad[b, f * hop : (f + 1) * hop]
            for k in range(ratios.shape[1]):
                ratio = ratios[b, k]
                if not ratio * highest_hz[b, f] < nyquist_hz:
                    continue
                sine, sine_ramp, total, ramp, curve = _partial_sums(
                    segment, hop, ratio * turns[b, f], ratio * slope[b, f], ratio * bend[b, f],
                    amplitudes[b, f, k], amplitudes[b, f + 1, k],
                )  # fmt: skip
                sine_ramp /= hop
                d_amplitudes[b, f, k] += sine - sine_ramp
                d_amplitudes[b, f + 1, k] += sine_ramp
                # slope * t + bend * t * t, by the two sums that there are
                d_ratios[b, k] += turns[b, f] * total + slope[b, f] * ramp + bend[b, f] * (curve + ramp)
                by_end = 0.5 * curve / hop
                moments[b, f, 0] += ratio * total
                moments[b, f, 1] += ratio * (ramp - by_end)
                moments[b, f, 2] += ratio * by_end
