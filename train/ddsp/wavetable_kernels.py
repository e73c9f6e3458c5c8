"""Compiled wavetable synth, forward and backward, in float32 or float64: tables side by side in the vector lanes."""

from __future__ import annotations

import functools
import math

import numba as nb

from noisysynth.dsp.compiling import jit


@jit
def _place(turns, slope, bend, i, length):  # type: ignore[no-untyped-def]
    """The entry that sample i reads, the one after it, and how far it is between them."""
    phase = turns + i * (slope + bend * i)
    place = (phase - math.floor(phase)) * length
    entry = min(int(place), length - 1)
    after = entry + 1
    if after == length:
        after = 0
    return entry, after, place - entry


@functools.partial(jit, parallel=True)
def wavetables_forward(turns, slope, bend, level, weights, tables, hop, out):  # type: ignore[no-untyped-def]
    """Write audio [B, (F - 1) * hop] to out.

    turns, slope, bend: float64 [B, F - 1], of `phase`. level: int64 [B, F - 1], -1: silence. weights: [B, F, W].
    tables: [M, L, W] of `band_limited`.
    """
    real = out.dtype.type
    length = tables.shape[1]
    for b in nb.prange(turns.shape[0]):
        for f in range(turns.shape[1]):
            segment = out[b, f * hop : (f + 1) * hop]
            if level[b, f] < 0:
                segment[:] = real(0)
                continue
            table = tables[level[b, f]]
            start = weights[b, f]
            end = weights[b, f + 1]
            for i in range(hop):
                entry, after, between = _place(turns[b, f], slope[b, f], bend[b, f], i, length)
                share = real(between)
                ramp = real(i) / real(hop)
                one = table[entry]
                other = table[after]
                total = real(0)
                for w in range(len(start)):
                    weight = start[w] + (end[w] - start[w]) * ramp
                    total += weight * (one[w] + (other[w] - one[w]) * share)
                segment[i] = total


@functools.partial(jit, parallel=True)
def wavetables_backward(turns, slope, bend, level, weights, tables, hop, grad, d_weights, d_tables, moments):  # type: ignore[no-untyped-def]
    """Add to d_weights [B, F, W] and d_tables [G, M, L, W] the gradients given that of the audio, grad.

    d_tables is in G parts, to be summed: row b of the batch adds to part b % G. moments: float64 [B, F - 1, 3],
    written as `phase.frequency_gradient` wants them.
    """
    real = grad.dtype.type
    length = tables.shape[1]
    groups = d_tables.shape[0]
    for group in nb.prange(groups):
        for b in range(group, turns.shape[0], groups):
            for f in range(turns.shape[1]):
                total = 0.0
                by_start = 0.0
                by_end = 0.0
                if level[b, f] >= 0:
                    table = tables[level[b, f]]
                    d_table = d_tables[group, level[b, f]]
                    start = weights[b, f]
                    end = weights[b, f + 1]
                    d_start = d_weights[b, f]
                    d_end = d_weights[b, f + 1]
                    for i in range(hop):
                        entry, after, between = _place(turns[b, f], slope[b, f], bend[b, f], i, length)
                        share = real(between)
                        ramp = real(i) / real(hop)
                        g = grad[b, f * hop + i]
                        one = table[entry]
                        other = table[after]
                        d_one = d_table[entry]
                        d_other = d_table[after]
                        rise = real(0)
                        for w in range(len(start)):
                            weight = start[w] + (end[w] - start[w]) * ramp
                            step = other[w] - one[w]
                            rise += weight * step
                            by_weight = g * (one[w] + step * share)
                            d_end[w] += by_weight * ramp
                            d_start[w] += by_weight - by_weight * ramp
                            by_value = g * weight
                            d_other[w] += by_value * share
                            d_one[w] += by_value - by_value * share
                        by_turns = float(g * rise) * length
                        curve = 0.5 * i * (i - 1) / hop
                        total += by_turns
                        by_start += by_turns * (i - curve)
                        by_end += by_turns * curve
                moments[b, f, 0] = total
                moments[b, f, 1] = by_start
                moments[b, f, 2] = by_end
