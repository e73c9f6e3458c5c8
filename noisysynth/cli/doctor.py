"""noisysynth-doctor: find what keeps this machine from playing well, measure it, and recommend a block size."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from noisysynth.cli.command import run_command
from noisysynth.errors import UserError

BLOCK_SIZES = (32, 64, 128, 256, 512, 1024)
CHORD = (36, 43, 48, 52, 55, 60, 64, 67)
START_TIMEOUT_S = 300.0  # the first start of all compiles the kernels
_SETTLE_S = 0.5
# A late frame bends a note's way unheard; more than this share of 250 a second and voice is no accident.
_LATE_SHARE = 0.01
_LEAST_FREE_BYTES = 256 << 20

FINE, ADVICE, PROBLEM = "fine", "advice", "problem"
_MARKS = {FINE: "   ok", ADVICE: "   --", PROBLEM: "  !!!"}


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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("noisysynth-doctor", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.add_argument("--seconds", type=float, metavar="N", default=2.0,
                        help="to measure each block size, with and without a chord (default: %(default)s)")  # fmt: skip
    parser.add_argument("--host-api", metavar="NAME", help="measure on this one, such as ALSA, JACK or WASAPI")
    options = parser.parse_args(arguments)
    return run_command(parser.prog, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if not 0.1 <= options.seconds <= 600.0:
        raise UserError(f"--seconds {options.seconds:g} is not between 0.1 and 600")
    findings: list[Finding] = []
    for check in CHECKS:
        for finding in check(options.host_api):
            findings.append(finding)
            if not options.json:
                _print(finding)
    measured: list[Measured] = []
    for result in measure(options.host_api, options.seconds):
        if isinstance(result, Measured):
            measured.append(result)
            if not options.json:
                _print_measured(result)
        else:
            findings.append(result)
            if not options.json:
                _print(result)
    best = recommended(measured)
    if measured:
        findings.append(_verdict(best, measured))
        if not options.json:
            _print(findings[-1])
    if options.json:
        report = {
            "findings": [dataclasses.asdict(finding) for finding in findings],
            "measured": [dataclasses.asdict(each) for each in measured],
            "recommended": dataclasses.asdict(best) if best and best.latency_ms else None,
        }
        print(json.dumps(report, indent=2))
    return 1 if any(finding.level == PROBLEM for finding in findings) else 0


# what is looked at


def check_audio(host_api: str | None) -> Iterator[Finding]:
    from noisysynth.engine import audio

    try:
        audio.rescan()
        devices = audio.output_devices()
    except UserError as error:
        yield Finding("audio", PROBLEM, str(error), "sudo apt-get install libportaudio2")
        return
    audio.release()
    if not devices:
        yield Finding("audio", PROBLEM, "no sound device that can play", "connect one, or start a sound server")
    if host_api and not any(host_api.lower() in device.host_api.lower() for device in devices):
        known = ", ".join(sorted({device.host_api for device in devices})) or "none"
        raise UserError(f"host API {host_api!r} is not there; known: {known}")
    for api in sorted({device.host_api for device in devices}):
        names = [f"{d.name} (default)" if d.default else d.name for d in devices if d.host_api == api]
        yield Finding("audio", FINE, f"{api}: {', '.join(names)}")


def check_priority(_: str | None) -> Iterator[Finding]:
    if not sys.platform.startswith("linux"):
        return
    from noisysynth.engine.priority import raise_thread_priority

    if _in_thread(raise_thread_priority):
        yield Finding("priority", FINE, "real-time priority is allowed")
    else:
        yield Finding(
            "priority", ADVICE, "real-time priority is not allowed: busy programs can cause dropouts",
            "put '@audio - rtprio 95' and '@audio - memlock unlimited' into /etc/security/limits.d/audio.conf, "
            "add yourself to the group (sudo usermod -aG audio $USER) and log in again; or install rtkit",
        )  # fmt: skip


def check_processor(_: str | None) -> Iterator[Finding]:
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


def check_space(_: str | None) -> Iterator[Finding]:
    from noisysynth.engine.state import SHARED_DTYPE

    for place, needed in ((Path.home(), _LEAST_FREE_BYTES), (Path("/dev/shm"), 2 * SHARED_DTYPE.itemsize)):
        if not place.exists():
            continue
        free = shutil.disk_usage(place).free
        if free < needed:
            yield Finding(
                "space", PROBLEM if place.name == "shm" else ADVICE,
                f"{place} has {free / 1e6:.0f} MB free, {needed / 1e6:.0f} are needed",
                "in a container: --shm-size=256m" if place.name == "shm" else "make room",
            )  # fmt: skip
        else:
            yield Finding("space", FINE, f"{place} has {free / 1e9:.1f} GB free")


def check_kernels(_: str | None) -> Iterator[Finding]:
    import numba

    from noisysynth.dsp import compiling
    from noisysynth.engine.audio import compiled_callback

    del compiling  # imported for what it sets
    began_s = time.monotonic()
    compiled_callback()
    took_s = time.monotonic() - began_s
    folder = Path(numba.config.CACHE_DIR)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding(
            "kernels", ADVICE, f"{folder} cannot be written ({error.strerror}): every start compiles anew",
            "make it yours, or name another folder in NUMBA_CACHE_DIR",
        )  # fmt: skip
    else:
        how = "compiled now, and kept" if took_s > 5.0 else "loaded"
        yield Finding("kernels", FINE, f"{how} in {took_s:.1f} s")


def check_provider(_: str | None) -> Iterator[Finding]:
    from noisysynth.engine.control_net import ControlNet, choose_provider, measure_seconds
    from noisysynth.factory import default_instrument
    from noisysynth.instrument import read_instrument

    try:
        instrument = read_instrument(default_instrument())
        provider = choose_provider(instrument)
        seconds = measure_seconds(ControlNet(instrument, (provider,)))
    except UserError as error:
        yield Finding("network", PROBLEM, str(error), "install noisysynth again")
        return
    # Refills come every 12 ms, and rendering and Python want most of that.
    slow = seconds > 0.004
    text = f"{provider.removesuffix('ExecutionProvider')}, {seconds * 1e3:.2f} ms for a note and a refill of 16 voices"
    yield Finding("network", ADVICE if slow else FINE, text, "play fewer notes at once" if slow else "")


def check_midi(_: str | None) -> Iterator[Finding]:
    from noisysynth.midi.ports import MidiInputs

    told: list[str] = []
    inputs = MidiInputs(lambda event, came_s: None, told.append)
    ports = inputs.ports()
    inputs.close()
    for line in told:
        yield Finding("midi", ADVICE, line, "the computer keyboard plays, too")
    if ports:
        yield Finding("midi", FINE, f"inputs: {', '.join(name for name, _ in ports)}")
    elif not told:
        yield Finding("midi", ADVICE, "no MIDI input", "plug in a keyboard; the computer keyboard plays, too")


CHECKS: tuple[Callable[[str | None], Iterator[Finding]], ...] = (
    check_processor, check_priority, check_space, check_kernels, check_provider, check_midi, check_audio,
)  # fmt: skip


# what is measured


def measure(host_api: str | None, seconds: float) -> Iterator[Measured | Finding]:
    """Play at each block size; a Finding for what cannot be played."""
    from noisysynth.engine.client import EngineClient
    from noisysynth.engine.messages import AudioChoice
    from noisysynth.factory import default_instrument

    client = EngineClient()
    try:
        client.start(default_instrument(), AudioChoice(host_api=host_api), timeout_s=START_TIMEOUT_S)
        if not client.status().audio_running:
            reason = next((line for line in client.notices() if "sound" in line), "no sound device")
            yield Finding("engine", PROBLEM, f"it runs, but nothing is heard: {reason}", "see audio above")
            yield _hold_chord(client, AudioChoice.block_size, seconds, 0)
            return
        for block_size in BLOCK_SIZES:
            try:
                client.open_audio(AudioChoice(host_api=host_api, block_size=block_size))
            except UserError as error:
                yield Finding("engine", ADVICE, f"block size {block_size}: {error}", "choose another")
                continue
            time.sleep(_SETTLE_S)
            before = client.status().underruns
            time.sleep(seconds)
            yield _hold_chord(client, block_size, seconds, client.status().underruns - before)
    except UserError as error:
        yield Finding("engine", PROBLEM, str(error), "start noisysynth-doctor again; if it stays so, install again")
    finally:
        client.stop()


def _hold_chord(client: Any, block_size: int, seconds: float, idle_underruns: int) -> Measured:
    for pitch in CHORD:
        client.note_on(pitch, 0.8)
    time.sleep(_SETTLE_S)
    before = client.status()
    time.sleep(seconds)
    after = client.status()
    for pitch in CHORD:
        client.note_off(pitch)
    underruns, late = after.underruns - before.underruns, after.late_frames - before.late_frames
    late_allowed = _LATE_SHARE * 250.0 * len(CHORD) * seconds
    held = underruns <= idle_underruns and late <= late_allowed and after.restarts == before.restarts
    return Measured(
        block_size, 1e3 * after.output_latency_s, seconds, idle_underruns, underruns, late, after.load, held
    )


def recommended(measured: list[Measured]) -> Measured | None:
    """The smallest block size from which on all held: one that held by luck between two that did not is none."""
    best = None
    for each in sorted(measured, key=lambda each: each.block_size, reverse=True):
        if not each.held:
            break
        best = each
    return best


def _verdict(best: Measured | None, measured: list[Measured]) -> Finding:
    if best is None:
        return Finding(
            "block size", ADVICE, "none held without dropouts", "close other programs, see priority and processor above"
        )
    if best.latency_ms == 0.0:
        return Finding("block size", ADVICE, "the engine keeps up; a device decides the block size", "connect one")
    return Finding(
        "block size", FINE, f"{best.block_size} samples held: {best.latency_ms:.1f} ms of output latency",
        f"noisysynth --block-size {best.block_size}, or choose it in Audio & MIDI",
    )  # fmt: skip


# small things


def _in_thread(work: Callable[[], bool]) -> bool:
    """In a thread of its own, so that this one stays as it is."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result()


def _print(finding: Finding) -> None:
    print(f"{_MARKS[finding.level]}  {finding.topic}: {finding.text}", flush=True)
    if finding.todo:
        print(f"         -> {finding.todo}", flush=True)


def _print_measured(each: Measured) -> None:
    mark = _MARKS[FINE if each.held else ADVICE]
    print(
        f"{mark}  block {each.block_size:5d}: latency {each.latency_ms:5.1f} ms, load {100 * each.load:3.0f} %, "
        f"dropouts {each.underruns} (silent: {each.idle_underruns}), late frames {each.late_frames}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
