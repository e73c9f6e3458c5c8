"""What the search moves: a latent, some knobs and how the note was played, as one vector of numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from noisysynth.effects import EFFECT_INDEX, EFFECTS

Vector = npt.NDArray[np.float64]

VELOCITY_GUESS = 0.75
NEVER_S = 1e6
PLAYED = ("velocity", "level", "gate", "tuning")
EQUALIZER = ("low", "mid", "mid_hz", "high")
KNOBS = ("tilt", "noise", "attack", "release", *EQUALIZER)
MOST_TILT, MOST_NOISE, MOST_STRETCH = 9.0, 12.0, 4.0  # what the knobs of these names reach
_EQUALIZER = 1 + EFFECT_INDEX["equalizer"]
_ROWS = EFFECTS[EFFECT_INDEX["equalizer"]].parameters
_LIMITS = {row.id: (row.minimum, row.maximum) for row in _ROWS}
_FLAT_DB = 0.5  # an equalizer that does less is left out
_MID_HZ = 1000.0


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """z: [Z]. velocity: 0..1. level_db: of the recording over the instrument. gate_s: inf where the key stays down.

    cents: from the note's pitch. tilt_db: per octave; noise_db, attack, release: as the knobs of these names. low_db,
    mid_db, mid_hz, high_db: of the equalizer, which is the body of a recorded instrument: the same at all of its keys.
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
    low_db: float = 0.0
    mid_db: float = 0.0
    mid_hz: float = _MID_HZ
    high_db: float = 0.0

    @property
    def norm(self) -> float:
        """Root mean square of z: about 1 where the instrument was trained."""
        return float(np.sqrt(np.mean(np.square(self.z, dtype=np.float64))))

    @property
    def parameters(self) -> dict[str, float]:
        """What a preset of this point sets besides its latent, by parameter id."""
        stretched = {"attack": self.attack, "release": self.release}
        return {"brightness": self.tilt_db, "noise_level": self.noise_db, **stretched, **self._insert()}

    def _insert(self) -> dict[str, float]:
        """The equalizer as the part's first insert, or nothing."""
        if max(abs(self.low_db), abs(self.mid_db), abs(self.high_db)) < _FLAT_DB:
            return {}
        values = {"low": self.low_db, "mid": self.mid_db, "mid_hz": self.mid_hz, "high": self.high_db, "mix": 1.0}
        positions = {f"insert_1_{i}": row.to_position(values[row.id]) for i, row in enumerate(_ROWS, 1)}
        return {"insert_1": float(_EQUALIZER), **positions}


class Layout:
    """Points as vectors in which a step of about one means about as much everywhere, and back.

    After Z latent values: velocity through a logit, level in units of 6 dB, gate in units of 50 ms, tuning of 5 cents,
    tilt of 2 dB an octave, noise of 6 dB, attack and release of an octave of time, the equalizer's gains of 4 dB, its
    bell of half an octave.
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
                  point.tilt_db / 2.0, point.noise_db / 6.0, np.log2(point.attack), np.log2(point.release),
                  point.low_db / 4.0, point.mid_db / 4.0, 2.0 * np.log2(point.mid_hz / _MID_HZ),
                  point.high_db / 4.0]  # fmt: skip
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
            "low_db": np.clip(4.0 * played[:, 8], *_LIMITS["low"]),
            "mid_db": np.clip(4.0 * played[:, 9], *_LIMITS["mid"]),
            "mid_hz": np.clip(_MID_HZ * 2.0 ** (0.5 * played[:, 10]), *_LIMITS["mid_hz"]),
            "high_db": np.clip(4.0 * played[:, 11], *_LIMITS["high"]),
        }
        return {name: np.ascontiguousarray(values, np.float32) for name, values in columns.items()}


def _stretch(octaves: Vector) -> Vector:
    most = np.log2(MOST_STRETCH)
    return np.asarray(2.0 ** np.clip(octaves, -most, most))
