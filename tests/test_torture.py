"""Random events of every kind, offline and live: what is heard stays sound, and nothing is left when all is let go.

The long version is `make soak`.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import servers
import torture
from engine_tools import RATE, engine
from jack_probe import Probe
from make_instrument import make_test_instrument, write_test_instrument

from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice
from noisysynth.events import EventKind
from noisysynth.factory import default_instrument
from noisysynth.instrument import read_instrument

OFFLINE_S, LIVE_S = 20.0, 10.0
EVENTS_PER_S = 30.0


def test_a_click_stands_out() -> None:
    """The measure itself: a step of a hundredth is found in a tone, and no attack, end, or noise is taken for one."""
    rng = np.random.default_rng(1)
    time_s = np.arange(2 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220.0 * time_s) * np.minimum(1.0, time_s / 0.002)
    tone[RATE:] *= np.exp(-(time_s[RATE:] - 1.0) / 0.003)
    tone += 1e-4 * rng.normal(size=len(tone))
    level, _ = torture.loudest_click(tone[:, None].astype(np.float32), RATE)
    assert level < torture.CLICK_DB
    tone[RATE // 2 :] += 0.01
    level, at_s = torture.loudest_click(tone[:, None].astype(np.float32), RATE)
    assert level > torture.CLICK_DB + 6
    assert abs(at_s - 0.5) < 0.005


def test_random_events_are_of_every_kind() -> None:
    rng = np.random.default_rng(2)
    events = torture.random_music(rng, 60.0, RATE)
    assert set(events["kind"]) == {int(kind) for kind in EventKind}
    assert set(events["channel"]) == set(range(16))
    assert not np.isfinite(events["value"]).all()
    assert not np.isfinite(events["latent"]).all()


def test_torture_offline() -> None:
    rng = np.random.default_rng(7)
    instruments = (read_instrument(default_instrument()), make_test_instrument())
    live = engine(block_size=512)
    for part in range(1, 6):
        live.load(part, instruments[part % 2])
    stretches = []
    for _ in range(4):
        length = round(OFFLINE_S / 4 * RATE)
        music = torture.random_music(rng, OFFLINE_S / 4, RATE, EVENTS_PER_S)
        music["time"] += live.rack.now()
        stretches.append(live.render(music, length))
        live.load(int(rng.integers(6)), instruments[int(rng.integers(2))])
    audio = np.concatenate(stretches)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= 1.0
    assert (np.abs(audio).max(axis=1) > 0.003).mean() > 0.2  # it played
    level, at_s = torture.loudest_click(audio, RATE)
    assert level < torture.CLICK_DB, f"a click of {level:.1f} dB at {at_s:.3f} s"
    last = np.concatenate([torture.short_releases(), torture.let_go()])
    last["time"] = live.rack.now()
    live.render(last, 6 * RATE)
    assert live.rack.voices.sounding.sum() == live.state["active_voices"] == 0
    assert not live.memory["held"].any()
    assert not live.memory["pedal"].any()


@pytest.mark.usefixtures("jack_server")
def test_torture_live(jack_server: servers.JackServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """At a real device, in real time, with instruments that change meanwhile; heard at the server's output."""
    rng = np.random.default_rng(8)
    other = write_test_instrument(tmp_path_factory.mktemp("torture") / "other.noisy")
    files = (default_instrument(), other)
    client, ear = EngineClient(), Probe("ear")
    try:
        client.start(files[0], AudioChoice(host_api="JACK", block_size=64), timeout_s=120.0)
        for part in range(1, 4):
            client.load_instrument(files[part % 2], part)
        ear.listen([port for port in jack_server.ports() if ":out_" in port])
        start, began = ear.now, time.perf_counter()
        events = torture.random_music(rng, LIVE_S, RATE, EVENTS_PER_S)
        due_s = events["time"] / RATE
        events["time"] = -1
        change_s = 1.0
        for event, due in zip(events, due_s, strict=True):
            time.sleep(max(0.0, began + due - time.perf_counter()))
            client.send_events(event.reshape(1))
            if due > change_s:
                client.load_instrument(files[int(rng.integers(2))], int(rng.integers(4)))
                change_s += 2.0
        audio = ear.audio(start, start + round(LIVE_S * RATE))
        client.send_events(np.concatenate([torture.short_releases(), torture.let_go()]))
        deadline = time.monotonic() + 15.0
        while client.status().voices and time.monotonic() < deadline:
            time.sleep(0.05)
        status = client.status()
    finally:
        ear.close()
        client.stop()
    # Clicks are looked for offline and in the long run: a busy machine's server leaves gaps of its own.
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= 1.0
    assert (np.abs(audio).max(axis=1) > 0.003).mean() > 0.2
    assert status.voices == 0
    assert (status.alive, status.restarts, status.non_finite) == (True, 0, 0)
