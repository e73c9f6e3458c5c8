"""Many notes, each heard once: both embeddings and the pitch of every one, without keeping the audio."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.export.evaluation import metrics
from noisysynth.export.evaluation.embedding import SIZE, Embedding, heard, stacked
from noisysynth.export.evaluation.embedding_plain import SIZE as PLAIN_SIZE
from noisysynth.export.evaluation.embedding_plain import plain_embedding
from noisysynth.export.evaluation.notes import Audio, Told
from noisysynth.export.evaluation.pitch import Reading, read_pitch

Progress = Callable[[int], None]
EMBEDDINGS = ("trained", "plain")


@dataclasses.dataclass(frozen=True, eq=False)
class Heard:
    """n notes. levels: [n, frames, mels], what the ear was shown. trained: [n, 64]. plain: [n, 60]."""

    levels: NDArray[np.float16]
    trained: NDArray[np.float32]
    plain: NDArray[np.float32]
    readings: list[Reading]

    def __len__(self) -> int:
        return len(self.trained)

    def rows(self, rows: NDArray[np.int64]) -> Heard:
        """Some of them."""
        readings = [self.readings[row] for row in rows] if self.readings else []
        return Heard(self.levels[rows], self.trained[rows], self.plain[rows], readings)

    def some(self, n: int, seed: int = 0) -> Heard:
        """At most n of them, drawn evenly."""
        return self if len(self) <= n else self.rows(np.random.default_rng(seed).permutation(len(self))[:n])

    def parts(self, n: int, seed: int = 0) -> list[Heard]:
        """As many sets of n of them as there are, at random, without a note in two of them; all of them if fewer."""
        order = np.random.default_rng(seed).permutation(len(self))
        return [self.rows(order[i : i + n]) for i in range(0, max(len(self) - n, 0) + 1, n)]


NOTHING = Heard(stacked([]), np.zeros((0, SIZE), np.float32), np.zeros((0, PLAIN_SIZE), np.float32), [])


class Listener:
    """Hears notes at one sample rate."""

    def __init__(self, embedding: Embedding, sample_rate: int) -> None:
        self.embedding = embedding
        self.sample_rate = sample_rate
        # So that no coefficient of the plain embedding outweighs the others; see `calibrate`.
        self._plain_mean = np.zeros(PLAIN_SIZE, np.float32)
        self._plain_deviation = np.ones(PLAIN_SIZE, np.float32)

    def calibrate(self, real: Heard) -> Heard:
        """Scale the plain embedding to deviation 1 over these real notes from now on; the same notes, scaled."""
        self._plain_mean = real.plain.mean(axis=0)
        self._plain_deviation = np.maximum(real.plain.std(axis=0), 1e-4)
        return dataclasses.replace(real, plain=(real.plain - self._plain_mean) / self._plain_deviation)

    def hear(self, notes: Iterable[tuple[Audio, Told]], progress: Progress, with_pitch: bool = True) -> Heard:
        """All of them; progress is told of each."""
        levels, plain, readings = [], [], []
        for audio, told in notes:
            levels.append(heard(audio, self.sample_rate))
            plain.append(plain_embedding(audio, self.sample_rate))
            if with_pitch:
                readings.append(read_pitch(audio, self.sample_rate, told))
            progress(1)
        all_levels = stacked(levels)
        all_plain = np.stack(plain) if plain else np.zeros((0, PLAIN_SIZE), np.float32)
        scaled = (all_plain - self._plain_mean) / self._plain_deviation
        return Heard(all_levels, self.embedding(all_levels), scaled.astype(np.float32), readings)

    def embed(self, sounds: Sequence[Audio]) -> NDArray[np.float32]:
        """[n, 64] of some notes, by the trained embedding."""
        return self.embedding(stacked([heard(audio, self.sample_rate) for audio in sounds]))


def compare(samples: Heard, real: Heard) -> dict[str, Any]:
    """Every distance between two sets, in both embeddings, at equal N: the larger is cut at random to the smaller."""
    n = min(len(samples), len(real))
    samples, real = samples.some(n), real.some(n)
    figures: dict[str, Any] = {"n": n}
    for name in EMBEDDINGS:
        a, b = getattr(samples, name), getattr(real, name)
        density, coverage = metrics.density_coverage(b, a)
        distance = metrics.kid(a, b)
        figures[name] = {
            "frechet": metrics.frechet(a, b),
            "kid": distance.value,
            "kid_deviation": distance.deviation,
            "density": density,
            "coverage": coverage,
            "ndb": metrics.ndb(b, a),
        }
    return figures


def over_seeds(rows: Sequence[dict[str, Any]], independent: int | None = None) -> dict[str, Any]:
    """The mean of comparisons, with `spread`: the sample's standard deviation of each figure over them (of one: 0).

    independent: only so many, the first, have no notes in common, and the spread is theirs alone.
    """
    times = len(rows) if independent is None else independent
    figures: dict[str, Any] = {"n": rows[0]["n"], "times": times}
    for embedding in EMBEDDINGS:
        values = {name: np.array([row[embedding][name] for row in rows]) for name in rows[0][embedding]}
        figures[embedding] = {name: float(each.mean()) for name, each in values.items()}
        figures[embedding]["spread"] = {
            name: float(each[:times].std(ddof=1)) if times > 1 else 0.0 for name, each in values.items()
        }
    return figures


def with_floor(figures: dict[str, Any], floor: dict[str, Any]) -> dict[str, Any]:
    """The figures with the Frechet distance that real notes reach in the same place, `floor`, and the `ratio` to it."""
    figures = dict(figures)
    for embedding in EMBEDDINGS:
        at_floor = floor[embedding]["frechet"]
        ratio = figures[embedding]["frechet"] / at_floor if at_floor > 0.0 else math.nan
        figures[embedding] = {**figures[embedding], "floor": at_floor, "ratio": ratio}
    return figures
