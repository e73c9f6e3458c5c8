"""The latent pad's meaning: which latent belongs to a place on the map, so that a named point sounds like its name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.instrument import Instrument, Preset

Vector = NDArray[np.float32]

NEARNESS_POWER = 3.0  # 2 leaves every point audible everywhere; 4 and more makes flat cells with walls between
AT_POINT = 1e-4  # pad units; closer than this is the point itself


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """A preset on the pad. `latent` is what sounds there."""

    preset: int
    x: float
    y: float
    latent: Vector


class LatentMap:
    """Maps a place (x, y) to the base latent that the engine must hold there.

    The engine adds `x * axis_x + y * axis_y` to its base latent. Two axes cannot reach presets of a many-dimensional
    space, so the base carries the rest: each preset's residual, blended by inverse distance (Shepard, 1968).
    At a preset's point the sum is that preset exactly; between points it is a smooth morph of all of them.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._axes = np.stack(instrument.pad_axes).astype(np.float32)
        points = {point.name: point for point in instrument.pad_points}
        places = []
        for index, preset in enumerate(instrument.presets):
            latent = self._sounding(preset)
            point = points.get(preset.name)
            if point is not None:
                x, y = point.x, point.y
            else:
                x, y = self._project(latent)
            x, y = min(max(x, -1.0), 1.0), min(max(y, -1.0), 1.0)
            places.append(Place(index, x, y, latent))
        self.places: tuple[Place, ...] = tuple(places)
        self._points = np.array([(p.x, p.y) for p in places], np.float32).reshape(-1, 2)
        latents = np.stack([p.latent for p in places])
        self._residuals = latents - self._points @ self._axes

    def _sounding(self, preset: Preset) -> Vector:
        """What the contract says the preset sounds like, including a pad place among its parameters."""
        pad = np.array([preset.parameters.get("pad_x", 0.0), preset.parameters.get("pad_y", 0.0)], np.float32)
        return (preset.latent + pad @ self._axes).astype(np.float32)

    def _project(self, latent: Vector) -> tuple[float, float]:
        """Where the axes come nearest to a latent, for a preset that nobody placed."""
        solution = np.linalg.lstsq(self._axes.T.astype(np.float64), latent.astype(np.float64), rcond=None)[0]
        return float(solution[0]), float(solution[1])

    def place_of(self, latent: Vector) -> tuple[float, float]:
        """Where on the pad a latent stands best."""
        x, y = self._project(latent)
        return min(max(x, -1.0), 1.0), min(max(y, -1.0), 1.0)

    def weights(self, x: float, y: float) -> Vector:
        """Share of each preset at a place, summing to one, [presets]."""
        return shares(self._points, x, y, NEARNESS_POWER)

    def base_latent(self, weights: Vector) -> Vector:
        """The base latent of a blend [presets], [Z]."""
        return (weights @ self._residuals).astype(np.float32)

    def preset_base(self, preset: int) -> Vector:
        """The base latent that makes exactly this preset at its own place, even where two presets share one."""
        return np.asarray(self._residuals[preset], np.float32)

    def sounding(self, base: Vector, x: float, y: float) -> Vector:
        """What the engine makes of a base latent at a place, [Z]."""
        return (base + np.array([x, y], np.float32) @ self._axes).astype(np.float32)

    def base_of(self, latent: Vector, x: float, y: float) -> Vector:
        """The base latent that has a latent sound at a place, [Z]."""
        return (latent - np.array([x, y], np.float32) @ self._axes).astype(np.float32)


def shares(points: NDArray[Any], x: float, y: float, power: float) -> Vector:
    """Share of each point [points, 2] at a place by inverse distance (Shepard, 1968), summing to one, [points]."""
    distances = np.hypot(points[:, 0] - x, points[:, 1] - y)
    at = distances < AT_POINT
    nearness = at.astype(np.float32) if at.any() else (distances / distances.min()) ** -power
    return (nearness / nearness.sum()).astype(np.float32)
