"""What the client and the engine process tell each other about audio, as plain records."""

from __future__ import annotations

import dataclasses


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
    position: int  # samples rendered since the device was opened
    voices: int
    load: float  # share of the block's time spent rendering, 0..1, smoothed
    underruns: int
    late_frames: int  # control frames that came after they were due
    peak: tuple[float, float]  # left and right, linear, since the last status read
    limiter_gain_db: float  # 0 when it rests, negative while it works
    non_finite: int  # samples the NaN guard had to silence
    midi_events: int  # MIDI messages received so far


@dataclasses.dataclass(frozen=True)
class OpenedAudio:
    """What the client shows about the stream."""

    running: bool
    name: str
    sample_rate: int
    block_size: int
    latency_s: float
