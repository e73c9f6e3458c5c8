"""The noise synth: loops of unit-RMS band noise, mixed with gains that ramp between frames.

A loop per band costs one multiply-add per band and sample, has no latency and no block size, and is exact about a
band's level. Loops differ in length, so the sum does not repeat; each is made in the frequency domain, so it closes
without a seam.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.lanes import prefetch
from noisysynth.spec import noise_band_edges_hz

# Every loop is followed by its own beginning for this many samples, so no segment up to this length has to wrap.
MAX_SEGMENT = 1024
_SHORTEST_S = 1.2
_LONGEST_S = 1.8
_GOLDEN = 0.618033988749895
# Stereo noise is half shared by both channels and half opposed: wide, but still one instrument.
MID = np.float32(math.cos(math.pi / 6))
SIDE = np.float32(math.sin(math.pi / 6))
# The opposed half reads the same loops this much further on.
SIDE_OFFSET = 31_337


@functools.lru_cache(maxsize=4)
def band_noise_loops(sample_rate: int, n_bands: int, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Loops [n_bands, longest + MAX_SEGMENT] and their lengths [n_bands], shared by all who ask: never write there.

    Band b has the power spectrum of `noise_band_responses` and unit RMS (0 when it lies wholly above Nyquist).
    """
    rng = np.random.default_rng(seed)
    share = (np.arange(n_bands) * _GOLDEN) % 1.0
    lengths = 64 * (((_SHORTEST_S + (_LONGEST_S - _SHORTEST_S) * share) * sample_rate).astype(np.int64) // 64)
    loops = np.zeros((n_bands, int(lengths.max()) + MAX_SEGMENT), np.float32)
    edges_hz = noise_band_edges_hz(n_bands)
    for band, length in enumerate(lengths):
        frequencies_hz = np.fft.rfftfreq(length, 1.0 / sample_rate)
        response = np.sqrt(np.interp(frequencies_hz, edges_hz[band : band + 3], (0.0, 1.0, 0.0)))
        response[0] = response[-1] = 0.0
        spectrum = response * (rng.standard_normal(len(response)) + 1j * rng.standard_normal(len(response)))
        noise = np.fft.irfft(spectrum, length)
        rms = np.sqrt(np.mean(noise**2))
        if rms > 0.0:
            noise /= rms
        loops[band, :length] = noise
        loops[band, length : length + MAX_SEGMENT] = noise[:MAX_SEGMENT]
    # Not marked as read-only, for numba takes that as another type, and would compile the whole callback twice.
    return loops, lengths


@jit
def add_noise_bands(out, n, loops, lengths, position, gain_start, gain_end, n_bands):  # type: ignore[no-untyped-def]
    """Add n <= MAX_SEGMENT samples of band noise to `out`; gains go linearly from gain_start to gain_end.

    position: samples since the loops began; band b is read at position modulo its length. Silent bands cost nothing.
    """
    per_sample = np.float32(1) / np.float32(n)
    for b in range(n_bands):
        gain = gain_start[b]
        slope = (gain_end[b] - gain) * per_sample
        if gain == 0.0 and slope == 0.0:
            continue
        at = position % lengths[b]
        # Sliced first: an index that the compiler cannot prove positive costs a gather per vector.
        loop = loops[b, at : at + n]
        for i in range(n):
            out[i] += loop[i] * (gain + slope * np.float32(i))


@jit
def add_stereo_noise(left, right, n, loops, lengths, position, gain_start, gain_end, n_bands):  # type: ignore[no-untyped-def]
    """Add n <= MAX_SEGMENT samples of band noise to left and right [n], which share most of it.

    gain_start, gain_end: [2, n_bands], of left and right; else as `add_noise_bands`. Each side has its gains' power.
    """
    per_sample = np.float32(1) / np.float32(n)
    for b in range(n_bands):
        left_gain = gain_start[0, b]
        right_gain = gain_start[1, b]
        left_slope = (gain_end[0, b] - left_gain) * per_sample
        right_slope = (gain_end[1, b] - right_gain) * per_sample
        if left_gain == 0.0 and right_gain == 0.0 and left_slope == 0.0 and right_slope == 0.0:
            continue
        at = position % lengths[b]
        other_at = (position + SIDE_OFFSET) % lengths[b]
        loop = loops[b, at : at + n]
        other = loops[b, other_at : other_at + n]
        # Loops are read once in a second or two, so what comes next is far away.
        for i in range(0, n, 16):
            prefetch(loops[b], at + n + i)
            prefetch(loops[b], other_at + n + i)
        for i in range(n):
            t = np.float32(i)
            mid = MID * loop[i]
            side = SIDE * other[i]
            left[i] += (mid + side) * (left_gain + left_slope * t)
            right[i] += (mid - side) * (right_gain + right_slope * t)


def _render_noise(gains, hop, position, loops, lengths, out):  # type: ignore[no-untyped-def]
    for b in nb.prange(gains.shape[0]):
        for f in range(gains.shape[1] - 1):
            segment = out[b, f * hop : (f + 1) * hop]
            segment[:] = np.float32(0)
            add_noise_bands(
                segment, hop, loops, lengths, position[b] + f * hop, gains[b, f], gains[b, f + 1], gains.shape[2]
            )


_render_noise_parallel = jit(_render_noise, parallel=True)


def render_noise(
    gains: NDArray[np.float32], sample_rate: int, hop: int, position: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Audio [B, (F - 1) * hop] of filtered noise with band RMS gains [B, F, N].

    position: [B], where in the endless band noises each row starts, in samples: different rows of a training batch
    should start far apart. Raise ValueError when hop is above MAX_SEGMENT.
    """
    if hop > MAX_SEGMENT:
        raise ValueError(f"hop {hop} is above {MAX_SEGMENT}")
    gains = np.ascontiguousarray(gains, np.float32)
    loops, lengths = band_noise_loops(sample_rate, gains.shape[2])
    out = np.empty((gains.shape[0], max(gains.shape[1] - 1, 0) * hop), np.float32)
    start: Any = np.ascontiguousarray(position, np.int64)
    _render_noise_parallel(gains, hop, start, loops, lengths, out)
    return out
