"""Each control alone: what its gestures say."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS, Parameter
from noisysynth.ui.controls.bar import Bar
from noisysynth.ui.controls.base import DRAG_TRAVEL_PX, KEY_STEP, WHEEL_STEP
from noisysynth.ui.controls.choice import Choice, ChoiceList
from noisysynth.ui.controls.keyboard import LOUDEST, SOFTEST, Keyboard
from noisysynth.ui.controls.knob import Knob
from noisysynth.ui.controls.meter import Meter, level_db
from noisysynth.ui.controls.pad import NamedPoint, Pad
from noisysynth.ui.controls.scope import WINDOW, Scope, trigger_start
from noisysynth.ui.controls.values import counts, note_name
from noisysynth.ui.controls.wheel import Wheel
from noisysynth.ui.keyboard_panel import BEND, MODULATION

pytest_plugins = ("ui_fixtures",)

LEFT, NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
PLAIN, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
VOLUME = PARAMETERS[PARAMETER_INDEX["volume"]]


def mouse(widget: QWidget, kind: QEvent.Type, x: float, y: float, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    """One mouse event with sub-pixel places; QTest's moves carry no buttons."""
    position = QPointF(x, y)
    held = LEFT if kind == QEvent.Type.MouseMove else NO_BUTTON
    button = NO_BUTTON if kind == QEvent.Type.MouseMove else LEFT
    event = QMouseEvent(kind, position, widget.mapToGlobal(position), button, held or button, modifiers)
    QApplication.sendEvent(widget, event)


def press(widget: QWidget, x: float, y: float, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    mouse(widget, QEvent.Type.MouseButtonPress, x, y, modifiers)


def move(widget: QWidget, x: float, y: float, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    mouse(widget, QEvent.Type.MouseMove, x, y, modifiers)


def release(widget: QWidget, x: float, y: float) -> None:
    mouse(widget, QEvent.Type.MouseButtonRelease, x, y)


def turn_wheel(widget: QWidget, notches: float, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    position = QPointF(widget.width() / 2, widget.height() / 2)
    event = QWheelEvent(
        position, widget.mapToGlobal(position), QPoint(), QPoint(0, round(notches * 120)), NO_BUTTON, modifiers,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def shown(qtbot: QtBot, widget: QWidget, width: int, height: int) -> list[object]:
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()
    qtbot.waitExposed(widget)
    return []


@pytest.fixture
def knob(qtbot: QtBot) -> Knob:
    knob = Knob(VOLUME)
    shown(qtbot, knob, 80, 100)
    return knob


class TestKnob:
    def test_drag_up_raises_and_tells(self, knob: Knob, qtbot: QtBot) -> None:
        start = knob.position
        with qtbot.waitSignal(knob.value_changed) as told:
            press(knob, 40, 50)
            move(knob, 40, 50 - DRAG_TRAVEL_PX / 10)
        assert knob.position == pytest.approx(start + 0.1)
        assert told.args == [knob.value]

    def test_shift_is_ten_times_finer_and_does_not_jump(self, knob: Knob) -> None:
        start = knob.position
        press(knob, 40, 50)
        move(knob, 40, 30)
        move(knob, 40, 10, SHIFT)
        release(knob, 40, 10)
        assert knob.position == pytest.approx(start + 20 / DRAG_TRAVEL_PX + 2 / DRAG_TRAVEL_PX)

    def test_overshoot_comes_back_at_once_only_after_it_was_undone(self, knob: Knob) -> None:
        press(knob, 40, 50)
        move(knob, 40, -1000)
        assert knob.value == VOLUME.maximum
        move(knob, 40, -990)
        assert knob.value == VOLUME.maximum

    def test_wheel(self, knob: Knob) -> None:
        start = knob.position
        turn_wheel(knob, 1)
        assert knob.position == pytest.approx(start + WHEEL_STEP)
        turn_wheel(knob, -1, SHIFT)
        assert knob.position == pytest.approx(start + 0.9 * WHEEL_STEP)

    def test_double_click_on_the_dial_is_the_default(self, knob: Knob) -> None:
        knob.set_value(3.0)
        centre = knob.dial_rect().center()
        mouse(knob, QEvent.Type.MouseButtonDblClick, centre.x(), centre.y())
        assert knob.value == VOLUME.default

    @pytest.mark.parametrize("way", ["double click", "enter"])
    def test_typed_value(self, knob: Knob, qtbot: QtBot, way: str) -> None:
        if way == "enter":
            qtbot.keyClick(knob, Qt.Key.Key_Return)
        else:
            centre = knob.editor_rect().center()
            mouse(knob, QEvent.Type.MouseButtonDblClick, centre.x(), centre.y())
        editor = knob._editor
        assert editor is not None
        editor.setText("-12.5 dB")
        qtbot.keyClick(editor, Qt.Key.Key_Return)
        assert knob.value == pytest.approx(-12.5)
        assert knob._editor is None

    def test_typed_nonsense_keeps_the_field_open_and_the_value(self, knob: Knob, qtbot: QtBot) -> None:
        knob.begin_edit()
        editor = knob._editor
        assert editor is not None
        editor.setText("3 Hz")
        qtbot.keyClick(editor, Qt.Key.Key_Return)
        assert knob._editor is editor
        assert "Hz" in editor.toolTip() or "hz" in editor.toolTip()
        qtbot.keyClick(editor, Qt.Key.Key_Escape)
        assert knob._editor is None
        assert knob.value == VOLUME.default

    def test_keys(self, knob: Knob, qtbot: QtBot) -> None:
        start = knob.position
        qtbot.keyClick(knob, Qt.Key.Key_Up)
        assert knob.position == pytest.approx(start + KEY_STEP)
        qtbot.keyClick(knob, Qt.Key.Key_Left, SHIFT)
        assert knob.position == pytest.approx(start + 0.9 * KEY_STEP)
        qtbot.keyClick(knob, Qt.Key.Key_Home)
        assert knob.value == VOLUME.minimum
        qtbot.keyClick(knob, Qt.Key.Key_End)
        assert knob.value == VOLUME.maximum
        qtbot.keyClick(knob, Qt.Key.Key_Delete)
        assert knob.value == VOLUME.default

    def test_a_value_from_elsewhere_is_shown_but_not_told(self, knob: Knob, qtbot: QtBot) -> None:
        with qtbot.assertNotEmitted(knob.value_changed):
            knob.set_value(-20.0)
        assert knob.value == -20.0

    def test_a_screen_reader_hears_name_and_value(self, knob: Knob) -> None:
        knob.setFocus()
        knob.set_value(-20.0)
        knob.describe()
        assert knob.accessibleName() == "Volume"
        assert "20.0 dB" in knob.accessibleDescription()
        assert "dB" in knob.toolTip()


def test_a_knob_of_whole_numbers_goes_from_one_to_the_next(qtbot: QtBot) -> None:
    knob = Knob(PARAMETERS[PARAMETER_INDEX["unison"]])
    shown(qtbot, knob, 80, 100)
    qtbot.keyClick(knob, Qt.Key.Key_Up, SHIFT)
    assert knob.value == 2.0
    for _ in range(4):
        turn_wheel(knob, 0.25)  # a touchpad
    assert knob.value == 3.0
    knob.take_text("5 voices")
    assert knob.value == 5.0


def test_marks_of_midi_learn(qtbot: QtBot) -> None:
    knob = Knob(VOLUME)
    shown(qtbot, knob, 80, 100)
    plain = knob.grab().toImage()
    knob.set_learned("", waiting=True)
    waiting = knob.grab().toImage()
    knob.set_learned("controller 20 of MIDI channel 1", waiting=False)
    bound = knob.grab().toImage()
    assert "controller 20 of MIDI channel 1" in knob.toolTip()
    assert plain != waiting != bound != plain
    knob.set_learned("", waiting=False)
    assert knob.grab().toImage() == plain


class TestChoice:
    SHAPE = PARAMETERS[PARAMETER_INDEX["lfo_1_shape"]]

    @pytest.fixture(params=[False, True], ids=["named", "bare"])
    def choice(self, qtbot: QtBot, request: pytest.FixtureRequest) -> Choice:
        choice = Choice(self.SHAPE, bare=request.param)
        shown(qtbot, choice, 96, 24 if request.param else 100)
        return choice

    @staticmethod
    def click(choice: Choice) -> ChoiceList:
        place = choice.pill_rect().center()
        press(choice, place.x(), place.y())
        release(choice, place.x(), place.y())
        assert choice.list is not None
        return choice.list

    def test_a_click_opens_the_list_and_another_chooses(self, choice: Choice, qtbot: QtBot) -> None:
        opened = self.click(choice)
        assert [opened.list.item(i).text() for i in range(opened.list.count())] == list(self.SHAPE.choices)
        assert opened.list.currentRow() == 0
        with qtbot.waitSignal(choice.value_changed) as told:
            rect = opened.list.visualItemRect(opened.list.item(4))
            qtbot.mouseClick(opened.list.viewport(), LEFT, pos=rect.center())
        assert told.args == [4.0]
        assert choice.value_text() == "Square"
        qtbot.waitUntil(lambda: choice.list is None)

    def test_keys_in_the_list(self, choice: Choice, qtbot: QtBot) -> None:
        qtbot.keyClick(choice, Qt.Key.Key_Return)
        assert choice.list is not None
        qtbot.keyClick(choice.list.list, Qt.Key.Key_Down)
        qtbot.keyClick(choice.list.list, Qt.Key.Key_Return)
        assert choice.value == 1.0
        qtbot.waitUntil(lambda: choice.list is None)
        qtbot.keyClick(choice, Qt.Key.Key_Return)
        qtbot.keyClick(choice.list.list, Qt.Key.Key_D)  # Drift: typing finds
        assert choice.list.list.currentItem().text() == "Drift"
        qtbot.keyClick(choice.list.list, Qt.Key.Key_Escape)
        assert choice.value == 1.0
        qtbot.waitUntil(lambda: choice.list is None)

    def test_it_turns_like_a_knob(self, choice: Choice, qtbot: QtBot) -> None:
        turn_wheel(choice, 1)
        assert choice.value == 1.0
        qtbot.keyClick(choice, Qt.Key.Key_Up)
        assert choice.value == 2.0
        qtbot.keyClick(choice, Qt.Key.Key_End)
        assert choice.value == self.SHAPE.maximum
        qtbot.keyClick(choice, Qt.Key.Key_Delete)
        assert choice.value == self.SHAPE.default
        place = choice.pill_rect().center()
        press(choice, place.x(), place.y())
        move(choice, place.x(), place.y() - DRAG_TRAVEL_PX / 2 - 1)
        release(choice, place.x(), place.y() - DRAG_TRAVEL_PX / 2 - 1)
        assert choice.value == 3.0
        assert choice.list is None, "a drag is no click"

    def test_double_click_is_the_default(self, choice: Choice, qtbot: QtBot) -> None:
        choice.set_value(3.0)
        opened = self.click(choice)
        inside = opened.mapFromGlobal(choice.mapToGlobal(choice.pill_rect().center()))
        mouse(opened, QEvent.Type.MouseButtonPress, inside.x(), inside.y())  # the second click lands on the popup
        assert choice.value == self.SHAPE.default
        qtbot.waitUntil(lambda: choice.list is None)

    def test_a_click_outside_closes_without_a_choice(self, choice: Choice, qtbot: QtBot) -> None:
        choice.set_value(3.0)
        opened = self.click(choice)
        mouse(opened, QEvent.Type.MouseButtonPress, opened.width() + 300, opened.height() + 300)
        qtbot.waitUntil(lambda: choice.list is None)
        assert choice.value == 3.0

    def test_a_screen_reader_hears_name_and_choice(self, choice: Choice) -> None:
        choice.set_value(6.0)
        choice.describe()
        assert choice.accessibleName() == "LFO 1 shape"
        assert choice.accessibleDescription().startswith("Drift")
        assert "Sine, Triangle" in choice.toolTip()


class TestBar:
    @pytest.fixture
    def bar(self, qtbot: QtBot) -> Bar:
        bar = Bar(PARAMETERS[PARAMETER_INDEX["mod_1_amount"]])
        shown(qtbot, bar, 90, 24)
        return bar

    def test_drag_along_it(self, bar: Bar) -> None:
        press(bar, 10, 10)
        move(bar, 10 + DRAG_TRAVEL_PX / 4, 10)
        release(bar, 60, 10)
        assert bar.value == pytest.approx(0.5)

    def test_double_click_and_typing(self, bar: Bar, qtbot: QtBot) -> None:
        bar.set_value(0.5)
        mouse(bar, QEvent.Type.MouseButtonDblClick, 20, 10)
        assert bar.value == 0.0
        qtbot.keyClick(bar, Qt.Key.Key_Return)
        assert bar._editor is not None
        bar._editor.setText("-25 %")
        qtbot.keyClick(bar._editor, Qt.Key.Key_Return)
        assert bar.value == -0.25


class TestPad:
    @pytest.fixture
    def pad(self, qtbot: QtBot) -> Pad:
        pad = Pad()
        shown(qtbot, pad, 448, 348)
        pad.set_points([NamedPoint("Left", -0.5, 0.0), NamedPoint("Top", 0.0, 0.8)])
        return pad

    def test_drag_follows_the_pointer(self, pad: Pad) -> None:
        told: list[tuple[float, float]] = []
        pad.moved.connect(lambda x, y: told.append((x, y)))
        start, end = pad.to_pixel(0.4, 0.4), pad.to_pixel(-0.25, -0.5)
        press(pad, start.x(), start.y())
        move(pad, end.x(), end.y())
        release(pad, end.x(), end.y())
        assert told[0] == pytest.approx((0.4, 0.4), abs=1e-6)
        assert told[-1] == pytest.approx((-0.25, -0.5), abs=1e-6)

    def test_dragging_outside_stops_at_the_edge(self, pad: Pad) -> None:
        press(pad, 200, 100)
        move(pad, 5000, -5000)
        assert (pad.x_value, pad.y_value) == (1.0, 1.0)

    def test_fine_drag_is_relative(self, pad: Pad) -> None:
        pad.set_position(0.1, 0.1)
        press(pad, 100, 200, SHIFT)
        move(pad, 140, 200, SHIFT)
        assert pad.x_value == pytest.approx(0.1 + 4 / pad.field_rect().width() * 2)
        assert pad.y_value == pytest.approx(0.1)

    def test_clicking_a_name_chooses_it(self, pad: Pad, qtbot: QtBot) -> None:
        point = pad.to_pixel(0.0, 0.8)
        with qtbot.waitSignal(pad.point_chosen) as chosen, qtbot.assertNotEmitted(pad.moved):
            press(pad, point.x() + 3, point.y() - 2)
            release(pad, point.x() + 3, point.y() - 2)
        assert chosen.args == [1]

    def test_the_written_name_can_be_clicked_too(self, pad: Pad, qtbot: QtBot) -> None:
        pad.grab()
        name = pad._labels[1].center()
        assert pad.to_pixel(0.0, 0.8) != name
        with qtbot.waitSignal(pad.point_chosen) as chosen, qtbot.assertNotEmitted(pad.moved):
            press(pad, name.x(), name.y())
            release(pad, name.x(), name.y())
        assert chosen.args == [1]

    def test_the_mix_in_the_hint_is_that_of_the_place(self, pad: Pad) -> None:
        hints: list[str] = []
        pad.hinted.connect(hints.append)
        place = pad.to_pixel(0.4, 0.4)
        press(pad, place.x(), place.y())
        pad.set_weights([0.25, 0.75])
        assert "Top 75 %, Left 25 %" in hints[-1]
        release(pad, place.x(), place.y())
        pad.hovered = False
        pad.set_weights([1.0, 0.0])
        assert "Top 75 %" in hints[-1], "the status line belongs to what is under the pointer"

    def test_double_click_goes_back_to_the_preset(self, pad: Pad) -> None:
        pad.set_chosen(0)
        pad.set_position(0.9, 0.9)
        mouse(pad, QEvent.Type.MouseButtonDblClick, 10, 10)
        assert (pad.x_value, pad.y_value) == (-0.5, 0.0)

    def test_keys_and_typed_place(self, pad: Pad, qtbot: QtBot) -> None:
        qtbot.keyClick(pad, Qt.Key.Key_Right)
        assert pad.x_value > 0.0
        qtbot.keyClick(pad, Qt.Key.Key_Return)
        editor = pad._editor
        assert editor is not None
        editor.setText("0.25, -0.5")
        qtbot.keyClick(editor, Qt.Key.Key_Return)
        assert (pad.x_value, pad.y_value) == (0.25, -0.5)

    def test_the_trail_fades_and_its_clock_stops(self, pad: Pad, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("noisysynth.ui.controls.pad.TRAIL_S", 0.05)
        pad.change_position(0.5, 0.5)
        pad.change_position(-0.5, 0.5)
        assert pad._fade.isActive()
        qtbot.waitUntil(lambda: not pad._fade.isActive(), timeout=2000)
        assert not pad._trail


class TestWheel:
    def test_bend_springs_back(self, qtbot: QtBot) -> None:
        wheel = Wheel(BEND, springs_back=True)
        shown(qtbot, wheel, 40, 120)
        told: list[float] = []
        wheel.value_changed.connect(told.append)
        press(wheel, 20, 60)
        move(wheel, 20, 0)
        assert told[-1] > 0.5
        release(wheel, 20, 0)
        assert told[-1] == 0.0
        turn_wheel(wheel, 3)
        assert wheel.value == 0.0

    def test_modulation_stays(self, qtbot: QtBot) -> None:
        wheel = Wheel(MODULATION, springs_back=False)
        shown(qtbot, wheel, 40, 120)
        press(wheel, 20, 80)
        move(wheel, 20, 40)
        release(wheel, 20, 40)
        assert wheel.value > 0.2


class TestKeyboard:
    @pytest.fixture
    def keys(self, qtbot: QtBot) -> Keyboard:
        keys = Keyboard()
        shown(qtbot, keys, 35 * 26, 156)
        return keys

    @staticmethod
    def _log(keys: Keyboard) -> list[tuple[str, int]]:
        log: list[tuple[str, int]] = []
        keys.note_pressed.connect(lambda pitch, _: log.append(("on", pitch)))
        keys.note_released.connect(lambda pitch: log.append(("off", pitch)))
        return log

    def test_every_key_plays_its_note(self, keys: Keyboard) -> None:
        log = self._log(keys)
        for pitch in range(keys.lowest, keys.highest + 1):
            rect = keys.key_rect(pitch)
            y = rect.bottom() - 4
            press(keys, rect.center().x(), y)
            release(keys, rect.center().x(), y)
            assert log[-2:] == [("on", pitch), ("off", pitch)]

    def test_lower_on_the_key_is_louder(self, keys: Keyboard) -> None:
        velocities: list[float] = []
        keys.note_pressed.connect(lambda _, velocity: velocities.append(velocity))
        rect = keys.key_rect(60)
        for y in (rect.top(), rect.center().y(), rect.bottom() - 1):
            press(keys, rect.left() + 2, y)
            release(keys, rect.left() + 2, y)
        assert velocities[0] == pytest.approx(SOFTEST)
        assert SOFTEST < velocities[1] < LOUDEST
        assert velocities[2] == pytest.approx(LOUDEST)

    def test_glissando_never_leaves_a_note(self, keys: Keyboard) -> None:
        log = self._log(keys)
        y = keys.height() - 5.0
        press(keys, 5, y)
        for x in range(5, 400, 7):
            move(keys, x, y if x % 2 else -50.0)
        release(keys, 400, y)
        assert len({pitch for _, pitch in log}) > 10
        for pitch in {pitch for _, pitch in log}:
            assert log.count(("on", pitch)) == log.count(("off", pitch))

    def test_hiding_releases(self, keys: Keyboard) -> None:
        log = self._log(keys)
        press(keys, 5, 100)
        keys.hide()
        assert [kind for kind, _ in log] == ["on", "off"]

    @pytest.mark.parametrize("lowest", [0, 36, 96, 120, 200])
    def test_range_starts_on_c_and_ends_by_127(self, keys: Keyboard, lowest: int) -> None:
        keys.set_lowest(lowest)
        assert keys.lowest % 12 == 0
        assert keys.highest <= 127

    def test_note_names(self) -> None:
        assert [note_name(pitch) for pitch in (0, 60, 61, 69, 127)] == ["C-1", "C4", "C\u266f4", "A4", "G9"]


class TestMeter:
    def test_levels(self) -> None:
        assert level_db(1.0) == 0.0
        assert level_db(0.0) == level_db(float("nan")) == -60.0

    def test_hold_clip_and_limiter(self, qtbot: QtBot) -> None:
        meter = Meter()
        shown(qtbot, meter, 192, 32)
        meter.feed((0.5, 0.25), 0.0)
        assert meter._level == pytest.approx([-6.02, -12.04], abs=0.01)
        assert not meter.clipping
        meter.feed((0.0, 0.0), -3.0)
        assert meter._hold == pytest.approx([-6.02, -12.04], abs=0.01)
        assert meter.limiting
        meter.feed((1.2, 0.0), 0.0)
        assert meter.clipping
        qtbot.mouseClick(meter, LEFT)
        assert not meter.clipping

    def test_silence_is_not_repainted(self, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
        meter = Meter()
        shown(qtbot, meter, 192, 32)
        meter.feed((0.0, 0.0), 0.0)
        QTest.qWait(20)
        updates: list[int] = []
        monkeypatch.setattr(meter, "update", lambda: updates.append(1))
        for _ in range(5):
            meter.feed((0.0, 0.0), 0.0)
        assert not updates


class TestScope:
    @pytest.mark.parametrize("f0_hz", [55.0, 220.0, 881.3])
    def test_a_tone_stands_still(self, f0_hz: float) -> None:
        """Whatever the phase, the window starts at the same place of the period, give or take a sample."""
        time_s = np.arange(4096) / 48_000
        step = 2 * np.pi * f0_hz / 48_000
        places = []
        for phase in np.linspace(0.0, 6.0, 9):
            wave = sum(np.sin(2 * np.pi * k * f0_hz * time_s + k * phase) / k for k in range(1, 6))
            start = trigger_start(wave.astype(np.float32), WINDOW)
            assert start + WINDOW <= 4096
            places.append(np.exp(1j * (step * start + phase)))
        turned = np.angle(np.array(places) / places[0])
        assert np.abs(turned).max() <= 1.01 * step

    def test_silence_and_constants_give_the_newest_window(self) -> None:
        assert trigger_start(np.zeros(4096, np.float32), WINDOW) == 4096 - WINDOW

    def test_broken_samples_do_no_harm(self, qtbot: QtBot) -> None:
        scope = Scope()
        shown(qtbot, scope, 400, 80)
        samples = np.zeros((4096, 2), np.float32)
        samples[3000:3010] = np.nan
        samples[3500] = np.inf
        scope.feed(samples)
        scope.repaint()

    def test_silence_costs_no_repaint(self, qtbot: QtBot) -> None:
        scope = Scope()
        shown(qtbot, scope, 400, 80)
        scope.feed(np.zeros((4096, 2), np.float32))
        QTest.qWait(20)
        before = scope.frames_drawn
        for _ in range(3):
            scope.feed(np.zeros((4096, 2), np.float32))
            QTest.qWait(5)
        assert scope.frames_drawn == before


def test_every_parameter_of_the_table_can_be_a_control(qtbot: QtBot) -> None:
    for parameter in PARAMETERS:
        named = parameter.choices and not counts(parameter)
        knob = Choice(parameter) if named else Knob(parameter)
        shown(qtbot, knob, 62, 72)
        for position in (0.0, 0.5, 1.0):
            knob.change_position(position)
            knob.repaint()
        assert isinstance(knob.parameter, Parameter)
