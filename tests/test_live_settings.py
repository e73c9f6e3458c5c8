"""What the settings and the monitor promise, with a real engine on a real server: heard at its output."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from engine_tools import dominant_hz, level_db
from live_tools import JACK, Live, wait_until

from noisysynth.engine.checkup import Measured, measure_blocks
from noisysynth.engine.render_tone import TONE_GAIN, TONE_HZ
from noisysynth.errors import UserError

pytest_plugins = ("live_fixtures",)

TONE_DB = 20.0 * np.log10(TONE_GAIN / np.sqrt(2.0))


def listen(live: Live) -> None:
    """Connect the ear again: a device that was opened anew has new ports."""
    client = live.client

    def ports() -> list[str]:
        import servers

        names = servers.JackServer("", 0, 0, 0, {}).ports()
        return [port for port in names if ":out_" in port]

    wait_until(lambda: client.status().audio_running and len(ports()) == 2)
    live.ear.listen(ports())


def test_the_test_tone_is_heard_left_right_and_on_both(live: Live) -> None:
    place_s = 0.5
    for _ in range(5):  # a block that the machine lost on the way to our ear would be a jump in phase
        skipped = int(live.ear.row["skipped"])
        start = live.ear.now
        live.client.test_tone(3 * place_s)
        audio = live.ear.audio(start, start + round((3 * place_s + 0.6) * live.ear.sample_rate))
        if int(live.ear.row["skipped"]) == skipped:
            break
    rate = live.ear.sample_rate
    began = int(np.flatnonzero(np.abs(audio[:, 0]) > 0.01)[0])
    for place, sounding in enumerate(((True, False), (False, True), (True, True))):
        heard = audio[began + round((place + 0.3) * place_s * rate) : began + round((place + 0.8) * place_s * rate)]
        for channel, on in enumerate(sounding):
            if on:
                assert level_db(heard[:, channel]) == pytest.approx(TONE_DB, abs=1.0)
                assert dominant_hz(heard[:, channel], 200.0, 1000.0) == pytest.approx(TONE_HZ, abs=2.0)
            else:
                assert level_db(heard[:, channel]) < -80.0
    assert level_db(audio[began + round((3 * place_s + 0.2) * rate) :]) < -80.0


def test_the_tone_ends_when_asked(live: Live) -> None:
    live.client.test_tone(30.0)
    assert level_db(live.hear(0.2)[:, 0]) == pytest.approx(TONE_DB, abs=1.0)
    live.client.test_tone(0.0)
    assert level_db(live.hear(0.2)) < -80.0


def test_what_comes_in_can_be_watched(live: Live) -> None:
    client = live.client
    client.watch_midi(True)
    _, since = client.midi_messages(1 << 60)
    before_s = time.perf_counter()
    live.on(60, 100, channel=2)
    live.control(74, 33)
    live.send([0xE0, 0, 80], [0xF8], [0xF0, 0x7E, 0x7F, 0x06, 0x01, 0xF7])
    live.off(60, channel=2)
    wait_until(lambda: client.midi_messages(since)[1] >= since + 6)
    messages, after = client.midi_messages(since)
    assert [bytes(each.data) for each in messages] == [
        bytes([0x92, 60, 100]), bytes([0xB0, 74, 33]), bytes([0xE0, 0, 80]), b"\xf8",
        bytes([0xF0, 0x7E, 0x7F, 0x06, 0x01, 0xF7]), bytes([0x82, 60, 64]),
    ]  # fmt: skip
    assert {each.port for each in messages} == {"other programs"}
    times = [each.came_s for each in messages]
    assert times == sorted(times)
    assert before_s - 0.01 < times[0] < time.perf_counter()
    client.watch_midi(False)
    live.control(74, 34)
    time.sleep(0.1)
    assert client.midi_messages(after) == ([], after)


def test_midi_clock_is_told_from_our_own_tempo(live: Live) -> None:
    before = live.client.status().clock_ticks
    for _ in range(10):
        live.send([0xF8])
    wait_until(lambda: live.client.status().clock_ticks == before + 10)


def test_a_tuning_tells_its_name(live: Live, tmp_path: Path) -> None:
    path = tmp_path / "two.scl"
    path.write_text("! two.scl\nTwo notes\n 2\n 600.0\n 2/1\n")
    assert live.client.load_tuning(path) == "Two notes"
    live.client.reset_tuning()
    with pytest.raises(UserError, match=r"none\.scl"):
        live.client.load_tuning(tmp_path / "none.scl")


def test_the_checkup_speaks_of_this_machine(live: Live) -> None:
    topics = {finding.topic: finding for finding in live.client.checkup()}
    assert {"processor", "priority", "network"} <= topics.keys()
    assert "CPU" in topics["network"].text or "CUDA" in topics["network"].text


def test_measuring_is_not_heard_and_leaves_all_as_it_was(live: Live) -> None:
    """Last: it opens the device anew."""
    client = live.client
    client.hush(True)
    assert level_db(live.hear(0.05)) < -80.0
    results = [each for each in measure_blocks(client, JACK, 0.3, (64, 256)) if isinstance(each, Measured)]
    assert [each.block_size for each in results] == [64, 256]
    assert all(0.0 < each.load < 1.0 for each in results)
    listen(live)
    client.note_on(60, 0.8)
    assert level_db(live.hear(0.2)) < -80.0  # also through a device that was opened meanwhile
    client.open_audio(JACK)
    client.hush(False)
    listen(live)
    client.note_on(64, 0.8)
    wait_until(lambda: level_db(live.hear(0.1)) > -50.0)
    client.panic()
