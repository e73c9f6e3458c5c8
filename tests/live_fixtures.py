"""Fixtures of tests that play a live engine.

A test module takes them with `pytest_plugins = ("live_fixtures",)` and must not import from here as well.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rtmidi
import servers
from jack_probe import Probe
from live_tools import JACK, Live, presets
from make_instrument import write_test_instrument

from noisysynth.engine.client import EngineClient


@pytest.fixture(scope="module")
def live_engine(jack_server: servers.JackServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    path = write_test_instrument(tmp_path_factory.mktemp("live") / "test.noisy", presets=presets())
    client = EngineClient()
    client.start(path, JACK, timeout_s=120.0)
    keys = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="test keys")
    keys.open_virtual_port("out")
    ear = Probe("ear")
    try:
        ear.connect(jack_server.wait_for_port("test keys:out"), jack_server.wait_for_port("noisysynth:in"))
        ear.listen([port for port in jack_server.ports() if ":out_" in port])
        yield Live(client, keys, ear)
    finally:
        ear.close()
        keys.delete()
        client.stop()


@pytest.fixture
def live(live_engine: Live) -> Live:
    """The module's engine, at rest."""
    live_engine.rest()
    return live_engine
