"""Values over time, known at every sample: frames are computed ahead, and offline many events lie ahead, too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


class Steps:
    """A value that jumps. Events come in order of time; one that is late counts from the newest."""

    def __init__(self, value: float = 0.0) -> None:
        self._times = [-np.inf]
        self._values = [value]

    @property
    def newest(self) -> float:
        return self._values[-1]

    def set(self, time: float, value: float) -> None:
        time = max(time, self._times[-1])
        if time == self._times[-1]:
            self._values[-1] = value
        else:
            self._times.append(time)
            self._values.append(value)

    def at(self, times: Times) -> NDArray[np.float64] | float:
        """Values at sample times of any shape; one number where it is the same at all of them."""
        if len(self._times) == 1:
            return self._values[0]
        return np.asarray(self._values)[np.searchsorted(self._times, times, side="right") - 1]

    def forget_before(self, time: float) -> None:
        """Nobody will ask for times before `time`."""
        while len(self._times) > 1 and self._times[1] <= time:
            del self._times[0], self._values[0]


class Glide:
    """A vector that moves linearly to each new goal in a given time, from wherever it is then."""

    def __init__(self, start: NDArray[np.float64]) -> None:
        self._begins = [-np.inf]
        self._lengths = [1.0]
        self._from = [start]
        self._to = [start]

    @property
    def goal(self) -> NDArray[np.float64]:
        return self._to[-1]

    def head_for(self, goal: NDArray[np.float64], time: float, length: float) -> None:
        """Be at `goal` [Z] `length` samples after sample `time`."""
        time = max(time, self._begins[-1])
        start = self.at(np.array([time]))[0]
        if time == self._begins[-1]:
            start = self._from[-1]
            del self._begins[-1], self._lengths[-1], self._from[-1], self._to[-1]
        self._begins.append(time)
        self._lengths.append(max(length, 1.0))
        self._from.append(start)
        self._to.append(np.asarray(goal, np.float64))

    def at(self, times: Times) -> NDArray[np.float64]:
        """Where it is at sample times [n], as [n, Z]."""
        which = np.searchsorted(self._begins, times, side="right") - 1
        if which.size and which.min() == which.max():
            one = int(which.flat[0])
            share = self._share(times, one)[:, None]
            return self._from[one] + (self._to[one] - self._from[one]) * share
        out = np.empty((len(times), len(self.goal)))
        for one in np.unique(which):
            rows = which == one
            share = self._share(times[rows], int(one))[:, None]
            out[rows] = self._from[one] + (self._to[one] - self._from[one]) * share
        return out

    def _share(self, times: Times, one: int) -> Times:
        begins = self._begins[one]
        if begins == -np.inf:
            return np.ones(len(times))
        return np.clip((times - begins) / self._lengths[one], 0.0, 1.0)

    def moves_after(self, time: float) -> bool:
        return time < self._begins[-1] + self._lengths[-1] and (
            len(self._begins) > 1 or not np.array_equal(self._from[-1], self._to[-1])
        )

    def forget_before(self, time: float) -> None:
        """Nobody will ask for times before `time`."""
        while len(self._begins) > 1 and self._begins[1] <= time:
            del self._begins[0], self._lengths[0], self._from[0], self._to[0]


class Phase:
    """The phase, in turns, of something periodic whose rate jumps."""

    def __init__(self, rate: float) -> None:
        """rate: turns per sample."""
        self._times = [0.0]
        self._phases = [0.0]
        self._rates = [rate]

    def set_rate(self, time: float, rate: float) -> None:
        """From sample `time` on, so many turns per sample."""
        if rate != self._rates[-1]:
            self._put(time, self.at_one(time), rate)

    def restart(self, time: float) -> None:
        """Be at phase 0 at sample `time`."""
        self._put(time, 0.0, self._rates[-1])

    def _put(self, time: float, phase: float, rate: float) -> None:
        time = max(time, self._times[-1])
        if time == self._times[-1]:
            self._phases[-1], self._rates[-1] = phase, rate
        else:
            self._times.append(time)
            self._phases.append(phase)
            self._rates.append(rate)

    def at(self, times: Times) -> Times:
        if len(self._times) == 1:
            return self._phases[0] + self._rates[0] * (times - self._times[0])
        which = np.maximum(np.searchsorted(self._times, times, side="right") - 1, 0)
        since = times - np.asarray(self._times)[which]
        return np.asarray(self._phases)[which] + np.asarray(self._rates)[which] * since

    def at_one(self, time: float) -> float:
        return float(self.at(np.array([time]))[0])

    def forget_before(self, time: float) -> None:
        """Nobody will ask for times before `time`."""
        while len(self._times) > 1 and self._times[1] <= time:
            del self._times[0], self._phases[0], self._rates[0]
