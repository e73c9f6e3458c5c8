"""Does the audio callback meet its deadline while the window repaints and Python computes?

    python benchmarks/live_deadline.py [--seconds 60] [--voices 32] [--block-size 64] [--json FILE]

Plays in turn, on the device the options name: an engine without notes, and one with a chord, a moving latent, the
real window repainting (where there is a display) and a Python thread that computes without pause in the window's
process. Blocks due and played, underruns as the device flagged them, control frames that came late.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice, EngineStatus
from noisysynth.factory import default_instrument

SETTLE_S = 2.0


def measure(client: EngineClient, seconds: float, during: Any) -> dict[str, float]:
    """Counts over `seconds`, in which `during(elapsed_s)` is called about 100 times a second."""
    time.sleep(SETTLE_S)
    before, started_s = client.status(), time.perf_counter()
    loads = []
    while (elapsed_s := time.perf_counter() - started_s) < seconds:
        during(elapsed_s)
        loads.append(client.status().load)
        time.sleep(0.01)
    after, ended_s = client.status(), time.perf_counter()
    return row(before, after, ended_s - started_s, sum(loads) / len(loads))


def row(before: EngineStatus, after: EngineStatus, elapsed_s: float, load: float) -> dict[str, float]:
    block = after.block_size
    return {
        "blocks due": round(elapsed_s * after.sample_rate / block),
        "blocks played": (after.position - before.position) // block,
        "underruns": after.underruns - before.underruns,
        "late frames": after.late_frames - before.late_frames,
        "voices": after.voices,
        "callback load": round(load, 3),
    }


def with_window(client: EngineClient, instrument: Path, seconds: float, voices: int) -> dict[str, float]:
    """The measurement with notes, in the window's process when there is a display."""
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(i * i for i in range(20_000))

    for i in range(voices):
        client.note_on(36 + i, 0.6)
    busy = threading.Thread(target=compute, daemon=True)
    busy.start()
    process = lambda: None  # noqa: E731
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        from noisysynth.ui.application import make_application
        from noisysynth.ui.player import Player
        from noisysynth.ui.window import Window

        application = make_application()
        # The window saves its session by replacing the file: never name a device here.
        window = Window(Player(lambda: _Shared(client)), Path(tempfile.mkdtemp()) / "session.json")
        window.restore(instrument, {})
        window.show()
        process = application.processEvents

    def during(elapsed_s: float) -> None:
        client.set_parameter("pad_x", 0.8 * ((elapsed_s / 2) % 2 - 1))
        process()

    counts = measure(client, seconds, during)
    stop.set()
    busy.join()
    client.panic()
    return counts


class _Shared:
    """The running client, which the window may neither start nor stop."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    def start(self, *_arguments: Any, **_options: Any) -> None:
        pass

    def stop(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="per measurement (default: %(default)s)")
    parser.add_argument("--voices", type=int, default=32)
    parser.add_argument("--block-size", type=int, default=64)
    parser.add_argument("--host-api", default=None)
    parser.add_argument("--instrument", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    instrument = options.instrument or default_instrument()
    client = EngineClient()
    client.start(instrument, AudioChoice(host_api=options.host_api, block_size=options.block_size))
    try:
        if not client.status().audio_running:
            print("live_deadline: no sound device, so no deadline; start a JACK server with its dummy driver")
            return 0
        results = {
            "silent": measure(client, options.seconds, lambda elapsed_s: None),
            "playing": with_window(client, instrument, options.seconds, options.voices),
        }
    finally:
        client.stop()
    names = list(results["silent"])
    print(f"{'':10}" + "".join(f"{name:>16}" for name in names))
    for label, counts in results.items():
        print(f"{label:10}" + "".join(f"{counts[name]:16,}" for name in names))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
