"""MIDI inputs that come, go and fail, on a system of MIDI that is only a fake."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from noisysynth.events import EventKind
from noisysynth.midi.ports import MidiInputs


class System:
    """Stands in for the module rtmidi: `names` are its ports, those in `broken` do not open."""

    API_RTMIDI_DUMMY, API_UNSPECIFIED, API_UNIX_JACK, API_LINUX_ALSA = range(4)

    def __init__(self) -> None:
        self.names: list[str] = []
        self.broken: set[str] = set()
        self.playing: dict[str, Callable[[tuple[list[int], float]], None]] = {}

    def get_compiled_api(self) -> list[int]:
        return [self.API_LINUX_ALSA]

    def MidiIn(self, api: int, name: str) -> SimpleNamespace:
        port = SimpleNamespace(name="")

        def open_port(index: int, _: str) -> None:
            if self.names[index] in self.broken:
                raise RuntimeError("in use")
            port.name = self.names[index]

        port.get_ports = lambda: list(self.names)
        port.open_virtual_port = lambda _: None
        port.open_port = open_port
        port.ignore_types = lambda **_: None
        port.set_callback = lambda callback: self.playing.update({port.name: callback})
        port.cancel_callback = lambda: self.playing.pop(port.name)
        port.close_port = port.delete = lambda: None
        return port


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    fake = System()
    monkeypatch.setitem(sys.modules, "rtmidi", fake)  # type: ignore[arg-type]
    return fake


@pytest.fixture
def heard() -> list[np.ndarray]:
    return []


@pytest.fixture
def inputs(system: System, heard: list[np.ndarray]) -> Iterator[MidiInputs]:
    ports = MidiInputs(heard.append, lambda line: None)
    yield ports
    ports.close()


@pytest.mark.parametrize("unplugged", [True, False])
def test_a_keyboard_that_leaves_lets_go_of_its_keys(
    inputs: MidiInputs, system: System, heard: list[np.ndarray], unplugged: bool
) -> None:
    system.names = ["keys"]
    inputs._rescan(announce=False)
    system.playing["keys"](([0x90, 60, 100], 0.0))
    if unplugged:
        system.names = []
        inputs._rescan(announce=False)
    else:
        inputs.listen("keys", False)
    assert "keys" not in system.playing
    assert [int(event["kind"][0]) for event in heard] == [EventKind.NOTE_ON, EventKind.ALL_NOTES_OFF]


def test_a_port_that_failed_is_tried_again_when_it_comes_back(inputs: MidiInputs, system: System) -> None:
    system.names, system.broken = ["keys"], {"keys"}
    inputs._rescan(announce=False)
    system.broken = set()
    inputs._rescan(announce=False)
    assert "keys" not in system.playing  # not every second: each try may be loud
    system.names = []
    inputs._rescan(announce=False)
    system.names = ["keys"]
    inputs._rescan(announce=False)
    assert "keys" in system.playing


def test_nothing_opens_after_the_end(inputs: MidiInputs, system: System) -> None:
    system.names = ["keys"]
    inputs.close()
    system.playing.clear()
    inputs._rescan(announce=False)
    assert not system.playing
