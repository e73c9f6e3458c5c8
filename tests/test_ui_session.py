"""The session: kept atomically, restored, and never in the way when its file is broken."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from make_instrument import write_test_instrument
from pytestqt.qtbot import QtBot

from noisysynth import factory
from noisysynth.engine.messages import AudioChoice
from noisysynth.ui.part_data import PartData, RackData
from noisysynth.ui.references import instrument_reference, resolve_instrument
from noisysynth.ui.session import (
    Session,
    load_session,
    save_session,
    session_path,
)
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

OpenWindow = Callable[..., Window]


def one(instrument: str, preset: str | None = None, **values: float) -> RackData:
    """A rack with one part."""
    return RackData({0: PartData(instrument, preset=preset, values=values)})


BROKEN = [b"", b"{", b"[]", b"null", b'{"version": 99}', b"\xff\xfe\x00", b'{"version": "1"}', b"[" * 100_000]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "session.json"
    session = Session(one("a.noisy", "Reed", volume=-3.0), "system", "JACK", 48_000, 64, ["Port"], 48, "00ff")
    assert save_session(path, session) == ""
    again, complaint = load_session(path)
    assert complaint == ""
    assert again.rack.data() == session.rack.data()
    assert dataclasses.replace(again, rack=session.rack) == session
    assert [each.name for each in path.parent.iterdir()] == ["session.json"]


def test_no_file_is_no_complaint(tmp_path: Path) -> None:
    session, complaint = load_session(tmp_path / "none.json")
    assert (session.rack.data(), complaint) == (RackData().data(), "")


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_ignored_with_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "session.json"
    path.write_bytes(content)
    session, complaint = load_session(path)
    assert dataclasses.replace(session, rack=(empty := Session()).rack) == dataclasses.replace(empty, rack=empty.rack)
    assert not session.rack.parts
    assert complaint
    assert "\n" not in complaint


def test_wrong_fields_fall_back_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.write_text(
        json.dumps(
            {
                "version": 1,
                "instrument": "a.noisy",
                "preset": "Reed",
                "block_size": "many",
                "parameters": {
                    "tempo": 90,
                    "volume": 99,
                    "tune": "x",
                    "nothing": 1.0,
                    "attack": True,
                    "release": float("nan"),
                    "pad_x": 10**400,
                },
                "muted_midi_inputs": ["A", 3],
                "later": {"field": 1},
            }
        )
    )
    session, complaint = load_session(path)
    assert complaint == ""
    part = session.rack.parts[0]  # so a session of before there were racks comes back, too
    assert (part.instrument, part.preset, dict(part.values)) == ("a.noisy", "Reed", {"volume": 6.0})
    assert session.rack.values == {"tempo": 90.0}
    assert session.block_size == Session().block_size
    assert session.muted_midi_inputs == ["A"]


def test_a_failed_save_says_so_and_leaves_the_old_file(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert "cannot be kept" in save_session(blocked / "session.json", Session())


def test_references() -> None:
    inside = factory.FOLDER / "Some.noisy"
    assert instrument_reference(inside) == "factory:Some.noisy"
    assert resolve_instrument("factory:../../secret.noisy") is None
    assert resolve_instrument("") is None
    assert resolve_instrument("no/such/file.noisy") is None


def test_the_file_is_in_the_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert session_path().name == "session.json"
    assert session_path().parent.name == "noisysynth"


def test_the_window_comes_back_as_it_was(
    open_window: OpenWindow, engine: FakeEngine, instrument_file: Path, qtbot: QtBot
) -> None:
    window = open_window()
    window.resize(960, 650)  # no larger than the offscreen platform's screen allows
    window.player.select_preset(2)
    window.knobs.knobs["attack"].change_value(3.0)
    window.morph.pad.change_position(0.5, 0.25)
    window.computer.set_base(48)
    window.player.audio = AudioChoice("system", "JACK Audio Connection Kit", 44_100, 256)
    window.player.muted_midi_inputs = {"nanoKONTROL2"}
    window.close()

    engine.inputs["nanoKONTROL2"] = True
    again = open_window(instrument=None)
    player = again.player
    assert (again.width(), again.height()) == (960, 650)
    assert player.instrument_path == instrument_file
    assert player.preset == 2
    assert player.values["attack"] == again.knobs.knobs["attack"].value == 3.0
    assert (again.morph.pad.x_value, again.morph.pad.y_value) == (0.5, 0.25)
    assert engine.engine_values["attack"] == 3.0
    assert engine.engine_values["pad_x"] == 0.5
    assert engine.started_with == (instrument_file, AudioChoice("system", "JACK Audio Connection Kit", 44_100, 256))
    assert engine.inputs["nanoKONTROL2"] is False
    assert again.computer.base == 48


def test_what_the_command_line_says_wins(
    open_window: OpenWindow, engine: FakeEngine, session_file: Path, instrument_file: Path, tmp_path: Path
) -> None:
    rack = one("gone.noisy", "Nowhere", attack=4.0, volume=-20.0)
    save_session(session_file, Session(rack, "Card", "ALSA", 0, 512))
    window = open_window()  # names an instrument
    assert window.player.values["attack"] == 1.0  # of another instrument's sound
    assert window.player.values["volume"] == -20.0
    assert window.player.preset == 0
    window.restore(instrument_file, {"device": "Other", "block_size": 64})
    assert window.player.audio == AudioChoice("Other", None, None, 64)


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000])
def test_the_window_opens_over_a_broken_session(open_window: OpenWindow, session_file: Path, content: bytes) -> None:
    session_file.parent.mkdir(parents=True)
    session_file.write_bytes(content)
    window = open_window()
    assert any("not restored" in line for line in window.status_line.lines)


def test_a_vanished_instrument_is_told_and_replaced(
    open_window: OpenWindow, session_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replacement = write_test_instrument(tmp_path / "Factory.noisy", name="Factory")
    monkeypatch.setattr("noisysynth.factory.factory_instruments", lambda: [replacement])
    save_session(session_file, Session(one(str(tmp_path / "gone.noisy"), "Reed")))
    window = open_window(instrument=None)
    assert any("gone.noisy" in line for line in window.status_line.lines)
    assert window.top.instrument.name == "Factory"


def test_a_broken_instrument_is_told_and_replaced(
    open_window: OpenWindow, session_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replacement = write_test_instrument(tmp_path / "Factory.noisy", name="Factory")
    monkeypatch.setattr("noisysynth.factory.factory_instruments", lambda: [replacement])
    broken = tmp_path / "broken.noisy"
    broken.write_bytes(b"PK\x03\x04")
    save_session(session_file, Session(one(str(broken))))
    window = open_window(instrument=None)
    assert any("broken.noisy" in line for line in window.status_line.lines)
    assert window.top.instrument.name == "Factory"


def test_no_instrument_at_all_still_opens(
    open_window: OpenWindow, session_file: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr("noisysynth.factory.factory_instruments", list)
    window = open_window(ready=False, instrument=None)
    assert "no instrument" in window.status_line.notice.text
    window.player.step_preset(1)
    window.morph.pad.change_position(0.5, 0.5)
    window.player.notes.press("test", 60, 0.5)
    window.close()
    assert not session_file.exists()


def saved(path: Path) -> dict[str, float]:
    """What the session keeps of the first part."""
    parts = load_session(path)[0].rack.parts
    return dict(parts[0].values) if parts else {}


def test_edits_are_kept_without_closing(open_window: OpenWindow, session_file: Path, qtbot: QtBot) -> None:
    window = open_window()
    window.knobs.knobs["tune"].change_value(12.0)
    qtbot.waitUntil(lambda: session_file.exists() and saved(session_file).get("tune") == 12.0)
