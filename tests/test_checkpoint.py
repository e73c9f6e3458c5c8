"""Checkpoint files: atomic, free of code, and clear about what is wrong with them."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic_notes import SPEC

from noisysynth.errors import UserError
from noisysynth.train import checkpoint
from noisysynth.train.checkpoint import (
    Latents,
    build_networks,
    checkpoint_paths,
    load_checkpoint,
    load_latents,
    load_run,
    save_checkpoint,
    save_latents,
    write_atomically,
)
from noisysynth.train.config import PRESETS, TrainConfig, load_config

TINY = PRESETS["tiny"]
LATENTS = Latents(
    z=np.zeros((2, 4), np.float32),
    instrument=np.array([0, 0]),
    instruments=["organ"],
    pitch=np.array([60, 62], np.float32),
    velocity=np.ones(2, np.float32),
)


def state(step: int = 1) -> dict[str, Any]:
    generator, encoder = build_networks(SPEC, TINY)
    return {
        "step": step,
        "ema_generator": generator.state_dict(),
        "ema_encoder": encoder.state_dict(),
        "config": json.dumps(TINY.to_json()),
        "spec": json.dumps(SPEC.to_json()),
        "training": json.dumps({"dataset": "none"}),
    }


def test_saved_run_loads(tmp_path: Path) -> None:
    saved = state()
    save_checkpoint(tmp_path, saved, best=False)
    save_latents(tmp_path, LATENTS)
    run = load_run(tmp_path)
    assert run.training == {"dataset": "none"}
    assert run.latents.instruments == ["organ"]
    for name, value in run.generator.state_dict().items():
        assert torch.equal(value, saved["ema_generator"][name])


def test_two_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (5, 90, 100):
        save_checkpoint(tmp_path, state(step), best=step == 5)
    assert [path.name for path in checkpoint_paths(tmp_path)] == ["step_00000090.pt", "step_00000100.pt"]
    assert load_checkpoint(tmp_path / "checkpoints" / "best.pt")["step"] == 5


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, lambda file: file.write(b"old"))

    def full_disk(file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"cannot write .*disk is full"):
        write_atomically(path, full_disk)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_full_disk_while_saving_a_checkpoint_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc] . PytorchStreamWriter failed writing file data/0")

    monkeypatch.setattr(checkpoint.torch, "save", refuse)
    with pytest.raises(UserError, match="cannot write"):
        save_checkpoint(tmp_path, state(), best=False)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("/nonexistent/noisysynth", "w"))


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 not really", pickle.dumps(Evil(), protocol=2)], ids=["empty", "zip", "code"]
)
def test_strange_files_are_refused_unexecuted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoints" / "step_00000001.pt"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a checkpoint"):
        load_run(tmp_path)


def test_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state() | {"evil": Evil()}, best=False)
    with pytest.raises(UserError, match="not a checkpoint"):
        load_run(tmp_path)


@pytest.mark.parametrize("missing", ["ema_generator", "config", "spec", "training"])
def test_incomplete_checkpoint_is_refused(tmp_path: Path, missing: str) -> None:
    incomplete = state()
    del incomplete[missing]
    save_checkpoint(tmp_path, incomplete, best=False)
    with pytest.raises(UserError, match="does not fit"):
        load_run(tmp_path)


def test_missing_things_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such training run"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no checkpoint yet"):
        load_run(tmp_path)
    save_checkpoint(tmp_path, state(), best=False)
    with pytest.raises(UserError, match=r"latents\.npz"):
        load_run(tmp_path)
    (tmp_path / "latents.npz").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"latents\.npz"):
        load_latents(tmp_path)


def test_the_best_checkpoint_has_latents_of_its_own(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(), best=True)
    save_latents(tmp_path, LATENTS, best=True)
    save_latents(tmp_path, dataclasses.replace(LATENTS, z=LATENTS.z + 1.0))
    assert np.array_equal(load_run(tmp_path, "best").latents.z, LATENTS.z)
    assert np.array_equal(load_run(tmp_path).latents.z, LATENTS.z + 1.0)
    (tmp_path / "best-latents.npz").unlink()
    with pytest.raises(UserError, match=r"best-latents\.npz: missing"):
        load_run(tmp_path, "best")


def test_config_round_trip_and_unknown_keys(tmp_path: Path) -> None:
    for config in PRESETS.values():
        assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    file = tmp_path / "mine.json"
    file.write_text('{"kl_weight": 0.01}')
    assert load_config(str(file)).kl_weight == 0.01
    assert load_config(str(file)).noise_trim_db == TrainConfig().noise_trim_db > 0.0
    assert load_config(str(file), of_a_run=True).noise_trim_db == 0.0  # its version did not do that
    file.write_text('{"kl_wait": 0.01}')
    with pytest.raises(UserError, match="unknown key 'kl_wait'"):
        load_config(str(file))
    file.write_text("{")
    with pytest.raises(UserError, match="not a JSON config"):
        load_config(str(file))
    with pytest.raises(UserError, match="no config named 'quik'"):
        load_config("quik")


@pytest.mark.parametrize(
    "bad",
    [
        {"seed": 0.5},
        {"minutes": "long"},
        {"kl_weight": -1},
        {"learning_rate": float("nan")},
        {"frames_per_note": 3},
        {"velocity_notes": 99},
    ],
)
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"config: {next(iter(bad))} must be"):
        TrainConfig.from_json(bad)
