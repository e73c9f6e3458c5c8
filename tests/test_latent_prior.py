"""The density that new timbres are drawn from: fitted to what is there, true to its conditions, safely read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from make_instrument import SPEC, make_test_instrument

from noisysynth.errors import UserError
from noisysynth.instrument import instrument_bytes, parse_instrument, read_instrument, write_instrument
from noisysynth.latent_prior import LatentPrior, conditions
from noisysynth.train.fit_prior import FEWEST_NOTES, fit_prior

Z = SPEC.latent_size


def two_kinds(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low notes lie about +2, high ones about -2; harder ones further along the last axis."""
    rng = np.random.default_rng(seed)
    low = rng.random(n) < 0.5
    pitch = np.where(low, rng.uniform(30, 50, n), rng.uniform(70, 90, n)).astype(np.float32)
    velocity = rng.uniform(0.1, 1.0, n).astype(np.float32)
    z = 0.3 * rng.normal(size=(n, Z))
    z[:, 0] += np.where(low, 2.0, -2.0)
    z[:, -1] += 3.0 * velocity
    return z.astype(np.float32), pitch, velocity


@pytest.fixture(scope="module")
def prior() -> LatentPrior:
    fitted = fit_prior(*two_kinds(600))
    assert fitted is not None
    return fitted


def test_draws_follow_pitch_and_velocity(prior: LatentPrior) -> None:
    rng = np.random.default_rng(1)
    n = 2_000
    low = prior.draw(np.full(n, 40.0), np.full(n, 0.2), rng)
    high = prior.draw(np.full(n, 80.0), np.full(n, 0.9), rng)
    assert low[:, 0].mean() == pytest.approx(2.0, abs=0.1)
    assert low[:, 0].std() == pytest.approx(0.3, abs=0.1)
    assert high[:, 0].mean() == pytest.approx(-2.0, abs=0.1)
    assert low[:, -1].mean() == pytest.approx(0.6, abs=0.15)
    assert high[:, -1].mean() == pytest.approx(2.7, abs=0.15)


def test_draws_of_any_key_are_spread_as_the_notes_are(prior: LatentPrior) -> None:
    drawn = prior.draw_any(4_000, np.random.default_rng(2))
    z, _, _ = two_kinds(600)
    np.testing.assert_allclose(drawn.mean(0), z.mean(0), atol=0.15)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(z.T), atol=0.25)
    assert (np.abs(drawn[:, 0]) > 1.0).mean() > 0.99, "nothing between the two kinds, where no note is"


def test_new_notes_are_likelier_than_under_one_gaussian(prior: LatentPrior) -> None:
    """By the textbook's formula, one component after the other."""
    z, pitch, velocity = two_kinds(50, seed=4)
    x = np.concatenate([conditions(pitch, velocity), z], axis=1)
    density = np.zeros(len(x))
    for weight, mean, factor in zip(prior.weights, prior.means, prior.factors, strict=True):
        covariance = (factor @ factor.T).astype(float)
        gap = x - mean
        power = np.einsum("ni,ij,nj->n", gap, np.linalg.inv(covariance), gap)
        density += weight * np.exp(-0.5 * power) / np.sqrt(np.linalg.det(2.0 * np.pi * covariance))
    z_known, *known = two_kinds(600)
    whole = np.concatenate([conditions(*known), z_known], axis=1)
    covariance = np.cov(whole.T)
    gap = x - whole.mean(0)
    single = -0.5 * np.einsum("ni,ij,nj->n", gap, np.linalg.inv(covariance), gap)
    single -= 0.5 * np.linalg.slogdet(2.0 * np.pi * covariance)[1]
    assert np.log(density).mean() > single.mean() + 0.5


def test_it_does_not_give_training_notes_back() -> None:
    """Two dozen notes said again and again draw a component each, yet what is drawn there is spread out."""
    rng = np.random.default_rng(5)
    few = rng.normal(size=(24, Z)).astype(np.float32)
    z = np.repeat(few, 30, axis=0) + 0.2 * rng.normal(size=(720, Z)).astype(np.float32)
    prior = fit_prior(z, np.full(720, 60.0, np.float32), np.full(720, 0.5, np.float32))
    assert prior is not None
    drawn = prior.draw_any(300, rng)
    nearest = np.sqrt(np.square(drawn[:, None] - z[None]).sum(-1)).min(1)
    real = np.sqrt(np.square((few + 0.2 * rng.normal(size=few.shape))[:, None] - z[None]).sum(-1)).min(1)
    assert np.median(nearest) > 0.5 * np.median(real)


def test_many_notes_say_their_own_shapes() -> None:
    """Tight kinds beside wide ones, in few dimensions: a tight one is drawn nearly as tight as it is."""
    rng = np.random.default_rng(6)
    centers = 6.0 * rng.normal(size=(20, 6))
    kinds = np.repeat(np.arange(20), 60)
    width = np.where(kinds < 10, 0.05, 1.0)
    z = (centers[kinds] + width[:, None] * rng.normal(size=(1200, 6))).astype(np.float32)
    prior = fit_prior(z, np.full(1200, 60.0, np.float32), np.full(1200, 0.5, np.float32))
    assert prior is not None
    away = np.sqrt(np.square(prior.draw_any(600, rng)[:, None] - centers).mean(-1))
    tight = away.min(1)[away.argmin(1) < 10]
    assert len(tight) > 200
    assert np.median(tight) < 0.2, "0.28 where all are smoothed as a few notes need it"


def test_few_or_broken_notes_have_no_prior() -> None:
    z, pitch, velocity = two_kinds(FEWEST_NOTES)
    assert fit_prior(z, pitch, velocity) is not None
    assert fit_prior(z[1:], pitch[1:], velocity[1:]) is None
    z[3, 0] = np.nan
    assert fit_prior(z, pitch, velocity) is None


def test_equal_notes_do_not_stop_it() -> None:
    prior = fit_prior(np.zeros((200, Z), np.float32), np.full(200, 60.0, np.float32), np.ones(200, np.float32))
    assert prior is not None
    assert np.abs(prior.draw(np.array([60.0]), np.array([1.0]), np.random.default_rng(0))).max() < 0.2
    assert np.isfinite(prior.draw(np.array([0.0, 127.0]), np.array([0.0, 1.0]), np.random.default_rng(0))).all()


def test_an_instrument_carries_it(prior: LatentPrior, tmp_path: Path) -> None:
    instrument = dataclasses.replace(make_test_instrument(), prior=prior)
    write_instrument(tmp_path / "a.noisy", instrument)
    again = read_instrument(tmp_path / "a.noisy")
    keys, velocity = np.array([40.0, 80.0]), np.array([0.5, 0.5])
    for one in (instrument, again):
        drawn = one.draw_latents_for(keys, velocity, np.random.default_rng(6))
        np.testing.assert_array_equal(drawn, prior.draw(keys, velocity, np.random.default_rng(6)))
    np.testing.assert_array_equal(
        again.draw_latents(3, np.random.default_rng(7)), prior.draw_any(3, np.random.default_rng(7))
    )


def test_without_one_draws_are_normal() -> None:
    drawn = make_test_instrument().draw_latents(4_000, np.random.default_rng(8))
    assert abs(drawn.mean()) < 0.05
    assert drawn.std() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: dataclasses.replace(p, weights=p.weights * 2), "do not sum"),
        (lambda p: dataclasses.replace(p, weights=-p.weights), "do not sum"),
        (lambda p: dataclasses.replace(p, means=p.means[:, 1:]), "shapes"),
        (lambda p: dataclasses.replace(p, means=p.means * np.float32(np.nan)), "not finite"),
        (lambda p: dataclasses.replace(p, means=p.means.astype(np.float64)), "float32"),
        (lambda p: dataclasses.replace(p, factors=-p.factors), "triangular"),
        (lambda p: dataclasses.replace(p, factors=np.swapaxes(p.factors, 1, 2).copy()), "triangular"),
        (lambda p: dataclasses.replace(p, factors=p.factors + np.float32(np.inf)), "not finite"),
    ],
)
def test_a_hostile_prior_is_refused(prior: LatentPrior, change, said: str) -> None:  # type: ignore[no-untyped-def]
    data = instrument_bytes(dataclasses.replace(make_test_instrument(), prior=change(prior)))
    with pytest.raises(UserError, match=said):
        parse_instrument(data, "bad.noisy")
