"""Undo, redo, and comparing two settings."""

from __future__ import annotations

import numpy as np
import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from noisysynth.ui.history import JOIN_S, MOST, History
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)


def test_edits_come_back_in_order_and_go_again() -> None:
    history, values = History(), {"a": 0.0, "b": 0.0}
    for step, name in enumerate(("a", "b", "a")):
        history.add(name, 0, {name: values[name]}, 10.0 * step)
        values[name] += 1.0
    states = [dict(values)]
    while (change := history.undo(0, values)) is not None:
        values |= change.values
        states.append(dict(values))
    assert states == [{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 0}, {"a": 0, "b": 0}]
    while (change := history.redo(0, values)) is not None:
        values |= change.values
    assert values == states[0]


def test_a_drag_is_one_edit_and_a_pause_makes_two() -> None:
    history = History()
    for i in range(100):
        history.add("knob", 0, {"a": float(i)}, 0.01 * i)
    history.add("knob", 0, {"a": 100.0}, 0.99 + 2 * JOIN_S)
    assert history.undo(0, {"a": 101.0}).values == {"a": 100.0}  # type: ignore[union-attr]
    assert history.undo(0, {"a": 100.0}).values == {"a": 0.0}  # type: ignore[union-attr]
    assert not history.can_undo


def test_an_edit_ends_what_could_be_redone_and_the_oldest_are_forgotten() -> None:
    history = History()
    for i in range(MOST + 10):
        history.add(str(i), 0, {"a": float(i)}, 10.0 * i)
    history.undo(0, {"a": 0.0})
    history.add("other", 0, {"a": 0.0}, 1e9)
    assert not history.can_redo
    count = 0
    while history.undo(0, {"a": 0.0}) is not None:
        count += 1
    assert count == MOST


def sound_of(window: Window) -> dict[str, float]:
    return dict(window.player.values)


def test_random_edits_are_all_undone_and_redone_in_window_and_engine(window: Window, engine: FakeEngine) -> None:
    player, rng = window.player, np.random.default_rng(2)
    names = ["brightness", "volume", "insert_1", "insert_1_1", "insert_2", "filter_cutoff", "tempo", "pad_x"]
    states = [(player.preset, sound_of(window))]
    for _ in range(60):
        kind = rng.integers(3)
        player._history._newest_s = -1e9  # as if a long time passed
        if kind == 0:
            player.choose_preset(int(rng.integers(len(player.instrument.presets))))  # type: ignore[union-attr]
        elif kind == 1:
            player.move_pad(*rng.uniform(-1, 1, 2))
        else:
            name = names[rng.integers(len(names))]
            player.set_parameter(name, float(rng.integers(3)) if name.startswith("insert") else rng.uniform(0.1, 1.0))
        if (player.preset, sound_of(window)) != states[-1]:
            states.append((player.preset, sound_of(window)))
    for state in reversed(states[:-1]):
        player.undo()
        assert (player.preset, sound_of(window)) == state
    assert not player.can_undo
    for state in states[1:]:
        player.redo()
        assert (player.preset, sound_of(window)) == state
    assert not player.can_redo
    told: dict[str, float] = {}
    for name, value in engine.parameters_set:
        told[name] = value
    assert all(player.values[name] == value for name, value in told.items() if not name.startswith("insert_"))


def test_keys_and_buttons(window: Window, qtbot: QtBot) -> None:
    player, panel = window.player, window.presets
    assert not panel.undo.isEnabled()
    before = player.values["brightness"]
    player.set_parameter("brightness", 2.0)
    assert panel.undo.isEnabled()
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert player.values["brightness"] == before
    assert panel.redo.isEnabled()
    panel.redo.click()
    assert player.values["brightness"] == 2.0
    player.undo()
    player.undo()  # says that there is nothing


def test_a_and_b_are_two_sounds_with_histories_of_their_own(window: Window) -> None:
    player, panel = window.player, window.presets
    player.set_parameter("brightness", 2.0)
    a = sound_of(window)
    panel.compare.click()
    assert player.side == "B"
    assert sound_of(window) == a
    player.choose_preset(2)
    player.set_parameter("volume", -12.0)  # the mix belongs to neither
    b = sound_of(window)
    panel.compare.click()
    assert sound_of(window) == a | {"volume": -12.0}
    assert player.preset == 0
    player.undo()
    assert player.values["brightness"] == pytest.approx(0.0)
    panel.compare.click()
    assert sound_of(window) == b
    assert player.preset == 2


def test_another_instrument_begins_without_history(window: Window, qtbot: QtBot) -> None:
    player = window.player
    player.set_parameter("brightness", 2.0)
    player.compare()
    assert player.instrument_path is not None
    with qtbot.waitSignal(player.instrument_changed):
        player.open_instrument(player.instrument_path)
    assert not player.can_undo
    assert player.side == "A"
