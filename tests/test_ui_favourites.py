"""Presets in the list: stars, stepping through what is shown, hearing them or not, and whole rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from noisysynth.events import EventKind
from noisysynth.ui.favourites import Favourites
from noisysynth.ui.preset_panel import INDEX_ROLE, PresetPanel, star_rect
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

OpenWindow = Callable[..., Window]
LEFT = Qt.MouseButton.LeftButton
BROKEN = [b"", b"{", b"[]", b'{"version": 9, "presets": {}}', b'{"version": 1, "presets": []}', b"[" * 100_000]


def click(panel: PresetPanel, qtbot: QtBot, index: int, star: bool) -> None:
    rect = panel.list.visualItemRect(panel.list.item(index))
    place = star_rect(rect).center() if star else QPointF(rect.left() + 30, rect.center().y())
    qtbot.mouseClick(panel.list.viewport(), LEFT, pos=place.toPoint())


class TestKeeping:
    def test_round_trip(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "favourites.json"
        marks = Favourites(path)
        marks.toggle("Organ", "Reed")
        marks.toggle("Organ", "Flute")
        marks.toggle("Other", "Reed")
        marks.toggle("Organ", "Flute")
        marks.rename("Other", "Reed", "Cane")
        again = Favourites(path)
        assert again.of("Organ") == {"Reed"}
        assert again.of("Other") == {"Cane"}
        assert ("Organ", "Reed") in again
        assert ("Nothing", "Reed") not in again

    @pytest.mark.parametrize("content", BROKEN)
    def test_a_broken_file_is_told_of_and_kept(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "favourites.json"
        path.write_bytes(content)
        marks = Favourites(path)
        assert "favourites cannot be read" in marks.problem
        assert "\n" not in marks.problem
        marks.toggle("Organ", "Reed")
        assert (tmp_path / "favourites.unreadable.json").read_bytes() == content
        assert Favourites(path).of("Organ") == {"Reed"}

    def test_what_is_wrong_in_it_is_left_out(self, tmp_path: Path) -> None:
        path = tmp_path / "favourites.json"
        path.write_text('{"version": 1, "presets": {"Organ": ["Reed", 3, null], "Other": "Reed"}}')
        marks = Favourites(path)
        assert (marks.problem, marks.of("Organ"), marks.of("Other")) == ("", {"Reed"}, frozenset())

    def test_what_cannot_be_kept_is_told(self, tmp_path: Path, qtbot: QtBot) -> None:
        blocked = tmp_path / "file"
        blocked.write_text("no folder")
        marks = Favourites(blocked / "favourites.json")
        with qtbot.waitSignal(marks.failed) as told:
            marks.toggle("Organ", "Reed")
        assert "cannot be kept" in told.args[0]
        assert ("Organ", "Reed") in marks


def test_a_click_on_the_star_marks_and_plays_nothing(window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    panel = window.presets
    assert not panel.favourites_chip.isVisible()
    click(panel, qtbot, 2, star=True)
    assert panel.favourites.of(window.player.instrument.name) == {window.player.presets[2].name}
    assert (window.player.preset, engine.log) == (0, [])
    click(panel, qtbot, 2, star=False)
    assert window.player.preset == 2
    click(panel, qtbot, 2, star=True)
    assert not panel.favourites.of(window.player.instrument.name)


def test_only_favourites(window: Window, qtbot: QtBot) -> None:
    panel = window.presets
    panel.toggle_favourite(0)
    panel.toggle_favourite(2)
    assert panel.favourites_chip.isVisible()
    panel.favourites_chip.click()
    assert panel.shown() == [0, 2]
    panel.toggle_favourite(0)
    assert panel.shown() == [2]
    panel.toggle_favourite(2)
    assert panel.shown() == []
    assert panel.favourites_chip.isVisible()  # or there were no way out
    panel.favourites_chip.click()
    assert panel.shown() == [0, 1, 2]


def test_the_keys_mark_the_chosen_one_and_it_is_kept(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    window.player.choose_preset(1)
    qtbot.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    window.close()
    again = open_window()
    assert again.presets.favourites.of(again.player.instrument.name) == {again.player.presets[1].name}


def test_a_renamed_preset_keeps_its_star(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    player, panel = window.player, window.presets
    player.save_preset("Fog")
    last = len(player.presets) - 1
    panel.toggle_favourite(last)
    monkeypatch.setattr(panel, "ask_name", lambda title, name: "Mist")
    panel._ask_rename(last)
    assert panel.favourites.of(player.instrument.name) == {"Mist"}


class TestStepping:
    def test_next_and_previous_stay_among_what_is_shown(self, window: Window, qtbot: QtBot) -> None:
        window.presets.search.setText("keys")
        assert window.presets.shown() == [0, 1]
        for expected in (1, 0, 1):
            qtbot.mouseClick(window.top.next, LEFT)
            assert window.player.preset == expected
        qtbot.keyClick(window, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
        assert window.player.preset == 0

    def test_from_one_that_is_hidden_to_the_nearest_shown(self, window: Window) -> None:
        panel, player = window.presets, window.player
        for index in (0, 2):
            panel.toggle_favourite(index)
        player.choose_preset(1)
        panel.favourites_chip.click()
        panel.step(1)
        assert player.preset == 2
        player.choose_preset(1)
        panel.step(-1)
        assert player.preset == 0

    def test_nothing_shown_nothing_chosen(self, window: Window) -> None:
        window.presets.search.setText("tuba")
        window.presets.step(1)
        assert window.player.preset == 0


def test_audition_can_be_switched_off_and_stays_so(open_window: OpenWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    window = open_window()
    engine.forget()
    window.presets.audition.click()
    click(window.presets, qtbot, 2, star=False)
    assert window.player.preset == 2
    assert engine.of_kind(EventKind.NOTE_ON) == []
    window.close()
    again = open_window()
    assert not again.presets.audition.isChecked()
    again.presets.audition.click()
    engine.forget()
    click(again.presets, qtbot, 1, star=False)
    assert len(engine.of_kind(EventKind.NOTE_ON)) == 1


def test_no_sliver_of_a_row_is_seen(window: Window, qtbot: QtBot) -> None:
    player, panel = window.player, window.presets
    for number in range(30):
        player.save_preset(f"Mine {number}")
    for height in (640, 653, 700, 717):
        window.resize(1000, height)
        qtbot.waitUntil(lambda h=height: window.height() == h)
        for index in (len(player.presets) - 1, 17, 0):
            player.select_preset(index)
            qtbot.waitUntil(lambda i=index: whole_rows_with(panel, i))


def whole_rows_with(panel: PresetPanel, index: int) -> bool:
    """Whether every row that can be seen at all is seen whole, and that of this preset among them."""
    view = panel.list.viewport().rect()
    rows = [panel.list.visualItemRect(panel.list.item(row)) for row in range(panel.list.count())]
    seen = [row for row in range(len(rows)) if rows[row].intersects(view)]
    whole = all(rows[row].top() >= view.top() and rows[row].bottom() <= view.bottom() for row in seen)
    return whole and index in [panel.list.item(row).data(INDEX_ROLE) for row in seen]
