"""noisysynth-doctor: find what keeps this machine from playing well, measure it, and recommend a block size."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from noisysynth.cli.command import run_command
from noisysynth.engine import checkup
from noisysynth.engine.checkup import (
    ADVICE,
    BLOCK_SIZES,
    FINE,
    PROBLEM,
    Finding,
    Measured,
    hold_chord,
    measure_blocks,
    recommended,
)
from noisysynth.errors import UserError

START_TIMEOUT_S = 300.0  # the first start of all compiles the kernels
_LEAST_FREE_BYTES = 256 << 20

_MARKS = {FINE: "   ok", ADVICE: "   --", PROBLEM: "  !!!"}


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
    return checkup.check_priority()


def check_processor(_: str | None) -> Iterator[Finding]:
    return checkup.check_processor()


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
    from noisysynth.factory import default_instrument
    from noisysynth.instrument import read_instrument

    try:
        yield checkup.check_network(read_instrument(default_instrument()))
    except UserError as error:
        yield Finding("network", PROBLEM, str(error), "install noisysynth again")


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
            yield hold_chord(client, AudioChoice.block_size, seconds, 0)
            return
        yield from measure_blocks(client, AudioChoice(host_api=host_api), seconds, BLOCK_SIZES)
    except UserError as error:
        yield Finding("engine", PROBLEM, str(error), "start noisysynth-doctor again; if it stays so, install again")
    finally:
        client.stop()


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
