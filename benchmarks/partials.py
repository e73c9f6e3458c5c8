"""How many partials play in real time on one core: `python benchmarks/partials.py [--json FILE] [--plot FILE.png]`.

Voices of 100 partials at 48 kHz, blocks of 64, all on the same core in one run: our kernel alone, whole voices as the
audio callback plays them (control frames, pan, tilt, a 24 dB filter, noise, master, limiter), Csound's adsynt2 with the
same voices, and FluidSynth's sampled voices, which are counted as notes. The limit is what this core does when the
kernel's mix of operations never waits for anything. Only ratios mean something on another machine.

Csound and FluidSynth run offline, with the user time of a run without voices taken off; the Debian packages are csound,
fluidsynth and fluid-soundfont-gm. What is missing is told and left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.harmonic import add_partials
from noisysynth.dsp.lanes import WIDTH, add, broadcast, fma, store
from noisysynth.dsp.oscillator import fill_rotation
from noisysynth.engine.arena import Arena
from noisysynth.engine.queues import push_command, push_frames
from noisysynth.engine.render import render_block
from noisysynth.engine.state import (
    CONTROLS,
    NOISE_BANDS,
    PARTS,
    QUANTUM,
    RACK,
    STATE_DTYPE,
    Command,
    Control,
    PartSetting,
    RackSetting,
    frame_samples,
    prepare,
)
from noisysynth.parameters import FILTER_MODES

RATE = 48_000
PARTIALS = 100
VOICES = 256
AHEAD = 8  # control frames sent at once
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
FREQUENCIES_HZ = 60.0 * (210.0 / 60.0) ** (np.arange(VOICES) / VOICES)  # all 100 partials below Nyquist
AMPLITUDES = (1.0 / np.arange(1, PARTIALS + 1) / VOICES).astype(np.float32)


@jit
def _tones(out, rotation, ramp, amps, frequencies, phases, blocks):  # type: ignore[no-untyped-def]
    for _ in range(blocks):
        for v in range(len(frequencies)):
            hz = frequencies[v]
            phases[v] = fill_rotation(rotation[0], rotation[1], QUANTUM, phases[v], hz, hz, RATE)
            add_partials(out, QUANTUM, rotation[0], rotation[1], ramp, amps, amps, PARTIALS)


@jit
def _limit(out, start, rounds):  # type: ignore[no-untyped-def]
    """The operations of two partials on two vectors, each with a register to itself: 10 fused ones, 6 additions."""
    u = broadcast(np.float32(start))
    x0 = x1 = x2 = x3 = x4 = x5 = x6 = x7 = x8 = x9 = u
    y0 = y1 = y2 = y3 = y4 = y5 = u
    for _ in range(rounds):
        x0 = fma(x0, u, u)
        x1 = fma(x1, u, u)
        y0 = add(y0, u)
        x2 = fma(x2, u, u)
        x3 = fma(x3, u, u)
        y1 = add(y1, u)
        x4 = fma(x4, u, u)
        y2 = add(y2, u)
        x5 = fma(x5, u, u)
        x6 = fma(x6, u, u)
        y3 = add(y3, u)
        x7 = fma(x7, u, u)
        x8 = fma(x8, u, u)
        y4 = add(y4, u)
        x9 = fma(x9, u, u)
        y5 = add(y5, u)
    x0 = add(add(add(x0, x1), add(x2, x3)), add(add(x4, x5), add(x6, x7)))
    y0 = add(add(add(y0, y1), add(y2, y3)), add(add(y4, y5), add(x8, x9)))
    store(out, 0, WIDTH, add(x0, y0))


def limit() -> float:
    """Partials in real time if the kernel did nothing but its arithmetic, at full speed."""
    rounds = 2_000_000
    out = np.zeros(WIDTH, np.float32)
    _limit(out, 0.5, 1)
    start = time.process_time()
    _limit(out, 0.5, rounds)
    return rounds * 4 * WIDTH / RATE / (time.process_time() - start)


def kernel() -> float:
    """Partials in real time, with the fundamental's sines."""
    blocks = 50
    out = np.zeros(QUANTUM, np.float32)
    rotation = np.zeros((2, QUANTUM), np.float32)
    ramp = (np.arange(QUANTUM) / QUANTUM).astype(np.float32)
    phases = np.zeros(VOICES)
    _tones(out, rotation, ramp, AMPLITUDES, FREQUENCIES_HZ, phases, 1)
    start = time.process_time()
    _tones(out, rotation, ramp, AMPLITUDES, FREQUENCIES_HZ, phases, blocks)
    return VOICES * PARTIALS * blocks * QUANTUM / RATE / (time.process_time() - start)


class Engine:
    """The engine's render path with a frame for each voice as often as the control thread sends one."""

    def __init__(self, voices: int) -> None:
        record = np.zeros(1, STATE_DTYPE)
        prepare(record, RATE)
        self.record, self.state = record, record[0]
        self.state["start_gain"] = 1.0
        target = self.state["setting_target"]
        target[:PARTS, PartSetting.VOLUME] = target[RACK, RackSetting.VOLUME] = 1.0
        target[:PARTS, PartSetting.FILTER_MODE] = FILTER_MODES.index("Low-pass 24")
        self.arrays = Arena(RATE).arrays
        self.voices = voices
        self.frame = 0
        self.out = np.zeros((AHEAD * frame_samples(RATE), 2), np.float32)
        self._push(2)
        for voice in range(voices):
            push_command(self.record, int(Command.START), voice, 1, 0, 0, PARTIALS)
        self.play()

    def _push(self, frames: int) -> None:
        shape = (self.voices, frames)
        controls = np.zeros((*shape, CONTROLS), np.float32)
        wave = np.sin(0.1 * (self.frame + np.arange(frames)))  # everything is on the move
        controls[..., Control.RATIO] = 1.0 + 0.01 * wave
        controls[..., Control.LEFT] = 0.5 + 0.3 * wave
        controls[..., Control.RIGHT] = 0.5 - 0.3 * wave
        controls[..., Control.TONE] = controls[..., Control.NOISE] = 1.0
        controls[..., Control.TILT] = wave
        controls[..., Control.CUTOFF] = 12.0 + wave
        controls[..., Control.RESONANCE] = 2.0
        ones = np.ones(shape, np.float32)
        harmonics = np.zeros((*shape, PARTIALS), np.float32)
        harmonics[:] = AMPLITUDES * (1.0 + 0.3 * wave[:, None])
        noise = np.full((*shape, NOISE_BANDS), 1e-4, np.float32)
        hz = np.broadcast_to(FREQUENCIES_HZ[: self.voices, None], shape).copy()
        numbers = np.arange(self.voices)
        first = np.full(self.voices, self.frame)
        push_frames(self.record, numbers, np.ones_like(numbers), first, hz, ones, ones, harmonics, noise, controls)
        self.frame += frames

    def play(self) -> float:
        """Seconds that the callback takes for AHEAD frames of all voices. In one call, for Python's own takes long."""
        self._push(AHEAD)
        start = time.process_time()
        render_block(self.state, *self.arrays, self.out)
        return time.process_time() - start


def engine() -> float:
    """Partials in real time that the callback plays, with everything a voice does."""
    rounds = 6
    playing = Engine(VOICES)
    taken_s = sum(playing.play() for _ in range(rounds))
    if int(playing.state["active_voices"]) != VOICES or playing.state["late_frames"] or not playing.out.any():
        raise RuntimeError("the engine did not play what it was told")
    return VOICES * PARTIALS * rounds * AHEAD * frame_samples(RATE) / RATE / taken_s


def user_seconds(command: list[str]) -> float:
    """User time of a command that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-400:]}")
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def csound_text(voices: int, seconds: float) -> str:
    """adsynt2: sines of a table at ratios and amplitudes of two more, amplitudes interpolated."""
    ratios = " ".join(str(k) for k in range(1, PARTIALS + 1))
    amplitudes = " ".join(f"{a:.6g}" for a in AMPLITUDES)
    notes = "\n".join(f"i 1 0 {seconds} {hz:.4f}" for hz in FREQUENCIES_HZ[:voices])
    return f"""<CsoundSynthesizer>
<CsInstruments>
sr = {RATE}
ksmps = {QUANTUM}
nchnls = 1
0dbfs = 1
instr 1
  aTone adsynt2 1, p4, 1, 2, 3, {PARTIALS}
  out aTone
endin
</CsInstruments>
<CsScore>
f 1 0 8192 10 1
f 2 0 -{PARTIALS} -2 {ratios}
f 3 0 -{PARTIALS} -2 {amplitudes}
{notes}
f 0 {seconds}
e
</CsScore>
</CsoundSynthesizer>
"""


def csound(folder: Path) -> float | None:
    """Partials in real time that Csound's adsynt2 plays."""
    if shutil.which("csound") is None:
        print("csound is not installed: left out")
        return None
    seconds = 4.0
    taken_s = []
    for voices in (64, 0):
        file = folder / f"{voices}.csd"
        file.write_text(csound_text(voices, seconds))
        command = ["csound", "-n", "-d", "-m0", str(file)]
        taken_s.append(min(user_seconds(command) for _ in range(5)))
    return 64 * PARTIALS * seconds / (taken_s[0] - taken_s[1])


def fluidsynth(folder: Path) -> float | None:
    """Sustained notes in real time that FluidSynth plays from samples, without its effects."""
    if shutil.which("fluidsynth") is None or not SOUNDFONT.exists():
        print(f"fluidsynth or {SOUNDFONT} is not installed: left out")
        return None
    seconds, channels, keys = 10, (0, 1, 2, 3), range(36, 84)
    taken_s = []
    for sounding in (True, False):
        track = mido.MidiTrack()
        for channel in channels:
            track.append(mido.Message("program_change", channel=channel, program=48))  # strings, which do not decay
            if sounding:
                track.extend(mido.Message("note_on", channel=channel, note=key, velocity=60) for key in keys)
        # 120 beats a minute, 480 ticks a beat. FluidSynth plays on until every note is over.
        for channel in channels:
            wait = seconds * 960 if channel == 0 else 0
            track.append(mido.Message("control_change", channel=channel, control=120, value=0, time=wait))
        song = mido.MidiFile(ticks_per_beat=480)
        song.tracks.append(track)
        file = folder / f"{sounding}.mid"
        song.save(file)
        settings = ["-R", "0", "-C", "0", "-r", str(RATE), "-z", str(QUANTUM), "-o", "synth.polyphony=4096"]
        command = ["fluidsynth", "-niq", *settings, "-F", str(folder / "out.wav"), str(SOUNDFONT), str(file)]
        taken_s.append(min(user_seconds(command) for _ in range(5)))
    return len(channels) * len(keys) * seconds / (taken_s[0] - taken_s[1])


def measure() -> dict[str, float]:
    """What each plays in real time on this core; ours are the best of interleaved rounds."""
    ours: dict[str, Callable[[], float]] = {"limit": limit, "kernel": kernel, "engine": engine}
    rows = {name: 0.0 for name in ours}
    for _ in range(7):
        for name, run in ours.items():
            rows[name] = max(rows[name], run())
    with tempfile.TemporaryDirectory() as folder:
        others: dict[str, Callable[[Path], float | None]] = {"csound": csound, "fluidsynth_notes": fluidsynth}
        for name, run_other in others.items():
            result = run_other(Path(folder))
            if result is not None:
                rows[name] = result
    return rows


LABELS = {
    "limit": "this core's limit for the kernel's operations",
    "kernel": "kernel",
    "engine": "whole voices, as the callback plays them",
    "csound": "Csound adsynt2",
}


def report(rows: dict[str, float]) -> None:
    reference = rows.get("csound")
    print(f"{'on one core, 48 kHz, 100 partials a voice':48}{'partials':>10}{'voices':>8}{'x Csound':>10}")
    for name, label in LABELS.items():
        if name in rows:
            ratio = f"{rows[name] / reference:10.1f}" if reference else ""
            print(f"{label:48}{rows[name]:10,.0f}{rows[name] / PARTIALS:8,.0f}{ratio}")
    if "fluidsynth_notes" in rows:
        print(f"{'FluidSynth, sampled notes without effects':48}{'':10}{rows['fluidsynth_notes']:8,.0f}")


def plot(rows: dict[str, float], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in reversed(LABELS) if name in rows]
    figure, axes = pyplot.subplots(figsize=(8, 2.5), layout="constrained")
    colors = ["0.75" if name in ("limit", "csound") else "tab:blue" for name in names]
    bars: Any = axes.barh([LABELS[name] for name in names], [rows[name] for name in names], color=colors)
    axes.bar_label(bars, [f"{rows[name]:,.0f}" for name in names], padding=3)
    axes.margins(x=0.15)
    axes.set_xlabel("partials in real time on one core, 48 kHz")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw them here")
    options = parser.parse_args()
    with contextlib.suppress(AttributeError):  # only Linux lets a process choose its core
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows = measure()
    report(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
