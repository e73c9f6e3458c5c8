"""Tempo from MIDI clock: 24 ticks make a quarter note, and every one of them comes a little early or late."""

from __future__ import annotations

import collections

TICKS_PER_BEAT = 24
_MEMORY = 2 * TICKS_PER_BEAT  # ticks that the tempo is fitted to
_FEWEST = 6
_TEMPOS = (20.0, 300.0)  # bpm; ticks further apart or closer are no music
_LONGEST_GAP_S = 60.0 / _TEMPOS[0] / TICKS_PER_BEAT * 1.5
_JUMP = 0.2  # of the tempo: more than jitter


class ClockFollower:
    """Feed it ticks with the time they came."""

    def __init__(self) -> None:
        self._ticks: collections.deque[float] = collections.deque(maxlen=_MEMORY)
        self._count = 0
        self.tempo: float | None = None  # bpm; None before the first few ticks

    @property
    def beats(self) -> float:
        """Quarter notes since the start."""
        return self._count / TICKS_PER_BEAT

    def start(self) -> None:
        """The song begins with the next tick."""
        self._count = 0

    def tick(self, time_s: float) -> None:
        if self._ticks and not 0.0 <= time_s - self._ticks[-1] <= _LONGEST_GAP_S:
            self._ticks.clear()  # the clock had stopped, or time went backwards
        self._ticks.append(time_s)
        self._count += 1
        if len(self._ticks) < _FEWEST:
            return
        newest = self._slope(list(self._ticks)[-_FEWEST:])
        whole = self._slope(list(self._ticks))
        if abs(newest - whole) > _JUMP * whole and len(self._ticks) > 2 * _FEWEST:
            # Another tempo, not jitter: what came before says nothing of it.
            for _ in range(len(self._ticks) - _FEWEST):
                self._ticks.popleft()
            whole = newest
        tempo = 60.0 / (TICKS_PER_BEAT * max(whole, 1e-6))
        self.tempo = min(max(tempo, _TEMPOS[0]), _TEMPOS[1])

    @staticmethod
    def _slope(times: list[float]) -> float:
        """Seconds per tick, by least squares: jitter of single ticks hardly counts."""
        n = len(times)
        middle = 0.5 * (n - 1)
        mean = sum(times) / n
        over = sum((i - middle) * (time - mean) for i, time in enumerate(times))
        return over / (n * (n * n - 1) / 12.0)
