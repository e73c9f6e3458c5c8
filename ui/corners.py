"""Corners of the pad: sounds pinned to A, B, C and D, and how much of each is at a place between them."""

from __future__ import annotations

import dataclasses

import numpy as np

from noisysynth.ui.latent_map import Vector, shares

LETTERS = ("A", "B", "C", "D")
PLACES = ((-1.0, 1.0), (1.0, 1.0), (-1.0, -1.0), (1.0, -1.0))
ENOUGH = 2  # with fewer there is nothing to blend
NEARNESS_POWER = 2.0


@dataclasses.dataclass(frozen=True, eq=False)
class Pin:
    """What a corner holds. `latent` [Z] is what sounds there, before the direction knobs."""

    name: str
    latent: Vector


class Corners:
    """Up to four pins, by the index of their corner."""

    def __init__(self) -> None:
        self.pins: dict[int, Pin] = {}

    @property
    def blending(self) -> bool:
        """Whether the corners, not the map, say what the pad means."""
        return len(self.pins) >= ENOUGH

    @property
    def order(self) -> list[int]:
        """Pinned corners, from A to D."""
        return sorted(self.pins)

    def weights(self, x: float, y: float) -> Vector:
        """Share of each pinned corner at a place, summing to one, in their order.

        Bilinear between all four. Two or three share by inverse squared distance: bilinear shares without the missing
        corners would be 0 / 0 where these are.
        """
        if len(self.pins) == len(PLACES):
            sides = np.array([(1.0 + x * u) * (1.0 + y * v) / 4.0 for u, v in PLACES])
            return sides.astype(np.float32)
        return shares(np.array([PLACES[corner] for corner in self.order]), x, y, NEARNESS_POWER)

    def latent(self, weights: Vector) -> Vector:
        """What sounds with these shares, [Z]."""
        return (weights @ np.stack([self.pins[corner].latent for corner in self.order])).astype(np.float32)
