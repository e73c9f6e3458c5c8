"""The window over a fake engine: every control sends what it says, and shows what the engine says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from fake_engine import FakeEngine
from make_instrument import make_test_instrument, write_test_instrument
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from noisysynth.effects import EFFECT_INDEX, EFFECTS
from noisysynth.engine.messages import AudioChoice
from noisysynth.errors import UserError
from noisysynth.events import EventKind
from noisysynth.parameters import MOD_DESTINATIONS, PARAMETER_INDEX, PARAMETERS, default_values
from noisysynth.ui import teaching
from noisysynth.ui.controls.choice import Choice
from noisysynth.ui.controls.knob import Knob
from noisysynth.ui.controls.values import format_value
from noisysynth.ui.pages import DIRECTIONS, ON_THE_PAD, pages, sections
from noisysynth.ui.window import DEFAULT_SIZE, MINIMUM_SIZE, Window

pytest_plugins = ("ui_fixtures",)

LEFT = Qt.MouseButton.LeftButton
OpenWindow = Callable[..., Window]
SOUND_PARAMETERS = [row.id for row in PARAMETERS if row.id not in (*ON_THE_PAD, *DIRECTIONS)]


def click_preset(window: Window, qtbot: QtBot, index: int) -> None:
    presets = window.presets.list
    rect = presets.visualItemRect(presets.item(index))
    qtbot.mouseClick(presets.viewport(), LEFT, pos=rect.center())


class TestKnobs:
    def test_each_knob_sends_its_own_parameter(self, window: Window, engine: FakeEngine) -> None:
        for parameter_id in [*SOUND_PARAMETERS, "knob_1", "knob_2"]:
            row = PARAMETERS[PARAMETER_INDEX[parameter_id]]
            position = 0.3 if row.from_position(0.3) != row.default else 0.8
            engine.forget()
            window.knobs.knobs[parameter_id].change_position(position)
            assert engine.parameters_set == [(parameter_id, pytest.approx(row.from_position(position)))]

    def test_the_matrix_calls_what_it_moves_as_the_knobs_do(self, window: Window, engine: FakeEngine) -> None:
        player, control = window.player, window.knobs.knobs["mod_3_destination"]
        player.set_parameter("mod_3_destination", float(MOD_DESTINATIONS.index("knob_1")))
        assert format_value(control.parameter, control.value) == f"{make_test_instrument().directions[0].name} (knob 1)"
        rate = float(MOD_DESTINATIONS.index("insert_2_1"))
        control.change_value(rate)
        assert engine.parameters_set[-1] == ("mod_3_destination", rate)
        assert format_value(control.parameter, control.value) == "Insert 2 value 1"
        player.set_parameter("insert_2", EFFECT_INDEX["chorus"] + 1.0)
        assert format_value(control.parameter, control.value) == "Insert 2 rate"
        assert control.accessibleName() == "Mod 3 destination"
        player.set_parameter("insert_2", 0.0)
        assert format_value(control.parameter, control.value) == "Insert 2 value 1"
        assert control.value == rate

    def test_every_parameter_has_a_place(self, window: Window) -> None:
        placed = [name for section in sections() for name in section.parameters] + [*DIRECTIONS, *ON_THE_PAD]
        assert sorted(placed) == sorted(row.id for row in PARAMETERS)
        assert set(window.knobs.knobs) == {row.id for row in PARAMETERS} - set(ON_THE_PAD)

    def test_direction_knobs_have_their_names_and_the_others_are_hidden(self, window: Window) -> None:
        directions = make_test_instrument().directions
        for index, parameter_id in enumerate(DIRECTIONS):
            knob = window.knobs.knobs[parameter_id]
            assert knob.isVisible() == (index < len(directions))
            if index < len(directions):
                assert knob.name == knob.accessibleName() == directions[index].name
                assert directions[index].effect in knob.toolTip()

    def test_midi_moves_the_knobs(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.engine_values["brightness"] = 4.5
        qtbot.waitUntil(lambda: window.knobs.knobs["brightness"].value == pytest.approx(4.5))
        assert engine.parameters_set == []  # what came from the engine is not sent back

    def test_a_late_echo_does_not_pull_the_knob_back(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        knob = window.knobs.knobs["brightness"]
        knob.change_value(3.0)
        engine.engine_values["brightness"] = 1.0  # what the engine still believed
        qtbot.wait(80)
        assert knob.value == 3.0

    def test_knobs_share_one_size(self, window: Window, qtbot: QtBot) -> None:
        def sizes() -> set[float]:
            return {knob.dial_rect().width() for knob in window.findChildren(Knob) if knob.isVisible()}

        for size in (MINIMUM_SIZE, (1280, 800), (1920, 1080)):
            window.resize(*size)
            qtbot.waitUntil(lambda: len(sizes()) == 1)


class TestPages:
    def test_every_page_fits_without_scrolling(self, window: Window, qtbot: QtBot) -> None:
        window.resize(*DEFAULT_SIZE)
        for page in pages():
            window.knobs.turn_to(page.title)
            qtbot.wait(20)
            view = window.knobs.stack.currentWidget()
            assert view.verticalScrollBar().maximum() == 0, page.title
            for section in page.sections:
                for control in (window.knobs.knobs[name] for name in section.parameters):
                    if not control.isHidden():
                        corner = control.mapTo(view, control.rect().bottomRight())
                        assert view.rect().contains(corner), control.name
                        assert control.width() >= control.minimumWidth(), control.name

    def test_the_smallest_window_scrolls_down_but_never_sideways(self, window: Window, qtbot: QtBot) -> None:
        window.resize(*MINIMUM_SIZE)
        for page in pages():
            window.knobs.turn_to(page.title)
            qtbot.wait(20)
            view = window.knobs.stack.currentWidget()
            assert view.widget().width() == view.viewport().width(), page.title
            assert view.widget().minimumSizeHint().width() <= view.viewport().width(), page.title

    def test_tabs_turn_the_pages(self, window: Window, qtbot: QtBot) -> None:
        tabs = window.knobs.tabs
        assert window.knobs.knobs["brightness"].isVisible()
        qtbot.mouseClick(tabs, LEFT, pos=tabs.tabRect(4).center())
        assert window.knobs.knobs["mod_12_via"].isVisible()
        assert not window.knobs.knobs["brightness"].isVisible()

    def test_choices_are_lists_and_numbers_are_knobs(self, window: Window) -> None:
        knobs = window.knobs.knobs
        assert all(isinstance(knobs[name], Choice) for name in ("filter_mode", "lfo_1_sync", "mod_1_destination"))
        assert all(isinstance(knobs[name], Knob) for name in ("unison", "transpose", "key_low"))
        assert knobs["mod_3_source"].accessibleName() == "Mod 3 source"


class TestInserts:
    def test_an_effect_names_its_knobs_and_hides_what_it_lacks(self, window: Window, engine: FakeEngine) -> None:
        window.knobs.turn_to("Effects")
        knobs = window.knobs.knobs
        assert not any(knobs[f"insert_1_{i}"].isVisible() for i in range(1, 7))
        for kind, effect in enumerate(EFFECTS, 1):
            knobs["insert_1"].change_value(kind)
            seen = [knobs[f"insert_1_{i}"] for i in range(1, 7) if knobs[f"insert_1_{i}"].isVisible()]
            assert [knob.name for knob in seen] == [row.label for row in effect.parameters]
            for knob, row in zip(seen, effect.parameters, strict=True):
                assert knob.value_text() == format_value(row, row.default)  # what the effect begins with
                assert row.help in knob.toolTip()
        assert not any(knobs[f"insert_2_{i}"].isVisible() for i in range(1, 7))

    def test_its_knobs_send_positions_and_show_what_comes_back(
        self, window: Window, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        knobs = window.knobs.knobs
        knobs["insert_2"].change_value(1 + EFFECT_INDEX["drive"])
        engine.forget()
        tone = EFFECTS[EFFECT_INDEX["drive"]].parameters[1]
        knobs["insert_2_2"].take_text("3 kHz")
        assert engine.parameters_set == [("insert_2_2", pytest.approx(tone.to_position(3000.0)))]
        qtbot.wait(400)  # until echoes are believed again
        engine.engine_values["insert_2_2"] = 1.0
        qtbot.waitUntil(lambda: knobs["insert_2_2"].value == pytest.approx(tone.maximum))

    def test_a_restarted_engine_gets_the_values_after_the_effect(
        self, window: Window, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        window.knobs.knobs["insert_1"].change_value(2)
        window.player.set_parameter("insert_1_1", 0.9)
        engine.forget()
        window.player.restart()
        qtbot.waitUntil(lambda: window.player.running)
        sent = [name for name, _ in engine.parameters_set]
        assert sent.index("insert_1") < sent.index("insert_1_1")
        assert dict(engine.parameters_set)["insert_1_1"] == pytest.approx(0.9)
        assert window.player.values["insert_1_1"] == pytest.approx(0.9)


class TestMidiLearn:
    def pick(self, window: Window, parameter_id: str, text: str) -> None:
        menu = window.knobs.menu(parameter_id)
        next(action for action in menu.actions() if text in action.text()).trigger()

    def test_learn_shows_what_waits_and_what_it_got(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        cutoff = window.knobs.knobs["filter_cutoff"]
        self.pick(window, "filter_cutoff", "Learn")
        qtbot.waitUntil(lambda: cutoff.waiting)
        qtbot.waitUntil(lambda: "Cutoff" in window.status_line.notice.text)
        engine.waiting, engine.bindings = None, {(0, 71): (0, "filter_cutoff")}
        qtbot.waitUntil(lambda: "controller 71" in cutoff.moved_by)
        assert not cutoff.waiting
        assert "Cutoff is moved by controller 71" in window.status_line.notice.text
        self.pick(window, "filter_cutoff", "Forget")
        qtbot.waitUntil(lambda: not cutoff.moved_by)

    def test_what_was_learned_is_there_at_the_next_start(
        self, open_window: OpenWindow, engine: FakeEngine, session_file: Path, qtbot: QtBot
    ) -> None:
        window = open_window()
        bindings = {(0, 71): (0, "filter_cutoff"), (3, 20): (2, "pan"), (0, 7): (0, "master_volume")}
        engine.bindings = dict(bindings)
        qtbot.waitUntil(lambda: len(window.player.teaching.taught) == 3)
        window.close()
        data = json.loads(session_file.read_text())
        assert data["controllers"] == [[0, 7, 0, "master_volume"], [0, 71, 0, "filter_cutoff"], [3, 20, 2, "pan"]]
        bad = [[0, 64, 0, "pan"], [16, 1, 0, "pan"], [0, 1, 0, "pam"], [0, 1, 99, "pan"], [True, 1, 0, "pan"], 7, []]
        data["controllers"] += bad  # as somebody else's hand might
        session_file.write_text(json.dumps(data))

        engine.bindings = {}
        again = open_window()
        qtbot.waitUntil(lambda: engine.bindings == bindings)
        cutoff = again.knobs.knobs["filter_cutoff"]
        qtbot.waitUntil(lambda: "controller 71" in cutoff.moved_by)
        assert not any("is moved by" in line for line in again.status_line.lines), "nothing new"
        self.pick(again, "filter_cutoff", "Forget")
        qtbot.waitUntil(lambda: not cutoff.moved_by)
        assert (0, 71) not in again.player.teaching.bindings

    def test_another_engine_is_taught_what_the_last_one_knew(
        self, window: Window, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        engine.bindings = {(0, 71): (0, "filter_cutoff")}
        qtbot.waitUntil(lambda: bool(window.player.teaching.taught))
        fresh = FakeEngine()
        window.player._client_factory = lambda: fresh
        window.player.restart()
        qtbot.waitUntil(lambda: fresh.bindings == {(0, 71): (0, "filter_cutoff")})

    def test_an_engine_that_does_not_listen_is_reminded(
        self, window: Window, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(teaching, "REMIND_S", 0.2)
        monkeypatch.setattr(engine, "bind_controller", unheard := MagicMock(side_effect=UserError("it has just died")))
        window.player.teaching.remember({(0, 71): (0, "filter_cutoff")})
        qtbot.waitUntil(lambda: unheard.call_count > 1)
        monkeypatch.undo()
        qtbot.waitUntil(lambda: engine.bindings == {(0, 71): (0, "filter_cutoff")})

    def test_waiting_can_be_stopped(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        self.pick(window, "mod_1_source", "Learn")
        qtbot.waitUntil(lambda: window.player.teaching.waiting == (0, "mod_1_source"))
        self.pick(window, "mod_1_source", "Stop")
        qtbot.waitUntil(lambda: window.player.teaching.waiting is None)
        assert engine.waiting is None

    def test_a_right_click_opens_the_menu(self, window: Window, qtbot: QtBot) -> None:
        knob = window.knobs.knobs["volume"]
        place = knob.rect().center()
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, knob.mapToGlobal(place))
        QApplication.sendEvent(knob, event)
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        assert any("Learn" in action.text() for action in menu.actions())
        menu.close()


class TestPerformance:
    def test_bend_and_modulation(self, window: Window, engine: FakeEngine) -> None:
        window.keyboard.bend.change_value(0.5)
        window.keyboard.bend.let_go()
        window.keyboard.modulation.change_value(0.75)
        assert engine.of_kind(EventKind.PITCH_BEND) == [(0, 0.5), (0, 0.0)]
        assert engine.of_kind(EventKind.CONTROL_CHANGE) == [(1, 0.75)]

    def test_the_on_screen_keyboard_plays(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        keys = window.keyboard.keys
        place = keys.key_rect(60).bottomLeft().toPoint() + QPoint(4, -6)
        qtbot.mousePress(keys, LEFT, pos=place)
        assert 60 in keys._held
        qtbot.mouseRelease(keys, LEFT, pos=place)
        ((pitch, velocity),) = engine.of_kind(EventKind.NOTE_ON)
        assert pitch == 60
        assert velocity > 0.9
        assert engine.of_kind(EventKind.NOTE_OFF) == [(60, 0.0)]

    def test_octave_buttons_move_keys_and_range(self, window: Window, qtbot: QtBot) -> None:
        lowest = window.keyboard.keys.lowest
        qtbot.mouseClick(window.keyboard.octave.down, LEFT)
        assert window.computer.base == 48
        assert window.keyboard.keys.lowest == lowest - 12

    @pytest.mark.parametrize("size", [MINIMUM_SIZE, (1280, 800), (1920, 1080)])
    def test_all_letters_are_on_the_keys_shown(self, window: Window, qtbot: QtBot, size: tuple[int, int]) -> None:
        window.resize(*size)
        keys, letters = window.keyboard.keys, window.computer.letters()
        qtbot.waitUntil(lambda: keys.lowest <= min(letters) and max(letters) <= keys.highest)

    def test_panic_button(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        window.player.notes.press("test", 60, 0.5)
        qtbot.mouseClick(window.top.panic, LEFT)
        assert len(engine.of_kind(EventKind.PANIC)) == 1
        assert not window.player.notes.notes


class TestPresets:
    def test_click_sets_latent_and_parameters_and_is_heard(
        self, window: Window, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        instrument = make_test_instrument()
        window.knobs.knobs["brightness"].change_value(-9.0)
        window.knobs.knobs["volume"].change_value(-20.0)
        engine.forget()
        click_preset(window, qtbot, 2)
        preset = instrument.presets[2]
        values = dict(engine.parameters_set)
        heard = engine.latents[-1] + values["pad_x"] * instrument.pad_axes[0] + values["pad_y"] * instrument.pad_axes[1]
        np.testing.assert_allclose(heard, preset.latent, atol=1e-6)
        defaults = default_values()
        for parameter_id, value in values.items():
            if parameter_id not in ON_THE_PAD:
                assert value == pytest.approx(preset.parameters.get(parameter_id, defaults[parameter_id]))
        assert values["brightness"] == 0.0  # the last preset's colour is gone
        assert "volume" not in values  # but not how loud the player wants it
        assert len(engine.of_kind(EventKind.NOTE_ON)) == 1
        qtbot.waitUntil(lambda: len(engine.of_kind(EventKind.NOTE_OFF)) == 1, timeout=3000)
        assert window.top.preset.name == preset.name

    def test_the_rack_and_the_mix_are_kept(self, window: Window) -> None:
        kept = {"tempo": 90.0, "reverb_decay": 4.0, "send_reverb": -6.0, "channel": 3.0}
        for parameter_id, value in kept.items():
            window.player.set_parameter(parameter_id, value)
        window.player.set_parameter("filter_mode", 1.0)
        window.player.select_preset(1)
        assert {name: window.player.values[name] for name in kept} == kept
        assert window.player.values["filter_mode"] == 0.0

    def test_a_program_change_selects_here_too(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.chosen_preset = (2, 1)
        qtbot.waitUntil(lambda: window.player.preset == 2)
        assert window.top.preset.name == make_test_instrument().presets[2].name
        window.player.select_preset(0)
        engine.chosen_preset = (2, 2)  # the same once more
        qtbot.waitUntil(lambda: window.player.preset == 2)
        engine.chosen_preset = (99, 3)  # no such preset
        qtbot.wait(60)
        assert window.player.preset == 2

    def test_no_audition_while_playing(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        window.player.notes.press("test", 72, 0.5)
        engine.forget()
        click_preset(window, qtbot, 1)
        assert engine.of_kind(EventKind.NOTE_ON) == []
        assert engine.latents

    def test_next_and_previous_go_around(self, window: Window, qtbot: QtBot) -> None:
        names = [preset.name for preset in make_test_instrument().presets]
        qtbot.mouseClick(window.top.previous, LEFT)
        assert window.player.preset_name == names[-1]
        qtbot.mouseClick(window.top.next, LEFT)
        assert window.player.preset_name == names[0]
        assert window.presets.list.currentRow() == 0

    def test_search_by_name_and_tag(self, window: Window, qtbot: QtBot) -> None:
        panel = window.presets
        assert panel.shown() == [0, 1, 2]
        panel.search.setText("BREATH")
        assert panel.shown() == [2]
        panel.search.setText("keys")
        assert panel.shown() == [0, 1]
        panel.search.setText("keys bright")
        assert panel.shown() == [1]
        panel.search.setText("tuba")
        assert panel.shown() == []
        assert panel._nothing.isVisible()
        qtbot.keyClick(panel.search, Qt.Key.Key_Escape)
        assert panel.shown() == [0, 1, 2]

    def test_tag_chips(self, window: Window) -> None:
        panel = window.presets
        assert set(panel.chips) == {"keys", "bright", "wind"}
        panel.chips["keys"].setChecked(True)
        assert panel.shown() == [0, 1]
        panel.chips["bright"].setChecked(True)
        assert panel.shown() == [1]

    def test_enter_in_the_search_takes_the_first(self, window: Window, qtbot: QtBot) -> None:
        window.presets.search.setText("breath")
        qtbot.keyClick(window.presets.search, Qt.Key.Key_Return)
        assert window.player.preset == 2


class TestPad:
    def test_dragging_sends_place_and_blend(self, window: Window, engine: FakeEngine) -> None:
        window.morph.pad.change_position(0.5, -0.25)
        assert dict(engine.parameters_set) == {"pad_x": 0.5, "pad_y": -0.25}
        assert len(engine.latents) == 1

    def test_dragging_onto_a_point_sounds_like_its_preset(self, window: Window, engine: FakeEngine) -> None:
        instrument = make_test_instrument()
        point = instrument.pad_points[1]
        window.morph.pad.change_position(point.x, point.y)
        heard = engine.latents[-1] + point.x * instrument.pad_axes[0] + point.y * instrument.pad_axes[1]
        np.testing.assert_allclose(heard, instrument.presets[1].latent, atol=1e-6)

    def test_midi_moves_the_point_and_the_blend(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.engine_values["pad_x"] = -0.5
        qtbot.waitUntil(lambda: window.morph.pad.x_value == pytest.approx(-0.5))
        assert engine.latents
        assert engine.parameters_set == []

    @pytest.mark.parametrize("by", ["preset", "MIDI"])
    def test_the_trail_has_no_place_where_the_point_never_was(
        self, window: Window, engine: FakeEngine, qtbot: QtBot, by: str
    ) -> None:
        pad = window.morph.pad
        pad.change_position(-0.75, -0.75)
        qtbot.wait(400)  # until echoes are believed again
        pad._trail.clear()
        if by == "MIDI":
            engine.engine_values |= {"pad_x": 0.5, "pad_y": 0.25}
        else:
            window.player.select_preset(1)
        qtbot.waitUntil(lambda: bool(pad._trail))
        assert [place[1:] for place in pad._trail] == [(-0.75, -0.75)]
        assert pad._fade.isActive()


class TestEngineState:
    def test_readouts(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.meters = {"voices": 7, "load": 0.42, "output_latency_s": 0.0123, "underruns": 3}
        qtbot.waitUntil(lambda: window.top.voices.text == "7")
        assert window.top.load.text == "42 %"
        assert window.top.latency.text == "12.3 ms"
        assert window.top.dropouts.text == "3"
        assert window.top.dropouts._alarm
        engine.meters["underruns"] = 0  # another stream was opened
        qtbot.waitUntil(lambda: window.top.dropouts.text == "0")
        assert not window.top.dropouts._alarm

    def test_without_a_sound_device_the_window_opens_and_says_so(
        self, engine: FakeEngine, open_window: OpenWindow, qtbot: QtBot
    ) -> None:
        engine.sound = False
        engine.pending_notices = ["no sound device found; connect one"]
        window = open_window()
        qtbot.waitUntil(lambda: window.top.latency.text == "off")
        assert window.status_line.notice.text == "no sound device found; connect one"
        window.player.notes.press("test", 60, 0.5)
        assert 60 in window.keyboard.keys._held

    def test_a_failed_start_is_told_and_can_be_repeated(
        self, engine: FakeEngine, open_window: OpenWindow, qtbot: QtBot
    ) -> None:
        engine.refuse = "the engine does not come up"
        window = open_window(ready=False)
        qtbot.waitUntil(lambda: window.status_line.notice.text == "the engine does not come up")
        assert window.status_line.restart.isVisible()
        window.player.notes.press("test", 60, 0.5)  # nothing to hear, nothing to fear
        qtbot.mouseClick(window.status_line.restart, LEFT)
        qtbot.waitUntil(lambda: window.player.running)
        assert not window.status_line.restart.isVisible()

    def test_a_dead_engine_is_noticed_and_restarted_with_our_settings(
        self, window: Window, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        window.knobs.knobs["attack"].change_value(2.0)
        engine.meters = {"alive": False}
        qtbot.waitUntil(lambda: not window.player.running)
        assert window.status_line.restart.isVisible()
        engine.meters = {}
        engine.forget()
        qtbot.mouseClick(window.status_line.restart, LEFT)
        qtbot.waitUntil(lambda: window.player.running)
        assert ("attack", 2.0) in engine.parameters_set
        assert engine.latents

    def test_notices_reach_the_status_line(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.pending_notices = ["MIDI input 'Keystation' is gone"]
        qtbot.waitUntil(lambda: window.status_line.notice.text == "MIDI input 'Keystation' is gone")

    def test_hidden_and_minimised_windows_do_not_poll(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        assert window.polling
        window.showMinimized()
        qtbot.waitUntil(lambda: not window.polling)
        window.showNormal()
        qtbot.waitUntil(lambda: window.polling)
        window.hide()
        assert not window.polling
        before = engine.scope_reads
        qtbot.wait(100)
        assert engine.scope_reads == before
        window.show()
        assert window.polling

    def test_the_engine_is_stopped_at_the_end(self, window: Window, engine: FakeEngine) -> None:
        window.close()
        assert engine.stopped == 1
        window.close()
        assert engine.stopped == 1


class TestInstrument:
    def test_opening_another(self, window: Window, engine: FakeEngine, tmp_path: Path, qtbot: QtBot) -> None:
        other = write_test_instrument(tmp_path / "Other.noisy", name="Other", directions=())
        window.player.open_instrument(other)
        qtbot.waitUntil(lambda: window.top.instrument.name == "Other")
        assert engine.instrument == other
        assert window.windowTitle().startswith("Other")
        assert not window.knobs.directions.isVisible()

    @pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 torn"])
    def test_a_broken_file_is_one_line_and_no_change(
        self, window: Window, engine: FakeEngine, tmp_path: Path, qtbot: QtBot, content: bytes
    ) -> None:
        broken = tmp_path / "Broken.noisy"
        broken.write_bytes(content)
        before = engine.instrument
        window.player.open_instrument(broken)
        qtbot.waitUntil(lambda: "Broken.noisy" in window.status_line.notice.text)
        assert "\n" not in window.status_line.notice.text
        assert engine.instrument == before
        assert window.top.instrument.name == "Test Organ"

    def test_an_engine_that_refuses_changes_nothing(
        self, window: Window, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
    ) -> None:
        other = write_test_instrument(tmp_path / "Other.noisy", name="Other")
        engine.refuse = "the control network cannot run here"
        window.player.open_instrument(other)
        qtbot.waitUntil(lambda: window.status_line.notice.text == "the control network cannot run here")
        assert window.top.instrument.name == "Test Organ"


class TestAudioDialog:
    @pytest.fixture
    def dialog(self, window: Window, qtbot: QtBot):  # type: ignore[no-untyped-def]
        qtbot.mouseClick(window.top.settings, LEFT)
        qtbot.waitUntil(lambda: window.settings.isVisible() and bool(window.settings.inputs))
        return window.settings

    def test_lists_what_there_is(self, dialog, engine: FakeEngine, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
        assert dialog.host.count() == 3
        assert dialog.device.count() == 3
        assert set(dialog.inputs) == set(engine.inputs)
        # Until the first reading of the meters there is a dash.
        qtbot.waitUntil(lambda: "10.7 ms" in dialog.latency.text())

    def test_a_host_named_in_part_is_shown(self, dialog, window: Window, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
        window.player.audio = AudioChoice(device="system", host_api="JACK")
        dialog.refresh()
        qtbot.waitUntil(lambda: dialog.host.currentText() == "JACK Audio Connection Kit")
        qtbot.waitUntil(lambda: dialog.device.currentText() == "system")

    def test_choosing_opens(self, dialog, engine: FakeEngine, window: Window, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
        dialog.block.setCurrentIndex(dialog.block.findData(256))
        dialog.block.activated.emit(dialog.block.currentIndex())
        qtbot.waitUntil(lambda: engine.audio.block_size == 256)
        dialog.device.setCurrentIndex(1)
        dialog.device.activated.emit(1)
        qtbot.waitUntil(lambda: engine.audio.device == engine.devices[0].name)
        assert engine.audio.host_api == engine.devices[0].host_api
        qtbot.waitUntil(lambda: window.player.audio == engine.audio)

    def test_a_refusal_is_told_there_and_the_choice_goes_back(
        self, dialog, engine: FakeEngine, window: Window, qtbot: QtBot
    ) -> None:  # type: ignore[no-untyped-def]
        engine.refuse = "the device is busy; close the program that uses it"
        before = window.player.audio
        dialog.block.setCurrentIndex(dialog.block.findData(32))
        dialog.block.activated.emit(dialog.block.currentIndex())
        qtbot.waitUntil(lambda: dialog.error.text() == "the device is busy; close the program that uses it")
        assert dialog.block.currentData() == before.block_size
        assert window.player.audio == before

    def test_midi_inputs_are_switched(self, dialog, engine: FakeEngine, window: Window, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
        name = "nanoKONTROL2"
        dialog.inputs[name].click()
        qtbot.waitUntil(lambda: not engine.inputs[name])
        qtbot.waitUntil(lambda: window.player.muted_midi_inputs == {name})
        engine.refuse = "the port is gone"
        dialog.inputs[name].click()
        qtbot.waitUntil(lambda: dialog.error.text() == "the port is gone")
        assert not dialog.inputs[name].isChecked()

    def test_nothing_to_choose_from(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        engine.devices, engine.inputs = [], {}
        window.settings.show()
        qtbot.waitUntil(lambda: "no sound device" in window.settings.error.text())
        assert not window.settings.inputs


def test_hover_tells_the_value(window: Window) -> None:
    knob = window.knobs.knobs["attack"]
    knob.hinted.emit(knob.hint())
    assert "Attack: 1.00" in window.status_line.hint.text
    QApplication.sendEvent(knob, QEvent(QEvent.Type.Leave))
    assert "octave" in window.status_line.hint.text


def test_nothing_is_clipped_at_the_smallest_size(window: Window, qtbot: QtBot) -> None:
    window.resize(*MINIMUM_SIZE)
    qtbot.wait(50)
    assert (window.width(), window.height()) == MINIMUM_SIZE
    for widget in (
        window.top.panic, window.top.settings, window.top.meter, window.top.dropouts, window.presets,
        window.morph.pad, window.morph.scope, window.keyboard.keys, window.keyboard.velocity.up, window.status_line,
        *(knob for knob in window.knobs.knobs.values() if knob.isVisible()),
    ):  # fmt: skip
        corner = widget.mapTo(window, widget.rect().bottomRight())
        assert window.rect().contains(widget.mapTo(window, QPoint(0, 0))), widget
        assert window.rect().contains(corner), widget
        minimum = widget.minimumSizeHint().boundedTo(widget.maximumSize())
        assert widget.width() >= minimum.width(), widget
        assert widget.height() >= minimum.height(), widget
