"""A JACK client that sends MIDI and hears audio by the server's clock; compiled, so that Python can't disturb it."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Sequence
from typing import Any

import numba as nb
import numpy as np
from numba import carray, cfunc, types
from numpy.typing import NDArray

from noisysynth.engine.audio import _pointer_to

RING = 1 << 20  # 22 s at 48 kHz
MESSAGES = 1 << 12
LATEST = 4096  # samples

PROBE_DTYPE = np.dtype(
    [
        ("client", "i8"),
        ("inputs", "i8", (2,)),  # JACK's ports
        ("output", "i8"),  # of MIDI
        ("silence", "i8"),  # an audio output
        ("burn_us", "i8"),  # how long each cycle is made to take
        ("last_time", "i8"),  # server's frame count at the start of the last cycle
        # written by the callback
        ("cycles", "i8"),
        ("skipped", "i8"),  # cycles that the server ran without us
        ("xruns", "i8"),
        ("woken", "i8", (LATEST,)),  # cycles in which we were called so many samples after the cycle's start
        ("heard", "i8"),  # frames so far: the probe's clock
        ("ring", "f4", (RING, 2)),
        # messages: written by Python, sent by the callback at the first frame of a cycle
        ("head", "i8"),
        ("tail", "i8"),
        ("wanted", "i8", (MESSAGES,)),
        ("sent", "i8", (MESSAGES,)),  # first frame of the cycle it went out with
        ("size", "i8", (MESSAGES,)),
        ("message", "u1", (MESSAGES, 4)),
    ],
    align=True,
)

_PROBE = nb.from_dtype(PROBE_DTYPE)
_floats_at = _pointer_to(types.float32)


@functools.cache
def _library() -> Any:
    return ctypes.CDLL("libjack.so.0")


def _function(name: str, result: Any, *arguments: Any) -> Any:
    """A function of libjack; its opaque pointers are plain integers here, for numba's sake."""
    return ctypes.CFUNCTYPE(result, *arguments)((name, _library()))


_I, _U = ctypes.c_int64, ctypes.c_uint32


@functools.cache
def _callbacks() -> tuple[Any, Any]:
    """Compiled process and xrun callbacks."""
    get_buffer = _function("jack_port_get_buffer", _I, _I, _U)
    last_frame_time = _function("jack_last_frame_time", _U, _I)
    since_start = _function("jack_frames_since_cycle_start", _U, _I)
    clock_us = _function("jack_get_time", ctypes.c_uint64)
    clear = _function("jack_midi_clear_buffer", None, _I)
    write = _function("jack_midi_event_write", ctypes.c_int, _I, _U, _I, ctypes.c_size_t)

    def process(frames, user):  # type: ignore[no-untyped-def]
        row = carray(user, 1)[0]
        now = np.int64(last_frame_time(row.client))
        if row.cycles > 0:
            passed = (now - row.last_time) & 0xFFFFFFFF
            if passed > frames:
                row.skipped += passed // frames - 1
        row.last_time = now
        row.woken[min(np.int64(since_start(row.client)), LATEST - 1)] += 1
        began_us = np.int64(clock_us())
        while np.int64(clock_us()) - began_us < row.burn_us:
            pass
        row.cycles += 1
        start = row.heard
        left = carray(_floats_at(get_buffer(row.inputs[0], frames)), (frames,))
        right = carray(_floats_at(get_buffer(row.inputs[1], frames)), (frames,))
        for i in range(frames):
            row.ring[(start + i) & (RING - 1), 0] = left[i]
            row.ring[(start + i) & (RING - 1), 1] = right[i]
        silence = carray(_floats_at(get_buffer(row.silence, frames)), (frames,))
        silence[:] = 0.0
        buffer = get_buffer(row.output, frames)
        clear(buffer)
        while row.head < row.tail and row.wanted[row.head & (MESSAGES - 1)] < start + frames:
            at = row.head & (MESSAGES - 1)
            row.sent[at] = start
            write(buffer, 0, row.message[at].ctypes.data, row.size[at])
            row.head += 1
        row.heard = start + frames
        return 0

    def xrun(user):  # type: ignore[no-untyped-def]
        carray(user, 1)[0].xruns += 1
        return 0

    record = types.CPointer(_PROBE)
    return cfunc(types.int32(types.uint32, record))(process), cfunc(types.int32(record))(xrun)


class Probe:
    """Two audio inputs, a MIDI output and silence on the JACK server that the environment names, until `close`."""

    def __init__(self, name: str = "probe") -> None:
        self.name = name
        self._record = np.zeros(1, PROBE_DTYPE)
        self._record["ring"] = 0.0
        self.row = self._record[0]
        process, xrun = _callbacks()
        client = _function("jack_client_open", _I, ctypes.c_char_p, ctypes.c_int, _I)(name.encode(), 1, 0)
        if not client:
            raise RuntimeError("no JACK server answers")
        register = _function(
            "jack_port_register", _I, _I, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong
        )
        audio, midi = b"32 bit float mono audio", b"8 bit raw midi"
        self.row["client"] = self._client = client
        self.row["inputs"] = [register(client, b"left", audio, 1, 0), register(client, b"right", audio, 1, 0)]
        self.row["output"] = register(client, b"midi", midi, 2, 0)
        self.row["silence"] = register(client, b"silence", audio, 2, 0)
        self.sample_rate = int(_function("jack_get_sample_rate", _U, _I)(client))
        self.block_size = int(_function("jack_get_buffer_size", _U, _I)(client))
        address = self._record.ctypes.data
        _function("jack_set_process_callback", ctypes.c_int, _I, _I, _I)(client, process.address, address)
        _function("jack_set_xrun_callback", ctypes.c_int, _I, _I, _I)(client, xrun.address, address)
        _function("jack_activate", ctypes.c_int, _I)(client)

    def connect(self, source: str, destination: str) -> None:
        """Join two ports by their full names."""
        connect = _function("jack_connect", ctypes.c_int, _I, ctypes.c_char_p, ctypes.c_char_p)
        code = connect(self._client, source.encode(), destination.encode())
        if code not in (0, 17):  # EEXIST
            raise RuntimeError(f"{source} cannot be connected to {destination} ({code})")

    def listen(self, ports: Sequence[str]) -> None:
        """Hear one or two output ports."""
        for source, ear in zip(ports, ("left", "right"), strict=False):
            self.connect(source, f"{self.name}:{ear}")

    def play_to(self, port: str) -> None:
        """Send MIDI to this port."""
        self.connect(f"{self.name}:midi", port)

    @property
    def now(self) -> int:
        """The probe's clock: frames heard so far."""
        return int(self.row["heard"])

    def send(self, message: Sequence[int], frame: int = 0) -> int:
        """Have a message sent with the cycle that holds `frame`, or the next; returns its number for `sent_at`."""
        number = int(self.row["tail"])
        at = number & (MESSAGES - 1)
        self.row["wanted"][at], self.row["size"][at] = frame, len(message)
        self.row["message"][at, : len(message)] = message
        self.row["tail"] = number + 1
        return number

    def sent_at(self, number: int) -> int:
        """First frame of the cycle with which that message went out."""
        return int(self.row["sent"][number & (MESSAGES - 1)])

    def wait_until(self, frame: int, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while self.now < frame:
            if time.monotonic() > deadline:
                raise TimeoutError("the JACK server stands still")
            time.sleep(0.002)

    def audio(self, start: int, end: int) -> NDArray[np.float32]:
        """Frames heard, [end - start, 2]; waits for them. Not older than RING frames."""
        self.wait_until(end)
        assert end - RING < start < end
        heard: NDArray[np.float32] = self.row["ring"][np.arange(start, end) & (RING - 1)]
        return heard

    def close(self) -> None:
        if self._client:
            _function("jack_client_close", ctypes.c_int, _I)(self._client)
            self._client = 0
