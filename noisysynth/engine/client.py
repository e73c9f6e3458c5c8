"""EngineClient: the one door to the engine process, for the window, commands and tests."""

from __future__ import annotations

import threading
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.checkup import Finding
from noisysynth.engine.keeper import Keeper
from noisysynth.engine.launch import Launched
from noisysynth.engine.messages import AudioChoice, AudioDevice, EngineStatus, MidiMessage, Setup
from noisysynth.engine.midi_log import read_log
from noisysynth.engine.state import PARTS, SCOPE_LENGTH, SHARED_DTYPE, TAPE_LENGTH, forget_all
from noisysynth.errors import UserError
from noisysynth.events import NOW, EventKind, make_event
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS

OSC_PORT = 9010


class EngineClient:
    """Starts, talks to and stops one engine; the process behind it is replaced when it dies, with the same rack.

    Sending an event never waits for the engine. Requests (devices, instruments) are answered by the engine's main
    thread and may take seconds; they raise UserError with one clear line. Any thread may ask, and events, status and
    notices never wait for a request that is under way. Parts count from 0.
    """

    def __init__(self) -> None:
        self._keeper: Keeper | None = None
        self._prepared: Launched | None = None
        self._memory: SharedMemory | None = None
        self._shared: NDArray[np.void] | None = None
        # Arrays do not keep the memory they show: a look at it after `stop` would end this process.
        self._memory_lock = threading.Lock()

    def prepare(self) -> None:
        """Spawn the process for `start`: it imports and loads the kernels while the caller does so with its own."""
        if self._prepared is None:
            self._prepared = Launched()

    def start(
        self, instrument: Path, audio: AudioChoice | None = None, timeout_s: float = 300.0, part: int = 0
    ) -> None:
        """Spawn the process, load the instrument in a part, open audio and every MIDI input there is.

        Without a sound device the engine still runs (`status().audio_running` is False) and `notices` says why.
        UserError when the instrument is bad or the engine does not come up.
        """
        self._memory = SharedMemory(create=True, size=SHARED_DTYPE.itemsize)
        self._shared = np.ndarray(1, SHARED_DTYPE, buffer=self._memory.buf)
        forget_all(self._shared["memory"])
        instruments = tuple(Path(instrument) if each == part else None for each in range(PARTS))
        setup = Setup(instruments, audio or AudioChoice())
        prepared, self._prepared = self._prepared, None
        self._keeper = Keeper(self._memory.name, self._shared["memory"][0], setup, prepared)
        try:
            self._keeper.start(timeout_s)
        except UserError:
            self.stop()
            raise

    def stop(self) -> None:
        """Fade out, end the process, free the shared memory. Safe to call twice."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:  # and never begun
            prepared.kill()
            prepared.end(0.0)
            prepared.close()
        keeper = self._keeper
        if keeper is not None:
            keeper.stop()
        with self._memory_lock:
            self._keeper = None
            if self._memory is not None:
                self._shared = None
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
        part: int | None = None,
        latent: NDArray[np.float32] | None = None,
        time: int = NOW,
    ) -> None:
        """Send one event. `time`: sample of the engine's clock at which it happens."""
        self.send_events(make_event(kind, index, value, time=time, channel=channel, part=part, latent=latent))

    def send_events(self, events: NDArray[np.void]) -> None:
        """Send rows of EVENT_DTYPE, in order."""
        keeper = self._keeper
        if keeper is not None:
            keeper.send(events)

    def note_on(self, pitch: int, velocity: float, channel: int = 0) -> None:
        self.send(EventKind.NOTE_ON, pitch, velocity, channel=channel)

    def note_off(self, pitch: int, channel: int = 0) -> None:
        self.send(EventKind.NOTE_OFF, pitch, channel=channel)

    def set_parameter(self, parameter_id: str, value: float, part: int = 0) -> None:
        self.send(EventKind.PARAMETER, PARAMETER_INDEX[parameter_id], value, part=part)

    def set_latent(self, latent: NDArray[np.float32], part: int = 0) -> None:
        """Set the base latent vector (what a preset does); sounding notes glide there in `morph_time`."""
        self.send(EventKind.LATENT, latent=latent, part=part)

    def select_preset(self, index: int, part: int = 0) -> None:
        """As a program change would; `preset` tells when it has been done."""
        self.send(EventKind.PRESET, index, part=part)

    def panic(self) -> None:
        self.send(EventKind.PANIC)

    # what the window draws, without waiting

    def status(self) -> EngineStatus:
        keeper = self._keeper
        opened = keeper.opened if keeper is not None else None
        alive = keeper is not None and not keeper.given_up
        with self._memory_lock:
            if self._shared is None or keeper is None:
                return EngineStatus(False, False, "", 0, 0, 0.0, 0, 0, 0.0, 0, 0, (0.0, 0.0), 0.0, 0, 0)
            row, memory = self._shared["state"][0], self._shared["memory"][0]
            peak = (float(row["peak"][0]), float(row["peak"][1]))
            part_peaks = tuple(map(float, row["part_peak"]))
            part_voices = np.bincount(row["voice_part"][row["voice_active"] > 0], minlength=PARTS)[:PARTS]
            row["peak"] = row["part_peak"] = 0.0
            gain = float(row["limiter_gain"])
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
                non_finite=int(row["non_finite"]) + int(row["frames_not_finite"]),
                midi_events=int(memory["midi_events"]),
                restarts=keeper.restarts,
                part_peaks=part_peaks,
                part_voices=tuple(map(int, part_voices)),
                recorded_s=float(memory["recorded_s"]),
                clock_ticks=int(memory["clock_ticks"]),
            )

    def scope(self) -> NDArray[np.float32]:
        """The newest SCOPE_LENGTH output samples, [SCOPE_LENGTH, 2]."""
        with self._memory_lock:
            if self._shared is None:
                return np.zeros((SCOPE_LENGTH, 2), np.float32)
            row = self._shared["state"][0]
            newest = int(row["tape_position"][0])
            tape: NDArray[np.float32] = row["tape"]
            return tape[np.arange(newest - SCOPE_LENGTH, newest) % TAPE_LENGTH]

    def sounding_hz(self) -> float:
        """Fundamental of the note that began last of those that sound, as it is bent now; 0 in silence."""
        with self._memory_lock:
            if self._shared is None:
                return 0.0
            row = self._shared["state"][0]
            voices = np.flatnonzero(row["voice_active"])
            if not len(voices):
                return 0.0
            return float(row["voice_heard_hz"][voices[np.argmax(row["voice_onset"][voices])]])

    def parameter_values(self, part: int = 0) -> dict[str, float]:
        """Parameter values as the engine has them now (MIDI controllers move them too); the rack's in every part."""
        with self._memory_lock:
            if self._shared is None:
                return {parameter.id: parameter.default for parameter in PARAMETERS}
            values = self._shared["memory"][0]["parameters"]
            return {row.id: float(values[0 if row.rack else part, i]) for i, row in enumerate(PARAMETERS)}

    def parameter_table(self) -> NDArray[np.float32]:
        """The same of all parts at once, [PARTS, len(PARAMETERS)]; the rack's in the first row."""
        with self._memory_lock:
            if self._shared is None:
                return np.tile(np.array([row.default for row in PARAMETERS], np.float32), (PARTS, 1))
            values: NDArray[np.float32] = self._shared["memory"][0]["parameters"][:, : len(PARAMETERS)].copy()
            return values

    def preset(self, part: int = 0) -> tuple[int, int]:
        """Preset chosen last (-1: none), and how often one was chosen: so a program change is noticed."""
        with self._memory_lock:
            if self._shared is None:
                return -1, 0
            memory = self._shared["memory"][0]
            return int(memory["preset"][part]), int(memory["preset_changes"][part])

    def learning(self) -> tuple[int, str] | None:
        """Part and parameter that wait for a MIDI controller."""
        with self._memory_lock:
            if self._shared is None:
                return None
            part, index = (int(each) - 1 for each in self._shared["memory"][0]["learning"])
            return (part, PARAMETERS[index].id) if part >= 0 else None

    def learned(self) -> dict[tuple[int, int], tuple[int, str]]:
        """What controllers were taught: (MIDI channel, controller) -> (part, parameter)."""
        with self._memory_lock:
            if self._shared is None:
                return {}
            table = self._shared["memory"][0]["learned"].copy()
        bound = np.argwhere(table[..., 0] > 0)
        return {
            (int(channel), int(controller)): (
                int(table[channel, controller, 0]) - 1,
                PARAMETERS[int(table[channel, controller, 1]) - 1].id,
            )
            for channel, controller in bound
        }

    def watch_midi(self, on: bool) -> None:
        """Have what comes in by MIDI written down, while somebody looks at it; see `midi_messages`."""
        with self._memory_lock:
            if self._shared is not None:
                self._shared["memory"][0]["midi_watched"][0] = on

    def midi_messages(self, since: int) -> tuple[list[MidiMessage], int]:
        """What came in from message number `since` on, and the number to ask with next; the oldest may be lost."""
        with self._memory_lock:
            return read_log(self._shared["memory"][0], since) if self._shared is not None else ([], 0)

    def progress(self) -> tuple[float, str] | None:
        """While `start` waits for kernels to be compiled: the share that is done, and what is being compiled."""
        keeper = self._keeper
        return keeper.progress if keeper is not None and keeper.opened is None else None

    def notices(self) -> list[str]:
        """Lines the engine has to say to the player since the last call (device lost, MIDI port gone, ...)."""
        keeper = self._keeper
        return keeper.notices() if keeper is not None else []

    # requests: audio and MIDI

    def audio_devices(self) -> list[AudioDevice]:
        devices: list[AudioDevice] = self._need_keeper().request("audio_devices")
        return devices

    def open_audio(self, choice: AudioChoice) -> None:
        """Fade out, open, fade in; keys that are down sound again. UserError when it fails: all is as before."""
        keeper = self._need_keeper()
        keeper.opened = keeper.request("open_audio", choice)
        keeper.change(audio=choice)

    def midi_inputs(self) -> list[tuple[str, bool]]:
        """Every MIDI input port by name, and whether the engine listens to it."""
        ports: list[tuple[str, bool]] = self._need_keeper().request("midi_inputs")
        return ports

    def listen_midi(self, port: str, enabled: bool) -> None:
        keeper = self._need_keeper()
        keeper.request("listen_midi", port, enabled)
        keeper.change(midi_ports=tuple({**dict(keeper.setup.midi_ports), port: enabled}.items()))

    def test_tone(self, seconds: float) -> None:
        """A quiet sine on the left, the right and both, in so many seconds; 0: end it. UserError without a device."""
        self._need_keeper().request("test_tone", seconds)

    def hush(self, on: bool) -> None:
        """Play on unheard, while something is measured; or be heard again."""
        self._need_keeper().request("hush", on)

    def checkup(self) -> list[Finding]:
        """What keeps this machine from playing well: processor, priorities, the network's speed."""
        findings: list[Finding] = self._need_keeper().request("checkup")
        return findings

    def start_osc(self, port: int = OSC_PORT) -> None:
        """Listen to OSC messages on this loopback port. Off until asked for."""
        keeper = self._need_keeper()
        keeper.request("start_osc", port)
        keeper.change(osc_port=port)

    def stop_osc(self) -> None:
        keeper = self._need_keeper()
        keeper.request("stop_osc")
        keeper.change(osc_port=None)

    # requests: the rack

    def load_instrument(self, path: Path, part: int = 0) -> None:
        """From the next note on; sounding notes end as they began. UserError and no change when the file is bad."""
        self._set_instrument(part, Path(path))

    def unload_instrument(self, part: int) -> None:
        """Leave the part empty; its notes are released."""
        self._set_instrument(part, None)

    def _set_instrument(self, part: int, path: Path | None) -> None:
        keeper = self._need_keeper()
        if not 0 <= part < PARTS:
            raise UserError(f"there is no part {part + 1}; choose 1 to {PARTS}")
        if path is None:
            keeper.request("unload_instrument", part)
        else:
            keeper.request("load_instrument", path, part)
        paths = keeper.setup.instruments
        keeper.change(instruments=(*paths[:part], path, *paths[part + 1 :]))

    def load_tuning(self, scl: Path, kbm: Path | None = None) -> str:
        """A Scala scale and, if there is one, keyboard mapping, from the next note on; returns the scale's name."""
        keeper = self._need_keeper()
        name: str = keeper.request("set_tuning", Path(scl), Path(kbm) if kbm is not None else None)
        keeper.change(tuning=(Path(scl), Path(kbm) if kbm is not None else None))
        return name

    def reset_tuning(self) -> None:
        """Twelve equal steps again."""
        keeper = self._need_keeper()
        keeper.request("set_tuning", None, None)
        keeper.change(tuning=None)

    def learn(self, parameter_id: str, part: int = 0) -> None:
        """Let the MIDI controller that moves next move this parameter from then on."""
        self._need_keeper().request("learn", part, parameter_id)

    def bind_controller(self, channel: int, controller: int, parameter_id: str, part: int = 0) -> None:
        """Let a MIDI controller move this parameter without having to move first; `learned` has it then."""
        self._need_keeper().request("bind_controller", channel, controller, part, parameter_id)

    def forget_learned(self, parameter_id: str, part: int = 0) -> None:
        self._need_keeper().request("forget_learned", part, parameter_id)

    def cancel_learning(self) -> None:
        self._need_keeper().request("cancel_learning")

    # requests: the recorder

    def start_recording(self, path: Path) -> None:
        """Write what is heard to a WAV or FLAC file, until `stop_recording`; `status().recorded_s` grows."""
        self._need_keeper().request("start_recording", Path(path))

    def stop_recording(self) -> float:
        """Finish the file; returns its length in seconds, 0 when there was no recording."""
        seconds: float = self._need_keeper().request("stop_recording")
        return seconds

    def _need_keeper(self) -> Keeper:
        keeper = self._keeper
        if keeper is None:
            raise UserError("the engine is not running; start it again")
        return keeper
