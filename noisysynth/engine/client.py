"""EngineClient: the one door to the engine process, for the window, commands and tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from noisysynth.events import EventKind

SCOPE_LENGTH = 4096


@dataclasses.dataclass(frozen=True)
class AudioChoice:
    """What to open. None: the system's default. `device` is a name from `AudioDevice.name`."""

    device: str | None = None
    host_api: str | None = None
    sample_rate: int | None = None
    block_size: int = 128


@dataclasses.dataclass(frozen=True)
class AudioDevice:
    name: str
    host_api: str
    default: bool


@dataclasses.dataclass(frozen=True)
class EngineStatus:
    """A snapshot of the meters in shared memory; reading it costs microseconds and never waits."""

    alive: bool
    audio_running: bool
    audio_name: str  # "" while no device is open
    sample_rate: int
    block_size: int
    output_latency_s: float
    position: int  # samples rendered since the engine started
    voices: int
    load: float  # share of the block's time spent rendering, 0..1, smoothed
    underruns: int
    late_frames: int  # control frames that came after they were due
    peak: tuple[float, float]  # left and right, linear, since the last status read
    limiter_gain_db: float  # 0 when it rests, negative while it works
    non_finite: int  # samples the NaN guard had to silence
    midi_events: int  # MIDI messages received so far


class EngineClient:
    """Starts, talks to and stops one engine process.

    Sending an event never blocks: it writes one row into a shared ring. Requests (devices, instrument) are answered
    by the engine's main thread and may take as long as `timeout_s`; they raise UserError with one clear line.
    """

    def start(self, instrument: Path, audio: AudioChoice | None = None, timeout_s: float = 60.0) -> None:
        """Spawn the process, load the instrument, open audio and every MIDI input there is.

        Without a sound device the engine still runs (`status().audio_running` is False) and `notices` says why.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Fade out, end the process, free the shared memory. Safe to call twice."""
        raise NotImplementedError

    # events, fire and forget

    def send(self, kind: EventKind, index: int = 0, value: float = 0.0, *, channel: int = 0,
             latent: NDArray[np.float32] | None = None, time: int = -1) -> None:
        raise NotImplementedError

    def note_on(self, pitch: int, velocity: float) -> None:
        self.send(EventKind.NOTE_ON, pitch, velocity)

    def note_off(self, pitch: int) -> None:
        self.send(EventKind.NOTE_OFF, pitch)

    def set_parameter(self, parameter_id: str, value: float) -> None:
        raise NotImplementedError

    def set_latent(self, latent: NDArray[np.float32]) -> None:
        """Set the base latent vector (what a preset does); sounding notes glide there in `morph_time`."""
        self.send(EventKind.LATENT, latent=latent)

    def panic(self) -> None:
        self.send(EventKind.PANIC)

    # what the window draws, without waiting

    def status(self) -> EngineStatus:
        raise NotImplementedError

    def scope(self) -> NDArray[np.float32]:
        """The newest SCOPE_LENGTH output samples, [SCOPE_LENGTH, 2]."""
        raise NotImplementedError

    def parameter_values(self) -> dict[str, float]:
        """Parameter values as the engine has them now (MIDI controllers move them too)."""
        raise NotImplementedError

    def notices(self) -> list[str]:
        """Lines the engine has to say to the player since the last call (device lost, MIDI port gone, ...)."""
        raise NotImplementedError

    # requests

    def audio_devices(self) -> list[AudioDevice]:
        raise NotImplementedError

    def open_audio(self, choice: AudioChoice) -> None:
        raise NotImplementedError

    def midi_inputs(self) -> list[tuple[str, bool]]:
        """Every MIDI input port by name, and whether the engine listens to it."""
        raise NotImplementedError

    def listen_midi(self, port: str, enabled: bool) -> None:
        raise NotImplementedError

    def load_instrument(self, path: Path) -> None:
        """Swap the instrument; sounding notes are faded. UserError and no change when the file is bad."""
        raise NotImplementedError
