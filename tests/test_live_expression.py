"""Every gesture of a player, sent through a real MIDI port to a live engine and measured at the server's output."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from engine_tools import RATE, dominant_hz, level_db
from live_tools import BRIGHT, DARK, Live, wait_until
from numpy.typing import NDArray

from noisysynth.parameters import SYNCS
from noisysynth.spec import midi_to_hz

pytest_plugins = ("live_fixtures",)

Audio = NDArray[np.float32]
BEND_MAX = [0xE0, 127, 127]


def cents_off(audio: Audio, pitch: float) -> float:
    """How far the strongest line around a pitch is from it."""
    hz = float(midi_to_hz(pitch))
    found = dominant_hz(audio[:, 0], hz * 0.75, hz * 1.35)
    return 1200.0 * float(np.log2(found / hz))


def brightness_hz(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio[:, 0] * np.hanning(len(audio))))
    return float((np.fft.rfftfreq(len(audio), 1 / RATE) * spectrum).sum() / spectrum.sum())


def sounds(audio: Audio, pitch: float) -> bool:
    """Whether a tone of this pitch is among what sounds: its fundamental stands out, and there is sound at all."""
    spectrum = np.abs(np.fft.rfft(audio[:, 0] * np.blackman(len(audio)), 1 << 17))
    at = float(midi_to_hz(pitch)) / RATE * (1 << 17)
    near = spectrum[int(at * 0.985) : int(at * 1.015) + 1].max()
    return bool(near > 0.02 * spectrum.max() and level_db(audio) > -70.0)


def balance_db(audio: Audio) -> float:
    """Right over left."""
    return level_db(audio[:, 1], audio[:, 0])


def test_velocity_and_its_curve(live: Live) -> None:
    def level(velocity: int, curve: float) -> float:
        live.set(velocity_curve=curve)
        live.on(57, velocity)
        audio = live.hear(0.15)
        live.off(57)
        wait_until(lambda: live.client.status().voices == 0)
        return level_db(audio)

    assert level(120, 0.0) > level(40, 0.0) + 6
    assert level(40, 1.0) > level(40, 0.0) + 3 > level(40, -1.0) + 6


def test_bend_and_its_range_by_rpn(live: Live) -> None:
    live.on(57)
    live.send(BEND_MAX)
    assert abs(cents_off(live.hear(0.25), 59)) < 3
    live.send([0xE0, 0, 64])
    assert abs(cents_off(live.hear(0.25), 57)) < 3
    live.rpn(0, 12)
    live.send(BEND_MAX)
    assert abs(cents_off(live.hear(0.25), 69)) < 3


def test_the_mod_wheel_brings_vibrato(live: Live) -> None:
    live.set(vibrato_depth=100.0)
    live.on(69)
    live.control(1, 127)
    audio = live.hear(0.8, after_s=0.3)
    pitches = [cents_off(audio[start : start + 2160], 69) for start in range(0, len(audio) - 2160, 1440)]
    assert 120 < np.ptp(pitches) < 220
    live.control(1, 0)
    audio = live.hear(0.3, after_s=0.3)
    assert abs(cents_off(audio, 69)) < 3


def test_the_sustain_pedal_holds(live: Live) -> None:
    live.control(64, 127)
    live.on(57)
    time.sleep(0.1)
    live.off(57)
    assert sounds(live.hear(0.2, after_s=0.5), 57)
    live.control(64, 0)
    assert level_db(live.hear(0.1, after_s=1.2)) < -70


def test_sostenuto_holds_only_the_keys_that_were_down(live: Live) -> None:
    live.on(57)
    time.sleep(0.05)
    live.control(66, 127)
    live.on(64)
    time.sleep(0.1)
    live.off(57)
    live.off(64)
    audio = live.hear(0.25, after_s=0.9)
    assert sounds(audio, 57)
    assert not sounds(audio, 64)
    live.control(66, 0)
    assert level_db(live.hear(0.1, after_s=1.2)) < -70


def test_the_soft_pedal_softens_new_notes(live: Live) -> None:
    live.on(57)
    loud = level_db(live.hear(0.2))
    live.off(57)
    live.control(67, 127)
    wait_until(lambda: live.client.status().voices == 0)
    live.on(57)
    assert -6 < level_db(live.hear(0.2)) - loud < -3


def test_channel_and_poly_pressure(live: Live) -> None:
    live.route(1, "Pressure", "pitch", 1 / 24)
    live.on(57)
    live.on(71)
    live.send([0xA0, 71, 127])
    audio = live.hear(0.3)
    assert abs(cents_off(audio, 57)) < 4
    assert abs(cents_off(audio, 72)) < 4
    live.send([0xA0, 71, 0], [0xD0, 127])
    audio = live.hear(0.3)
    assert abs(cents_off(audio, 58)) < 4
    assert abs(cents_off(audio, 72)) < 4


def test_mpe_bends_slides_and_presses_single_notes(live: Live) -> None:
    live.route(1, "Slide", "pitch", 2 / 24)
    live.route(2, "Pressure", "pan", 0.5)
    live.rpn(6, 15)  # a lower zone of 15 members
    live.control(74, 0, channel=1)
    live.control(74, 0, channel=2)
    live.on(57, channel=1)
    live.on(76, channel=2)
    audio = live.hear(0.3)
    assert abs(cents_off(audio, 57)) < 4
    assert abs(cents_off(audio, 76)) < 4
    live.send([0xE2, 0, 64 + 4])  # 3 of 48 semitones
    audio = live.hear(0.3)
    assert abs(cents_off(audio, 57)) < 4
    assert abs(cents_off(audio, 79)) < 4
    live.send([0xE2, 0, 64])
    live.control(74, 127, channel=1)
    audio = live.hear(0.3)
    assert abs(cents_off(audio, 59)) < 4
    assert abs(cents_off(audio, 76)) < 4
    live.off(76, channel=2)
    live.send([0xD1, 127])
    assert balance_db(live.hear(0.2, after_s=0.8)) > 6
    live.send([0xD1, 0])
    live.send([0xE0, 0, 96])  # the master's: 1 of 2 semitones, for all
    assert abs(cents_off(live.hear(0.3), 60)) < 4


def test_program_change_and_bank(live: Live) -> None:
    def brightness() -> float:
        live.on(57)
        audio = live.hear(0.3)
        live.off(57)
        wait_until(lambda: live.client.status().voices == 0)
        return brightness_hz(audio)

    live.send([0xC0, 0])
    wait_until(lambda: live.client.preset()[0] == 0)
    plain = brightness()
    live.send([0xC0, BRIGHT])
    wait_until(lambda: live.client.preset()[0] == BRIGHT)
    assert brightness() > 1.3 * plain
    live.control(32, 1)
    live.send([0xC0, DARK - 128])
    wait_until(lambda: live.client.preset()[0] == DARK)
    assert brightness() < plain / 1.2
    live.control(32, 0)


def test_all_notes_off_and_all_sound_off(live: Live) -> None:
    live.set(release=4.0)
    for number, quiet_after_s in ((123, 3.0), (120, 0.1)):
        live.on(57)
        live.on(64)
        assert sounds(live.hear(0.2), 57)
        live.control(number, 0)
        soon = level_db(live.hear(0.05, after_s=0.1))
        assert (soon > -60) == (number == 123)
        assert level_db(live.hear(0.05, after_s=quiet_after_s)) < -60
        wait_until(lambda: live.client.status().voices == 0)


def test_learned_controllers_take_over_softly(live: Live) -> None:
    live.client.learn("pan")
    live.on(57)
    live.control(50, 0)  # taught; far from where the knob stands, so it does not jump
    assert abs(balance_db(live.hear(0.1))) < 0.5
    live.control(50, 20)
    assert abs(balance_db(live.hear(0.1))) < 0.5
    live.control(50, 70)  # past the knob: from now on it follows
    live.control(50, 127)
    assert balance_db(live.hear(0.1)) > 30
    live.control(50, 0)
    assert balance_db(live.hear(0.1)) < -30


def test_a_scala_tuning(live: Live, tmp_path: Path) -> None:
    scale = tmp_path / "quarter.scl"
    scale.write_text("! quarter.scl\nQuarter tones\n 24\n" + "".join(f" {50.0 * i}\n" for i in range(1, 24)) + " 2/1\n")
    live.client.load_tuning(scale)
    live.on(66)  # three quarter tones below key 69, which stays
    assert abs(cents_off(live.hear(0.3), 67.5)) < 3


def test_an_lfo_follows_midi_clock(live: Live) -> None:
    live.set(lfo_1_sync=SYNCS.index("1/4"))
    live.route(1, "LFO 1", "pan", 0.4)
    tempo, start = 150.0, time.perf_counter()
    live.send([0xFA])
    live.on(57)
    begin = None
    for tick in range(round(tempo / 60.0 * 24 * 3.0)):
        time.sleep(max(0.0, start + tick * 60.0 / tempo / 24 - time.perf_counter()))
        live.send([0xF8])
        if tick == 60:
            begin = live.ear.now
    assert begin is not None
    audio = live.ear.audio(begin, begin + round(1.6 * RATE))
    right, left = (np.add.reduceat(audio[:, i] ** 2, np.arange(0, len(audio), 480)) for i in (1, 0))
    balance = (right - left) / (right + left)
    spectrum = np.abs(np.fft.rfft(balance - balance.mean()))
    assert np.ptp(balance) > 0.3
    assert np.argmax(spectrum) == 4  # 2.5 Hz over 1.6 s
    assert live.client.parameter_values()["tempo"] == pytest.approx(tempo, rel=0.02)


def test_what_comes_together_comes_whole(live: Live) -> None:
    """Chords and what is said of their keys within one period of the server, again and again; nothing gets lost."""
    live.route(1, "Pressure", "pitch", 1 / 24)
    live.set(amp_release=0.01)
    live.ear.play_to("noisysynth:in")
    for _ in range(30):
        before = live.client.status().midi_events
        for message in ([0x90, 57, 100], [0x90, 64, 100], [0xA0, 57, 127], [0xA0, 57, 0]):
            live.ear.send(message)
        for message in ([0x80, 57, 0], [0x80, 64, 0]):
            live.ear.send(message, live.ear.now + RATE // 20)
        wait_until(lambda expected=before + 6: live.client.status().midi_events == expected)
    wait_until(lambda: live.client.status().voices == 0, timeout_s=2.0)
