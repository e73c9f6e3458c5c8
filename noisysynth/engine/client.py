"""EngineClient: the one door to the engine process, for the window, commands and tests."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import threading
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.messages import AudioChoice, AudioDevice, EngineStatus, OpenedAudio
from noisysynth.engine.state import SCOPE_LENGTH, STATE_DTYPE
from noisysynth.errors import UserError
from noisysynth.events import NOW, EventKind, make_event
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS

_STOP_S = 3.0


class EngineClient:
    """Starts, talks to and stops one engine process.

    Sending an event never waits for the engine. Requests (devices, instrument) are answered by the engine's main
    thread and may take seconds; they raise UserError with one clear line. Any thread may ask, and events, status and
    notices never wait for a request that is under way.
    """

    def __init__(self) -> None:
        self._process: Any = None
        self._memory: SharedMemory | None = None
        self._state: NDArray[np.void] | None = None
        self._numbers = itertools.count()
        self._notices: list[str] = []
        self._opened: OpenedAudio | None = None
        self._told_death = False
        # A request may take seconds; notes must not wait for it, so each pipe has a lock of its own.
        self._event_lock = threading.Lock()
        self._request_lock = threading.RLock()
        # Arrays do not keep the memory they show: a look at it after `stop` would end this process.
        self._memory_lock = threading.Lock()

    def start(self, instrument: Path, audio: AudioChoice | None = None, timeout_s: float = 60.0) -> None:
        """Spawn the process, load the instrument, open audio and every MIDI input there is.

        Without a sound device the engine still runs (`status().audio_running` is False) and `notices` says why.
        UserError when the instrument is bad or the engine does not come up.
        """
        # Imported here: only the child needs what it brings along.
        from noisysynth.engine import entry

        self._memory = SharedMemory(create=True, size=STATE_DTYPE.itemsize)
        self._state = np.ndarray(1, STATE_DTYPE, buffer=self._memory.buf)
        self._state["parameters"][0, : len(PARAMETERS)] = [parameter.default for parameter in PARAMETERS]
        context = multiprocessing.get_context("spawn")
        event_reader, self._events = context.Pipe(duplex=False)
        self._requests, request_side = context.Pipe()
        self._process = context.Process(
            target=entry.run,
            args=(event_reader, request_side, self._memory.name, Path(instrument), audio or AudioChoice()),
            name="noisysynth engine",
            daemon=True,
        )
        self._process.start()
        event_reader.close()
        request_side.close()
        try:
            kind, payload = self._wait_for({"ready", "failed"}, timeout_s)
        except UserError:
            self.stop()
            raise
        if kind == "failed":
            self.stop()
            raise UserError(payload)
        self._opened = payload

    def stop(self) -> None:
        """Fade out, end the process, free the shared memory. Safe to call twice."""
        with self._request_lock:
            if self._process is not None:
                with contextlib.suppress(OSError, ValueError):
                    self._requests.send((-1, "stop", ()))
                self._process.join(_STOP_S)
                if self._process.is_alive():
                    self._process.kill()
                    self._process.join()
                # Not before: who sends to an engine that hangs holds this lock until the engine's end.
                with self._event_lock:
                    self._events.close()
                    self._requests.close()
                    self._process = None
            with self._memory_lock:
                if self._memory is not None:
                    self._state = None
                    self._memory.close()
                    self._memory.unlink()
                    self._memory = None

    # events, fire and forget

    def send(
        self,
        kind: EventKind,
        index: int = 0,
        value: float = 0.0,
        *,
        channel: int = 0,
        latent: NDArray[np.float32] | None = None,
        time: int = NOW,
    ) -> None:
        """Send one event. `time`: sample of the engine's clock at which it happens."""
        self.send_events(make_event(kind, index, value, time=time, channel=channel, latent=latent))

    def send_events(self, events: NDArray[np.void]) -> None:
        """Send rows of EVENT_DTYPE, in order."""
        with self._event_lock, contextlib.suppress(OSError, ValueError):
            if self._process is not None:
                self._events.send_bytes(events.tobytes())

    def note_on(self, pitch: int, velocity: float) -> None:
        self.send(EventKind.NOTE_ON, pitch, velocity)

    def note_off(self, pitch: int) -> None:
        self.send(EventKind.NOTE_OFF, pitch)

    def set_parameter(self, parameter_id: str, value: float) -> None:
        self.send(EventKind.PARAMETER, PARAMETER_INDEX[parameter_id], value)

    def set_latent(self, latent: NDArray[np.float32]) -> None:
        """Set the base latent vector (what a preset does); sounding notes glide there in `morph_time`."""
        self.send(EventKind.LATENT, latent=latent)

    def panic(self) -> None:
        self.send(EventKind.PANIC)

    # what the window draws, without waiting

    def status(self) -> EngineStatus:
        self._listen()
        with self._memory_lock:
            return self._read_status()

    def _read_status(self) -> EngineStatus:
        process = self._process
        alive = process is not None and process.is_alive()
        if self._state is None:
            return EngineStatus(False, False, "", 0, 0, 0.0, 0, 0, 0.0, 0, 0, (0.0, 0.0), 0.0, 0, 0)
        row = self._state[0]
        peak = (float(row["peak"][0]), float(row["peak"][1]))
        row["peak"] = 0.0
        gain = float(row["limiter_gain"])
        opened = self._opened
        return EngineStatus(
            alive=alive,
            audio_running=bool(alive and opened and opened.running),
            audio_name=opened.name if opened else "",
            sample_rate=opened.sample_rate if opened else 0,
            block_size=opened.block_size if opened else 0,
            output_latency_s=opened.latency_s if opened else 0.0,
            position=int(row["position"][0]),
            voices=int(row["active_voices"]),
            load=float(row["load"]),
            underruns=int(row["underruns"]),
            late_frames=int(row["late_frames"]),
            peak=peak,
            limiter_gain_db=float(20.0 * np.log10(gain)) if 0.0 < gain < 1.0 else 0.0,
            non_finite=int(row["non_finite"]),
            midi_events=int(row["midi_events"]),
        )

    def scope(self) -> NDArray[np.float32]:
        """The newest SCOPE_LENGTH output samples, [SCOPE_LENGTH, 2]."""
        with self._memory_lock:
            if self._state is None:
                return np.zeros((SCOPE_LENGTH, 2), np.float32)
            row = self._state[0]
            oldest = int(row["scope_position"][0]) % SCOPE_LENGTH
            ring = row["scope"]
            return np.concatenate([ring[oldest:], ring[:oldest]])

    def parameter_values(self) -> dict[str, float]:
        """Parameter values as the engine has them now (MIDI controllers move them too)."""
        with self._memory_lock:
            if self._state is None:
                return {parameter.id: parameter.default for parameter in PARAMETERS}
            values = self._state["parameters"][0]
            return {parameter.id: float(values[i]) for i, parameter in enumerate(PARAMETERS)}

    def notices(self) -> list[str]:
        """Lines the engine has to say to the player since the last call (device lost, MIDI port gone, ...)."""
        self._listen()
        lines, self._notices = self._notices, []
        return lines

    # requests

    def audio_devices(self) -> list[AudioDevice]:
        devices: list[AudioDevice] = self._request("audio_devices")
        return devices

    def open_audio(self, choice: AudioChoice) -> None:
        self._opened = self._request("open_audio", choice)

    def midi_inputs(self) -> list[tuple[str, bool]]:
        """Every MIDI input port by name, and whether the engine listens to it."""
        ports: list[tuple[str, bool]] = self._request("midi_inputs")
        return ports

    def listen_midi(self, port: str, enabled: bool) -> None:
        self._request("listen_midi", port, enabled)

    def load_instrument(self, path: Path) -> None:
        """Swap the instrument; sounding notes are faded. UserError and no change when the file is bad."""
        self._opened = self._request("load_instrument", Path(path))

    # the pipe

    def _request(self, name: str, *arguments: Any, timeout_s: float = 20.0) -> Any:
        with self._request_lock:
            if self._process is None:
                raise UserError("the engine is not running; start it again")
            number = next(self._numbers)
            try:
                self._requests.send((number, name, arguments))
            except OSError:
                raise UserError("the engine has ended; start noisysynth again") from None
            while True:
                kind, payload = self._wait_for({"answer", "error"}, timeout_s)
                answered, result = payload
                if answered != number:
                    continue  # an answer we gave up waiting for
                if kind == "error":
                    raise UserError(result)
                return result

    def _wait_for(self, kinds: set[str], timeout_s: float) -> tuple[str, Any]:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if self._requests.poll(max(0.0, deadline - time.monotonic())):
                    message = self._requests.recv()
                else:
                    raise UserError(f"the engine did not answer within {timeout_s:.0f} s; start noisysynth again")
            except (EOFError, OSError):
                raise UserError("the engine ended unexpectedly; start noisysynth again") from None
            if message[0] in kinds:
                return message[0], message[1] if len(message) == 2 else message[1:]
            self._take(message)

    def _listen(self) -> None:
        """Take in what the engine said by itself; while a request waits for its answer, that takes it in."""
        if not self._request_lock.acquire(blocking=False):
            return
        try:
            while self._process is not None and self._requests.poll():
                self._take(self._requests.recv())
        except (EOFError, OSError):
            if not self._told_death:
                self._told_death = True
                self._notices.append("the engine has ended unexpectedly; start noisysynth again")
        finally:
            self._request_lock.release()

    def _take(self, message: tuple[Any, ...]) -> None:
        if message[0] == "notice":
            self._notices.append(message[1])
        elif message[0] == "audio":
            self._opened = message[1]
