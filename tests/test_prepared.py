"""Prepared data on disk: round trip, splits, interruption, broken files."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noisysynth.errors import UserError
from noisysynth.features import log_mel
from noisysynth.spec import SynthSpec, midi_to_hz
from noisysynth.train import prepared
from noisysynth.train.analysis import analyse
from noisysynth.train.clip import Clip, Rejected
from noisysynth.train.prepared import PreparedDataset, amplitude_to_db, db_to_amplitude, prepare

SPEC = SynthSpec(n_harmonics=24, n_noise_bands=16)


class FakeSource:
    """Short tones, two a batch; one note is refused. Remembers which batches were asked for."""

    def __init__(self, n_batches: int = 3, instruments: int = 1, stop_at: int | None = None) -> None:
        self.n_batches = n_batches
        self.n_notes = 2 * n_batches
        self.instruments = instruments
        self.stop_at = stop_at
        self.asked: list[int] = []
        self.attribution = ["tones by nobody, CC0"]

    def arguments(self) -> dict[str, Any]:
        return {"source": "fake", "n": self.n_batches}

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        if index == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append(index)
        for place in range(2):
            number = 2 * index + place
            if number == 1:
                yield Rejected("note-1", "mislabelled: labelled 60, sounds like 62")
            else:
                yield tone_clip(number, f"instrument {number % self.instruments}")


def tone_clip(number: int, instrument: str = "sine") -> Clip:
    pitch = 48.0 + number
    time_s = np.arange(8820) / 44_100
    audio = 0.2 * np.exp(-time_s / 0.2) * np.sin(2 * np.pi * midi_to_hz(pitch) * time_s)
    return Clip(
        audio.astype(np.float32), 44_100, pitch, 0.5, 0.15, f"note-{number}", instrument, "test", ("a",), "s", "CC0"
    )


def test_a_note_survives_the_disk(tmp_path: Path) -> None:
    index = prepare(FakeSource(), tmp_path / "out", SPEC)
    assert len(index["notes"]) == 5
    assert index["rejected"] == [{"id": "note-1", "reason": "mislabelled: labelled 60, sounds like 62"}]
    dataset = PreparedDataset(tmp_path / "out")
    assert dataset.spec == SPEC
    assert dataset.attribution == ["tones by nobody, CC0"]
    place = [entry["id"] for entry in dataset.entries].index("note-3")
    note = dataset.note(place)
    clip = tone_clip(3)
    track = analyse(clip, SPEC)
    assert (note.pitch, note.velocity, note.gate_s, note.instrument) == (51.0, 0.5, 0.15, "instrument 0")
    assert (note.family, note.tags, note.source, note.licence) == ("test", ("a",), "s", "CC0")
    assert note.audio is not None
    np.testing.assert_allclose(note.audio[: len(clip.audio)], clip.audio, atol=2e-5)
    n_frames = len(track.cents)
    np.testing.assert_allclose(note.cents[: n_frames - 20], track.cents[: n_frames - 20], atol=0.1)
    loud = track.harmonics > 1e-5
    np.testing.assert_allclose(note.harmonics[loud], track.harmonics[loud], rtol=0.01)
    np.testing.assert_allclose(note.log_mel, log_mel(clip.audio, 44_100), atol=0.01)
    assert dataset.note(place, with_audio=False).audio is None


def test_decibels_keep_a_hundred_and_forty() -> None:
    amplitude = np.array([1.0, 2.0, 0.1, 1e-5, 2e-7, 1e-9, 0.0])
    back = db_to_amplitude(amplitude_to_db(amplitude))
    np.testing.assert_allclose(back[:5], amplitude[:5], rtol=0.01)
    np.testing.assert_array_equal(back[5:], 0.0)


def test_splits_hold_out_notes_and_whole_instruments(tmp_path: Path) -> None:
    prepare(FakeSource(n_batches=60, instruments=12), tmp_path / "out", SPEC)
    splits = {name: PreparedDataset(tmp_path / "out", name) for name in prepared.SPLITS}
    assert sum(map(len, splits.values())) == 119
    held_out = {entry["instrument"] for entry in splits["test_instruments"].entries}
    assert len(held_out) == 1
    assert held_out.isdisjoint(entry["instrument"] for entry in splits["train"].entries)
    assert 3 <= len(splits["test_notes"]) <= 20
    with pytest.raises(UserError, match="no split"):
        PreparedDataset(tmp_path / "out", "valid")


def test_few_instruments_are_all_trained_on(tmp_path: Path) -> None:
    prepare(FakeSource(n_batches=3, instruments=3), tmp_path / "out", SPEC)
    assert len(PreparedDataset(tmp_path / "out", "test_instruments")) == 0
    assert len(PreparedDataset(tmp_path / "out", "train")) > 0


def test_an_interrupted_preparation_continues(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare(FakeSource(stop_at=2), out, SPEC, jobs=1)
    assert not (out / "index.json").exists()
    with pytest.raises(UserError, match="not finished"):
        PreparedDataset(out)
    source = FakeSource()
    counted: list[int] = []
    index = prepare(source, out, SPEC, jobs=1, progress=counted.append)
    assert source.asked == [2]
    assert sum(counted) == 6
    assert len(index["notes"]) == 5
    assert not (out / "preparing").exists()
    assert [note.note_id for note in PreparedDataset(out)] == [f"note-{n}" for n in (0, 2, 3, 4, 5)]
    finished = FakeSource()
    assert prepare(finished, out, SPEC) == index
    assert finished.asked == []


def test_other_data_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(FakeSource(), out, SPEC)
    with pytest.raises(UserError, match="another data set"):
        prepare(FakeSource(n_batches=2), out, SPEC)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("text")
    with pytest.raises(UserError, match="not empty"):
        prepare(FakeSource(), tmp_path / "mine", SPEC)
    with pytest.raises(UserError, match="is a file"):
        prepare(FakeSource(), tmp_path / "mine" / "thesis.txt", SPEC)
    with pytest.raises(KeyboardInterrupt):
        prepare(FakeSource(stop_at=1), tmp_path / "half", SPEC, jobs=1)
    with pytest.raises(UserError, match="other arguments"):
        prepare(FakeSource(n_batches=2), tmp_path / "half", SPEC)


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    class Silence(FakeSource):
        def batch(self, index: int) -> Iterator[Clip | Rejected]:
            yield Rejected("note-0", "silent")

    with pytest.raises(UserError, match=r"no usable note among 1 \(the first, note-0: silent\)"):
        prepare(Silence(n_batches=1), tmp_path / "out", SPEC)


def test_non_finite_and_silent_clips_are_refused(tmp_path: Path) -> None:
    class Bad(FakeSource):
        def batch(self, index: int) -> Iterator[Clip | Rejected]:
            yield tone_clip(0)
            for number, value in ((1, np.inf), (2, 0.0)):
                clip = tone_clip(number)
                clip.audio[:] = value
                yield clip

    index = prepare(Bad(n_batches=1), tmp_path / "out", SPEC)
    assert [note["reason"] for note in index["rejected"]] == [
        "non-finite samples",
        "silent or shorter than 30 ms",
    ]


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(UserError, match="disk is full"):
        prepare(FakeSource(), tmp_path / "out", SPEC)
    monkeypatch.undo()
    assert len(prepare(FakeSource(), tmp_path / "out", SPEC)["notes"]) == 5


def test_memory_is_bounded(tmp_path: Path) -> None:
    prepare(FakeSource(n_batches=4), tmp_path / "out", SPEC)
    dataset = PreparedDataset(tmp_path / "out", max_cache_bytes=20_000)
    assert len(list(dataset)) == 7
    assert dataset._cache_bytes <= 20_000
    assert dataset._cache_bytes == sum(values.nbytes for values in dataset._cache.values())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    prepare(FakeSource(), tmp_path / "out", SPEC)
    return tmp_path / "out"


def read_all(out: Path) -> None:
    list(PreparedDataset(out))


def test_a_truncated_shard_is_named(out: Path) -> None:
    shard = out / "shard-00001.npz"
    shard.write_bytes(shard.read_bytes()[:-2000])
    with pytest.raises(UserError, match=r"shard-00001\.npz: file is damaged"):
        read_all(out)


def test_a_flipped_byte_is_noticed(out: Path) -> None:
    shard = out / "shard-00001.npz"
    data = bytearray(shard.read_bytes())
    data[len(data) // 4] ^= 0xFF
    shard.write_bytes(data)
    with pytest.raises(UserError, match=r"shard-00001\.npz"):
        read_all(out)


def test_a_missing_shard_is_named(out: Path) -> None:
    (out / "shard-00002.npz").unlink()
    with pytest.raises(UserError, match=r"shard-00002\.npz: file is missing"):
        read_all(out)


@pytest.mark.parametrize("fault", ["shape", "nan", "short", "pickle", "missing"])
def test_wrong_arrays_are_refused(out: Path, fault: str) -> None:
    shard = out / "shard-00000.npz"
    with np.load(shard) as archive:
        arrays = dict(archive)
    if fault == "shape":
        arrays["noise_db"] = arrays["noise_db"][:, :-1]
    elif fault == "nan":
        arrays["harmonics_db"][3, 2] = np.nan
    elif fault == "short":
        arrays["cents"] = arrays["cents"][:-1]
    elif fault == "pickle":
        arrays["cents"] = arrays["cents"].astype(object)
    else:
        del arrays["log_mel"]
    np.savez_compressed(shard, **arrays)
    with pytest.raises(UserError, match=r"shard-00000\.npz: .*damaged"):
        read_all(out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not the index"),
        ({"version": 99}, "format version 99"),
        ({"notes": [{"id": "x"}]}, "damaged list of notes"),
        ({"spec": {"n_harmonics": 3}}, "synth spec"),
    ],
)
def test_a_wrong_index_is_refused(out: Path, change: dict[str, Any], message: str) -> None:
    index = json.loads((out / "index.json").read_text())
    (out / "index.json").write_text(json.dumps({**index, **change}))
    with pytest.raises(UserError, match=message):
        PreparedDataset(out)


def test_a_damaged_or_missing_index_is_refused(out: Path, tmp_path: Path) -> None:
    (out / "index.json").write_text('{"format": "noisy')
    with pytest.raises(UserError, match="damaged"):
        PreparedDataset(out)
    with pytest.raises(UserError, match="no prepared data"):
        PreparedDataset(tmp_path / "nowhere")
