"""Compiled backward passes of the harmonic and the noise synth; their forward passes are `noisysynth.dsp`."""

from __future__ import annotations

import functools
import math

import numba as nb
import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.harmonic import partials_below_nyquist
from noisysynth.dsp.oscillator import fill_rotation


@jit
def _partials_backward(grad, n, sin1, cos1, sin_k, cos_k, start, end, count, d_start, d_end, d_phase):  # type: ignore[no-untyped-def]
    """Add to d_start, d_end [count] the gradients of a segment's amplitudes; write d_phase [n], by turns.

    The derivative of partial k by the phase is 2 pi k times its cosine: the recurrence yields both. Two partials
    per pass: four want more registers than there are.
    """
    for i in range(n):
        sin_k[i] = sin1[i]
        cos_k[i] = cos1[i]
        d_phase[i] = np.float32(0)
    per_sample = np.float32(1) / np.float32(n)
    whole = count - count % 2
    for k in range(0, whole, 2):
        a0 = start[k]
        a1 = start[k + 1]
        d0 = (end[k] - a0) * per_sample
        d1 = (end[k + 1] - a1) * per_sample
        number0 = np.float32(k + 1)
        number1 = np.float32(k + 2)
        sum0 = np.float32(0)
        sum1 = np.float32(0)
        ramp0 = np.float32(0)
        ramp1 = np.float32(0)
        for i in range(n):
            t = np.float32(i)
            c = cos_k[i]
            s = sin_k[i]
            g = grad[i]
            product = g * s
            sum0 += product
            ramp0 += product * t
            slope = number0 * c * (a0 + d0 * t)
            rotated = c * cos1[i] - s * sin1[i]
            s = s * cos1[i] + c * sin1[i]
            c = rotated
            product = g * s
            sum1 += product
            ramp1 += product * t
            d_phase[i] += slope + number1 * c * (a1 + d1 * t)
            cos_k[i] = c * cos1[i] - s * sin1[i]
            sin_k[i] = s * cos1[i] + c * sin1[i]
        d_start[k] += sum0 - ramp0 * per_sample
        d_end[k] += ramp0 * per_sample
        d_start[k + 1] += sum1 - ramp1 * per_sample
        d_end[k + 1] += ramp1 * per_sample
    if whole < count:
        a0 = start[whole]
        d0 = (end[whole] - a0) * per_sample
        sum0 = np.float32(0)
        ramp0 = np.float32(0)
        for i in range(n):
            t = np.float32(i)
            product = grad[i] * sin_k[i]
            sum0 += product
            ramp0 += product * t
            d_phase[i] += np.float32(count) * cos_k[i] * (a0 + d0 * t)
        d_start[whole] += sum0 - ramp0 * per_sample
        d_end[whole] += ramp0 * per_sample
    for i in range(n):
        d_phase[i] *= np.float32(2.0 * math.pi) * grad[i]


@functools.partial(jit, parallel=True)
def harmonics_backward(f0_hz, amplitudes, sample_rate, hop, grad, d_f0_hz, d_amplitudes):  # type: ignore[no-untyped-def]
    """Add to d_f0_hz [B, F] and d_amplitudes [B, F, K] the gradients given that of the audio, grad [B, (F - 1) * hop].

    A segment's phase moves with its own two frequencies, and all later phases move with its last: hence the sum
    that runs backwards over the segments.
    """
    for b in nb.prange(f0_hz.shape[0]):
        n_segments = f0_hz.shape[1] - 1
        scratch = np.empty((5, hop), np.float32)
        own = np.zeros((n_segments, 3))
        turns = 0.0
        for f in range(n_segments):
            start = f0_hz[b, f]
            end = f0_hz[b, f + 1]
            turns = fill_rotation(scratch[0], scratch[1], hop, turns, start, end, sample_rate)
            count = partials_below_nyquist(start, end, sample_rate, amplitudes.shape[2])
            d_phase = scratch[4]
            _partials_backward(
                grad[b, f * hop : (f + 1) * hop], hop, scratch[0], scratch[1], scratch[2], scratch[3],
                amplitudes[b, f], amplitudes[b, f + 1], count, d_amplitudes[b, f], d_amplitudes[b, f + 1], d_phase,
            )  # fmt: skip
            total = 0.0
            by_start = 0.0
            by_end = 0.0
            for i in range(hop):
                bend = 0.5 * i * (i - 1) / hop
                total += d_phase[i]
                by_start += d_phase[i] * (i - bend)
                by_end += d_phase[i] * bend
            own[f, 0] = total
            own[f, 1] = by_start
            own[f, 2] = by_end
        later = 0.0
        bend = 0.5 * (hop - 1)
        for f in range(n_segments - 1, -1, -1):
            d_f0_hz[b, f] += (own[f, 1] + later * (hop - bend)) / sample_rate
            d_f0_hz[b, f + 1] += (own[f, 2] + later * bend) / sample_rate
            later += own[f, 0]


@functools.partial(jit, parallel=True)
def noise_backward(hop, position, loops, lengths, grad, d_gains):  # type: ignore[no-untyped-def]
    """Add to d_gains [B, F, N] the gradients of the band gains given that of the audio, grad [B, (F - 1) * hop]."""
    per_sample = np.float32(1) / np.float32(hop)
    for b in nb.prange(d_gains.shape[0]):
        for f in range(d_gains.shape[1] - 1):
            for band in range(d_gains.shape[2]):
                at = (position[b] + f * hop) % lengths[band]
                total = np.float32(0)
                ramp = np.float32(0)
                for i in range(hop):
                    product = grad[b, f * hop + i] * loops[band, at + i]
                    total += product
                    ramp += product * np.float32(i)
                d_gains[b, f, band] += total - ramp * per_sample
                d_gains[b, f + 1, band] += ramp * per_sample
