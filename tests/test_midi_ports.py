"""MIDI inputs that come, go and fail, on a system of MIDI that is only a fake; and JACK's, whose server dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import servers

from noisysynth.events import EventKind
from noisysynth.midi import ports as ports_module
from noisysynth.midi.ports import MidiInputs

Heard = list[np.ndarray]


class System:
    """Stands in for the module rtmidi: `names` are its ports, those in `broken` do not open."""

    API_UNSPECIFIED, API_RTMIDI_DUMMY, API_LINUX_ALSA, API_UNIX_JACK = range(4)

    def __init__(self) -> None:
        self.names: dict[int, list[str]] = {self.API_LINUX_ALSA: [], self.API_UNIX_JACK: []}
        self.broken: set[str] = set()
        self.playing: dict[str, Callable[[tuple[list[int], float]], None]] = {}
        self.jack_lives = False
        self.hanging = threading.Event()  # cleared: calls hang
        self.hanging.set()
        self._rtmidi = SimpleNamespace(__file__="rtmidi.so")

    def get_compiled_api(self) -> list[int]:
        return [self.API_LINUX_ALSA, self.API_UNIX_JACK, self.API_RTMIDI_DUMMY]

    def MidiIn(self, api: int, name: str) -> SimpleNamespace:
        if api == self.API_UNIX_JACK and not self.jack_lives:
            raise RuntimeError("no server")
        port = SimpleNamespace(name="")

        def get_ports() -> list[str]:
            self.hanging.wait(10.0)
            return list(self.names[api])

        def open_port(place: int, _: str) -> None:
            if self.names[api][place] in self.broken:
                raise RuntimeError("in use")
            port.name = self.names[api][place]

        def open_virtual_port(_: str) -> None:
            port.name = f"virtual {api}"

        port.get_ports = get_ports
        port.open_virtual_port = open_virtual_port
        port.open_port = open_port
        port.ignore_types = lambda **which: setattr(port, "ignored", which)
        port.set_callback = lambda callback: self.playing.update({port.name: callback})
        port.cancel_callback = lambda: self.playing.pop(port.name)
        queue: deque[object] = deque()

        def deliver(message: object) -> None:
            queue.append(message)
            while queue:
                time.sleep(0.001)
            time.sleep(0.01)  # the last one is taken, but maybe not yet passed on

        def get_message() -> object:
            self.playing.setdefault(port.name, deliver)  # who looks, listens
            return queue.popleft() if queue else None

        port.get_message = get_message
        port.close_port = port.delete = lambda: None
        return port

    def JackServer(self, _library: str, _name: str) -> SimpleNamespace:
        lives = lambda: self.jack_lives  # noqa: E731
        return SimpleNamespace(connect=lives, alive=lives, close=lambda: None)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    fake = System()
    monkeypatch.setitem(sys.modules, "rtmidi", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(ports_module, "JackServer", fake.JackServer)
    return fake


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def inputs(system: System, heard: Heard, told: list[str]) -> Iterator[MidiInputs]:
    ports = MidiInputs(lambda event, came_s: heard.append(event), told.append)
    yield ports
    system.hanging.set()
    assert ports.close()


def plug(system: System, inputs: MidiInputs, *names: str) -> None:
    system.names[system.API_LINUX_ALSA] = list(names)
    assert inputs.rescan()


def said(events: Heard) -> list[tuple[EventKind, int, int]]:
    return [(EventKind(int(row["kind"][0])), int(row["channel"][0]), int(row["index"][0])) for row in events]


@pytest.mark.parametrize("unplugged", [True, False])
def test_a_keyboard_that_leaves_lets_go_of_what_it_holds(
    inputs: MidiInputs, system: System, heard: Heard, unplugged: bool
) -> None:
    plug(system, inputs, "keys", "other")
    for message in (
        [0x90, 60, 100], [0x91, 62, 100], [0x90, 64, 100], [0x80, 64, 0], [0xB0, 64, 127], [0xB0, 66, 127],
        [0xB0, 66, 0], [0xB0, 7, 100], [0xE0, 0, 10], [0xD1, 90], [0xD0, 90], [0xD0, 0],
    ):  # fmt: skip
        system.playing["keys"]((message, 0.0))
    system.playing["other"](([0x90, 72, 100], 0.0))
    late = system.playing["keys"]
    heard.clear()
    if unplugged:
        plug(system, inputs, "other")
    else:
        inputs.listen("keys", False)
    assert "keys" not in system.playing
    assert sorted(said(heard)) == [
        (EventKind.NOTE_OFF, 0, 60),
        (EventKind.NOTE_OFF, 1, 62),
        (EventKind.PITCH_BEND, 0, 0),
        (EventKind.CONTROL_CHANGE, 0, 64),
        (EventKind.CHANNEL_PRESSURE, 1, 0),
    ]
    assert all(event["value"][0] == 0.0 for event in heard)
    late(([0x90, 60, 100], 0.0))  # was on its way
    assert len(heard) == 5


def test_ports_come_and_go_with_one_line_each(inputs: MidiInputs, system: System, told: list[str]) -> None:
    plug(system, inputs, "keys")
    plug(system, inputs, "keys")
    plug(system, inputs)
    plug(system, inputs)
    plug(system, inputs, "keys")
    assert told == [
        "MIDI input 'keys' is there and plays",
        "MIDI input 'keys' is gone; it plays again when it is back",
        "MIDI input 'keys' is there and plays",
    ]
    assert inputs.ports() == [("keys", True)]


def test_what_is_there_at_the_start_needs_no_line(system: System, told: list[str]) -> None:
    system.names[system.API_LINUX_ALSA] = ["keys"]
    inputs = MidiInputs(lambda event, came_s: None, told.append)
    assert inputs.ports() == [("keys", True)]
    assert inputs.close()
    assert not told


def test_the_player_chooses(inputs: MidiInputs, system: System, told: list[str]) -> None:
    inputs.listen("keys", False)
    plug(system, inputs, "keys", "pads")
    assert inputs.ports() == [("keys", False), ("pads", True)]
    inputs.listen("keys", True)
    assert inputs.ports() == [("keys", True), ("pads", True)]


def test_two_of_the_same_name_both_play(inputs: MidiInputs, system: System) -> None:
    plug(system, inputs, "keys", "keys", "noisysynth:in")
    assert inputs.ports() == [("keys", True), ("keys (2)", True)]


def test_new_ports_are_found_without_asking(inputs: MidiInputs, system: System) -> None:
    system.names[system.API_LINUX_ALSA] = ["keys"]
    deadline = time.monotonic() + 5.0
    while "keys" not in system.playing and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "keys" in system.playing


def test_a_port_that_failed_is_tried_again_when_it_comes_back(
    inputs: MidiInputs, system: System, told: list[str]
) -> None:
    system.broken = {"keys"}
    plug(system, inputs, "keys")
    system.broken = set()
    plug(system, inputs, "keys")
    assert "keys" not in system.playing  # not every second: each try may be loud
    assert told == ["MIDI input 'keys' cannot be opened: in use"]
    plug(system, inputs)
    plug(system, inputs, "keys")
    assert "keys" in system.playing


def test_nothing_opens_after_the_end(inputs: MidiInputs, system: System) -> None:
    inputs.close()
    system.names[system.API_LINUX_ALSA] = ["keys"]
    assert not inputs.rescan()
    assert not system.playing


def test_one_port_keeps_the_time(
    inputs: MidiInputs, system: System, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(system, inputs, "keys", "drums")
    now = [100.0]
    monkeypatch.setattr("noisysynth.midi.port.time.monotonic", lambda: now[0])
    system.playing["keys"](([0xFA], 0.0))
    for _ in range(24):
        now[0] += 0.02
        system.playing["keys"](([0xF8], 0.0))
        system.playing["drums"](([0xF8], 0.0))
    assert said(heard) == [(EventKind.TRANSPORT, 0, 1)] + 24 * [(EventKind.CLOCK, 0, 0)]
    now[0] += 1.1
    heard.clear()
    system.playing["drums"](([0xF8], 0.0))
    assert said(heard) == [(EventKind.CLOCK, 0, 0)]


@pytest.mark.alone
def test_a_system_that_hangs_keeps_nobody_waiting(system: System, told: list[str]) -> None:
    inputs = MidiInputs(lambda event, came_s: None, told.append)
    system.hanging.clear()
    assert not inputs.rescan()
    started = time.monotonic()
    assert inputs.ports() == []
    inputs.listen("keys", False)
    assert time.monotonic() - started < 0.5
    assert not inputs.close()
    system.hanging.set()
    assert inputs.close()


def test_jack_takes_over_where_it_shows_devices(
    inputs: MidiInputs, system: System, heard: Heard, told: list[str]
) -> None:
    plug(system, inputs, "keys 20:0")
    told.clear()
    system.jack_lives = True
    assert inputs.ports() == [("keys 20:0", True)]  # no bridge: the keyboard is not on JACK
    assert told == ["the JACK server is there; MIDI through it plays"]
    assert "virtual 3" in system.playing
    system.names[system.API_UNIX_JACK] = ["a2j:keys", "sequencer:out"]
    assert inputs.ports() == [("a2j:keys", True), ("sequencer:out", False)]
    system.playing["a2j:keys"](([0x90, 60, 100], 0.0))
    system.playing["virtual 3"](([0x90, 62, 100], 0.0))
    told.clear()
    heard.clear()
    system.jack_lives = False
    assert inputs.ports() == [("keys 20:0", True)]
    assert sorted(said(heard)) == [(EventKind.NOTE_OFF, 0, 60), (EventKind.NOTE_OFF, 0, 62)]
    assert told == ["the JACK server is gone; MIDI through it plays again when it is back"]
    system.jack_lives = True
    assert inputs.ports() == [("a2j:keys", True), ("sequencer:out", False)]
    assert told[1:] == ["the JACK server is there; MIDI through it plays"]


def test_a_system_without_midi_says_so(system: System, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "get_compiled_api", lambda: [system.API_UNIX_JACK])
    inputs = MidiInputs(lambda event, came_s: None, told.append)
    assert inputs.ports() == []
    assert told == ["no MIDI: the system offers none; the computer keyboard and the mouse still play"]
    assert inputs.close()


# Listens, and prints what it hears and is told. The server is JACK's default one.
LISTENER = """
    import sys, threading, time
    from noisysynth.midi.ports import MidiInputs
    inputs = MidiInputs(lambda event, came_s: print(int(event["kind"][0]), int(event["index"][0]), flush=True),
                        lambda line: print(line, flush=True))
    def beat():
        while True:
            time.sleep(0.1)
            print("beat", flush=True)
    if "beat" in sys.argv:
        threading.Thread(target=beat, daemon=True).start()
    print("listening", inputs.ports(), flush=True)
    sys.stdin.read()
    print("closed", inputs.close(), flush=True)
"""
PLAYER = """
    import rtmidi, sys, time
    out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="player")
    out.open_port(out.get_ports().index("noisysynth:in"))
    time.sleep(0.3)
    out.send_message([0x90, int(sys.argv[1]), 100])
    time.sleep(0.3)
"""


class Listener:
    """LISTENER as a process, and what it printed so far."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(LISTENER), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def wait_for(self, part: str) -> None:
        deadline = time.monotonic() + 20.0
        while not any(part in line for line in self.lines):
            assert time.monotonic() < deadline, f"no {part!r} in {self.lines}"
            time.sleep(0.02)

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(20.0)
        self._thread.join(5.0)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def listener(request: pytest.FixtureRequest) -> Iterator[Callable[..., Listener]]:
    started: list[Listener] = []

    def start(*arguments: str) -> Listener:
        started.append(Listener(*arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.end()


def play(key: int) -> None:
    subprocess.run([sys.executable, "-c", textwrap.dedent(PLAYER), str(key)], check=True, timeout=30)


@pytest.mark.jack
def test_a_jack_server_dies_and_returns(tmp_path: Path, listener: Callable[..., Listener]) -> None:
    with servers.jack_dummy_server(tmp_path / "1.log", block_size=256) as server:
        name = server.name
        listening = listener()
        server.wait_for_port("noisysynth:in")
        play(60)
        listening.wait_for("1 60")
    listening.wait_for("JACK server is gone")
    listening.wait_for("2 60")  # the key that was down goes up
    with servers.jack_dummy_server(tmp_path / "2.log", block_size=256, name=name) as server:
        server.wait_for_port("noisysynth:in")
        listening.wait_for("JACK server is there")
        play(62)
        listening.wait_for("1 62")
        assert listening.end() == 0
    assert "closed True" in listening.lines
    assert sum("JACK server is gone" in line for line in listening.lines) == 1
    assert not [line for line in listening.lines if "Cannot" in line or "not running" in line]


@pytest.mark.jack
def test_a_jack_server_that_hangs_stops_only_its_own_thread(tmp_path: Path, listener: Callable[..., Listener]) -> None:
    with servers.jack_dummy_server(tmp_path / "jack.log", block_size=256) as server:
        listening = listener("beat")
        server.wait_for_port("noisysynth:in")
        listening.wait_for("listening")
        os.kill(server.pid, signal.SIGSTOP)
        try:
            time.sleep(1.5)
            before = len(listening.lines)
            time.sleep(1.0)
            assert len(listening.lines) - before >= 5
            assert listening.end() == 0
            assert "closed False" in listening.lines
        finally:
            os.kill(server.pid, signal.SIGCONT)
