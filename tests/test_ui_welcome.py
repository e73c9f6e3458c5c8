"""The first start: a welcome in three steps that one plays along with, and what is told while the sound is compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from noisysynth.events import EventKind
from noisysynth.factory import default_instrument
from noisysynth.ui.first_start import FirstStart
from noisysynth.ui.player import Player
from noisysynth.ui.welcome import place_beside
from noisysynth.ui.window import MINIMUM_SIZE, Window

pytest_plugins = ("ui_fixtures",)

OpenWindow = Callable[..., Window]
LEFT = Qt.MouseButton.LeftButton


def test_it_comes_by_itself_once_and_then_from_help(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    window.welcome_if_new()
    assert window.welcome.card.isVisible()
    qtbot.mouseClick(window.welcome.skip, LEFT)
    assert not window.welcome.card.isVisible()
    assert not window.welcome.pointer.isVisible()
    window.close()
    again = open_window(instrument=None)
    again.welcome_if_new()
    assert not again.welcome.active
    again.knobs.turn_to("Rack")  # where pad and presets are not seen
    next(action for action in again.help_menu().actions() if action.text().startswith("Welcome")).trigger()
    assert again.welcome.card.isVisible()
    assert all(step.target.isVisible() for step in again.welcome._steps)


def test_an_unseen_welcome_comes_again(open_window: OpenWindow) -> None:
    window = open_window()
    window.welcome_if_new()
    window.close()
    again = open_window(instrument=None)
    again.welcome_if_new()
    assert again.welcome.active


def test_one_plays_along(window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    welcome = window.welcome
    welcome.begin()
    assert (welcome.title.text(), welcome.count.text()) == ("Play", "1 of 3")
    assert not welcome.praise.isVisible()
    qtbot.keyPress(window.morph.pad, Qt.Key.Key_A)
    assert engine.of_kind(EventKind.NOTE_ON) == [(60, pytest.approx(0.75))]  # its card takes no keys
    assert welcome.praise.isVisible()
    qtbot.keyRelease(window.morph.pad, Qt.Key.Key_A)
    qtbot.mouseClick(welcome.next, LEFT)
    assert welcome.title.text() == "Move the sound"
    assert not welcome.praise.isVisible()
    window.morph.pad.change_position(0.4, 0.4)
    assert welcome.praise.isVisible()
    qtbot.mouseClick(welcome.back, LEFT)
    assert welcome.title.text() == "Play"
    qtbot.mouseClick(welcome.next, LEFT)
    qtbot.mouseClick(welcome.next, LEFT)
    assert (welcome.title.text(), welcome.next.text(), welcome.skip.isVisible()) == ("Choose a preset", "Done", False)
    window.presets.choose(1)
    assert welcome.praise.isVisible()
    qtbot.mouseClick(welcome.next, LEFT)
    assert not welcome.active
    assert window.welcomed


@pytest.mark.parametrize("size", [MINIMUM_SIZE, (1280, 800), (1920, 1080)])
def test_it_points_at_what_it_speaks_of_and_hides_none_of_it(
    window: Window, qtbot: QtBot, size: tuple[int, int]
) -> None:
    welcome = window.welcome
    window.resize(*size)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == size)
    welcome.begin()
    for step in welcome._steps:

        def stands(target: QWidget = step.target) -> bool:
            around = QRect(target.mapTo(window, target.rect().topLeft()), target.size())
            card = welcome.card.geometry()
            return (
                window.rect().contains(card)
                and not card.intersects(around)
                and welcome.pointer.geometry().contains(around)
                and all(fits(label) for label in (welcome.title, welcome.text))
            )

        qtbot.waitUntil(stands)
        welcome.next.click()


def fits(label: QWidget) -> bool:
    """Whether no line of a label is cut."""
    return label.height() >= label.heightForWidth(label.width())


def test_a_place_is_found_beside_anything() -> None:
    room = QRect(0, 0, 1000, 700)
    for target in (QRect(0, 500, 1000, 200), QRect(0, 0, 200, 700), QRect(800, 0, 200, 700), QRect(300, 0, 400, 300)):
        card = place_beside(target, 250, 150, room)
        assert room.contains(card)
        assert not card.intersects(target)
    assert place_beside(room, 250, 150, room).center().x() == pytest.approx(500, abs=2)  # nowhere but on it


class TestFirstStart:
    def test_it_says_how_far_it_is_and_how_long_it_will_take(self) -> None:
        first = FirstStart()
        first.take((0.0, "voices"), 100.0)
        assert (first.share, "s left" in first.line) == (0.0, False)
        first.take((0.25, "effects"), 110.0)
        assert first.line == ("preparing the sound for this machine, only this once: effects, 25 %, about 30 s left")
        first.take(None)
        assert (first.share, first.line) == (None, "")
        first.take((0.5, "voices"), 200.0)
        assert "s left" not in first.line  # another start is another story

    def test_the_window_shows_it(
        self, open_window: OpenWindow, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine.compiling = (0.4, "voices")
        begun: list[tuple[object, ...]] = []
        monkeypatch.setattr(Player, "_started", lambda self, *what: begun.append(what))  # it takes its time
        window = open_window(ready=False)
        window.welcome_if_new()
        line = window.status_line
        qtbot.waitUntil(lambda: line.progress.isVisible() and line.progress.value() == 40)
        assert "voices, 40 %" in line.notice.text
        assert "There is no sound yet" in window.welcome.text.text()
        engine.compiling = (0.8, "effects")
        qtbot.waitUntil(lambda: line.progress.value() == 80)
        qtbot.waitUntil(lambda: len(begun) == 1)
        monkeypatch.undo()
        engine.compiling = None
        window.player._started(*begun[0])
        qtbot.waitUntil(lambda: not line.progress.isVisible())
        assert "There is no sound yet" not in window.welcome.text.text()

    def test_a_usual_start_shows_no_bar(self, window: Window, qtbot: QtBot) -> None:
        qtbot.wait(300)
        assert not window.status_line.progress.isVisible()


def test_the_very_first_start_opens_the_factory_instrument_of_choice(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window(ready=False, instrument=None)
    assert window.top.latency.text != "off", "while the instrument is being read nothing is wrong"
    qtbot.waitUntil(lambda: window.player.instrument is not None, timeout=20_000)
    assert window.player.instrument_path == default_instrument()


def test_it_says_that_no_sound_device_is_open(qtbot: QtBot, instrument_file: Path, tmp_path: Path) -> None:
    window = Window(Player(lambda: FakeEngine(sound=False)), tmp_path / "session.json")
    qtbot.addWidget(window)
    window.restore(instrument_file)
    window.show()
    window.welcome_if_new()
    qtbot.waitUntil(lambda: "no sound device is open" in window.welcome.text.text())
    window.close()
