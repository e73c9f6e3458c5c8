"""A compiled complex Fourier transform of fixed length, real and imaginary parts apart."""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.compiling import jit

LENGTH = 128
_STAGES = LENGTH.bit_length() - 1
_ANGLES = -2.0 * np.pi * np.arange(LENGTH // 2) / LENGTH
_COS = np.cos(_ANGLES).astype(np.float32)
_SIN = np.sin(_ANGLES).astype(np.float32)


@jit
def _stage(re, im, re_out, im_out, half, run):  # type: ignore[no-untyped-def]
    """One radix-2 step of Stockham's order, in which nothing has to be reordered: half * run = LENGTH / 2."""
    middle = half * run
    for j in range(half):
        c = _COS[j * run]
        s = _SIN[j * run]
        re_a = re[j * run : (j + 1) * run]
        im_a = im[j * run : (j + 1) * run]
        re_b = re[middle + j * run : middle + (j + 1) * run]
        im_b = im[middle + j * run : middle + (j + 1) * run]
        re_sum = re_out[2 * j * run : (2 * j + 1) * run]
        im_sum = im_out[2 * j * run : (2 * j + 1) * run]
        re_turned = re_out[(2 * j + 1) * run : (2 * j + 2) * run]
        im_turned = im_out[(2 * j + 1) * run : (2 * j + 2) * run]
        for k in range(run):
            re_difference = re_a[k] - re_b[k]
            im_difference = im_a[k] - im_b[k]
            re_sum[k] = re_a[k] + re_b[k]
            im_sum[k] = im_a[k] + im_b[k]
            re_turned[k] = re_difference * c - im_difference * s
            im_turned[k] = re_difference * s + im_difference * c


@jit
def transform(re, im, re_other, im_other):  # type: ignore[no-untyped-def]
    """Forward transform of re + i im, float32 [LENGTH] each, in place; re_other, im_other: scratch [LENGTH].

    The inverse, times LENGTH: `transform(im, re, im_other, re_other)`.
    """
    half = LENGTH // 2
    run = 1
    for stage in range(_STAGES):
        if stage % 2 == 0:
            _stage(re, im, re_other, im_other, half, run)
        else:
            _stage(re_other, im_other, re, im, half, run)
        half //= 2
        run *= 2
    if _STAGES % 2 == 1:
        for i in range(LENGTH):
            re[i] = re_other[i]
            im[i] = im_other[i]
