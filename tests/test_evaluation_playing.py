"""Playability and the latent space, measured on sounds and instruments whose faults are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from make_instrument import LEVEL, SPEC, make_test_instrument
from numpy.typing import NDArray
from synthetic_notes import tone

from noisysynth.export.evaluation import latent, playability
from noisysynth.export.evaluation.bars import judge
from noisysynth.export.evaluation.candidates import noise_like, prior_latents
from noisysynth.export.evaluation.envelopes import brightness_hz, click_db, level_db, loudness_db, release
from noisysynth.export.evaluation.notes import RealNote, Told
from noisysynth.export.evaluation.playability import Timbre
from noisysynth.export.evaluation.rendering import Player
from noisysynth.train.note_bank import hold_decay_db_per_s

RATE = 44_100


def quiet(_: int) -> None:
    pass


class FakePlayer:
    """Plays what a function of z, conditions and seconds says."""

    def __init__(self, sound: Any, tremble: float = 0.0) -> None:
        """tremble: share by which every second note is softer, where shimmer is asked for."""
        self._tremble = tremble
        self._notes = 0
        self.sample_rate = RATE
        self.instrument = make_test_instrument()
        self._sound = sound

    def note(
        self, z: NDArray[np.float32], told: Told, seconds: float | None = None, shimmer: float = 1.0
    ) -> NDArray[np.float32]:
        self._notes += 1
        softer = 1.0 - self._tremble * shimmer * (self._notes % 2)
        seconds = told.heard_s if seconds is None else seconds
        time_s = np.arange(round(seconds * RATE)) / RATE
        return np.asarray(softer * self._sound(z, told, time_s), np.float32)


def sine(told: Told, time_s: NDArray[np.float64], cents: Any = 0.0, release_s: float = 0.05) -> NDArray[np.float64]:
    hz = 440.0 * 2.0 ** ((told.pitch - 69.0 + np.asarray(cents) / 100.0) / 12.0)
    phase = 2.0 * np.pi * np.cumsum(np.broadcast_to(hz, time_s.shape)) / RATE
    level = np.exp(-np.maximum(time_s - told.gate_s, 0.0) / release_s) * np.minimum(time_s / 0.01, 1.0)
    return 0.3 * told.velocity * level * np.sin(phase)


TIMBRES = [Timbre("one", np.zeros(SPEC.latent_size, np.float32)), Timbre("two", np.ones(SPEC.latent_size, np.float32))]


def test_levels_and_loudness_of_a_known_sine() -> None:
    time_s = np.arange(RATE) / RATE
    audio = (0.5 * np.sin(2 * np.pi * 1000.0 * time_s)).astype(np.float32)
    expected_db = 20 * np.log10(0.5 / np.sqrt(2))
    assert np.abs(level_db(audio, RATE, 0.05) - expected_db).max() < 0.02
    assert loudness_db(audio, RATE) == pytest.approx(expected_db, abs=0.1)  # A-weighting is 0 dB at 1 kHz
    low = (0.5 * np.sin(2 * np.pi * 100.0 * time_s)).astype(np.float32)
    assert loudness_db(low, RATE) == pytest.approx(expected_db - 19.1, abs=0.5)
    assert brightness_hz(audio, RATE) == pytest.approx(1000.0, rel=0.05)
    assert loudness_db(np.zeros(100, np.float32), RATE) == -90.0


def test_release_slope_of_a_known_decay() -> None:
    told = Told(60.0, 1.0, 0.5)
    time_s = np.arange(2 * RATE) / RATE
    slope, fallen = release(sine(told, time_s, release_s=0.1).astype(np.float32), RATE, 0.5)
    assert slope == pytest.approx(86.9, rel=0.15)  # 20 log10(e) / 0.1 s
    assert fallen > 60.0
    assert np.isnan(release(np.zeros(RATE, np.float32), RATE, 0.5)).all()


def test_a_step_in_a_tone_is_a_click_and_an_onset_is_none() -> None:
    smooth = tone(48.0, 1.0, 0.3, RATE)
    assert click_db(smooth, RATE) < 6.0
    broken = smooth.copy()
    broken[RATE // 2 :] += 0.05
    assert click_db(broken, RATE) > 15.0
    assert click_db(broken, RATE, from_s=0.6) < 6.0, "not after it"


def test_gates_of_a_sound_instrument_have_no_fault() -> None:
    figures = playability.gates(FakePlayer(lambda z, told, t: sine(told, t)), TIMBRES, quiet)
    assert figures["n"] == 2 * len(playability.GATES_S)
    assert (figures["clicks"], figures["hanging"], figures["again"], figures["silent"]) == (0, 0, 0, 0)
    assert figures["held"] == 2
    assert figures["drift_cents"] < 0.5
    assert figures["release_db_per_s"] == pytest.approx(174.0, rel=0.2)


def test_gates_find_a_click_a_hang_a_drift_and_silence() -> None:
    def clicking(z: Any, told: Told, t: Any) -> Any:
        return sine(told, t) * np.where(t < told.gate_s, 1.0, 0.0)  # cut off at once

    def hanging(z: Any, told: Told, t: Any) -> Any:
        return sine(told, t, release_s=100.0)

    def drifting(z: Any, told: Told, t: Any) -> Any:
        return sine(told, t, cents=3.0 * t)

    def silent(z: Any, told: Told, t: Any) -> Any:
        return sine(told, t) * (told.gate_s > 0.1)

    def ghost(z: Any, told: Told, t: Any) -> Any:
        return sine(told, t) + 0.1 * sine(told, t, release_s=100.0) * (np.abs(t - told.gate_s - 0.6) < 0.1)

    def beating(z: Any, told: Told, t: Any) -> Any:
        return sine(told, t, release_s=0.5) * (1.0 + 0.9 * np.cos(2.0 * np.pi * 7.0 * t))  # 26 dB up and down

    assert playability.gates(FakePlayer(beating), TIMBRES, quiet)["again"] == 0
    assert playability.gates(FakePlayer(ghost), TIMBRES, quiet)["again"] == 2 * len(playability.GATES_S)
    assert playability.gates(FakePlayer(hanging), TIMBRES, quiet)["hanging"] == 2 * len(playability.GATES_S)
    assert playability.gates(FakePlayer(drifting), TIMBRES, quiet)["drift_cents"] == pytest.approx(24.0, abs=3.0)
    assert playability.gates(FakePlayer(silent), TIMBRES, quiet)["silent"] == 4
    assert playability.gates(FakePlayer(clicking), TIMBRES, quiet)["worst_click_db"] > 6.0


def test_velocity_ladders_tell_which_fall() -> None:
    good = playability.velocity(FakePlayer(lambda z, told, t: sine(told, t)), TIMBRES, quiet)
    assert good["monotonic"] == 1.0
    assert good["range_db"] == pytest.approx(20.0, abs=0.5)
    assert good["played_fall_db"] == 0.0

    lively = playability.velocity(FakePlayer(lambda z, told, t: sine(told, t), tremble=0.3), TIMBRES, quiet)
    assert lively["monotonic"] == 1.0
    assert lively["played_fall_db"] == pytest.approx(-20 * np.log10(0.7 / 0.85), abs=0.5)  # 0.85 to 1, and softer

    def bad(z: NDArray[np.float32], told: Told, t: Any) -> Any:
        upside_down = z[0] > 0.5 and told.velocity > 0.9
        return sine(told, t) * (0.3 if upside_down else 1.0)

    figures = playability.velocity(FakePlayer(bad), TIMBRES, quiet)
    assert figures["monotonic"] == 0.5
    assert figures["largest_fall_db"] == pytest.approx(20 * np.log10(0.85 / 0.3), abs=0.5)


def test_keyboard_finds_keys_out_of_tune() -> None:
    figures = playability.keyboard(
        FakePlayer(lambda z, told, t: sine(told, t, cents=30.0 if told.pitch >= 90 else 2.0)), TIMBRES, 1, quiet
    )
    assert figures["n"] == 61
    assert figures["within_10"] == pytest.approx(54 / 61)
    assert figures["octave_errors"] == 0.0


def test_a_sustained_note_that_dies_is_counted() -> None:
    told = Told(60.0, 0.8, 2.0)
    recording = sine(told, np.arange(3 * RATE) / RATE).astype(np.float32)
    told_of = [(np.zeros(SPEC.latent_size, np.float32), told, recording)] * 2
    alive = playability.sustain(FakePlayer(lambda z, told, t: sine(told, t)), told_of, quiet)
    assert (alive["n"], alive["dead"]) == (2, 0)
    assert alive["movement_db"] < 0.3
    dying = playability.sustain(FakePlayer(lambda z, told, t: sine(told, t) * np.exp(-t)), told_of, quiet)
    assert dying["dead"] == 2
    assert dying["loss_db"] > 60.0


def test_player_gives_the_level_that_the_network_says() -> None:
    """No limiter, no volume: the headroom is given back; a note comes from silence, whatever was before."""
    player = Player(make_test_instrument(), RATE)
    z = np.zeros(SPEC.latent_size, np.float32)
    z[1] = -9.0  # as little noise as it can
    told = Told(60.5, 0.8, 0.4)
    first = player.note(z, told)
    assert len(first) == round(1.4 * RATE)
    assert np.abs(first[: RATE // 1000]).max() < 0.2 * np.abs(first).max(), "it has an attack"
    k = np.arange(1, SPEC.n_harmonics + 1)
    weights = (1.0 / k) / (1.0 / k).sum()
    expected = LEVEL * 0.8 * np.sqrt(0.5 * (weights**2).sum())
    held = first[RATE // 5 : RATE * 2 // 5]
    assert np.sqrt(np.mean(held.astype(float) ** 2)) == pytest.approx(expected, rel=0.02)
    player.note(np.ones(SPEC.latent_size, np.float32), Told(72.0, 1.0, 3.0), 0.5)  # cut off while it sounds
    again = player.note(z, told)
    # But for the noise, which is never twice the same.
    assert np.sqrt(np.mean((again - first).astype(float) ** 2)) < 0.1 * expected


def test_player_reads_fractional_pitch_and_gate() -> None:
    from noisysynth.export.evaluation.pitch import read_pitch

    player = Player(make_test_instrument(), RATE)
    z = np.zeros(SPEC.latent_size, np.float32)
    told = Told(64.3, 0.8, 0.5)
    audio = player.note(z, told, 1.5)
    assert read_pitch(audio, RATE, told).error_cents < 1.0
    assert release(audio, RATE, 0.5)[0] == pytest.approx(20 * np.log10(np.e) / 0.08, rel=0.2)


def test_path_length_of_a_straight_space_is_its_slope() -> None:
    """A sound that says its latent, heard by an ear that reads it: d / STEP is the length of b - a."""
    player = FakePlayer(lambda z, told, t: np.pad(z, (0, len(t) - len(z))))
    n = 200
    figures = latent.path_length(player, lambda sounds: np.stack([s[: SPEC.latent_size] for s in sounds]), n, 3, quiet)
    ends = prior_latents(player.instrument, 2 * n, 3).reshape(n, 2, -1)
    assert figures["jitter"] == 0.0
    expected = np.mean(np.sum((ends[:, 1] - ends[:, 0]).astype(float) ** 2, axis=1))
    assert figures["path_length"] == pytest.approx(expected, rel=1e-3)


def test_ladders_tell_an_even_way_from_a_jump() -> None:
    even = np.linspace(0.0, 1.0, 9)[:, None].astype(np.float32)
    jump = (even > 0.5).astype(np.float32)
    assert latent.largest_over_mean(even) == pytest.approx(1.0)
    assert latent.largest_over_mean(jump) == pytest.approx(8.0)
    assert latent.line_fit(even[:, 0].astype(float)) == pytest.approx(1.0)
    assert latent.line_fit(np.array([0.0, 1.0, 0.0, -1.0, 0.0])) < 0.5


def test_ladders_of_the_test_instrument_describe_its_tilt() -> None:
    """z[0] tilts the spectrum, so brightness goes along; every rung is played."""
    from noisysynth.engine.control_net import ControlNet

    instrument = make_test_instrument()
    ends = [Timbre("dark", np.full(SPEC.latent_size, -0.5, np.float32)), Timbre("bright", 0.5 * TIMBRES[1].z)]
    player = FakePlayer(lambda z, told, t: np.pad(z, (0, len(t) - len(z))))
    figures, played = latent.ladders(
        player, ControlNet(instrument).run, lambda s: np.stack([x[:8] for x in s]), ends, 1, 0, quiet
    )
    assert figures["n"] == 1
    assert figures["descriptors"]["brightness"] > 0.98
    assert figures["largest_over_mean"] == pytest.approx(1.0, abs=1e-3)
    assert played[0][0] == "dark to bright"
    assert len(played[0][1]) == latent.RUNGS


def test_noise_is_as_loud_as_the_note() -> None:
    told = Told(60.0, 0.8, 0.5)
    audio = sine(told, np.arange(RATE) / RATE).astype(np.float32)
    noise = noise_like(audio, told, RATE, 0)
    held = slice(0, RATE // 2)
    assert np.std(noise[held]) == pytest.approx(np.sqrt(np.mean(audio[held] ** 2)), rel=0.02)
    assert np.abs(noise[-RATE // 10 :]).max() < 1e-3


@pytest.mark.parametrize(("again", "passed"), [(None, None), (0, True), (1, False)])
def test_rebuilt_notes_that_sound_again_are_told(again: int | None, passed: bool | None) -> None:
    rows = {} if again is None else {"held_out": {"released": 40, "again": again, "again_db": 9.0 * again},
                                     "foreign": {"released": 40, "again": 0, "again_db": 1.0}}  # fmt: skip
    (bar,) = [bar for bar in judge({"paired": rows}) if "again" in bar.name]
    assert bar.passed is passed
    assert again is None or bar.value == f"{again} of 80"


def test_a_struck_note_that_rings_on_is_not_a_sustained_one() -> None:
    """Its late decay alone, which is as slow as an organ's, would say so."""
    rate, t = 250, np.arange(500) / 250
    told = Told(60.0, 0.8, 2.0)

    def sustained(fall_db: NDArray[np.float64]) -> bool:
        harmonics = (0.1 * 10.0 ** (-fall_db / 20.0))[:, None].astype(np.float32)
        return playability.is_sustained(
            RealNote(told, np.zeros(0, np.float32), SimpleNamespace(harmonics=harmonics)), rate
        )

    assert sustained(0.0 * t)
    assert sustained(1.4 * t)
    assert not sustained(5.0 * t)
    struck = 12.0 * (1.0 - np.exp(-t / 0.2)) + 1.0 * t
    assert hold_decay_db_per_s(0.1 * 10.0 ** (-struck / 20.0), 500, rate) < playability.STEADY_DB_PER_S
    assert not sustained(struck)
