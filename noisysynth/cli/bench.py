"""noisysynth-bench: measure what this machine plays: load of a voice, voices in real time, missed blocks, latency."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisysynth.cli.command import run_command
from noisysynth.errors import UserError

if TYPE_CHECKING:
    from noisysynth.engine.client import EngineClient
    from noisysynth.instrument import Instrument

MOST_VOICES = 256
OFFLINE_BLOCKS = (64, 128, 256)
OFFLINE_VOICES = (8, 64, 192)
BLOCK_SIZES = (16, 8192)
SECONDS = (0.1, 3600.0)
LATENCY_NOTES = 40
SETTLE_S = 0.5
SILENCE = 1e-4  # -80 dB of full scale: what counts as the first sound
START_TIMEOUT_S = 120.0  # the first start of all compiles the kernels


@dataclasses.dataclass(frozen=True)
class OfflineRow:
    """Processor time over the time played: `control` computes frames, `render` makes sound of them.

    Processor time, so that what else the machine does meanwhile hardly counts.
    """

    block_size: int
    voices: int
    control: float
    render: float

    @property
    def load(self) -> float:
        return self.control + self.render


@dataclasses.dataclass(frozen=True)
class LiveRow:
    """What was counted while so many voices were held on the device."""

    wanted: int
    voices: int
    load: float
    blocks_due: int
    blocks_played: int
    underruns: int
    late_frames: int


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("noisysynth-bench", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--instrument", type=Path, metavar="FILE.noisy", help="default: the factory instrument")
    parser.add_argument("--voices", metavar="N,N,...", default="1,8,32,64,128,256",
                        help="how many are held live, in turn (default: %(default)s)")  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=2.0, metavar="S", help="per measurement (default: %(default)s)"
    )
    parser.add_argument("--block-size", type=int, default=64, metavar="N", help="of the device (default: %(default)s)")
    parser.add_argument("--host-api", metavar="NAME", help="such as ALSA, JACK or WASAPI; default: the system's")
    parser.add_argument("--offline", action="store_true", help="leave the device alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw them; needs matplotlib")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    return run_command(parser.prog, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    voices = _voices(options.voices)
    for name, value, (low, high) in (
        ("--block-size", options.block_size, BLOCK_SIZES),
        ("--seconds", options.seconds, SECONDS),
    ):
        if not low <= value <= high:
            raise UserError(f"{name} {value} is not between {low} and {high}")
    for path in (options.json, options.plot):
        if path is not None and not path.parent.is_dir():
            raise UserError(f"{path}: there is no folder {path.parent}")
    if options.plot is not None:
        import matplotlib  # what is missing is told before anything is measured

        matplotlib.use("Agg")
    from tqdm import tqdm

    from noisysynth.factory import default_instrument
    from noisysynth.instrument import read_instrument

    path = options.instrument or default_instrument()
    instrument = read_instrument(path)
    steps = len(OFFLINE_BLOCKS) * len(OFFLINE_VOICES) + (0 if options.offline else len(voices) + 1)
    progress = tqdm(total=steps, disable=options.no_progress or None, leave=False)
    results: dict[str, Any] = {"instrument": instrument.name, "harmonics": instrument.spec.n_harmonics}
    try:
        offline = measure_offline(instrument, options.seconds, progress)
        results["offline"] = [{**dataclasses.asdict(row), "load": row.load} for row in offline]
        results["in_real_time"] = {str(block): voices_in_real_time(offline, block) for block in OFFLINE_BLOCKS}
        if not options.offline:
            measure_live(path, options, voices, progress, results)
    finally:
        progress.close()
    _print(results)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.plot is not None:
        draw(results, options.plot)


def _voices(text: str) -> list[int]:
    try:
        voices = [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"--voices {text!r} is no list of numbers such as 1,64,256") from None
    if not all(1 <= each <= MOST_VOICES for each in voices):
        raise UserError(f"--voices {text!r}: each must be 1 to {MOST_VOICES}")
    return voices


# offline


def measure_offline(instrument: Instrument, seconds: float, progress: Any) -> list[OfflineRow]:
    """Every block size with every number of voices, in this process; `progress` is told of each."""
    rows = []
    for block_size in OFFLINE_BLOCKS:
        for voices in OFFLINE_VOICES:
            rows.append(_offline_row(instrument, block_size, voices, seconds))
            progress.update()
    return rows


def _offline_row(instrument: Instrument, block_size: int, voices: int, seconds: float) -> OfflineRow:
    import numpy as np

    from noisysynth.engine.offline import OfflineEngine
    from noisysynth.engine.render import render_block
    from noisysynth.events import EventKind, make_event

    engine = OfflineEngine(instrument, 48_000, block_size)
    for channel, key in _keys(voices):
        engine.rack.handle(make_event(EventKind.NOTE_ON, key, 0.6, channel=channel)[0], 0)
    out = np.zeros((block_size, 2), np.float32)
    arrays = engine.arena.arrays
    control_s = render_s = 0.0
    warm = round(0.3 * engine.sample_rate / block_size)
    blocks = max(1, round(seconds * engine.sample_rate / block_size))
    for block in range(-warm, blocks):
        began = time.process_time()
        while engine.rack.advance():
            pass
        computed = time.process_time()
        render_block(engine.state, *arrays, out)
        rendered = time.process_time()
        if block >= 0:
            control_s += computed - began
            render_s += rendered - computed
    played_s = blocks * block_size / engine.sample_rate
    return OfflineRow(block_size, int(engine.state["active_voices"]), control_s / played_s, render_s / played_s)


def _keys(voices: int) -> list[tuple[int, int]]:
    """Channel and key of so many different notes, spread over five octaves."""
    return [(i // 61, 36 + (i * 7) % 61) for i in range(voices)]


def voices_in_real_time(rows: list[OfflineRow], block_size: int) -> int:
    """Where the line through the loads measured at this block size meets one core's whole time."""
    import numpy as np

    ours = [row for row in rows if row.block_size == block_size]
    per_voice, rest = np.polyfit([row.voices for row in ours], [row.load for row in ours], 1)
    return int((1.0 - rest) / per_voice) if per_voice > 0.0 else 0


# live


def measure_live(
    path: Path, options: argparse.Namespace, voices: list[int], progress: Any, results: dict[str, Any]
) -> None:
    """Fills in `live` and `latency`, or says in `no_device` why there is none."""
    from noisysynth.engine.client import EngineClient
    from noisysynth.engine.messages import AudioChoice

    client = EngineClient()
    try:
        choice = AudioChoice(host_api=options.host_api, block_size=options.block_size)
        client.start(path, choice, timeout_s=START_TIMEOUT_S)
        status = client.status()
        if not status.audio_running:
            lines = [line for line in client.notices() if "sound" in line]
            results["no_device"] = lines[0] if lines else "no sound device"
            return
        results["device"] = {
            "name": status.audio_name,
            "sample_rate": status.sample_rate,
            "block_size": status.block_size,
            "latency_s": status.output_latency_s,
        }
        rows = []
        for wanted in voices:
            rows.append(_live_row(client, wanted, options.seconds))
            progress.update()
        results["live"] = [dataclasses.asdict(row) for row in rows]
        results["latency"] = measure_latency(client)
        progress.update()
    finally:
        client.stop()


def _live_row(client: EngineClient, wanted: int, seconds: float) -> LiveRow:
    for channel, key in _keys(wanted):
        client.note_on(key, 0.6, channel)
    time.sleep(SETTLE_S)
    before, began = client.status(), time.perf_counter()
    loads = []
    while time.perf_counter() - began < seconds:
        loads.append(client.status().load)
        time.sleep(0.02)
    after, ended = client.status(), time.perf_counter()
    client.panic()
    time.sleep(SETTLE_S)
    return LiveRow(
        wanted,
        after.voices,
        sum(loads) / len(loads),
        round((ended - began) * after.sample_rate / after.block_size),
        (after.position - before.position) // after.block_size,
        after.underruns - before.underruns,
        after.late_frames - before.late_frames,
    )


def measure_latency(client: EngineClient, notes: int = LATENCY_NOTES) -> dict[str, float]:
    """From a note's sending to the moment when the block with its first sound was handed to the device.

    That moment is when the engine's clock, looked at without pause, has passed the sound's sample: so it is told too
    late by up to a look (0.1 ms or so), and never too early. The device's own buffer (its latency) comes on top.
    """
    import numpy as np

    delays = []
    client.set_parameter("noise_level", -60.0)
    for i in range(notes):
        while float(np.abs(client.scope()).max()) > SILENCE:
            time.sleep(0.02)
        start = client.status().position
        sent = time.perf_counter()
        client.note_on(60 + i % 12, 1.0)
        looks: list[tuple[float, int]] = []
        while time.perf_counter() - sent < 0.06:
            looks.append((time.perf_counter(), client.status().position))
        client.panic()
        position = client.status().position
        heard = client.scope()
        at = np.flatnonzero(np.abs(heard).max(axis=1) > SILENCE)
        if len(at):
            sample = position - len(heard) + int(at[0])
            handed = next((when for when, reached in looks if reached > sample), None)
            if handed is not None and sample >= start:
                delays.append(handed - sent)
        time.sleep(0.01 + 0.0007 * (i % 13))  # not in step with the blocks
    client.set_parameter("noise_level", 0.0)
    if not delays:
        return {"notes": 0}
    return {
        "notes": len(delays),
        "median_ms": 1e3 * float(np.median(delays)),
        "p99_ms": 1e3 * float(np.percentile(delays, 99)),
    }


# what comes out


def _print(results: dict[str, Any]) -> None:
    print(f"{results['instrument']}, {results['harmonics']} harmonics, 48 kHz, one core, without a device")
    print(f"{'block':>8}{'voices':>8}{'control':>10}{'render':>10}{'load':>10}")
    for row in results["offline"]:
        shares = "".join(f"{100.0 * row[name]:9.1f}%" for name in ("control", "render", "load"))
        print(f"{row['block_size']:8}{row['voices']:8}{shares}")
    for block, voices in results["in_real_time"].items():
        more = f" (the engine has {MOST_VOICES})" if voices > MOST_VOICES else ""
        print(f"one core holds {voices} voices at {block} frames{more}")
    if "no_device" in results:
        print(f"not measured live: {results['no_device']}")
    if "live" in results:
        device = results["device"]
        print(
            f"\n{device['name']}, {device['sample_rate']} Hz, {device['block_size']} frames, "
            f"latency {1e3 * device['latency_s']:.1f} ms"
        )
        print(f"{'voices':>8}{'load':>10}{'due':>10}{'played':>10}{'underruns':>12}{'late frames':>14}")
        for row in results["live"]:
            print(
                f"{row['voices']:8}{100.0 * row['load']:9.1f}%{row['blocks_due']:10,}{row['blocks_played']:10,}"
                f"{row['underruns']:12,}{row['late_frames']:14,}"
            )
        latency = results["latency"]
        if latency["notes"]:
            print(
                f"note to first sound, beyond the device's latency: median {latency['median_ms']:.1f} ms, "
                f"99th percentile {latency['p99_ms']:.1f} ms ({latency['notes']} notes)"
            )
        else:
            print("note to first sound: nothing was heard")


def draw(results: dict[str, Any], path: Path) -> None:
    """Loads over voices, as PNG."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.0, 4.2), layout="constrained")
    for block in OFFLINE_BLOCKS:
        rows = [row for row in results["offline"] if row["block_size"] == block]
        axes.plot([row["voices"] for row in rows], [100.0 * row["load"] for row in rows], "o-",
                  label=f"one core, {block} frames")  # fmt: skip
    live = results.get("live", [])
    if live:
        axes.plot([row["voices"] for row in live], [100.0 * row["load"] for row in live], "s--",
                  label=f"callback alone, live, {results['device']['block_size']} frames")  # fmt: skip
    axes.axhline(100.0, color="grey", linewidth=0.8)
    axes.set(xlabel="voices", ylabel="share of real time, %", title=f"noisysynth-bench: {results['instrument']}")
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
