"""A body does to controls and to features what an equaliser does to the sound."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from noisysynth.errors import UserError
from noisysynth.features import FRAMES_PER_SECOND, log_mel
from noisysynth.spec import SynthSpec, midi_to_hz
from noisysynth.train.analysis import Track, resynthesise
from noisysynth.train.bodies import N_NODES, Bodies
from noisysynth.train.config import PRESETS
from noisysynth.train.dice import Dice
from noisysynth.train.note_bank import LOG_MEL_FLOOR, Frames

SPEC = SynthSpec()
H = SPEC.n_harmonics
PITCH = 57.0
DB_TO_NEPER = np.log(10.0) / 20.0


def struck_note(seconds: float = 1.2) -> Frames:
    """One note [1, F] whose partials fall with 1/k and die away, with some noise."""
    time_s = torch.arange(round(seconds * SPEC.frame_rate)).float()[None] / SPEC.frame_rate
    k = torch.arange(1, H + 1).float()
    partials = 0.2 / k * torch.exp(-2.0 * time_s).unsqueeze(-1) * (k * midi_to_hz(PITCH) < 15_000.0)
    return Frames(
        pitch=torch.tensor([PITCH]),
        velocity=torch.tensor([0.7]),
        time_on=time_s,
        time_off=time_s - 9.0,
        cents=torch.zeros_like(time_s),
        partials=partials,
        noise=torch.full((*time_s.shape, SPEC.n_noise_bands), 0.002),
    )


def sound(frames: Frames) -> np.ndarray:
    track = Track(
        pitch=PITCH,
        frame_rate=SPEC.frame_rate,
        cents=frames.cents[0].numpy(),
        harmonics=frames.partials[0].numpy(),
        noise=frames.noise[0].numpy(),
        partial_ratios=np.arange(1, H + 1, dtype=np.float32),
        inharmonicity=0.0,
    )
    return resynthesise(track, SPEC.sample_rate)


def features_of(frames: Frames) -> torch.Tensor:
    return torch.from_numpy(log_mel(sound(frames), SPEC.sample_rate))[None]


BODIES = {
    "dark": Bodies(torch.linspace(6.0, -12.0, N_NODES)[None], torch.tensor([0.0])),
    "nasal": Bodies(torch.tensor([[-6.0] * 5 + [0, 4, 8, 7, 6] + [0] + [-3] * 6]), torch.tensor([0.0])),
    "damped": Bodies(torch.zeros(1, N_NODES), torch.tensor([5.0])),
}


@pytest.mark.parametrize("name", BODIES)
def test_features_change_as_those_of_the_sound_do(name: str) -> None:
    body, note = BODIES[name], struck_note()
    told = body.over_log_mel(features_of(note), note.pitch)[0]
    heard = features_of(body.over_frames(note, SPEC, torch.zeros(1)))[0]
    loud = (heard > -8.0) & (told > -8.0)
    loud[: round(0.06 * FRAMES_PER_SECOND)] = False
    assert loud.sum() > 500
    error_db = (told - heard)[loud] / DB_TO_NEPER
    assert float(error_db.abs().mean()) < 0.6
    assert float((heard - features_of(note)[0])[loud].abs().mean()) / DB_TO_NEPER > 2.0  # it does change


def test_a_note_stays_as_loud_as_it_was() -> None:
    body, note = BODIES["dark"], struck_note()
    level_db = body.level_db(features_of(note), note.pitch)
    loudest = []
    for frames in (note, body.over_frames(note, SPEC, level_db)):
        loudest.append(float(torch.exp(2.0 * features_of(frames)).sum(dim=2).amax()))
    assert float(level_db) > 0.5
    assert 10.0 * np.log10(loudest[1] / loudest[0]) == pytest.approx(0.0, abs=0.3)


def test_silence_stays_silence() -> None:
    silence = torch.full((1, 50, 80), LOG_MEL_FLOOR)
    loud = Bodies(torch.full((1, N_NODES), 12.0), torch.zeros(1))
    assert torch.equal(loud.over_log_mel(silence, torch.tensor([PITCH])), silence)


def test_a_share_of_the_notes_gets_a_body_and_only_those_that_die_away_are_damped() -> None:
    decays = torch.arange(2000) % 2 == 0
    bodies = Bodies.draw(decays, 0.5, 6.0, Dice(1))
    changed = bodies.nodes_db.abs().sum(dim=1) > 0.0
    assert float(changed.float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float(bodies.nodes_db[changed].std()) == pytest.approx(6.0 / np.sqrt(3.0), rel=0.1)
    assert not bodies.damping[~decays].any()
    assert not bodies.damping[~changed].any()
    assert bodies.damping[decays & changed].abs().min() > 0.0


def test_recordings_cannot_be_heard_through_other_bodies() -> None:
    with pytest.raises(UserError, match="body_share or audio_weight"):
        dataclasses.replace(PRESETS["tiny"], body_share=0.5, audio_weight=0.1)
