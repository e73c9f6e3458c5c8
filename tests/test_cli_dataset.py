"""The noisysynth-dataset command as a user meets it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from noisysynth.errors import UserError
from noisysynth.spec import midi_to_hz
from noisysynth.train.cli_dataset import main, parse_programs
from noisysynth.train.datasets.soundfont import DEBIAN_SOUNDFONT
from noisysynth.train.prepared import PreparedDataset


def write_notes(folder: Path, pitches: range, seconds: float = 0.3) -> None:
    folder.mkdir()
    time_s = np.arange(round(seconds * 22_050)) / 22_050
    for pitch in pitches:
        audio = 0.3 * np.exp(-time_s / 0.2) * np.sin(2 * np.pi * midi_to_hz(pitch) * time_s)
        soundfile.write(folder / f"sine-{pitch:03d}.wav", audio, 22_050)


def test_a_folder_becomes_prepared_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notes(tmp_path / "notes", range(50, 56))
    soundfile.write(tmp_path / "notes" / "silent-060.wav", np.zeros(4000), 22_050)
    assert main(["folder", str(tmp_path / "notes"), str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "6 notes of 1 instruments" in printed
    assert "1 silent, for example silent-060.wav" in printed
    assert len(PreparedDataset(tmp_path / "out")) == 6


def test_json_is_all_that_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notes(tmp_path / "notes", range(50, 52))
    assert main(["folder", str(tmp_path / "notes"), str(tmp_path / "out"), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["notes"] == 2
    assert captured.err == ""


@pytest.mark.parametrize("kind", ["nsynth", "folder", "soundfont"])
def test_a_missing_source_is_one_line_and_code_2(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([kind, str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("noisysynth-dataset: error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_bad_sample_rate_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notes(tmp_path / "notes", range(50, 51))
    assert main(["folder", str(tmp_path / "notes"), str(tmp_path / "out"), "--sample-rate", "12"]) == 2
    assert "sample_rate must be" in capsys.readouterr().err


def test_programs_are_parsed() -> None:
    assert parse_programs("0,4,40-42,4") == [0, 4, 40, 41, 42]
    for wrong in ("", "x", "128", "5-", "-3", "9-7"):
        with pytest.raises(UserError, match="--programs wants"):
            parse_programs(wrong)


@pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not DEBIAN_SOUNDFONT.is_file(),
    reason=f"needs the fluidsynth command and {DEBIAN_SOUNDFONT}",
)
def test_a_soundfont_becomes_prepared_data(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["soundfont", str(DEBIAN_SOUNDFONT), str(out), "--programs", "11,73", "--notes-per-program", "3"]
    assert main(arguments) == 0
    dataset = PreparedDataset(out)
    assert len(dataset) == 6
    for note in dataset:
        assert note.gate_s is not None
        assert note.harmonics[:, 0].max() > 1e-3
        assert abs(float(np.median(note.cents))) < 60.0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to another process")
def test_ctrl_c_leaves_a_preparation_that_continues(tmp_path: Path) -> None:
    write_notes(tmp_path / "notes", range(13, 121), seconds=2.0)  # long enough to be still at work
    command = [sys.executable, "-m", "noisysynth.train.cli_dataset", "folder"]
    command += [str(tmp_path / "notes"), str(tmp_path / "out"), "--jobs", "1", "--no-pitch-check"]
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heeded)
    deadline = time.monotonic() + 60.0
    while not (tmp_path / "out" / "shard-00000.npz").exists() and time.monotonic() < deadline:
        assert process.poll() is None, "finished before it could be interrupted"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert error.strip().endswith("interrupted; run the same command again to continue")
    assert not (tmp_path / "out" / "index.json").exists()
    assert main([*command[3:], "--json"]) == 0
    assert len(PreparedDataset(tmp_path / "out")) == 108
