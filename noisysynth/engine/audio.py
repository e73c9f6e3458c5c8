"""The loudspeaker: the compiled PortAudio callback and the stream around it. The only import of sounddevice.

A Python callback would need the interpreter lock, and any busy Python thread would make it late; the compiled one runs
`render_block` straight from PortAudio's thread. Handing PortAudio a C function is what sounddevice documents for
library authors through `_StreamBase`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from typing import Any

import numba as nb
import numpy as np
from numba import carray, cfunc, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from noisysynth.engine.arena import ARRAYS, LENGTHS, Arena
from noisysynth.engine.messages import AudioChoice, AudioDevice
from noisysynth.engine.render import render_block
from noisysynth.engine.state import STATE_DTYPE
from noisysynth.errors import UserError
from noisysynth.quiet import quiet_stderr

_STATE = nb.from_dtype(STATE_DTYPE)
_ULONG = types.uint64 if ctypes.sizeof(ctypes.c_ulong) == 8 else types.uint32
_OUTPUT_UNDERFLOW = 4  # paOutputUnderflow


def _pointer_to(element):  # type: ignore[no-untyped-def]
    """A compiled function from an int64 address to a pointer at elements of a numba type, for carray."""

    @intrinsic
    def pointer(typing_context, address):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    return pointer


_state_at = _pointer_to(_STATE)
_floats_at = _pointer_to(types.float32)
_ints_at = _pointer_to(types.int64)


# The callback's user data: channels, the state's address, then address, rows and columns of each of the arena's arrays.
_TABLE = 2 + 3 * ARRAYS


@nb.njit
def _array_at(table, array):  # type: ignore[no-untyped-def]
    return carray(_floats_at(table[2 + 3 * array]), (table[3 + 3 * array], table[4 + 3 * array]))


def _callback(inputs, outputs, frames, time_info, flags, user):  # type: ignore[no-untyped-def]
    table = carray(user, _TABLE)
    out = carray(outputs, (frames, table[0]))
    state = carray(_state_at(table[1]), 1)[0]
    lengths = carray(_ints_at(table[2 + 3 * LENGTHS]), (table[3 + 3 * LENGTHS],))
    if flags & _OUTPUT_UNDERFLOW:
        state.underruns += 1
    times = carray(time_info, 3)  # inputBufferAdcTime, currentTime, outputBufferDacTime
    state.stream_time_zero = times[1] - state.position[0] / state.sample_rate
    render_block(
        state, _array_at(table, 0), lengths, _array_at(table, 2), _array_at(table, 3), _array_at(table, 4),
        _array_at(table, 5), out,
    )  # fmt: skip
    return 0


_SIGNATURE = types.int32(
    types.voidptr,
    types.CPointer(types.float32),
    _ULONG,
    types.CPointer(types.float64),
    _ULONG,
    types.CPointer(types.int64),
)


def address_table(state: NDArray[np.void], arena: Arena, channels: int) -> NDArray[np.int64]:
    """What the callback is given as its user data; all that it points at has to be kept as long as it runs."""
    rows = [channels, state.ctypes.data]
    for array in arena.arrays:
        rows += [array.ctypes.data, array.shape[0], array.shape[-1]]
    return np.array(rows, np.int64)


@functools.cache
def compiled_callback() -> Any:
    """The callback as a numba CFunc; compiled at the first call."""
    return cfunc(_SIGNATURE, nopython=True, cache=True, error_model="numpy")(_callback)


def _sounddevice() -> Any:
    # libjack would otherwise start a server of its own, on whatever card it finds.
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    try:
        with quiet_stderr():
            import sounddevice
    except OSError:
        raise UserError("no sound: the PortAudio library is missing; install it (Debian: libportaudio2)") from None
    return sounddevice


def rescan() -> None:
    """Look for devices anew. Only while no stream is open: PortAudio's list is made when it starts."""
    sounddevice = _sounddevice()
    with quiet_stderr():
        with contextlib.suppress(sounddevice.PortAudioError):  # after `release` there is nothing to end
            sounddevice._terminate()
        sounddevice._initialize()


def release() -> None:
    """Let go of PortAudio, and of the sound server with it."""
    sounddevice = _sounddevice()
    with quiet_stderr():
        sounddevice._terminate()


def output_devices() -> list[AudioDevice]:
    """Every device that can play, as PortAudio lists them. UserError when PortAudio is missing."""
    sounddevice = _sounddevice()
    with quiet_stderr():
        devices = sounddevice.query_devices()
        host_apis = sounddevice.query_hostapis()
        default = sounddevice.default.device[1]
    return [
        AudioDevice(str(device["name"]), str(host_apis[device["hostapi"]]["name"]), index == default)
        for index, device in enumerate(devices)
        if device["max_output_channels"] > 0
    ]


def _find_device(sounddevice: Any, choice: AudioChoice) -> tuple[int, Any]:
    with quiet_stderr():
        devices = list(sounddevice.query_devices())
        host_apis = [str(api["name"]) for api in sounddevice.query_hostapis()]
        default = sounddevice.default.device[1]
    able = {i: d for i, d in enumerate(devices) if d["max_output_channels"] > 0}
    if not able:
        raise UserError("no sound device found; connect one, or start a sound server")
    fitting = {
        i: d
        for i, d in able.items()
        if (choice.device is None or choice.device == d["name"])
        and (choice.host_api is None or choice.host_api.lower() in host_apis[d["hostapi"]].lower())
    }
    if not fitting:
        wanted = " / ".join(part for part in (choice.host_api, choice.device) if part)
        known = ", ".join(f"{host_apis[d['hostapi']]} / {d['name']}" for d in able.values())
        raise UserError(f"sound device {wanted!r} is not there; known: {known}")
    index = default if default in fitting else next(iter(fitting))
    return index, fitting[index]


class OutputStream:
    """An open device that runs the compiled callback on one engine state."""

    def __init__(self, state: NDArray[np.void], arena: Arena, choice: AudioChoice) -> None:
        """state: shape [1], STATE_DTYPE, whose sample_rate is what `negotiate` gave, as is the arena's.

        UserError when the device can't be opened.
        """
        sounddevice = _sounddevice()
        index, device = _find_device(sounddevice, choice)
        row = state[0]
        channels = min(2, int(device["max_output_channels"]))
        # Kept: the callback holds their addresses.
        self._state = state
        self._arena = arena
        self._table = address_table(state, arena, channels)
        ffi = sounddevice._ffi
        self.name = str(device["name"])
        with quiet_stderr():
            host_api = str(sounddevice.query_hostapis(device["hostapi"])["name"])
        # PortAudio waits forever for a JACK server that has gone, be it to close a stream or to look for devices.
        self.dies_with_server = "JACK" in host_api
        try:
            with quiet_stderr():
                self._stream = sounddevice._StreamBase(
                    kind="output",
                    device=index,
                    samplerate=float(row["sample_rate"]),
                    blocksize=choice.block_size,
                    channels=channels,
                    dtype="float32",
                    latency="low",
                    # Dither and clipping are for integer formats and for who has no limiter.
                    clip_off=True,
                    dither_off=True,
                    callback=ffi.cast("PaStreamCallback*", compiled_callback().address),
                    userdata=ffi.cast("void*", self._table.ctypes.data),
                    wrap_callback=None,
                )
                self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise UserError(f"sound device {self.name!r} cannot be opened: {_reason(error)}") from None
        self.sample_rate = float(self._stream.samplerate)
        # PortAudio tells JACK's period only; a longer block of ours takes as long as it is.
        self.latency_s = max(float(self._stream.latency), choice.block_size / self.sample_rate)

    @property
    def time(self) -> float:
        """The device's clock, in seconds; the callback's stream_time_zero is on the same clock."""
        return float(self._stream.time)

    @property
    def load(self) -> float:
        return float(self._stream.cpu_load)

    @property
    def active(self) -> bool:
        return bool(self._stream.active)

    def close(self) -> None:
        with quiet_stderr():
            self._stream.close(ignore_errors=True)


def negotiate(choice: AudioChoice) -> int:
    """The sample rate a device will be opened with: the one asked for, else the device's own."""
    sounddevice = _sounddevice()
    _, device = _find_device(sounddevice, choice)
    return int(choice.sample_rate or device["default_samplerate"])


def _reason(error: Exception) -> str:
    text = str(error.args[0]) if error.args else str(error)
    return " ".join(text.split()).removeprefix("Error opening OutputStream: ")[:160]
