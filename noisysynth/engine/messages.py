"""What the client and the engine process tell each other, as plain records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

# Exit code of an engine whose sound server ended: PortAudio can do nothing more in that process.
SERVER_LOST = 75


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
class Setup:
    """What an engine process needs to know beside its shared memory to be the one before."""

    instruments: tuple[Path | None, ...]  # by part
    audio: AudioChoice
    midi_ports: tuple[tuple[str, bool], ...] = ()  # what the player said of a port: whether to listen
    tuning: tuple[Path, Path | None] | None = None  # scale and keyboard mapping
    osc_port: int | None = None


@dataclasses.dataclass(frozen=True)
class Begin:
    """What starts an engine process."""

    memory_name: str
    setup: Setup
    # After an end nobody wanted: what fails is told and left out, and only the device chosen will do.
    again: bool = False
    # (channel, key) that the client knows to be down; of others that are, the release may have been missed.
    keys: frozenset[tuple[int, int]] = frozenset()


@dataclasses.dataclass(frozen=True)
class EngineStatus:
    """A snapshot of the meters in shared memory; reading it costs microseconds and never waits."""

    alive: bool  # also while it is being replaced
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
    non_finite: int  # samples that had to be silenced, and values of the network's
    midi_events: int  # MIDI messages received so far
    restarts: int = 0  # engine processes that had to be replaced
    part_peaks: tuple[float, ...] = ()  # of each part, linear, since the last status read
    part_voices: tuple[int, ...] = ()  # of each part, sounding now
    recorded_s: float = 0.0  # length of the recording under way; 0: none


@dataclasses.dataclass(frozen=True)
class OpenedAudio:
    """What the client shows about the stream."""

    running: bool
    name: str
    sample_rate: int
    block_size: int
    latency_s: float
