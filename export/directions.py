"""Named latent directions for the knobs, found by measuring what the control network does."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from noisysynth.export.descriptors import DESCRIPTORS, RunControls, measure
from noisysynth.instrument import Direction
from noisysynth.parameters import N_KNOBS

N_FITTED = 256
N_LADDERS = 32
N_ATTEMPTS = 3  # from other latents: what just fails from some is found from others
LADDER = (-1.0, -0.5, 0.0, 0.5, 1.0)
# +1 should move a descriptor by one standard deviation of what the training notes span ...
STRONG_DEVIATIONS = 1.0
# ... but not leave the cloud of training latents: at most this far, in standard deviations of that cloud.
LONGEST = 3.0
MAX_CORRELATION_LOSS = 0.1
MIN_CORRELATION = 0.5
MIN_EFFECT = 0.25
SECANT_DEVIATIONS = 0.35
_RIDGE = 1e-2
_SOFTENING = 0.05
_MIN_DEVIATION = 1e-3

Values = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """A direction tried out from many latents.

    ladder [5]: mean of its descriptor at LADDER. correlation: median over the latents of knob against descriptor.
    effect: half of what -1 to +1 changes, in standard deviations of the descriptor over the training notes.
    leak: the largest effect on another descriptor that has a knob, over its own.
    """

    descriptor: int
    vector: NDArray[np.float32]
    ladder: Values
    correlation: float
    effect: float
    leak: float

    @property
    def deserves_a_knob(self) -> bool:
        audible = float(self.ladder[-1] - self.ladder[0]) >= DESCRIPTORS[self.descriptor].audible
        return audible and self.correlation >= MIN_CORRELATION and self.effect >= MIN_EFFECT


def find_directions(run: RunControls, z: NDArray[np.float32], seed: int = 0) -> tuple[Direction, ...]:
    """The best directions, at most N_KNOBS, for a control network (`ControlNet.run`) with training latents z [n, Z].

    The attempt that finds the most, and of those the one whose knobs do the most.
    """
    best: list[Measured] = []
    for attempt in range(N_ATTEMPTS):
        found = _attempt(_Search(run, z, np.random.default_rng([seed, attempt])))
        best = max(best, found, key=lambda kept: (len(kept), sum(measured.effect for measured in kept)))
        if len(best) == N_KNOBS:
            break
    return tuple(_direction(measured) for measured in best)


def _attempt(search: _Search) -> list[Measured]:
    useful = [index for index in range(len(DESCRIPTORS)) if search.deviation[index] > _MIN_DEVIATION]
    kept = search.settle([index for index in useful if not DESCRIPTORS[index].spare])
    for spare in (index for index in useful if DESCRIPTORS[index].spare):
        if len(kept) < N_KNOBS:
            wider = search.settle([*(m.descriptor for m in kept), spare])
            # A spare shares much with the others (the fundamental's level with brightness) and must not cost one.
            if len(wider) > len(kept):
                kept = wider
    return kept[:N_KNOBS]


class _Search:
    """Latents to measure at, what was measured there, and how to fit and try directions."""

    def __init__(self, run: RunControls, z: NDArray[np.float32], rng: np.random.Generator) -> None:
        self.run = run
        self.latents = _spread(z, N_FITTED, rng)
        self.values = measure(run, self.latents)
        self.deviation = self.values.std(axis=0)
        size = self.latents.shape[1]
        self.covariance = np.cov(self.latents.T.astype(np.float64)).reshape(size, size)
        self.covariance += 1e-6 * np.trace(self.covariance) / size * np.eye(size)
        self.starts = self.latents[rng.permutation(N_FITTED)[:N_LADDERS]]
        # Both ends of random moves about as long as a knob's: slopes from these are of what moving does. A regression
        # of descriptors on latents alone tells what the training instruments happen to have in common instead.
        self.moves = SECANT_DEVIATIONS * rng.multivariate_normal(np.zeros(size), self.covariance, N_FITTED)
        self.changes = measure(run, (self.latents + self.moves).astype(np.float32))
        self.changes -= measure(run, (self.latents - self.moves).astype(np.float32))

    def settle(self, chosen: list[int]) -> list[Measured]:
        """Directions for the chosen descriptors, fitted anew without those that failed until none fails."""
        while chosen:
            vectors = self._fit(chosen)
            tried = [self._try(vectors[row], chosen, row) for row in range(len(chosen))]
            kept = [measured for measured in tried if measured.deserves_a_knob]
            if len(kept) == len(chosen):
                return kept
            chosen = [measured.descriptor for measured in kept]
        return []

    def _fit(self, chosen: list[int]) -> Values:
        """[D, Z], for each descriptor the shortest move in the cloud of latents that leaves the others alone."""
        size = len(self.covariance)
        target = self.changes[:, chosen] / (2.0 * self.deviation[chosen])
        covariance = self.moves.T @ self.moves
        ridge = _RIDGE * np.trace(covariance) / size * np.eye(size)
        slopes = np.linalg.solve(covariance + ridge, self.moves.T @ target).T
        spread = self.covariance @ slopes.T
        gram = slopes @ spread
        # Softened: descriptors that go together in every training sound cannot be told apart by force.
        softening = _SOFTENING * np.trace(gram) / len(gram) * np.eye(len(gram))
        vectors: Values = np.linalg.solve(gram + softening, spread.T)
        lengths = np.sqrt(np.einsum("dz,dz->d", vectors, np.linalg.solve(self.covariance, vectors.T).T))
        return vectors / np.maximum(lengths, 1e-9)[:, None]

    def _try(self, unit: Values, chosen: list[int], row: int) -> Measured:
        """A direction of one standard deviation of the latents, made as long as it takes to be strong."""
        result = self._measure(unit, chosen, row)
        # Effects grow about linearly with length, so the length that is strong enough can be foretold.
        wanted = min(max(STRONG_DEVIATIONS / max(result.effect, 1e-3), 1.0), LONGEST)
        for length in (wanted, 0.5 * (1.0 + wanted)):
            if length <= 1.1:
                break
            longer = self._measure(unit * length, chosen, row)
            if longer.correlation >= result.correlation - MAX_CORRELATION_LOSS:  # the knob still means what it says
                return longer
        return result

    def _measure(self, vector: Values, chosen: list[int], row: int) -> Measured:
        steps = np.asarray(LADDER)
        moved = (self.starts[:, None, :] + steps[:, None] * vector).astype(np.float32)
        values = measure(self.run, moved.reshape(-1, moved.shape[-1])).reshape(len(moved), len(steps), -1)
        own = values[:, :, chosen[row]]
        centered = own - own.mean(1, keepdims=True)
        norms = np.linalg.norm(centered, axis=1) * np.linalg.norm(steps)
        correlations = np.where(norms > 1e-9, centered @ steps / np.maximum(norms, 1e-9), 0.0)
        effects = (values[:, -1] - values[:, 0]).mean(0)[chosen] / (2.0 * self.deviation[chosen])
        effect = float(effects[row])
        others = np.delete(np.abs(effects), row)
        leak = float(others.max()) / max(abs(effect), 1e-3) if len(others) else 0.0
        correlation = float(np.median(correlations))
        return Measured(chosen[row], vector.astype(np.float32), own.mean(0), correlation, effect, leak)


def _spread(z: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """[count, Z]: training latents, and points between pairs of them where knobs and pad will lead."""
    first = z[rng.integers(len(z), size=count)]
    second = z[rng.integers(len(z), size=count)]
    share = np.where(np.arange(count) % 2 == 0, 0.0, rng.random(count))[:, None]
    jitter = 0.1 * z.std(axis=0) * rng.normal(size=first.shape)
    return np.asarray(first * (1.0 - share) + second * share + jitter, np.float32)


def _direction(measured: Measured) -> Direction:
    descriptor = DESCRIPTORS[measured.descriptor]
    low, middle, high = measured.ladder[[0, 2, 4]]
    shown = " to ".join(descriptor.show(float(value)) for value in (low, middle, high))
    return Direction(
        name=descriptor.knob,
        vector=measured.vector,
        effect=f"{descriptor.label}: {shown}",
        measured={
            "at_minus_1": float(low),
            "at_0": float(middle),
            "at_plus_1": float(high),
            "correlation": measured.correlation,
            "effect_deviations": measured.effect,
            "leak": measured.leak,
        },
    )
