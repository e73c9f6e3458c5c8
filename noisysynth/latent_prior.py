"""Where in the latent space the sounds are: a density over latents for keys and velocities, to draw new timbres from.

A standard normal is what training pulls the latents towards, but they never fill it: its draws fall between the
sounds, and it knows nothing of which sounds have a low C. So a mixture of Gaussians is fitted to the latents that
training ended with (ex-post density estimation; Ghosh et al. 2020, "From variational to deterministic autoencoders").
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from noisysynth.sealed_zip import BadFile

N_CONDITIONS = 2  # pitch and velocity
MAX_COMPONENTS = 256
_SEMITONES = 8.0  # so that pitch and velocity vary about as much as a latent does
_VELOCITY = 0.25
_MOST = 1_000.0

Array = NDArray[np.floating]


@dataclasses.dataclass(frozen=True, eq=False)
class LatentPrior:
    """A mixture of K Gaussians over vectors of conditions and latent, D = 2 + Z.

    weights [K], sum 1. means [K, D]. factors [K, D, D]: lower Cholesky factors of the covariances. Conditions come
    first, so that the latent given them needs nothing but a triangular solve of size two.
    """

    weights: NDArray[np.float32]
    means: NDArray[np.float32]
    factors: NDArray[np.float32]

    @property
    def latent_size(self) -> int:
        return int(self.means.shape[1]) - N_CONDITIONS

    def draw(self, pitch: Array, velocity: Array, rng: np.random.Generator) -> NDArray[np.float32]:
        """A latent [n, Z] for each note; pitch [n] MIDI, velocity [n] 0..1."""
        return self.at(pitch, velocity, rng.random(len(pitch)), rng.normal(size=(len(pitch), self.latent_size)))

    def at(self, pitch: Array, velocity: Array, uniform: Array, normal: Array) -> NDArray[np.float32]:
        """`draw`, with the chance from outside: uniform [n] 0..1 picks the Gaussian, normal [n, Z] the place in it."""
        wanted = conditions(pitch, velocity)
        c = N_CONDITIONS
        lower = self.factors[:, :c, :c].astype(np.float64)
        gaps = wanted[None] - self.means[:, None, :c]
        inner = np.linalg.solve(lower[:, None], gaps[..., None])[..., 0]  # [K, n, c]
        volume = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(-1)
        score = np.log(self.weights + 1e-30) - volume - 0.5 * np.square(inner).sum(-1).T  # [n, K]
        chosen = _pick(score, uniform)
        return self._latents(chosen, inner[chosen, np.arange(len(chosen))], normal)

    def draw_any(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Latents [n, Z] of any key and velocity."""
        score = np.broadcast_to(np.log(self.weights + 1e-30), (n, len(self.weights)))
        chosen, inner = _pick(score, rng.random(n)), rng.normal(size=(n, N_CONDITIONS))
        return self._latents(chosen, inner, rng.normal(size=(n, self.latent_size)))

    def _latents(self, chosen: NDArray[np.int64], inner: Array, normal: Array) -> NDArray[np.float32]:
        unit = np.concatenate([inner, normal], axis=1)
        rows = self.factors[chosen, N_CONDITIONS:]
        return (self.means[chosen, N_CONDITIONS:] + np.einsum("nzd,nd->nz", rows, unit)).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What a file keeps of it; `prior_of` reads it."""
        return {"weights": self.weights, "means": self.means, "factors": self.factors}


def conditions(pitch: Array, velocity: Array) -> NDArray[np.float64]:
    """[n, 2], the part of a vector that is not latent."""
    columns = [np.asarray(pitch, np.float64) / _SEMITONES, np.asarray(velocity, np.float64) / _VELOCITY]
    return np.stack(columns, axis=1)


def prior_of(arrays: dict[str, NDArray[np.float32]], latent_size: int) -> LatentPrior:
    """The prior in a file's arrays. BadFile when they are none for latents of this size."""
    if set(arrays) != {"weights", "means", "factors"}:
        raise BadFile("its prior is not weights, means and factors")
    weights, means, factors = arrays["weights"], arrays["means"], arrays["factors"]
    k, d = len(weights) if weights.ndim == 1 else 0, N_CONDITIONS + latent_size
    if not 1 <= k <= MAX_COMPONENTS or means.shape != (k, d) or factors.shape != (k, d, d):
        raise BadFile("the shapes of its prior do not fit its latents")
    if any(each.dtype != np.float32 for each in (weights, means, factors)):
        raise BadFile("its prior is not of float32")
    # A NaN fails these comparisons as well.
    if not (weights.min() >= 0.0 and abs(float(weights.sum()) - 1.0) < 1e-3):
        raise BadFile("the weights of its prior do not sum to one")
    if not (np.abs(means).max() <= _MOST and np.abs(factors).max() <= _MOST):
        raise BadFile("its prior is not finite, or far too wide")
    if not np.diagonal(factors, axis1=1, axis2=2).min() > 0.0 or np.triu(factors, 1).any():
        raise BadFile("the factors of its prior are not triangular")
    for each in (weights, means, factors):
        each.flags.writeable = False
    return LatentPrior(weights, means, factors)


def _pick(score: Array, uniform: Array) -> NDArray[np.int64]:
    """One of K for each row of log weights [n, K], as chance [n] from 0 to 1 has it."""
    share = np.exp(score - score.max(axis=1, keepdims=True)).cumsum(axis=1)
    return (uniform[:, None] * share[:, -1:] >= share).sum(axis=1).clip(max=share.shape[1] - 1)
