"""The test servers come up, are found, and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import servers


def test_jack_server_has_playback_ports(jack_server: servers.JackServer) -> None:
    assert "system:playback_1" in jack_server.ports()
    assert os.environ["JACK_DEFAULT_SERVER"] == jack_server.name


def test_portaudio_finds_the_jack_server(jack_server: servers.JackServer) -> None:
    # In a process of its own: PortAudio looks for servers once, when it is first imported.
    code = "import sounddevice; print(sounddevice.query_hostapis())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "JACK Audio Connection Kit" in done.stdout, done.stdout


def test_two_jack_servers_side_by_side_and_nothing_left(tmp_path: Path) -> None:
    with (
        servers.jack_dummy_server(tmp_path / "a.log") as a,
        servers.jack_dummy_server(tmp_path / "b.log", 44_100, 128) as b,
    ):
        assert a.name != b.name
        assert "48000" in a.run("jack_samplerate")
        assert "44100" in b.run("jack_samplerate")
    for server in (a, b):
        assert not list(Path("/dev/shm").glob(f"*{server.name}*"))


def test_display_opens_a_window(display: dict[str, str]) -> None:
    code = (
        "from PySide6.QtWidgets import QApplication, QLabel\n"
        "app = QApplication([]); label = QLabel('noisysynth'); label.show(); app.processEvents()\n"
        "print(app.platformName(), label.isVisible())"
    )
    environment = {**os.environ, **display}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["xcb", "True"], done.stdout + done.stderr
