"""A released note does not swell, whatever its network says; what beats as it dies away stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_tools import RATE, engine, level_db, note, parameter, song

from noisysynth.engine.control_net import ControlFrames, ControlNet
from noisysynth.engine.damper import LATELY, damp, damper_memory

H, N = 5, 3
Frames = tuple[Any, Any, Any]


def random_frames(rng: np.random.Generator, voices: int, frames: int) -> Frames:
    """Amplitudes, harmonics and noise that fall and rise over 60 dB."""
    level = 10.0 ** rng.uniform(-3.0, 0.0, (voices, frames))
    shares = rng.dirichlet(np.ones(H), (voices, frames))
    noise = 10.0 ** rng.uniform(-3.0, 0.0, (voices, frames, N))
    return tuple(np.ascontiguousarray(each, np.float32) for each in (level, shares, noise))


def damped_slowly(frames: Frames, dying: np.ndarray) -> Frames:
    """The obvious way: one voice, one frame at a time, and all that was told before is at hand."""
    amplitude, harmonics, noise = (each.astype(np.float64) for each in frames)
    for v in range(len(amplitude)):
        for f in range(amplitude.shape[1]):
            lately = slice(max(f - LATELY, 0), f)
            if dying[v, f]:
                tones = amplitude[v, lately] * np.sqrt((harmonics[v, lately] ** 2).sum(-1))
                tone = amplitude[v, f] * np.sqrt((harmonics[v, f] ** 2).sum())
                amplitude[v, f] *= min(1.0, tones.max(initial=0.0) / tone)
                noises = np.sqrt((noise[v, lately] ** 2).sum(-1))
                noise[v, f] *= min(1.0, noises.max(initial=0.0) / np.sqrt((noise[v, f] ** 2).sum()))
    return amplitude, harmonics, noise


def test_it_is_what_the_obvious_way_says_however_frames_come() -> None:
    """Some at a time, some computed anew with other values: those before them were told as they now are."""
    rng = np.random.default_rng(1)
    voices, count = np.array([3, 0]), 400
    frames = random_frames(rng, 2, count)
    dying = np.arange(count) > np.array([[150], [20]])
    lookback = np.where(dying, LATELY, 0)
    expected = damped_slowly(frames, dying)
    memory = damper_memory()
    memory.levels[:] = 7.0  # of notes that had these voices before
    at = 0
    while at < count:
        now = slice(at, min(at + int(rng.integers(1, 60)), count))
        for given in (random_frames(rng, 2, now.stop - at), tuple(each[:, now].copy() for each in frames)):
            damp(*memory, voices, np.full(2, at), np.ascontiguousarray(lookback[:, now]), *given)
        for mine, wanted in zip(given, expected, strict=True):
            np.testing.assert_allclose(mine, wanted[:, now], rtol=1e-5)
        at = now.stop


def test_beats_and_what_is_held_stay_as_they_are() -> None:
    t = np.arange(500) * 0.004
    fall = np.exp(-2.0 * t) * np.abs(np.cos(np.pi * 4.0 * t)) + 1e-6  # beats of 4 Hz
    rise = np.exp(2.0 * t)
    for level, dying in ((fall, np.ones(500, bool)), (rise, np.zeros(500, bool))):
        frames = (level[None], np.full((1, 500, H), 1.0 / H), level[None, :, None] * np.ones(N))
        given = tuple(each.astype(np.float32) for each in frames)
        dying[:60] = False
        damp(*damper_memory(), np.array([0]), np.array([0]), LATELY * dying[None], *given)
        for mine, wanted in zip(given, frames, strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-5)


def test_what_is_not_a_number_is_left_to_the_queue() -> None:
    frames = random_frames(np.random.default_rng(2), 1, 100)
    frames[0][0, 50] = frames[2][0, 50, 0] = np.nan
    damp(*damper_memory(), np.array([0]), np.array([0]), np.full((1, 100), LATELY), *frames)
    assert np.isnan(frames[0]).sum() == np.isnan(frames[2]).sum() == 1


def test_frames_that_never_came_are_the_one_before() -> None:
    """A voice that starves holds; what it was told half a second before is no measure of what it may say now."""
    memory, frames = damper_memory(), random_frames(np.random.default_rng(3), 1, 300)
    level = np.where(np.arange(300) < 150, 1.0, 0.01).astype(np.float32)  # held, let go, and swelling at the end
    level[280:] = 1.0
    for at, end in ((0, 250), (256, 300)):
        given = [each[:, at:end].copy() for each in (level[None], *frames[1:])]
        damp(*memory, np.array([0]), np.array([at]), LATELY * (np.arange(at, end) > 200)[None], *given)
    assert given[0].max() < 0.02


@pytest.mark.parametrize(
    ("block_size", "release", "voices"), [(64, 1.0, 1), (2048, 1.0, 1), (64, 0.25, 1), (64, 4.0, 1), (64, 1.0, 40)]
)
def test_a_note_that_the_network_would_bring_back_is_held_down(
    monkeypatch: pytest.MonkeyPatch, block_size: int, release: float, voices: int
) -> None:
    organ, run = engine(block_size), ControlNet.run

    def swelling(self: ControlNet, *told: np.ndarray) -> ControlFrames:
        """The organ, but from 0.45 s after its release on, stretched as its release is, it comes back."""
        frames, off = run(self, *told), told[4]
        again = 0.3 * np.clip(4.0 * (off - 0.45), 0.0, 1.0).astype(np.float32)
        return frames._replace(amplitude=frames.amplitude + again, noise=frames.noise + 0.01 * again[..., None])

    monkeypatch.setattr(ControlNet, "run", swelling)
    played = [note(0.1, 0.5, 40 + i) for i in range(voices)]
    audio = organ.render(song(parameter(0, "release", release), *played), 4 * RATE)
    held = level_db(audio[int(0.3 * RATE) : int(0.5 * RATE)])
    assert level_db(audio[int((0.6 + 0.5 * release) * RATE) :]) < held - 25.0


def test_a_note_let_go_as_it_begins_may_still_rise() -> None:
    slow = engine().render(song(parameter(0, "attack", 4.0), note(0.1, 0.01, 57)), RATE)
    assert level_db(slow[int(0.115 * RATE) : int(0.13 * RATE)], slow[int(0.1 * RATE) : int(0.11 * RATE)]) > 6.0
