"""What preparation finds out about a data set: duplicates, oddities, splits, and the page that tells of them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from noisysynth.features import SAMPLE_RATE as RATE
from noisysynth.features import log_mel
from noisysynth.spec import midi_to_hz
from noisysynth.train.cli_dataset import main
from noisysynth.train.duplicates import duplicates, fingerprint
from noisysynth.train.note_checks import level_db, oddities
from noisysynth.train.prepared import PreparedDataset
from noisysynth.train.splits import assign_splits


def pluck(pitch: float = 60.0, decay: float = 0.3, bright: float = 0.7, seed: int = 0, seconds: float = 1.2) -> Any:
    """A string with a little noise of its own."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE)) / RATE
    f0 = float(midi_to_hz(pitch))
    partials = [
        bright**k * np.exp(-time_s * k / decay / 3) * np.sin(2 * np.pi * k * f0 * time_s + rng.uniform(0, 6))
        for k in range(1, 13)
    ]
    noise = 0.02 * np.exp(-time_s / 0.02) * rng.normal(size=len(time_s))
    audio = 0.2 * np.sum(partials, axis=0) + noise
    return (audio * np.minimum(time_s / 0.003, 1.0)).astype(np.float32)


def entry(audio: Any, name: str, pitch: float = 60.0, instrument: str = "harp", **more: Any) -> dict[str, Any]:
    return {
        "id": name, "pitch": pitch, "instrument": instrument, "n_frames": 300,
        "fingerprint": fingerprint(log_mel(audio, RATE)), **more,
    }  # fmt: skip


def test_one_recording_is_found_at_another_level_and_cut_elsewhere() -> None:
    original = pluck(seed=1)
    shifted = np.concatenate([np.zeros(round(0.004 * RATE), np.float32), original])
    notes = [
        entry(original, "a"), entry(pluck(seed=2, bright=0.6), "b"), entry(0.2 * original, "a quieter"),
        entry(shifted, "a later"), entry(pluck(seed=3, decay=0.6), "c"),
        entry((np.round(original * 2**11) / 2**11).astype(np.float32), "a coarse"),
    ]  # fmt: skip
    assert [[notes[i]["id"] for i in group] for group in duplicates(notes)] == [
        ["a", "a quieter", "a later", "a coarse"]
    ]


def test_other_notes_are_no_duplicates() -> None:
    """Plucks that differ by what other takes of one instrument differ by."""
    kinds = [(decay, bright) for decay in (0.1, 0.2, 0.4, 0.8) for bright in (0.4, 0.55, 0.7, 0.85)]
    notes = [entry(pluck(60.0, decay, bright, seed=i), f"{i}") for i, (decay, bright) in enumerate(kinds)]
    assert duplicates(notes) == []
    assert duplicates([{"id": "old", "pitch": 60.0}]) == []


def test_duplicates_are_held_out_together() -> None:
    notes = [{"id": f"note-{i}", "instrument": f"i{i % 20}"} for i in range(400)]
    alone = [dict(note) for note in notes]
    assign_splits(alone)
    groups = [[i, i + 1] for i in range(0, 400, 2)]
    assign_splits(notes, groups)
    for first, second in groups:
        assert (notes[first]["split"] == "train") == (notes[second]["split"] == "train")
    for note, by_itself in zip(notes, alone, strict=True):
        of_held_out = "test_instruments"
        assert (note["split"] == of_held_out) == (by_itself["split"] == of_held_out)


def test_what_is_there_often_is_held_out_no_oftener() -> None:
    notes = [{"id": f"note-{i}", "instrument": f"i{i % 5}"} for i in range(8000)]
    assign_splits(notes, [list(range(i, i + 8)) for i in range(0, 8000, 8)])
    share = sum(note["split"] == "test_notes" for note in notes) / len(notes)
    assert 0.05 < share < 0.11


def test_a_split_by_notes_takes_a_fifth_of_every_instrument() -> None:
    notes = [{"id": f"note-{i}", "instrument": f"i{i % 20}"} for i in range(4000)]
    assign_splits(notes, by="notes")
    held_out = [note for note in notes if note["split"] == "test_notes"]
    assert 0.18 < len(held_out) / len(notes) < 0.22
    assert {note["split"] for note in notes} == {"train", "test_notes"}
    assert len({note["instrument"] for note in held_out}) == 20


def test_level_is_that_of_the_loudest_moment() -> None:
    time_s = np.arange(RATE) / RATE
    sine = np.sin(2 * np.pi * 1000.0 * time_s)
    sine[RATE // 4 :] = 0.0
    assert level_db(sine.astype(np.float32), RATE) == pytest.approx(-3.0, abs=0.1)
    assert level_db(np.zeros(10, np.float32), RATE) < -120.0


def test_what_is_odd_is_said_with_its_reason() -> None:
    notes = [entry(pluck(seed=i), f"{i}", level_db=-20.0) for i in range(5)]
    notes[1]["level_db"], notes[3]["n_frames"] = -75.0, 20
    found = {(each.note, each.kind) for each in oddities(notes, [[0, 4]], 250)}
    assert found == {("1", "level"), ("3", "short"), ("0", "duplicate")}


class Text(HTMLParser):
    """All text of a page; fails on a tag that is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "rect", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "path"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_report_names_what_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, audio in (
        ("harp-060.wav", pluck(seed=1)),
        ("harp-060-again.wav", 0.5 * pluck(seed=1)),
        ("harp-064.wav", np.clip(4 * pluck(64.0, seed=2), -0.5, 0.5)),
        ("harp-067-<b>.wav", np.zeros(RATE, np.float32)),
        ("harp-070.wav", pluck(75.0, seed=3)),
    ):
        soundfile.write(folder / name, audio, RATE)
    assert main(["folder", str(folder), str(tmp_path / "out")]) == 0
    assert "report.html" in capsys.readouterr().out
    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures["notes"] == 2
    assert figures["left_out"] == {"silent": 1, "mislabelled": 1, "clipped": 1}
    assert figures["odd"] == {"duplicate": 1}
    assert figures["duplicates"] == [["harp-060-again.wav", "harp-060.wav"]]
    assert sum(figures["pitches"]["counts"]) == 2
    text = " ".join(Text((tmp_path / "out" / "report.html").read_text()).words)
    for words in (
        "harp-067-<b>.wav",
        "mislabelled: labelled 70, sounds like 75",
        "the same recording as",
        "Left out (3)",
    ):
        assert words in text
    splits = {each["split"] for each in PreparedDataset(tmp_path / "out").entries if "060" in each["id"]}
    assert len(splits) == 1


def test_notes_without_a_label_are_named_by_ear_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    rng = np.random.default_rng(9)
    for name, audio in (
        ("one.wav", pluck(52.3, seed=1)),
        ("two.wav", pluck(71.0, seed=2)),
        ("rain.wav", (0.1 * rng.normal(size=RATE)).astype(np.float32)),
    ):
        soundfile.write(folder / name, audio, RATE)
    assert main(["folder", str(folder), str(tmp_path / "out"), "--json"]) == 0
    data = PreparedDataset(tmp_path / "out")
    pitches = {each["id"]: each["pitch"] for each in data.entries}
    assert pitches["one.wav"] == pytest.approx(52.3, abs=0.05)
    assert pitches["two.wav"] == pytest.approx(71.0, abs=0.05)
    assert all("pitch found" in each["tags"] for each in data.entries)
    (refused,) = data.index["rejected"]
    assert refused["id"] == "rain.wav"
    assert refused["reason"].startswith("doubtful pitch: sounds like ")
    assert "clarity" in refused["reason"]


def test_another_split_is_another_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for i in range(12):
        soundfile.write(folder / f"harp-{50 + i:03d}.wav", pluck(50.0 + i, seed=i, seconds=0.4), RATE)
    assert main(["folder", str(folder), str(tmp_path / "out"), "--split", "notes"]) == 0
    assert main(["folder", str(folder), str(tmp_path / "out")]) == 2
    assert "another data set" in capsys.readouterr().err
    assert PreparedDataset(tmp_path / "out").index["arguments"]["split_by"] == "notes"
