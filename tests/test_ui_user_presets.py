"""Presets of the player's own: kept, brought back, given away, and never lost to a broken file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from pytestqt.qtbot import QtBot

from noisysynth.errors import UserError
from noisysynth.ui.user_presets import UserPreset, UserPresets
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

BROKEN = [b"", b"{", b"[]", b"null", b'{"version": 99, "presets": []}', b'{"version": 1}', b"\xff\xfe", b"[" * 100_000]


def preset(name: str, **values: float) -> UserPreset:
    return UserPreset(name, values, (0.5, -0.25))


def test_round_trip_rename_delete_and_back(tmp_path: Path) -> None:
    mine = UserPresets(tmp_path / "new", "My / Organ")
    for i, name in enumerate(("one", "two", "three")):
        assert mine.save(preset(name, brightness=float(i))) == i
    assert mine.save(preset("two", brightness=7.0)) == 1
    mine.rename(0, "  first   of all ")
    mine.delete(2)
    again = UserPresets(tmp_path / "new", "My / Organ")
    assert again.presets == (preset("first of all", brightness=0.0), preset("two", brightness=7.0))
    assert mine.restore() == 2
    assert mine.restore() is None
    assert UserPresets(tmp_path / "new", "My / Organ").presets[2] == preset("three", brightness=2.0)
    assert UserPresets(tmp_path / "new", "Other").presets == ()


def test_names(tmp_path: Path) -> None:
    mine = UserPresets(tmp_path, "Organ")
    mine.save(preset("one"))
    mine.save(preset("two"))
    with pytest.raises(UserError, match="already"):
        mine.rename(0, "two")
    with pytest.raises(UserError, match="needs a name"):
        mine.rename(0, "  ")
    assert [each.name for each in mine.presets] == ["one", "two"]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_told_of_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Organ.json").write_bytes(content)
    mine = UserPresets(tmp_path, "Organ")
    assert mine.presets == ()
    assert "\n" not in mine.problem
    assert "Organ.unreadable.json" in mine.problem
    mine.save(preset("one"))
    assert (tmp_path / "Organ.unreadable.json").read_bytes() == content
    assert UserPresets(tmp_path, "Organ").presets == (preset("one"),)


def test_what_is_wrong_in_a_preset_is_left_out(tmp_path: Path) -> None:
    rows = [
        {"name": "good", "values": {"brightness": 99.0, "nothing": 1.0, "attack": "x", "tune": True}, "base": [1, 2.5]},
        {"name": "no base", "values": {}},
        {"name": "", "values": {}, "base": []},
        {"name": "nan", "values": {}, "base": [float("nan")]},
        "text",
    ]
    (tmp_path / "Organ.json").write_text(json.dumps({"version": 1, "presets": rows}))
    assert UserPresets(tmp_path, "Organ").presets == (UserPreset("good", {"brightness": 9.0}, (1.0, 2.5)),)


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    mine = UserPresets(blocked, "Organ")
    with pytest.raises(UserError, match="cannot be kept"):
        mine.save(preset("one"))
    assert mine.presets == ()


def test_given_away_and_taken_in(tmp_path: Path) -> None:
    mine = UserPresets(tmp_path / "a", "Organ")
    mine.save(preset("one", brightness=2.0))
    file = tmp_path / "one.noisypreset"
    mine.write_to(0, file)
    theirs = UserPresets(tmp_path / "b", "Organ")
    assert theirs.read_from(file) == 0
    assert theirs.presets == mine.presets
    with pytest.raises(UserError, match="'Organ'; open that first"):
        UserPresets(tmp_path / "b", "Reed").read_from(file)
    file.write_text('{"name": "x"}')
    with pytest.raises(UserError, match="is no preset"):
        theirs.read_from(file)
    with pytest.raises(UserError, match="cannot be read"):
        theirs.read_from(tmp_path / "none.noisypreset")


def test_the_window_saves_and_brings_back_the_very_sound(
    window: Window, engine: FakeEngine, session_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, panel = window.player, window.presets
    assert player.instrument is not None
    count = len(player.instrument.presets)
    player.move_pad(0.3, -0.4)
    player.set_parameter("brightness", 2.0)
    player.set_parameter("insert_1", 2.0)
    player.set_parameter("insert_1_1", 0.25)
    player.set_parameter("volume", -12.0)  # the mix stays as it is
    wanted, latent = dict(player.values), engine.latents[-1]
    monkeypatch.setattr(panel, "ask_name", lambda title, name: "Fog")
    panel.ask_save()
    assert player.preset_name == "Fog"
    assert panel.list.count() == count + 1
    player.choose_preset(0)
    player.set_parameter("volume", -6.0)
    player.step_preset(-1)
    assert player.preset_name == "Fog"
    assert dict(player.values) == wanted | {"volume": -6.0}
    assert np.array_equal(engine.latents[-1], latent)
    assert list((session_file.parent / "presets").glob("*.json"))


def test_the_menu_renames_deletes_and_brings_back(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    player, panel = window.player, window.presets
    assert player.instrument is not None
    count = len(player.instrument.presets)
    player.save_preset("Fog")
    player.save_preset("Mist")
    assert [action.text() for action in panel.menu_for(0).actions() if action.text()] == [
        "Save as…", "Mark with a star\tCtrl+D", "Import…",
    ]  # fmt: skip
    monkeypatch.setattr(panel, "ask_name", lambda title, name: name + " 2")
    actions = {action.text(): action for action in panel.menu_for(count).actions()}
    actions["Rename…"].trigger()
    assert player.presets[count].name == "Fog 2"
    assert player.preset_name == "Mist"  # what is chosen stays so
    player.choose_preset(count + 1)
    actions["Delete “Fog”"].trigger()
    assert [each.name for each in player.presets[count:]] == ["Mist"]
    assert player.preset_name == "Mist"
    player.delete_preset(count)
    assert player.preset == -1
    restore = [each for each in panel.menu_for(-1).actions() if each.text().startswith("Bring back")]
    restore[0].trigger()
    assert player.preset_name == "Mist"


def test_names_of_the_instrument_are_not_taken(window: Window, qtbot: QtBot) -> None:
    player = window.player
    assert player.instrument is not None
    with qtbot.waitSignal(player.noticed) as told:
        player.save_preset(player.instrument.presets[0].name)
    assert "belongs to the instrument" in told.args[0]
    assert len(player.presets) == len(player.instrument.presets)


def test_a_saved_preset_is_restored_with_the_session(
    open_window: object, window: Window, engine: FakeEngine, qtbot: QtBot
) -> None:
    window.player.move_pad(0.2, 0.1)
    window.player.save_preset("Fog")
    window.close()
    again = open_window(instrument=None)  # type: ignore[operator]
    assert again.player.preset_name == "Fog"
    assert again.player.values["pad_x"] == pytest.approx(0.2)
