"""What moves the pad by itself: a loop keeps its recorded times, a walk is smooth and stays inside, a hand wins."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QFontMetrics, QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from noisysynth.events import EventKind
from noisysynth.ui import theme
from noisysynth.ui.controls.pad import Pad
from noisysynth.ui.motion import (
    FASTEST_HZ,
    LONGEST_S,
    MOST_POINTS,
    NUDGE_S,
    SLOWEST_HZ,
    USUAL_HZ,
    Doing,
    Loop,
    Place,
    Recording,
    Transport,
    Walk,
)
from noisysynth.ui.session import Session, load_session, save_session
from noisysynth.ui.window import MINIMUM_SIZE, Window

pytest_plugins = ("ui_fixtures",)

LEFT = Qt.MouseButton.LeftButton
OpenWindow = Callable[..., Window]
RAMP = Loop(4.0, (0.0, 4.0), ((-1.0, 0.0), (1.0, 0.0)))  # x tells the time


def circle(time_s: float) -> Place:
    return 0.8 * math.cos(3.0 * time_s), 0.8 * math.sin(3.0 * time_s)


def recorded(times_s: list[float], path: Callable[[float], Place], end_s: float) -> Loop:
    """The loop of a hand that follows a path, from times_s[0] to end_s."""
    recording = Recording(times_s[0], path(times_s[0]))
    for time_s in times_s[1:]:
        recording.add(time_s, path(time_s))
    loop = recording.finish(end_s)
    assert loop is not None
    return loop


class TestLoop:
    def test_every_recorded_place_comes_at_its_time_in_every_round(self) -> None:
        rng = np.random.default_rng(3)
        times_s = list(100.0 + np.cumsum([0.0, *rng.uniform(0.013, 0.045, 80)]))
        loop = recorded(times_s, circle, times_s[-1] + 0.02)
        assert loop.length_s == pytest.approx(times_s[-1] + 0.02 - 100.0, abs=1e-12)
        for round_s in (0.0, loop.length_s, 1000 * loop.length_s):
            for time_s in times_s:
                assert loop.at(round_s + time_s - 100.0 + 1e-9) == pytest.approx(circle(time_s), abs=1e-6)

    def test_the_seam_is_as_recorded(self) -> None:
        loop = recorded([0.0, 0.1, 0.2], circle, 0.3)
        assert loop.at(0.2999) == circle(0.2)
        assert loop.at(loop.length_s) == loop.at(0.0) == circle(0.0)

    def test_a_rest_is_a_rest(self) -> None:
        path = {0.0: (0.0, 0.0), 0.02: (0.2, 0.0), 0.025: (0.25, 0.1), 2.0: (0.5, 0.5), 2.1: (1.0, 1.0)}
        loop = recorded(list(path), path.__getitem__, 3.0)
        assert loop.at(0.03) == loop.at(1.0) == loop.at(1.98) == (0.25, 0.1)
        assert loop.at(2.0) == (0.5, 0.5)
        assert loop.at(2.5) == (1.0, 1.0)

    def test_it_is_bounded_and_still_follows_the_hand(self) -> None:
        times_s = [n / 1000.0 for n in range(40_000)]
        recording = Recording(0.0, circle(0.0))
        for time_s in times_s:
            recording.add(time_s, circle(time_s))
        assert not recording.full(LONGEST_S - 0.001)
        assert recording.full(LONGEST_S)
        loop = recording.finish(40.0)
        assert loop is not None
        assert loop.length_s == LONGEST_S
        assert len(loop.places) <= MOST_POINTS
        errors = [math.dist(loop.at(time_s), circle(time_s)) for time_s in times_s[:29_900:7]]
        assert max(errors) < 1e-3

    @pytest.mark.parametrize("end_s", [0.05, 5.0])
    def test_a_click_is_no_loop(self, end_s: float) -> None:
        recording = Recording(0.0, (0.5, 0.5))
        recording.add(0.01, (0.5, 0.5))
        assert recording.finish(end_s) is None

    def test_text_and_back(self) -> None:
        loop = recorded([n / 60.0 for n in range(200)], circle, 3.5)
        again = Loop.from_text(loop.to_text())
        assert again is not None
        assert again.length_s == loop.length_s
        assert again.times_s == pytest.approx(loop.times_s, abs=1e-4)
        np.testing.assert_allclose(again.places, loop.places, atol=1e-4)

    @pytest.mark.parametrize(
        "text",
        [
            "", " ", "nonsense", "nan", "1.0000", "1.0000 0.0000 0.0000 0.0000", "1e9",
            "1.0000 0.0000 0.0000 0.0000 0.5000 0.1000",  # a place without its y
            "1.0000 0.0000 0.0000 0.0000 0.5000 7.0000 0.0000",  # off the pad
            "1.0000 0.0000 0.0000 0.0000 2.0000 0.1000 0.0000",  # after the end
            "1.0000 0.5000 0.0000 0.0000 0.2000 0.1000 0.0000",  # back in time
            "0.0000 0.0000 0.0000 0.0000 0.0000 0.1000 0.0000",  # no length
            "99.0000 0.0000 0.0000 0.0000 0.5000 0.1000 0.0000",  # too long
            "1.0000 0.0000 0.0000 0.0000 " + "0.5000 0.1000 0.0000 " * 100_000,
            "1.0000 0.0000 0.0000 0.0000" + " 0.5000 0.1000 0.0000" * MOST_POINTS,
        ],
    )  # fmt: skip
    def test_other_text_is_no_loop(self, text: str) -> None:
        assert Loop.from_text(text) is None


class TestWalk:
    @pytest.mark.parametrize("speed_hz", [SLOWEST_HZ, USUAL_HZ, FASTEST_HZ])
    @pytest.mark.parametrize("seed", range(5))
    def test_it_stays_inside_and_is_smooth(self, speed_hz: float, seed: int) -> None:
        step_s = 1 / 60
        walk = Walk((0.9, -1.0), speed_hz, 10.0, seed)
        path = np.array([walk.at(10.0 + n * step_s) for n in range(int(100 / speed_hz * 60))])
        assert np.abs(path).max() <= 1.0
        assert path[0] == pytest.approx((0.9, -1.0))
        # Of a spline in a square of side 2: no faster than 2 a place, no more bent than 4 a place squared.
        assert np.abs(np.diff(path, axis=0)).max() <= 2.0 * speed_hz * step_s + 1e-12
        assert np.abs(np.diff(path, 2, axis=0)).max() <= 4.0 * (speed_hz * step_s) ** 2 + 1e-12
        assert path.std(axis=0).min() > 0.25  # and it does get about

    def test_a_time_gives_a_place(self) -> None:
        walk = Walk((0.0, 0.0), 1.0, 0.0, 1)
        later = walk.at(50.3)
        walk.at(2.0)
        assert walk.at(50.3) == later
        assert Walk((0.0, 0.0), 1.0, 0.0, 2).at(50.3) != later

    def test_another_speed_does_not_make_it_jump(self) -> None:
        walk, slow = Walk((0.0, 0.0), 2.0, 0.0, 1), Walk((0.0, 0.0), 2.0, 0.0, 1)
        before = walk.at(7.3)
        walk.set_speed(0.5, 7.3)
        assert walk.at(7.3) == before
        assert walk.at(7.3 + 4.0) == pytest.approx(slow.at(7.3 + 1.0), abs=1e-9)


class TestTransport:
    def test_arm_drag_let_go(self) -> None:
        transport = Transport()
        transport.record(10.0)
        assert transport.doing == Doing.ARMED
        assert not transport.moving
        for n in range(51):
            transport.touch(20.0 + n / 50.0, circle(n / 50.0))
        assert transport.doing == Doing.RECORDING
        assert transport.place(21.0) is None
        transport.let_go(21.25, circle(1.0))
        assert transport.doing == Doing.LOOPING
        assert transport.loop is not None
        assert transport.loop.length_s == pytest.approx(1.25)
        assert transport.place(21.25) == pytest.approx(circle(0.0))
        assert transport.place(21.25 + 3 * 1.25 + 0.5) == pytest.approx(circle(0.5), abs=1e-6)
        transport.stop()
        assert transport.place(30.0) is None

    def test_a_click_leaves_it_armed_and_arming_can_be_undone(self) -> None:
        transport = Transport()
        transport.record(0.0)
        transport.touch(1.0, (0.5, 0.5))
        transport.let_go(1.2, (0.5, 0.5))
        assert transport.doing == Doing.ARMED
        transport.record(2.0)
        assert transport.doing == Doing.RESTING
        transport.play(3.0)  # there is no loop
        assert transport.doing == Doing.RESTING

    def test_record_ends_what_keys_began(self) -> None:
        transport = Transport()
        transport.record(0.0)
        transport.touch(1.0, (0.1, 0.0))
        transport.touch(2.0, (0.2, 0.0))
        transport.record(3.0)
        assert transport.doing == Doing.LOOPING
        assert transport.loop is not None
        assert transport.loop.length_s == 2.0

    def test_a_recording_that_never_ends_ends(self) -> None:
        transport = Transport()
        transport.record(0.0)
        transport.touch(0.0, (0.1, 0.0))
        transport.touch(1.0, (0.2, 0.0))
        transport.place(LONGEST_S + 5.0)
        assert transport.doing == Doing.LOOPING
        assert transport.loop is not None
        assert transport.loop.length_s == LONGEST_S

    def test_the_hand_wins_and_the_loop_goes_on_where_it_would_be(self) -> None:
        transport = Transport()
        transport.loop = RAMP
        transport.play(100.0)
        transport.touch(101.0, (0.5, 0.5))
        assert transport.place(101.1) is None
        transport.let_go(101.2, (0.5, 0.5))
        assert transport.place(101.2) == pytest.approx(RAMP.at(1.2))
        transport.touch(102.0, (0.5, 0.5))  # by a key: nobody lets go
        assert transport.place(102.0 + 0.9 * NUDGE_S) is None
        assert transport.place(102.0 + NUDGE_S) == pytest.approx(RAMP.at(2.0 + NUDGE_S))

    def test_a_walk_goes_on_from_the_hand(self) -> None:
        transport = Transport()
        transport.walk(0.0, (0.0, 0.0))
        assert transport.place(0.0) == (0.0, 0.0)
        transport.touch(5.0, (0.9, 0.9))
        transport.let_go(6.0, (0.7, -0.3))
        assert transport.place(6.0) == pytest.approx((0.7, -0.3))
        assert math.dist(transport.place(6.1) or (9.0, 9.0), (0.7, -0.3)) < 0.01
        transport.set_speed(FASTEST_HZ, 6.1)
        assert math.dist(transport.place(6.1) or (9.0, 9.0), (0.7, -0.3)) < 0.01


def mouse(pad: Pad, kind: QEvent.Type, x: float, y: float) -> None:
    """At a place of the pad."""
    position = pad.to_pixel(x, y)
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else LEFT
    plain = Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(kind, position, pad.mapToGlobal(QPointF(position)), button, LEFT, plain)
    QApplication.sendEvent(pad, event)


def moves(engine: FakeEngine) -> list[Place]:
    """Every place that the engine was told, in order."""
    xs = [value for name, value in engine.parameters_set if name == "pad_x"]
    ys = [value for name, value in engine.parameters_set if name == "pad_y"]
    assert len(xs) == len(ys)
    return list(zip(xs, ys, strict=True))


def play(window: Window, loop: Loop = RAMP) -> float:
    """Have a loop play; returns when it began."""
    window.morph.motion.transport.loop = loop
    window.morph.motion._show()
    window.morph.motion.play.click()
    return time.perf_counter()


class TestMotionBar:
    def test_a_drag_is_recorded_and_heard_again(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        pad, bar = window.morph.pad, window.morph.motion
        qtbot.keyClick(bar.record, Qt.Key.Key_Return)
        assert bar.record.text() == "Armed"
        mouse(pad, QEvent.Type.MouseButtonPress, -0.5, 0.5)
        assert bar.record.text() == "Finish"
        for n in range(1, 11):
            qtbot.wait(15)
            mouse(pad, QEvent.Type.MouseMove, -0.5 + n / 10, 0.5)
        mouse(pad, QEvent.Type.MouseButtonRelease, 0.5, 0.5)
        assert bar.play.text() == "Stop"
        drawn = moves(engine)
        engine.forget()
        loop = bar.transport.loop
        assert loop is not None
        qtbot.waitUntil(lambda: len(moves(engine)) >= 20)
        again = moves(engine)
        assert len(engine.of_kind(EventKind.LATENT)) == len(again)  # every move brings its blend
        assert min(x for x, _ in again) < -0.3 < 0.3 < max(x for x, _ in again)
        assert [y for _, y in again] == pytest.approx([drawn[0][1]] * len(again))
        assert (pad.x_value, pad.y_value) == again[-1]
        bar.play.click()
        engine.forget()
        qtbot.wait(60)
        assert moves(engine) == []
        assert bar.play.text() == "Play"

    def test_the_clock_says_where_not_the_number_of_ticks(
        self, window: Window, engine: FakeEngine, qtbot: QtBot
    ) -> None:
        began = play(window)
        for stall_s in (0.0, 0.3, 0.1):
            time.sleep(stall_s)
            engine.forget()
            earliest_s = time.perf_counter() - began
            qtbot.waitUntil(lambda: bool(moves(engine)))
            told_s = (moves(engine)[0][0] + 1.0) / 2.0 * RAMP.length_s
            assert earliest_s <= told_s <= time.perf_counter() - began + 0.02

    def test_no_more_than_sixty_moves_a_second(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        began = play(window)
        qtbot.wait(1000)
        assert 5 < len(moves(engine)) <= 60.0 * (time.perf_counter() - began) + 1

    def test_a_hand_takes_over(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        play(window)
        qtbot.waitUntil(lambda: len(moves(engine)) > 2)
        pad = window.morph.pad
        mouse(pad, QEvent.Type.MouseButtonPress, 0.5, 0.75)
        engine.forget()
        qtbot.wait(700)  # longer than a nudge
        assert moves(engine) == []
        assert pad.y_value == pytest.approx(0.75)
        mouse(pad, QEvent.Type.MouseButtonRelease, 0.5, 0.75)
        qtbot.waitUntil(lambda: len(moves(engine)) > 2)
        assert pad.y_value == 0.0

    def test_keys_alone_can_record(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        pad, bar = window.morph.pad, window.morph.motion
        qtbot.keyClick(bar.record, Qt.Key.Key_Return)
        qtbot.keyClick(pad, Qt.Key.Key_Right)
        qtbot.wait(120)
        qtbot.keyClick(pad, Qt.Key.Key_Up)
        qtbot.keyClick(bar.record, Qt.Key.Key_Return)
        assert bar.transport.doing == Doing.LOOPING

    def test_the_walk_moves_the_pad_from_where_it_is(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        pad, bar = window.morph.pad, window.morph.motion
        pad.change_position(0.9, -0.9)
        bar.speed.change_value(2.0)
        engine.forget()
        bar.walk.click()
        qtbot.waitUntil(lambda: len(moves(engine)) >= 20)
        path = moves(engine)
        assert math.dist(path[0], (0.9, -0.9)) < 0.05
        assert path[-1] != path[0]
        assert bar.walk.isChecked()
        bar.walk.click()
        assert bar.transport.doing == Doing.RESTING

    @pytest.mark.parametrize("way", ["hide", "showMinimized"])
    def test_it_rests_once_it_is_hidden_and_when_closed(
        self, window: Window, engine: FakeEngine, qtbot: QtBot, way: str
    ) -> None:
        play(window)
        qtbot.waitUntil(lambda: bool(moves(engine)))
        getattr(window, way)()
        qtbot.wait(20)
        engine.forget()
        qtbot.wait(60)
        assert moves(engine) == []
        assert window.morph.motion.transport.doing == Doing.RESTING
        window.showNormal()
        play(window)
        window.close()
        assert not window.morph.motion._clock.isActive()

    def test_a_motion_leaves_a_trail_and_no_work_for_the_disk(self, window: Window, qtbot: QtBot) -> None:
        window._autosave.stop()
        play(window)
        window._autosave.stop()  # of the new loop
        qtbot.waitUntil(lambda: len(window.morph.pad._trail) >= 3)
        assert not window._autosave.isActive()

    def test_names_order_and_room(self, window: Window, qtbot: QtBot) -> None:
        window.resize(*MINIMUM_SIZE)
        qtbot.wait(50)
        play(window)  # Tab passes over what cannot be pressed
        window.morph.pad.setFocus()
        for control in window.morph.controls:
            qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
            assert QApplication.focusWidget() is control
            assert control.accessibleName()
            assert control.toolTip()
            corner = control.mapTo(window.morph, control.rect().bottomRight())
            assert window.morph.rect().contains(corner), control.accessibleName()
        metrics = QFontMetrics(theme.font(theme.SMALL))
        for chip in (window.morph.motion.record, window.morph.motion.play, window.morph.motion.walk):
            assert chip.width() >= metrics.horizontalAdvance(chip.text()) + 2 * theme.UNIT


class TestSession:
    def test_loop_and_speed_come_back_at_rest(self, open_window: OpenWindow, engine: FakeEngine, qtbot: QtBot) -> None:
        window = open_window()
        play(window)
        window.morph.motion.speed.change_value(1.5)
        window.close()
        again = open_window(instrument=None)
        assert again.morph.motion.transport.loop == RAMP
        assert again.morph.motion.transport.speed_hz == again.morph.motion.speed.value == pytest.approx(1.5)
        assert again.morph.motion.transport.doing == Doing.RESTING

    def test_a_new_loop_is_kept_without_closing(
        self, open_window: OpenWindow, session_file: Path, qtbot: QtBot
    ) -> None:
        window = open_window()
        play(window)
        qtbot.waitUntil(lambda: session_file.exists() and bool(load_session(session_file)[0].pad_loop), timeout=8000)

    @pytest.mark.parametrize(("loop", "speed"), [("nonsense", 0.25), (RAMP.to_text() * 2, math.inf), ("", math.nan)])
    def test_a_broken_one_is_left_out(
        self, open_window: OpenWindow, session_file: Path, loop: str, speed: float
    ) -> None:
        save_session(session_file, Session(pad_loop=loop, walk_speed_hz=speed))
        window = open_window()
        assert window.morph.motion.transport.loop is None
        assert not window.morph.motion.play.isEnabled()
        assert SLOWEST_HZ <= window.morph.motion.transport.speed_hz <= FASTEST_HZ
