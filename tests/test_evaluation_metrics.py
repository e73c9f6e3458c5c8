"""The distances of an evaluation, against slow definitions and known cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from noisysynth.export.evaluation.listening import Heard, compare, over_seeds, with_floor
from noisysynth.export.evaluation.metrics import (
    BINS,
    NOTES_PER_BIN,
    density_coverage,
    distances,
    frechet,
    k_means,
    kid,
    memorised,
    mmd,
    ndb,
    ndb_bins,
)

D = 6


def cloud(n: int, seed: int, shift: float = 0.0, scale: float = 1.0, d: int = D) -> NDArray[np.float32]:
    return (shift + scale * np.random.default_rng(seed).normal(size=(n, d))).astype(np.float32)


def whitened(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same points with mean exactly 0 and covariance exactly I."""
    centered = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    root = np.linalg.cholesky(np.linalg.inv(np.cov(centered.T)))
    return (centered @ root).astype(np.float32)


def test_frechet_of_a_set_with_itself_is_nothing() -> None:
    points = cloud(200, 0)
    assert frechet(points, points) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 2.0), (1.5, 1.0), (0.5, 0.25)])
def test_frechet_of_gaussians_is_the_closed_form(shift: float, scale: float) -> None:
    """N(0, I) to N(m, s^2 I): |m|^2 + D (1 - s)^2."""
    points = whitened(cloud(400, 1))
    moved = (shift + scale * whitened(cloud(400, 2))).astype(np.float32)
    assert frechet(points, moved) == pytest.approx(D * (shift**2 + (1.0 - scale) ** 2), rel=1e-4)


def test_frechet_is_symmetric_and_biased_upwards_in_small_sets() -> None:
    a, b = cloud(60, 3), cloud(60, 4)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-6)
    assert frechet(a, b) > frechet(cloud(2_000, 5), cloud(2_000, 6)) > 0.0
    assert math.isnan(frechet(a[:1], b))


def test_mmd_is_its_definition() -> None:
    a, b = (cloud(n, n).astype(np.float64) for n in (7, 7))
    b = b + 0.3

    def kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        return float((x @ y / D + 1.0) ** 3)

    n = len(a)
    within = sum(kernel(s[i], s[j]) for s in (a, b) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    between = sum(kernel(x, y) for x in a for y in b) / n**2
    assert mmd(a, b) == pytest.approx(within - 2.0 * between, rel=1e-9)


def test_kid_is_unbiased_around_nothing() -> None:
    """Over many pairs of sets from one distribution its mean is 0 within its own error, and it is below 0, too."""
    values = np.array([mmd(cloud(40, i).astype(float), cloud(40, 1_000 + i).astype(float)) for i in range(300)])
    error = values.std() / math.sqrt(len(values))
    assert abs(values.mean()) < 4.0 * error
    assert 0.25 < np.mean(values < 0.0) < 0.75


def test_kid_sees_a_shift_that_its_deviation_does_not_explain() -> None:
    same, moved = kid(cloud(300, 1), cloud(300, 2)), kid(cloud(300, 1), cloud(300, 3, shift=0.5))
    assert abs(same.value) < same.deviation
    assert moved.value > 3.0 * moved.deviation
    assert math.isnan(kid(cloud(3, 1), cloud(3, 2)).value)


def test_coverage_and_density_are_their_definitions() -> None:
    real, samples, k = cloud(30, 1), cloud(20, 2, shift=0.4), 5
    inside = np.zeros((30, 20), bool)
    for i in range(30):
        radius = sorted(float(np.linalg.norm(real[i] - real[j])) for j in range(30) if j != i)[k - 1]
        for j in range(20):
            inside[i, j] = np.linalg.norm(real[i] - samples[j]) < radius
    density, coverage = density_coverage(real, samples, k)
    assert density == pytest.approx(inside.sum() / (k * 20))
    assert coverage == pytest.approx(inside.any(axis=1).mean())


def test_coverage_of_identical_disjoint_and_collapsed_sets() -> None:
    real = cloud(200, 1)
    assert density_coverage(real, real)[1] == 1.0
    assert density_coverage(real, cloud(200, 2))[1] > 0.9
    assert density_coverage(real, cloud(200, 3, shift=50.0)) == (0.0, 0.0)
    collapsed = np.repeat(real[:4], 50, axis=0)
    density, coverage = density_coverage(real, collapsed)
    assert coverage < 0.5, "most of the real notes have no sample near"
    assert density > 0.5, "but every sample is near real notes"
    assert math.isnan(density_coverage(real[:5], real)[1])


def test_ndb_is_small_for_one_distribution_and_large_for_a_collapsed_one() -> None:
    real = cloud(1_000, 1)
    assert ndb(real, cloud(1_000, 2)) < 0.2
    collapsed = real[np.random.default_rng(0).integers(0, 20, 1_000)]
    assert ndb(real, collapsed) > 0.6
    assert ndb_bins(1_000) == BINS
    assert ndb_bins(10 * NOTES_PER_BIN) == 10
    assert math.isnan(ndb(real[:NOTES_PER_BIN], real))


def test_k_means_finds_separate_heaps() -> None:
    heaps = [np.full(D, 10.0 * i) for i in range(4)]
    points = np.concatenate([heap + 0.1 * cloud(25, i).astype(float) for i, heap in enumerate(heaps)])
    centers = k_means(points, 4, seed=0)
    assert np.abs(np.sort(centers[:, 0]) - [0.0, 10.0, 20.0, 30.0]).max() < 0.5


def test_memorised_tells_a_copyist_from_a_learner() -> None:
    trained, held_out = cloud(200, 1), cloud(200, 2)
    learner = memorised(cloud(200, 3), trained, held_out)
    assert abs(learner.z) < 3.5
    assert 0.9 < learner.ratio < 1.1
    copyist = memorised(trained + 1e-3, trained, held_out)
    assert copyist.share == 1.0
    assert copyist.z > 10.0
    assert copyist.ratio < 0.05
    with pytest.raises(ValueError, match="200 training notes against 100"):
        memorised(trained, trained, held_out[:100])


def test_distances_are_norms_of_differences() -> None:
    a, b = cloud(5, 1), cloud(7, 2)
    expected = np.linalg.norm(a[:, None].astype(float) - b[None].astype(float), axis=2)
    np.testing.assert_allclose(distances(a, b), expected, atol=1e-9)


def test_a_comparison_has_equal_n_and_both_embeddings() -> None:
    def heard(n: int, seed: int) -> Heard:
        return Heard(np.zeros((n, 1, 1), np.float16), cloud(n, seed), cloud(n, seed + 50, d=3), [])

    parts = heard(120, 1).parts(50)
    assert [len(part) for part in parts] == [50, 50]
    assert not set(parts[0].trained[:, 0].tolist()) & set(parts[1].trained[:, 0].tolist())
    assert [len(part) for part in heard(20, 1).parts(50)] == [20]
    rows = [compare(heard(120, seed), heard(90, 9)) for seed in range(3)]
    assert {row["n"] for row in rows} == {90}
    mean = over_seeds(rows)
    values = [row["trained"]["frechet"] for row in rows]
    assert mean["trained"]["frechet"] == pytest.approx(np.mean(values))
    assert mean["trained"]["spread"]["frechet"] == pytest.approx(np.std(values, ddof=1))
    floor = over_seeds(rows[:1])
    assert floor["plain"]["spread"]["kid"] == 0.0
    above = with_floor(mean, floor)
    assert above["plain"]["ratio"] == pytest.approx(mean["plain"]["frechet"] / floor["plain"]["frechet"])
