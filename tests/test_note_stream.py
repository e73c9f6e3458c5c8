"""More notes than memory holds: which are there is a function of the step, and a run resumes exactly."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic_notes import INSTRUMENTS, SPEC, SyntheticNote, synthetic_notes

from noisysynth.errors import UserError
from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint, load_latents
from noisysynth.train.cli_train import note_groups
from noisysynth.train.clip import Clip
from noisysynth.train.config import PRESETS
from noisysynth.train.note_stream import GROUPS_AT_ONCE, NoteGroups, NoteStream
from noisysynth.train.prepared import PreparedDataset, prepare
from noisysynth.train.trainer import TrainingData, train

TINY = dataclasses.replace(PRESETS["tiny"], steps_per_group=2)


def groups_of(notes: list[SyntheticNote], count: int, log: list[int] | None = None) -> NoteGroups:
    def read(number: int) -> list[SyntheticNote]:
        if log is not None:
            log.append(number)
        return notes[number::count]

    return NoteGroups(count, len(notes), read)  # type: ignore[arg-type]


def stream_of(count: int, log: list[int] | None = None, seed: int = 3) -> NoteStream:
    return NoteStream(groups_of(synthetic_notes(2 * count), count, log), SPEC, INSTRUMENTS, seed, steps_per_group=5)


def test_every_group_comes_equally_often_and_one_goes_at_a_time() -> None:
    stream = stream_of(7)
    windows = [stream.window(move) for move in range(700)]
    seen = collections.Counter(number for window in windows for number in window)
    assert max(seen.values()) < 1.06 * min(seen.values())  # at the seams of epochs some meet themselves
    assert all(len(set(window)) == len(window) <= GROUPS_AT_ONCE for window in windows)
    for before, after in itertools.pairwise(windows):
        assert len(set(after) - set(before)) <= 1
    assert windows != [stream_of(7, seed=4).window(move) for move in range(700)]
    stream.close()


def test_the_step_alone_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    walked, jumped = stream_of(9), stream_of(9)
    pitches = {step: walked.at(step).pitch.tolist() for step in range(0, 43)}
    assert jumped.at(42).pitch.tolist() == pitches[42]
    assert jumped.at(7).pitch.tolist() == pitches[7]
    assert pitches[4] == pitches[0]
    assert pitches[5] != pitches[0]
    walked.close()
    jumped.close()


def test_a_group_is_read_once_while_it_stays_and_ahead_of_time() -> None:
    log: list[int] = []
    stream = stream_of(9, log)
    stream.at(0)
    first = stream.window(0)
    for _ in range(100):
        if len(log) == GROUPS_AT_ONCE + 1:
            break
        threading.Event().wait(0.01)
    assert set(log) == set(first) | set(stream.window(1)), "the next one is read meanwhile"
    assert len(log) == GROUPS_AT_ONCE + 1
    stream.at(5)
    stream.at(9)
    stream.close()
    assert len(log) == len(set(log)) <= GROUPS_AT_ONCE + 2


def test_few_groups_are_all_there() -> None:
    stream = stream_of(3)
    assert len(stream.at(0)) == 6
    assert stream.at(1000) is stream.at(0)
    stream.close()


def test_what_cannot_be_read_stops_the_run_with_its_line() -> None:
    def read(number: int) -> list[SyntheticNote]:
        if number == stream.window(1)[-1]:
            raise UserError("the data is damaged")
        return synthetic_notes(2)

    stream = NoteStream(NoteGroups(9, 18, read), SPEC, INSTRUMENTS, 3, 5)  # type: ignore[arg-type]
    stream.at(0)
    with pytest.raises(UserError, match="damaged"):
        stream.at(5)
    stream.close()


def data_in(count: int) -> TrainingData:
    notes = synthetic_notes(28)
    description = {"dataset": "stream", "attribution": [], "licence": []}
    return TrainingData(SPEC, notes[:8], notes[24:], INSTRUMENTS, description, groups_of(notes[:24], count))


def test_a_run_over_a_stream_resumes_exactly(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(data_in(8), TINY, whole, steps=11, quiet=True) == 11
    for last in (3, 6, 7):
        train(data_in(8), TINY, cut, steps=11, quiet=True, resume=last > 3, stop=lambda step, last=last: step == last)
    assert train(data_in(8), TINY, cut, steps=11, quiet=True, resume=True) == 11
    first, second = (load_checkpoint(checkpoint_paths(run)[-1])["generator"] for run in (whole, cut))
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == []
    assert len(load_latents(whole).z) == 8, "of the sample"
    resident = tmp_path / "resident"
    train(dataclasses.replace(data_in(8), groups=None), TINY, resident, steps=11, quiet=True)
    other = load_checkpoint(checkpoint_paths(resident)[-1])["generator"]
    assert any(not torch.equal(value, other[name]) for name, value in first.items()), "it learned from other notes"


class Tones:
    """Twelve shards of two tones; each shard is of one instrument."""

    n_notes, n_batches = 24, 12
    attribution: list[str] = []  # noqa: RUF012

    def arguments(self) -> dict[str, str]:
        return {"kind": "tones"}

    def batch(self, index: int) -> list[Clip]:
        t = np.arange(6_000) / 44_100
        return [
            Clip(
                (0.3 * np.exp(-9 * t) * np.sin(2 * np.pi * 110.0 * 2 ** (i / 12) * t)).astype(np.float32), 44_100,
                45.0 + i, 0.5, 0.1, f"tone{i}", f"tone{index % 3}",
            )
            for i in (2 * index, 2 * index + 1)
        ]  # fmt: skip


def test_groups_hold_every_note_once_and_mix_shards(tmp_path: Path) -> None:
    prepare(Tones(), tmp_path / "data", SPEC)  # type: ignore[arg-type]
    learned = [PreparedDataset(tmp_path / "data", "train")]
    config = dataclasses.replace(TINY, max_notes=16)
    groups = note_groups(learned, config, with_audio=False)
    assert groups is not None
    notes = [note for number in range(groups.count) for note in groups.read(number)]
    assert sorted(note.pitch for note in notes) == sorted(each["pitch"] for each in learned[0].entries)
    assert groups.n_notes == len(notes)
    assert all(4 <= len(groups.read(number)) <= 5 for number in range(groups.count - 1))
    assert note_groups(learned, dataclasses.replace(TINY, max_notes=400), with_audio=False) is None
