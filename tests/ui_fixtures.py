"""Fixtures of the window's tests: a real instrument file, a fake engine, a shown window.

A test module takes them with `pytest_plugins = ("ui_fixtures",)` and must not import from here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import PySide6
import pytest
from fake_engine import FakeEngine
from make_instrument import write_test_instrument
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from noisysynth.ui.application import make_application
from noisysynth.ui.display import loses_references
from noisysynth.ui.player import Player
from noisysynth.ui.window import Window

OPEN_MS = 30_000  # of sixteen parts, on a busy machine
OpenWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    """The application in our theme (pytest-qt's fixture of this name)."""
    if loses_references(PySide6.__version__):
        pytest.fail("PySide6 6.12.0 would end this test run; install another version", pytrace=False)
    return make_application(["noisysynth"])


@pytest.fixture(scope="session")
def instrument_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_test_instrument(tmp_path_factory.mktemp("instruments") / "Organ.noisy")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def session_file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "session.json"


@pytest.fixture
def open_window(qtbot: QtBot, engine: FakeEngine, instrument_file: Path, session_file: Path) -> Iterator[OpenWindow]:
    """A function that opens a window over the fake engine and waits until it runs; windows are closed at the end."""
    windows = []

    def open_it(ready: bool = True, instrument: Path | None = instrument_file) -> Window:
        window = Window(Player(lambda: engine), session_file)
        windows.append(window)
        qtbot.addWidget(window)
        window.restore(instrument)
        window.show()
        qtbot.waitExposed(window)
        window.activateWindow()
        if ready:
            qtbot.waitUntil(lambda: window.player.running and not window._restoring, timeout=OPEN_MS)
        return window

    yield open_it
    for window in windows:
        window.close()


@pytest.fixture
def window(open_window: OpenWindow, engine: FakeEngine) -> Window:
    """An open window whose start-up chatter is forgotten."""
    result = open_window()
    engine.forget()
    return result
