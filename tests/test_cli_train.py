"""noisysynth-train from the command line, on a prepared data set of a few short notes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noisysynth.spec import SynthSpec
from noisysynth.train.checkpoint import load_run
from noisysynth.train.cli_train import main, read_data
from noisysynth.train.clip import Clip, Rejected
from noisysynth.train.config import PRESETS
from noisysynth.train.prepared import prepare


class Sines:
    """Ten short decaying tones of two instruments."""

    n_notes = 10
    n_batches = 1
    attribution: list[str] = ["Tones: made here, CC0"]  # noqa: RUF012

    def arguments(self) -> dict[str, Any]:
        return {"kind": "sines"}

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        t = np.arange(44_100 * 4 // 10) / 44_100
        for i in range(self.n_notes):
            pitch = 57.0 + i
            phase = 2 * np.pi * 440.0 * 2 ** ((pitch - 69) / 12) * t
            audio = 0.3 * np.exp(-8.0 * t) * (np.sin(phase) + (i % 2) * 0.5 * np.sin(2 * phase))
            yield Clip(audio.astype(np.float32), 44_100, pitch, 0.5, 0.3, f"tone{i}", f"tone{i % 2}", licence="CC0")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "sines"
    prepare(Sines(), out, SynthSpec())
    return out


def test_trains_and_resumes(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["--data", str(data), "--out", str(run), "--config", "tiny", "--steps", "4"]) == 0
    assert "held-out (learned) notes harmonics" in capsys.readouterr().out
    assert main(["--data", str(data), "--out", str(run), "--steps", "6", "--resume"]) == 0
    training = load_run(run).training
    assert training["steps"] == 6
    assert training["dataset"] == "sines"
    assert training["attribution"] == Sines.attribution
    assert training["licence"] == ["CC0"]

    second = tmp_path / "second"
    config = ["--config", "tiny", "--from", str(run), "--set", "body_share=0.5", "--set", "seed=7"]
    assert main(["--data", str(data), "--out", str(second), "--steps", "2", *config]) == 0
    assert load_run(second).training["earlier_steps"] == 6
    settings = json.loads((second / "config.json").read_text())
    assert settings == PRESETS["tiny"].to_json() | {"body_share": 0.5, "seed": 7}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "{tmp}/none", "--out", "{tmp}/run"], "no prepared data at"),
        (["--data", "{tmp}", "--out", "{tmp}/run"], "no prepared data at"),
        (["--data", "{data}", "--out", "{tmp}/run", "--config", "huge"], "no config named 'huge'"),
        (["--data", "{data}", "--out", "{tmp}/run", "--resume"], "no checkpoint to resume"),
        (["--data", "{data}", "--out", "{data}/index.json"], "cannot make"),
        (["--data", "{data}", "--out", "{tmp}/run", "--config", "phrases", "--device", "cuda"], "on the CPU only"),
        (
            ["--data", "{data}", "--out", "{tmp}/run", "--config", "tiny", "--from", "{tmp}"],
            "no checkpoint to begin with",
        ),
        (
            ["--data", "{data}", "--out", "{tmp}/run", "--config", "noisygan-tiny", "--from", "{tmp}"],
            "not for this config",
        ),
        (["--data", "{data}", "--out", "{tmp}/run", "--set", "speed=1"], "unknown key 'speed'"),
        (["--data", "{data}", "--out", "{tmp}/run", "--set", "seed"], "seed must be a whole number, not ''"),
        (["--data", "{data}", "--out", "{tmp}/run", "--set", "seed=1.5"], "seed must be a whole number, not '1.5'"),
        (["--data", "{data}", "--out", "{tmp}/run", "--set", "kl_weight=nan"], "not negative"),
        (
            ["--data", "{data}", "--out", "{tmp}/run", "--config", "noisygan-tiny", "--set", "seed=1"],
            "--set is for runs of playable notes",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [argument.format(tmp=tmp_path, data=data) for argument in arguments]
    assert main(filled) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("noisysynth-train: error: ")
    assert message in error


def test_what_one_folder_holds_out_is_not_learned_from_another(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same notes under other names, and so split otherwise."""
    more = tmp_path / "more"
    shutil.copytree(data, more)
    index = json.loads((more / "index.json").read_text())
    for note in index["notes"]:
        note["split"] = "train"
    (more / "index.json").write_text(json.dumps(index))
    alone = [list(read_data([path], PRESETS["tiny"]).train) for path in (data, more)]
    assert len(alone[0]) < len(alone[1])
    assert not capsys.readouterr().out
    both = read_data([data, more], PRESETS["tiny"])
    learned = {(note.instrument, note.pitch, note.velocity) for note in both.train}
    held_out = {(note.instrument, note.pitch, note.velocity) for note in both.held_out}
    assert held_out
    assert not learned & held_out
    assert f"{more}: {len(held_out)} notes are held out elsewhere" in capsys.readouterr().out

    index = json.loads((data / "index.json").read_text())
    apart = next(note["instrument"] for note in index["notes"])
    third = tmp_path / "third"
    shutil.copytree(data, third)
    for note in index["notes"]:
        note["split"] = "test_instruments" if note["instrument"] == apart else "train"
    (third / "index.json").write_text(json.dumps(index))
    assert apart not in {note.instrument for note in read_data([more, third], PRESETS["tiny"]).train}
    assert apart in {note.instrument for note in read_data([more, third], PRESETS["tiny"], all_instruments=True).train}


def test_damaged_data_is_one_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "index.json").write_bytes((data / "index.json").read_bytes())
    (copy / "shard-00000.npz").write_bytes(b"nonsense")
    assert main(["--data", str(copy), "--out", str(tmp_path / "run")]) == 2
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--minutes", "0"], ["--steps", "0"], ["--steps", "many"], ["--from", "z", "--resume"]]
)
def test_impossible_options_are_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["--data", "x", "--out", "y", *option])
    assert exit_info.value.code == 2
    assert option[0] in capsys.readouterr().err
