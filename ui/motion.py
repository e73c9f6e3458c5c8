"""What moves the latent pad by itself: a recorded loop, a random walk, and the transport that has them play.

No clock here: times are seconds of any clock that never goes back, and a time gives a place.
"""

from __future__ import annotations

import bisect
import dataclasses
import enum
import functools
import math
import random
import re

Place = tuple[float, float]  # x and y, each -1..1

LONGEST_S = 30.0
SHORTEST_S = 0.1  # anything shorter was a click
KEEP_S = 0.012  # every move of a 60 Hz mouse is kept, every second one of a 125 Hz mouse
REST_S = 0.05  # a hand that moves is heard of more often than this
MOST_POINTS = math.ceil(LONGEST_S / KEEP_S) + 2
LONGEST_TEXT = (3 * MOST_POINTS + 1) * len("-0.0000 ")
_NUMBER = r"-?[0-9]{1,2}\.[0-9]{4}"

SLOWEST_HZ, USUAL_HZ, FASTEST_HZ = 0.05, 0.25, 2.0
NUDGE_S = 0.5  # after a key or a notch of the wheel, before the motion goes on


@dataclasses.dataclass(frozen=True)
class Loop:
    """A path through places at rising times (s, the first 0), again every `length_s`.

    The seam is as recorded: the path jumps to where it began, and the sound glides there in its morph time. Closing
    the path would take time, and the loop would no longer be as long as the player made it.
    """

    length_s: float
    times_s: tuple[float, ...]
    places: tuple[Place, ...]

    def at(self, time_s: float) -> Place:
        """The place at a time since the loop began, on straight lines between those recorded."""
        time_s %= self.length_s
        after = bisect.bisect_right(self.times_s, time_s)
        here = self.places[after - 1]
        if after == len(self.places):
            return here
        start_s, there = self.times_s[after - 1], self.places[after]
        share = (time_s - start_s) / (self.times_s[after] - start_s)
        return here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1])

    def to_text(self) -> str:
        """For a file: the length, then time, x and y of each place."""
        numbers = [self.length_s]
        for time_s, place in zip(self.times_s, self.places, strict=True):
            numbers += [time_s, *place]
        return " ".join(f"{number:.4f}" for number in numbers)

    @staticmethod
    def from_text(text: str) -> Loop | None:
        """The loop of `to_text`; None for anything else, since a file may hold anything."""
        if len(text) > LONGEST_TEXT or re.fullmatch(f"{_NUMBER}( {_NUMBER})*", text) is None:
            return None
        length_s, *numbers = map(float, text.split())
        times_s, xs, ys = numbers[::3], numbers[1::3], numbers[2::3]
        if not (2 <= len(times_s) == len(xs) == len(ys) <= MOST_POINTS and SHORTEST_S <= length_s <= LONGEST_S):
            return None
        if times_s[0] != 0.0 or times_s[-1] > length_s or times_s != sorted(times_s):
            return None
        if max(map(abs, xs + ys)) > 1.0:
            return None
        return Loop(length_s, tuple(times_s), tuple(zip(xs, ys, strict=True)))


class Recording:
    """Collects the places of a hand, at most one each KEEP_S, and where it rested."""

    def __init__(self, time_s: float, place: Place) -> None:
        self._began_s = time_s
        self._times_s = [0.0]
        self._places = [place]
        self._latest_s, self._latest = 0.0, place

    def full(self, time_s: float) -> bool:
        return time_s - self._began_s >= LONGEST_S

    def add(self, time_s: float, place: Place) -> None:
        time_s -= self._began_s
        if time_s > LONGEST_S:
            return
        if time_s - self._latest_s > REST_S:  # a line from the last place would leave it too early
            self._keep(self._latest_s, self._latest)
            self._keep(time_s - KEEP_S, self._latest)
        self._latest_s, self._latest = time_s, place
        if time_s - self._times_s[-1] >= KEEP_S:
            self._keep(time_s, place)

    def _keep(self, time_s: float, place: Place) -> None:
        if time_s > self._times_s[-1]:
            self._times_s.append(time_s)
            self._places.append(place)

    def finish(self, time_s: float) -> Loop | None:
        """The loop that ends now; None when nothing moved."""
        length_s = min(time_s - self._began_s, LONGEST_S)
        self._keep(self._latest_s, self._latest)
        if length_s < SHORTEST_S or len(set(self._places)) < 2:
            return None
        return Loop(length_s, tuple(self._times_s), tuple(self._places))


class Walk:
    """A smooth way past random places that begins at rest at `start` and heads for `speed_hz` new places a second.

    A uniform cubic B-spline: it stays among the places that steer it, so inside the pad, and neither its direction nor
    its speed ever jumps. A sum of sines would be as smooth, but one soon hears it come back.
    """

    def __init__(self, start: Place, speed_hz: float, time_s: float, seed: int) -> None:
        self._start = start
        self._seed = seed
        self._speed_hz = speed_hz
        self._since_s, self._steps = time_s, 0.0  # places passed at that time

    def _steps_at(self, time_s: float) -> float:
        return self._steps + self._speed_hz * max(time_s - self._since_s, 0.0)

    def set_speed(self, speed_hz: float, time_s: float) -> None:
        """From here on; the walk does not jump."""
        self._steps, self._since_s = self._steps_at(time_s), time_s
        self._speed_hz = speed_hz

    def at(self, time_s: float) -> Place:
        steps = self._steps_at(time_s)
        first = math.floor(steps)
        u = steps - first
        weights = ((1 - u) ** 3 / 6, (3 * u - 6) * u * u / 6 + 2 / 3, ((3 - 3 * u) * u + 3) * u / 6 + 1 / 6, u**3 / 6)
        steer = [self._start if n < 3 else _random_place(self._seed, n) for n in range(first, first + 4)]
        x = sum(weight * place[0] for weight, place in zip(weights, steer, strict=True))
        y = sum(weight * place[1] for weight, place in zip(weights, steer, strict=True))
        return min(max(x, -1.0), 1.0), min(max(y, -1.0), 1.0)  # of rounding errors


@functools.lru_cache(maxsize=16)
def _random_place(seed: int, n: int) -> Place:
    """Towards the rim more often than in the middle: the spline stays well inside of its places."""
    chance = random.Random(f"{seed} {n}")
    return math.cos(math.pi * chance.random()), math.cos(math.pi * chance.random())


class Doing(enum.Enum):
    RESTING = enum.auto()
    ARMED = enum.auto()  # records once the hand moves
    RECORDING = enum.auto()
    LOOPING = enum.auto()
    WALKING = enum.auto()


class Transport:
    """Says what moves the pad. A hand always wins: the motion waits for it, and goes on when it lets go."""

    def __init__(self) -> None:
        self.doing = Doing.RESTING
        self.loop: Loop | None = None
        self.speed_hz = USUAL_HZ
        self._recording: Recording | None = None
        self._walk: Walk | None = None
        self._began_s = 0.0  # of the loop
        self._free_s = 0.0  # the hand is off the pad from then on

    @property
    def moving(self) -> bool:
        """Whether time matters: whoever calls `place` need only do so then."""
        return self.doing in (Doing.RECORDING, Doing.LOOPING, Doing.WALKING)

    def record(self, time_s: float) -> None:
        """Wait for the hand; or no longer; or end what is being recorded, and play it."""
        if self.doing == Doing.RECORDING:
            self._finish(time_s)
        else:
            self.doing = Doing.RESTING if self.doing == Doing.ARMED else Doing.ARMED

    def play(self, time_s: float) -> None:
        """The loop from its start, if there is one."""
        if self.loop is not None:
            self.doing = Doing.LOOPING
            self._began_s = self._free_s = time_s

    def walk(self, time_s: float, start: Place) -> None:
        self.doing = Doing.WALKING
        self._free_s = time_s
        self._walk = Walk(start, self.speed_hz, time_s, random.getrandbits(32))

    def stop(self) -> None:
        """Leave the pad where it is; what is being recorded is dropped."""
        self.doing = Doing.RESTING

    def set_speed(self, speed_hz: float, time_s: float) -> None:
        """Of the walk."""
        self.speed_hz = speed_hz
        if self._walk is not None:
            self._walk.set_speed(speed_hz, time_s)

    def touch(self, time_s: float, place: Place) -> None:
        """The hand moved the pad here: by mouse until `let_go`, by a key or the wheel once."""
        if self.doing == Doing.ARMED:
            self.doing = Doing.RECORDING
            self._recording = Recording(time_s, place)
        elif self.doing == Doing.RECORDING and self._recording is not None:
            self._recording.add(time_s, place)
        self._go_on(time_s + NUDGE_S, place)

    def let_go(self, time_s: float, place: Place) -> None:
        """The hand left the pad here."""
        if self.doing == Doing.RECORDING:
            self._finish(time_s)
        else:
            self._go_on(time_s, place)

    def place(self, time_s: float) -> Place | None:
        """Where the pad is to go now; None: it stays."""
        if self.doing == Doing.RECORDING and self._recording is not None and self._recording.full(time_s):
            self._finish(time_s)
        if time_s < self._free_s:
            return None
        if self.doing == Doing.LOOPING and self.loop is not None:
            return self.loop.at(time_s - self._began_s)
        if self.doing == Doing.WALKING and self._walk is not None:
            return self._walk.at(time_s)
        return None

    def _go_on(self, time_s: float, place: Place) -> None:
        """From then on: the loop where it would have been, the walk from this place."""
        self._free_s = time_s
        if self.doing == Doing.WALKING:
            self._walk = Walk(place, self.speed_hz, time_s, random.getrandbits(32))

    def _finish(self, time_s: float) -> None:
        loop = self._recording.finish(time_s) if self._recording is not None else None
        if loop is None:  # only a click: wait on
            self.doing = Doing.ARMED
        else:
            self.loop = loop
            self.play(time_s)
