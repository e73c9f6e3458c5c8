"""Named latent directions for the knobs, found by measuring what the generator does."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from torch import nn

from noisysynth.export.descriptors import DESCRIPTORS, measure
from noisysynth.instrument import Direction
from noisysynth.parameters import N_KNOBS

N_FITTED = 384
N_LADDERS = 16
LADDER = (-1.0, -0.5, 0.0, 0.5, 1.0)
# +1 should move a descriptor by one standard deviation of what the training notes span ...
STRONG_DEVIATIONS = 1.0
# ... but not leave the cloud of training latents: at most this far, in standard deviations of that cloud.
LONGEST = 3.0
MAX_CORRELATION_LOSS = 0.1
MIN_CORRELATION = 0.5
MIN_EFFECT = 0.25
_RIDGE = 1e-2
_MIN_DEVIATION = 1e-3

Values = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """A direction tried out from many latents.

    ladder [5]: mean of its descriptor at LADDER. correlation: median over the latents of knob against descriptor.
    effect: half of what -1 to +1 changes, in standard deviations of the descriptor over the training notes.
    leak: the largest effect on another descriptor over its own.
    """

    descriptor: int
    vector: NDArray[np.float32]
    ladder: Values
    correlation: float
    effect: float
    leak: float


def find_directions(generator: nn.Module, z: NDArray[np.float32], seed: int = 0) -> tuple[Direction, ...]:
    """The best directions, at most N_KNOBS, for a generator whose training latents are z [n, Z]."""
    rng = np.random.default_rng(seed)
    latents = _spread(z, N_FITTED, rng)
    values = measure(generator, latents)
    deviation = values.std(axis=0)
    useful = [index for index in range(len(DESCRIPTORS)) if deviation[index] > _MIN_DEVIATION]
    if not useful:
        return ()
    covariance = np.cov(latents.T.astype(np.float64)).reshape(latents.shape[1], -1)
    starts = latents[rng.permutation(len(latents))[:N_LADDERS]]
    tried = _fit_and_try(generator, latents, values, covariance, useful, starts)
    tried = [m for m in tried if _deserves_a_knob(m)]
    best = sorted(tried, key=lambda m: m.correlation * min(m.effect, 1.0) / (1.0 + m.leak), reverse=True)[:N_KNOBS]
    if not best:
        return ()
    # Without the qualities that got no knob there is more room to keep the others apart.
    chosen = sorted(m.descriptor for m in best)
    final = _fit_and_try(generator, latents, values, covariance, chosen, starts)
    return tuple(_direction(m) for m in final if _deserves_a_knob(m))


def _deserves_a_knob(measured: Measured) -> bool:
    change = float(measured.ladder[-1] - measured.ladder[0])
    return (
        measured.correlation >= MIN_CORRELATION
        and measured.effect >= MIN_EFFECT
        and change >= DESCRIPTORS[measured.descriptor].audible
    )


def _spread(z: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """[count, Z]: training latents, and points between pairs of them where knobs and pad will lead."""
    first = z[rng.integers(len(z), size=count)]
    second = z[rng.integers(len(z), size=count)]
    share = np.where(np.arange(count) % 2 == 0, 0.0, rng.random(count))[:, None]
    jitter = 0.1 * z.std(axis=0) * rng.normal(size=first.shape)
    spread: NDArray[np.float32] = (first * (1.0 - share) + second * share + jitter).astype(np.float32)
    return spread


def _fit_and_try(
    generator: nn.Module,
    latents: NDArray[np.float32],
    values: Values,
    covariance: Values,
    chosen: list[int],
    starts: NDArray[np.float32],
) -> list[Measured]:
    deviation = values.std(axis=0)
    target = (values[:, chosen] - values[:, chosen].mean(0)) / deviation[chosen]
    slopes = _slopes(latents.astype(np.float64), target, covariance)
    vectors = _separate(slopes, covariance)
    return [_try(generator, vectors[row], chosen, row, starts, deviation, covariance) for row in range(len(chosen))]


def _slopes(latents: Values, target: Values, covariance: Values) -> Values:
    """[D, Z], ridge regression of standardised descriptors [n, D] on latents [n, Z]."""
    centered = latents - latents.mean(0)
    ridge = _RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    result: Values = np.linalg.solve(covariance + ridge, centered.T @ target / len(latents)).T
    return result


def _separate(slopes: Values, covariance: Values) -> Values:
    """[D, Z], for each descriptor the shortest move, in the metric of the latents, that leaves the others alone.

    Softened by a ridge: descriptors that go together in every training sound cannot be told apart by force.
    """
    spread = covariance @ slopes.T
    gram = slopes @ spread
    softening = 0.05 * np.trace(gram) / len(gram) * np.eye(len(gram))
    vectors: Values = np.linalg.solve(gram + softening, spread.T)
    for row, vector in enumerate(vectors):
        if slopes[row] @ vector < 0.0:
            vectors[row] = -vector
    return vectors


def _try(
    generator: nn.Module,
    vector: Values,
    chosen: list[int],
    row: int,
    starts: NDArray[np.float32],
    deviation: Values,
    covariance: Values,
) -> Measured:
    ridge = 1e-6 * np.trace(covariance) * np.eye(len(covariance))
    unit = vector / np.sqrt(max(float(vector @ np.linalg.solve(covariance + ridge, vector)), 1e-12))
    result = _try_length(generator, unit, chosen, row, starts, deviation)
    # Effects grow about linearly with length, so the length that is strong enough can be foretold.
    wanted = min(max(STRONG_DEVIATIONS / max(result.effect, 1e-3), 1.0), LONGEST)
    for length in (wanted, 0.5 * (1.0 + wanted)):
        if length <= 1.1:
            break
        longer = _try_length(generator, unit * length, chosen, row, starts, deviation)
        if longer.correlation >= result.correlation - MAX_CORRELATION_LOSS:  # the knob still means what it says
            return longer
    return result


def _try_length(
    generator: nn.Module,
    vector: Values,
    chosen: list[int],
    row: int,
    starts: NDArray[np.float32],
    deviation: Values,
) -> Measured:
    steps = np.asarray(LADDER)
    moved = starts[:, None, :] + steps[:, None] * vector
    values = measure(generator, moved.reshape(-1, starts.shape[1]).astype(np.float32))
    values = values.reshape(len(starts), len(steps), -1)
    own = values[:, :, chosen[row]]
    centered = own - own.mean(1, keepdims=True)
    norms = np.linalg.norm(centered, axis=1) * np.linalg.norm(steps)
    correlations = np.where(norms > 1e-9, centered @ steps / np.maximum(norms, 1e-9), 0.0)
    effects = (values[:, -1] - values[:, 0]).mean(0)[chosen] / (2.0 * deviation[chosen])
    others = np.delete(np.abs(effects), row)
    effect = float(effects[row])
    leak = float(others.max() / max(abs(effect), 1e-3)) if len(others) else 0.0
    return Measured(chosen[row], vector.astype(np.float32), own.mean(0), float(np.median(correlations)), effect, leak)


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
