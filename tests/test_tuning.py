"""Scala files as pitches of keys, against scales that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noisysynth.errors import UserError
from noisysynth.midi.tuning import EQUAL, read_tuning

TWELVE = [f"{100 * degree}.0" for degree in range(1, 12)] + ["2/1"]
JUST = ["16/15", "9/8", "6/5", "5/4", "4/3", "45/32", "3/2", "8/5", "5/3", "9/5", "15/8", "2/1"]


def write_scale(path: Path, notes: list[str], count: int | None = None, name: str = "a scale") -> Path:
    lines = ["! comment", "!", name, f" {len(notes) if count is None else count}", "!", *(f" {note}" for note in notes)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_mapping(path: Path, *values: object, degrees: tuple[object, ...] = ()) -> Path:
    path.write_text("! comment\n" + "\n".join(map(str, [*values, "! Mapping", *degrees])) + "\n")
    return path


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    return write_scale(tmp_path / "twelve.scl", TWELVE)


def hz(pitches: np.ndarray) -> np.ndarray:
    return 440.0 * 2.0 ** ((pitches - 69.0) / 12.0)


def test_equal_temperament_is_the_keyboard(twelve: Path) -> None:
    tuning = read_tuning(twelve)
    assert tuning.name == "a scale"
    np.testing.assert_allclose(tuning.pitches, np.arange(128), atol=1e-9)
    np.testing.assert_array_equal(EQUAL.pitches, np.arange(128))


def test_just_intonation_has_its_ratios(tmp_path: Path) -> None:
    heard = hz(read_tuning(write_scale(tmp_path / "just.scl", JUST)).pitches)
    assert heard[69] == pytest.approx(440.0)
    assert heard[60] == pytest.approx(440.0 * 3 / 5)
    assert heard[64] / heard[60] == pytest.approx(5 / 4)
    assert heard[67] / heard[60] == pytest.approx(3 / 2)
    np.testing.assert_allclose(heard[12:] / heard[:-12], 2.0)


def test_nineteen_steps_to_the_octave(tmp_path: Path) -> None:
    notes = [f"{1200 * degree / 19:.6f}" for degree in range(1, 19)] + ["2"]
    pitches = read_tuning(write_scale(tmp_path / "19.scl", notes)).pitches
    np.testing.assert_allclose(np.diff(pitches), 12 / 19, atol=1e-6)
    assert pitches[69] == pytest.approx(69.0)


def test_bohlen_pierce_repeats_at_the_twelfth(tmp_path: Path) -> None:
    ratios = ["27/25", "25/21", "9/7", "7/5", "75/49", "5/3", "9/5", "49/25", "15/7", "7/3", "63/25", "25/9", "3/1"]
    heard = hz(read_tuning(write_scale(tmp_path / "bp.scl", ratios)).pitches)
    assert heard[60 + 13] / heard[60] == pytest.approx(3.0)
    assert heard[60 - 13] / heard[60] == pytest.approx(1 / 3)
    assert heard[66] / heard[60] == pytest.approx(5 / 3)
    assert np.isnan(heard[127])  # far above hearing
    assert np.isfinite(heard[24:90]).all()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_files_as_people_write_them(tmp_path: Path, ending: str, encoding: str) -> None:
    name, notes = "Gamme \xe9trange", ["-50.0", "100.  cents", "3/2 E\\", "2/1 ! octave"]
    lines = ["! x.scl", "  ! too", name, " 4  notes", "", *notes, "junk"]
    path = tmp_path / "x.scl"
    path.write_bytes(ending.join(lines).encode(encoding))
    tuning = read_tuning(path)
    assert tuning.name == name
    np.testing.assert_allclose(np.diff(tuning.pitches[60:65]), [-0.5, 1.5, 6.01955, 4.98045], atol=1e-5)


def test_a_scale_without_a_name_is_called_as_its_file(tmp_path: Path) -> None:
    assert read_tuning(write_scale(tmp_path / "mine.scl", ["2/1"], name="")).name == "mine"


def test_a_mapping_tunes_its_reference_key(tmp_path: Path, twelve: Path) -> None:
    mapping = write_mapping(tmp_path / "a432.kbm", 0, 0, 127, 60, 69, 432.0, 0)
    heard = hz(read_tuning(twelve, mapping).pitches)
    assert heard[69] == pytest.approx(432.0)
    assert heard[57] == pytest.approx(216.0)


def test_white_keys_alone(tmp_path: Path) -> None:
    """Seven degrees on the white keys, octave degree 7; black keys and those out of range are silent."""
    scale = write_scale(tmp_path / "major.scl", ["9/8", "5/4", "4/3", "3/2", "5/3", "15/8", "2/1"])
    degrees = (0, "x", 1, "X", 2, 3, "x", 4, "x", 5, "x", 6)
    mapping = write_mapping(tmp_path / "white.kbm", 12, 36, 96, 60, 60, 264.0, 7, degrees=degrees)
    heard = hz(read_tuning(scale, mapping).pitches)
    assert heard[60] == pytest.approx(264.0)
    assert heard[71] == pytest.approx(264.0 * 15 / 8)
    assert heard[72] == pytest.approx(528.0)
    assert heard[48] == pytest.approx(132.0)
    assert heard[47] == pytest.approx(132.0 * 15 / 16)
    assert np.isnan(heard[[61, 63, 66, 68, 70, 35, 97]]).all()


def test_the_formal_octave_may_be_another_degree(tmp_path: Path, twelve: Path) -> None:
    mapping = write_mapping(tmp_path / "fifths.kbm", 2, 0, 127, 60, 60, 261.6255653, 7, degrees=(0, 4))
    pitches = read_tuning(twelve, mapping).pitches
    np.testing.assert_allclose(pitches[56:66], [46, 50, 53, 57, 60, 64, 67, 71, 74, 78], atol=1e-6)


def test_a_linear_mapping_starts_at_its_middle_key(tmp_path: Path) -> None:
    scale = write_scale(tmp_path / "just.scl", JUST)
    heard = hz(read_tuning(scale, write_mapping(tmp_path / "g.kbm", 0, 0, 127, 67, 67, 396.0, 12)).pitches)
    assert heard[67] == pytest.approx(396.0)
    assert heard[71] == pytest.approx(396.0 * 5 / 4)


def test_missing_entries_at_the_end_are_silent(tmp_path: Path, twelve: Path) -> None:
    mapping = write_mapping(tmp_path / "c.kbm", 12, 0, 127, 60, 60, 261.6256, 12, degrees=(0, 1))
    pitches = read_tuning(twelve, mapping).pitches
    assert np.isfinite(pitches[60:62]).all()
    assert np.isnan(pitches[62:72]).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a Scala scale"),
        ("name", "not a Scala scale"),
        ("name\nmany\n", "not a Scala scale"),
        ("name\n0\n", "not a Scala scale"),
        ("name\n99999999\n", "not a Scala scale"),
        ("name\n2\n100.0\n", "has 1 of 2 notes"),
        ("name\n1\nhello\n", "'hello' is no pitch"),
        ("name\n1\n3/0\n", "'3/0' is no pitch"),
        ("name\n1\n-3/2\n", "'-3/2' is no pitch"),
        ("name\n1\nnan.\n", "is no pitch"),
        ("name\n1\n1.0e5\n", "is no pitch"),
        ("name\n1\n" + 5000 * "9" + "\n", "is no pitch"),
        ("name\n1\n9999999.0\n", "too large"),
        ("name\n1\n\0\n", "not a Scala file"),
    ],
)
def test_bad_scales_get_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.scl"
    path.write_text(text)
    with pytest.raises(UserError, match=r"bad\.scl") as caught:
        read_tuning(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a Scala keyboard mapping"),
        ("12\n0\n127\n60\n69\n", "not a Scala keyboard mapping"),
        ("12\n0\n127\n60\n69\nloud\n12\n", "not a Scala keyboard mapping"),
        ("12\n0\n127\n60\n69\nnan\n12\n", "not a Scala keyboard mapping"),
        ("12\n0\n127\n60\n69\n1e999\n12\n", "not a Scala keyboard mapping"),
        ("1000\n0\n127\n60\n69\n440\n12\n", "not a Scala keyboard mapping"),
        ("1\n0\n127\n60\n200\n440\n12\n0\n", "not a Scala keyboard mapping"),
        ("2\n0\n127\n60\n61\n440\n12\n0\nx\n", "reference key 61 is not mapped"),
        ("0\n100\n20\n60\n69\n440\n12\n", "leaves every key silent"),
    ],
)
def test_bad_mappings_get_one_line(tmp_path: Path, twelve: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.kbm"
    path.write_text(text)
    with pytest.raises(UserError, match=r"bad\.kbm") as caught:
        read_tuning(twelve, path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.scl", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_tuning(path)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.scl"
    path.write_bytes(b"x" * (1 << 21))
    with pytest.raises(UserError, match="not a Scala file"):
        read_tuning(path)
