"""The installed program as a whole: its command, a window under X, a MIDI port, and what leaves the JACK server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_tools import RATE, level_db
from heard import SILENT_DB, middle, partial_db, pitch_hz
from jack_probe import Probe
from make_instrument import write_test_instrument
from numpy.typing import NDArray
from servers import JackServer, missing

START_S = 240.0  # on a machine that has yet to compile
KEY, HZ = 69, 440.0


@pytest.fixture(scope="module")
def instrument(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_test_instrument(tmp_path_factory.mktemp("app") / "Organ.noisy")


@pytest.fixture
def app(
    display: dict[str, str], jack_server: JackServer, instrument: Path, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], Probe]]:
    """The program, started as a player starts it, and the one who plays and listens."""
    command = Path(sysconfig.get_path("scripts")) / "noisysynth"
    if not command.is_file():
        missing("the command noisysynth is not installed")
    environment = {**os.environ, **display, **jack_server.environment, "XDG_CONFIG_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [command, str(instrument)],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    ear = Probe("app ear")
    try:
        ear.play_to(jack_server.wait_for_port("noisysynth:in", START_S))
        jack_server.wait_for_port(":out_1", START_S)
        ear.listen([port for port in jack_server.ports() if ":out_" in port])
        yield process, ear
    finally:
        ear.close()
        if process.poll() is None:
            process.kill()
        process.communicate()


def listen(ear: Probe, seconds: float, after_s: float = 0.15) -> NDArray[np.float32]:
    start = ear.now + round(after_s * RATE)
    return ear.audio(start, start + round(seconds * RATE))


def test_it_is_played_and_turned_and_keeps_what_was_set(
    app: tuple[subprocess.Popen[str], Probe], tmp_path: Path
) -> None:
    process, ear = app
    assert level_db(listen(ear, 0.2)) < SILENT_DB
    ear.send([0x90, KEY, 100])
    loud = listen(ear, 0.3)
    assert pitch_hz(middle(loud), HZ) == pytest.approx(HZ, rel=0.001)
    ear.send([0xB0, 7, 100])  # volume, -60 to 6 dB: -8.0 dB, after the -6 of the start
    assert level_db(listen(ear, 0.3), loud) == pytest.approx(-2.0, abs=0.3)
    ear.send([0xB0, 74, 127])  # tilt, up to 9 dB an octave
    bright = listen(ear, 0.3)
    over = [partial_db(middle(audio), 8 * HZ) - partial_db(middle(audio), HZ) for audio in (loud, bright)]
    assert over[1] - over[0] == pytest.approx(27.0, abs=1.0)
    ear.send([0x80, KEY, 0])
    assert level_db(listen(ear, 0.2, after_s=1.2)) < SILENT_DB

    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30.0)
    assert process.returncode == 0, errors
    assert "Traceback" not in output + errors
    values = _session(tmp_path)
    assert values["volume"] == pytest.approx(-60.0 + 66.0 * 100.0 / 127.0, abs=0.01)
    assert values["brightness"] == pytest.approx(9.0, abs=0.01)


def _session(folder: Path) -> dict[str, float]:
    """Values of the first part as the session has them."""
    kept = json.loads((folder / "noisysynth" / "session.json").read_text())
    values: dict[str, float] = kept["rack"]["parts"][0]["values"]
    return values


def test_a_killed_window_leaves_its_session_and_no_engine(
    app: tuple[subprocess.Popen[str], Probe], jack_server: JackServer, tmp_path: Path
) -> None:
    process, ear = app
    ear.send([0xB0, 10, 0])  # pan, all the way to the left
    deadline = time.monotonic() + 20.0
    while not (tmp_path / "noisysynth" / "session.json").is_file() or _session(tmp_path).get("pan", 0.0) > -0.99:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.kill()
    process.wait(10.0)
    while any("noisysynth" in port and ":in" in port for port in jack_server.ports()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
