"""The test tone: where it sounds, how loud, that it fades, and that it never gets past the limiter."""

from __future__ import annotations

import numpy as np
import pytest
from engine_tools import RATE, dominant_hz, engine, level_db, note, roughness, song
from numpy.typing import NDArray

from noisysynth.engine.offline import OfflineEngine
from noisysynth.engine.render_tone import TONE_FADE_S, TONE_GAIN, TONE_HZ
from noisysynth.events import EVENT_DTYPE

NOTHING = np.zeros(0, EVENT_DTYPE)
PLACE_S = 0.3
SILENT = 1e-5  # -100 dB: the DC blocker forgets slowly
TONE_DB = 20.0 * np.log10(TONE_GAIN / np.sqrt(2.0))


def ask(synth: OfflineEngine, seconds: float = 3 * PLACE_S) -> None:
    synth.state["tone_begin"] = synth.state["rendered"][0]
    synth.state["tone_end"] = synth.state["tone_begin"] + round(seconds * RATE)


def middle(audio: NDArray[np.float32], place: int) -> NDArray[np.float32]:
    """Of the time in which it sounds at one place, what lies between the fades; [n, 2]."""
    return audio[round((place + 0.25) * PLACE_S * RATE) : round((place + 0.95) * PLACE_S * RATE)]


@pytest.fixture(scope="module")
def tone() -> NDArray[np.float32]:
    synth = engine()
    ask(synth)
    return synth.render(NOTHING, round((3 * PLACE_S + 0.3) * RATE))


def test_left_right_both(tone: NDArray[np.float32]) -> None:
    for place, sounding in enumerate(((True, False), (False, True), (True, True))):
        for channel, on in enumerate(sounding):
            heard = middle(tone, place)[:, channel]
            if on:
                assert level_db(heard) == pytest.approx(TONE_DB, abs=0.1)
                assert dominant_hz(heard, 100.0, 2000.0) == pytest.approx(TONE_HZ, abs=0.5)
            else:
                assert np.abs(heard).max() < SILENT


def test_it_is_quiet_and_ends(tone: NDArray[np.float32]) -> None:
    assert np.abs(tone).max() <= TONE_GAIN * 1.01
    assert np.abs(tone[round((3 * PLACE_S + TONE_FADE_S + 0.01) * RATE) :]).max() < SILENT


def test_it_fades_in_and_out_without_a_click(tone: NDArray[np.float32]) -> None:
    step = 2.0 * np.pi * TONE_HZ / RATE
    bent = TONE_GAIN * step**3  # the third difference of the sine itself
    assert roughness(tone[:, 0]).max() < 3.0 * bent
    assert roughness(tone[:, 1]).max() < 3.0 * bent


def test_ended_early_it_fades_as_well() -> None:
    synth = engine()
    ask(synth)
    synth.render(NOTHING, RATE // 10)
    synth.state["tone_end"] = 0
    rest = synth.render(NOTHING, RATE // 10)
    assert np.abs(rest[: RATE // 100]).max() > 0.3 * TONE_GAIN
    assert np.abs(rest[round((TONE_FADE_S + 0.005) * RATE) :]).max() < SILENT


def test_what_plays_goes_on_beneath_it_and_the_limiter_holds_both() -> None:
    notes = song(*(note(0.0, 0.9, pitch, 1.0) for pitch in range(36, 84, 2)))
    plain, with_tone = engine(), engine()
    ask(with_tone)
    alone = plain.render(notes, RATE // 2)
    both = with_tone.render(notes, RATE // 2)
    assert np.abs(both).max() < 1.0
    assert level_db(both[RATE // 4 :], alone[RATE // 4 :]) > -1.0


def test_its_block_size_changes_nothing() -> None:
    takes = []
    for block_size in (64, 100, 1024):
        synth = engine(block_size)
        ask(synth)
        takes.append(synth.render(NOTHING, RATE // 4))
    np.testing.assert_array_equal(takes[0], takes[1])
    np.testing.assert_array_equal(takes[0], takes[2])
