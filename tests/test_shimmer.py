"""Shimmer: how deep recorded partials tremble is measured right, learned, and sounded."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from synthetic_notes import INSTRUMENTS, SPEC, SyntheticNote, synthetic_note

from noisysynth.export.onnx_graph import export_control
from noisysynth.spec import SynthSpec
from noisysynth.train.checkpoint import load_run
from noisysynth.train.config import PRESETS
from noisysynth.train.networks.generator import Generator
from noisysynth.train.networks.shimmer import (
    LEAST_DB,
    LOWEST_HZ,
    MEASURED_PARTIALS,
    N_OCTAVES,
    Shimmer,
)
from noisysynth.train.note_bank import NoteBank
from noisysynth.train.note_shimmer import log_shimmer
from noisysynth.train.trainer import TrainingData, train

FULL = SynthSpec()
RATE = FULL.frame_rate


def trembling_generator(depth_db: list[float]) -> Generator:
    """A generator of which every note trembles by `depth_db` [N_OCTAVES] on every partial."""
    torch.manual_seed(0)
    generator = Generator(FULL).eval().requires_grad_(False)
    generator.shimmer.depth.weight.zero_()
    generator.shimmer.depth.bias.zero_()
    generator.shimmer.depth.bias[:N_OCTAVES] = torch.tensor(depth_db).log()
    return generator


def partials_of(generator: Generator, pitch: float, seconds: float, still: bool = False) -> NDArray[np.float32]:
    """[F, H] of a held note."""
    time_on = torch.arange(round(seconds * RATE)).unsqueeze(0) / RATE
    one = torch.tensor([pitch])
    modulation = generator.modulation(torch.zeros(1, FULL.latent_size), one, torch.tensor([0.7]))
    make = generator.still if still else generator.moving
    controls = make(modulation, one, time_on, time_on - 100.0)
    return (controls.amplitude.unsqueeze(-1) * controls.harmonics)[0].numpy()


@pytest.mark.parametrize(("rate_hz", "octave"), [(1.0, 0), (4.0, 2), (8.0, 3), (16.0, 4), (31.0, 5)])
def test_a_known_tremble_is_found_at_its_rate_and_partial(rate_hz: float, octave: int) -> None:
    t = np.arange(4 * RATE) / RATE
    db = np.full((len(t), 100), -30.0) - 8.0 * t[:, None]  # it dies away as it trembles
    db[:, 2] += 2.0 * np.sin(2.0 * np.pi * rate_hz * t + 0.4)
    partials = (10.0 ** (db / 20.0)).astype(np.float32)
    found = np.exp(log_shimmer(partials, len(t), RATE))
    assert found[octave, MEASURED_PARTIALS.index(3)] == pytest.approx(2.0 / math.sqrt(2.0), rel=0.2)
    found[octave, MEASURED_PARTIALS.index(3)] = LEAST_DB
    assert found[:, :3].max() < 0.3
    assert found[:, 3:].max() == pytest.approx(LEAST_DB, rel=1e-3)


@pytest.mark.parametrize(("seconds", "octave"), [(2.4, 0), (3.4, 0), (1.6, 1), (0.8, 2), (3.4, 4)])
def test_a_random_tremble_of_one_decibel_is_found_as_one(seconds: float, octave: int) -> None:
    """On average of its log, which is what training learns; notes are seldom long enough for the slow ones."""
    chance = np.random.default_rng(3)
    t = np.arange(round(seconds * RATE) + round(0.12 * RATE)) / RATE
    found = []
    for _ in range(60):
        db = np.full((len(t), 100), -30.0)
        for k in (0, 1, 2, 3):
            rates_hz = LOWEST_HZ * 2.0 ** (octave + chance.random(6))
            db[:, k] += math.sqrt(1.0 / 3.0) * np.sin(2.0 * np.pi * (rates_hz * t[:, None] + chance.random(6))).sum(1)
        found.append(log_shimmer((10.0 ** (db / 20.0)).astype(np.float32), len(t), RATE)[octave, :4])
    assert math.exp(float(np.mean(found))) == pytest.approx(1.0, rel=0.2)


def test_a_note_that_swells_from_nothing_is_measured_while_it_is_heard() -> None:
    t = np.arange(4 * RATE) / RATE
    db = np.full((len(t), 100), -30.0) - 60.0 * np.maximum(1.0 - t, 0.0)[:, None]
    db[:, 0] += 2.0 * np.sin(2.0 * np.pi * 8.0 * t)
    found = np.exp(log_shimmer((10.0 ** (db / 20.0)).astype(np.float32), len(t), RATE))
    assert found[3, 0] == pytest.approx(2.0 / math.sqrt(2.0), rel=0.15)


def test_what_cannot_be_known_is_not() -> None:
    t = np.arange(4 * RATE) / RATE
    steady = np.full((len(t), 100), 0.01, np.float32)
    assert np.isfinite(log_shimmer(steady, len(t), RATE)).all()
    steady[:, 3] = 1e-6
    unheard = np.isnan(log_shimmer(steady, len(t), RATE))
    assert unheard[:, MEASURED_PARTIALS.index(4)].all()
    assert not np.delete(unheard, MEASURED_PARTIALS.index(4), axis=1).any()
    short = np.isnan(log_shimmer(steady, int(0.4 * RATE), RATE))
    assert short[:3].all(), "0.28 s hold less than two periods of so slow a tremble"
    assert not short[4:, 0].any()
    few = np.isnan(log_shimmer(steady[:, :5], len(t), RATE))
    assert few[:, [number > 5 for number in MEASURED_PARTIALS]].all()
    for nothing in (np.zeros((500, 100), np.float32), steady[:10], steady[:0]):
        assert np.isnan(log_shimmer(nothing, len(nothing), RATE)).all()


def gain_db_of(generator: Generator, pitch: float, seconds: float) -> NDArray[np.float32]:
    """[F, H], by which shimmer moves the audible partials of a held note."""
    moving, still = (partials_of(generator, pitch, seconds, still=s) for s in (False, True))
    heard = still.all(axis=0)
    return 20.0 * np.log10(moving[:, heard] / still[:, heard])


def test_a_note_trembles_as_deep_as_the_network_says() -> None:
    depth_db = [0.3, 0.6, 1.2, 1.0, 0.8, 0.4]
    generator = trembling_generator(depth_db)
    steady = [(0.01 * 10.0 ** (gain_db_of(generator, p, 6.0) / 20.0)).astype(np.float32) for p in (36, 43, 50)]
    found = np.exp(np.stack([log_shimmer(partials, len(partials), RATE) for partials in steady]))
    for octave, wanted in enumerate(depth_db):
        assert float(np.nanmedian(found[:, octave])) == pytest.approx(wanted, rel=0.35), octave


def test_it_moves_nothing_but_levels_of_partials_and_those_around_their_mean() -> None:
    generator = trembling_generator([0.5, 1.0, 1.5, 1.5, 1.0, 0.5])
    pitch = torch.tensor([60.0, 140.0])  # and one whose every partial is beyond hearing
    time_on = torch.arange(0.0, 20.0, 1.0 / 50.0).expand(2, -1)
    modulation = generator.modulation(torch.zeros(2, FULL.latent_size), pitch, torch.ones(2))
    moving, still = (make(modulation, pitch, time_on, time_on - 100.0) for make in (generator.moving, generator.still))
    assert torch.equal(moving.f0_ratio, still.f0_ratio)
    assert torch.equal(moving.noise, still.noise)
    assert not moving.harmonics[1].any()
    assert torch.isfinite(moving.amplitude).all()
    torch.testing.assert_close(moving.harmonics[0].sum(-1), torch.ones(time_on.shape[1]))
    gain_db = gain_db_of(generator, 60.0, 20.0)
    assert np.abs(gain_db.mean(axis=0)).max() < 0.5
    assert 1.5 < gain_db.std() < 4.0
    assert np.abs(gain_db).max() <= 12.0
    together = np.corrcoef(gain_db[:, :20].T)[np.triu_indices(20, 1)]
    assert np.abs(together).mean() < 0.15, "partials tremble on their own"


def test_the_notes_of_a_chord_tremble_apart_and_a_key_always_alike() -> None:
    generator = trembling_generator([0.5, 1.0, 1.5, 1.5, 1.0, 0.5])
    pitches = (60.0, 64.0, 67.0, 72.0)
    trembles = [gain_db_of(generator, pitch, 8.0)[:, :12] for pitch in pitches]
    for first, second in itertools.combinations(trembles, 2):
        alike = [np.corrcoef(first[:, k], second[:, k])[0, 1] for k in range(12)]
        assert np.abs(np.mean(alike)) < 0.5
    assert np.array_equal(partials_of(generator, 60.0, 1.0), partials_of(generator, 60.0, 1.0))


def test_more_or_less_of_it_in_the_exported_network() -> None:
    generator = trembling_generator([0.1, 0.2, 0.3, 0.3, 0.2, 0.1])
    session = onnxruntime.InferenceSession(export_control(generator, FULL), providers=["CPUExecutionProvider"])
    time_on = torch.arange(0.0, 4.0, 0.01).unsqueeze(0)
    pitch, velocity = torch.tensor([60.0]), torch.tensor([0.7])
    z = torch.zeros(1, FULL.latent_size)
    modulation = generator.modulation(z, pitch, velocity)
    still = generator.still(modulation, pitch, time_on, time_on - 100.0)
    moves_db = []
    for amount in (0.0, 1.0, 2.0):
        inputs = (z, pitch, velocity, time_on, time_on - 100.0, torch.full_like(time_on, amount), time_on)
        names = ("z", "pitch", "velocity", "time_on", "time_off", "shimmer", "shimmer_clock")
        _, amplitude, harmonics, _ = session.run(None, {n: v.numpy() for n, v in zip(names, inputs, strict=True)})
        partials = amplitude[..., None] * harmonics
        ratio = partials[0, :, :20] / (still.amplitude[0, :, None] * still.harmonics[0, :, :20]).numpy()
        moves_db.append(float(np.std(20.0 * np.log10(ratio))))
    assert moves_db[0] < 0.01
    assert 0.3 < moves_db[1] < 0.8
    assert moves_db[2] == pytest.approx(2.0 * moves_db[1], rel=0.02)


def test_it_is_as_exact_after_an_hour() -> None:
    generator = trembling_generator([0.5, 1.0, 1.5, 1.5, 1.0, 0.5])
    time_on = 3600.0 + torch.arange(0.0, 2.0, 1.0 / RATE).unsqueeze(0)
    one, z = torch.tensor([60.0]), torch.zeros(1, FULL.latent_size)
    modulation = generator.modulation(z, one, one / 127.0)
    gains = [
        generator.shimmer.to(dtype)(modulation.to(dtype), one.to(dtype), time_on.to(dtype)).double()
        for dtype in (torch.float64, torch.float32)
    ]
    assert float((gains[0] - gains[1]).square().mean().sqrt()) < 0.1, "of more than 2 dB"
    assert float(gains[0].square().mean().sqrt()) > 1.5


def test_notes_struck_alike_begin_alike() -> None:
    """Whatever the clock says: a slow tremble that began anywhere would make one stroke louder than the next."""
    generator = trembling_generator([2.0, 2.0, 2.0, 0.1, 0.1, 0.1])
    time_on = torch.tensor([[0.0, 0.02, 0.05, 0.1]]).expand(40, -1)
    pitch, z = torch.full((40,), 60.0), torch.zeros(40, FULL.latent_size)
    modulation = generator.modulation(z, pitch, pitch / 127.0)
    gain_db = generator.shimmer(modulation, pitch, time_on, None, time_on + 7.3 * torch.arange(40.0).unsqueeze(1))
    spread = gain_db[..., :20].std(0).mean(-1)
    assert float(spread[0]) == 0.0
    assert float(spread[1]) < 0.6
    assert float(generator.shimmer(modulation, pitch, time_on + 3.0)[..., :20].std()) > 2.5


def test_a_stretched_note_trembles_no_faster() -> None:
    """Its clock is another: else an LFO on Attack would make it rattle."""
    generator = trembling_generator([0.5, 1.0, 1.5, 1.5, 1.0, 0.5])
    clock = 27.0 + torch.arange(0.0, 2.0, 1.0 / RATE).unsqueeze(0)
    one, z = torch.tensor([60.0]), torch.zeros(1, FULL.latent_size)
    modulation = generator.modulation(z, one, one / 127.0)
    stretched = [generator.shimmer(modulation, one, clock * stretch, None, clock) for stretch in (0.5, 1.0, 4.0)]
    for other in stretched[1:]:
        torch.testing.assert_close(other, stretched[0], atol=1e-3, rtol=0.0)


def test_a_network_that_never_heard_of_it_is_still() -> None:
    torch.manual_seed(0)
    generator = Generator(FULL).eval().requires_grad_(False)
    older = {name: value for name, value in generator.state_dict().items() if not name.startswith("shimmer")}
    generator.load_state_dict(older)
    db = gain_db_of(generator, 60.0, 2.0)
    assert np.abs(db).max() < 0.6
    assert db.std() < 0.15, "unheard"


def trembling(note: SyntheticNote, depth_db: float, seed: int) -> SyntheticNote:
    phases = np.random.default_rng(seed).random(SPEC.n_harmonics)
    t = np.arange(len(note.cents))[:, None] / SPEC.frame_rate
    gain = 10.0 ** (depth_db * math.sqrt(2.0) * np.sin(2.0 * np.pi * (8.0 * t + phases)) / 20.0)
    return dataclasses.replace(note, harmonics=(note.harmonics * gain).astype(np.float32))


def test_training_learns_which_instrument_trembles(tmp_path: Path) -> None:
    """And what it plays stays as near to the notes: it learns them without the tremble of any one of them."""
    notes = [
        trembling(synthetic_note(name, 50.0 + i, 1.5, decay_db_per_s=15.0), 2.0 if name == "organ" else 0.0, i)
        for i in range(7)
        for name in INSTRUMENTS
    ]
    data = TrainingData(SPEC, notes, notes[:4], INSTRUMENTS, {"dataset": "trembling"})
    config = dataclasses.replace(PRESETS["tiny"], warmup_steps=10_000, checkpoint_steps=1_000, learning_rate=8e-3)
    config = dataclasses.replace(config, kl_weight=0.0, normal_weight=0.0)
    train(data, config, tmp_path / "run", steps=400, quiet=True)
    run = load_run(tmp_path / "run")
    bank = NoteBank(notes, SPEC, INSTRUMENTS)
    with torch.no_grad():
        mean, _ = run.encoder(bank.log_mels(torch.arange(2)))
        depth_db = run.generator.shimmer.log_depth(
            run.generator.modulation(mean, bank.pitch[:2], bank.velocity[:2])
        ).exp()
    at_8_hz = int(math.log2(8.0 / LOWEST_HZ))
    organ, pluck = depth_db[:, at_8_hz, 0]
    assert float(organ) == pytest.approx(2.0, rel=0.4)
    assert float(pluck) < 0.5
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())[-1]["level_db"] < 6.0


def test_depths_are_bounded() -> None:
    shimmer = Shimmer(4, 100)
    with torch.no_grad():
        shimmer.depth.bias.fill_(50.0)
        gain_db = shimmer(torch.zeros(1, 4), torch.tensor([60.0]), torch.arange(500.0).unsqueeze(0) / RATE)
    assert torch.isfinite(gain_db).all()
    assert gain_db.abs().max() <= 12.0
