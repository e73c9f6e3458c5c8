"""What the search moves: a latent, four knobs and how the note was played, as one vector of numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

VELOCITY_GUESS = 0.75
NEVER_S = 1e6
PLAYED = ("velocity", "level", "gate", "tuning")
KNOBS = ("tilt", "noise", "attack", "release")
MOST_TILT, MOST_NOISE, MOST_STRETCH = 9.0, 12.0, 4.0  # what the knobs of these names reach


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """z: [Z]. velocity: 0..1. level_db: of the recording over the instrument. gate_s: inf where the key stays down.

    cents: from the note's pitch. tilt_db: per octave; noise_db, attack, release, shimmer: as the knobs of these names.
    """

    z: npt.NDArray[np.float32]
    velocity: float = VELOCITY_GUESS
    level_db: float = 0.0
    gate_s: float = np.inf
    cents: float = 0.0
    tilt_db: float = 0.0
    noise_db: float = 0.0
    attack: float = 1.0
    release: float = 1.0
    shimmer: float = 1.0  # not searched but matched, so no part of a vector

    @property
    def norm(self) -> float:
        """Root mean square of z: about 1 where the instrument was trained."""
        return float(np.sqrt(np.mean(np.square(self.z, dtype=np.float64))))

    @property
    def parameters(self) -> dict[str, float]:
        """What a preset of this point sets besides its latent, by parameter id."""
        stretched = {"attack": self.attack, "release": self.release}
        return {"brightness": self.tilt_db, "noise_level": self.noise_db, **stretched, "shimmer": self.shimmer}


class Layout:
    """Points as vectors in which a step of about one means about as much everywhere, and back.

    After Z latent values: velocity through a logit, level in units of 6 dB, gate in units of 50 ms, tuning of 5 cents,
    tilt of 2 dB an octave, noise of 6 dB, attack and release of an octave of time.
    """

    def __init__(self, latent_size: int, gated: bool) -> None:
        """gated: whether the note is let go within the recording, so that there is a gate to be found."""
        self.latent_size = latent_size
        self.gated = gated
        names = PLAYED + KNOBS
        self.size = latent_size + len(names)
        self.at = {name: latent_size + i for i, name in enumerate(names)}

    def vector(self, point: Point) -> Vector:
        velocity = min(max(point.velocity, 0.02), 0.98)
        played = [np.log(velocity / (1.0 - velocity)), point.level_db / 6.0,
                  point.gate_s / 0.05 if self.gated else 0.0, point.cents / 5.0,
                  point.tilt_db / 2.0, point.noise_db / 6.0, np.log2(point.attack), np.log2(point.release)]  # fmt: skip
        return np.concatenate((np.asarray(point.z, np.float64), played))

    def point(self, vector: Vector) -> Point:
        values = self.columns(vector[None, :])
        rest = {name: float(column[0]) for name, column in values.items() if name != "z"}
        return Point(values["z"][0], **(rest | ({} if self.gated else {"gate_s": np.inf})))

    def columns(self, vectors: Vector) -> dict[str, npt.NDArray[Any]]:
        """Of vectors [B, size]: z [B, Z] and the other fields of Point [B], float32."""
        played = vectors[:, self.latent_size :]
        gate_s = np.maximum(0.05 * played[:, 2], 0.005) if self.gated else np.full(len(vectors), NEVER_S)
        columns = {
            "z": vectors[:, : self.latent_size],
            "velocity": 1.0 / (1.0 + np.exp(-played[:, 0])),
            "level_db": 6.0 * played[:, 1],
            "gate_s": gate_s,
            "cents": 5.0 * played[:, 3],
            "tilt_db": np.clip(2.0 * played[:, 4], -MOST_TILT, MOST_TILT),
            "noise_db": np.clip(6.0 * played[:, 5], -2.0 * MOST_NOISE, MOST_NOISE),
            "attack": _stretch(played[:, 6]),
            "release": _stretch(played[:, 7]),
        }
        return {name: np.ascontiguousarray(values, np.float32) for name, values in columns.items()}


def _stretch(octaves: Vector) -> Vector:
    most = np.log2(MOST_STRETCH)
    return np.asarray(2.0 ** np.clip(octaves, -most, most))
