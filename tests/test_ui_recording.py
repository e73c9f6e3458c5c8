"""The record button: it follows the engine's recorder, and nothing it writes is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_engine import FakeEngine
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from noisysynth.engine.cut_short import _crc8, finish_flac
from noisysynth.errors import UserError
from noisysynth.ui import recording
from noisysynth.ui.recording import clock, new_file, recordings_folder
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

LEFT = Qt.MouseButton.LeftButton
WHEN = datetime(2026, 3, 1, 9, 5, 7)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the user's music folder; not there yet."""
    result = tmp_path / "Music" / "noisysynth"
    monkeypatch.setattr(recording, "recordings_folder", lambda: result)
    return result


@pytest.fixture
def recorded(window: Window, engine: FakeEngine, folder: Path, qtbot: QtBot) -> Window:
    """A window that records."""
    window.top.record.click()
    qtbot.waitUntil(lambda: window.top.recording.active)
    return window


def test_files_are_named_by_date_time_and_instrument(folder: Path) -> None:
    path = new_file(folder, "Test Organ", WHEN)
    assert path == folder / "2026-03-01 09.05.07 Test Organ.flac"
    assert folder.is_dir()


@pytest.mark.parametrize("name", ["a/b\\c:d*?\0", "../../x", "\n", "", "\N{GRINNING FACE}" * 300, "\u00e9" * 300])
def test_any_instrument_gives_one_file_in_the_folder(folder: Path, name: str) -> None:
    path = new_file(folder, name, WHEN)
    assert path.parent == folder
    path.with_name(f"{path.name}.part").write_bytes(b"")  # neither too long nor with characters that are not allowed


def test_nothing_is_overwritten(folder: Path) -> None:
    names = []
    for suffix in ("", "", ".part", ""):
        path = new_file(folder, "Organ", WHEN)
        names.append(path.name)
        path.with_name(path.name + suffix).write_bytes(b"a take")
    assert names == [f"2026-03-01 09.05.07 Organ{number}.flac" for number in ("", " 2", " 3", " 4")]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "Music").write_bytes(b"a file")
    with pytest.raises(UserError, match=r"cannot be kept in .*Music"):
        new_file(tmp_path / "Music" / "noisysynth", "Organ", WHEN)


def test_the_folder_is_one_the_user_finds() -> None:
    assert recordings_folder().name == "noisysynth"
    assert recordings_folder().is_absolute()


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (59.9, "0:59"), (61.0, "1:01"), (6000.0, "100:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_button_starts_and_stops(window: Window, engine: FakeEngine, folder: Path, qtbot: QtBot) -> None:
    button = window.top.record
    idle = button.grab().toImage()
    assert button.caption == "Rec"
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: window.top.recording.active)
    assert engine.recording is not None
    assert engine.recording.parent == folder
    assert engine.recording.name.endswith(" Test Organ.flac")
    engine.recorded_s = 83.2
    qtbot.waitUntil(lambda: button.caption == "1:23")
    assert button.accessibleName() == "Stop recording"
    assert button.accessibleDescription() == "1:23"
    assert button.grab().toImage() != idle
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: not window.top.recording.active)
    assert button.caption == "Rec"
    assert window.status_line.notice.text == f"recorded 1:23: {engine.recording.name} in {folder}"


def test_the_shortcut(window: Window, folder: Path, qtbot: QtBot) -> None:
    for active in (True, False):
        qtbot.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda active=active: window.top.recording.active is active)


def test_a_hidden_window_keeps_the_time(recorded: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    recorded.hide()
    engine.recorded_s = 5.0
    qtbot.waitUntil(lambda: recorded.top.record.caption == "0:05")


def test_a_refusal_is_one_line_and_the_button_goes_back(
    window: Window, engine: FakeEngine, folder: Path, qtbot: QtBot
) -> None:
    engine.refuse = "the disk is full; make room or choose another folder"
    window.top.record.click()
    qtbot.waitUntil(lambda: "disk is full" in window.status_line.notice.text)
    assert window.top.record.caption == "Rec"
    window.top.record.click()
    qtbot.waitUntil(lambda: window.top.recording.active)


def test_without_an_engine_the_button_says_so(recorded: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.meters = {"alive": False}
    qtbot.waitUntil(lambda: not recorded.player.running)
    assert not recorded.top.recording.active
    assert any("ended with the engine" in line for line in recorded.status_line.lines)
    recorded.top.record.click()
    assert recorded.status_line.notice.text == "the engine stopped"
    assert not recorded.top.recording.active


def cut_short(path: Path, seconds: float) -> NDArray[np.float64]:
    """Leave a FLAC file at `path` as one whose writer was killed; returns what was written."""
    code = (
        "import os, sys, numpy as np, soundfile\n"
        "file = soundfile.SoundFile(sys.argv[1], 'w', 48000, 2, 'PCM_24', format='FLAC')\n"
        "file.write(np.random.default_rng(0).uniform(-1, 1, (int(48000 * float(sys.argv[2])), 2)))\n"
        "os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(seconds)], check=False)
    return np.random.default_rng(0).uniform(-1, 1, (round(48_000 * seconds), 2))


def test_what_was_recorded_before_the_engine_died_is_a_whole_file(
    recorded: Window, engine: FakeEngine, qtbot: QtBot
) -> None:
    path = engine.recording
    assert path is not None
    written = cut_short(path.with_name(f"{path.name}.part"), 3.0)
    engine.meters = {"alive": False}
    qtbot.waitUntil(lambda: not recorded.top.recording.active)
    assert any(f"what there is of it: {path.name}" in line for line in recorded.status_line.lines)
    audio, rate = soundfile.read(path)
    assert rate == 48_000
    assert len(written) - 2 * 4_608 < len(audio) <= len(written), "but for a block or two"
    np.testing.assert_allclose(audio, written[: len(audio)], atol=2.0**-22)


def test_takes_of_a_crash_are_finished_at_the_next_start(
    open_window: Callable[..., Window], folder: Path, tmp_path: Path
) -> None:
    folder.mkdir(parents=True)
    names = ("old.flac", "new.flac", "none.flac", "junk.flac")
    for name, seconds in zip(names[:3], (1.0, 1.0, 0.0), strict=True):
        cut_short(folder / f"{name}.part", seconds)
    (folder / "junk.flac.part").write_bytes(b"\xff\xf8" * 5_000)
    for name in ("old", "none", "junk"):
        os.utime(folder / f"{name}.flac.part", (0, 0))
    window = open_window()
    assert sorted(path.name for path in folder.iterdir()) == [
        "junk.flac.part", "new.flac.part", "none.flac.part", "old.flac"
    ]  # fmt: skip
    assert soundfile.info(folder / "old.flac").frames > 40_000
    assert sum("cut short" in line for line in window.status_line.lines) == 1


def test_what_looks_like_a_block_by_chance_is_none(tmp_path: Path) -> None:
    part = tmp_path / "take.flac.part"
    cut_short(part, 2.0)
    n_samples = finish_flac(part, tmp_path / "take.flac")
    header = bytes([0xFF, 0xF8, 0x19, 0x18, 3])  # of 192 samples at another rate, and its checksum is right
    cut_short(part, 2.0)
    with part.open("ab") as file:
        file.write(header + bytes([_crc8(header)]) + bytes(20))
    assert finish_flac(part, tmp_path / "take.flac") == n_samples


def test_a_whole_take_that_lacks_its_name_only_is_given_it(tmp_path: Path) -> None:
    part = tmp_path / "take.flac.part"
    soundfile.write(part, np.zeros((10_000, 2)), 48_000, "PCM_24", format="FLAC")
    assert finish_flac(part, tmp_path / "take.flac") == 10_000
    assert soundfile.info(tmp_path / "take.flac").frames == 10_000


def test_an_end_by_itself_is_followed_and_tells_why(recorded: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.recorded_s = 12.0
    qtbot.waitUntil(lambda: recorded.top.record.caption == "0:12")
    reason = "the recording ended, for the disk is full; what there is so far is kept"
    engine.pending_notices = [f"{engine.recording}: {reason}"]
    engine.recorded_s = 0.0
    qtbot.waitUntil(lambda: not recorded.top.recording.active)
    line = recorded.status_line.notice.text
    assert line.startswith(reason)
    assert "0:12" in line
    assert engine.recording is not None
    assert engine.recording.name in line
    recorded.top.record.click()  # and another one can begin
    qtbot.waitUntil(lambda: recorded.top.recording.active)


def test_an_end_before_the_first_look_is_noticed(recorded: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    recorded.top.recording.seconds = 0.0
    engine.recorded_s = 0.0
    engine.pending_notices = ["the recording ends with its output, after 0 s"]
    qtbot.waitUntil(lambda: not recorded.top.recording.active)


def test_a_replaced_engine_ends_it(recorded: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.recorded_s = 3.0
    qtbot.waitUntil(lambda: recorded.top.record.caption == "0:03")
    engine.meters = {"restarts": 1}  # what is in shared memory stands still
    qtbot.waitUntil(lambda: not recorded.top.recording.active)
    assert "ended with the engine" in recorded.status_line.notice.text


def test_a_failed_stop_is_told(recorded: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.refuse = "the engine has just ended; try again in a moment"
    recorded.top.record.click()
    qtbot.waitUntil(lambda: not recorded.top.recording.active)
    assert recorded.status_line.notice.text == "the engine has just ended; try again in a moment"


def test_a_stop_that_takes_its_time_is_no_end_by_itself(
    recorded: Window, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.recorded_s = 7.0
    qtbot.waitUntil(lambda: recorded.top.record.caption == "0:07")

    def stop() -> float:
        engine.recorded_s = 0.0
        time.sleep(0.3)
        return 7.4

    monkeypatch.setattr(engine, "stop_recording", stop)
    recorded.top.record.click()
    qtbot.waitUntil(lambda: not recorded.top.recording.active)
    assert recorded.status_line.notice.text.startswith("recorded 0:07")
