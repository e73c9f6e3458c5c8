"""The engine process: owns the instrument, the device, the MIDI ports and the control thread; answers the client."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine import audio
from noisysynth.engine.control import ControlThread, Inbox
from noisysynth.engine.control_net import CPU, ControlNet, choose_provider
from noisysynth.engine.messages import AudioChoice, AudioDevice, OpenedAudio
from noisysynth.engine.offline import SilentStream
from noisysynth.engine.performer import Performer
from noisysynth.engine.render import RELEASE_FADE_S
from noisysynth.engine.state import STATE_DTYPE, prepare
from noisysynth.errors import UserError
from noisysynth.events import EVENT_DTYPE, EventKind, make_event
from noisysynth.instrument import Instrument, read_instrument
from noisysynth.midi.ports import MidiInputs

_SILENT_SAMPLE_RATE = 48_000
_WATCH_S = 0.25
_SERVER_ENDED = "the JACK server has ended; start it and then noisysynth again"


class EngineProcess:
    """One method per request; `serve` runs until the client goes."""

    def __init__(self, events: Connection, requests: Connection, state_name: str) -> None:
        self._events = events
        self._requests = requests
        self._send_lock = threading.Lock()
        self._memory = SharedMemory(state_name)
        self._state: NDArray[np.void] = np.ndarray(1, STATE_DTYPE, buffer=self._memory.buf)
        self._inbox = Inbox()
        self._midi_events = 0
        self._instrument: Instrument | None = None
        self._net: ControlNet | None = None
        self._choice = AudioChoice()
        self._stream: audio.OutputStream | SilentStream | None = None
        self._control: ControlThread | None = None
        self._performer: Performer | None = None
        self._midi: MidiInputs | None = None
        self._abandoned: audio.OutputStream | None = None

    # talking to the client

    def _send(self, *message: Any) -> None:
        # The client may be gone; then `serve` is about to end.
        with self._send_lock, contextlib.suppress(OSError, ValueError):
            self._requests.send(message)

    def tell(self, line: str) -> None:
        """Give the player one line to read."""
        self._send("notice", line)

    def serve(self, path: Path, choice: AudioChoice) -> None:
        """Start up, answer requests, end when the client closes its side. Never raises for a bad start: it answers."""
        try:
            self._load(path)
        except UserError as error:
            self._send("failed", str(error))
            return
        self._open(choice)
        self._midi = MidiInputs(self._receive_midi, self.tell)
        threading.Thread(target=self._read_events, name="events", daemon=True).start()
        # Nothing here makes reference cycles while playing, and a collection could stop the control thread for long.
        gc.collect()
        gc.freeze()
        gc.disable()
        self._send("ready", self._opened())
        with contextlib.suppress(EOFError, OSError):
            while True:
                if self._requests.poll(_WATCH_S):
                    number, name, arguments = self._requests.recv()
                    if name == "stop":
                        break
                    self._answer(number, name, arguments)
                self._watch()
        self._shut_down()
        if self._abandoned is not None:
            os._exit(0)  # PortAudio's own farewell would wait for the dead server

    def _answer(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            result = getattr(self, f"request_{name}")(*arguments)
        except UserError as error:
            self._send("error", number, str(error))
        except Exception as error:  # a note that sounds is worth more than this request
            self._send("error", number, f"{name.replace('_', ' ')} failed: {' '.join(repr(error).split())[:160]}")
        else:
            self._send("answer", number, result)

    def _read_events(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                data = self._events.recv_bytes()
                for event in np.frombuffer(data, EVENT_DTYPE):
                    self._inbox.put(event.reshape(1))

    def _receive_midi(self, event: NDArray[np.void]) -> None:
        self._midi_events += 1
        self._state["midi_events"] = self._midi_events
        self._inbox.put(event)

    # requests

    def request_audio_devices(self) -> list[AudioDevice]:
        self._need_portaudio()
        if isinstance(self._stream, SilentStream):
            audio.rescan()
        return audio.output_devices()

    def request_open_audio(self, choice: AudioChoice) -> OpenedAudio:
        """Open another device; when that fails, the one before plays on and the client gets the reason."""
        self._need_portaudio()
        before = self._choice
        self._fade_out()
        self._close_stream()
        problem = self._try_to_open(choice)
        if problem:
            self._open(before)
            self._send("audio", self._opened())
            raise UserError(problem)
        self._start_control()
        return self._opened()

    def request_midi_inputs(self) -> list[tuple[str, bool]]:
        return self._midi.ports() if self._midi else []

    def request_listen_midi(self, port: str, enabled: bool) -> None:
        if self._midi:
            self._midi.listen(port, enabled)

    def request_load_instrument(self, path: Path) -> OpenedAudio:
        instrument, net = _read(path)
        same_noise = instrument.spec.n_noise_bands == self._state["n_noise_bands"][0]
        if not same_noise:
            self._need_portaudio()
        self._fade_out()
        self._instrument, self._net = instrument, net
        if same_noise and self._control is not None:
            # The callback is silent now and nothing but counts depends on the instrument: it keeps running.
            self._control.stop()
            self._state["n_harmonics"] = instrument.spec.n_harmonics
            assert self._performer is not None
            self._performer.load(instrument, net)
            self._start_control()
        else:
            self._open(self._choice)
        return self._opened()

    # parts

    def _need_portaudio(self) -> None:
        if self._abandoned is not None:
            raise UserError(_SERVER_ENDED)

    def _load(self, path: Path) -> None:
        self._instrument, self._net = _read(path)

    def _open(self, choice: AudioChoice) -> None:
        """Open the device chosen, else the system's default, else go on unheard; the player is told why."""
        self._close_stream()
        told = ""
        for attempt in dict.fromkeys((choice, AudioChoice(block_size=choice.block_size), AudioChoice())):
            problem = self._try_to_open(attempt)
            if not problem:
                break
            if problem != told:
                self.tell(problem)
            told = problem
        else:
            # Unheard, the block size matters to nobody, and it may be what was wrong.
            self._choice = dataclasses.replace(choice, block_size=AudioChoice.block_size)
            self._prepare(choice.sample_rate or _SILENT_SAMPLE_RATE, self._choice.block_size)
            self._stream = SilentStream(self._state, self._choice.block_size)
        self._start_control()

    def _try_to_open(self, choice: AudioChoice) -> str:
        """Open the device; return why not, or ''. No stream may be open."""
        if self._abandoned is not None:
            return _SERVER_ENDED
        try:
            # PortAudio's list of devices dates from when it started.
            audio.rescan()
            self._prepare(audio.negotiate(choice), choice.block_size)
            self._stream = audio.OutputStream(self._state, choice)
        except UserError as error:
            return str(error)
        except Exception as error:  # drivers fail in ways of their own, and the engine must outlive them
            return f"the sound device cannot be opened: {' '.join(str(error).split())[:160]}"
        self._choice = choice
        return ""

    def _prepare(self, sample_rate: int, block_size: int) -> None:
        assert self._instrument is not None
        assert self._net is not None
        midi_events = self._midi_events
        parameters = self._state["parameters"].copy()
        prepare(self._state, self._instrument.spec, sample_rate)
        self._state["midi_events"] = midi_events
        self._state["parameters"] = parameters
        self._performer = Performer(self._instrument, self._net, self._state[0], block_size, like=self._performer)

    def _start_control(self) -> None:
        assert self._stream is not None
        assert self._performer is not None
        self._control = ControlThread(
            self._performer, self._state[0], self._stream, self._choice.block_size, self._inbox
        )

    def _fade_out(self) -> None:
        self._inbox.put(make_event(EventKind.PANIC))
        deadline = time.monotonic() + 0.5
        time.sleep(2 * RELEASE_FADE_S)
        while self._state["active_voices"][0] and time.monotonic() < deadline:
            time.sleep(0.005)
        # One more block leaves the device's buffer.
        time.sleep(2 * self._choice.block_size / float(self._state["sample_rate"][0]))

    def _close_stream(self) -> None:
        if self._control is not None:
            self._control.stop()
            self._control = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _opened(self) -> OpenedAudio:
        stream = self._stream
        assert stream is not None
        return OpenedAudio(
            not isinstance(stream, SilentStream),
            stream.name,
            int(stream.sample_rate),
            self._choice.block_size,
            float(stream.latency_s),
        )

    def _watch(self) -> None:
        """Notice a device that went away, and come back when there is one."""
        if self._control is not None and self._control.error is not None:
            error, self._control.error = self._control.error, None
            self.tell(f"the engine stumbled ({error!r}); it starts again")
            self._open(self._choice)
            self._send("audio", self._opened())
        stream = self._stream
        if stream is None or isinstance(stream, SilentStream):
            return
        if stream.active:
            return
        if stream.dies_with_server:
            self.tell(_SERVER_ENDED)
            self._abandon(stream)
        else:
            self.tell(f"sound device {stream.name!r} is gone; choose another in Audio & MIDI")
            self._open(self._choice)
        self._send("audio", self._opened())

    def _abandon(self, stream: audio.OutputStream) -> None:
        """Go on unheard without touching PortAudio again."""
        if self._control is not None:
            self._control.stop()
        self._abandoned = stream
        self._prepare(int(stream.sample_rate), self._choice.block_size)
        self._stream = SilentStream(self._state, self._choice.block_size)
        self._start_control()

    def _shut_down(self) -> None:
        if self._midi is not None:
            self._midi.close()
        if self._stream is not None:
            self._fade_out()
        self._close_stream()
        del self._state
        with contextlib.suppress(BufferError):
            self._memory.close()


def _read(path: Path) -> tuple[Instrument, ControlNet]:
    instrument = read_instrument(path)
    # A dict keeps the order and drops the second mention of the CPU.
    return instrument, ControlNet(instrument, list(dict.fromkeys((choose_provider(instrument), CPU))))


def main(events: Connection, requests: Connection, state_name: str, path: Path, choice: AudioChoice) -> None:
    """Entry of the spawned process."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(-5)  # only the privileged may; the callback's own thread is the host API's business
    EngineProcess(events, requests, state_name).serve(path, choice)
