"""Long runs on a JACK server: does the engine keep every block, and does it survive whatever is sent to it?

    python benchmarks/soak/soak.py [--minutes 10] [--only NAME,...] [--docs DIR] [--awake]

Writes DIR/soak.md, soak.json and images/soak.png, also when it is stopped with Ctrl-C.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import report
import servers
import torture
from counting import Counter, Result
from jack_probe import Probe
from make_instrument import write_test_instrument
from note_latency import Repainting
from restless import Restless
from tape import TapeReader
from tqdm import tqdm

from noisysynth.effects import EFFECT_INDEX
from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice
from noisysynth.factory import default_instrument

ROOT = Path(__file__).resolve().parents[2]
SETTLE_S = 5.0  # the spare process starts, kernels come from the cache, the window opens
CLICK_DB = torture.CLICK_DB
TORTURE_SEED = 11
EVENTS_PER_S = 40.0
MOST_RELEASE_S = 30.0
WARM_UP = 0.2  # of a run: what memory is compared with
MOST_GROWTH_MB = 8.0
SPIN_US = 87
RESTLESS = ("restless window", "no window")

Work = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class Stage:
    """What runs on the server; the last two are there together. Each ear hears what its name says."""

    empty: Probe
    empty_ear: Probe
    ear: Probe | None
    engine: EngineClient | None

    @property
    def client(self) -> EngineClient:
        assert self.engine is not None
        return self.engine


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """No processor sleeps: each has a loop of the idle class, which runs only while nothing else wants to.

    A virtual processor that sleeps is given to another machine, and may be a block late when it is woken; a real one
    that sleeps deeply takes its time, too. This tells what of the missed blocks is that.
    """
    loop = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    spinners = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


@contextlib.contextmanager
def stage(block_size: int, engine: bool, scratch: Path) -> Iterator[Stage]:
    """A server with the empty client, and with the engine and an ear if wanted."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(servers.jack_dummy_server(scratch / "jackd.log", block_size=block_size))
        empty, empty_ear = Probe("empty"), Probe("empty-ear")
        stack.callback(empty.close)
        stack.callback(empty_ear.close)
        empty_ear.listen(["empty:silence"])
        client = ear = None
        if engine:
            client = EngineClient()
            stack.callback(client.stop)
            client.start(default_instrument(), AudioChoice(host_api="JACK", block_size=block_size), timeout_s=120.0)
            assert client.status().audio_running, client.notices()
            ear = Probe("ear")
            stack.callback(ear.close)
            ear.listen([port for port in server.ports() if ":out_" in port])
        yield Stage(empty, empty_ear, ear, client)


def run(result: Result, on: Stage, work: Work) -> dict[str, float]:
    """Call `work` with the seconds so far until the time is over; returns the last counts."""
    settled = time.perf_counter() + SETTLE_S
    while time.perf_counter() < settled:
        work(-1.0)
    counter = Counter(result, on.empty, on.empty_ear, on.ear, on.engine)
    bar = tqdm(total=round(result.asked_s), desc=result.name, unit="s")
    try:
        while (elapsed := counter.look()) < result.asked_s:
            work(elapsed)
            bar.update(min(int(elapsed), bar.total) - bar.n)
        result.complete = True
    finally:
        bar.close()
        last = counter.finish()
    return last


def rest(_elapsed: float) -> None:
    time.sleep(0.02)


def empty_client(result: Result, scratch: Path) -> None:
    """Nothing on the server but the client that copies."""
    with stage(result.block_size, False, scratch) as on:
        run(result, on, rest)


def empty_rack(result: Result, scratch: Path) -> None:
    """The engine without an instrument."""
    with stage(result.block_size, True, scratch) as on:
        on.client.unload_instrument(0)
        last = run(result, on, rest)
        _no_more_missed(result, last)


def spinning_client(result: Result, scratch: Path) -> None:
    """A client that only spins, as long in every block as 64 voices take: what this machine denies to anybody's."""
    with stage(result.block_size, False, scratch) as on, contextlib.ExitStack() as stack:
        spinner, ear = Probe("spinner"), Probe("ear")
        for probe in (spinner, ear):
            stack.callback(probe.close)
        ear.listen(["spinner:silence"])
        spinner.row["burn_us"] = SPIN_US
        before = [0, 0]

        def work(elapsed: float) -> None:
            if elapsed < 0.0:
                before[:] = int(spinner.row["skipped"]), int(ear.row["skipped"])
            rest(elapsed)

        run(result, on, work)
        missed = max(int(probe.row["skipped"]) - old for probe, old in zip((spinner, ear), before, strict=True))
        result.totals["missed by the spinning client"] = missed


class Player:
    """Holds so many voices, strikes one anew every 100 ms and morphs all of them without pause."""

    def __init__(self, client: EngineClient, voices: int) -> None:
        self._client = client
        self._keys = [(i // 61, 36 + (i * 7) % 61) for i in range(voices)]
        self._next = 0
        self._due = 0.0

    def dress(self) -> None:
        """Noise, filter, both inserts, all sends and the room."""
        kind = {name: float(1 + EFFECT_INDEX[name]) for name in ("compressor", "equalizer")}
        settings = {
            "noise_level": 0.0, "filter_mode": 2.0, "filter_cutoff": 4000.0, "filter_resonance": 0.3,
            "filter_envelope": 1.0, "insert_1": kind["equalizer"], "insert_2": kind["compressor"], "room": 0.3,
            "send_chorus": -12.0, "send_delay": -12.0, "send_reverb": -9.0, "volume": -20.0, "polyphony": 256.0,
        }  # fmt: skip
        for name, value in settings.items():
            self._client.set_parameter(name, value)

    def start(self) -> None:
        for channel, key in self._keys:
            self._client.note_on(key, 0.6, channel)
            time.sleep(0.01)

    def work(self, elapsed: float) -> None:
        if elapsed < self._due:
            return
        self._due = elapsed + 0.1
        channel, key = self._keys[self._next % len(self._keys)]
        self._next += 1
        self._client.note_off(key, channel)
        self._client.note_on(key, 0.4 + 0.5 * (self._next % 7) / 7.0, channel)
        self._client.set_parameter("pad_x", 0.8 * ((elapsed / 4.0) % 2.0 - 1.0))


def voices(result: Result, scratch: Path, count: int, window: bool) -> None:
    """So many voices with noise, filter and effects; with the real window repainting 60 times a second or without."""
    with contextlib.ExitStack() as stack:
        on = stack.enter_context(stage(result.block_size, True, scratch))
        client = on.client
        painter: Repainting | None = None
        if window:
            os.environ.update(stack.enter_context(servers.virtual_display(scratch / "xvfb.log")))
            os.environ.pop("QT_QPA_PLATFORM", None)
            painter = Repainting(client, default_instrument(), scratch)
            stack.callback(painter.close)
            settled = time.perf_counter() + 3.0
            while time.perf_counter() < settled:  # it sends its own settings when it opens
                painter.work()
                time.sleep(0.001)
        player = Player(client, count)
        player.dress()
        player.start()
        counted: list[float] = []

        def work(elapsed: float) -> None:
            player.work(max(elapsed, 0.0))
            if painter is not None:
                painter.work()
                if elapsed >= 0.0 and not counted:
                    counted.append(painter.repaints)
            time.sleep(0.001)

        last = run(result, on, work)
        if painter is not None and counted:
            result.totals["repaints a second"] = round((painter.repaints - counted[0]) / last["seconds"], 1)
        _no_more_missed(result, last)
        client.panic()


def restless(result: Result, scratch: Path, window: bool) -> None:
    """32 voices, and a window that is paged, resized, minimised, hidden, closed and opened all the time, or none."""
    with contextlib.ExitStack() as stack:
        on = stack.enter_context(stage(result.block_size, True, scratch))
        player = Player(on.client, 32)
        player.dress()
        player.start()
        restless: Restless | None = None
        if window:
            os.environ.update(stack.enter_context(servers.virtual_display(scratch / "xvfb.log", 1920, 1080)))
            os.environ.pop("QT_QPA_PLATFORM", None)
            restless = Restless(on.client, scratch)
            stack.callback(lambda: restless.close())

        def work(elapsed: float) -> None:
            player.work(max(elapsed, 0.0))
            if restless is not None:
                restless.work(max(elapsed, 0.0))
            time.sleep(0.001)

        last = run(result, on, work)
        beyond = last["missed by the engine"] - last["missed by the empty client"]
        result.totals["missed beyond the empty client"] = int(beyond)
        if restless is not None:
            result.totals |= {f"window {what}": times for what, times in sorted(restless.done.items())}
        on.client.panic()


def _window_costs_nothing(results: list[Result]) -> None:
    """With the restless window no more blocks are missed than without one, in the same run."""
    by_name = {result.name: result for result in results if result.complete}
    if all(name in by_name for name in RESTLESS):
        with_window, without = (by_name[name].totals["missed beyond the empty client"] for name in RESTLESS)
        by_name[RESTLESS[0]].bars.append(
            (f"no more blocks missed than without a window ({with_window} and {without})", with_window <= without)
        )


def _no_more_missed(result: Result, last: dict[str, float]) -> None:
    missed, empty = last["missed by the engine"], last["missed by the empty client"]
    result.bars.append(
        (f"no block missed beyond those of the empty client ({missed:.0f} and {empty:.0f})", missed <= empty)
    )


def tortured(result: Result, scratch: Path, keep: Path | None = None) -> None:
    """Random events of every kind on a rack of two instruments in six parts, which change all the time.

    keep: a folder for the second around the loudest click, and for what was sent before it.
    """
    other = write_test_instrument(scratch / "other.noisy")
    instruments = (default_instrument(), other)
    rng = np.random.default_rng(TORTURE_SEED)
    with stage(result.block_size, True, scratch) as on:
        client = on.client
        for part in range(1, 6):
            client.load_instrument(instruments[part % 2], part)
        tape = TapeReader(client)
        heard = Heard(on.empty.sample_rate, keep)
        due, change = [0.0], [5.0]

        def work(elapsed: float) -> None:
            heard.take(tape.read())
            if elapsed < 0.0:
                time.sleep(0.05)
                return
            while due[0] <= elapsed:
                rows = torture.mpe_setting(rng) if rng.uniform() < 0.002 else [torture.random_event(rng)]
                sent = np.concatenate(rows)
                client.send_events(sent)
                heard.sent.extend((heard.now_s, str(row)) for row in sent)
                due[0] += float(rng.choice([0.0, rng.exponential(2.0 / EVENTS_PER_S)]))
            if elapsed >= change[0]:
                change[0] = elapsed + float(rng.uniform(2.0, 8.0))
                part = int(rng.integers(6))
                heard.sent.append((heard.now_s, f"change the instrument of part {part}"))
                if rng.uniform() < 0.2 and part > 0:
                    client.unload_instrument(part)
                else:
                    client.load_instrument(instruments[int(rng.integers(2))], part)
            time.sleep(0.002)

        try:
            run(result, on, work)
        finally:
            _judge(result, client, heard, tape)


class Heard:
    """What the recording says, as it comes in."""

    def __init__(self, sample_rate: int, keep: Path | None = None) -> None:
        self._sample_rate = sample_rate
        self._keep = keep
        self.sent: collections.deque[tuple[float, str]] = collections.deque(maxlen=1000)
        self._rest: NDArray[np.float32] = np.zeros((0, 2), np.float32)
        self.peak = 0.0
        self.click_db, self.click_s = -np.inf, 0.0
        self.finite = True
        self.seconds = 0.0
        self.loud_s = 0.0

    @property
    def now_s(self) -> float:
        """Seconds heard so far."""
        return self.seconds + len(self._rest) / self._sample_rate

    def take(self, audio: NDArray[np.float32]) -> None:
        """The next samples [n, 2]."""
        if not len(audio):
            return
        self.finite &= bool(np.isfinite(audio).all())
        self.peak = max(self.peak, float(np.abs(audio).max()))
        self.loud_s += float((np.abs(audio).max(axis=1) > 0.003).mean()) * len(audio) / self._sample_rate
        self._rest = np.concatenate([self._rest, audio])
        if len(self._rest) >= 3 * self._sample_rate:
            level, at = torture.loudest_click(self._rest, self._sample_rate)
            if level > self.click_db:
                self.click_db, self.click_s = level, self.seconds + at
                self._keep_click(at)
            overlap = self._sample_rate // 4  # what lies at the ends has no two sides yet
            self.seconds += (len(self._rest) - overlap) / self._sample_rate
            self._rest = self._rest[-overlap:]

    def _keep_click(self, at_s: float) -> None:
        if self._keep is None:
            return
        self._keep.mkdir(parents=True, exist_ok=True)
        np.save(self._keep / "click.npy", self._rest)
        lines = [f"click of {self.click_db:.1f} dB at {self.click_s:.4f} s, {at_s:.4f} s into click.npy"]
        lines += [f"{second:.4f} {what}" for second, what in self.sent if self.click_s - 3.0 < second]
        (self._keep / "click.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _judge(result: Result, client: EngineClient, heard: Heard, tape: TapeReader) -> None:
    """Let every key and pedal go, and see what is left."""
    client.send_events(torture.short_releases())
    client.send_events(torture.let_go())
    began = time.perf_counter()
    while client.status().voices and time.perf_counter() - began < MOST_RELEASE_S:
        heard.take(tape.read())
        time.sleep(0.05)
    status = client.status()
    rows = [row for row in result.series if row["seconds"] >= WARM_UP * result.series[-1]["seconds"]]
    growth = rows[-1]["rss_mb"] - rows[0]["rss_mb"]
    result.totals |= {
        "loudest sample": round(heard.peak, 4),
        "most outstanding 2 ms, dB": round(heard.click_db, 1),
        "at second": round(heard.click_s, 1),
        "seconds louder than -50 dB": round(heard.loud_s, 1),
        "numbers that were not finite, made safe": status.non_finite,
        "voices left after all keys went up": status.voices,
        "engine processes replaced": status.restarts,
        "memory grown since the warm-up, MB": round(growth, 1),
    }
    result.bars += [
        ("no stuck note", status.voices == 0),
        ("no sample over full scale, none that is no number", heard.finite and heard.peak <= 1.0),
        (f"no 2 ms stand out of the 100 ms around them by more than {CLICK_DB:.0f} dB, by third differences",
         heard.click_db <= CLICK_DB),
        (f"memory grows by less than {MOST_GROWTH_MB:.0f} MB after the warm-up", growth < MOST_GROWTH_MB),
        ("the engine process lived", status.restarts == 0 and status.alive),
    ]  # fmt: skip


SCENARIOS: dict[str, tuple[str, int, Callable[[Result, Path], None]]] = {
    "empty client": ("An empty JACK client alone, 64 frames", 64, empty_client),
    "spinning client": (f"A client that only spins for {SPIN_US} us in every block, 64 frames", 64, spinning_client),
    "empty rack": ("The engine with an empty rack, 64 frames", 64, empty_rack),
    "64 voices": ("64 voices with noise, filter and effects, the window at 60 frames/s, 64 frames", 64,
                  lambda result, scratch: voices(result, scratch, 64, True)),
    "256 voices": ("256 voices with noise, filter and effects, 128 frames", 128,
                   lambda result, scratch: voices(result, scratch, 256, False)),
    "no window": ("32 voices with noise, filter and effects, 128 frames, no window", 128,
                  lambda result, scratch: restless(result, scratch, False)),
    "restless window": ("The same with a window paged, resized, minimised, hidden, closed and opened, 128 frames", 128,
                        lambda result, scratch: restless(result, scratch, True)),
    "torture": ("Random events of every kind, 128 frames", 128, tortured),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="per scenario (default: %(default)s)")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="default: %(default)s")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the loudest click of the torture, and its cause")
    parser.add_argument("--awake", action="store_true", help="let no processor sleep meanwhile (see `awake`)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers and engines end with us
    names = [name.strip() for name in options.only.split(",")]
    unknown = [name for name in names if name not in SCENARIOS]
    problem = f"there is no scenario {unknown[0]!r}" if unknown else ""
    if options.minutes <= 0.0:
        problem = "--minutes must be above 0"
    if problem:
        print(f"soak: error: {problem}", file=sys.stderr)
        return 2
    results: list[Result] = []
    try:
        for name in names:
            title, block_size, scenario = SCENARIOS[name]
            if options.awake:
                title += ", no processor asleep"
            result = Result(name, title, 60.0 * options.minutes, block_size)
            results.append(result)
            with tempfile.TemporaryDirectory() as scratch, awake() if options.awake else contextlib.nullcontext():
                if scenario is tortured:
                    tortured(result, Path(scratch), options.keep)
                else:
                    scenario(result, Path(scratch))
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in result.totals.items()))
    except KeyboardInterrupt:
        print("soak: stopped; what was measured is written", file=sys.stderr)
        return 130
    finally:
        _window_costs_nothing(results)
        report.write([result for result in results if result.series], options.docs)
        print(f"soak: wrote {options.docs / 'soak.md'}")
    return 0 if all(held for result in results for _, held in result.bars) else 1


if __name__ == "__main__":
    sys.exit(main())
