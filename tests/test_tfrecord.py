"""NSynth's second form: TFRecord files, written here byte by byte after TensorFlow's description."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from synthetic_notes import tone

from noisysynth.errors import UserError
from noisysynth.train.clip import Clip, Rejected
from noisysynth.train.datasets.nsynth import NOTES_PER_BATCH, NSynthRecordSource, nsynth_source
from noisysynth.train.datasets.tfrecord import (
    DamagedError,
    masked_crc32c,
    parse_example,
    read_record,
    record_offsets,
)

RATE = 16_000


def slow_crc32c(data: bytes) -> int:
    """Bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    crc = slow_crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while True:
        out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def run(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(value: object, packed: bool = True) -> bytes:
    if isinstance(value, bytes):
        return run(1, run(1, value))
    if isinstance(value, list):
        return run(1, b"".join(run(1, each) for each in value))
    if isinstance(value, np.ndarray):
        floats = value.astype("<f4").tobytes()
        if packed:
            return run(2, run(1, floats))
        return run(2, b"".join(varint(1 << 3 | 5) + floats[i : i + 4] for i in range(0, len(floats), 4)))
    assert isinstance(value, int)
    return run(3, run(1, varint(value)) if packed else varint(1 << 3) + varint(value))


def example(values: dict[str, object], packed: bool = True) -> bytes:
    entries = (run(1, run(1, name.encode()) + run(2, feature(value, packed))) for name, value in values.items())
    return run(1, b"".join(entries))


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    # The checksum of long data by the module under test, which another test holds against the slow one.
    crc = masked_crc32c(data)
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", crc)


def note(pitch: int, **changes: object) -> dict[str, object]:
    return {
        "note_str": f"organ_electronic_001-{pitch:03d}-100".encode(),
        "pitch": pitch,
        "velocity": 100,
        "sample_rate": RATE,
        "instrument_str": b"organ_electronic_001",
        "instrument_family_str": b"organ",
        "instrument_source_str": b"electronic",
        "qualities_str": [b"bright", b"long_release"],
        "audio": tone(pitch, 4.0, rate=RATE),
        **changes,
    }


def write(path: Path, *notes: dict[str, object], packed: bool = True) -> Path:
    path.write_bytes(b"".join(record(example(each, packed)) for each in notes))
    return path


def everything(source: NSynthRecordSource) -> tuple[list[Clip], dict[str, str]]:
    rows = [row for index in range(source.n_batches) for row in source.batch(index)]
    rejected = {row.note_id: row.reason for row in rows if isinstance(row, Rejected)}
    return [row for row in rows if isinstance(row, Clip)], rejected


def test_the_checksum_is_castagnolis() -> None:
    assert slow_crc32c(b"123456789") == 0xE3069283  # the published check value
    rng = np.random.default_rng(0)
    for size in (0, 1, 7, 8, 9, 15, 16, 17, 1000, 1003):
        data = rng.bytes(size)
        assert masked_crc32c(data) == masked(data)


@pytest.mark.parametrize("packed", [True, False])
def test_an_example_is_parsed(packed: bool) -> None:
    values = {"a": b"text", "b": [b"x", b"", b"z"], "c": np.array([1.5, -2.25], np.float32), "d": -7, "e": 300}
    parsed = parse_example(example(values, packed))
    assert parsed["a"] == [b"text"]
    assert parsed["b"] == [b"x", b"", b"z"]
    np.testing.assert_array_equal(parsed["c"], [1.5, -2.25])
    assert [int(parsed[name][0]) for name in "de"] == [-7, 300]


@pytest.mark.parametrize("packed", [True, False])
def test_notes_become_clips(tmp_path: Path, packed: bool) -> None:
    source = nsynth_source(write(tmp_path / "a.tfrecord", note(50), note(62), packed=packed))
    assert isinstance(source, NSynthRecordSource)
    clips, rejected = everything(source)
    assert rejected == {}
    assert [(clip.pitch, clip.sample_rate, clip.family) for clip in clips] == [(50, RATE, "organ"), (62, RATE, "organ")]
    assert clips[0].velocity == pytest.approx(100 / 127)
    assert clips[0].tags == ("electronic", "bright", "long_release")
    assert clips[0].note_id == "organ_electronic_001-050-100"
    assert source.arguments()["last"] == "organ_electronic_001-062-100"


def test_batches_cover_all_notes_once(tmp_path: Path) -> None:
    quiet = np.zeros(100, np.float32)
    notes = [note(60, note_str=f"n{i}".encode(), audio=quiet) for i in range(NOTES_PER_BATCH + 3)]
    source = NSynthRecordSource(write(tmp_path / "a.tfrecord", *notes))
    assert source.n_batches == 2
    _, rejected = everything(source)
    assert list(rejected) == [f"n{i}" for i in range(NOTES_PER_BATCH + 3)]
    assert set(rejected.values()) == {"silent"}


def test_notes_of_no_use_are_listed(tmp_path: Path) -> None:
    wrong = {
        "no_pitch": {key: value for key, value in note(60).items() if key != "pitch"} | {"note_str": b"no_pitch"},
        "text": {**note(60, note_str=b"text"), "pitch": b"sixty"},
        "nan": note(60, note_str=b"nan", audio=np.full(1000, np.nan, np.float32)),
        "rate": note(60, note_str=b"rate", sample_rate=0),
    }
    clips, rejected = everything(NSynthRecordSource(write(tmp_path / "a.tfrecord", *wrong.values(), note(60))))
    assert len(clips) == 1
    assert set(rejected) == set(wrong)


def test_one_damaged_record_costs_one_note(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tfrecord", note(50), note(55), note(62))
    data = bytearray(path.read_bytes())
    data[record_offsets(path)[1] + 5_000] ^= 1
    path.write_bytes(data)
    clips, rejected = everything(NSynthRecordSource(path))
    assert [clip.pitch for clip in clips] == [50.0, 62.0]
    assert rejected == {"record 1": "damaged record"}


def test_a_file_cut_short_or_of_another_kind_is_one_clear_line(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.tfrecord", note(50), note(62)).read_bytes()
    for name, data in {"half": whole[: len(whole) * 3 // 4], "text": b"hello world, this is text", "none": b""}.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UserError, match="download it again") as raised:
            NSynthRecordSource(path)
        assert "\n" not in str(raised.value)
    with pytest.raises(DamagedError):
        read_record(tmp_path / "none", 0)


def test_no_bytes_at_all_crash_the_parser() -> None:
    rng = np.random.default_rng(1)
    good = example(note(60, audio=np.ones(20, np.float32)))
    for _ in range(500):
        data = bytearray(good[: rng.integers(1, len(good) + 1)])
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        with contextlib.suppress(DamagedError):
            parse_example(bytes(data))
