"""What the window leaves undrawn, and in which order, while the machine is short: the sound comes first.

Once a second it is judged from three things: ticks of the screen's clock that came late, the share of a core that the
window's own thread took, and the engine's load. A bad second sheds one step more; good ones bring one back.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Step:
    """What is drawn. views, meters: each so many ticks of the clock; trail: that of the pad."""

    views: int
    meters: int
    trail: bool


# In the order in which it is given up. Controls, readouts and notices are never part of it.
STEPS = (
    Step(views=1, meters=1, trail=True),
    Step(views=2, meters=1, trail=False),
    Step(views=2, meters=2, trail=False),
    Step(views=4, meters=2, trail=False),
    Step(views=8, meters=4, trail=False),
)
JUDGED_S = 1.0
PAUSE_S = 1.0  # ticks this far apart belong to two times: the window was hidden, or a dialog was open
LATE = 1.5  # of the wanted interval
# Bad and good are far apart, so that what a step saves does not at once bring it back.
MOST_LATE, FEW_LATE = 0.2, 0.05  # share of the ticks; one long stall is one late tick
MOST_OWN, LITTLE_OWN = 0.45, 0.25  # of a core
MOST_LOAD, LITTLE_LOAD = 0.85, 0.7
PATIENCE_S = 5.0  # good seconds in a row until a step comes back
LONGEST_PATIENCE_S = 80.0  # doubled to here each time that a step which came back has to go again


class Shedding:
    """`tick` once for each tick of the clock; `step` says what to draw."""

    def __init__(self) -> None:
        self.level = 0  # place in STEPS
        self._good_s = 0.0
        self._patience_s = PATIENCE_S
        self._back_s = -1.0  # when a step came back; -1: none since the last was shed
        self._last_s: float | None = None
        self._begin(0.0, 0.0)

    @property
    def step(self) -> Step:
        return STEPS[self.level]

    def _begin(self, now_s: float, own_s: float) -> None:
        self._start_s, self._own_s = now_s, own_s
        self._ticks = self._late = 0
        self._load = 0.0

    def tick(self, now_s: float, own_s: float, load: float, interval_s: float) -> None:
        """now_s: of a steady clock. own_s: processor time of the window's thread. load: of the engine, 1 is all it has.

        interval_s: how far apart ticks should be.
        """
        last_s, self._last_s = self._last_s, now_s
        if last_s is None or now_s - last_s > PAUSE_S:
            self._begin(now_s, own_s)
            return
        self._ticks += 1
        self._late += now_s - last_s > LATE * interval_s
        self._load += load
        if now_s - self._start_s >= JUDGED_S:
            self._judge(now_s, (own_s - self._own_s) / (now_s - self._start_s))
            self._begin(now_s, own_s)

    def _judge(self, now_s: float, own: float) -> None:
        late, load = self._late / self._ticks, self._load / self._ticks
        if late > MOST_LATE or own > MOST_OWN or load > MOST_LOAD:
            self._shed(now_s)
        elif late <= FEW_LATE and own <= LITTLE_OWN and load <= LITTLE_LOAD:
            self._good_s += now_s - self._start_s
            if self._good_s >= self._patience_s and self.level > 0:
                self.level -= 1
                self._good_s, self._back_s = 0.0, now_s
            elif self.level == 0 and self._good_s >= LONGEST_PATIENCE_S:
                self._patience_s = PATIENCE_S
        else:
            self._good_s = 0.0

    def _shed(self, now_s: float) -> None:
        if self._back_s >= 0.0 and now_s - self._back_s <= self._patience_s:  # it came back too soon
            self._patience_s = min(2.0 * self._patience_s, LONGEST_PATIENCE_S)
        self._back_s, self._good_s = -1.0, 0.0
        self.level = min(self.level + 1, len(STEPS) - 1)
