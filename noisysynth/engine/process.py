"""The engine process: the rack on its output, MIDI ports, OSC and the recorder; answers the client's requests."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.arena import Arena
from noisysynth.engine.audio import compiled_callback
from noisysynth.engine.checkup import Finding, check_network, check_priority, check_processor
from noisysynth.engine.compile_progress import CompileProgress, what_compiles
from noisysynth.engine.control import Inbox
from noisysynth.engine.messages import SERVER_LOST, AudioChoice, AudioDevice, Begin, OpenedAudio, Setup
from noisysynth.engine.midi_log import MidiLog
from noisysynth.engine.playing import Playing, ServerLostError
from noisysynth.engine.priority import in_spare_time
from noisysynth.engine.rack import Rack
from noisysynth.engine.shelf import Shelf
from noisysynth.engine.state import SHARED_DTYPE, forget_all, prepare
from noisysynth.errors import UserError
from noisysynth.events import EVENT_DTYPE, EventKind, make_event
from noisysynth.midi.ports import MidiInputs
from noisysynth.midi.tuning import EQUAL, read_tuning
from noisysynth.parameters import PARAMETER_INDEX

_WATCH_S = 0.25
_USUAL_SAMPLE_RATE = 48_000
# How long one thread may compute before another is let in: the control thread cannot wait for Python's 5 ms.
_SWITCH_S = 0.0005


class EngineProcess:
    """One method per request; `serve` runs until the client goes. `shelf`: instruments that were read already."""

    def __init__(self, events: Connection, requests: Connection, begin: Begin, shelf: Shelf) -> None:
        self._events = events
        self._requests = requests
        self._begin = begin
        self._shelf = shelf
        self._send_lock = threading.Lock()
        self._block = SharedMemory(begin.memory_name)
        self._shared: NDArray[np.void] = np.ndarray(1, SHARED_DTYPE, buffer=self._block.buf)
        self._memory: np.void = self._shared["memory"][0]
        self._inbox = Inbox()
        self._playing = Playing(self._shared, self._inbox, self.tell, self._output_closed)
        self._paths: list[Path | None] = []
        self._midi: MidiInputs | None = None
        self._osc: Any = None
        self._recorder: Any = None

    # talking to the client

    def _send(self, *message: Any) -> None:
        # The client may be gone; then `serve` is about to end.
        with self._send_lock, contextlib.suppress(OSError, ValueError):
            self._requests.send(message)

    def tell(self, line: str) -> None:
        """Give the player one line to read."""
        self._send("notice", line)

    def serve(self) -> None:
        """Start up, answer requests, end when the client closes its side. Never raises for a bad start: it answers."""
        try:
            self._set_up(self._begin.setup)
        except UserError as error:
            self._send("failed", str(error))
            return
        # Nothing here makes reference cycles while playing, and a collection could stop the control thread for long.
        gc.collect()
        gc.freeze()
        gc.disable()
        self._send("ready", self._playing.opened)
        try:
            self._answer_requests()
        except ServerLostError:
            self._send("wanted", self._playing.choice)
            self._end_recording()
            os._exit(SERVER_LOST)  # PortAudio's own farewell would wait for the dead server
        self._shut_down()

    def _set_up(self, setup: Setup) -> None:
        again = self._begin.again
        self._paths = list(setup.instruments)
        for part, path in enumerate(setup.instruments):
            if path is not None:
                with self._forgiving(again):
                    self._playing.load(part, *self._shelf.take(path))
        if setup.tuning is not None:
            with self._forgiving(again):
                self._playing.set_tuning(read_tuning(*setup.tuning))
        held = np.argwhere(self._memory["held"] > 0.0)
        self._playing.doubtful = frozenset((int(each[0]), int(each[1])) for each in held) - self._begin.keys
        self._playing.begin(setup.audio, only_this=again)
        threading.Thread(target=self._read_events, name="events", daemon=True).start()
        self._midi = MidiInputs(self._receive_midi, self.tell, MidiLog(self._memory).note)
        for port, enabled in setup.midi_ports:
            self._midi.listen(port, enabled)
        if setup.osc_port is not None:
            with self._forgiving(again):
                self.request_start_osc(setup.osc_port)

    @contextlib.contextmanager
    def _forgiving(self, again: bool) -> Any:
        """After a death the rest must play, whatever became of one file."""
        try:
            yield
        except UserError as error:
            if not again:
                raise
            self.tell(str(error))

    def _answer_requests(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._memory["heartbeat"][1] += 1
                if self._requests.poll(_WATCH_S):
                    number, name, arguments = self._requests.recv()
                    if name == "stop":
                        return
                    self._answer(number, name, arguments)
                self._watch()

    def _answer(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            result = getattr(self, f"request_{name}")(*arguments)
        except UserError as error:
            self._send("error", number, str(error))
        except Exception as error:  # a note that sounds is worth more than this request
            self._send("error", number, f"{name.replace('_', ' ')} failed: {' '.join(repr(error).split())[:160]}")
        else:
            self._send("answer", number, result)

    def _watch(self) -> None:
        if self._playing.watch():
            self._send("audio", self._playing.opened)
        recorder = self._recorder
        if recorder is not None:
            self._memory["recorded_s"] = recorder.seconds
            if recorder.error:
                self.tell(recorder.error)
                self._end_recording()

    def _read_events(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                data = self._events.recv_bytes()
                for event in np.frombuffer(data, EVENT_DTYPE):
                    self._inbox.put(event.reshape(1))

    def _receive_midi(self, event: NDArray[np.void], came_s: float) -> None:
        self._memory["midi_events"] += 1
        self._inbox.put(event, came_s)

    # requests: audio and MIDI

    def request_audio_devices(self) -> list[AudioDevice]:
        return self._playing.devices()

    def request_open_audio(self, choice: AudioChoice) -> OpenedAudio:
        """Open another device; when that fails, the one before plays on and the client gets the reason."""
        try:
            self._playing.reopen(choice)
        except UserError:
            self._send("audio", self._playing.opened)
            raise
        return self._playing.opened

    def request_midi_inputs(self) -> list[tuple[str, bool]]:
        return self._midi.ports() if self._midi else []

    def request_listen_midi(self, port: str, enabled: bool) -> None:
        if self._midi:
            self._midi.listen(port, enabled)

    def request_test_tone(self, seconds: float) -> None:
        self._playing.test_tone(seconds)

    def request_hush(self, on: bool) -> None:
        self._playing.hush(on)

    def request_checkup(self) -> list[Finding]:
        """What keeps this machine from playing well, as far as it can be told without measuring."""
        findings = [*check_processor(), *check_priority()]
        path = next((path for path in self._paths if path is not None), None)
        if path is not None:
            findings.append(check_network(self._shelf.take(path)[0]))
        return findings

    def request_start_osc(self, port: int) -> None:
        from noisysynth.engine.osc import OscServer

        self.request_stop_osc()
        self._osc = OscServer(self._inbox.put, lambda: self._memory["parameters"], self.tell, port)

    def request_stop_osc(self) -> None:
        osc, self._osc = self._osc, None
        if osc is not None:
            osc.close()

    # requests: the rack

    def request_load_instrument(self, path: Path, part: int) -> None:
        instrument, net = self._shelf.take(path)
        self._playing.load(part, instrument, net)
        self._paths[part] = path
        self._shelf.keep_only(self._paths)

    def request_unload_instrument(self, part: int) -> None:
        self._playing.unload(part)
        self._paths[part] = None
        self._shelf.keep_only(self._paths)

    def request_set_tuning(self, scl: Path | None, kbm: Path | None) -> str:
        tuning = EQUAL if scl is None else read_tuning(scl, kbm)
        self._playing.set_tuning(tuning)
        return tuning.name

    def request_learn(self, part: int, parameter_id: str) -> None:
        index = PARAMETER_INDEX[parameter_id]
        self._playing.on_rack(lambda rack: rack.learned.learn(part, index))

    def request_bind_controller(self, channel: int, controller: int, part: int, parameter_id: str) -> None:
        index = PARAMETER_INDEX[parameter_id]
        self._playing.on_rack(lambda rack: rack.learned.bind(channel, controller, part, index))

    def request_forget_learned(self, part: int, parameter_id: str) -> None:
        index = PARAMETER_INDEX[parameter_id]
        self._playing.on_rack(lambda rack: rack.learned.forget(part, index))

    def request_cancel_learning(self) -> None:
        self._playing.on_rack(lambda rack: rack.learned.cancel())

    # requests: the recorder

    def request_start_recording(self, path: Path) -> None:
        from noisysynth.engine.recorder import Recorder

        self._end_recording()
        recorder = Recorder(self._shared["state"][0])
        recorder.start(path)
        self._recorder = recorder

    def request_stop_recording(self) -> float:
        return self._end_recording()

    def _end_recording(self) -> float:
        """Seconds of the recording that ends; 0 without one."""
        recorder, self._recorder = self._recorder, None
        self._memory["recorded_s"] = 0.0
        return float(recorder.stop()) if recorder is not None else 0.0

    def _output_closed(self) -> None:
        if self._recorder is not None:
            # The next output has a clock, and maybe a sample rate, of its own.
            self.tell(f"the recording ends with its output, after {self._end_recording():.0f} s")

    def _shut_down(self) -> None:
        self.request_stop_osc()
        if self._midi is not None:
            self._midi.close()
        self._playing.end()
        self._end_recording()


def _warm_up() -> None:
    """Load what the first note needs: kernels, noise loops, a rack that has played."""
    compiled_callback()
    shared = np.zeros(1, SHARED_DTYPE)
    prepare(shared["state"], _USUAL_SAMPLE_RATE)
    forget_all(shared["memory"])
    rack = Rack(shared["state"], shared["memory"][0], Arena(_USUAL_SAMPLE_RATE), AudioChoice.block_size)
    rack.handle(make_event(EventKind.NOTE_ON, 60, 0.5)[0], 0)
    rack.advance()


def _warm_up_and_tell(requests: Connection) -> None:
    """The same, and the client hears of what is compiled, which only the first start of all has to do."""

    def tell(share: float, name: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the client may be gone
            requests.send(("progress", share, what_compiles(name)))

    progress = CompileProgress(tell)
    progress.begin()
    try:
        _warm_up()
    finally:
        progress.end()


def main(events: Connection, requests: Connection, spare: bool) -> None:
    """Entry of the spawned process: become an engine once the client says so."""
    sys.setswitchinterval(_SWITCH_S)
    if not spare:
        with contextlib.suppress(OSError, AttributeError):
            os.nice(-5)  # only the privileged may; the callback's own thread is the host API's business
    shelf = Shelf()
    if spare:
        in_spare_time(_warm_up)
    else:
        _warm_up_and_tell(requests)
    with contextlib.suppress(EOFError, OSError):
        requests.send(("warm", None))
        while True:
            kind, what = requests.recv()[-2:]
            if kind == "prepare":
                in_spare_time(functools.partial(shelf.stock, what.instruments))
            elif kind == "begin":
                EngineProcess(events, requests, what, shelf).serve()
                return
            else:
                return
