"""Scala files dropped on the window: heard by the engine, named, taken back; broken ones are one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

OpenWindow = Callable[..., Window]


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    path = tmp_path / "19.scl"
    cents = "\n".join(f" {1200 / 19 * i:.5f}" for i in range(1, 20))
    path.write_text(f"! 19.scl\nNineteen equal steps\n 19\n{cents}\n")
    return path


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "white.kbm"
    path.write_text("7\n0\n127\n60\n69\n440.0\n19\n0\n3\n6\n8\n11\n14\n17\n")
    return path


def drop(window: Window, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    window.drop.take(data)


def test_a_scale_is_loaded_and_named(window: Window, engine: FakeEngine, scale: Path, qtbot: QtBot) -> None:
    assert not window.status_line.tuning.isVisible()
    drop(window, scale)
    qtbot.waitUntil(lambda: engine.tuning == (scale, None))
    qtbot.waitUntil(window.status_line.tuning.isVisible)
    assert window.status_line.tuning.text() == "Tuning: Nineteen equal steps"
    assert "tuned to Nineteen equal steps" in window.status_line.notice.text


def test_the_way_back(window: Window, engine: FakeEngine, scale: Path, qtbot: QtBot) -> None:
    drop(window, scale)
    qtbot.waitUntil(window.status_line.tuning.isVisible)
    qtbot.mouseClick(window.status_line.tuning, Qt.MouseButton.LeftButton)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    next(action for action in menu.actions() if "12 equal steps" in action.text()).trigger()
    menu.close()
    qtbot.waitUntil(lambda: engine.tuning is None)
    qtbot.waitUntil(lambda: not window.status_line.tuning.isVisible())
    assert window.session().tuning_scale == ""


def test_a_mapping_goes_with_its_scale(
    window: Window, engine: FakeEngine, scale: Path, mapping: Path, qtbot: QtBot
) -> None:
    drop(window, mapping)
    assert "drop the scale (.scl), too" in window.status_line.notice.text
    assert engine.tuning is None
    drop(window, mapping, scale)  # whatever the order
    qtbot.waitUntil(lambda: engine.tuning == (scale, mapping))
    qtbot.waitUntil(lambda: window.tunings.mapping == mapping)  # the answer has come
    drop(window, scale)
    qtbot.waitUntil(lambda: engine.tuning == (scale, None))
    qtbot.waitUntil(lambda: window.tunings.mapping is None)
    drop(window, mapping)
    qtbot.waitUntil(lambda: engine.tuning == (scale, mapping))


@pytest.mark.parametrize("name", ["broken.scl", "broken.kbm"])
@pytest.mark.parametrize("content", [b"", b"\0\1\2", b"name\n 3\n 100.0\n", b"name\n many\n"])
def test_a_broken_file_is_one_line_and_changes_nothing(
    window: Window, engine: FakeEngine, scale: Path, tmp_path: Path, qtbot: QtBot, name: str, content: bytes
) -> None:
    drop(window, scale)
    qtbot.waitUntil(lambda: window.tunings.scale == scale)
    (tmp_path / name).write_bytes(content)
    with qtbot.waitSignal(window.player.noticed) as told:
        drop(window, tmp_path / name)
    assert name in told.args[0]
    assert "\n" not in told.args[0]
    assert (engine.tuning, window.tunings.scale) == ((scale, None), scale)


def test_it_is_there_again_at_the_next_start(
    open_window: OpenWindow, engine: FakeEngine, scale: Path, mapping: Path, qtbot: QtBot
) -> None:
    window = open_window()
    drop(window, scale, mapping)
    qtbot.waitUntil(lambda: engine.tuning is not None)
    qtbot.waitUntil(lambda: window.tunings.mapping == mapping)
    window.close()
    engine.tuning = None
    again = open_window(instrument=None)
    qtbot.waitUntil(lambda: engine.tuning == (scale, mapping))
    qtbot.waitUntil(again.status_line.tuning.isVisible)


def test_a_tuning_that_is_gone_is_told(open_window: OpenWindow, engine: FakeEngine, scale: Path, qtbot: QtBot) -> None:
    window = open_window()
    drop(window, scale)
    qtbot.waitUntil(lambda: window.tunings.scale == scale)
    window.close()
    scale.unlink()
    again = open_window(instrument=None)
    qtbot.waitUntil(lambda: any("19.scl" in line for line in again.status_line.lines))
    assert not again.status_line.tuning.isVisible()


def test_an_engine_that_starts_anew_is_told(window: Window, engine: FakeEngine, scale: Path, qtbot: QtBot) -> None:
    drop(window, scale)
    qtbot.waitUntil(lambda: window.tunings.scale == scale)
    engine.tuning = None
    window.player.restart()
    qtbot.waitUntil(lambda: engine.tuning == (scale, None))


def test_a_long_name_is_cut(window: Window) -> None:
    name = "A scale & its very long name that goes on and on"
    window.status_line.show_tuning(name)
    assert len(window.status_line.tuning.text()) < 48
    assert window.status_line.tuning.accessibleName() == f"Tuning: {name}"
    assert name in window.status_line.tuning.toolTip()
