"""The latent's way through time: piecewise linear, known at every sample, so frames ahead are right in advance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class LatentGlide:
    """z(t) moves linearly from where it was to its goal in a given time; a new goal starts from where it is."""

    def __init__(self, start: NDArray[np.float32]) -> None:
        self._from = start.astype(np.float64)
        self._to = self._from.copy()
        self._begins = 0.0
        self._length = 1.0

    @property
    def goal(self) -> NDArray[np.float64]:
        return self._to

    def head_for(self, goal: NDArray[np.float32], time: float, length: float) -> None:
        """Be at `goal` [Z] `length` samples after sample `time`."""
        self._from = self.at(np.array([time]))[0]
        self._to = goal.astype(np.float64)
        self._begins = time
        self._length = max(length, 1.0)

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """z at sample times [n], as [n, Z]."""
        share = np.clip((times - self._begins) / self._length, 0.0, 1.0)[:, None]
        return self._from + (self._to - self._from) * share

    def moves_after(self, time: float) -> bool:
        return time < self._begins + self._length and not np.array_equal(self._from, self._to)
