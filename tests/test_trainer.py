"""The training loop on invented notes: it learns, resumes exactly, stops cleanly and says what went wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic_notes import INSTRUMENTS, SPEC, synthetic_notes

from noisysynth.errors import UserError
from noisysynth.latent_prior import LatentPrior
from noisysynth.train import trainer
from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint, load_run
from noisysynth.train.config import PRESETS
from noisysynth.train.dice import Dice
from noisysynth.train.fit_prior import FEWEST_NOTES
from noisysynth.train.made_notes import drawn
from noisysynth.train.note_bank import NoteBank
from noisysynth.train.prior_tensors import PriorTensors
from noisysynth.train.quick_metrics import evaluate, frechet_distance
from noisysynth.train.render import render_notes
from noisysynth.train.trainer import Trainee, TrainingData, train

TINY = PRESETS["tiny"]


def training_data(dataset: str = "synthetic", n: int = 14) -> TrainingData:
    notes = synthetic_notes(20)
    learned = (notes * n)[:n] if n > 14 else notes[:n]
    return TrainingData(
        SPEC, learned, notes[14:], INSTRUMENTS, {"dataset": dataset, "attribution": ["nobody"], "licence": ["CC0"]}
    )


def at(last_step: int) -> Callable[[int], bool]:
    return lambda step: step == last_step


def tensors(value: Any, path: str = "") -> dict[str, torch.Tensor]:
    """All tensors in a checkpoint by their path in it."""
    if isinstance(value, torch.Tensor):
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    found: dict[str, torch.Tensor] = {}
    for key, item in items:
        found |= tensors(item, f"{path}/{key}")
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    assert train(training_data(), TINY, run, steps=10, quiet=True) == 10
    return run


def test_interrupted_run_ends_as_the_uninterrupted_one(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(training_data(), TINY, run, steps=10, quiet=True, stop=at(5)) == 5
    assert train(training_data(), TINY, run, steps=10, quiet=True, resume=True) == 10
    expected = tensors(load_checkpoint(checkpoint_paths(finished)[-1]))
    resumed = tensors(load_checkpoint(checkpoint_paths(run)[-1]))
    assert expected.keys() == resumed.keys()
    assert len(expected) > 100
    assert [name for name, value in expected.items() if not torch.equal(resumed[name], value)] == []


def test_a_run_with_a_fitted_prior_is_resumed_with_it(tmp_path: Path) -> None:
    """It is fitted at checkpoints and nowhere else: one written for Ctrl-C leaves it as it was."""
    data = training_data(n=FEWEST_NOTES)
    whole, run = tmp_path / "whole", tmp_path / "run"
    train(data, TINY, whole, steps=10, quiet=True)
    train(data, TINY, run, steps=10, quiet=True, stop=at(6))
    held = load_checkpoint(checkpoint_paths(run)[-1])
    assert held["step"] == 6
    assert held["prior"].keys() == {"weights", "means", "factors"}
    train(data, TINY, run, steps=10, quiet=True, resume=True)
    expected = tensors(load_checkpoint(checkpoint_paths(whole)[-1]))
    resumed = tensors(load_checkpoint(checkpoint_paths(run)[-1]))
    assert [name for name, value in expected.items() if not torch.equal(resumed[name], value)] == []


def test_a_run_of_a_gpu_goes_on_without_one(finished: Path, tmp_path: Path) -> None:
    """Its optimizers keep what they obey as tensors there."""
    ends = []
    for kind in ("cpu", "gpu"):
        run = tmp_path / kind
        shutil.copytree(finished, run)
        path = checkpoint_paths(run)[-1]
        state = load_checkpoint(path)
        if kind == "gpu":
            for optimizer in ("g_optimizer", "d_optimizer"):
                for group in state[optimizer]["param_groups"]:
                    group.update(lr=torch.tensor(group["lr"]), capturable=True)
            torch.save(state, path)
        steps = state["step"] + 2
        train(training_data(), TINY, run, steps=steps, quiet=True, resume=True)
        ends.append(tensors(load_checkpoint(checkpoint_paths(run)[-1])))
    assert [name for name, value in ends[0].items() if not torch.equal(ends[1][name], value)] == []


def test_a_run_begins_with_what_another_has_learned(finished: Path, tmp_path: Path) -> None:
    """And keeps it where it is stopped before its first step and resumed."""
    other = load_checkpoint(checkpoint_paths(finished)[-1])
    config = dataclasses.replace(TINY, warmup_steps=other["step"], learning_rate=1e-4)
    run = tmp_path / "run"
    assert train(training_data("others", 9), config, run, steps=5, quiet=True, begin=finished, stop=at(1)) == 1
    began = load_checkpoint(checkpoint_paths(run)[0])
    assert began["step"] == 0
    assert began["earlier_steps"] == other["step"]
    for name in ("ema_generator", "ema_encoder", "discriminators"):
        assert all(torch.equal(value, other[name][key]) for key, value in began[name].items())
    assert all(torch.equal(value, other["ema_generator"][key]) for key, value in began["generator"].items())
    judged = load_checkpoint(checkpoint_paths(run)[-1])  # from its first step on: the other was past its warm-up
    assert any(not torch.equal(value, other["discriminators"][key]) for key, value in judged["discriminators"].items())
    checkpoint_paths(run)[-1].unlink()
    assert train(training_data("others", 9), config, run, steps=5, quiet=True, resume=True) == 5
    last = load_checkpoint(checkpoint_paths(run)[-1])
    assert json.loads(last["training"])["earlier_steps"] == last["earlier_steps"] == other["step"]


def test_a_run_begins_with_nothing_that_does_not_fit(finished: Path, tmp_path: Path) -> None:
    wider = dataclasses.replace(TINY, generator_width=40)
    with pytest.raises(UserError, match=r"networks of other sizes; take the widths and layers of .*config\.json"):
        train(training_data(), wider, tmp_path / "wider", steps=1, quiet=True, begin=finished)
    other = tmp_path / "other" / "checkpoints"
    other.mkdir(parents=True)
    state = load_checkpoint(checkpoint_paths(finished)[-1])
    torch.save({name: value for name, value in state.items() if name != "spec"}, other / "step_00000009.pt")
    with pytest.raises(UserError, match="is no run of playable notes"):
        train(training_data(), TINY, tmp_path / "paper", steps=1, quiet=True, begin=tmp_path / "other")
    with pytest.raises(UserError, match="has no checkpoint to begin with"):
        train(training_data(), TINY, tmp_path / "none", steps=1, quiet=True, begin=tmp_path / "wider")


def test_a_run_that_fails_before_its_first_checkpoint_does_not_begin_by_chance(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setattr(trainer, "evaluate", lambda *told: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        train(training_data(), TINY, run, steps=2, quiet=True, begin=finished)
    with pytest.raises(UserError, match="no checkpoint to resume from"):
        train(training_data(), TINY, run, steps=2, quiet=True, resume=True)


def test_noise_is_trimmed_as_the_config_says(tmp_path: Path) -> None:
    """What is held out, too: a network that learned it softer would else be told that it is wrong."""
    found = []
    for db in (0.0, 6.0):
        run = tmp_path / str(db)
        config = dataclasses.replace(TINY, noise_trim_db=db)
        train(training_data(), config, run, steps=1, quiet=True)
        generator, encoder = (getattr(load_run(run), name) for name in ("generator", "encoder"))
        bank = NoteBank(training_data().held_out, SPEC, INSTRUMENTS, noise_trim_db=db)
        metrics = json.loads((run / "metrics.json").read_text())[-1]
        again = evaluate(generator, encoder, bank, bank, TINY.evaluation_notes, None)
        assert metrics["noise_db"] == pytest.approx(again["noise_db"], rel=1e-4)
        found.append(metrics["noise_db"])
    assert found[0] != pytest.approx(found[1], rel=0.01)


def test_a_run_with_bodies_learns_something_else_and_is_resumed_exactly(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, body_share=0.5)
    train(training_data(), config, tmp_path / "halved", steps=6, quiet=True, stop=at(3))
    train(training_data(), config, tmp_path / "halved", steps=6, quiet=True, resume=True)
    train(training_data(), config, tmp_path / "whole", steps=6, quiet=True)
    train(training_data(), TINY, tmp_path / "plain", steps=6, quiet=True)
    whole, halved, plain = (
        tensors(load_checkpoint(checkpoint_paths(tmp_path / name)[-1])["generator"])
        for name in ("whole", "halved", "plain")
    )
    assert all(torch.equal(halved[name], value) for name, value in whole.items())
    assert all(bool(value.isfinite().all()) for value in whole.values())
    assert not all(torch.equal(plain[name], value) for name, value in whole.items())


def test_judged_draws_come_from_the_fitted_prior() -> None:
    notes = NoteBank(training_data().train, SPEC, INSTRUMENTS).whole(torch.arange(14), TINY.whole_frames)
    size, rng, tensors = SPEC.latent_size, Dice(0), PriorTensors(SPEC.latent_size)
    unknown = drawn(tensors, notes, 1.0, rng)
    assert unknown.shape == (14, size)
    assert unknown.abs().max() < 6.0
    means, factors = np.full((1, 2 + size), 50.0, np.float32), 0.1 * np.eye(2 + size, dtype=np.float32)[None]
    prior = LatentPrior(np.ones(1, np.float32), means, factors)
    tensors.take(prior)
    assert (drawn(tensors, notes, 1.0, rng) - 50.0).abs().max() < 1.0
    assert drawn(tensors, notes, 0.0, rng).abs().max() < 6.0
    some = [(drawn(tensors, notes, 0.5, rng) > 25.0).all(dim=1).float().mean().item() for _ in range(40)]
    assert 0.4 < np.mean(some) < 0.6


def test_a_run_of_an_older_version_goes_on(finished: Path, tmp_path: Path) -> None:
    """Its config lacks what has been added to it since."""
    run = tmp_path / "run"
    assert train(training_data(), TINY, run, steps=10, quiet=True, stop=at(5)) == 5
    for path in checkpoint_paths(run):
        state = load_checkpoint(path)
        old = json.loads(state["config"])
        del old["bfloat16"], old["noise_trim_db"]
        torch.save(state | {"config": json.dumps(old)}, path)
    with pytest.raises(UserError, match="another config"):  # it was trained without that, and goes on without
        train(training_data(), TINY, run, steps=10, quiet=True, resume=True)
    untrimmed = dataclasses.replace(TINY, noise_trim_db=0.0)
    assert train(training_data(), untrimmed, run, steps=10, quiet=True, resume=True) == 10


def test_finished_run_loads_with_all_that_the_exporter_needs(finished: Path) -> None:
    run = load_run(finished)
    assert run.spec == SPEC
    assert run.config == TINY
    assert run.training["attribution"] == ["nobody"]
    assert run.training["steps"] == 10
    assert not run.generator.training
    assert run.latents.z.shape == (14, SPEC.latent_size)
    assert run.latents.instruments == INSTRUMENTS
    assert run.latents.instrument.tolist() == [0, 1] * 7
    z = torch.from_numpy(run.latents.z[:2])
    audio = render_notes(run.generator, z, torch.tensor([60.0, 72.0]), torch.ones(2), torch.full((2,), 0.3), 0.5)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() > 1e-4
    assert load_run(finished, "best").spec == SPEC


def test_run_folder_holds_curves_and_at_most_two_checkpoints_and_the_best(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    assert [row["step"] for row in metrics] == [4, 8, 10]
    figures = {"harmonics_db", "learned_harmonics_db", "frechet", "frechet_floor", "diversity", "prior_cents"}
    assert figures <= metrics[0].keys()
    names = sorted(path.name for path in (finished / "checkpoints").iterdir())
    assert names == ["best.pt", "step_00000008.pt", "step_00000010.pt"]
    assert any((finished / "tensorboard").iterdir())


def test_reconstruction_learns(tmp_path: Path) -> None:
    config = dataclasses.replace(
        TINY, warmup_steps=10_000, checkpoint_steps=1_000, learning_rate=8e-3, noise_trim_db=0.0
    )
    data = training_data()
    bank = NoteBank(data.held_out, SPEC, INSTRUMENTS)
    untrained = Trainee(SPEC, config)
    before = evaluate(untrained.generator, untrained.encoder, bank, bank, 6, None)
    for name in ("harmonics_db", "noise_db", "level_db", "cents"):
        assert before[f"learned_{name}"] == pytest.approx(before[name], rel=1e-4)  # the same notes
    others = NoteBank(data.train, SPEC, INSTRUMENTS)
    swapped = evaluate(untrained.generator, untrained.encoder, others, bank, len(others), None)
    assert swapped["learned_harmonics_db"] == pytest.approx(before["harmonics_db"], rel=1e-4)
    assert swapped["learned_harmonics_db"] != pytest.approx(swapped["harmonics_db"], rel=1e-4)
    train(data, config, tmp_path / "run", steps=120, quiet=True)
    after = json.loads((tmp_path / "run" / "metrics.json").read_text())[-1]
    assert after["level_db"] < 0.5 * before["level_db"]
    assert after["harmonics_db"] < 0.7 * before["harmonics_db"]
    assert after["noise_db"] < 0.6 * before["noise_db"]


def test_adversarial_steps_train_the_judges(finished: Path) -> None:
    untrained = Trainee(SPEC, TINY).discriminators.state_dict()
    trained = load_checkpoint(checkpoint_paths(finished)[-1])["discriminators"]
    for judge in ("controls", "window", "mfcc"):
        name = f"{judge}.score.weight"
        assert not torch.equal(untrained[name], trained[name])


def test_audio_loss_can_be_switched_on(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, audio_weight=0.1, audio_seconds=0.2)
    assert train(training_data(), config, tmp_path / "run", steps=2, quiet=True) == 2


def test_ctrl_c_finishes_the_step_and_writes_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def press(step: int) -> bool:
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return False

    before = signal.getsignal(signal.SIGINT)
    assert train(training_data(), TINY, tmp_path / "run", steps=50, stop=press) == 3
    assert signal.getsignal(signal.SIGINT) is before
    assert "--resume" in capsys.readouterr().out
    assert load_checkpoint(checkpoint_paths(tmp_path / "run")[-1])["step"] == 3


def test_nan_stops_with_the_step_and_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from noisysynth.train import trainer

    calls = 0

    def poisoned(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return mean.sum() * (float("nan") if calls == 6 else 0.0)

    monkeypatch.setattr(trainer, "kl_divergence", poisoned)
    with pytest.raises(UserError, match=r"loss kl became NaN or infinite at step 5; .*step_00000004\.pt"):
        train(training_data(), TINY, tmp_path / "run", steps=10, quiet=True)
    assert load_run(tmp_path / "run").training["steps"] == 4


def test_infinite_weights_are_never_saved(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, learning_rate=1e38, gradient_clip=1e38)
    with pytest.raises(UserError, match=r"became NaN or infinite at step .*no good checkpoint yet"):
        train(training_data(), config, tmp_path / "run", steps=10, quiet=True)
    assert not checkpoint_paths(tmp_path / "run")


def test_time_is_bounded_over_resumptions(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = train(training_data(), TINY, run, minutes=0.01, quiet=True)
    assert done >= 1
    assert train(training_data(), TINY, run, minutes=0.01, quiet=True, resume=True) == done


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": dataclasses.replace(TINY, seed=7)}, "another config"),
        ({"data": training_data("other")}, "another data set"),
        ({"resume": False}, "already holds a run"),
    ],
)
def test_a_run_is_not_mixed_with_another(finished: Path, change: dict[str, Any], message: str) -> None:
    arguments = {"data": training_data(), "config": TINY, "resume": True} | change
    with pytest.raises(UserError, match=message):
        train(run_dir=finished, steps=12, quiet=True, **arguments)


def test_resuming_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint to resume"):
        train(training_data(), TINY, tmp_path, steps=2, quiet=True, resume=True)


def test_frechet_distance_of_shifted_and_of_equal_sets() -> None:
    x = torch.randn(400, 5, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(x, x + 2.0) == pytest.approx(20.0, rel=1e-5)
    assert frechet_distance(x, 3.0 * (x - x.mean(0)) + x.mean(0)) == pytest.approx(
        4.0 * float(x.var(0).sum()), rel=1e-4
    )
