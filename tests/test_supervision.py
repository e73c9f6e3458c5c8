"""What may happen to an engine and its surroundings while somebody plays: killed, held, without its sound server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import servers
from make_instrument import write_test_instrument

from noisysynth.engine import control, keeper
from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice
from noisysynth.errors import UserError
from noisysynth.events import EventKind

JACK = AudioChoice(host_api="JACK", block_size=64)
CHORD = (57, 60, 64)

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes cannot be killed here"),
]


@pytest.fixture(scope="module")
def instrument(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_test_instrument(tmp_path_factory.mktemp("instrument") / "test.noisy")


@pytest.fixture(scope="module")
def shared_client(jack_server: servers.JackServer, instrument: Path) -> Iterator[EngineClient]:
    engine = EngineClient()
    engine.start(instrument, JACK)
    yield engine
    engine.stop()


@pytest.fixture
def client(shared_client: EngineClient) -> EngineClient:
    """At rest, with a spare process that is ready, as after a few seconds of play."""
    engine = shared_client
    engine.panic()
    wait_until(lambda: engine.status().voices == 0)
    wait_until(lambda: engine._keeper.spare is not None and engine._keeper.spare.warm, 60.0)
    engine._keeper._deaths.clear()
    engine.notices()
    return engine


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> float:
    """Seconds it took."""
    began_s = time.monotonic()
    while not condition():
        assert time.monotonic() - began_s < timeout_s
        time.sleep(0.005)
    return time.monotonic() - began_s


def sounds(engine: EngineClient) -> bool:
    status = engine.status()
    return status.audio_running and float(np.abs(engine.scope()[-256:]).max()) > 1e-3


def kill(engine: EngineClient) -> None:
    """End the engine's process, and see to it that no sound of it is left to be taken for its successor's."""
    pid = engine._keeper.pid
    os.kill(pid, signal.SIGKILL)
    restarts = engine.status().restarts
    wait_until(lambda: engine.status().restarts > restarts or engine._keeper.given_up)


def test_a_chord_sounds_on_within_two_seconds(client: EngineClient, instrument: Path, tmp_path: Path) -> None:
    """With all that the rack was: parts, parameters, latents, tuning."""
    scale = tmp_path / "low.scl"
    scale.write_text("low\n 12\n" + "".join(f"{100.0 * i}\n" for i in range(1, 13)))
    client.load_instrument(instrument, part=3)
    client.load_tuning(scale)
    client.set_parameter("brightness", 4.0)
    client.set_parameter("pan", -1.0, part=3)
    client.set_parameter("transpose", 12.0, part=3)
    for pitch in CHORD:
        client.note_on(pitch, 0.8)
    wait_until(lambda: client.status().voices == 2 * len(CHORD))
    kill(client)
    assert wait_until(lambda: sounds(client)) < 2.0
    assert client.status().alive
    wait_until(lambda: client.status().voices == 2 * len(CHORD))
    assert client.parameter_values()["brightness"] == 4.0
    assert client.parameter_values(3)["pan"] == -1.0
    assert client.parameter_values(3)["transpose"] == 12.0
    lines = client.notices()
    assert any("ended unexpectedly" in line for line in lines)
    wait_until(lambda: any("the engine is back" in line for line in lines + client.notices()))
    for pitch in CHORD:
        client.note_off(pitch)
    wait_until(lambda: client.status().voices == 0)
    client.unload_instrument(3)
    client.reset_tuning()


def test_a_key_let_go_meanwhile_is_not_heard_again(client: EngineClient) -> None:
    for pitch in CHORD:
        client.note_on(pitch, 0.8)
    wait_until(lambda: client.status().voices == len(CHORD))
    os.kill(client._keeper.pid, signal.SIGSTOP)  # so that nobody reads what is sent now
    client.note_off(CHORD[0])
    client.note_on(72, 0.8)
    client.set_parameter("volume", -12.0)
    kill(client)
    wait_until(lambda: sounds(client))
    wait_until(lambda: client.status().voices == len(CHORD))
    held = client._shared["memory"][0]["held"][0]
    assert list(np.flatnonzero(held)) == sorted((*CHORD[1:], 72))


def test_events_sent_while_there_is_no_engine_reach_the_next(client: EngineClient) -> None:
    restarts = client.status().restarts
    os.kill(client._keeper.pid, signal.SIGKILL)
    wait_until(lambda: not client._keeper._link.alive or client.status().restarts > restarts)
    client.set_parameter("volume", -20.0)
    client.send(EventKind.PITCH_BEND, value=0.5)
    wait_until(lambda: client.status().restarts > restarts and client.status().audio_running)
    wait_until(lambda: client.parameter_values()["volume"] == -20.0)
    wait_until(lambda: client._shared["memory"][0]["bend"][0] == 0.5)


def test_a_key_of_a_keyboard_that_may_be_up_does_not_sound_for_ever(client: EngineClient) -> None:
    """What a MIDI keyboard sends while there is no engine is lost."""
    time.sleep(1.0)  # the panic at the start of each test is forgotten
    client._shared["memory"][0]["held"][5, 60] = 0.7  # as the engine writes it down
    kill(client)
    wait_until(lambda: client.status().voices == 1)
    wait_until(lambda: client.status().voices == 0, control.DOUBTFUL_S + 5.0)
    assert client._shared["memory"][0]["held"][5, 60] == 0.0


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be held here")
def test_an_engine_that_hangs_is_replaced(client: EngineClient) -> None:
    client.note_on(60, 0.8)
    wait_until(lambda: client.status().voices == 1)
    hanging = client._keeper.pid
    os.kill(hanging, signal.SIGSTOP)
    wait_until(lambda: client._keeper.pid != hanging, keeper.HANG_S + 5.0)
    wait_until(lambda: sounds(client))
    assert any("hangs" in line for line in client.notices())


def test_an_instrument_that_is_gone_by_then_is_told(client: EngineClient, instrument: Path, tmp_path: Path) -> None:
    other = write_test_instrument(tmp_path / "other.noisy")
    client.load_instrument(other, part=1)
    time.sleep(0.5)
    other.unlink()
    client.note_on(60, 0.8)
    kill(client)
    wait_until(lambda: sounds(client))
    lines: list[str] = []
    wait_until(lambda: bool(lines.extend(client.notices()) or any("other.noisy" in line for line in lines)))


def test_it_gives_up_on_an_engine_that_dies_at_once_and_leaves_nothing_behind(client: EngineClient) -> None:
    """The last test of the shared engine."""
    pids, name = [], client._memory.name
    for _ in range(keeper.MOST_DEATHS):
        pids += [client._keeper.pid, client._keeper.spare.pid if client._keeper.spare else client._keeper.pid]
        kill(client)
        wait_until(lambda: client.status().audio_running or not client.status().alive)
    assert not client.status().alive
    assert sum("start noisysynth again" in line for line in client.notices()) == 1
    client.note_on(60, 1.0)
    with pytest.raises(UserError, match="not running"):
        client.audio_devices()
    client.stop()
    for pid in pids:
        wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists())
    assert not Path(f"/dev/shm/{name}").exists()


def test_a_sound_server_may_end_and_come_back(instrument: Path, tmp_path: Path) -> None:
    engine = EngineClient()
    try:
        with servers.jack_dummy_server(tmp_path / "first.log") as server:
            engine.start(instrument, JACK)
            assert engine.status().audio_running
            for pitch in CHORD:
                engine.note_on(pitch, 0.8)
            wait_until(lambda: engine.status().voices == len(CHORD))
        lines: list[str] = []

        def told(text: str) -> bool:
            lines.extend(engine.notices())
            return any(text in line for line in lines)

        wait_until(lambda: told("JACK server has ended"))
        wait_until(lambda: not engine.status().audio_running)
        wait_until(lambda: engine.status().voices == len(CHORD))  # unheard
        assert engine.status().alive
        with servers.jack_dummy_server(tmp_path / "second.log", name=server.name):
            wait_until(lambda: sounds(engine))
            wait_until(lambda: told("playing on"))
            assert engine.status().voices == len(CHORD)
            assert not any("unexpectedly" in line for line in lines)
            engine.stop()
    finally:
        engine.stop()
