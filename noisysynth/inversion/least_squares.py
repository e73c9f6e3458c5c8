"""Least absolute residuals of a function that only answers: Gauss-Newton steps from finite differences, in batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Residuals = npt.NDArray[np.float32]

# A residual smaller than this counts by its square: the corner of |r| would stop every step.
ROUNDING = 0.05
# Damping over the present one, and how far to go: where many residuals are near 0, reweighting takes |r| for far more
# curved than it is, and steps fall short.
TRIALS = ((1e-2, 1.0), (1e-2, 2.0), (1e-2, 5.0), (1e-1, 1.0), (1e-1, 3.0), (1.0, 1.0), (10.0, 1.0))
MOST_DAMPING = 1e6


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Minimise mean_i weights[i] * |r_i(x)| + sum_j precision[j] * (x[j] - mean[j])^2 over x.

    residuals: x [B, P] -> r [B, R]; asked for many x at once, since a network answers a crowd at little more cost.
    steps: [P], for the differences; 0 where x[j] stays as it is. radius: of the first n_ball values' ball around 0.
    """

    residuals: Callable[[Vector], Residuals]
    weights: Residuals
    precision: Vector
    mean: Vector
    steps: Vector
    radius: float
    n_ball: int

    def cost(self, x: Vector, r: Residuals) -> Vector:
        """[B] of x [B, P] with their residuals r [B, R]."""
        rounded = np.sqrt(np.square(r) + np.float32(ROUNDING**2)) - np.float32(ROUNDING)
        misfit = (rounded @ self.weights).astype(np.float64) / len(self.weights)
        return np.asarray(misfit + np.square(x - self.mean) @ self.precision)

    def inside(self, x: Vector) -> Vector:
        """x [B, P] with what lies outside the ball moved to its surface."""
        x = x.copy()
        norm = np.linalg.norm(x[:, : self.n_ball], axis=1, keepdims=True)
        x[:, : self.n_ball] *= np.minimum(1.0, self.radius / np.maximum(norm, 1e-9))
        return x


@dataclasses.dataclass
class Descent:
    """One start on its way down; `step` goes further, at the cost of about P + 7 answers of the function."""

    problem: Problem
    x: Vector
    residuals: Residuals
    cost: float
    damping: float = 1.0
    done: bool = False

    @classmethod
    def starts(cls, problem: Problem, x: Vector) -> list[Descent]:
        """From x [B, P], the best first."""
        x = problem.inside(x)
        r = problem.residuals(x)
        costs = problem.cost(x, r)
        return [cls(problem, x[i], r[i], float(costs[i])) for i in np.argsort(costs)]

    def step(self, least_gain: float = 1e-4) -> None:
        """Levenberg's and Marquardt's step on reweighted residuals; several dampings are tried at once."""
        problem = self.problem
        moving = np.flatnonzero(problem.steps)
        shifted = np.repeat(self.x[None, :], len(moving), axis=0)
        shifted[np.arange(len(moving)), moving] += problem.steps[moving]
        jacobian = problem.residuals(shifted)
        jacobian -= self.residuals
        jacobian /= problem.steps[moving, None].astype(np.float32)
        weights = problem.weights / np.sqrt(np.square(self.residuals) + np.float32(ROUNDING**2)) / len(self.residuals)
        weighted = jacobian * weights
        # of sum w r^2 / 2 and of the quadratic prior
        normal = (weighted @ jacobian.T).astype(np.float64) + 2.0 * np.diag(problem.precision[moving])
        slope = (weighted @ self.residuals).astype(np.float64)
        slope += 2.0 * problem.precision[moving] * (self.x - problem.mean)[moving]
        scale = np.diag(np.diag(normal) + 1e-9)
        tried = np.repeat(self.x[None, :], len(TRIALS), axis=0)
        for row, (damping, stretch) in enumerate(TRIALS):
            tried[row, moving] -= stretch * np.linalg.solve(normal + self.damping * damping * scale, slope)
        tried = problem.inside(tried)
        r = problem.residuals(tried)
        costs = np.nan_to_num(problem.cost(tried, r), nan=np.inf)
        best = int(costs.argmin())
        gain = self.cost - float(costs[best])
        if gain > 0.0:
            self.x, self.residuals, self.cost = tried[best], r[best], float(costs[best])
            self.damping = float(np.clip(self.damping * 10.0 * TRIALS[best][0], 1e-3, MOST_DAMPING))
            self.done = gain < least_gain
        else:
            self.damping *= 100.0
            self.done = self.damping > MOST_DAMPING
