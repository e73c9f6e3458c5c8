"""When a message came that was found in a queue some time later."""

from __future__ import annotations

_LOST_S = 0.02  # an arrival this far back is a mistake: a message was lost on the way, and its share of the time


class ArrivalClock:
    """Adds up the times that rtmidi gives between messages; the message that was found soonest sets the clock.

    rtmidi notes these times when JACK hands the messages over, by the clock that time.perf_counter reads as well, and
    we look into its queue later, now more, now less. The sum is right but for where it begins, and no message can be
    found before it came: so the beginning is as late as that allows.
    """

    def __init__(self) -> None:
        self._sum_s = 0.0
        self._begins_s = float("inf")

    def came(self, delta_s: float, now_s: float) -> float:
        """Time of arrival by perf_counter, at most `now_s`. delta_s: since the message before."""
        self._sum_s += delta_s
        begins_s = now_s - self._sum_s
        if begins_s - self._begins_s > _LOST_S:
            self._begins_s = begins_s
        self._begins_s = min(self._begins_s, begins_s)
        return self._begins_s + self._sum_s
