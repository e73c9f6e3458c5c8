"""The paper's model: its shapes and ranges, its training, and what it writes."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from noisysynth.errors import UserError
from noisysynth.export.cli_export import main as export_main
from noisysynth.spec import SynthSpec
from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint
from noisysynth.train.cli_train import main
from noisysynth.train.clip import Clip
from noisysynth.train.noisygan import synth, training
from noisysynth.train.noisygan.config import PRESETS, NoisyganConfig, find_config
from noisysynth.train.noisygan.data import RealNotes, read_notes
from noisysynth.train.noisygan.discriminator import N_MELS, N_MFCC, Discriminator, Mfcc
from noisysynth.train.noisygan.generator import Generator
from noisysynth.train.noisygan.sampling import load_paper_run, samples, samples_with_pitch
from noisysynth.train.noisygan.training import Trainee, build_networks, train
from noisysynth.train.prepared import prepare

TINY = PRESETS["noisygan-tiny"]


class Sines:
    """Six short decaying tones, two of them outside the paper's range of pitches."""

    n_notes = 6
    n_batches = 1
    attribution: list[str] = ["Tones: made here, CC0"]  # noqa: RUF012
    pitches = (20.0, 50.0, 57.0, 64.0, 71.0, 90.0)

    def arguments(self) -> dict[str, Any]:
        return {"kind": "sines"}

    def batch(self, index: int) -> Any:
        t = np.arange(44_100 * 4 // 10) / 44_100
        for i, pitch in enumerate(self.pitches):
            audio = 0.3 * np.exp(-8.0 * t) * np.sin(2 * np.pi * 440.0 * 2 ** ((pitch - 69) / 12) * t)
            yield Clip(audio.astype(np.float32), 44_100, pitch, 0.5, 0.3, f"tone{i}", "tone", licence="CC0")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "sines"
    prepare(Sines(), out, SynthSpec())
    return out


def real_notes(dataset: str = "invented") -> RealNotes:
    noise = np.random.default_rng(0).integers(-20_000, 20_000, (4, synth.N_SAMPLES), dtype=np.int16)
    return RealNotes(noise, np.full(4, 0.5, np.float32), [f"note {i}" for i in range(4)], {"dataset": dataset})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    assert train(real_notes(), TINY, run, steps=4, quiet=True) == 4
    return run


def at(last_step: int) -> Callable[[int], bool]:
    return lambda step: step == last_step


# --- the synth ------------------------------------------------------------------------------------------------


def test_additive_synth_gives_a_sine_of_its_frequency_and_amplitude() -> None:
    weights = torch.zeros(1, synth.N_FRAMES, synth.N_HARMONICS)
    weights[..., 2] = 5.0
    audio = synth.additive(torch.full((1, synth.N_FRAMES), 250.0), torch.full((1, synth.N_FRAMES), 0.7), weights)[0]
    time_s = torch.arange(synth.N_SAMPLES, dtype=torch.float64) / synth.SAMPLE_RATE
    expected = 0.7 * torch.sin(2.0 * math.pi * 750.0 * time_s)
    torch.testing.assert_close(audio.double(), expected, rtol=0.0, atol=2e-3)


def test_additive_synth_is_silent_above_nyquist() -> None:
    weights = torch.zeros(1, synth.N_FRAMES, synth.N_HARMONICS)
    weights[..., 1] = 1.0
    audio = synth.additive(torch.full((1, synth.N_FRAMES), 4_100.0), torch.ones(1, synth.N_FRAMES), weights)
    assert float(audio.abs().max()) == 0.0


def test_filtered_noise_keeps_to_its_band_and_its_moment() -> None:
    magnitudes = torch.zeros(1, synth.N_FRAMES, synth.N_NOISE_BANDS)
    magnitudes[:, 400:500, 22] = 1.0  # half of Nyquist
    audio = synth.filtered_noise(magnitudes, torch.Generator().manual_seed(0))[0].numpy()
    power = np.square(audio).reshape(synth.N_FRAMES, synth.HOP).sum(1)
    assert power[398:502].sum() > 0.999 * power.sum()
    spectrum = np.abs(np.fft.rfft(audio)) ** 2
    hz = np.fft.rfftfreq(len(audio), 1.0 / synth.SAMPLE_RATE)
    assert spectrum[np.abs(hz - 4_000.0) < 400.0].sum() > 0.98 * spectrum.sum()


def test_open_filter_passes_the_noise_undelayed() -> None:
    magnitudes = torch.ones(2, synth.N_FRAMES, synth.N_NOISE_BANDS)
    audio = synth.filtered_noise(magnitudes, torch.Generator().manual_seed(3))
    noise = 2.0 * torch.rand(2, synth.N_FRAMES, synth.HOP, generator=torch.Generator().manual_seed(3)) - 1.0
    torch.testing.assert_close(audio, noise.flatten(1), rtol=0.0, atol=1e-5)


def test_reverb_adds_delayed_copies_and_no_second_direct_sound() -> None:
    reverb = synth.Reverb(100)
    with torch.no_grad():
        reverb.response.zero_()
        reverb.response[0], reverb.response[40] = 9.0, 0.5
    audio = torch.zeros(1, 1_000)
    audio[0, 10] = 1.0
    out = reverb(audio)[0]
    expected = torch.zeros(1_000)
    expected[10], expected[50] = 1.0, 0.5
    torch.testing.assert_close(out, expected, rtol=0.0, atol=1e-6)


def test_exp_sigmoid_is_the_formula() -> None:
    x = torch.linspace(-12.0, 12.0, 101, dtype=torch.float64)
    expected = 2.0 * torch.sigmoid(x) ** math.log(10.0) + 1e-7
    torch.testing.assert_close(synth.exp_sigmoid(x), expected)


# --- the networks ---------------------------------------------------------------------------------------------


def test_contours_stay_in_the_papers_ranges_and_use_them() -> None:
    generator, _ = build_networks(PRESETS["noisygan"])
    with torch.no_grad():
        contours = generator.contours(torch.randn(300, 16, generator=torch.Generator().manual_seed(0)))
    assert contours.pitch.shape == (300, 1_000)
    assert contours.texture.shape == (300, 1_000, 8)
    for values, low, high in ((contours.pitch, 63.5, 92.9), (contours.loudness_db, -60.0, -32.2)):
        assert low <= float(values.min())
        assert float(values.max()) <= high
        assert float(values.max() - values.min()) > 0.6 * (high - low)
    # It glides: no note has its pitch jump from frame to frame, and some move over their four seconds.
    assert float(contours.pitch.diff(dim=1).abs().max()) < 0.5
    assert float((contours.pitch[:, -1] - contours.pitch[:, 0]).abs().max()) > 1.0


def test_papers_sizes() -> None:
    generator, discriminator = build_networks(PRESETS["noisygan"])
    assert generator.decoder.recurrent.hidden_size == 256
    assert generator.decoder.out.out_features == 1 + 45 + 45
    convolutions = [layer for layer in discriminator.layers if isinstance(layer, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size, c.stride) for c in convolutions] == [(16, (3, 3), (2, 2))] * 3


def test_sound_has_four_seconds_and_every_weight_a_gradient() -> None:
    generator, discriminator = build_networks(TINY)
    rng = torch.Generator().manual_seed(0)
    audio = generator(torch.randn(2, 16, generator=rng), rng).audio
    assert audio.shape == (2, 64_000)
    assert discriminator(audio).shape == (2,)
    discriminator(audio).sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert float(parameter.grad.abs().max()) > 0.0, name


def test_mfccs_are_the_cosine_transform_of_log_mel_levels() -> None:
    mfcc = Mfcc()
    audio = torch.rand(1, 6_400, generator=torch.Generator().manual_seed(0)) - 0.5
    found = mfcc(audio)[0].double().numpy()
    assert found.shape == (100, N_MFCC)
    frame = audio[0, 50 * 64 : 50 * 64 + 256].double().numpy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    levels = np.log(np.abs(np.fft.rfft(frame * window)) @ mfcc.mel.double().numpy() + 1e-5)
    k, n = np.arange(N_MFCC)[:, None], np.arange(N_MELS)
    expected = (2.0 / math.sqrt(2.0 * N_MELS)) * (np.cos(np.pi / N_MELS * (n + 0.5) * k) * levels).sum(1)
    np.testing.assert_allclose(found[50], expected, atol=2e-3)


def test_discriminator_has_finite_slopes_on_silence() -> None:
    audio = torch.zeros(1, synth.N_SAMPLES, requires_grad=True)
    Discriminator()(audio).sum().backward()
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()


def test_networks_are_the_same_for_the_same_seed() -> None:
    first, again = build_networks(TINY)[0].state_dict(), build_networks(TINY)[0].state_dict()
    other = build_networks(dataclasses.replace(TINY, seed=1))[0].state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["decoder.out.weight"], other["decoder.out.weight"])


# --- training -------------------------------------------------------------------------------------------------


def test_interrupted_run_ends_as_the_uninterrupted_one(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(real_notes(), TINY, run, steps=4, quiet=True, stop=at(3)) == 3
    assert train(real_notes(), TINY, run, steps=4, quiet=True, resume=True) == 4
    expected, resumed = (load_checkpoint(checkpoint_paths(path)[-1]) for path in (finished, run))
    assert torch.equal(expected["rng"], resumed["rng"])
    torch.testing.assert_close(expected["losses"], resumed["losses"], rtol=1e-3, atol=1e-5)
    for network in ("generator", "discriminator"):
        for name, value in expected[network].items():
            torch.testing.assert_close(resumed[network][name], value, rtol=1e-3, atol=2e-5, msg=name)


def test_run_stays_on_the_device_that_it_began_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(real_notes(), TINY, run, steps=2, quiet=True)
    path = checkpoint_paths(run)[-1]
    torch.save(load_checkpoint(path) | {"device": "cuda"}, path)
    with pytest.raises(UserError, match="was trained with --device cuda; resume with that"):
        train(real_notes(), TINY, run, steps=4, quiet=True, resume=True)


def test_both_networks_learn_and_the_losses_are_kept(finished: Path) -> None:
    state = load_checkpoint(checkpoint_paths(finished)[-1])
    fresh = Trainee(TINY, torch.device("cpu"))
    assert not torch.equal(state["generator"]["decoder.out.weight"], fresh.generator.decoder.out.weight)
    assert not torch.equal(
        state["discriminator"]["layers.0.weight"], fresh.discriminator.state_dict()["layers.0.weight"]
    )
    lines = (finished / "losses.csv").read_text().splitlines()
    assert lines[0] == "step,discriminator,generator,real_score,fake_score"
    assert [int(line.split(",")[0]) for line in lines[1:]] == [1, 2, 3, 4]
    assert json.loads((finished / "run.json").read_text())["steps"] == 4


def test_discriminator_learns_to_tell_noise_from_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(TINY, batch=4, checkpoint_steps=100)
    monkeypatch.setattr(Generator, "forward", _silent)
    train(real_notes(), config, tmp_path / "run", steps=30, quiet=True)
    last = load_paper_run(tmp_path / "run").losses[-1]
    assert last.real_score > 0.7
    assert last.fake_score < 0.3


def _silent(generator: Generator, z: torch.Tensor, rng: torch.Generator) -> Any:
    """A generator that says nothing, but can be differentiated."""
    from noisysynth.train.noisygan.generator import Sound

    nothing = sum((0.0 * p.sum() for p in generator.parameters()), torch.zeros(()))
    return Sound(torch.zeros(len(z), synth.N_SAMPLES) + nothing, generator.contours(z))


def test_ctrl_c_finishes_the_step_and_writes_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def press(step: int) -> bool:
        if step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return False

    assert train(real_notes(), TINY, tmp_path / "run", steps=50, stop=press) == 1
    assert "--resume" in capsys.readouterr().out
    assert load_checkpoint(checkpoint_paths(tmp_path / "run")[-1])["step"] == 1


def test_nan_stops_with_the_step_and_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    real = training.binary_cross_entropy_with_logits

    def poisoned(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return real(logits, labels) * (float("nan") if calls > 4 else 1.0)

    monkeypatch.setattr(training, "binary_cross_entropy_with_logits", poisoned)
    with pytest.raises(UserError, match=r"became NaN or infinite at step 2; .*step_00000002\.pt"):
        train(real_notes(), TINY, tmp_path / "run", steps=10, quiet=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": dataclasses.replace(TINY, seed=7)}, "another config"),
        ({"data": real_notes("other")}, "another data set"),
        ({"resume": False}, "already holds a run"),
    ],
)
def test_a_run_is_not_mixed_with_another(finished: Path, change: dict[str, Any], message: str) -> None:
    arguments = {"data": real_notes(), "config": TINY, "resume": True} | change
    with pytest.raises(UserError, match=message):
        train(run_dir=finished, steps=12, quiet=True, **arguments)


# --- samples, figures and the command ---------------------------------------------------------------------------


def test_samples_are_the_same_for_the_same_seed(finished: Path) -> None:
    sounds = samples_with_pitch(finished, 3, seed=5)
    assert sounds.audio.shape == (3, 64_000)
    assert sounds.audio.dtype == np.float32
    assert ((sounds.pitch >= 63.5) & (sounds.pitch <= 92.9)).all()
    assert np.array_equal(samples(checkpoint_paths(finished)[-1], 3, seed=5), sounds.audio)
    assert not np.array_equal(samples(finished, 3, seed=6), sounds.audio)
    assert samples(finished, 0).shape == (0, 64_000)


def test_samples_sound_at_their_pitch(finished: Path) -> None:
    sounds = samples_with_pitch(finished, 4, seed=1)
    for audio, pitch in zip(sounds.audio, sounds.pitch, strict=True):
        middle = audio[24_000:40_000] * np.hanning(16_000)
        spectrum = np.abs(np.fft.rfft(middle, 64_000))
        hz = 440.0 * 2 ** ((float(pitch) - 69.0) / 12.0)
        near = [spectrum[round(4 * k * hz) - 60 : round(4 * k * hz) + 60].max() for k in (1, 2)]
        assert max(near) > 10.0 * np.median(spectrum)


def test_command_trains_draws_and_goes_on(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    told = ["--data", str(prepared), "--out", str(run)]
    assert main([*told, "--config", "noisygan-tiny", "--steps", "1"]) == 0
    assert "15 figures and sounds" not in capsys.readouterr().err
    names = {path.name for path in run.glob("figures/*")}
    assert names == {"spectrograms.png", "waveforms.png", "losses.png"}
    for kind in ("real", "untrained", "trained"):
        audio, rate = soundfile.read(run / "sounds" / f"{kind}_0.wav")
        assert (len(audio), rate) == (64_000, 16_000)
        assert np.abs(audio).max() == pytest.approx(0.9, abs=1e-3)
    before = (run / "sounds" / "trained_0.wav").read_bytes()
    assert main([*told, "--resume", "--steps", "2"]) == 0  # without a word it is the same model
    assert (run / "sounds" / "trained_0.wav").read_bytes() != before
    (run / "figures" / "losses.png").unlink()
    assert main([*told, "--figures"]) == 0
    assert (run / "figures" / "losses.png").stat().st_size > 1_000
    assert load_paper_run(run).steps == 2


def test_real_notes_are_resampled_padded_and_within_the_papers_pitches(prepared: Path) -> None:
    notes = read_notes(prepared, TINY)
    assert 1 <= len(notes) <= 4
    assert all(any(f"MIDI {pitch}" in name for pitch in (50, 57, 64, 71)) for name in notes.names)
    audio = notes.audio(torch.tensor([0]))[0].numpy()
    assert audio.shape == (64_000,)
    assert not audio[16_000:].any()
    pitch = float(notes.names[0].split()[-1])
    spectrum = np.abs(np.fft.rfft(audio[:6_400]))
    assert np.argmax(spectrum) * 2.5 == pytest.approx(440.0 * 2 ** ((pitch - 69) / 12), abs=4.0)
    assert np.abs(audio).max() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({"lowest_pitch": 100, "highest_pitch": 110}, [], "no note between MIDI 100 and 110"),
        ({}, ["--resume"], "no checkpoint to resume"),
        ({}, ["--figures"], "no such checkpoint"),
        ({"decoder_unit": 3}, [], "unknown key 'decoder_unit'"),
        ({"batch": 0}, [], "batch must be at least 1"),
        ({"learning_rate": "fast"}, [], "learning_rate must be a number"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    settings: dict[str, Any],
    arguments: list[str],
    message: str,
    prepared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(TINY.to_json() | settings))
    told = ["--data", str(prepared), "--out", str(tmp_path / "run"), "--config", str(config)]
    assert main([*told, *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("noisysynth-train: error: ")
    assert message in error


def test_other_models_have_no_such_figures_and_this_one_cannot_be_played(
    finished: Path, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(prepared), "--out", str(tmp_path / "run"), "--figures"]) == 2
    assert "--config noisygan" in capsys.readouterr().err
    assert export_main([str(finished), str(tmp_path / "x.noisy")]) == 2
    assert "cannot be played" in capsys.readouterr().err


def test_strange_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint yet"):
        samples(tmp_path, 1)
    (tmp_path / "x.pt").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="not a checkpoint"):
        samples(tmp_path / "x.pt", 1)
    torch.save({"format": 1, "config": "{}"}, tmp_path / "x.pt")
    with pytest.raises(UserError, match="not a checkpoint of the paper's model"):
        samples(tmp_path / "x.pt", 1)


def test_config_round_trip_and_other_models() -> None:
    for config in PRESETS.values():
        assert NoisyganConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert find_config("quick") is None
    assert find_config("noisygan") == NoisyganConfig()
