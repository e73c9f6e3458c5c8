"""A run that is killed at random moments ends bit by bit as one that is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import killed_run
import pytest
import torch
from killed_run import child_environment, train_and_kill

from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint, newest_checkpoint
from noisysynth.train.trainer import Trainee

STEPS = 10


def weights(run: Path) -> dict[str, torch.Tensor]:
    state = load_checkpoint(checkpoint_paths(run)[-1])
    assert state["step"] == STEPS
    return {f"{part}.{name}": value for part in Trainee.NETWORKS for name, value in state[part].items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert train_and_kill(run, STEPS, kills=0, seed=0) == []
    return run


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_run_ends_as_the_one_left_alone(undisturbed: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert len(train_and_kill(run, STEPS, kills=2, seed=1)) == 2
    expected, resumed = weights(undisturbed), weights(run)
    assert expected.keys() == resumed.keys()
    assert len(expected) > 100
    assert [name for name, value in expected.items() if not torch.equal(value, resumed[name])] == []


def test_two_processes_learn_what_one_does(undisturbed: Path, tmp_path: Path) -> None:
    """Under torchrun, on gloo: the same losses and, to rounding, the same weights."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [killed_run.__file__, str(tmp_path / "run"), str(STEPS)]
    done = subprocess.run(command, capture_output=True, text=True, env=child_environment(), timeout=300)
    assert done.returncode == 0, done.stderr
    expected, shared = weights(undisturbed), weights(tmp_path / "run")
    assert expected.keys() == shared.keys()
    for name, value in expected.items():
        torch.testing.assert_close(shared[name], value, rtol=1e-3, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
    alone, together = (losses(run) for run in (undisturbed, tmp_path / "run"))
    assert {"total", "generator", "judges", "penalty", "cents", "normal", "velocity"} <= alone.keys()
    assert together == pytest.approx(alone, rel=1e-3, abs=1e-5)


def losses(run: Path) -> dict[str, float]:
    """The last losses in TensorBoard's file."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = {}
    for file in sorted((run / "tensorboard").iterdir()):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.tag.startswith("loss/"):
                    found[value.tag.removeprefix("loss/")] = float(value.tensor.float_val[0])
    return found


def test_a_torn_checkpoint_falls_back_to_the_one_before(undisturbed: Path, tmp_path: Path) -> None:
    names = [path.name for path in checkpoint_paths(undisturbed)]
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    whole, torn = ((undisturbed / "checkpoints" / name).read_bytes() for name in names)
    (folder / names[0]).write_bytes(whole)
    flipped = bytearray(torn)
    flipped[len(torn) // 2] ^= 0xFF
    for broken in (torn[: len(torn) // 2], bytes(flipped), b""):
        (folder / names[1]).write_bytes(broken)
        found, problems = newest_checkpoint(tmp_path)
        assert found is not None
        assert found[0].name == names[0]
        assert len(problems) == 1
        assert names[1] in problems[0]
