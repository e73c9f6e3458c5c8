"""The rack on outputs that come and go: a device that is unplugged, plugged in again, or does not open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from make_instrument import make_test_instrument

from noisysynth.engine import playing
from noisysynth.engine.arena import Arena
from noisysynth.engine.control import Inbox
from noisysynth.engine.control_net import ControlNet
from noisysynth.engine.messages import AudioChoice
from noisysynth.engine.offline import SilentStream
from noisysynth.engine.playing import Playing, ServerLostError
from noisysynth.engine.state import SHARED_DTYPE, TAPE_LENGTH, forget_all
from noisysynth.errors import UserError
from noisysynth.events import EventKind, make_event

RATE = 48_000


class Devices:
    """Stands in for the module `audio`: names of devices that are there; `broken` ones are listed and do not open."""

    def __init__(self) -> None:
        self.there = {"Interface", "Built-in"}
        self.broken: set[str] = set()
        self.server = False
        devices = self

        class OutputStream:
            latency_s = 0.003
            load = 0.0

            def __init__(self, state: np.ndarray, arena: Arena, choice: AudioChoice) -> None:
                self.name = devices.find(choice)
                if self.name in devices.broken:
                    raise UserError(f"sound device {self.name!r} cannot be opened: busy")
                self.dies_with_server = devices.server
                self._clock = SilentStream(state, arena, choice.block_size)
                self.sample_rate = self._clock.sample_rate

            @property
            def time(self) -> float:
                return self._clock.time

            @property
            def active(self) -> bool:
                return self.name in devices.there

            def close(self) -> None:
                self._clock.close()

        self.OutputStream = OutputStream

    def find(self, choice: AudioChoice) -> str:
        wanted = choice.device or "Built-in"
        if wanted not in self.there:
            raise UserError(f"sound device {wanted!r} is not there; known: {sorted(self.there)}")
        return wanted

    def rescan(self) -> None:
        pass

    def negotiate(self, choice: AudioChoice) -> int:
        self.find(choice)
        return choice.sample_rate or RATE


class Stage:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.closed = 0
        self.shared = np.zeros(1, SHARED_DTYPE)
        forget_all(self.shared["memory"])
        self.inbox = Inbox()
        self.playing = Playing(self.shared, self.inbox, self.lines.append, self._count)
        instrument = make_test_instrument()
        self.playing.load(0, instrument, ControlNet(instrument))

    def _count(self) -> None:
        self.closed += 1

    @property
    def voices(self) -> int:
        return int(self.shared["state"]["active_voices"][0])

    def tape(self, samples: int) -> np.ndarray:
        newest = int(self.shared["state"]["tape_position"][0, 0])
        return self.shared["state"]["tape"][0][np.arange(newest - samples, newest) % TAPE_LENGTH]

    def hold(self, pitch: int) -> None:
        voices = self.voices
        self.inbox.put(make_event(EventKind.NOTE_ON, pitch, 0.8))
        wait_until(lambda: self.voices == voices + 1)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> Devices:
    devices = Devices()
    monkeypatch.setattr(playing, "audio", devices)
    monkeypatch.setattr(playing, "_LOOK_S", 0.05)
    return devices


@pytest.fixture
def stage(devices: Devices) -> Iterator[Stage]:
    stage = Stage()
    stage.playing._look_s = 0.05
    yield stage
    stage.playing.end()


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_device_that_goes_and_comes_back(devices: Devices, stage: Stage) -> None:
    stage.playing.begin(AudioChoice(device="Interface"), only_this=False)
    assert stage.playing.opened.name == "Interface"
    stage.hold(60)
    stage.hold(64)
    assert not stage.playing.watch()
    devices.there.remove("Interface")
    assert stage.playing.watch()
    assert stage.lines == ["sound device 'Interface' is gone; playing goes on when it is back"]
    assert not stage.playing.opened.running  # rather than on another, which may be the neighbours' loudspeaker
    wait_until(lambda: stage.voices == 2)
    time.sleep(0.1)
    assert not stage.playing.watch()
    devices.there.add("Interface")
    wait_until(stage.playing.watch)
    assert stage.playing.opened.running
    assert stage.lines[1:] == ["playing on 'Interface'"]
    wait_until(lambda: stage.voices == 2)
    stage.inbox.put(make_event(EventKind.NOTE_OFF, 60))
    stage.inbox.put(make_event(EventKind.NOTE_OFF, 64))
    wait_until(lambda: stage.voices == 0)


def test_a_device_that_is_back_but_busy_is_told_once(devices: Devices, stage: Stage) -> None:
    stage.playing.begin(AudioChoice(device="Interface"), only_this=False)
    devices.there.remove("Interface")
    stage.playing.watch()
    devices.there.add("Interface")
    devices.broken.add("Interface")
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        assert not stage.playing.watch()
        time.sleep(0.01)
    assert stage.lines[1:] == ["sound device 'Interface' cannot be opened: busy"]
    devices.broken.clear()
    wait_until(stage.playing.watch)
    assert stage.playing.opened.running


def test_without_the_chosen_device_the_default_plays_and_it_is_told(devices: Devices, stage: Stage) -> None:
    stage.playing.begin(AudioChoice(device="Ghost"), only_this=False)
    assert stage.playing.opened.name == "Built-in"
    assert len(stage.lines) == 1
    assert "'Ghost' is not there" in stage.lines[0]


def test_after_a_restart_it_waits_for_the_chosen_device(devices: Devices, stage: Stage) -> None:
    devices.there.remove("Interface")
    stage.playing.begin(AudioChoice(device="Interface"), only_this=True)
    assert not stage.playing.opened.running
    devices.there.add("Interface")
    wait_until(stage.playing.watch)
    assert stage.playing.opened.name == "Interface"


def test_a_device_that_does_not_open_leaves_the_one_before(devices: Devices, stage: Stage) -> None:
    stage.playing.begin(AudioChoice(device="Interface"), only_this=False)
    stage.hold(60)
    devices.broken.add("Built-in")
    with pytest.raises(UserError, match="busy"):
        stage.playing.reopen(AudioChoice(device="Built-in"))
    assert stage.playing.opened.name == "Interface"
    assert stage.playing.opened.running
    wait_until(lambda: stage.voices == 1)


def test_a_change_of_device_fades_out_and_in(devices: Devices, stage: Stage) -> None:
    stage.playing.begin(AudioChoice(device="Interface"), only_this=False)
    stage.hold(60)
    time.sleep(0.2)
    ends: list[np.ndarray] = []
    close = stage.playing._stream.close

    def closing() -> None:
        close()
        ends.append(stage.tape(4096).copy())

    stage.playing._stream.close = closing  # type: ignore[method-assign,union-attr]
    stage.playing.reopen(AudioChoice(device="Built-in"))
    assert stage.closed == 1
    (end,) = ends
    assert np.abs(end[:1024]).max() > 1e-2
    assert not end[-64:].any()  # silent before the device was let go
    wait_until(lambda: stage.tape(64).any())
    assert np.abs(stage.shared["state"]["tape"][0][:64]).max() < 0.1 * np.abs(end).max()


def test_a_server_that_ended_is_for_another_process_to_find_again(devices: Devices, stage: Stage) -> None:
    devices.server = True
    stage.playing.begin(AudioChoice(), only_this=False)
    devices.there.clear()
    with pytest.raises(ServerLostError):
        stage.playing.watch()
    assert stage.playing.choice.host_api == "JACK"
    devices.there.add("Built-in")


def test_an_instrument_that_is_changed_forgets_the_place_in_the_one_before(devices: Devices, stage: Stage) -> None:
    """An engine that starts anew would put the new instrument there."""
    stage.playing.begin(AudioChoice(), only_this=False)
    memory = stage.shared["memory"][0]
    stage.inbox.put(make_event(EventKind.LATENT, latent=np.ones(4, np.float32)))
    wait_until(lambda: bool(memory["latent_known"][0]))
    instrument = make_test_instrument()
    stage.playing.load(0, instrument, ControlNet(instrument))
    assert not memory["latent_known"][0]


def test_work_for_the_rack_gives_back_what_it_raises(devices: Devices, stage: Stage) -> None:
    stage.playing.begin(AudioChoice(), only_this=False)

    def fail(_: object) -> None:
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        stage.playing.on_rack(fail)
    assert stage.playing.on_rack(lambda rack: rack.now()) >= 0


def test_a_control_thread_that_stumbles_starts_again(devices: Devices, stage: Stage) -> None:
    stage.playing.begin(AudioChoice(), only_this=False)
    stage.hold(60)

    def explode() -> bool:
        raise ZeroDivisionError

    stage.playing._rack.advance = explode  # type: ignore[method-assign,union-attr]
    wait_until(stage.playing.watch)
    assert "stumbled" in stage.lines[-1]
    wait_until(lambda: stage.voices == 1)
