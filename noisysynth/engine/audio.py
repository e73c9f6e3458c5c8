"""The loudspeaker: the compiled PortAudio callback and the stream around it. The only import of sounddevice.

A Python callback would need the interpreter lock, and any busy Python thread would make it late; the compiled one runs
`render_block` straight from PortAudio's thread. Handing PortAudio a C function is what sounddevice documents for
library authors through `_StreamBase`.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba import carray, cfunc, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from noisysynth.dsp.noise import band_noise_loops
from noisysynth.engine.client import AudioChoice, AudioDevice
from noisysynth.engine.render import render_block
from noisysynth.engine.state import STATE_DTYPE
from noisysynth.errors import UserError

_STATE = nb.from_dtype(STATE_DTYPE)
_ULONG = types.uint64 if ctypes.sizeof(ctypes.c_ulong) == 8 else types.uint32
_OUTPUT_UNDERFLOW = 4  # paOutputUnderflow


@intrinsic
def _pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """An int64 address as a void pointer, for carray."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


def _callback(inputs, outputs, frames, time_info, flags, user):  # type: ignore[no-untyped-def]
    # user: addresses and sizes, see OutputStream.
    table = carray(user, 6)
    state = carray(_pointer(table[0]), 1, _STATE)[0]
    loops = carray(_pointer(table[1]), (table[3], table[4]), np.float32)
    lengths = carray(_pointer(table[2]), (table[3],), np.int64)
    out = carray(outputs, (frames, table[5]))
    state.callbacks += 1
    if flags & _OUTPUT_UNDERFLOW:
        state.underruns += 1
    times = carray(time_info, 3)  # inputBufferAdcTime, currentTime, outputBufferDacTime
    state.stream_time_zero = times[1] - state.position[0] / state.sample_rate
    render_block(state, loops, lengths, out)
    return 0


_SIGNATURE = types.int32(
    types.voidptr,
    types.CPointer(types.float32),
    _ULONG,
    types.CPointer(types.float64),
    _ULONG,
    types.CPointer(types.int64),
)


@functools.cache
def compiled_callback() -> Any:
    """The callback as a numba CFunc; compiled at the first call."""
    return cfunc(_SIGNATURE, nopython=True, cache=True, error_model="numpy")(_callback)
