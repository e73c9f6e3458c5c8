"""Float32 as the bits it is made of, and what is cheap to tell from these."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from noisysynth.dsp.compiling import jit


@intrinsic
def bits_of(typing_context: Any, x: Any) -> Any:
    """The bits of a float32, as int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def from_bits(typing_context: Any, bits: Any) -> Any:
    """The float32 that has these bits, an int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@jit
def peak(stereo, n):  # type: ignore[no-untyped-def]
    """Largest magnitude in stereo [n, 2]; not a finite number when any sample is none.

    Bits without the sign are in the order of the magnitudes, with infinity and NaN at the top.
    """
    left = np.int32(0)
    right = np.int32(0)
    for i in range(n):
        left = np.int32(max(left, bits_of(stereo[i, 0]) & np.int32(0x7FFFFFFF)))
        right = np.int32(max(right, bits_of(stereo[i, 1]) & np.int32(0x7FFFFFFF)))
    return from_bits(np.int32(max(left, right)))


@jit
def exp2(x):  # type: ignore[no-untyped-def]
    """2 ** x for a float32 from -120 to 120, good to 2e-7 and vectorised: a minimax polynomial on the fraction."""
    whole = np.int32(x + np.float32(127.0)) - np.int32(127)
    f = x - np.float32(whole)
    p = np.float32(1.8775767e-3)
    p = p * f + np.float32(8.9893397e-3)
    p = p * f + np.float32(5.5826318e-2)
    p = p * f + np.float32(2.4015361e-1)
    p = p * f + np.float32(6.9315308e-1)
    p = p * f + np.float32(0.99999994)
    return p * from_bits(np.int32((whole + np.int32(127)) << np.int32(23)))
