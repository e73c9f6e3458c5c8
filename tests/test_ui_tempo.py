"""Tempo: tapped, typed, shown, and whose it is."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from noisysynth.ui import tempo
from noisysynth.ui.tempo import CLOCKS, OURS, TapTempo
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)


def tapped(taps: TapTempo, *times: float) -> float | None:
    result = None
    for time_s in times:
        result = taps.tap(time_s)
    return result


class TestTapping:
    def test_one_tap_is_no_tempo(self) -> None:
        assert tapped(TapTempo(), 1.0) is None

    def test_two_are(self) -> None:
        assert tapped(TapTempo(), 1.0, 1.5) == pytest.approx(120.0)

    def test_a_hand_that_shakes_is_averaged(self) -> None:
        times = [0.0, 0.52, 0.98, 1.51, 1.99, 2.52, 3.0]
        assert tapped(TapTempo(), *times) == pytest.approx(120.0, rel=0.005)

    def test_only_the_last_few_count(self) -> None:
        taps = TapTempo()
        tapped(taps, *(0.55 * i for i in range(8)))
        start = 0.55 * 7
        assert tapped(taps, *(start + 0.5 * i for i in range(1, 9))) == pytest.approx(120.0)

    def test_another_tempo_is_taken_at_once(self) -> None:
        assert tapped(TapTempo(), 0.0, 1.0, 2.0, 3.0, 3.5) == pytest.approx(120.0)

    def test_a_pause_begins_anew(self) -> None:
        taps = TapTempo()
        assert tapped(taps, 0.0, 0.5, 1.0, 60.0) is None
        assert tapped(taps, 60.4) == pytest.approx(150.0)

    def test_it_stays_in_the_range(self) -> None:
        assert tapped(TapTempo(), 0.0, 0.01) == 300.0


def test_tap_with_button_and_keys(
    window: Window, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter((10.0, 10.4, 20.0, 20.5))
    monkeypatch.setattr(tempo.time, "perf_counter", lambda: next(now))
    panel = window.keyboard.tempo
    for _ in range(2):
        qtbot.mouseClick(panel.tap, Qt.MouseButton.LeftButton)
    assert engine.parameters_set == [("tempo", pytest.approx(150.0))]
    assert panel.box.number() == "150.0"
    assert window.knobs.knobs["tempo"].value == pytest.approx(150.0)
    for _ in range(2):
        qtbot.keyClick(window, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert panel.box.value == pytest.approx(120.0)


def test_typed(window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    box = window.keyboard.tempo.box
    qtbot.mouseDClick(box, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(box._editor, "92.5 bpm")
    qtbot.keyClick(box._editor, Qt.Key.Key_Return)
    assert engine.parameters_set[-1] == ("tempo", 92.5)
    assert box.number() == "92.5"


def test_it_says_whose_tempo_it_is(
    window: Window, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempo, "CLOCK_GONE_S", 0.3)
    box = window.keyboard.tempo.box
    qtbot.wait(2 * tempo.LOOK_MS + 100)
    assert box.caption == OURS
    engine.meters["clock_ticks"] = 20
    engine.engine_values["tempo"] = 133.0
    qtbot.waitUntil(lambda: box.caption == CLOCKS)
    qtbot.waitUntil(lambda: box.value == pytest.approx(133.0))
    assert "MIDI clock" in box.accessibleDescription()
    assert engine.parameters_set == []  # what the clock says is not said again
    qtbot.waitUntil(lambda: box.caption == OURS)
