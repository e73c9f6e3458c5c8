"""Distances between two sets of embedded notes [n, D], and what each says."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from noisysynth.train.quick_metrics import frechet_distance

NEIGHBOURS = 5
BINS = 50
NOTES_PER_BIN = 8
KID_SUBSETS = 100
KID_SUBSET_SIZE = 100
_SIGNIFICANT = 1.959964  # two-sided 0.05 of the normal distribution

Set = NDArray[np.float32]


class Measured(NamedTuple):
    """An estimate and the standard deviation of it that its own resampling shows."""

    value: float
    deviation: float


def frechet(first: Set, second: Set) -> float:
    """Frechet distance of Gaussians fitted to two sets of equal size; biased upwards, the more so the smaller they are.

    Nothing can be said of fewer than 2 notes: NaN.
    """
    if min(len(first), len(second)) < 2:
        return math.nan
    return max(0.0, frechet_distance(torch.from_numpy(first), torch.from_numpy(second)))


def kid(first: Set, second: Set, seed: int = 0) -> Measured:
    """Kernel distance (Binkowski et al. 2018): unbiased MMD^2 with the kernel (x . y / D + 1)^3, mean over subsets.

    Around 0 for sets from one distribution, and then below 0 as often as above. The deviation is that between random
    subsets of half of the smaller set, at most 100 notes, which is more than that of their mean.
    """
    size = min(KID_SUBSET_SIZE, min(len(first), len(second)) // 2)
    if size < 2:
        return Measured(math.nan, math.nan)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(KID_SUBSETS):
        a = first[rng.choice(len(first), size, replace=False)].astype(np.float64)
        b = second[rng.choice(len(second), size, replace=False)].astype(np.float64)
        values.append(mmd(a, b))
    return Measured(float(np.mean(values)), float(np.std(values)))


def mmd(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The unbiased squared maximum mean discrepancy of all of a [n, D] and b [n, D] under KID's kernel."""
    n, d = a.shape
    aa, bb, ab = ((x @ y.T / d + 1.0) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    within = (aa.sum() - np.trace(aa)) + (bb.sum() - np.trace(bb))
    return float(within / (n * (n - 1)) - 2.0 * ab.mean())


def density_coverage(real: Set, samples: Set, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Density and coverage (Naeem et al. 2020): balls around real notes reach to their k-th nearest real neighbour.

    Density: balls a sample is in, over k; about 1 for a perfect model. Coverage: share of balls with a sample inside.
    """
    if len(real) <= k or not len(samples):
        return math.nan, math.nan
    among = distances(real, real)
    np.fill_diagonal(among, np.inf)
    radius = np.partition(among, k - 1, axis=1)[:, k - 1]
    inside = distances(real, samples) < radius[:, None]
    return float(inside.sum() / (k * len(samples))), float(inside.any(axis=1).mean())


def ndb_bins(n: int) -> int:
    """K: 50, or fewer, so that a cell holds NOTES_PER_BIN notes on average; with less the test sees nothing."""
    return min(BINS, n // NOTES_PER_BIN)


def ndb(real: Set, samples: Set, bins: int | None = None, seed: int = 0) -> float:
    """NDB / K (Richardson and Weiss 2018): share of k-means cells of the real notes where samples are over- or
    underrepresented.

    By a two-proportion test at 0.05, so a perfect model scores about 0.05. bins: K; by default `ndb_bins`.
    """
    bins = ndb_bins(len(real)) if bins is None else bins
    if not 2 <= bins <= len(real):
        return math.nan
    centers = k_means(real.astype(np.float64), bins, seed)
    counts = [np.bincount(distances(each, centers).argmin(axis=1), minlength=bins) for each in (real, samples)]
    n_real, n_samples = len(real), len(samples)
    pooled = (counts[0] + counts[1]) / (n_real + n_samples)
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / n_real + 1.0 / n_samples))
    z = np.abs(counts[0] / n_real - counts[1] / n_samples) / np.maximum(error, 1e-12)
    return float(np.mean(z > _SIGNIFICANT))


def k_means(points: NDArray[np.float64], k: int, seed: int, iterations: int = 60) -> NDArray[np.float64]:
    """Centers [k, D] by Lloyd's algorithm from k-means++ (Arthur and Vassilvitskii 2007); empty cells stay."""
    rng = np.random.default_rng(seed)
    centers = points[rng.integers(len(points))][None]
    nearest = distances(points, centers)[:, 0] ** 2
    while len(centers) < k:
        total = nearest.sum()
        share = nearest / total if total > 0.0 else np.full(len(points), 1.0 / len(points))
        centers = np.concatenate([centers, points[rng.choice(len(points), p=share)][None]])
        nearest = np.minimum(nearest, distances(points, centers[-1:])[:, 0] ** 2)
    for _ in range(iterations):
        cell = distances(points, centers).argmin(axis=1)
        moved = np.stack([points[cell == i].mean(axis=0) if np.any(cell == i) else centers[i] for i in range(k)])
        if np.allclose(moved, centers):
            break
        centers = moved
    return centers


class Memorised(NamedTuple):
    """Are samples nearer to training notes than to as many notes never trained on?

    share: of samples whose nearest is a training note; z: its distance from one half in standard deviations; ratio:
    median distance to the nearest training note over that to the nearest held-out one. A copyist: 1, large, near 0.
    """

    share: float
    z: float
    ratio: float


def memorised(samples: Set, trained: Set, held_out: Set) -> Memorised:
    """trained and held_out must be equally many, or the larger would be nearer by numbers alone (ValueError)."""
    if len(trained) != len(held_out):
        raise ValueError(f"{len(trained)} training notes against {len(held_out)} held-out ones")
    if not len(samples) or not len(trained):
        return Memorised(math.nan, math.nan, math.nan)
    to_trained, to_held_out = (distances(samples, notes).min(axis=1) for notes in (trained, held_out))
    share = float(np.mean(to_trained < to_held_out) + 0.5 * np.mean(to_trained == to_held_out))
    z = (share - 0.5) / math.sqrt(0.25 / len(samples))
    return Memorised(share, z, float(np.median(to_trained) / max(float(np.median(to_held_out)), 1e-12)))


def distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Euclidean, [len(a), len(b)]."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    squared = (x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2.0 * x @ y.T
    return np.sqrt(np.maximum(squared, 0.0))
