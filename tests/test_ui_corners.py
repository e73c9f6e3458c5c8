"""Pinned corners: at a corner its sound exactly, between them a blend, unpinned the map again."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from make_instrument import make_test_instrument, write_test_instrument
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from noisysynth.ui.corners import LETTERS, PLACES, Corners, Pin
from noisysynth.ui.window import MINIMUM_SIZE, Window

pytest_plugins = ("ui_fixtures",)

ALL = range(len(PLACES))
ENOUGH = [chosen for size in (2, 3, 4) for chosen in itertools.combinations(ALL, size)]


def pinned(corners: tuple[int, ...]) -> Corners:
    """Corner i holds the unit vector i."""
    result = Corners()
    for corner in corners:
        result.pins[corner] = Pin(LETTERS[corner], np.eye(len(PLACES), dtype=np.float32)[corner])
    return result


class TestBlend:
    @pytest.mark.parametrize("chosen", ENOUGH)
    def test_each_corner_sounds_exactly_where_it_is(self, chosen: tuple[int, ...]) -> None:
        corners = pinned(chosen)
        for corner in chosen:
            heard = corners.latent(corners.weights(*PLACES[corner]))
            np.testing.assert_array_equal(heard, corners.pins[corner].latent)

    @pytest.mark.parametrize("chosen", ENOUGH)
    def test_shares_sum_to_one_everywhere_and_never_jump(self, chosen: tuple[int, ...]) -> None:
        corners = pinned(chosen)
        grid = np.linspace(-1.0, 1.0, 81)
        table = np.array([[corners.weights(x, y) for x in grid] for y in grid])
        assert table.min() >= 0.0
        np.testing.assert_allclose(table.sum(axis=-1), 1.0, atol=1e-5)
        assert max(np.abs(np.diff(table, axis=axis)).max() for axis in (0, 1)) < 0.05

    def test_four_are_bilinear(self) -> None:
        weights = pinned(tuple(ALL)).weights
        assert weights(0.0, 0.0) == pytest.approx([0.25] * 4)
        assert weights(0.5, 1.0) == pytest.approx([0.25, 0.75, 0.0, 0.0])
        assert weights(-1.0, -0.5) == pytest.approx([0.25, 0.0, 0.75, 0.0])

    def test_fewer_share_by_distance(self) -> None:
        assert pinned((0, 3)).weights(0.0, 0.0) == pytest.approx([0.5, 0.5])
        assert pinned((0, 1)).weights(-0.5, 1.0) == pytest.approx([0.9, 0.1])
        assert pinned((0, 1, 2)).weights(1.0, -1.0)[0] < 1 / 3  # what is farthest has the least

    def test_one_alone_leaves_the_map(self) -> None:
        assert not pinned((2,)).blending
        assert pinned((2, 3)).blending


def heard(engine: FakeEngine) -> NDArray[np.float32]:
    """What the engine makes of the last latent and the pad's place."""
    axes = make_test_instrument().pad_axes
    values = engine.engine_values
    return engine.latents[-1] + values["pad_x"] * axes[0] + values["pad_y"] * axes[1]


def latents() -> list[NDArray[np.float32]]:
    return [np.asarray(preset.latent) for preset in make_test_instrument().presets]


class TestWindow:
    def test_pinned_presets_take_the_pad_over(self, window: Window, engine: FakeEngine) -> None:
        pad, player = window.morph.pad, window.player
        player.pin(0, 1)
        assert len(pad._points) == 3  # still the map
        player.pin(3, 2)
        assert [point.name for point in pad._points] == ["A  Bright", "D  Breathy"]
        pad.change_position(-1.0, 1.0)
        np.testing.assert_allclose(heard(engine), latents()[1], atol=1e-6)
        pad.change_position(0.0, 0.0)
        np.testing.assert_allclose(heard(engine), (latents()[1] + latents()[2]) / 2, atol=1e-6)
        assert "A  Bright 50 %" in pad.hint()

    def test_what_sounds_now_is_pinned_as_it_sounds(self, window: Window, engine: FakeEngine) -> None:
        player = window.player
        player.move_pad(0.3, 0.2)
        before = heard(engine)
        player.pin(1)
        player.pin(2, 0)
        player.move_pad(*PLACES[1])
        np.testing.assert_allclose(heard(engine), before, atol=1e-6)
        assert player.corners.pins[1].name == "Blend"

    def test_a_chosen_preset_sounds_until_the_pad_moves(self, window: Window, engine: FakeEngine) -> None:
        player = window.player
        player.pin(0, 0)
        player.pin(1, 0)
        player.select_preset(2)
        np.testing.assert_allclose(heard(engine), latents()[2], atol=1e-6)
        player.pin(2)  # so that one preset after another can be pinned
        assert player.corners.pins[2].name == "Breathy"
        np.testing.assert_allclose(player.corners.pins[2].latent, latents()[2], atol=1e-6)
        window.morph.pad.change_position(-1.0, 1.0)
        np.testing.assert_allclose(heard(engine), latents()[0], atol=1e-6)

    @pytest.mark.parametrize("way", ["hand", "parameter", "MIDI"])
    def test_once_moved_the_corners_hold_at_the_presets_place_too(
        self, window: Window, engine: FakeEngine, qtbot: QtBot, way: str
    ) -> None:
        player, pad = window.player, window.morph.pad
        player.pin(0, 0)
        player.pin(1, 0)
        player.select_preset(2)
        x, y = player.values["pad_x"], player.values["pad_y"]
        qtbot.wait(400)  # until echoes are believed
        for there in (1.0, x):
            if way == "hand":
                player.move_pad(there, y)
            elif way == "parameter":
                player.set_parameter("pad_x", there)
            else:
                engine.engine_values["pad_x"] = there
            qtbot.waitUntil(lambda there=there: pad.x_value == there)
        np.testing.assert_allclose(heard(engine), latents()[0], atol=1e-6)

    def test_a_corners_name_is_a_place_to_go(self, window: Window, engine: FakeEngine) -> None:
        window.player.pin(0, 1)
        window.player.pin(3, 2)
        window.morph.pad.point_chosen.emit(1)
        assert (window.morph.pad.x_value, window.morph.pad.y_value) == PLACES[3]
        np.testing.assert_allclose(heard(engine), latents()[2], atol=1e-6)
        assert window.player.preset == 0

    def test_midi_moves_between_corners_too(self, window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
        window.player.pin(0, 1)
        window.player.pin(1, 2)
        qtbot.wait(400)  # until echoes are believed
        engine.engine_values |= {"pad_x": 1.0, "pad_y": 1.0}
        qtbot.waitUntil(lambda: window.morph.pad.x_value == 1.0)
        np.testing.assert_allclose(heard(engine), latents()[2], atol=1e-6)

    def test_unpinning_gives_the_map_back(self, window: Window, engine: FakeEngine) -> None:
        player = window.player
        player.move_pad(0.3, 0.2)
        before = heard(engine)
        for corner in ALL:
            player.pin(corner, 2)
        assert not np.allclose(heard(engine), before, atol=0.1)
        next(a for a in window.morph.corners.menu(1).actions() if "Unpin all" in a.text()).trigger()
        np.testing.assert_allclose(heard(engine), before, atol=1e-6)
        assert [point.name for point in window.morph.pad._points] == ["Plain", "Bright", "Breathy"]

    def test_keys_open_the_menu_and_the_menu_pins(self, window: Window, qtbot: QtBot) -> None:
        button = window.morph.corners.buttons[2]
        assert button.accessibleName() == "Corner C is free"
        qtbot.keyClick(button, Qt.Key.Key_Return)
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        menu.close()
        assert not button.isChecked()
        menu = window.morph.corners.menu(2)
        presets = next(action.menu() for action in menu.actions() if action.text() == "Pin a preset")
        assert isinstance(presets, QMenu)
        presets.actions()[1].trigger()
        assert button.accessibleName() == "Corner C holds Bright"
        assert button.isChecked()
        next(action for action in window.morph.corners.menu(2).actions() if action.text() == "Unpin").trigger()
        assert not button.isChecked()

    def test_another_instrument_frees_them(self, window: Window, qtbot: QtBot, tmp_path: Path) -> None:
        window.player.pin(0, 1)
        window.player.pin(1, 2)
        window.player.open_instrument(write_test_instrument(tmp_path / "Other.noisy", name="Other"))
        qtbot.waitUntil(lambda: window.top.instrument.name == "Other")
        assert not window.player.corners.pins
        assert not any(button.isChecked() for button in window.morph.corners.buttons)
        assert len(window.morph.pad._points) == 3

    @pytest.mark.parametrize("size", [MINIMUM_SIZE, (1280, 800)])
    def test_buttons_cover_no_place_of_the_pad(self, window: Window, qtbot: QtBot, size: tuple[int, int]) -> None:
        window.resize(*size)
        qtbot.wait(50)
        pad = window.morph.pad
        for button, (x, y) in zip(window.morph.corners.buttons, PLACES, strict=True):
            assert button.parent() is pad
            assert not QRectF(button.geometry()).intersects(pad.field_rect())
            centre = button.geometry().center()
            assert (centre.x() > pad.width() / 2) == (x > 0)
            assert (centre.y() < pad.height() / 2) == (y > 0)
