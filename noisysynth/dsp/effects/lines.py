"""Delay lines: rings of samples, written by the quantum, read at delays that glide between samples.

A line of length L has L + GUARD samples, as its first GUARD are kept once more behind the end: four neighbours are read
without a look at the end. What a reset left in it is not erased but never read: who reads says how much was written.
"""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects.blending import clean

GUARD = 3
READ_BEHIND = 66  # the shortest delay at which a quantum of 64 can be read before it is written


@jit
def write_line(line, at, source, n):  # type: ignore[no-untyped-def]
    """Write source [n] from index `at` on; return the index after it."""
    length = line.shape[0] - GUARD
    first = min(n, length - at)
    ahead = line[at : at + first]
    for i in range(first):
        ahead[i] = clean(source[i])
    rest = source[first:n]
    for i in range(n - first):
        line[i] = clean(rest[i])
    for i in range(GUARD):
        line[length + i] = line[i]
    return at + n if at + n < length else at + n - length


@jit
def hermite(line, k, share):  # type: ignore[no-untyped-def]
    """Between line[k + 1] and line[k + 2], `share` of the way: a cubic through four neighbours."""
    a = line[k]
    b = line[k + 1]
    c = line[k + 2]
    d = line[k + 3]
    half = np.float32(0.5)
    slope = half * (c - a)
    turn = np.float32(1.5) * (b - c) + half * (d - a)
    return b + share * (slope + share * ((c - b) - slope - turn + share * turn))


@jit
def read_line(line, at, written, delay_start, delay_end, target, n):  # type: ignore[no-untyped-def]
    """Write into target [n] what was in the line `delay` samples ago, which goes from delay_start to delay_end.

    at: index where this quantum's first sample goes. written: samples since the line was reset, before this quantum.
    Delays, float64, are at least READ_BEHIND, or 1 when this quantum is written already; at most length - 66.
    """
    length = line.shape[0] - GUARD
    # Whole samples apart from what moves, so that float32 is exact enough for the rest.
    whole = int(min(delay_start, delay_end))
    moved = np.float32(delay_start - whole)
    step = np.float32((delay_end - delay_start) / n)
    one = np.float32(1)
    # Nearly always the quantum lies in one piece between the same neighbours, and goes in vectors.
    steps = int(moved + step)
    k = at - whole - steps - 2
    if k < 0:
        k += length
    same = steps == int(moved + step * np.float32(n))
    if same and k + n <= length and whole + steps <= written:
        piece = line[k : k + n + GUARD]
        share = one - (moved - np.float32(steps))
        for i in range(n):
            target[i] = hermite(piece, i, share - step * np.float32(i + 1))
        return
    for i in range(n):
        part = moved + step * np.float32(i + 1)
        steps = int(part)
        age = whole + steps
        k = at + i - age - 2
        if k < 0:
            k += length
        elif k >= length:
            k -= length
        # Older than the reset by up to GUARD: `forget_line` left nothing there.
        heard = age - i - 1 <= written
        target[i] = hermite(line, k, one - (part - np.float32(steps))) if heard else np.float32(0)


@jit
def forget_line(line):  # type: ignore[no-untyped-def]
    """Make ready to write from index 0 on, with nothing written."""
    length = line.shape[0] - GUARD
    for i in range(GUARD):
        line[length - GUARD + i] = np.float32(0)


@jit
def approach(now, wanted, most_up, most_down):  # type: ignore[no-untyped-def]
    """Where a delay gets to within a quantum: no further than so many samples, as the pitch bends meanwhile."""
    return min(max(wanted, now - most_down), now + most_up)
