"""What keeps a machine from playing well: its processor, its priorities, the network's speed, and measured block sizes.

For the doctor, which starts an engine of its own, and for the window, which measures the engine that plays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisysynth.engine.messages import AudioChoice
from noisysynth.errors import UserError
from noisysynth.events import EventKind

if TYPE_CHECKING:
    from noisysynth.engine.client import EngineClient

BLOCK_SIZES = (32, 64, 128, 256, 512, 1024)
CHORD = (36, 43, 48, 52, 55, 60, 64, 67)
SETTLE_S = 0.5
# A late frame bends a note's way unheard; more than this share of 250 a second and voice is no accident.
_LATE_SHARE = 0.01
_SAME_LATENCY = 1.01
# Refills come every 12 ms, and rendering and Python want most of that.
_SLOW_NETWORK_S = 0.004

FINE, ADVICE, PROBLEM = "fine", "advice", "problem"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing looked at. `problem`: it stops sound; `advice`: it could be better."""

    topic: str
    level: str
    text: str
    todo: str = ""


@dataclasses.dataclass(frozen=True)
class Measured:
    """What happened while a chord was held at one block size."""

    block_size: int
    latency_ms: float
    seconds: float
    idle_underruns: int
    underruns: int
    late_frames: int
    load: float  # share of the block's time spent rendering
    held: bool


# what is looked at


def check_processor() -> Iterator[Finding]:
    """How many cores there are, and whether they save power."""
    cores = os.cpu_count() or 1
    level = FINE if cores > 1 else ADVICE
    yield Finding("processor", level, f"{cores} core{'s' * (cores > 1)}", "" if cores > 1 else "close other programs")
    governors = set()
    for file in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"):
        with contextlib.suppress(OSError):
            governors.add(file.read_text().strip())
    if governors & {"powersave", "conservative", "ondemand"}:
        yield Finding(
            "processor", ADVICE, f"it saves power (governor {', '.join(sorted(governors))})",
            "sudo cpupower frequency-set -g performance, while you play",
        )  # fmt: skip
    elif governors:
        yield Finding("processor", FINE, f"governor {', '.join(sorted(governors))}")


def check_priority() -> Iterator[Finding]:
    """Whether this process may have real-time threads; nothing but on Linux."""
    if not sys.platform.startswith("linux"):
        return
    from noisysynth.engine.priority import raise_thread_priority

    # In a thread of its own, so that this one stays as it is.
    with ThreadPoolExecutor(1) as executor:
        allowed = executor.submit(raise_thread_priority).result()
    if allowed:
        yield Finding("priority", FINE, "real-time priority is allowed")
    else:
        yield Finding(
            "priority", ADVICE, "real-time priority is not allowed: busy programs can cause dropouts",
            "put '@audio - rtprio 95' and '@audio - memlock unlimited' into /etc/security/limits.d/audio.conf, "
            "add yourself to the group (sudo usermod -aG audio $USER) and log in again; or install rtkit",
        )  # fmt: skip


def check_network(instrument: Any) -> Finding:
    """How fast an instrument's network runs here, by the provider that is chosen. UserError when it does not."""
    from noisysynth.engine.control_net import ControlNet, choose_provider, measure_seconds

    provider = choose_provider(instrument)
    seconds = measure_seconds(ControlNet(instrument, (provider,)))
    slow = seconds > _SLOW_NETWORK_S
    text = f"{provider.removesuffix('ExecutionProvider')}, {seconds * 1e3:.2f} ms for a note and a refill of 16 voices"
    return Finding("network", ADVICE if slow else FINE, text, "play fewer notes at once" if slow else "")


# what is measured


def measure_blocks(
    client: EngineClient,
    choice: AudioChoice,
    seconds: float,
    sizes: Sequence[int] = BLOCK_SIZES,
    wanted: Callable[[], bool] = lambda: True,
) -> Iterator[Measured | Finding]:
    """Play a chord in the first part at each block size; a Finding for one that cannot be opened.

    choice: the device. seconds: for each size, with the chord and without. wanted: asked now and then; when it says
    no, measuring ends. Leaves the device open at the size measured last.
    """
    for size in sizes:
        if not wanted():
            return
        try:
            client.open_audio(dataclasses.replace(choice, block_size=size))
        except UserError as error:
            yield Finding("engine", ADVICE, f"block size {size}: {error}", "choose another")
            continue
        time.sleep(SETTLE_S)
        before = client.status().underruns
        time.sleep(seconds)
        if wanted():
            yield hold_chord(client, size, seconds, client.status().underruns - before)


def hold_chord(client: EngineClient, block_size: int, seconds: float, idle_underruns: int) -> Measured:
    """What happens while a chord is held in the first part. idle_underruns: what was lost in the same time without."""
    for pitch in CHORD:
        client.send(EventKind.NOTE_ON, pitch, 0.8, part=0)
    try:
        time.sleep(SETTLE_S)
        before = client.status()
        time.sleep(seconds)
        after = client.status()
    finally:
        for pitch in CHORD:
            client.send(EventKind.NOTE_OFF, pitch, part=0)
    underruns, late = after.underruns - before.underruns, after.late_frames - before.late_frames
    late_allowed = _LATE_SHARE * 250.0 * len(CHORD) * seconds
    held = underruns <= idle_underruns and late <= late_allowed and after.restarts == before.restarts
    return Measured(
        block_size, 1e3 * after.output_latency_s, seconds, idle_underruns, underruns, late, after.load, held
    )


def recommended(measured: Sequence[Measured]) -> Measured | None:
    """The block size with the least latency, of those from which on all held: one that held by luck between two that
    did not is none. Of several with this latency the largest: where a sound server has blocks of its own, smaller ones
    of ours only cost more.
    """
    held: list[Measured] = []
    for each in sorted(measured, key=lambda each: each.block_size, reverse=True):
        if not each.held:
            break
        held.append(each)
    least_ms = min((each.latency_ms for each in held), default=0.0)
    return next((each for each in held if each.latency_ms <= least_ms * _SAME_LATENCY), None)
