"""Phrases: what is typed and tracked, how their network loops and transposes, and the instrument they become."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from noisysynth.engine.control_net import ControlNet
from noisysynth.errors import UserError
from noisysynth.export.cli_export import main as export_main
from noisysynth.instrument import Instrument, read_instrument
from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint
from noisysynth.train.cli_train import main
from noisysynth.train.noisygan.synth import HOP, N_FRAMES, N_SAMPLES, SAMPLE_RATE
from noisysynth.train.phrases.config import PRESETS, PhrasesConfig, find_config
from noisysynth.train.phrases.contours import level_db, track_pitch
from noisysynth.train.phrases.data import Phrase, PhraseBank, make_bank, read_phrases
from noisysynth.train.phrases.generator import MAX_SEMITONES, PhraseGenerator
from noisysynth.train.phrases.melodies import MELODIES, PHRASE_BEATS, phrases
from noisysynth.train.phrases.run import load_phrase_run
from noisysynth.train.phrases.training import Trainee, measure, train

TINY = PRESETS["phrases-tiny"]
TIME_S = np.arange(N_SAMPLES) / SAMPLE_RATE


def sung(pitches: list[float], level: float = 0.3) -> np.ndarray[Any, Any]:
    """Four seconds of equally long notes, five partials each, the phase running on; 50 ms of silence between them."""
    which = np.minimum((TIME_S * len(pitches) / 4.0).astype(int), len(pitches) - 1)
    hz = 440.0 * 2 ** ((np.array(pitches)[which] - 69.0) / 12.0)
    phase = 2.0 * np.pi * np.cumsum(hz) / SAMPLE_RATE
    sounding = (TIME_S * len(pitches) / 4.0) % 1.0 < 1.0 - 0.05 * len(pitches) / 4.0
    return (level * sounding * sum(np.sin(k * phase) / k for k in range(1, 6)) / 2.0).astype(np.float32)


def phrase(name: str, pitches: list[float]) -> Phrase:
    audio = sung(pitches)
    track = track_pitch(audio, SAMPLE_RATE, HOP)
    return Phrase(name, audio, track.pitch, track.voiced, level_db(audio, HOP))


@pytest.fixture(scope="module")
def bank() -> PhraseBank:
    found = [phrase("rising", [60.0, 64.0, 67.0, 72.0]), phrase("falling", [64.0, 62.0, 59.0, 57.0])]
    return make_bank(found, {"dataset": "sung", "attribution": ["nobody"], "licence": ["CC0"]})


@pytest.fixture(scope="module")
def finished(bank: PhraseBank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    assert train(bank, TINY, run, steps=5, quiet=True) == 5
    return run


@pytest.fixture(scope="module")
def instrument(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Instrument:
    out = tmp_path_factory.mktemp("exported") / "phrases.noisy"
    assert export_main([str(finished), str(out)]) == 0
    return read_instrument(out)


def at(last_step: int) -> Callable[[int], bool]:
    return lambda step: step == last_step


# --- melodies and recordings ----------------------------------------------------------------------------------


def test_every_melody_fills_its_bars_and_every_phrase_begins_with_a_note() -> None:
    found = phrases()
    assert len(found) >= 40
    assert len({melody.name for melody in found}) == len(found)
    for melody in found:
        assert melody.notes[0].start_s == 0.0
        assert melody.notes[-1].start_s + melody.notes[-1].length_s <= 0.5 * PHRASE_BEATS
        # All of it can be said: nothing is further from the first note than the network reaches.
        assert max(abs(note.pitch - melody.notes[0].pitch) for note in melody.notes) <= MAX_SEMITONES
    assert all(len(bars) % 2 == 0 for bars in MELODIES.values())


@pytest.mark.parametrize("pitch", [40.0, 57.3, 69.0, 81.7])
def test_pitch_is_tracked_within_five_cents(pitch: float) -> None:
    track = track_pitch(sung([pitch]), SAMPLE_RATE, HOP)
    middle = slice(30, 900)
    assert track.voiced[middle].all()
    assert np.abs(track.pitch[middle] - pitch).max() < 0.05


def test_melody_is_tracked_note_by_note() -> None:
    track = track_pitch(sung([60.0, 67.0, 55.0, 72.0]), SAMPLE_RATE, HOP)
    for note, pitch in enumerate((60.0, 67.0, 55.0, 72.0)):
        assert np.median(track.pitch[250 * note + 20 : 250 * note + 220]) == pytest.approx(pitch, abs=0.05)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.1, N_SAMPLES).astype(np.float32)
    assert track_pitch(noise, SAMPLE_RATE, HOP).voiced.mean() < 0.05
    assert not track_pitch(np.zeros(N_SAMPLES, np.float32), SAMPLE_RATE, HOP).voiced.any()


def test_level_is_that_of_a_sine_where_it_sounds() -> None:
    audio = np.where(TIME_S < 2.0, 0.5 * np.sin(2 * np.pi * 500.0 * TIME_S), 0.0).astype(np.float32)
    level = level_db(audio, HOP)
    assert level.shape == (N_FRAMES,)
    assert level[250] == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.1)
    assert level[600] == -80.0


def test_bank_splits_pitch_into_key_semitones_and_cents() -> None:
    low = dataclasses.replace(make_bank([phrase("x", [57.2, 62.1])], {}))
    assert low.key.tolist() == [57.0]
    assert set(low.semitones[0, 30:450].tolist()) == {0}
    assert low.semitones[0, 700] == 5
    assert low.cents[0, 200] == pytest.approx(20.0, abs=5.0)


def test_recordings_become_windows_and_what_has_no_pitch_is_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.normal(size=N_SAMPLES)
    long = np.concatenate([sung([60.0, 62.0]), noise, sung([67.0]), sung([50.0])[:1000]])
    soundfile.write(tmp_path / "take.wav", long, SAMPLE_RATE)
    soundfile.write(tmp_path / "short.wav", sung([60.0])[: N_SAMPLES // 2], SAMPLE_RATE)
    found = read_phrases(tmp_path, TINY)
    assert found.names == ["take 0 s", "take 8 s"]
    assert found.key.tolist() == [60.0, 67.0]
    assert found.audio.shape == (2, N_SAMPLES)


def test_soundfont_plays_the_melodies(soundfont: Path) -> None:
    found = read_phrases(soundfont, TINY)
    assert len(found) == len(phrases())
    ode = found.names.index("Ode to Joy 1 Flute")
    audio = found.audio[ode].numpy()
    track = track_pitch(audio, SAMPLE_RATE, HOP)
    sounding = track.voiced & (found.weight[ode].numpy() > 0)
    written = found.key[ode].numpy() + found.semitones[ode].numpy()
    assert sounding.mean() > 0.7
    assert (np.abs(track.pitch - written)[sounding] < 0.3).mean() > 0.9


# --- the network ----------------------------------------------------------------------------------------------


def told(z: torch.Tensor, time_s: torch.Tensor, pitch: float = 60.0, velocity: float = 0.75, off: float = -1.0) -> Any:
    voices = len(z)
    return (
        z,
        torch.full((voices,), pitch),
        torch.full((voices,), velocity),
        time_s.expand(voices, -1),
        torch.full((voices, len(time_s)), off),
    )


@pytest.fixture(scope="module")
def generator() -> PhraseGenerator:
    torch.manual_seed(0)
    return PhraseGenerator(TINY).eval()


@torch.no_grad()
def test_held_key_loops_without_a_seam(generator: PhraseGenerator) -> None:
    z = torch.randn(3, TINY.latent_size, generator=torch.Generator().manual_seed(1))
    # A little after note-on, whose fade-in comes once only.
    time_s = torch.arange(0.1, 4.1, 0.004)
    once, later = generator(*told(z, time_s)), generator(*told(z, time_s + 8.0))
    for first, again in zip(once, later, strict=True):
        torch.testing.assert_close(first, again, rtol=2e-3, atol=2e-3)
    around = generator(*told(z, torch.tensor([3.9999, 4.0001])))
    for values in around:
        torch.testing.assert_close(values[:, 0], values[:, 1], rtol=0.02, atol=0.02)


@torch.no_grad()
def test_key_transposes_the_melody_and_latents_change_it(generator: PhraseGenerator) -> None:
    z = torch.randn(2, TINY.latent_size, generator=torch.Generator().manual_seed(1))
    time_s = torch.linspace(0.01, 3.9, 50)
    low, high = generator(*told(z, time_s, 48.0)), generator(*told(z, time_s, 55.0))
    torch.testing.assert_close(low.f0_ratio, high.f0_ratio)
    assert float((low.f0_ratio[0] / low.f0_ratio[1]).log2().abs().max()) > 0.01
    assert float(low.f0_ratio.max()) <= 2.0 ** ((MAX_SEMITONES + 0.5) / 12.0)


@torch.no_grad()
def test_harmonics_sum_to_one_and_end_below_twenty_kilohertz(generator: PhraseGenerator) -> None:
    z = torch.randn(4, TINY.latent_size, generator=torch.Generator().manual_seed(2))
    time_s = torch.linspace(0.0, 7.0, 60)
    for pitch in (30.0, 60.0, 100.0):
        controls = generator(*told(z, time_s, pitch))
        f0_hz = 440.0 * 2 ** ((pitch - 69.0) / 12.0) * controls.f0_ratio
        partial_hz = f0_hz.unsqueeze(-1) * torch.arange(1, 46)
        assert float(controls.harmonics[partial_hz >= 20_000.0].abs().sum()) == 0.0
        heard = f0_hz < 7_000.0
        torch.testing.assert_close(controls.harmonics.sum(-1)[heard], torch.ones(int(heard.sum())))
        assert all(torch.isfinite(values).all() and (values >= 0).all() for values in controls)


@torch.no_grad()
def test_notes_end_in_silence_and_obey_velocity(generator: PhraseGenerator) -> None:
    z = torch.randn(1, TINY.latent_size, generator=torch.Generator().manual_seed(3))
    time_s = torch.tensor([1.0])
    soft, hard = (generator(*told(z, time_s, velocity=v)).amplitude for v in (0.25, 1.0))
    assert float(20.0 * torch.log10(hard / soft)) == pytest.approx(18.0, abs=0.01)
    held, released = generator(*told(z, time_s)), generator(*told(z, time_s, off=0.5))
    assert float(20.0 * torch.log10(released.amplitude / held.amplitude)) == pytest.approx(-100.0, abs=0.1)


# --- training -------------------------------------------------------------------------------------------------


def test_melodies_are_learned(bank: PhraseBank, tmp_path: Path) -> None:
    config = dataclasses.replace(
        TINY, contour_nodes=64, batch=8, instants=128, warmup_steps=10_000, checkpoint_steps=1_000, learning_rate=6e-3
    )
    before = measure(Trainee(config, len(bank)), bank)
    train(bank, config, tmp_path / "run", steps=120, quiet=True)
    after = json.loads((tmp_path / "run" / "metrics.json").read_text())[-1]
    assert before["notes_right"] < 0.5
    assert after["notes_right"] > 0.9
    assert after["level_db"] < 0.6 * before["level_db"]


def test_interrupted_run_ends_as_the_uninterrupted_one(finished: Path, bank: PhraseBank, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # Interrupted where the discriminator is already at work. The learning rate follows the number of steps.
    assert train(bank, TINY, run, steps=5, quiet=True, stop=at(4)) == 4
    assert train(bank, TINY, run, steps=5, quiet=True, resume=True) == 5
    expected, resumed = (load_checkpoint(checkpoint_paths(path)[-1]) for path in (finished, run))
    assert torch.equal(expected["rng"], resumed["rng"])
    for name, value in expected["networks"].items():
        torch.testing.assert_close(resumed["networks"][name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_a_run_is_not_mixed_with_another(finished: Path, bank: PhraseBank) -> None:
    other = dataclasses.replace(bank, names=["rising", "resting"])
    with pytest.raises(UserError, match="another phrases"):
        train(other, TINY, finished, steps=9, quiet=True, resume=True)
    with pytest.raises(UserError, match="another config"):
        train(bank, dataclasses.replace(TINY, seed=3), finished, steps=9, quiet=True, resume=True)


def test_everything_is_trained(finished: Path, bank: PhraseBank) -> None:
    fresh = Trainee(TINY, len(bank)).state_dict()
    trained = load_checkpoint(checkpoint_paths(finished)[-1])["networks"]
    still = {name for name, value in fresh.items() if torch.equal(value, trained[name])}
    # Scores count against one another, so a bias common to all of them changes nothing.
    assert still == {"discriminator.layers.7.bias"}


# --- the instrument -------------------------------------------------------------------------------------------


def test_exported_phrases_are_presets(instrument: Instrument, finished: Path, bank: PhraseBank) -> None:
    assert [preset.name for preset in instrument.presets] == ["Rising", "Falling"]
    run = load_phrase_run(finished)
    assert run.names == bank.names
    assert np.array_equal(instrument.presets[1].latent, run.z[1])
    assert instrument.training.attribution == ("nobody",)
    assert instrument.pitch_range == (60, 64)


def test_exported_network_loops_and_transposes_hours_on(instrument: Instrument) -> None:
    net = ControlNet(instrument)
    time_on = np.arange(0.1, 4.1, 0.02, dtype=np.float32)[None]
    z = instrument.presets[0].latent[None]

    def controls(pitch: float, time_s: Any) -> Any:
        told = np.array([pitch], np.float32), np.array([0.75], np.float32)
        return net.run(z, *told, time_s.astype(np.float32), np.full(time_s.shape, -1.0, np.float32))

    once, later = controls(60.0, time_on), controls(72.0, time_on + 3_600.0)
    np.testing.assert_allclose(once.f0_ratio, later.f0_ratio, rtol=0.02)


def test_command_trains_on_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    soundfile.write(folder / "take.wav", np.concatenate([sung([60.0, 62.0]), sung([64.0, 57.0])]), SAMPLE_RATE)
    told = ["--data", str(folder), "--out", str(tmp_path / "run")]
    assert main([*told, "--config", "phrases-tiny", "--steps", "1"]) == 0
    assert "on their semitone" in capsys.readouterr().out
    assert main([*told, "--steps", "2", "--resume"]) == 0
    assert load_phrase_run(tmp_path / "run").training["steps"] == 2


def test_bad_data_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.wav").write_bytes(b"RIFFnonsense")
    shutil.copy(tmp_path / "broken" / "x.wav", tmp_path / "x.sf2")
    for data, message in (("empty", "holds no phrase"), ("broken", "cannot be read"), ("x.sf2", "SoundFont 2")):
        assert main(["--data", str(tmp_path / data), "--out", str(tmp_path / "run"), "--config", "phrases-tiny"]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert lines[-1].startswith("noisysynth-train: error: ")
        assert message in lines[-1]


def test_strange_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint yet"):
        load_phrase_run(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    torch.save({"format": 1, "config": "{}"}, tmp_path / "checkpoints" / "step_00000001.pt")
    with pytest.raises(UserError, match="not a checkpoint of a phrase model"):
        load_phrase_run(tmp_path)


def test_config_round_trip_and_impossible_settings(tmp_path: Path) -> None:
    for config in PRESETS.values():
        assert PhrasesConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert find_config("noisygan") is None
    for bad in ({"programs": []}, {"programs": [200]}, {"batch": 0}, {"crop_seconds": 9}, {"kl_wait": 1}):
        (tmp_path / "c.json").write_text(json.dumps({"model": "phrases"} | bad))
        with pytest.raises(UserError, match="config: "):
            find_config(str(tmp_path / "c.json"))
