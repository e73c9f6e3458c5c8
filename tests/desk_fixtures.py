"""Fixture of the tests that play the real window on the real engine.

A test module takes it with `pytest_plugins = ("desk_fixtures", "ui_fixtures")` and must not import from here as well.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import servers
from desk import LATENT_PART, ROOM_S, Desk, note
from engine_tools import RATE
from jack_probe import Probe
from make_instrument import write_test_instrument
from PySide6.QtWidgets import QApplication

from noisysynth.engine.client import EngineClient
from noisysynth.factory import factory_instruments
from noisysynth.instrument import Room
from noisysynth.ui.player import Player
from noisysynth.ui.window import Window

# The manifest tells means over many latents; from some presets, where it is at its end, a direction does little.
START = "Yamaha Grand Piano"
START_S = 240.0  # on a machine that has yet to compile


@pytest.fixture(scope="module")
def desk(
    qapp: QApplication, jack_server: servers.JackServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """Two parts: the test instrument on channel 1, a factory instrument with six directions on channel 2."""
    folder = tmp_path_factory.mktemp("desk")
    response = np.zeros((RATE // 4, 2), np.float32)
    response[round(ROOM_S * RATE)] = 0.5
    organ = write_test_instrument(folder / "Organ.noisy", room=Room(response, RATE))
    window = Window(Player(EngineClient), folder / "session.json")
    player = window.player
    window.restore(organ, {"host_api": "JACK", "block_size": 64})
    window.show()
    ear: Probe | None = None
    try:
        desk = Desk(window, ear := Probe("desk"))
        desk.wait_until(lambda: player.running and not window._restoring, START_S)
        player.rack.add(next(each for each in factory_instruments() if each.stem == "chameleon"))
        desk.wait_until(lambda: player.used == [0, 1] and not player.requests.busy, 30.0)
        player.choose_preset([preset.name for preset in player.presets].index(START), LATENT_PART)
        desk.home[LATENT_PART] = player.values["pad_x"], player.values["pad_y"]
        ear.play_to(jack_server.wait_for_port("noisysynth:in"))
        ear.listen([port for port in jack_server.ports() if ":out_" in port])
        desk.given({})
        start = desk.record(note(0.05, 0.1), 0.2)[:, 0]
        desk.late = int(np.flatnonzero(np.abs(start) > 1e-4)[0]) - round(0.05 * RATE)
        assert 0 < desk.late < 0.02 * RATE
        yield desk
    finally:
        if ear is not None:
            ear.close()
        window.close()
