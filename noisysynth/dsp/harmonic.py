"""The harmonic synth: partials k * f0 by a rotation recurrence, samples in the vector lanes.

The sines of partial k come from those of partial k - 1 by one complex rotation, whose error stays near k * 6e-8;
a Chebyshev recurrence needs fewer operations but loses float32 precision near phase 0.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.oscillator import fill_rotation


@jit
def add_partials(out, n, sin1, cos1, sin_k, cos_k, amp_start, amp_end, count):  # type: ignore[no-untyped-def]
    """Add `count` partials over n samples to `out`; partial k's amplitude goes linearly from amp_start to amp_end.

    sin1, cos1: [n] of the fundamental, from `fill_rotation`. sin_k, cos_k: [n] scratch. Sample i has amplitude
    amp_start + (amp_end - amp_start) * i / n. Four partials per pass keep the running sum in registers.
    """
    for i in range(n):
        sin_k[i] = sin1[i]
        cos_k[i] = cos1[i]
    per_sample = np.float32(1) / np.float32(n)
    whole = count - count % 4
    for k in range(0, whole, 4):
        a0 = amp_start[k]
        a1 = amp_start[k + 1]
        a2 = amp_start[k + 2]
        a3 = amp_start[k + 3]
        d0 = (amp_end[k] - a0) * per_sample
        d1 = (amp_end[k + 1] - a1) * per_sample
        d2 = (amp_end[k + 2] - a2) * per_sample
        d3 = (amp_end[k + 3] - a3) * per_sample
        for i in range(n):
            t = np.float32(i)
            cos_1 = cos1[i]
            sin_1 = sin1[i]
            c = cos_k[i]
            s = sin_k[i]
            total = s * (a0 + d0 * t)
            rotated = c * cos_1 - s * sin_1
            s = s * cos_1 + c * sin_1
            c = rotated
            total += s * (a1 + d1 * t)
            rotated = c * cos_1 - s * sin_1
            s = s * cos_1 + c * sin_1
            c = rotated
            total += s * (a2 + d2 * t)
            rotated = c * cos_1 - s * sin_1
            s = s * cos_1 + c * sin_1
            c = rotated
            total += s * (a3 + d3 * t)
            cos_k[i] = c * cos_1 - s * sin_1
            sin_k[i] = s * cos_1 + c * sin_1
            out[i] += total
    for k in range(whole, count):
        a0 = amp_start[k]
        d0 = (amp_end[k] - a0) * per_sample
        for i in range(n):
            c = cos_k[i]
            s = sin_k[i]
            out[i] += s * (a0 + d0 * np.float32(i))
            cos_k[i] = c * cos1[i] - s * sin1[i]
            sin_k[i] = s * cos1[i] + c * sin1[i]


@jit
def partials_below_nyquist(hz_start, hz_end, sample_rate, n_partials):  # type: ignore[no-untyped-def]
    """How many partials k = 1.. keep k * f0 under half the sample rate throughout a segment."""
    highest = max(hz_start, hz_end)
    if not highest > 0.0:
        return 0
    return min(n_partials, math.ceil(0.5 * sample_rate / highest) - 1)


def _render_harmonics(f0_hz, amplitudes, sample_rate, hop, phase, out):  # type: ignore[no-untyped-def]
    for b in nb.prange(f0_hz.shape[0]):
        scratch = np.empty((4, hop), np.float32)
        turns = phase[b]
        for f in range(f0_hz.shape[1] - 1):
            start = f0_hz[b, f]
            end = f0_hz[b, f + 1]
            segment = out[b, f * hop : (f + 1) * hop]
            segment[:] = np.float32(0)
            turns = fill_rotation(scratch[0], scratch[1], hop, turns, start, end, sample_rate)
            count = partials_below_nyquist(start, end, sample_rate, amplitudes.shape[2])
            add_partials(
                segment, hop, scratch[0], scratch[1], scratch[2], scratch[3],
                amplitudes[b, f], amplitudes[b, f + 1], count,
            )  # fmt: skip
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
    A partial is silent in every segment in which it would reach Nyquist.
    """
    f0_hz = np.ascontiguousarray(f0_hz, np.float32)
    amplitudes = np.ascontiguousarray(amplitudes, np.float32)
    batch, frames = f0_hz.shape
    if amplitudes.shape[:2] != (batch, frames):
        raise ValueError(f"f0_hz {f0_hz.shape} and amplitudes {amplitudes.shape} differ in batch or frames")
    out = np.empty((batch, max(frames - 1, 0) * hop), np.float32)
    turns: Any = np.zeros(batch) if phase is None else phase
    _render_harmonics_parallel(f0_hz, amplitudes, float(sample_rate), hop, turns, out)
    return out
