"""Help: the manual opens with the system's viewer where it can, as text in the window where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from noisysynth.ui.manual import MANUAL, Manual, without_files
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[Path]]:
    """A function that puts a viewer that opens everything (or nothing) in the system's place: what it was asked for."""

    def install(opens: bool) -> list[Path]:
        asked: list[Path] = []

        def open_url(url: QUrl) -> bool:
            asked.append(Path(url.toLocalFile()))
            return opens

        monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
        return asked

    return install


def test_f1_opens_the_file_of_a_checkout(window: Window, viewer: Callable[[bool], list[Path]], qtbot: QtBot) -> None:
    asked = viewer(True)
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert asked == [MANUAL]
    assert MANUAL.is_file()
    assert not window.manual.isVisible()


def test_the_menu_opens_it_as_well(window: Window, viewer: Callable[[bool], list[Path]]) -> None:
    asked = viewer(True)
    window.top._fill_menu()
    (action,) = [each for each in window.top._menu.actions() if each.text().startswith("Manual")]
    action.trigger()
    assert asked == [MANUAL]


def test_without_a_viewer_it_is_shown_here(window: Window, viewer: Callable[[bool], list[Path]], qtbot: QtBot) -> None:
    viewer(False)
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert window.manual.isVisible()
    text = window.manual.text.toPlainText()
    assert "The first sound" in text
    assert ".png" not in text
    qtbot.keyClick(window.manual, Qt.Key.Key_Escape)
    assert not window.manual.isVisible()


def test_an_installed_package_asks_no_viewer(
    qtbot: QtBot, tmp_path: Path, viewer: Callable[[bool], list[Path]]
) -> None:
    asked = viewer(True)
    path = tmp_path / "manual.md"
    path.write_text("# Alone\n\n![A picture](images/a.png)\n\n[A page](osc.md)\n")
    manual = Manual(None, path)
    qtbot.addWidget(manual)
    manual.read()
    assert asked == []
    assert manual.text.toPlainText().split() == ["Alone", "A", "page"]


def test_a_manual_that_is_gone_is_told_in_a_line(qtbot: QtBot, tmp_path: Path) -> None:
    manual = Manual(None, tmp_path / "manual.md")
    qtbot.addWidget(manual)
    manual.read()
    assert "cannot be read (No such file" in manual.text.toPlainText()


def test_links_to_the_web_stay() -> None:
    assert without_files("[here](https://example.org/a) and [there](b.md)") == "[here](https://example.org/a) and there"
