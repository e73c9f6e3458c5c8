"""FakeEngine: EngineClient without a process, for the window's tests and screenshots. Remembers what it was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.checkup import Finding
from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice, AudioDevice, EngineStatus, MidiMessage
from noisysynth.engine.state import SCOPE_LENGTH
from noisysynth.errors import UserError
from noisysynth.events import EventKind
from noisysynth.midi.tuning import read_tuning
from noisysynth.parameters import N_PARTS, PARAMETER_INDEX, PARAMETERS, default_values
from noisysynth.ui.part import insert_defaults

SAMPLE_RATE = 48_000


class FakeEngine(EngineClient):
    """The same door. Tests set `meters`, `engine_values`, `devices`, `refuse`; and read `log` and `calls`."""

    def __init__(self, sound: bool = True) -> None:
        self.sound = sound
        self.started_with: tuple[Path, AudioChoice | None] | None = None
        self.stopped = 0
        self.log: list[tuple[EventKind, int, float]] = []
        self.notes_on: list[tuple[int, int, int | None]] = []  # channel, key, and the part that they are for alone
        self.latents: list[NDArray[np.float32]] = []
        self.latents_of: dict[int, NDArray[np.float32]] = {}  # the newest, by part
        self.parameters_set: list[tuple[str, float]] = []
        self.values_of = [default_values() for _ in range(N_PARTS)]
        self.engine_values = self.values_of[0]
        self.chosen_preset = (-1, 0)  # of the first part, and how often one was chosen
        self.chosen_presets: dict[int, tuple[int, int]] = {}  # of the others
        self.waiting: tuple[int, str] | None = None  # for a controller
        self.bindings: dict[tuple[int, int], tuple[int, str]] = {}  # (channel, controller) -> (part, parameter)
        self.meters: dict[str, Any] = {}
        self.pending_notices: list[str] = [] if sound else ["no sound device: nothing is plugged in"]
        self.devices = [
            AudioDevice("Built-in Audio Analog Stereo", "ALSA", False),
            AudioDevice("system", "JACK Audio Connection Kit", True),
        ]
        self.inputs = {"Keystation 49 MIDI 1": True, "nanoKONTROL2": True}
        self.audio = AudioChoice()
        self.instruments: dict[int, Path] = {}  # by part
        self.refuse = ""  # the next request fails with this line
        self.scope_reads = 0
        self.status_reads = 0
        self.held: dict[int, float] = {}
        self.recording: Path | None = None
        self.recorded_s = 0.0
        self.incoming: list[MidiMessage] = []  # by MIDI
        self.watched = False
        self.midi_reads = 0
        self.compiling: tuple[float, str] | None = None
        self.tones: list[float] = []  # seconds of the test tones asked for
        self.hushed = False
        self.findings = [Finding("priority", "advice", "real-time priority is not allowed", "ask for it")]
        self.tuning: tuple[Path, Path | None] | None = None
        self._phase = 0.0

    def _maybe_refuse(self) -> None:
        line, self.refuse = self.refuse, ""
        if line:
            raise UserError(line)

    # life

    def prepare(self) -> None:
        """Nothing to be prepared."""

    @property
    def instrument(self) -> Path | None:
        """Of the first part."""
        return self.instruments.get(0)

    def start(
        self, instrument: Path, audio: AudioChoice | None = None, timeout_s: float = 300.0, part: int = 0
    ) -> None:
        self._maybe_refuse()
        self.started_with = (instrument, audio)
        self.instruments = {part: instrument}
        self.audio = audio or AudioChoice()

    def stop(self) -> None:
        self.stopped += 1

    # events

    def send(
        self,
        kind: EventKind,
        index: int = 0,
        value: float = 0.0,
        *,
        channel: int = 0,
        part: int | None = None,
        latent: NDArray[np.float32] | None = None,
        time: int = -1,
    ) -> None:
        self.log.append((kind, index, value))
        if latent is not None:
            self.latents.append(np.array(latent))
            self.latents_of[part or 0] = np.array(latent)
        if kind == EventKind.NOTE_ON:
            self.held[index] = value
            self.notes_on.append((channel, index, part))
        elif kind == EventKind.NOTE_OFF:
            self.held.pop(index, None)
        elif kind in (EventKind.PANIC, EventKind.ALL_NOTES_OFF):
            self.held.clear()

    def send_events(self, events: NDArray[np.void]) -> None:
        """Rows of EVENT_DTYPE; when they are to happen is not looked at."""
        for event in events:
            kind = EventKind(int(event["kind"]))
            self.send(kind, int(event["index"]), float(event["value"]), channel=int(event["channel"]))

    def set_parameter(self, parameter_id: str, value: float, part: int = 0) -> None:
        self.parameters_set.append((parameter_id, value))
        values = self.values_of[0 if PARAMETERS[PARAMETER_INDEX[parameter_id]].rack else part]
        values[parameter_id] = float(np.float32(value))
        values.update(insert_defaults(parameter_id, value))

    def forget(self) -> None:
        """Empty what was remembered so far."""
        self.log.clear()
        self.latents.clear()
        self.parameters_set.clear()

    def of_kind(self, kind: EventKind) -> list[tuple[int, float]]:
        """Index and value of every event of a kind so far."""
        return [(index, value) for k, index, value in self.log if k == kind]

    # what is polled

    def status(self) -> EngineStatus:
        self.status_reads += 1
        level = min(0.25 * sum(dict(self.held).values()), 0.99)
        values: dict[str, Any] = {
            "alive": True,
            "audio_running": self.sound,
            "audio_name": "system" if self.sound else "",
            "sample_rate": SAMPLE_RATE,
            "block_size": self.audio.block_size,
            "output_latency_s": 0.0107,
            "position": 0,
            "voices": len(self.held),
            "load": 0.04 + 0.03 * len(self.held),
            "underruns": 0,
            "late_frames": 0,
            "peak": (level, level * 0.92),
            "limiter_gain_db": 0.0,
            "non_finite": 0,
            "midi_events": 0,
            "recorded_s": self.recorded_s,
        }
        return EngineStatus(**{**values, **self.meters})

    def scope(self) -> NDArray[np.float32]:
        self.scope_reads += 1
        time_s = (np.arange(SCOPE_LENGTH) + self._phase) / SAMPLE_RATE
        self._phase += 800.0
        mono = np.zeros(SCOPE_LENGTH)
        for pitch, velocity in dict(self.held).items():  # others may press keys meanwhile
            f0_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
            for partial in range(1, 9):
                mono += 0.2 * velocity / partial * np.sin(2 * np.pi * f0_hz * partial * time_s + partial)
        return np.repeat(mono[:, None], 2, axis=1).astype(np.float32)

    def sounding_hz(self) -> float:
        return 440.0 * 2.0 ** ((list(self.held)[-1] - 69) / 12) if self.held else 0.0

    def preset(self, part: int = 0) -> tuple[int, int]:
        return self.chosen_presets.get(part, (-1, 0)) if part else self.chosen_preset

    def learning(self) -> tuple[int, str] | None:
        return self.waiting

    def learned(self) -> dict[tuple[int, int], tuple[int, str]]:
        return dict(self.bindings)

    def learn(self, parameter_id: str, part: int = 0) -> None:
        self._maybe_refuse()
        self.waiting = (part, parameter_id)

    def bind_controller(self, channel: int, controller: int, parameter_id: str, part: int = 0) -> None:
        self._maybe_refuse()
        self.forget_learned(parameter_id, part)
        self.bindings[channel, controller] = (part, parameter_id)

    def cancel_learning(self) -> None:
        self.waiting = None

    def forget_learned(self, parameter_id: str, part: int = 0) -> None:
        self.bindings = {key: bound for key, bound in self.bindings.items() if bound != (part, parameter_id)}

    def parameter_values(self, part: int = 0) -> dict[str, float]:
        return dict(self.values_of[part])

    def parameter_table(self) -> NDArray[np.float32]:
        return np.array([[values[row.id] for row in PARAMETERS] for values in self.values_of], np.float32)

    def notices(self) -> list[str]:
        lines, self.pending_notices = self.pending_notices, []
        return lines

    def watch_midi(self, on: bool) -> None:
        self.watched = on

    def midi_messages(self, since: int) -> tuple[list[MidiMessage], int]:
        self.midi_reads += 1
        return self.incoming[since:], len(self.incoming)

    def progress(self) -> tuple[float, str] | None:
        return self.compiling

    # requests

    def test_tone(self, seconds: float) -> None:
        self._maybe_refuse()
        self.tones.append(seconds)

    def hush(self, on: bool) -> None:
        self.hushed = on

    def checkup(self) -> list[Finding]:
        self._maybe_refuse()
        return list(self.findings)

    def load_tuning(self, scl: Path, kbm: Path | None = None) -> str:
        self._maybe_refuse()
        name = read_tuning(scl, kbm).name
        self.tuning = (scl, kbm)
        return name

    def reset_tuning(self) -> None:
        self._maybe_refuse()
        self.tuning = None

    def audio_devices(self) -> list[AudioDevice]:
        self._maybe_refuse()
        return list(self.devices)

    def open_audio(self, choice: AudioChoice) -> None:
        self._maybe_refuse()
        self.audio = choice

    def midi_inputs(self) -> list[tuple[str, bool]]:
        return list(self.inputs.items())

    def listen_midi(self, port: str, enabled: bool) -> None:
        self._maybe_refuse()
        self.inputs[port] = enabled

    def load_instrument(self, path: Path, part: int = 0) -> None:
        self._maybe_refuse()
        self.instruments[part] = path

    def unload_instrument(self, part: int) -> None:
        self._maybe_refuse()
        self.instruments.pop(part, None)

    def start_recording(self, path: Path) -> None:
        self._maybe_refuse()
        self.recording, self.recorded_s = path, 0.1

    def stop_recording(self) -> float:
        self._maybe_refuse()
        seconds, self.recorded_s = self.recorded_s, 0.0
        return seconds
