"""The pad's map: a named point sounds exactly like its preset, by the contract of the instrument file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from make_instrument import make_test_instrument

from noisysynth.instrument import Instrument, PadPoint, Preset
from noisysynth.ui.latent_map import LatentMap


@pytest.fixture
def instrument() -> Instrument:
    """Presets that two axes alone cannot reach, one without a place, two at the same place."""
    base = make_test_instrument()
    rng = np.random.default_rng(7)
    presets = tuple(
        Preset(name, rng.normal(size=base.spec.latent_size).astype(np.float32), parameters)
        for name, parameters in (("A", {}), ("B", {"pad_x": 0.5}), ("C", {}), ("D", {}))
    )
    points = (PadPoint("A", -0.5, 0.5), PadPoint("B", 0.25, -0.75), PadPoint("D", -0.5, 0.5), PadPoint("Other", 0, 0))
    return dataclasses.replace(base, presets=presets, pad_points=points)


def sounding(instrument: Instrument, base: np.ndarray, x: float, y: float) -> np.ndarray:
    """What the engine makes of a base latent and a pad place."""
    return base + x * instrument.pad_axes[0] + y * instrument.pad_axes[1]


def test_every_preset_sounds_exactly_at_its_place(instrument: Instrument) -> None:
    latent_map = LatentMap(instrument)
    for index, preset in enumerate(instrument.presets):
        place = latent_map.places[index]
        expected = sounding(instrument, preset.latent, preset.parameters.get("pad_x", 0.0), 0.0)
        heard = sounding(instrument, latent_map.preset_base(index), place.x, place.y)
        np.testing.assert_allclose(heard, expected, atol=1e-6, err_msg=preset.name)


def test_dragging_onto_a_point_reaches_its_preset(instrument: Instrument) -> None:
    latent_map = LatentMap(instrument)
    place = latent_map.places[1]
    base = latent_map.base_latent(latent_map.weights(place.x, place.y))
    np.testing.assert_allclose(base, latent_map.preset_base(1), atol=1e-6)


def test_presets_at_the_same_place_share_it(instrument: Instrument) -> None:
    weights = LatentMap(instrument).weights(-0.5, 0.5)
    np.testing.assert_allclose(weights, [0.5, 0.0, 0.0, 0.5])


def test_a_preset_without_a_point_stands_where_the_axes_come_nearest(instrument: Instrument) -> None:
    place = LatentMap(instrument).places[2]
    axes = np.stack(instrument.pad_axes)
    expected = np.clip(np.linalg.lstsq(axes.T, instrument.presets[2].latent, rcond=None)[0], -1.0, 1.0)
    assert (place.x, place.y) == pytest.approx(tuple(expected), abs=1e-6)


@pytest.mark.parametrize("place", [(0.0, 0.0), (1.0, -1.0), (-0.5, 0.4999), (0.25, -0.75)])
def test_weights_are_shares(instrument: Instrument, place: tuple[float, float]) -> None:
    weights = LatentMap(instrument).weights(*place)
    assert weights.min() >= 0.0
    assert weights.sum() == pytest.approx(1.0, abs=1e-5)


def test_the_morph_has_no_jumps(instrument: Instrument) -> None:
    """Along a line that crosses a point the latent moves in small steps."""
    latent_map = LatentMap(instrument)
    line = np.linspace(-1.0, 1.0, 2001)
    path = np.stack([latent_map.base_latent(latent_map.weights(x, -0.75)) for x in line])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    whole = max(np.linalg.norm(a - b) for a in path[::50] for b in path[::50])
    assert steps.max() < 0.02 * whole
