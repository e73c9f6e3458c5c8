"""Compiled inner loops of analysis: time warp, noise-free harmonic synthesis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from noisysynth.dsp.compiling import jit

SINC_HALF_TAPS = 16
SINC_PHASES = 512


def sinc_table() -> npt.NDArray[np.float32]:
    """Kaiser-windowed sinc [SINC_PHASES + 1, 2 * SINC_HALF_TAPS] for `interpolate`."""
    offsets = np.arange(-SINC_HALF_TAPS + 1, SINC_HALF_TAPS + 1)[None, :]
    fractions = np.arange(SINC_PHASES + 1)[:, None] / SINC_PHASES
    distance = offsets - fractions
    inside = np.clip(1.0 - (distance / SINC_HALF_TAPS) ** 2, 0.0, None)
    window = np.i0(8.0 * np.sqrt(inside)) / np.i0(8.0)
    return (np.sinc(distance) * window).astype(np.float32)


@jit
def interpolate(signal: Any, positions: Any, table: Any, out: Any) -> None:
    """out[i] = band-limited signal at fractional sample positions[i]; silence outside the signal."""
    n_phases = table.shape[0] - 1
    n_taps = table.shape[1]
    half = n_taps // 2
    for i in range(len(positions)):
        position = positions[i]
        whole = math.floor(position)
        phase = int((position - whole) * n_phases + 0.5)
        start = whole - half + 1
        total = np.float32(0.0)
        if start >= 0 and start + n_taps <= len(signal):
            for tap in range(n_taps):
                total += signal[start + tap] * table[phase, tap]
        else:
            for tap in range(max(0, -start), min(n_taps, len(signal) - start)):
                total += signal[start + tap] * table[phase, tap]
        out[i] = total


@jit
def add_partials(real: Any, imag: Any, cycles: Any, ratios: Any, hop: float, out: Any) -> None:
    """Add sum_k Re(C_k(t) exp(2 pi i ratios[k] cycles(t))) to out [samples].

    real, imag: float32 [F, K], C_k at frame times f * hop samples, interpolated linearly.
    cycles: float64 [F], phase of f0 in cycles at the frames, interpolated linearly.
    Past the last frame the last value holds. Rotating phasors are restarted at each frame.
    """
    n_frames, n_partials = real.shape
    n_samples = len(out)
    cos_k = np.empty(n_partials, np.float32)
    sin_k = np.empty(n_partials, np.float32)
    step_cos = np.empty(n_partials, np.float32)
    step_sin = np.empty(n_partials, np.float32)
    a = np.empty(n_partials, np.float32)
    b = np.empty(n_partials, np.float32)
    step_a = np.empty(n_partials, np.float32)
    step_b = np.empty(n_partials, np.float32)
    for frame in range(n_frames):
        start = math.ceil(frame * hop)
        stop = min(n_samples, math.ceil((frame + 1) * hop))
        following = min(frame + 1, n_frames - 1)
        fraction = (start - frame * hop) / hop
        slope = cycles[following] - cycles[frame]
        if following == frame:
            slope = cycles[frame] - cycles[max(frame - 1, 0)]
        used = 0
        for k in range(n_partials):
            difference_a = (real[following, k] - real[frame, k]) / hop
            difference_b = (imag[following, k] - imag[frame, k]) / hop
            size = abs(real[frame, k]) + abs(imag[frame, k]) + abs(real[following, k])
            if size + abs(imag[following, k]) < 1e-8:
                continue
            phase = ratios[k] * (cycles[frame] + fraction * slope)
            angle = 2.0 * math.pi * (phase - math.floor(phase))
            step = 2.0 * math.pi * ratios[k] * slope / hop
            cos_k[used] = math.cos(angle)
            sin_k[used] = math.sin(angle)
            step_cos[used] = math.cos(step)
            step_sin[used] = math.sin(step)
            step_a[used] = difference_a
            step_b[used] = difference_b
            a[used] = real[frame, k] + fraction * hop * difference_a
            b[used] = imag[frame, k] + fraction * hop * difference_b
            used += 1
        for n in range(start, stop):
            total = np.float32(0.0)
            for k in range(used):
                total += a[k] * cos_k[k] - b[k] * sin_k[k]
                turned = cos_k[k] * step_cos[k] - sin_k[k] * step_sin[k]
                sin_k[k] = cos_k[k] * step_sin[k] + sin_k[k] * step_cos[k]
                cos_k[k] = turned
                a[k] += step_a[k]
                b[k] += step_b[k]
            out[n] += total
