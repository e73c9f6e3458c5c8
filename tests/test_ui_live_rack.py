"""The window's rack on a real engine: parts are played through a real MIDI port and heard at the server's output."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rtmidi
import servers
from engine_tools import RATE, level_db
from jack_probe import Probe
from live_tools import Live
from make_instrument import write_test_instrument
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from noisysynth.engine.client import EngineClient
from noisysynth.spec import midi_to_hz
from noisysynth.ui.player import Player
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

KEY = 57
START_MS = 240_000  # on a machine that has yet to compile


@pytest.fixture
def rack(
    qtbot: QtBot, jack_server: servers.JackServer, instrument_file: Path, session_file: Path
) -> Iterator[tuple[Window, Live]]:
    """A window whose first part is on channel 1 and whose second, of another instrument, is on channel 2."""
    window = Window(Player(EngineClient), session_file)
    qtbot.addWidget(window)
    window.restore(instrument_file, {"host_api": "JACK", "block_size": 256})
    window.show()
    player = window.player
    qtbot.waitUntil(lambda: player.running and not window._restoring, timeout=START_MS)
    keys = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="rack keys")
    keys.open_virtual_port("out")
    ear = Probe("rack ear")
    try:
        ear.connect(jack_server.wait_for_port("rack keys:out"), jack_server.wait_for_port("noisysynth:in"))
        ear.listen([port for port in jack_server.ports() if ":out_" in port])
        player.set_parameter("channel", 1.0)
        player.rack.add(write_test_instrument(session_file.parent / "Reed.noisy", name="Reed"))
        qtbot.waitUntil(lambda: player.used == [0, 1] and not player.requests.busy)
        player.choose_preset(1)  # the bright one
        player.set_parameter("channel", 2.0)
        for part in range(2):
            player.set_parameter("noise_level", -60.0, part)
            player.set_parameter("brightness", 0.0, part)
        client = player.client
        assert client is not None
        qtbot.wait(200)
        yield window, Live(client, keys, ear)
    finally:
        ear.close()
        keys.delete()
        window.close()


def play(rack: tuple[Window, Live], qtbot: QtBot, channel: int) -> NDArray[np.float32]:
    """What a key of this channel sounds like."""
    window, live = rack
    live.on(KEY, channel=channel)
    audio = live.hear(0.3)
    live.off(KEY, channel=channel)
    qtbot.waitUntil(lambda: (status := window.player.status()) is not None and status.voices == 0)
    return audio


def harmonic_db(audio: NDArray[np.float32], partial: int, key: float = KEY) -> float:
    """Level of a partial over that of the fundamental."""
    n = 1 << 18
    spectrum = np.abs(np.fft.rfft(audio[:, 0] * np.blackman(len(audio)), n))

    def near(hz: float) -> float:
        at = round(hz * n / RATE)
        return float(spectrum[at - 40 : at + 40].max())

    hz = float(midi_to_hz(key))
    return 20.0 * float(np.log10(near(partial * hz) / near(hz)))


def test_a_second_part_on_channel_2_is_an_instrument_of_its_own(rack: tuple[Window, Live], qtbot: QtBot) -> None:
    window, live = rack
    player = window.player
    first, second = (play(rack, qtbot, channel) for channel in range(2))
    assert harmonic_db(second, 5) > harmonic_db(first, 5) + 2.0  # its own preset
    assert level_db(play(rack, qtbot, 2)) < -80.0  # nobody listens there

    window.knobs.knobs["transpose"].change_value(12.0)  # of the second, which is edited
    qtbot.wait(100)
    assert harmonic_db(play(rack, qtbot, 1), 1, KEY + 12) == 0.0
    moved = play(rack, qtbot, 1)
    assert harmonic_db(moved, 2) > 20.0  # an octave up: the first partial is gone
    assert harmonic_db(play(rack, qtbot, 0), 5) == pytest.approx(harmonic_db(first, 5), abs=1.5)

    player.choose_part(0)
    window.knobs.knobs["volume"].change_value(-26.0)
    qtbot.wait(100)
    assert level_db(play(rack, qtbot, 0), first) == pytest.approx(-20.0, abs=1.5)
    assert level_db(play(rack, qtbot, 1), moved) == pytest.approx(0.0, abs=1.5)

    live.on(KEY, channel=1)
    window.rack.strips[1].controls["mute"].change_value(1.0)
    assert level_db(live.hear(0.2)) < -80.0
    window.rack.strips[1].controls["mute"].change_value(0.0)
    assert level_db(live.hear(0.2), moved) == pytest.approx(0.0, abs=2.0)
    status = player.status()
    assert status is not None
    assert status.part_voices[:3] == (0, 1, 0)
    assert status.part_peaks[1] > 0.01
    live.off(KEY, channel=1)
