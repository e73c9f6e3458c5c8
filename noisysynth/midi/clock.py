"""Tempo from MIDI clock: 24 ticks make a quarter note, and every one of them comes a little early or late."""

from __future__ import annotations

import collections

TICKS_PER_BEAT = 24
_MEMORY = 2 * TICKS_PER_BEAT  # ticks that the tempo is fitted to
_FEWEST = 6  # that a tempo can be told from
_TEMPOS = (20.0, 300.0)  # bpm; ticks further apart or closer are no music
_LONGEST_GAP_S = 60.0 / _TEMPOS[0] / TICKS_PER_BEAT * 1.5
_JUMP_TICKS = 3.0  # off the old tempo: more than jitter, bunches or a lost tick make


class ClockFollower:
    """Feed it ticks with the time they came."""

    def __init__(self) -> None:
        self._ticks: collections.deque[float] = collections.deque(maxlen=_MEMORY)
        self._count = 0
        self.tempo: float | None = None  # bpm; None before the first few ticks, then the last known

    @property
    def beats(self) -> float:
        """Quarter notes since the start; the first tick of a song is its beat 0."""
        return max(self._count - 1, 0) / TICKS_PER_BEAT

    def start(self) -> None:
        """The song begins with the next tick."""
        self._count = 0

    def tick(self, time_s: float) -> None:
        """A tick came at `time_s`, in seconds of any steady clock."""
        if self._ticks and not 0.0 <= time_s - self._ticks[-1] <= _LONGEST_GAP_S:
            self._ticks.clear()  # the clock had stopped, or time went backwards
        self._ticks.append(time_s)
        self._count += 1
        # A tempo that is known already is not worth giving up for the rough one of a few ticks.
        if len(self._ticks) < (_FEWEST if self.tempo is None else 2 * _FEWEST):
            return
        times = list(self._ticks)
        before = times[:-_FEWEST]
        if len(before) >= 2 * _FEWEST:
            mean_s, period_s = _fit(before)
            expected_s = mean_s + period_s * (0.5 * (len(before) - 1) + _FEWEST)
            if abs(time_s - expected_s) > _JUMP_TICKS * period_s:
                # Another tempo: what came before says nothing of it.
                times = times[-_FEWEST:]
                self._ticks.clear()
                self._ticks.extend(times)
        tempo = 60.0 / (TICKS_PER_BEAT * max(_fit(times)[1], 1e-6))
        self.tempo = min(max(tempo, _TEMPOS[0]), _TEMPOS[1])


def _fit(times: list[float]) -> tuple[float, float]:
    """Their mean and the seconds from one to the next, by least squares: jitter of single ticks hardly counts."""
    n = len(times)
    middle = 0.5 * (n - 1)
    mean = sum(times) / n
    over = sum((i - middle) * (time - mean) for i, time in enumerate(times))
    return mean, over / (n * (n * n - 1) / 12.0)
