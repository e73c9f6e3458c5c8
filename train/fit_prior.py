"""The mixture of Gaussians that draws latents as training left them; see `noisysynth.latent_prior`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.latent_prior import LatentPrior, conditions

FEWEST_NOTES = 60
NOTES_PER_COMPONENT = 25
MOST_COMPONENTS = 256
ITERATIONS = 40
# Every component is as sure of its shape as if it had seen so many notes of the mean shape, so that none closes in on
# a handful of notes and gives them back as they were. How many: what makes notes that were left out likeliest.
_PSEUDO_NOTES = (5.0, 20.0)
_CHOOSING_ITERATIONS = 10
_LEFT_OUT = 5  # every fifth note
_LEAST_VARIANCE = 1e-4
_NOTHING = 1e-12  # of a note

Array = NDArray[np.floating]


def fit_prior(
    z: NDArray[np.float32],
    pitch: NDArray[np.float32],
    velocity: NDArray[np.float32],
    seed: int = 0,
    iterations: int = ITERATIONS,
    most_notes: int | None = None,
) -> LatentPrior | None:
    """Fitted by expectation maximisation to latents z [n, Z] of notes, pitch [n] MIDI, velocity [n] 0..1.

    most_notes: learn from at most so many, drawn evenly. None with fewer than FEWEST_NOTES: they say too little.
    """
    x = np.concatenate([conditions(pitch, velocity), z.astype(np.float64)], axis=1)
    if len(x) < FEWEST_NOTES or not np.isfinite(x).all():
        return None
    rng = np.random.default_rng(seed)
    if most_notes is not None and len(x) > most_notes:
        x = x[rng.choice(len(x), most_notes, replace=False)]
    order = rng.permutation(len(x))
    left_out, known = x[order[::_LEFT_OUT]], x[np.delete(order, np.s_[::_LEFT_OUT])]
    fits = [_fitted(known, pseudo_notes, seed, _CHOOSING_ITERATIONS) for pseudo_notes in _PSEUDO_NOTES]
    likeliest = int(np.argmax([_log_density(left_out, *fit).mean() for fit in fits]))
    weights, means, factors = _fitted(x, _PSEUDO_NOTES[likeliest], seed, iterations)
    return LatentPrior(weights.astype(np.float32), means.astype(np.float32), factors.astype(np.float32))


def _fitted(x: Array, pseudo_notes: float, seed: int, iterations: int) -> tuple[Array, Array, Array]:
    """Weights [K], means [K, D] and Cholesky factors [K, D, D] of the covariances, fitted to x [n, D]."""
    k = max(1, min(MOST_COMPONENTS, len(x) // NOTES_PER_COMPONENT))
    shares: Array = np.eye(k)[_nearest(x, _spread(x, k, np.random.default_rng(seed)))]
    for _ in range(iterations):
        weights, means, covariances = _maximise(x, shares, pseudo_notes)
        factors = np.linalg.cholesky(covariances)
        shares = _expect(x, weights, means, factors)
    return weights, means, factors


def _spread(x: Array, k: int, rng: np.random.Generator) -> Array:
    """k of the points, far from one another (k-means++; Arthur and Vassilvitskii 2007)."""
    chosen = [x[rng.integers(len(x))]]
    nearest = np.square(x - chosen[0]).sum(axis=1)
    while len(chosen) < k:
        total = nearest.sum()
        chosen.append(x[rng.choice(len(x), p=nearest / total if total > 0.0 else None)])
        nearest = np.minimum(nearest, np.square(x - chosen[-1]).sum(axis=1))
    return np.stack(chosen)


def _nearest(x: Array, centers: Array) -> NDArray[np.int64]:
    squared = np.square(centers).sum(axis=1) - 2.0 * x @ centers.T
    return squared.argmin(axis=1)


def _maximise(x: Array, shares: Array, pseudo_notes: float) -> tuple[Array, Array, Array]:
    """Weights [K], means [K, D] and covariances [K, D, D] of the notes as they are shared out [n, K]."""
    numbers = shares.sum(axis=0) + 1e-9
    means = shares.T @ x / numbers[:, None]
    scatters = np.empty((len(means), x.shape[1], x.shape[1]))
    for j, (mean, share) in enumerate(zip(means, shares.T, strict=True)):
        near = share > _NOTHING  # most notes are of two or three components
        apart = x[near] - mean
        scatters[j] = apart.T @ (apart * share[near, None])
    pooled = scatters.sum(axis=0) / len(x)
    covariances = (scatters + pseudo_notes * pooled) / (numbers + pseudo_notes)[:, None, None]
    covariances[:, np.arange(x.shape[1]), np.arange(x.shape[1])] += _LEAST_VARIANCE
    return numbers / numbers.sum(), means, covariances


def _expect(x: Array, weights: Array, means: Array, factors: Array) -> Array:
    """How much of each note is each component's, [n, K]."""
    scores = _scores(x, weights, means, factors)
    shares: Array = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _log_density(x: Array, weights: Array, means: Array, factors: Array) -> Array:
    """Of each row of x [n, D], less a constant: [n]."""
    density: Array = np.logaddexp.reduce(_scores(x, weights, means, factors), axis=1)
    return density


def _scores(x: Array, weights: Array, means: Array, factors: Array) -> Array:
    """Log of weight times density, less the constant of all, [n, K]."""
    scores = np.empty((len(x), len(weights)))
    for j, (weight, mean, factor) in enumerate(zip(weights, means, factors, strict=True)):
        inner = np.linalg.inv(factor) @ (x - mean).T  # one product is faster than thousands of solutions
        scores[:, j] = np.log(weight) - 0.5 * np.einsum("dn,dn->n", inner, inner) - np.log(np.diagonal(factor)).sum()
    return scores
