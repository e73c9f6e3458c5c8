"""Undo, redo, and comparing two settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from make_instrument import write_test_instrument
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from noisysynth.ui.history import JOIN_S, MOST, RACK, Change, History
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)


def edit(history: History, what: str, time_s: float, part: int = 0, **before: float) -> None:
    history.add(Change(what, part, before), time_s)


def same(change: Change) -> Change:
    """How things are, where that does not matter."""
    return change


def test_edits_come_back_in_order_and_go_again() -> None:
    history, values = History(), {"a": 0.0, "b": 0.0}

    def now(change: Change) -> Change:
        return Change(change.what, change.part, {each: values[each] for each in change.values})

    for step, name in enumerate(("a", "b", "a")):
        edit(history, name, 10.0 * step, **{name: values[name]})
        values[name] += 1.0
    states = [dict(values)]
    while (change := history.undo(now)) is not None:
        values |= change.values
        states.append(dict(values))
    assert states == [{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 0}, {"a": 0, "b": 0}]
    while (change := history.redo(now)) is not None:
        values |= change.values
    assert values == states[0]


def test_a_drag_is_one_edit_and_a_pause_makes_two() -> None:
    history = History()
    for i in range(100):
        edit(history, "knob", 0.01 * i, a=float(i))
    edit(history, "knob", 0.99 + 2 * JOIN_S, a=100.0)
    assert history.undo(same).values == {"a": 100.0}  # type: ignore[union-attr]
    assert history.undo(same).values == {"a": 0.0}  # type: ignore[union-attr]
    assert not history.can_undo


def test_the_same_knob_of_another_part_is_another_edit() -> None:
    history = History()
    for part in (0, 1, RACK):
        edit(history, "knob", 0.0, part, a=float(part))
    parts = [change.part for _ in range(3) if (change := history.undo(same)) is not None]
    assert parts == [RACK, 1, 0]


def test_an_edit_ends_what_could_be_redone_and_the_oldest_are_forgotten() -> None:
    history = History()
    for i in range(MOST + 10):
        edit(history, str(i), 10.0 * i, a=float(i))
    history.undo(same)
    edit(history, "other", 1e9, a=0.0)
    assert not history.can_redo
    count = 0
    while history.undo(same) is not None:
        count += 1
    assert count == MOST


def test_edits_of_the_setting_that_rests_wait_for_it() -> None:
    history = History()
    edit(history, "of A", 0.0, a=1.0)
    edit(history, "of part 2", 10.0, 1, a=1.0)
    assert history.turn(Change("compare", 0, {"a": 2.0})).values == {"a": 2.0}  # B begins as A is
    edit(history, "of B", 20.0, a=2.0)
    assert [history.undo(same).what for _ in range(2)] == ["of B", "of part 2"]  # type: ignore[union-attr]
    assert history.undo(same) is None
    assert history.turn(Change("compare", 0, {"a": 3.0})).values == {"a": 2.0}
    assert history.undo(same).what == "of A"  # type: ignore[union-attr]
    assert not history.can_undo


def test_with_another_instrument_only_what_plays_is_left_and_is_a() -> None:
    history = History()
    edit(history, "of A", 0.0, a=1.0)
    history.turn(Change("compare", 0, {}))
    edit(history, "of B", 10.0, a=2.0)
    history.settle([0])
    assert history.side(0) == "A"
    assert history.undo(same).what == "of B"  # type: ignore[union-attr]
    assert not history.can_undo


def test_presets_after_a_deleted_one_are_counted_anew() -> None:
    history = History()
    for preset in (2, 3, 4):
        history.add(Change(str(preset), 0, {}, preset), 10.0 * preset)
    history.add(Change("other part", 1, {}, 4), 100.0)
    history.forget_preset(0, 3)
    assert [history.undo(same).preset for _ in range(4)] == [4, 3, -1, 2]  # type: ignore[union-attr]


def sound_of(window: Window) -> dict[str, float]:
    return dict(window.player.values)


def test_random_edits_are_all_undone_and_redone_in_window_and_engine(window: Window, engine: FakeEngine) -> None:
    player, rng = window.player, np.random.default_rng(2)
    names = ["brightness", "volume", "insert_1", "insert_1_1", "insert_2", "filter_cutoff", "tempo", "pad_x"]
    states = [(player.preset, sound_of(window))]
    for _ in range(60):
        kind = rng.integers(3)
        player.history._newest_s = -1e9  # as if a long time passed
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


def test_another_instrument_can_be_undone_and_what_was_before_it(
    window: Window, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    player = window.player
    player.choose_preset(1)
    player.set_parameter("brightness", 2.0)
    player.compare()
    player.set_parameter("volume", -9.0)
    before, values = player.instrument_path, sound_of(window)
    other = write_test_instrument(tmp_path / "Other.noisy", name="Other")
    player.open_instrument(other)
    qtbot.waitUntil(lambda: player.instrument_path == other)
    assert player.side == "A"
    assert player.values["volume"] == -9.0  # not of the sound
    player.set_parameter("tone_level", 3.0)
    player.undo()
    player.undo()
    qtbot.waitUntil(lambda: player.instrument_path == before)
    assert (player.preset, sound_of(window)) == (1, values)
    assert engine.engine_values["brightness"] == 2.0
    player.undo()
    assert player.values["volume"] == -6.0
    player.redo()
    player.redo()
    qtbot.waitUntil(lambda: player.instrument_path == other)
    assert player.values["volume"] == -9.0
    player.redo()
    assert player.values["tone_level"] == 3.0
