"""The instrument's own room: convolution with a stereo response up to 2 s long, without latency beyond the quantum.

Uniformly partitioned overlap-save: the response is cut into blocks of a quantum, and the spectrum of each is multiplied
with that of the input as many quanta ago. Left and right share one complex transform, as its two parts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.fft import LENGTH, transform

BLOCK = LENGTH // 2
LONGEST_S = 2.0
_INAUDIBLE = 1e-11  # share of the response's energy: -110 dB
# A spectrum: real parts of bins 0..BLOCK - 1, then imaginary parts. Both ends are real, so the imaginary part of bin 0
# is that of bin BLOCK. Left, then right.
_SPECTRUM = 2 * BLOCK
_BOTH = 2 * _SPECTRUM
# A response: how many blocks, then their spectra. The memory: next slot and blocks heard, the last input, work, ring.
_HEADER = 16
_WORK = 4 * LENGTH
_RING = _HEADER + 2 * BLOCK + 2 * _SPECTRUM + _WORK


def _most_blocks(sample_rate: float) -> int:
    return math.ceil(LONGEST_S * sample_rate / BLOCK)


def room_floats(sample_rate: float) -> tuple[int, int]:
    """How many float32 a response and the memory need."""
    ring = _most_blocks(sample_rate) * _BOTH
    return _HEADER + ring, _RING + ring


def prepare_response(response: NDArray[np.float32], sample_rate: float, target: NDArray[np.float32]) -> None:
    """Write response [L, 2] into target, float32 [room_floats()[0]].

    What lies past LONGEST_S, and an end that nobody hears, is left out.
    Raise ValueError when the response is not [L, 2] or not finite.
    """
    if response.ndim != 2 or response.shape[1] != 2 or not np.all(np.isfinite(response)):
        raise ValueError(f"a room response is [L, 2] and finite, not {response.shape}")
    heard = response[: _most_blocks(sample_rate) * BLOCK].astype(np.float64)
    left_over = np.cumsum(np.sum(heard**2, axis=1)[::-1])[::-1]
    length = int(np.count_nonzero(left_over > _INAUDIBLE * left_over[0])) if len(heard) else 0
    count = math.ceil(length / BLOCK)
    blocks = np.zeros((count * BLOCK, 2))
    blocks[:length] = heard[:length]
    spectra = np.fft.rfft(blocks.reshape(count, BLOCK, 2), LENGTH, axis=1)
    target[:] = 0.0
    target[0] = count
    stored = target[_HEADER : _HEADER + count * _BOTH].reshape(count, 2, 2, BLOCK)
    stored[:, :, 0] = spectra.real[:, :BLOCK].transpose(0, 2, 1)
    stored[:, :, 1] = spectra.imag[:, :BLOCK].transpose(0, 2, 1)
    stored[:, :, 1, 0] = spectra.real[:, BLOCK]


@jit
def _add_product(total, x, h):  # type: ignore[no-untyped-def]
    """total += x * h, spectra of one channel, wrong at index 0, where two real numbers are: the caller mends it."""
    total_re = total[:BLOCK]
    total_im = total[BLOCK:_SPECTRUM]
    x_re = x[:BLOCK]
    x_im = x[BLOCK:_SPECTRUM]
    h_re = h[:BLOCK]
    h_im = h[BLOCK:_SPECTRUM]
    for k in range(BLOCK):
        total_re[k] += x_re[k] * h_re[k] - x_im[k] * h_im[k]
        total_im[k] += x_re[k] * h_im[k] + x_im[k] * h_re[k]


@jit
def _split(re, im, slot):  # type: ignore[no-untyped-def]
    """Write the spectra of two real signals into slot, from the transform of one + i other."""
    slot[0] = re[0]
    slot[BLOCK] = re[BLOCK]
    slot[_SPECTRUM] = im[0]
    slot[_SPECTRUM + BLOCK] = im[BLOCK]
    half = np.float32(0.5)
    for k in range(1, BLOCK):
        slot[k] = half * (re[k] + re[LENGTH - k])
        slot[BLOCK + k] = half * (im[k] - im[LENGTH - k])
        slot[_SPECTRUM + k] = half * (im[k] + im[LENGTH - k])
        slot[_SPECTRUM + BLOCK + k] = half * (re[LENGTH - k] - re[k])


@jit
def _join(total, re, im):  # type: ignore[no-untyped-def]
    """The other way round: the transform of one + i other, from their spectra."""
    re[0] = total[0]
    im[0] = total[_SPECTRUM]
    re[BLOCK] = total[BLOCK]
    im[BLOCK] = total[_SPECTRUM + BLOCK]
    for k in range(1, BLOCK):
        one_re = total[k]
        one_im = total[BLOCK + k]
        other_re = total[_SPECTRUM + k]
        other_im = total[_SPECTRUM + BLOCK + k]
        re[k] = one_re - other_im
        im[k] = one_im + other_re
        re[LENGTH - k] = one_re + other_im
        im[LENGTH - k] = other_re - one_im


@jit
def process_room(audio, wet, response, memory):  # type: ignore[no-untyped-def]
    """Write what the room answers to audio [BLOCK, 2] into wet [BLOCK, 2]. memory: zeros [room_floats()[1]] at first.

    A response of zeros is silence. Another response may be given at any time: it answers to what was heard before, too.
    """
    most = (memory.shape[0] - _RING) // _BOTH
    slot = int(memory[0])
    heard = min(int(memory[1]) + 1, most)
    last = memory[_HEADER : _HEADER + 2 * BLOCK]
    total = memory[_HEADER + 2 * BLOCK : _HEADER + 2 * BLOCK + _BOTH]
    work = memory[_RING - _WORK : _RING]
    re = work[:LENGTH]
    im = work[LENGTH : 2 * LENGTH]
    re_other = work[2 * LENGTH : 3 * LENGTH]
    im_other = work[3 * LENGTH : 4 * LENGTH]
    ring = memory[_RING:]

    for i in range(BLOCK):
        left = audio[i, 0]
        right = audio[i, 1]
        # One NaN would stay in the ring for the length of the response.
        left = left if abs(left) < np.float32(1e6) else np.float32(0)
        right = right if abs(right) < np.float32(1e6) else np.float32(0)
        re[i] = last[i]
        im[i] = last[BLOCK + i]
        re[BLOCK + i] = left
        im[BLOCK + i] = right
        last[i] = left
        last[BLOCK + i] = right
    transform(re, im, re_other, im_other)
    _split(re, im, ring[slot * _BOTH : (slot + 1) * _BOTH])

    for k in range(_BOTH):
        total[k] = np.float32(0)
    lowest_left = np.float32(0)
    highest_left = np.float32(0)
    lowest_right = np.float32(0)
    highest_right = np.float32(0)
    for p in range(min(int(response[0]), heard)):
        at = slot - p
        if at < 0:
            at += most
        x = ring[at * _BOTH : (at + 1) * _BOTH]
        h = response[_HEADER + p * _BOTH : _HEADER + (p + 1) * _BOTH]
        _add_product(total[:_SPECTRUM], x[:_SPECTRUM], h[:_SPECTRUM])
        _add_product(total[_SPECTRUM:_BOTH], x[_SPECTRUM:_BOTH], h[_SPECTRUM:_BOTH])
        lowest_left += x[0] * h[0]
        highest_left += x[BLOCK] * h[BLOCK]
        lowest_right += x[_SPECTRUM] * h[_SPECTRUM]
        highest_right += x[_SPECTRUM + BLOCK] * h[_SPECTRUM + BLOCK]
    total[0] = lowest_left
    total[BLOCK] = highest_left
    total[_SPECTRUM] = lowest_right
    total[_SPECTRUM + BLOCK] = highest_right

    _join(total, re, im)
    transform(im, re, im_other, re_other)
    share = np.float32(1.0 / LENGTH)
    for i in range(BLOCK):
        wet[i, 0] = re[BLOCK + i] * share
        wet[i, 1] = im[BLOCK + i] * share
    memory[0] = slot + 1 if slot + 1 < most else 0
    memory[1] = heard


@jit
def reset_room(memory):  # type: ignore[no-untyped-def]
    """Forget all input."""
    memory[1] = np.float32(0)
    for i in range(2 * BLOCK):
        memory[_HEADER + i] = np.float32(0)
