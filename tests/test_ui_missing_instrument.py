"""A preset whose instrument is not open: it says so, finds the instrument, and offers what is near."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from make_instrument import write_test_instrument
from pytestqt.qtbot import QtBot

from noisysynth.instrument import Preset, instrument_name
from noisysynth.ui import missing_instrument
from noisysynth.ui.missing_instrument import MissingInstrument, PresetOpener, find_instrument
from noisysynth.ui.nearest import nearest
from noisysynth.ui.part_data import PartData, RackData
from noisysynth.ui.session import Session, save_session
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

OpenWindow = Callable[..., Window]


def tagged(name: str, *tags: str) -> Preset:
    return Preset(name, None, {}, tags)  # type: ignore[arg-type]


PRESETS = (tagged("Strings", "bowed", "soft"), tagged("Grand Piano", "keys"), tagged("Reed", "wind"))


@pytest.mark.parametrize(
    ("name", "tags", "expected"),
    [
        ("Fog", ("keys",), 1),
        ("Soft Strings", (), 0),
        ("My piano", (), 1),
        ("Anything", ("wind", "loud"), 2),
        ("Reeds", (), 2),  # by its spelling
        ("Xy", (), None),
    ],
)
def test_what_is_near(name: str, tags: tuple[str, ...], expected: int | None) -> None:
    assert nearest(name, tags, PRESETS) == expected


def test_nothing_is_near_nothing() -> None:
    assert nearest("Fog", (), ()) is None


def test_an_instrument_is_found_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "instruments"
    organ = write_test_instrument(folder / "a file.noisy", name="Old Organ")
    (folder / "broken.noisy").write_bytes(b"PK\3\4nothing")
    assert instrument_name(organ) == "Old Organ"
    assert instrument_name(folder / "broken.noisy") is None
    assert instrument_name(folder / "none.noisy") is None
    assert find_instrument("old organ", [tmp_path / "none", tmp_path, folder]) == organ
    assert find_instrument("a file", [folder]) == organ
    assert find_instrument("Tuba", [folder]) is None


@pytest.fixture
def opener(window: Window, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PresetOpener:
    """It looks at no folder of the machine's."""
    monkeypatch.setattr(missing_instrument.Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(missing_instrument, "recordings_folder", lambda: tmp_path / "home")
    return window.opener


def given_away(window: Window, path: Path, instrument: str, name: str = "Breath of fog") -> Path:
    """A preset made here, as if for another instrument."""
    player = window.player
    player.select_preset(2)
    player.save_preset(name)
    player.export_preset(len(player.presets) - 1, path)
    player.delete_preset(len(player.presets) - 1)
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "instrument": instrument}))
    return path


def shown(opener: PresetOpener, qtbot: QtBot) -> MissingInstrument:
    qtbot.waitUntil(opener.dialog.isVisible)
    return opener.dialog


def test_an_exported_preset_says_what_it_is_like(window: Window, tmp_path: Path) -> None:
    path = given_away(window, tmp_path / "fog.noisypreset", "Organ")
    near = window.player.instrument.presets[2]
    assert json.loads(path.read_text())["tags"] == [near.name, *near.tags]


def test_it_says_what_is_missing_and_plays_what_is_near(
    window: Window, opener: PresetOpener, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    path = given_away(window, tmp_path / "fog.noisypreset", "Old Organ")
    window.player.select_preset(0)
    opener.take(path)
    dialog = shown(opener, qtbot)
    assert "\u201cBreath of fog\u201d was made for the instrument \u201cOld Organ\u201d" in dialog.text.text()
    assert "in none of the usual folders" in dialog.text.text()
    assert not dialog.open_it.isVisible()
    assert window.player.instrument.presets[2].name in dialog.instead.text()
    dialog.instead.click()
    assert window.player.preset == 2
    assert not dialog.isVisible()


def test_the_instrument_is_found_and_opened_with_the_preset(
    window: Window, opener: PresetOpener, tmp_path: Path, qtbot: QtBot
) -> None:
    organ = write_test_instrument(tmp_path / "there" / "organ.noisy", name="Old Organ")
    opener.take(given_away(window, tmp_path / "there" / "fog.noisypreset", "Old Organ"))
    dialog = shown(opener, qtbot)
    assert str(organ) in dialog.text.text()
    dialog.open_it.click()
    qtbot.waitUntil(lambda: window.player.preset_name == "Breath of fog")
    assert window.player.instrument_path == organ


def test_one_of_the_instrument_that_is_open_is_just_taken(
    window: Window, opener: PresetOpener, tmp_path: Path, qtbot: QtBot
) -> None:
    path = given_away(window, tmp_path / "fog.noisypreset", window.player.instrument.name)
    opener.take(path)
    assert window.player.preset_name == "Breath of fog"
    assert not opener.dialog.isVisible()


def test_a_broken_preset_is_one_line(window: Window, opener: PresetOpener, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "fog.noisypreset"
    path.write_text("{")
    with qtbot.waitSignal(window.player.noticed) as told:
        opener.take(path)
    assert told.args == ["fog.noisypreset cannot be read (it is not valid JSON)"]
    assert not opener.dialog.isVisible()


def test_a_sessions_instrument_that_moved_is_found_again(
    open_window: OpenWindow, session_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(missing_instrument.Path, "home", lambda: tmp_path / "home")
    moved = write_test_instrument(tmp_path / "home" / "Downloads" / "Grand.noisy", name="Grand")
    replacement = write_test_instrument(tmp_path / "Factory.noisy", name="Factory")
    monkeypatch.setattr("noisysynth.factory.factory_instruments", lambda: [replacement])
    last = open_window(instrument=moved).player.presets[1].name
    part = PartData(str(tmp_path / "gone" / "Grand.noisy"), "Grand", last)
    save_session(session_file, Session(RackData({0: part})))
    window = open_window(instrument=None)
    assert window.top.instrument.name == "Factory"
    dialog = shown(window.opener, qtbot)
    assert "\u201cGrand\u201d, which played last, is not where it was" in dialog.text.text()
    dialog.open_it.click()
    qtbot.waitUntil(lambda: window.player.instrument_path == moved)
    qtbot.waitUntil(lambda: window.player.preset_name == last)
