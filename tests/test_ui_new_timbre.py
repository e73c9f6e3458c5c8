"""Drawing a timbre that nobody has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from noisysynth.events import EventKind
from noisysynth.ui.new_timbre import NewTimbres
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

OpenWindow = Callable[..., Window]


def sounding(window: Window, engine: FakeEngine) -> np.ndarray:
    """The latent that the engine makes of what it was told: base, pad and knobs."""
    instrument, values = window.player.instrument, window.player.values
    assert instrument is not None
    latent = engine.latents_of[0] + sum(
        values[place] * axis for place, axis in zip(("pad_x", "pad_y"), instrument.pad_axes, strict=True)
    )
    for number, direction in enumerate(instrument.directions, 1):
        latent = latent + values[f"knob_{number}"] * direction.vector
    return np.asarray(latent)


def test_what_sounds_is_what_was_drawn(window: Window, engine: FakeEngine) -> None:
    player = window.player
    player.set_parameter("knob_1", 0.5)
    player.set_parameter("amp_release", 2.0)
    NewTimbres(player, seed=4).draw()
    assert player.instrument is not None
    expected = player.instrument.draw_latents(1, np.random.default_rng(4))[0]
    np.testing.assert_allclose(sounding(window, engine), expected, atol=1e-4)
    assert player.values["amp_release"] == pytest.approx(2.0), "envelopes stay"
    assert player.preset_name.startswith("Near ")
    assert engine.notes_on, "it is heard"


def test_undo_goes_back_through_the_draws(window: Window, engine: FakeEngine) -> None:
    player = window.player
    states = [(player.preset_name, sounding_or_none(window, engine))]
    for _ in range(3):
        player.new_timbres.draw()
        states.append((player.preset_name, sounding(window, engine)))
    for name, latent in reversed(states[:-1]):
        player.undo()
        assert player.preset_name == name
        if latent is not None:
            np.testing.assert_allclose(sounding(window, engine), latent, atol=1e-4)
    for name, latent in states[1:]:
        player.redo()
        assert player.preset_name == name
        np.testing.assert_allclose(sounding(window, engine), latent, atol=1e-4)


def sounding_or_none(window: Window, engine: FakeEngine) -> np.ndarray | None:
    return sounding(window, engine) if 0 in engine.latents_of else None


def test_button_and_key_draw_and_saving_keeps_it(window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    player = window.player
    qtbot.mouseClick(window.presets.draw, Qt.MouseButton.LeftButton)
    first = sounding(window, engine)
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    second = sounding(window, engine)
    assert np.abs(second - first).max() > 0.1
    player.save_preset("Mine")
    player.choose_preset(0)
    player.choose_preset([each.name for each in player.presets].index("Mine"))
    np.testing.assert_allclose(sounding(window, engine), second, atol=1e-4)


def test_a_drag_after_a_draw_is_one_edit(window: Window, engine: FakeEngine) -> None:
    player = window.player
    player.new_timbres.draw()
    name, before = player.preset_name, player.values["knob_1"]
    for step in range(60):
        player.set_parameter("knob_1", 0.01 * step)
    player.undo()
    assert player.values["knob_1"] == before
    assert player.preset_name == name
    player.undo()
    assert player.preset_name != name


def test_every_draw_is_heard_unless_presets_are_not(window: Window, engine: FakeEngine) -> None:
    for _ in range(3):  # one after the other, while the last one's note still sounds
        engine.forget()
        window.presets.draw_timbre()
        assert len(engine.of_kind(EventKind.NOTE_ON)) == 1
    window.presets.audition.setChecked(False)
    engine.forget()
    window.presets.draw.click()
    assert not engine.of_kind(EventKind.NOTE_ON)
    assert window.player.preset_name.startswith("Near ")


def test_a_draw_with_the_name_of_a_preset_comes_back_as_itself(
    open_window: OpenWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    window = open_window()
    player = window.player
    player.new_timbres.draw()
    drawn, name = sounding(window, engine), player.preset_name
    player.choose_preset(0)
    player.save_preset(name)  # another sound of that name
    player.undo()
    while player.preset_name != name or player.preset >= 0:
        player.undo()
    window.close()
    again = open_window()
    assert (again.player.preset_name, again.player.preset) == (name, -1)
    np.testing.assert_allclose(sounding(again, engine), drawn, atol=1e-4)


def test_undo_of_a_kept_recording_goes_back_to_what_was_drawn(window: Window, engine: FakeEngine) -> None:
    player = window.player
    player.new_timbres.draw()
    drawn, name = sounding(window, engine), player.preset_name
    player.trial.begin(0, "oboe", np.full(drawn.shape, 0.7, np.float32), {})
    assert player.trial.keep("Oboe of mine") == ""
    assert player.preset_name == "Oboe of mine"
    player.undo()
    assert player.preset_name == name
    np.testing.assert_allclose(sounding(window, engine), drawn, atol=1e-4)


def test_nothing_to_draw_from_is_no_error(open_window: OpenWindow) -> None:
    window = open_window(ready=False, instrument=None)
    window.player.new_timbres.draw()
    assert window.player.instrument is None
    assert not window.player.can_undo
