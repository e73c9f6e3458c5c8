"""How long from a note to its first sound, and how even a run of notes is: heard at a JACK server's output.

    python benchmarks/note_latency.py [--notes 200] [--block-size 64] [--json FILE]

Starts a JACK server with its dummy driver and the engine on it. A compiled JACK client (tests/jack_probe.py) sends the
notes over JACK MIDI and hears the engine's output, both in the server's own clock: a note is sent at the first frame of
a period, its sound is heard at some frame of this period (0 ms) or a later one. What a device's buffer adds, a period,
comes on top of what is printed. The first sound is the first sample above -100 dB of full scale, of a note that takes
10 ms to rise from nothing; that takes it 5 to 11 samples, which are counted, so the error is never in our favour.

Measured twice: idle, and under load, with the real window repainting 60 times a second (where an X server can be
started) in a process in which a Python thread computes without pause.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import servers
from jack_probe import Probe
from make_instrument import write_test_instrument

from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice

SILENCE = 1e-5
NOTE_S, PAUSE_S = 0.03, 0.12
RUN_NOTES = 16


def first_sound(audio: NDArray[np.float32]) -> int | None:
    """Index of the first sample above SILENCE."""
    loud = np.flatnonzero(np.abs(audio).max(axis=1) > SILENCE)
    return int(loud[0]) if len(loud) else None


def measure_notes(probe: Probe, notes: int, idle: Callable[[], None]) -> dict[str, float]:
    """Send notes one by one, out of step with anything; `idle` is called all the time while waiting."""
    rng = np.random.default_rng(3)
    rate, delays = probe.sample_rate, []
    for _ in range(notes):
        frame = probe.now + round(rate * rng.uniform(0.01, 0.03))
        number = probe.send([0x90, 69, 127], frame)
        probe.send([0x80, 69, 64], frame + round(NOTE_S * rate))
        end = frame + round((NOTE_S + PAUSE_S) * rate)
        while probe.now < end:
            idle()
            time.sleep(0.001)
        sent = probe.sent_at(number)
        start = first_sound(probe.audio(sent - 64, end))
        if start is not None:
            delays.append((start - 64) / rate)
    late = np.array(delays) * 1e3
    return {
        "notes": notes,
        "heard": len(late),
        "median_ms": float(np.median(late)),
        "p99_ms": float(np.percentile(late, 99)),
        "worst_ms": float(late.max()),
    }


def measure_rhythm(probe: Probe, runs: int, idle: Callable[[], None]) -> dict[str, float]:
    """Runs of 16 notes, an uneven 70 to 130 ms apart: how far each sounds from where its run, as sent, puts it."""
    rng = np.random.default_rng(4)
    rate, errors = probe.sample_rate, []
    for _ in range(runs):
        gaps = rng.uniform(0.07, 0.13, RUN_NOTES)
        frames = probe.now + round(0.05 * rate) + np.round(np.cumsum(gaps) * rate).astype(int)
        numbers = []
        for i, frame in enumerate(frames):
            numbers.append(probe.send([0x90, 60 + i, 127], int(frame)))
            probe.send([0x80, 60 + i, 64], int(frame) + round(0.04 * rate))
        end = int(frames[-1]) + round(0.3 * rate)
        while probe.now < end:
            idle()
            time.sleep(0.001)
        audio, base = probe.audio(int(frames[0]) - 4800, end), int(frames[0]) - 4800
        # A note that begins while the one before rings is found by its own pitch: each is a semitone higher.
        starts = [onset_of(audio[:, 0], 60 + i, probe.sent_at(n) - base, rate) for i, n in enumerate(numbers)]
        sent = np.array([probe.sent_at(number) - base for number in numbers])
        offsets = (np.array(starts) - sent) / rate
        errors += list(np.abs(offsets - np.median(offsets)) * 1e3)
        idle()
    return {"runs": runs, "median_ms": float(np.median(errors)), "worst_ms": float(np.max(errors))}


def onset_of(audio: NDArray[np.float32], pitch: int, sent: int, rate: int) -> int:
    """Sample at which something new begins after `sent`: where what was there no longer predicts what comes.

    Linear prediction from the 4 ms before the note: what rings on follows it, what begins does not.
    """
    order, before = 96, round(0.02 * rate)
    past = audio[sent - before : sent].astype(np.float64)
    if np.abs(past).max() < SILENCE:
        return sent + int(np.argmax(np.abs(audio[sent:]) > SILENCE))
    rows = np.lib.stride_tricks.sliding_window_view(past, order + 1)
    taps = np.linalg.lstsq(rows[:, :order], rows[:, order], rcond=1e-9)[0]
    after = np.lib.stride_tricks.sliding_window_view(audio[sent - order : sent + round(0.03 * rate)], order + 1)
    error = np.abs(after[:, :order] @ taps - after[:, order])
    return sent + int(np.argmax(error > max(1e-4, 8.0 * np.abs(rows[:, :order] @ taps - rows[:, order]).max())))


class Shared:
    """The running client, which the window may neither start nor stop."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    def start(self, *_arguments: Any, **_options: Any) -> None:
        pass

    def stop(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Repainting:
    """The real window over a running engine, repainted `fps` times a second as `work` is called."""

    def __init__(self, client: EngineClient, instrument: Path, scratch: Path, fps: float = 60.0) -> None:
        from noisysynth.ui.application import make_application
        from noisysynth.ui.player import Player
        from noisysynth.ui.window import Window

        self._application = make_application()
        self.window = Window(Player(lambda: Shared(client)), scratch / "session.json")
        self.window.restore(instrument, {})
        self.window.show()
        self._period_s = 1.0 / fps
        self._due = time.perf_counter()
        self.repaints = 0

    def work(self) -> None:
        """Let Qt do what it has to, and repaint all when that is due."""
        now = time.perf_counter()
        if now >= self._due:
            self._due = max(self._due + self._period_s, now)
            self.window.repaint()
            self.repaints += 1
        self._application.processEvents()

    def close(self) -> None:
        self.window.close()
        self._application.processEvents()


def quieten(client: EngineClient) -> None:
    """Tones alone, that end at once: what is heard before a note is silence."""
    client.set_parameter("noise_level", -60.0)
    client.set_parameter("amp_release", 0.003)


@contextlib.contextmanager
def busy_thread() -> Iterator[None]:
    """A Python thread that computes without pause."""
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(i * i for i in range(20_000))

    thread = threading.Thread(target=compute, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def listening(server: servers.JackServer, client: EngineClient) -> Iterator[Probe]:
    """A probe that hears the engine and plays it."""
    probe = Probe()
    try:
        probe.play_to(server.wait_for_port("noisysynth:in"))
        probe.listen([port for port in server.ports() if ":out_" in port])
        yield probe
    finally:
        probe.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notes", type=int, default=200, help="per measurement (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of 16 notes, for the rhythm (default: %(default)s)")
    parser.add_argument("--block-size", type=int, default=64)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers and engines end with us
    if shutil.which("jackd") is None:
        print("note_latency: jackd is not installed, so nothing can be heard (Debian: jackd2)")
        return 0
    results: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(servers.jack_dummy_server(scratch / "jackd.log", block_size=options.block_size))
        instrument = write_test_instrument(scratch / "test.noisy")
        client = EngineClient()
        stack.callback(client.stop)
        client.start(instrument, AudioChoice(host_api="JACK", block_size=options.block_size), timeout_s=120.0)
        quieten(client)
        time.sleep(3.0)  # its spare has been started by then
        probe = stack.enter_context(listening(server, client))
        nothing = lambda: None  # noqa: E731
        results["idle"] = measure_notes(probe, options.notes, nothing)
        results["idle rhythm"] = measure_rhythm(probe, options.runs, nothing)
        window: Repainting | None = None
        if shutil.which("Xvfb"):
            import os

            os.environ.update(stack.enter_context(servers.virtual_display(scratch / "xvfb.log")))
            window = Repainting(client, instrument, scratch)
            stack.callback(window.close)
            settled = time.perf_counter() + 3.0
            while time.perf_counter() < settled:
                window.work()
            quieten(client)  # the window has put everything at its own values
        work = window.work if window else nothing
        with busy_thread():
            began, repaints = time.perf_counter(), window.repaints if window else 0
            results["loaded"] = measure_notes(probe, options.notes, work)
            if window:
                results["loaded"]["repaints_per_s"] = (window.repaints - repaints) / (time.perf_counter() - began)
            results["loaded rhythm"] = measure_rhythm(probe, options.runs, work)
        results["xruns"] = int(probe.row["xruns"])
    for label, row in results.items():
        if isinstance(row, dict):
            print(f"{label:14}" + "".join(f"  {name} {value:.2f}" for name, value in row.items()))
    print(f"blocks that the server flagged late: {results['xruns']}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
