"""The command `noisysynth`: what it does with and without window, sound and sense; and once for real under X."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import PySide6
import pytest
from fake_engine import FakeEngine
from make_instrument import write_test_instrument
from servers import JackServer

from noisysynth.cli import app
from noisysynth.cli.command import run_command
from noisysynth.engine.messages import AudioChoice
from noisysynth.factory import DEMO_SONG
from noisysynth.ui.display import display_problem, loses_references

NO_DISPLAY = {"PATH": "/usr/bin"}


@pytest.fixture(scope="module")
def instrument(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_test_instrument(tmp_path_factory.mktemp("app") / "Organ.noisy")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """No window, and an engine that is only a fake."""
    fake = FakeEngine()
    monkeypatch.setattr("noisysynth.engine.client.EngineClient", lambda: fake)
    monkeypatch.setattr("noisysynth.ui.display.display_problem", lambda: "there is no screen")
    return fake


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr("noisysynth.cli.render.render_song", lambda *arguments: calls.append(arguments))
    return calls


class TestDisplay:
    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a screen")
    @pytest.mark.parametrize(
        ("environment", "reason"),
        [
            ({}, "neither DISPLAY nor WAYLAND_DISPLAY is set"),
            ({"DISPLAY": ":4321"}, "nothing answers at DISPLAY=:4321"),
            ({"DISPLAY": "nonsense"}, "nothing answers at DISPLAY=nonsense"),
            ({"DISPLAY": "localhost:4321"}, "nothing answers"),
            ({"WAYLAND_DISPLAY": "wayland-77", "XDG_RUNTIME_DIR": "/nowhere"}, "nothing answers at WAYLAND_DISPLAY"),
        ],
    )
    def test_no_screen(self, environment: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("noisysynth.ui.display.loses_references", lambda version: False)
        assert reason in display_problem(environment)

    def test_wayland_socket(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("noisysynth.ui.display.loses_references", lambda version: False)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "wayland-0"))
            server.listen()
            assert display_problem({"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": str(tmp_path)}) == ""

    def test_a_real_x_server(self, display: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("noisysynth.ui.display.loses_references", lambda version: False)
        assert display_problem(display) == ""

    def test_the_broken_qt_is_named(self) -> None:
        assert loses_references("6.12.0") == (sys.version_info < (3, 12))
        assert not loses_references("6.11.3")


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "part"),
        [
            (["--block-size", "4"], "--block-size 4 is not between"),
            (["--sample-rate", "1000000"], "--sample-rate 1000000 is not between"),
            (["no-such-file.noisy"], "no-such-file.noisy: cannot be read"),
        ],
    )
    def test_bad_input_is_one_line(self, arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert app.main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("noisysynth: error: ")
        assert part in error
        assert error.count("\n") == 1

    def test_the_window_gets_what_was_named(self, instrument: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[object] = []
        monkeypatch.setattr("noisysynth.ui.display.display_problem", lambda: "")
        monkeypatch.setattr("noisysynth.ui.application.run_window", lambda *arguments: seen.extend(arguments[:2]) or 0)
        assert app.main([str(instrument), "--host-api", "JACK", "--block-size", "64"]) == 0
        assert seen == [instrument, {"host_api": "JACK", "block_size": 64}]


class TestWithoutWindow:
    def test_plays_until_interrupted(
        self, engine: FakeEngine, instrument: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(_: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(app.time, "sleep", interrupt)
        monkeypatch.setattr(app.signal, "signal", lambda *_: None)
        engine.pending_notices = ["MIDI input found"]
        assert app.main([str(instrument), "--headless", "--block-size", "256"]) == 0
        assert engine.started_with == (instrument, AudioChoice(block_size=256))
        assert engine.stopped == 1
        lines = capsys.readouterr().err
        assert "playing Organ on system" in lines
        assert "Keystation 49" in lines
        assert "MIDI input found" in lines

    def test_parts_tuning_and_recording_are_for_who_plays_without_window(
        self, engine: FakeEngine, instrument: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        def interrupt(_: float) -> None:
            raise KeyboardInterrupt

        told: list[tuple[object, ...]] = []
        monkeypatch.setattr(app.time, "sleep", interrupt)
        monkeypatch.setattr(app.signal, "signal", lambda *_: None)
        monkeypatch.setattr(engine, "load_instrument", lambda path, part: told.append((path, part)))
        monkeypatch.setattr(engine, "load_tuning", lambda scl, kbm: told.append((scl, kbm)))
        monkeypatch.setattr(engine, "start_recording", lambda path: told.append((path,)))
        monkeypatch.setattr(engine, "stop_recording", lambda: 2.0)
        take = tmp_path / "take.wav"
        more = ["--part", str(instrument), "--tuning", "just.scl", "--record", str(take)]
        assert app.main([str(instrument), "--headless", *more]) == 0
        assert told == [(instrument, 1), (Path("just.scl"), None), (take,)]
        assert f"recorded 2.0 s to {take}" in capsys.readouterr().err
        assert app.main([str(instrument), *more]) == 2
        assert "--part goes with --headless" in capsys.readouterr().err
        assert app.main([str(instrument), "--headless", *["--part", str(instrument)] * 16]) == 2

    def test_says_why_there_is_no_window(
        self, engine: FakeEngine, instrument: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine.meters = {"alive": False}
        assert app.main([str(instrument)]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "noisysynth: no window: there is no screen"
        assert lines[-1].startswith("noisysynth: error: ")
        assert engine.stopped == 1

    def test_without_sound_renders_the_demo(
        self,
        engine: FakeEngine,
        instrument: Path,
        rendered: list[tuple[object, ...]],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        engine.sound = False
        engine.pending_notices = ["no sound device found; connect one"]
        out = tmp_path / "demo.wav"
        assert app.main([str(instrument), "--demo-out", str(out)]) == 0
        assert rendered == [(DEMO_SONG, out, instrument)]
        assert engine.stopped == 1
        assert "noisysynth: no sound device found; connect one" in capsys.readouterr().err

    @pytest.mark.parametrize("another_plays", [False, True])
    def test_a_device_asked_for_by_name_must_be_there(
        self,
        another_plays: bool,
        engine: FakeEngine,
        instrument: Path,
        rendered: list[tuple[object, ...]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        engine.sound = another_plays
        engine.pending_notices = ["MIDI input found", "sound device 'Ghost' is not there; known: none"]
        assert app.main([str(instrument), "--headless", "--audio-device", "Ghost"]) == 2
        assert "error: sound device 'Ghost' is not there" in capsys.readouterr().err
        assert not rendered
        assert engine.stopped == 1

    def test_an_engine_that_does_not_start(
        self, engine: FakeEngine, instrument: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        engine.refuse = "the engine does not come up"
        assert app.main([str(instrument), "--headless"]) == 2
        assert "noisysynth: error: the engine does not come up" in capsys.readouterr().err
        assert engine.stopped == 1


@pytest.mark.alone
def test_help_is_fast() -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "noisysynth.cli.app", "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    for heavy in ("numpy", "numba", "PySide6", "onnxruntime"):
        assert f"| {heavy}" not in done.stderr.replace("|   ", "| ")
    assert time.monotonic() - started < 10.0


@pytest.fixture(scope="module")
def running(
    display: dict[str, str], jack_server: JackServer, instrument: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[str]]:
    """The real application: a window under X, sound through JACK."""
    if loses_references(PySide6.__version__):
        pytest.fail("PySide6 6.12.0 would end the application; install another version", pytrace=False)
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, **display, **jack_server.environment, "XDG_CONFIG_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "noisysynth.cli.app", str(instrument)],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.config_home = home  # type: ignore[attr-defined]
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_real_window_plays_and_ends_cleanly_on_interrupt(
    running: subprocess.Popen[str], jack_server: JackServer
) -> None:
    jack_server.wait_for_port("out", timeout_s=120.0)  # the engine's output: it is up
    time.sleep(1.0)
    assert running.poll() is None, running.communicate()
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=30.0)
    assert running.returncode == 0, errors
    assert "Traceback" not in errors + output
    assert (running.config_home / "noisysynth" / "session.json").is_file()  # type: ignore[attr-defined]


def test_a_package_that_only_training_needs_is_asked_for_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")

    assert run_command("noisysynth-train", run) == 2
    line = "noisysynth-train: error: the Python package 'torch' is missing; 'make setup' installs it\n"
    assert capsys.readouterr().err == line

    def broken() -> None:
        raise ModuleNotFoundError("No module named 'noisysynth.gone'", name="noisysynth.gone")

    with pytest.raises(ModuleNotFoundError):
        run_command("noisysynth", broken)
