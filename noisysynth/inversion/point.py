"""What the search moves: a latent and how the note was played, as one vector of numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

VELOCITY_GUESS = 0.75
NEVER_S = 1e6
_N_PLAYED = 4  # velocity, level, release, tuning


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """z: [Z]. velocity: 0..1. level_db: of the recording over the instrument. gate_s: inf where the key stays down.

    cents: from the note's pitch.
    """

    z: npt.NDArray[np.float32]
    velocity: float = VELOCITY_GUESS
    level_db: float = 0.0
    gate_s: float = np.inf
    cents: float = 0.0

    @property
    def norm(self) -> float:
        """Root mean square of z: about 1 where the instrument was trained."""
        return float(np.sqrt(np.mean(np.square(self.z, dtype=np.float64))))


class Layout:
    """Points as vectors in which a step of about one means about as much everywhere, and back.

    After Z latent values: velocity through a logit, level in units of 6 dB, gate in units of 50 ms, tuning of 5 cents.
    """

    def __init__(self, latent_size: int, gated: bool) -> None:
        """gated: whether the note is let go within the recording, so that there is a gate to be found."""
        self.latent_size = latent_size
        self.gated = gated
        self.size = latent_size + _N_PLAYED
        self.velocity, self.level, self.gate, self.tuning = range(latent_size, self.size)

    def vector(self, point: Point) -> Vector:
        velocity = min(max(point.velocity, 0.02), 0.98)
        played = [np.log(velocity / (1.0 - velocity)), point.level_db / 6.0,
                  point.gate_s / 0.05 if self.gated else 0.0, point.cents / 5.0]  # fmt: skip
        return np.concatenate((np.asarray(point.z, np.float64), played))

    def point(self, vector: Vector) -> Point:
        values = self.columns(vector[None, :])
        gate_s = float(values["gate_s"][0]) if self.gated else np.inf
        return Point(values["z"][0], float(values["velocity"][0]), float(values["level_db"][0]), gate_s,
                     float(values["cents"][0]))  # fmt: skip

    def columns(self, vectors: Vector) -> dict[str, npt.NDArray[Any]]:
        """Of vectors [B, size]: z [B, Z] and velocity, level_db, gate_s, cents [B], float32."""
        played = vectors[:, self.latent_size :]
        gate_s = np.maximum(0.05 * played[:, 2], 0.005) if self.gated else np.full(len(vectors), NEVER_S)
        columns = {
            "z": vectors[:, : self.latent_size],
            "velocity": 1.0 / (1.0 + np.exp(-played[:, 0])),
            "level_db": 6.0 * played[:, 1],
            "gate_s": gate_s,
            "cents": 5.0 * played[:, 3],
        }
        return {name: np.ascontiguousarray(values, np.float32) for name, values in columns.items()}
