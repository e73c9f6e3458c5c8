"""Losses, control features and the note bank, on notes whose right answers are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from synthetic_notes import INSTRUMENTS, SPEC, synthetic_note, synthetic_notes

from noisysynth.errors import UserError
from noisysynth.train.audio_loss import audio_loss, spectral_distance
from noisysynth.train.control_features import ControlFeatures
from noisysynth.train.dice import Dice
from noisysynth.train.losses import (
    LEAST_DB_PER_VELOCITY,
    RELEASE_BEATS_DB,
    erb_weights,
    gradient_penalty,
    kl_divergence,
    reconstruction,
    release_loss,
    sliced_distance_from_normal,
    velocity_loss,
)
from noisysynth.train.networks.generator import Generator, GeneratorConfig
from noisysynth.train.note_bank import Frames, NoteBank, hold_decay_db_per_s, vibrato


def some_frames(bank: NoteBank | None = None) -> Frames:
    bank = bank or NoteBank(synthetic_notes(), SPEC, INSTRUMENTS)
    return bank.whole(torch.arange(len(bank)), 36)


def test_a_perfect_copy_costs_nothing() -> None:
    frames = some_frames()
    assert [float(term) for term in reconstruction(frames, frames)] == pytest.approx([0.0] * 4, abs=1e-5)


def test_a_copy_six_db_down_costs_six_db_where_it_is_heard() -> None:
    frames = some_frames()
    loud = (frames.partials.sum(-1) > 0.1).all(-1)
    assert not loud.any()  # every note starts from silence
    held = frames.rows(slice(0, 2))
    held = dataclasses.replace(held, **{n: getattr(held, n)[:, 2:8] for n in ("time_on", "time_off", "cents")})
    held = dataclasses.replace(held, partials=frames.partials[:2, 2:8], noise=frames.noise[:2, 2:8])
    quiet = dataclasses.replace(held, partials=held.partials * 0.5)
    terms = reconstruction(quiet, held)
    assert float(terms.level_db) == pytest.approx(6.0, abs=0.1)
    # The organ has no even partials: half of what is compared is equally silent in both.
    assert 2.5 < float(terms.harmonics_db) < 6.1
    assert float(terms.noise_db) == pytest.approx(0.0, abs=1e-4)


def test_silence_against_silence_costs_nothing() -> None:
    frames = some_frames()
    silent = dataclasses.replace(frames, partials=frames.partials * 1e-9, noise=frames.noise * 1e-9)
    halved = dataclasses.replace(silent, partials=silent.partials * 0.5, noise=silent.noise * 0.5)
    assert float(reconstruction(halved, silent).total()) < 1e-3


def test_noise_loss_is_least_at_the_mean_power() -> None:
    """Fluctuating analysed bands must not teach a level that is too low."""
    rng = np.random.default_rng(0)
    frames = some_frames()
    power = 1e-4 * rng.exponential(size=frames.noise.shape)
    noisy = dataclasses.replace(frames, noise=torch.tensor(np.sqrt(power), dtype=torch.float32))
    costs = {}
    for db in (-2.0, -1.0, 0.0, 1.0, 2.0):
        level = torch.full_like(frames.noise, 1e-2 * 10.0 ** (db / 20.0))
        costs[db] = float(reconstruction(dataclasses.replace(frames, noise=level), noisy).noise_db)
    assert min(costs, key=lambda db: costs[db]) == 0.0


def test_loss_and_gradients_are_finite_at_exact_silence() -> None:
    frames = some_frames()
    partials = torch.zeros_like(frames.partials, requires_grad=True)
    noise = torch.zeros_like(frames.noise, requires_grad=True)
    reconstruction(dataclasses.replace(frames, partials=partials, noise=noise), frames).total().backward()
    assert partials.grad is not None
    assert noise.grad is not None
    assert torch.isfinite(partials.grad).all()
    assert torch.isfinite(noise.grad).all()


def test_low_notes_upper_partials_share_auditory_filters() -> None:
    weights = erb_weights(torch.tensor([33.0, 93.0]), 12)
    assert float(weights[0, 11]) < 0.6 < 0.9 < float(weights[1, 2])
    assert float(weights[1, 11]) == 0.0  # beyond 20 kHz


def test_mel_level_of_one_partial_and_of_one_noise_band() -> None:
    features = ControlFeatures(SPEC)
    partials = torch.zeros(1, 1, SPEC.n_harmonics)
    partials[..., 0] = 0.5
    noise = torch.zeros(1, 1, SPEC.n_noise_bands)
    mel_db = features.mel_db(partials, noise, torch.tensor([69.0]))
    total = 10.0 * float(torch.log10((10.0 ** (mel_db / 10.0) - 1e-8).sum()))
    assert total == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.05)
    noise[..., 8] = 0.1
    mel_db = features.mel_db(partials * 0.0, noise, torch.tensor([69.0]))
    assert 10.0 * float(torch.log10((10.0 ** (mel_db / 10.0) - 1e-8).sum())) == pytest.approx(-20.0, abs=0.5)


def test_kl_of_the_prior_is_zero_and_penalty_is_the_squared_gradient() -> None:
    assert float(kl_divergence(torch.zeros(3, 4), torch.zeros(3, 4))) == 0.0
    assert float(kl_divergence(torch.ones(3, 4), torch.zeros(3, 4))) == pytest.approx(2.0)
    x = torch.ones(5, 3, requires_grad=True)
    assert float(gradient_penalty((2.0 * x).sum(1), (x,)).detach()) == pytest.approx(12.0)


def test_bank_takes_out_the_detune_but_keeps_the_glide() -> None:
    bank = NoteBank([synthetic_note("organ", 60.0, 1.0)], SPEC, INSTRUMENTS)
    frames = bank.at(torch.tensor([0]), torch.tensor([[1, 125]]))
    assert float(frames.cents[0, 1]) == pytest.approx(0.0, abs=0.1)
    assert 2.0 < float(frames.cents[0, 0]) < 5.0


@pytest.mark.parametrize(("instrument", "decay"), [("organ", 0.0), ("pluck", 40.0), ("pluck", 150.0)])
def test_hold_decay_is_measured_in_db_per_second(instrument: str, decay: float) -> None:
    note = synthetic_note(instrument, 60.0, None, decay_db_per_s=decay)
    measured = hold_decay_db_per_s(note.harmonics.sum(1), len(note.cents), SPEC.frame_rate)
    assert measured == pytest.approx(decay, rel=0.02, abs=0.1)


def test_hold_decay_of_silence_or_of_a_short_touch_is_unknown() -> None:
    assert hold_decay_db_per_s(np.zeros(100, np.float32), 100, 250) is None
    assert hold_decay_db_per_s(np.full(100, 0.1, np.float32), 20, 250) is None


def test_vibrato_is_found_where_it_is() -> None:
    t = np.arange(400) / 250
    sway = (9.0 * np.sin(2 * np.pi * 5.3 * t) + 3.0 * t).astype(np.float32)
    found = vibrato(sway, 400, 250)
    assert found is not None
    assert found == pytest.approx((9.0, 5.3), rel=0.05)
    assert vibrato(np.zeros(400, np.float32), 400, 250) == (0.0, 0.0)
    assert vibrato(np.random.default_rng(0).normal(0, 5, 400).astype(np.float32), 400, 250) == (0.0, 0.0)
    assert vibrato(sway, 150, 250) is None


def test_held_on_frames_keep_or_extend_the_note() -> None:
    notes = [synthetic_note("organ", 60.0, 1.2), synthetic_note("pluck", 60.0, 1.2)]
    bank = NoteBank(notes, SPEC, INSTRUMENTS)
    rng = Dice(0)
    frames = bank.scattered(torch.tensor([0, 1] * 20), 36, rng)
    beyond = (frames.time_on > 1.6) & (frames.time_off < 0.0)
    level = frames.partials.sum(-1)
    assert beyond[::2].any()
    assert beyond[1::2].any()
    torch.testing.assert_close(
        level[::2][beyond[::2]], torch.full_like(level[::2][beyond[::2]], 0.2512), rtol=1e-3, atol=0.0
    )
    assert (level[1::2][beyond[1::2]] < 10.0 ** (-60.0 / 20.0)).all()


def test_unknown_gate_means_held_and_silence_follows_a_finished_recording() -> None:
    bank = NoteBank([synthetic_note("organ", 60.0, None), synthetic_note("organ", 60.0, 0.5)], SPEC, INSTRUMENTS)
    frames = bank.whole(torch.tensor([0, 1]), 36)
    assert (frames.time_off[0] < 0.0).all()
    assert frames.partials[0, -1].sum() > 0.2
    assert frames.time_off[1, -1] > 1.0
    assert frames.partials[1, -1].sum() < 1e-4


def test_training_hears_a_note_from_its_first_instant_on() -> None:
    note = synthetic_note("pluck", 60.0, None)
    bank = NoteBank([note], SPEC, INSTRUMENTS)
    rows = torch.zeros(40, dtype=torch.long)
    for frames in (bank.whole(rows, 36), bank.scattered(rows, 36, Dice(0))):
        first = frames.time_on == 0.0
        assert first.any()
        np.testing.assert_allclose(frames.partials[first][0], note.harmonics[0], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(frames.noise[first][0], note.noise[0], rtol=1e-3, atol=1e-6)


def test_a_released_note_is_known_to_stay_silent() -> None:
    """Longer than its recording goes on: else nothing says that it must not sound again."""
    bank = NoteBank([synthetic_note("organ", 60.0, 0.5), synthetic_note("organ", 60.0, None)], SPEC, INSTRUMENTS)
    frames = bank.scattered(torch.zeros(60, dtype=torch.long), 36, Dice(0))
    late = frames.time_off > 1.2
    assert late.any()
    assert frames.time_off.max() > 1.8
    assert frames.partials[late].abs().max() == 0.0
    assert (frames.time_off >= 0.0).float().mean() > 0.25, "most are still where it is let go"
    unknown = bank.scattered(torch.ones(60, dtype=torch.long), 36, Dice(0))
    assert unknown.time_off.max() < 0.0


@pytest.mark.parametrize(("balance", "share"), [(0.0, 1 / 9), (0.5, 1 / (1 + 8**0.5)), (1.0, 0.5)])
def test_an_instrument_of_few_notes_is_drawn_as_often_as_asked(balance: float, share: float) -> None:
    notes = [synthetic_note("pluck", 50.0, 1.0), *[synthetic_note("organ", 50.0 + i, 1.0) for i in range(8)]]
    bank = NoteBank(notes, SPEC, INSTRUMENTS)
    rows = bank.random_rows(20_000, balance, Dice(0))
    assert float((rows == 0).float().mean()) == pytest.approx(share, abs=0.02)
    counts = torch.bincount(rows, minlength=9)[1:]
    assert counts.min() > 0.8 * counts.max()  # notes of one instrument alike


def test_noise_is_learned_softer_than_it_was_analysed() -> None:
    whole, softer = (NoteBank(synthetic_notes(3), SPEC, INSTRUMENTS, noise_trim_db=db) for db in (0.0, 6.0))
    torch.testing.assert_close(softer.noise.float(), whole.noise.float() / 10.0**0.3, rtol=2e-3, atol=1e-6)
    assert torch.equal(softer.partials, whole.partials)


def test_bank_refuses_nothing_and_nonsense() -> None:
    with pytest.raises(UserError, match="no notes"):
        NoteBank([], SPEC, INSTRUMENTS)
    broken = synthetic_note("organ", 60.0, 0.5)
    broken.harmonics[3, 3] = np.nan
    with pytest.raises(UserError, match="not finite"):
        NoteBank([broken], SPEC, INSTRUMENTS)


def test_spectral_distance_grows_with_the_difference() -> None:
    t = torch.arange(8_000) / 16_000
    tone = 0.3 * torch.sin(2 * torch.pi * 440.0 * t)[None]
    distances = [float(spectral_distance(tone, other)) for other in (tone, 0.8 * tone, 0.2 * tone, tone.roll(4_000))]
    assert distances[0] == 0.0
    assert distances[0] < distances[1] < distances[2]


def test_audio_loss_falls_when_it_alone_is_followed() -> None:
    bank = NoteBank(synthetic_notes(4), SPEC, INSTRUMENTS, keep_audio=True)
    torch.manual_seed(0)
    generator = Generator(SPEC, GeneratorConfig(32, 2, 24))
    optimizer = torch.optim.Adam(generator.parameters(), 5e-3)
    rows = torch.arange(4)
    z = torch.zeros(4, SPEC.latent_size)
    losses = []
    for _ in range(25):
        loss = audio_loss(generator, z, bank, rows, 0.2, Dice(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_audio_crops_are_the_recording_and_then_silence() -> None:
    note = synthetic_note("organ", 60.0, 1.0)
    assert note.audio is not None
    bank = NoteBank([synthetic_note("pluck", 50.0, 1.0), note], SPEC, INSTRUMENTS, keep_audio=True)
    start = len(note.audio) - 100
    crop = bank.audio_crops(torch.tensor([1]), torch.tensor([start]), 150)[0]
    np.testing.assert_allclose(crop[:100], note.audio[start:], atol=1e-3)
    assert not crop[100:].any()


def test_draws_from_the_prior_are_nearer_to_it_than_clusters_and_shifted_draws() -> None:
    rng = torch.Generator().manual_seed(0)
    normal = torch.randn(512, 4, generator=rng)
    clusters = torch.randint(2, (512, 4), generator=rng) * 2.0 - 1.0  # mean 0 and covariance I, but not normal
    near, far, shifted = (
        float(sliced_distance_from_normal(z, Dice(1))) for z in (normal, clusters[:, :1].expand(-1, 4), normal + 0.5)
    )
    assert near < 0.02
    assert far > 10.0 * near
    # Along a direction the squared distance is the squared part of the shift in it: on average |shift|^2 / 4.
    assert shifted - near == pytest.approx(0.25, abs=0.1)


def test_release_loss_is_what_rises_again() -> None:
    """Levels of 0, -20, -40, -10 and -30 dB after the release: 30 dB of rise and then 10, less the beats allowed."""
    levels = torch.tensor([[0.0, -20.0, -40.0, -10.0, -30.0], [0.0, -20.0, -40.0, -60.0, -80.0]])
    partials = (10.0 ** (levels / 20.0)).unsqueeze(-1)
    none = torch.zeros_like(levels)
    frames = Frames(levels[:, 0], levels[:, 0], none, none, none, partials, none.unsqueeze(-1))
    rises = (30.0 - RELEASE_BEATS_DB) + (10.0 - RELEASE_BEATS_DB)
    assert float(release_loss(frames)) == pytest.approx(rises / 10.0 / 8.0, rel=1e-3)


def test_velocity_loss_wants_a_louder_answer() -> None:
    frames = some_frames()
    n = len(frames.pitch)
    soft = dataclasses.replace(frames, velocity=torch.full((n,), 0.25))
    hard = dataclasses.replace(frames, velocity=torch.full((n,), 0.75))
    gain = 10.0 ** (LEAST_DB_PER_VELOCITY / 20.0)  # twice what half a unit of velocity asks for
    louder = dataclasses.replace(hard, partials=hard.partials * gain, noise=hard.noise * gain)
    assert float(velocity_loss(soft, louder)) < 0.05  # silent instants cannot answer
    assert float(velocity_loss(soft, hard)) == pytest.approx(1.0)
    assert float(velocity_loss(louder, hard)) > 2.0
