"""The rack page and what the window keeps of sixteen parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from make_instrument import make_test_instrument, write_test_instrument
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from noisysynth.events import EventKind
from noisysynth.parameters import N_PARTS
from noisysynth.ui.pages import RACK_PAGE
from noisysynth.ui.part_data import RackData
from noisysynth.ui.rack_columns import COLUMNS, GAP, column_widths
from noisysynth.ui.rack_strip import RackStrip
from noisysynth.ui.window import MINIMUM_SIZE, Window

pytest_plugins = ("ui_fixtures",)

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
OpenWindow = Callable[..., Window]


@pytest.fixture(scope="module")
def reed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_test_instrument(tmp_path_factory.mktemp("more") / "Reed.noisy", name="Reed")


def idle(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not window.player.rack.loading and not window.player.requests.busy)


@pytest.fixture
def three(window: Window, engine: FakeEngine, reed_file: Path, instrument_file: Path, qtbot: QtBot) -> Window:
    """A window whose rack has three parts, each with settings of its own; the third is edited."""
    player = window.player
    player.choose_preset(2)
    player.set_parameter("brightness", 1.0)
    player.rack.add(reed_file)
    idle(window, qtbot)
    player.choose_preset(1)
    player.move_pad(0.5, -0.25)
    player.set_parameter("knob_1", 0.5)
    player.set_parameter("channel", 2.0)
    player.rack.add(instrument_file)
    idle(window, qtbot)
    player.pin(0, 1)
    player.pin(3, 2)
    player.move_pad(0.25, 0.75)
    player.set_parameter("key_low", 60.0)
    engine.forget()
    return window


def told(engine: FakeEngine, part: int) -> dict[str, float]:
    return engine.values_of[part]


def state(window: Window) -> str:
    """Everything that the window keeps of its parts."""
    return json.dumps(window.player.rack_data().data(), sort_keys=True)


class TestParts:
    def test_a_part_is_added_with_its_own_instrument_and_preset(
        self, window: Window, engine: FakeEngine, reed_file: Path, instrument_file: Path, qtbot: QtBot
    ) -> None:
        player = window.player
        player.choose_preset(2)
        player.rack.add(reed_file)
        idle(window, qtbot)
        assert engine.instruments == {0: instrument_file, 1: reed_file}
        assert player.chosen == 1
        assert (window.top.part.name, window.top.instrument.name) == ("2", "Reed")
        assert player.preset == 0
        assert window.top.preset.name == make_test_instrument().presets[0].name
        np.testing.assert_array_equal(engine.latents_of[1], player.part.blend()[0])  # type: ignore[index]
        player.choose_part(0)
        assert (player.preset, window.top.instrument.name) == (2, "Test Organ")

    def test_the_edited_part_is_the_one_that_knobs_pad_and_presets_change(
        self, three: Window, engine: FakeEngine
    ) -> None:
        player = three.player
        for number in range(3):
            others = [dict(told(engine, each)) for each in range(3) if each != number]
            player.choose_part(number)
            three.knobs.knobs["attack"].change_value(2.0 + number)
            three.morph.pad.change_position(0.1 * number, -0.5)
            player.step_preset(1)
            assert told(engine, number)["attack"] == player.parts[number].values["attack"]
            assert [dict(told(engine, each)) for each in range(3) if each != number] == others
        three.knobs.knobs["tempo"].change_value(90.0)  # of the whole rack
        assert told(engine, 0)["tempo"] == 90.0
        assert all(each.values.get("tempo") is None for each in player.parts)

    def test_every_part_keeps_preset_pad_knobs_and_corners(self, three: Window) -> None:
        player, pad, knobs = three.player, three.morph.pad, three.knobs.knobs
        player.choose_part(1)
        assert (player.preset, pad.x_value, pad.y_value) == (1, 0.5, -0.25)
        assert (knobs["knob_1"].value, knobs["channel"].value, knobs["brightness"].value) == (0.5, 2.0, 3.0)
        assert [point.name for point in pad._points] == [each.name for each in make_test_instrument().presets]
        assert not any(button.isChecked() for button in three.morph.corners.buttons)
        player.choose_part(2)
        assert (pad.x_value, pad.y_value, knobs["key_low"].value) == (0.25, 0.75, 60.0)
        assert [point.name for point in pad._points] == ["A  Bright", "D  Breathy"]
        assert not pad._trail  # it leads nowhere from another part's place
        player.choose_part(0)
        assert (player.preset, knobs["brightness"].value) == (2, 1.0)
        assert three.presets.list.currentRow() == 2

    def test_a_switch_lets_go_of_knob_pad_and_motion(self, three: Window, qtbot: QtBot) -> None:
        knob = three.knobs.knobs["attack"]
        qtbot.mousePress(knob, LEFT, pos=knob.rect().center())
        three.morph.motion.walk.click()
        three.player.choose_part(0)
        assert not knob.held
        assert not three.morph.motion.transport.moving
        before = dict(three.player.values)
        qtbot.mouseMove(knob, knob.rect().center() - QPoint(0, 40))
        qtbot.wait(60)
        assert dict(three.player.values) == before

    def test_keys_choose_the_part(self, three: Window, qtbot: QtBot) -> None:
        for key, part in ((Qt.Key.Key_1, 0), (Qt.Key.Key_2, 1), (Qt.Key.Key_9, 1), (Qt.Key.Key_PageDown, 2),
                          (Qt.Key.Key_PageDown, 0), (Qt.Key.Key_PageUp, 2)):  # fmt: skip
            qtbot.keyClick(three, key, CONTROL)
            assert three.player.chosen == part

    def test_the_menu_of_the_top_bar_has_the_parts_and_the_page(self, three: Window) -> None:
        three.top._fill_parts()
        actions = three.top._parts.actions()
        assert [action.text().partition("\t")[0] for action in actions[:3]] == [
            "1   Test Organ, Breathy", "2   Reed, Bright", "3   Test Organ, Plain",
        ]  # fmt: skip
        assert [action.isChecked() for action in actions[:3]] == [False, False, True]
        actions[1].trigger()
        assert three.player.chosen == 1
        actions[-1].trigger()
        assert three.rack.isVisible()
        assert not three.morph.isVisible()

    def test_what_is_played_here_sounds_where_the_edited_part_listens(self, three: Window, engine: FakeEngine) -> None:
        player = three.player
        player.choose_part(1)
        player.notes.press("test", 64, 0.5)
        player.choose_part(0)
        player.notes.press("test", 67, 0.5)
        player.notes.release("test", 64)  # ends where it began
        assert [note[:2] for note in engine.notes_on] == [(1, 64), (0, 67)]
        assert 64 not in engine.held

    def test_an_audition_is_of_one_part_alone(self, three: Window, engine: FakeEngine) -> None:
        three.player.choose_part(1)
        three.player.audition(0)
        assert engine.notes_on[-1][2] == 1

    def test_a_program_change_on_another_part(self, three: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        player = three.player
        engine.chosen_presets[1] = (2, 1)
        qtbot.waitUntil(lambda: player.parts[1].preset == 2)
        assert player.preset == 0  # the edited one's own
        assert told(engine, 1)["pad_x"] == pytest.approx(player.parts[1].values["pad_x"])
        assert "Breathy" in three.rack.strips[1].button.accessibleName()

    def test_midi_moves_parameters_of_any_part(self, three: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        qtbot.wait(400)  # until echoes are believed
        engine.values_of[1] |= {"volume": -20.0, "pad_x": 1.0}
        engine.values_of[5] |= {"volume": -30.0}  # an empty one
        qtbot.waitUntil(lambda: three.player.parts[1].values["volume"] == -20.0)
        assert three.rack.strips[1].controls["volume"].value == -20.0
        assert three.knobs.knobs["volume"].value == -6.0
        assert engine.parameters_set == []
        np.testing.assert_array_equal(engine.latents_of[1], three.player.parts[1].blend()[0])  # type: ignore[index]
        assert three.player.parts[5].values["volume"] == -6.0

    def test_an_engine_that_starts_again_gets_every_part(
        self, three: Window, engine: FakeEngine, reed_file: Path, instrument_file: Path, qtbot: QtBot
    ) -> None:
        wanted = [dict(part.values) for part in three.player.parts[:3]]
        engine.meters = {"alive": False}
        qtbot.waitUntil(lambda: not three.player.running)
        engine.meters = {}
        for values in engine.values_of:
            values.update(dict.fromkeys(wanted[0], 0.0))
        engine.latents_of.clear()
        three.player.restart()
        qtbot.waitUntil(lambda: three.player.running)
        idle(three, qtbot)
        qtbot.wait(400)  # until echoes are believed
        assert engine.instruments == {0: instrument_file, 1: reed_file, 2: instrument_file}
        for number, values in enumerate(wanted):
            assert three.player.parts[number].values == pytest.approx(values, rel=1e-6)
            assert {each: told(engine, number)[each] for each in values} == pytest.approx(values, rel=1e-6)
        assert set(engine.latents_of) == {0, 1, 2}

    def test_a_part_that_is_added_while_the_engine_starts_is_loaded(
        self, open_window: OpenWindow, engine: FakeEngine, reed_file: Path, instrument_file: Path, qtbot: QtBot
    ) -> None:
        window = open_window(ready=False)
        window.player.rack.add(reed_file)
        qtbot.waitUntil(lambda: window.player.running and len(window.player.used) == 2)
        idle(window, qtbot)
        assert set(engine.instruments.values()) == {instrument_file, reed_file}

    def test_removing_keeps_the_others_and_the_last(self, three: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        player = three.player
        player.rack.remove(2)
        idle(three, qtbot)
        assert player.chosen == 1
        assert set(engine.instruments) == {0, 1}
        assert told(engine, 2)["key_low"] == 0.0  # as if nothing had been there
        player.rack.remove(0)
        idle(three, qtbot)
        assert player.used == [1]
        player.rack.remove(1)
        assert player.used == [1]
        assert "keeps one part" in three.status_line.notice.text
        player.restart()  # without a first part
        qtbot.waitUntil(lambda: player.running)
        assert set(engine.instruments) == {1}

    def test_sixteen_and_no_more(self, window: Window, reed_file: Path, qtbot: QtBot) -> None:
        for _ in range(N_PARTS):
            window.player.rack.add(reed_file)
        idle(window, qtbot)
        assert len(window.player.used) == N_PARTS
        assert "all 16 parts are in use" in " ".join(window.status_line.lines)
        assert not window.rack.add.isEnabled()

    def test_a_broken_file_adds_nothing(self, window: Window, tmp_path: Path, qtbot: QtBot) -> None:
        broken = tmp_path / "broken.noisy"
        broken.write_bytes(b"PK")
        before = state(window)
        window.player.rack.add(broken)
        qtbot.waitUntil(lambda: "broken.noisy" in window.status_line.notice.text)
        assert state(window) == before


class TestUndo:
    def test_edits_of_several_parts_come_back_in_order(self, three: Window, engine: FakeEngine) -> None:
        player = three.player
        player.history._done.clear()
        states = [state(three)]
        for number, (name, value) in enumerate((("attack", 3.5), ("volume", -3.0), ("tempo", 90.0), ("knob_1", 0.25))):
            player.choose_part(number % 3)
            player.set_parameter(name, value)
            states.append(state(three))
        for wanted in reversed(states[:-1]):
            player.undo()
            assert sounds(state(three)) == sounds(wanted)
        assert not player.can_undo
        for wanted in states[1:]:
            player.redo()
            assert sounds(state(three)) == sounds(wanted)
        assert player.chosen == 0  # where the last one was
        assert told(engine, 1)["volume"] == -3.0

    def test_parts_that_came_and_went(self, three: Window, engine: FakeEngine, reed_file: Path, qtbot: QtBot) -> None:
        player = three.player
        states = [state(three)]
        player.rack.remove(1)
        states.append(state(three))
        player.rack.replace(2, reed_file)
        idle(three, qtbot)
        states.append(state(three))
        player.choose_part(0)
        player.set_parameter("attack", 3.0)
        for wanted in (states[2], states[1], states[0]):
            player.undo()
            idle(three, qtbot)
            assert sounds(state(three)) == sounds(wanted)
        assert set(engine.instruments) == {0, 1, 2}
        assert told(engine, 1)["knob_1"] == 0.5
        for wanted in states[1:]:
            player.redo()
            idle(three, qtbot)
            assert sounds(state(three)) == sounds(wanted)
        assert set(engine.instruments) == {0, 2}

    def test_each_part_has_its_own_a_and_b(self, three: Window) -> None:
        player = three.player
        player.choose_part(0)
        player.compare()
        player.set_parameter("brightness", -5.0)
        player.choose_part(1)
        assert player.side == three.presets.compare.text() == "A"
        player.choose_part(0)
        assert player.side == three.presets.compare.text() == "B"
        player.compare()
        assert player.values["brightness"] == 1.0
        assert player.parts[1].values["brightness"] == 3.0

    def test_nothing_is_undone_while_an_instrument_is_on_its_way(self, three: Window, reed_file: Path) -> None:
        three.player.rack.add(reed_file)
        before = state(three)
        three.player.undo()
        assert state(three) == before


def sounds(text: str) -> object:
    """Without which part is edited."""
    data = json.loads(text)
    data.pop("chosen")
    return data


class TestOwnPresets:
    def test_parts_of_one_instrument_share_them_and_keep_what_they_play(self, three: Window) -> None:
        player = three.player
        player.choose_part(0)
        player.save_preset("Fog")
        player.save_preset("Mist")
        player.choose_part(2)
        assert [each.name for each in player.presets[-2:]] == ["Fog", "Mist"]
        player.choose_preset(len(player.presets) - 1)
        player.choose_part(0)
        player.delete_preset(len(player.presets) - 2)
        assert [player.parts[number].preset_name for number in (0, 2)] == ["Mist", "Mist"]
        player.undo()  # of the preset chosen in part 3
        assert (player.chosen, player.preset_name) == (2, "Plain")
        player.choose_part(1)
        assert player.preset_name == "Bright"
        assert len(player.presets) == 3  # another instrument


class TestSession:
    def test_three_parts_come_back(
        self, three: Window, open_window: OpenWindow, engine: FakeEngine, reed_file: Path, instrument_file: Path,
        qtbot: QtBot,
    ) -> None:  # fmt: skip
        wanted, latents = state(three), dict(engine.latents_of)
        three.player.set_parameter("tempo", 99.0)
        wanted = state(three)
        three.close()
        engine.latents_of.clear()
        again = open_window(instrument=None)
        idle(again, qtbot)
        assert state(again) == wanted
        assert again.player.chosen == 2
        assert again.top.part.name == "3"
        assert engine.instruments == {0: instrument_file, 1: reed_file, 2: instrument_file}
        for part, latent in latents.items():
            np.testing.assert_array_equal(engine.latents_of[part], latent)
        assert [point.name for point in again.morph.pad._points] == ["A  Bright", "D  Breathy"]  # the corners, too
        assert not again.player.can_undo

    def test_a_missing_instrument_keeps_its_place_and_its_settings(
        self, three: Window, open_window: OpenWindow, reed_file: Path, tmp_path: Path, qtbot: QtBot
    ) -> None:
        player, gone = three.player, tmp_path / "Gone.noisy"
        gone.write_bytes(reed_file.read_bytes())
        player.rack.replace(1, gone)
        idle(three, qtbot)
        player.choose_part(1)
        player.set_parameter("attack", 3.0)
        player.choose_part(0)
        three.close()
        gone.unlink()
        again = open_window(instrument=None)
        idle(again, qtbot)
        assert "Reed is missing; the rest is loaded" in " ".join(again.status_line.lines)
        assert again.player.used == [0, 1, 2]
        strip = again.rack.strips[1]
        assert "Reed is missing" in strip.button.accessibleName()
        again.save()
        again.close()
        gone.write_bytes(reed_file.read_bytes())
        back = open_window(instrument=None)
        idle(back, qtbot)
        assert back.player.parts[1].values["attack"] == 3.0

    def test_the_file_that_was_missing_can_be_found(self, three: Window, reed_file: Path, qtbot: QtBot) -> None:
        player = three.player
        data = player.parts[1].data()
        assert data is not None
        player.rack.load(RackData({0: player.parts[0].data(), 1: _elsewhere(data)}))  # type: ignore[dict-item]
        idle(three, qtbot)
        assert player.parts[1].instrument is None
        player.rack.replace(1, reed_file)
        idle(three, qtbot)
        assert player.parts[1].values["knob_1"] == 0.5

    def test_closing_in_the_middle_of_a_start_loses_no_part(
        self, three: Window, open_window: OpenWindow, session_file: Path
    ) -> None:
        three.close()
        kept = session_file.read_text()
        half = open_window(ready=False, instrument=None)
        half.close()
        assert json.loads(session_file.read_text())["rack"] == json.loads(kept)["rack"]


def _elsewhere(data):  # type: ignore[no-untyped-def]
    import dataclasses

    return dataclasses.replace(data, instrument="nowhere/Reed.noisy")


class TestRackFile:
    def test_saved_and_dropped_it_is_the_same_rack(
        self, three: Window, engine: FakeEngine, tmp_path: Path, reed_file: Path, qtbot: QtBot
    ) -> None:
        player = three.player
        player.set_parameter("reverb_decay", 4.0)
        player.choose_part(0)
        player.save_preset("Fog")
        wanted, file = state(three), tmp_path / "My.noisyrack"
        player.rack.write_file(file)
        player.delete_preset(player.preset)
        player.rack.remove(1)
        player.set_parameter("reverb_decay", 1.0)
        player.rack.add(reed_file)
        player.rack.add(reed_file)
        idle(three, qtbot)
        before = state(three)
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(file))])
        three.drop.take(data)
        qtbot.waitUntil(lambda: player.used == [0, 1, 2])
        idle(three, qtbot)
        assert state(three) == wanted  # also the preset of one's own that is gone here
        assert player.preset_name == "Fog"
        assert set(engine.instruments) == {0, 1, 2}
        assert told(engine, 0)["reverb_decay"] == 4.0
        player.undo()
        idle(three, qtbot)
        assert sounds(state(three)) == sounds(before)

    def test_instruments_that_came_along_are_found_and_others_are_told_of(
        self, three: Window, tmp_path: Path, reed_file: Path, instrument_file: Path, qtbot: QtBot
    ) -> None:
        folder = tmp_path / "sent"
        folder.mkdir()
        three.player.rack.write_file(folder / "a.noisyrack")
        text = (folder / "a.noisyrack").read_text()
        text = text.replace(str(reed_file.parent), "C:\\\\Music").replace(str(instrument_file), "/nowhere/Organ.noisy")
        (folder / "a.noisyrack").write_text(text)
        (folder / reed_file.name).write_bytes(reed_file.read_bytes())
        three.player.rack.read_file(folder / "a.noisyrack")
        qtbot.waitUntil(lambda: three.player.parts[1].path == folder / reed_file.name)
        (line,) = [line for line in three.status_line.lines if "missing" in line]
        assert "Test Organ is missing; Test Organ is missing; the rest is loaded" in line
        assert three.player.chosen == 1  # the edited one has to play

    @pytest.mark.parametrize(
        "content",
        [
            b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"noisysynth rack": 1}', b'{"parts": []}',
            b'{"noisysynth rack": 1, "parts": 3}', b'{"noisysynth rack": 1, "parts": [{"part": 1}]}',
            b'{"noisysynth rack": 1, "parts": [{"part": 0, "instrument": "a.noisy"}]}',
            b'{"noisysynth rack": 1, "parts": [{"part": true, "instrument": "a.noisy"}]}',
            b'{"noisysynth rack": 2, "parts": [{"part": 1, "instrument": "a.noisy"}]}',
            b'{"noisysynth rack": 1, "parts": [{"part": 1, "instrument": "' + b"x" * 3000 + b'"}]}',
            b'{"noisysynth rack": 1, "parts": [{"part": 1, "instrument": "a\\u0000b"}]}',
            b'{"noisysynth rack": 1, "parts": [{"part": 1, "instrument": "/dev/zero"}]}',
            b'{"noisysynth rack": 1, "parts": [{"part": 1, "instrument": "factory:../../x.noisy"}]}',
        ],
    )  # fmt: skip
    def test_a_hostile_file_is_one_line_and_no_change(
        self, window: Window, engine: FakeEngine, tmp_path: Path, qtbot: QtBot, content: bytes
    ) -> None:
        path = tmp_path / "bad.noisyrack"
        path.write_bytes(content)
        before, instruments = state(window), dict(engine.instruments)
        with qtbot.waitSignal(window.player.noticed) as told:
            window.drop.take_file(path)
        idle(window, qtbot)
        assert "\n" not in told.args[0]
        assert len(told.args[0]) < 200
        assert state(window) == before
        assert engine.instruments == instruments

    def test_what_is_wrong_in_a_part_is_left_out(
        self, window: Window, tmp_path: Path, reed_file: Path, qtbot: QtBot
    ) -> None:
        part = {
            "part": 3, "instrument": str(reed_file), "preset": 5, "name": ["x"],
            "values": {"attack": 1e999, "volume": 10**400, "pan": "left", "tempo": 90, "nothing": 1},
            "own": {"name": "x", "values": {}, "base": [10**400]},
            "corners": {"0": {"name": "a", "latent": [1e300] * 3}, "9": 1, "1": {"name": "b", "latent": [None]}},
        }  # fmt: skip
        file = {"noisysynth rack": 1, "chosen": 99, "values": {"tempo": 1e9, "attack": 2}, "parts": [part, 7, None]}
        path = tmp_path / "odd.noisyrack"
        path.write_text(json.dumps(file))
        window.player.rack.read_file(path)
        qtbot.waitUntil(lambda: window.player.used == [2])
        player = window.player
        assert player.chosen == 2
        assert player.values["tempo"] == 300.0
        assert player.values["attack"] == 1.0
        assert all(np.isfinite(value) for value in player.values.values())
        assert not player.corners.pins

    def test_a_file_too_large_is_not_read(self, window: Window, tmp_path: Path, qtbot: QtBot) -> None:
        path = tmp_path / "big.noisyrack"
        with path.open("wb") as file:
            file.truncate(17_000_000)
        with qtbot.waitSignal(window.player.noticed) as told:
            window.drop.take_file(path)
        assert told.args[0] == "big.noisyrack is too large to be a rack of noisysynth"

    def test_what_cannot_be_written_is_told(self, window: Window, tmp_path: Path) -> None:
        blocked = tmp_path / "file"
        blocked.write_text("")
        window.player.rack.write_file(blocked / "a.noisyrack")
        assert "cannot be written" in window.status_line.notice.text


class TestPage:
    @pytest.fixture
    def page(self, three: Window) -> Window:
        three.knobs.turn_to(RACK_PAGE)
        return three

    def test_it_stands_in_the_place_of_one_parts_sound(self, page: Window) -> None:
        assert page.rack.isVisible()
        assert page.knobs.knobs["master_volume"].isVisible()  # what all parts share
        assert not page.presets.isVisible()
        page.knobs.turn_to("Sound")
        assert page.morph.pad.isVisible()
        assert not page.rack.isVisible()

    def test_controls_of_a_strip_set_its_part(self, page: Window, engine: FakeEngine) -> None:
        for number, strip in page.rack.strips.items():
            for parameter_id, control in strip.controls.items():
                control.change_position(0.75 if parameter_id != "key_low" else 0.25)
                assert told(engine, number)[parameter_id] == pytest.approx(control.value)
        assert page.player.chosen == 2  # setting another part does not edit it
        assert page.knobs.knobs["volume"].value == page.rack.strips[2].controls["volume"].value

    def test_mute_and_solo_turn_over(self, page: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        mute, solo = (page.rack.strips[1].controls[each] for each in ("mute", "solo"))
        qtbot.mouseClick(mute, LEFT)
        assert told(engine, 1)["mute"] == 1.0
        assert mute.accessibleDescription().startswith("On")
        qtbot.keyClick(mute, Qt.Key.Key_Return)
        assert told(engine, 1)["mute"] == 0.0
        qtbot.mouseDClick(solo, LEFT)
        qtbot.keyClick(solo, Qt.Key.Key_Up)
        assert told(engine, 1)["solo"] == 1.0

    def test_a_click_on_a_name_or_beside_it_edits_the_part(self, page: Window, qtbot: QtBot) -> None:
        qtbot.mouseClick(page.rack.strips[1].button, LEFT)
        assert page.player.chosen == 1
        qtbot.mouseClick(page.rack.strips[0], LEFT, pos=QPoint(1, 2))
        assert page.player.chosen == 0
        assert page.rack.strips[0].button.accessibleDescription() == "This part is edited."
        assert page.rack.strips[1].button.accessibleDescription() == ""
        assert page.rack.isVisible()

    def test_the_menu_of_a_strip(self, page: Window, engine: FakeEngine, reed_file: Path, qtbot: QtBot) -> None:
        def action(number: int, *path: str):  # type: ignore[no-untyped-def]
            menu = page.rack.strips[number].menu()
            for name in path[:-1]:
                menu = next(each for each in menu.actions() if each.text() == name).menu()
            return next(each for each in menu.actions() if each.text() == path[-1])

        action(1, "Preset", "Breathy").trigger()
        assert (page.player.parts[1].preset, page.player.chosen) == (2, 2)
        action(0, "Replace instrument", "Reed").trigger()
        idle(page, qtbot)
        assert page.player.parts[0].path == reed_file
        assert engine.instruments[0] == reed_file
        action(0, "Edit this part").trigger()
        assert page.player.chosen == 0
        action(0, "Remove part").trigger()
        assert page.rack.strips[0].isHidden()
        assert page.rack.count.text() == "2 of 16 parts"

    def test_the_menu_of_add_part_has_what_was_opened(self, page: Window, qtbot: QtBot) -> None:
        names = [each.text() for each in page.rack.part_menu().actions()]
        assert "Reed" in names
        assert names[-1] == "Open instrument file…"
        next(each for each in page.rack.part_menu().actions() if each.text() == "Reed").trigger()
        idle(page, qtbot)
        assert page.player.chosen == 3
        assert not page.rack.strips[3].isHidden()

    def test_levels_and_voices(self, page: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.meters = {"part_peaks": (0.0, 0.5, *(0.0,) * 14), "part_voices": (0, 7, *(0,) * 14)}
        meters = [page.rack.strips[number].meter for number in range(2)]
        qtbot.waitUntil(lambda: meters[1].voices == 7)
        assert meters[1]._level == pytest.approx(-6.02, abs=0.1)
        assert meters[0]._level == -60.0
        reads = engine.scope_reads
        qtbot.wait(60)
        assert engine.scope_reads == reads  # nobody sees the scope

    def test_tab_goes_through_every_control_and_is_seen(self, page: Window, qtbot: QtBot) -> None:
        first = page.rack.strips[0].button
        first.setFocus(Qt.FocusReason.TabFocusReason)
        visited = [first]
        wanted = [stop for number in range(3) for stop in page.rack.strips[number].stops]
        for _ in wanted[1:]:
            qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
            visited.append(QApplication.focusWidget())  # type: ignore[arg-type]
        assert visited == wanted
        for stop in wanted:
            assert stop.accessibleName()
            plain = stop.grab().toImage()
            stop.setFocus(Qt.FocusReason.OtherFocusReason)
            QApplication.sendEvent(stop, QFocusEvent(QFocusEvent.Type.FocusIn, Qt.FocusReason.TabFocusReason))
            assert stop.grab().toImage() != plain, stop.accessibleName()
            stop.clearFocus()

    def test_enter_on_a_name_edits_the_part(self, page: Window, qtbot: QtBot) -> None:
        qtbot.keyClick(page.rack.strips[1].button, Qt.Key.Key_Return)
        assert page.player.chosen == 1

    def test_learned_controllers_are_marked_on_their_part(self, page: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        page.player.teaching.learn("volume", 1)
        first, second = (page.rack.strips[number].controls["volume"] for number in (0, 1))
        qtbot.waitUntil(lambda: second.waiting)
        assert engine.waiting == (1, "volume")
        assert not first.waiting
        assert not page.knobs.knobs["volume"].waiting
        page.player.choose_part(1)
        assert page.knobs.knobs["volume"].waiting

    @pytest.mark.parametrize("size", [MINIMUM_SIZE, (1280, 800), (1920, 1080)])
    def test_columns_line_up_and_nothing_is_clipped(self, page: Window, qtbot: QtBot, size: tuple[int, int]) -> None:
        page.resize(*size)
        strips = list(page.rack.strips.values())
        volume = strips[0].controls["volume"]
        head = page.rack._head_labels["volume"]
        qtbot.waitUntil(lambda: head.mapTo(page, QPoint()).x() == volume.mapTo(page, QPoint()).x())
        qtbot.wait(20)
        for id_ in strips[0]._cells:
            edges = {(cell.x(), cell.width()) for cell in (strip._cells[id_] for strip in strips)}
            assert len(edges) == 1
        for strip in strips:
            assert_inside(strip, page.rack)
            for cell in strip._cells.values():
                if not cell.isHidden():
                    assert_inside(cell, strip)
                    assert min(cell.height(), cell.width()) >= 28 or cell is strip.meter  # for fingers
        heads = {label.text(): label for label in page.rack._head_labels.values() if not label.isHidden()}
        assert ("Keys" in heads) == (not strips[0].controls["key_low"].isHidden())


def assert_inside(widget: QWidget, outer: QWidget) -> None:
    for corner in (widget.rect().topLeft(), widget.rect().bottomRight()):
        assert outer.rect().contains(widget.mapTo(outer, corner)), widget


def test_columns_fill_any_width() -> None:
    for total in range(520, 2000, 7):
        widths = column_widths(total)
        assert sum(widths.values()) + (len(widths) - 1) * GAP == total
        for column in COLUMNS[1:]:
            if column.id in widths:
                assert column.narrowest <= widths[column.id] <= column.widest
    assert "key_low" not in column_widths(520)
    assert set(column_widths(740)) == {column.id for column in COLUMNS}


def test_a_strip_says_what_it_is_to_a_screen_reader(window: Window) -> None:
    strip = window.rack.strips[0]
    assert isinstance(strip, RackStrip)
    assert strip.button.accessibleName() == "Part 1: Test Organ, Plain"
    assert strip.controls["volume"].accessibleName() == "Part 1 volume"
    assert strip.menu_button.accessibleName() == "More about part 1"


def test_bend_and_pedal_follow_the_edited_part(three: Window, engine: FakeEngine) -> None:
    player, sent = three.player, []

    def send(kind: EventKind, index: int = 0, value: float = 0.0, *, channel: int = 0, **_: object) -> None:
        sent.append((kind, value, channel))

    engine.send = send  # type: ignore[method-assign,assignment]
    player.choose_part(1)
    player.sustain(True)
    player.bend(0.5)
    player.choose_part(0)
    player.sustain(False)  # where it went down
    player.bend(0.25)
    assert sent == [
        (EventKind.CONTROL_CHANGE, 1.0, 1), (EventKind.PITCH_BEND, 0.5, 1), (EventKind.CONTROL_CHANGE, 0.0, 1),
        (EventKind.PITCH_BEND, 0.0, 1), (EventKind.PITCH_BEND, 0.25, 0),
    ]  # fmt: skip
