"""A recorded training step finds in its place the numbers that an ordinary one would have drawn.

Where there is no GPU nothing is recorded; but all that a recording relies on is checked: draws are dealt beforehand,
and nothing in a step asks for a value, for which the processor would have to wait.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic_notes import INSTRUMENTS, SPEC, synthetic_notes
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from noisysynth.latent_prior import MAX_COMPONENTS, LatentPrior
from noisysynth.train import bodies, made_notes, trainer
from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint
from noisysynth.train.config import PRESETS
from noisysynth.train.dice import DealtDice, Dice
from noisysynth.train.networks import time_features
from noisysynth.train.prior_tensors import PriorTensors
from noisysynth.train.step_graphs import Step
from noisysynth.train.trainer import TrainingData, train

CONFIG = dataclasses.replace(PRESETS["tiny"], adversarial_every=2)


def wishes(dice: Dice) -> list[Tensor]:
    uniform, number = dice.rand(3, 2), dice.number(1_000)
    return [uniform, torch.tensor(number), dice.randn(4), dice.common_randn(2, 2), torch.tensor(dice.number(9))]


def test_dealt_draws_are_those_of_ordinary_dice() -> None:
    ordinary, dealt = Dice(5), DealtDice(5)
    places = set()
    for step in range(5):
        numbers = dealt.deal("plain")
        got, expected = wishes(dealt), wishes(ordinary)
        dealt.played()
        assert all(map(torch.equal, got, expected))
        assert numbers == (None if step == 0 else (int(expected[1]), int(expected[4])))
        if step > 0:
            places.add(got[2].data_ptr())
        assert torch.equal(dealt.rand(2), ordinary.rand(2))  # between steps they are ordinary ones
    assert len(places) == 1  # the numbers change, their place does not


def test_a_step_that_wishes_for_other_draws_is_an_error() -> None:
    dice = DealtDice(0)
    for _ in range(2):
        dice.deal("plain")
        dice.rand(3)
        dice.played()
    dice.deal("plain")
    with pytest.raises(RuntimeError, match="other draws"):
        dice.rand(4)
    with pytest.raises(RuntimeError, match="not dealt"):
        dice.randint(9, 2)
    with pytest.raises(RuntimeError, match="fewer draws"):
        dice.played()


def random_prior(n: int, size: int, rng: np.random.Generator) -> LatentPrior:
    factors = np.tril(rng.normal(size=(n, size, size)))
    factors[:, range(size), range(size)] = np.exp(0.3 * rng.normal(size=(n, size)))
    weights = rng.random(n)
    means = rng.normal(size=(n, size)) + np.array([7.0, 2.0] + [0.0] * (size - 2))
    return LatentPrior(*(np.float32(each) for each in (weights / weights.sum(), means, factors)))


@pytest.mark.parametrize("n", [1, 7, MAX_COMPONENTS])
def test_prior_tensors_draw_what_the_prior_does(n: int) -> None:
    rng = np.random.default_rng(n)
    prior, tensors = random_prior(n, 2 + 5, rng), PriorTensors(5)
    tensors.take(random_prior(MAX_COMPONENTS, 2 + 5, rng))  # what was there before leaves nothing behind
    tensors.take(prior)
    assert tensors.known
    told = rng.uniform(30, 90, 200), rng.uniform(0.1, 1.0, 200), rng.random(200), rng.normal(size=(200, 5))
    np.testing.assert_allclose(tensors.at(*map(torch.from_numpy, told)), prior.at(*told), rtol=1e-5, atol=1e-5)
    tensors.take(None)
    assert not tensors.known


class Unasked(TorchDispatchMode):
    """No value of a tensor may be asked for inside, and none be made of numbers of Python's."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is not torch.ops.aten._local_scalar_dense.default, "a recorded step would wait here"
        assert func is not torch.ops.aten.lift_fresh.default, "a recorded step would fetch numbers from Python here"
        return func(*args, **(kwargs or {}))


class Rehearsal:
    """What `StepGraphs` does but for the recording."""

    def __init__(self, dice: DealtDice) -> None:
        self.dice = dice
        self.dealt: list[tuple[str, tuple[int, ...] | None]] = []

    def play(self, kind: str, step: Step) -> Mapping[str, Tensor]:
        numbers = self.dice.deal(kind)
        self.dealt.append((kind, numbers))
        with Unasked() if numbers is not None else contextlib.nullcontext():
            losses = step()
        self.dice.played()
        return losses


@pytest.mark.parametrize("body_share", [0.0, 0.5])
def test_training_with_dealt_draws_ends_as_without(
    body_share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(CONFIG, body_share=body_share)
    notes = synthetic_notes(20)
    data = TrainingData(SPEC, notes[:14], notes[14:], INSTRUMENTS, {"dataset": "synthetic"})
    train(data, config, tmp_path / "plain", steps=12, quiet=True)

    rehearsals: list[Rehearsal] = []
    monkeypatch.setattr(trainer, "StepGraphs", lambda dice: rehearsals.append(Rehearsal(dice)) or rehearsals[-1])
    monkeypatch.setattr(trainer, "_can_record", lambda *told: True)
    for module in (time_features, made_notes, bodies):
        monkeypatch.setattr(module, "constants", time_features._on_gpu)
    # A CPU's Adam reads the number of its step; a GPU's does not.
    monkeypatch.setattr(torch.optim.Adam, "step", unwatched(torch.optim.Adam.step))
    train(data, config, tmp_path / "dealt", steps=12, quiet=True)
    assert sum(numbers is None for _, numbers in rehearsals[0].dealt) == 2  # the first of each kind
    assert {kind for kind, _ in rehearsals[0].dealt} == {"plain", "judged"}

    plain, dealt = (load_checkpoint(checkpoint_paths(tmp_path / name)[-1]) for name in ("plain", "dealt"))
    assert torch.equal(plain["rng"], dealt["rng"])
    for network in ("ema_generator", "encoder", "discriminators"):
        for name, value in plain[network].items():
            torch.testing.assert_close(dealt[network][name], value, rtol=0.0, atol=0.0, msg=f"{network} {name}")


def unwatched(step: Any) -> Any:
    def stepped(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _disable_current_modes():
            return step(self, *args, **kwargs)

    return stepped


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_recorded_training_ends_as_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = synthetic_notes(20)
    data = TrainingData(SPEC, notes[:14], notes[14:], INSTRUMENTS, {"dataset": "synthetic"})
    train(data, CONFIG, tmp_path / "recorded", steps=40, quiet=True, device="cuda")
    monkeypatch.setattr(trainer, "_can_record", lambda *told: False)
    train(data, CONFIG, tmp_path / "played", steps=40, quiet=True, device="cuda")
    ends = [load_checkpoint(checkpoint_paths(tmp_path / name)[-1]) for name in ("recorded", "played")]
    for name, value in ends[0]["ema_generator"].items():
        torch.testing.assert_close(ends[1]["ema_generator"][name], value, rtol=0.02, atol=2e-3, msg=name)
