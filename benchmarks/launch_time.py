"""How long it takes from the program's start to the first sound one can play: `python benchmarks/launch_time.py`.

The app with its window, on an X server without a screen and a JACK server with its dummy driver. From the moment at
which the process is started, a JACK client of this script looks for the app's ports, connects them, and strikes a key
every 20 ms; the first sample above -80 dB is the first possible sound. Every run begins with an empty folder for
settings, as the very first does, but finds the kernels compiled; `--cold` measures the first start of all, which
compiles them.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import servers
from jack_probe import Probe, _function

THRESHOLD = 10.0 ** (-80.0 / 20.0)
STRIKE_S = 0.02
PATIENCE_S = 400.0
REST_S = 2.0  # between runs: the spare engine of the run before ends as well
KEYS = range(48, 72)


def main() -> int:
    parser = argparse.ArgumentParser("launch_time", description=__doc__.split(":")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--headless", action="store_true", help="without the window")
    parser.add_argument("--cold", action="store_true", help="compile the kernels in every run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="noisysynth-launch-")))
        environment = dict(os.environ)
        if not options.headless:
            environment |= stack.enter_context(servers.virtual_display(scratch / "xvfb.log"))
        server = stack.enter_context(servers.jack_dummy_server(scratch / "jackd.log", block_size=128))
        environment |= server.environment
        kernels = scratch / "kernels" if options.cold else Path(os.environ.get("NUMBA_CACHE_DIR", scratch / "kernels"))
        environment["NUMBA_CACHE_DIR"] = str(kernels)
        if not options.cold:
            launch(scratch, environment, options.headless)  # whatever has to be compiled is compiled now
        rows = []
        for number in range(options.runs):
            if options.cold:
                shutil.rmtree(kernels, ignore_errors=True)
            rows.append(launch(scratch, environment, options.headless))
            print(
                f"run {number + 1}: " + ", ".join(f"{name} {value:.2f} s" for name, value in rows[-1].items()),
                flush=True,
            )
    print("\n| seconds from the start of the process to | best | median | worst |\n|---|---|---|---|")
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"| {name} | {min(values):.2f} | {statistics.median(values):.2f} | {max(values):.2f} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def launch(scratch: Path, environment: dict[str, str], headless: bool) -> dict[str, float]:
    """Start the app, wait for its first sound, end it; seconds from the start to each step."""
    home = Path(tempfile.mkdtemp(prefix="home-", dir=scratch))
    folders = {name: str(home / name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    command = [sys.executable, "-m", "noisysynth.cli.app", "--host-api", "JACK"] + ["--headless"] * headless
    probe = Probe("ear")
    app: subprocess.Popen[str] | None = None
    try:
        began_s = time.perf_counter()
        app = subprocess.Popen(
            command, env={**environment, **folders}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )
        return _first_sound(probe, app, began_s)
    finally:
        probe.close()
        if app is not None:
            servers.stop(app)
        time.sleep(REST_S)


def _first_sound(probe: Probe, app: subprocess.Popen[str], began_s: float) -> dict[str, float]:
    steps: dict[str, float] = {}
    heard = probe.now
    struck_s, key = 0.0, 0
    while time.perf_counter() - began_s < PATIENCE_S:
        if app.poll() is not None:
            raise RuntimeError(f"the app ended with {app.returncode}")
        now_s = time.perf_counter()
        if "MIDI port" not in steps and (ports := _ports(probe, "noisysynth:in")):
            steps["MIDI port"] = now_s - began_s
            probe.play_to(ports[0])
        if "sound device" not in steps and len(ports := _ports(probe, ":out_")) >= 2:
            steps["sound device"] = now_s - began_s
            probe.listen(ports)
        if len(steps) == 2 and now_s - struck_s > STRIKE_S:
            struck_s, key = now_s, key + 1
            probe.send([0x90, KEYS[key % len(KEYS)], 110])
        new = probe.now
        if new > heard and np.abs(probe.audio(heard, new)).max() > THRESHOLD:
            return {name: steps[name] for name in ("sound device", "MIDI port")} | {"first sound": now_s - began_s}
        heard = new
        time.sleep(0.001 if len(steps) == 2 else 0.01)
    raise RuntimeError(f"no sound within {PATIENCE_S:.0f} s")


def _ports(probe: Probe, part: str) -> list[str]:
    """Ports of the server with `part` in their names."""
    get_ports: Any = _function(
        "jack_get_ports",
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_int64,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_ulong,
    )
    names = get_ports(probe._client, part.encode(), None, 0)
    found: list[str] = []
    while names and names[len(found)] is not None:
        found.append(names[len(found)].decode())
    _function("jack_free", None, ctypes.c_void_p)(ctypes.cast(names, ctypes.c_void_p))
    return found


if __name__ == "__main__":
    sys.exit(main())
