"""What each value of each effect does to what is heard, in an insert and, but for `mix`, on the rack's buses.

The rack's effects add to what sounds already. So the side is measured (what differs between the ears), or what sounds
after the note has ended.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from desk import HELD, HZ, KEY, Audio, Desk, Gesture, note
from engine_tools import level_db
from heard import (
    SILENT_DB,
    Floats,
    above_db,
    balance_db,
    centroid_hz,
    cut,
    middle,
    onset_s,
    partial_db,
    side,
    width_db,
)

from noisysynth.effects import EFFECT_INDEX, EFFECTS

BLIP = note(0.0, 0.03)
EFFECT: dict[tuple[str, str], Callable[[Rack | Insert], None]] = {}


@dataclasses.dataclass(frozen=True)
class Insert:
    """An effect in one of the part's two places: its knobs are numbered, and show the effect's own units."""

    desk: Desk
    effect_id: str
    number: int = 1

    def both(
        self, name: str, before: float, after: float, gesture: Gesture = HELD, seconds: float = 0.14, **given: float
    ) -> tuple[Audio, Audio]:
        """The same played before and after the knob of that name was turned; given: other values of the effect."""
        rows = {row.id: (i, row) for i, row in enumerate(EFFECTS[EFFECT_INDEX[self.effect_id]].parameters, 1)}
        place = f"insert_{self.number}"
        values = {place: EFFECT_INDEX[self.effect_id] + 1.0}
        values |= {each: value for each, value in given.items() if each not in rows and each != "mix"}
        for each, value in {"mix": 1.0, **given}.items():
            if each in rows and each != name:
                i, row = rows[each]
                values[f"{place}_{i}"] = row.to_position(value)
        i, row = rows[name]
        return self.desk.both(
            f"{place}_{i}", row.to_position(before), row.to_position(after), gesture, seconds, values, shown=after
        )


@dataclasses.dataclass(frozen=True)
class Rack:
    """An effect of the rack, fed by the part's send."""

    desk: Desk
    effect_id: str

    def both(
        self, name: str, before: float, after: float, gesture: Gesture = HELD, seconds: float = 0.14, **given: float
    ) -> tuple[Audio, Audio]:
        own = {row.id for row in EFFECTS[EFFECT_INDEX[self.effect_id]].parameters}
        values = {f"{self.effect_id}_{each}" if each in own else each: value for each, value in given.items()}
        values[f"send_{self.effect_id}"] = 0.0
        return self.desk.both(f"{self.effect_id}_{name}", before, after, gesture, seconds, values)


def check(effect_id: str, *names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def keep(function: Callable[..., None]) -> Callable[..., None]:
        for name in names:
            assert (effect_id, name) not in EFFECT
            EFFECT[effect_id, name] = function
        return function

    return keep


def held(audio: Audio) -> Audio:
    return cut(audio, 0.05, 0.135)


def partials_db(audio: Audio, *numbers: int) -> list[float]:
    return [partial_db(middle(held(audio)), k * HZ) for k in numbers]


# drive, of a nearly pure tone

_PURE = {"filter_mode": 2.0, "filter_cutoff": HZ}


@check("drive", "drive")
def _(place: Insert) -> None:
    before, after = place.both("drive", 0.0, 40.0, **_PURE)
    third = [h3 - h1 for h1, h3 in (partials_db(audio, 1, 3) for audio in (before, after))]
    assert third[0] < -40.0
    assert third[1] > -20.0


@check("drive", "tone")
def _(place: Insert) -> None:
    before, after = place.both("tone", 18_000.0, 500.0, drive=30.0)
    assert above_db(middle(held(after)), 3000.0) < above_db(middle(held(before)), 3000.0) - 12.0


@check("drive", "level")
def _(place: Insert) -> None:
    before, after = place.both("level", 0.0, -18.0)
    assert level_db(held(after), held(before)) == pytest.approx(-18.0, abs=0.5)


@check("drive", "mix")
def _(place: Insert) -> None:
    before, after = place.both("mix", 1.0, 0.0, drive=40.0, **_PURE)
    third = [h3 - h1 for h1, h3 in (partials_db(audio, 1, 3) for audio in (before, after))]
    assert third[0] > -20.0
    assert third[1] < -40.0


# equalizer, of partials on both sides of its corners


@check("equalizer", "low")
def _(place: Insert) -> None:
    """Key 33, whose first partial is 55 Hz."""
    before, after = place.both("low", 0.0, -18.0, note(0.0, 0.3, 33), 0.3)
    changes = [
        partial_db(middle(cut(after, 0.08, 0.29)), hz) - partial_db(middle(cut(before, 0.08, 0.29)), hz)
        for hz in (55.0, 1760.0)
    ]
    assert changes == pytest.approx([-17.0, 0.0], abs=1.5)


@check("equalizer", "mid", "mid_hz")
def _(place: Insert) -> None:
    before, after = place.both("mid", 0.0, 12.0, mid_hz=2 * HZ)
    changes = np.subtract(partials_db(after, 2, 20), partials_db(before, 2, 20))
    assert changes == pytest.approx([12.0, 0.0], abs=1.0)
    low, high = place.both("mid_hz", 2 * HZ, 12 * HZ, mid=12.0)
    changes = np.subtract(partials_db(high, 2, 12), partials_db(low, 2, 12))
    assert changes == pytest.approx([-11.5, 11.5], abs=1.5)


@check("equalizer", "high")
def _(place: Insert) -> None:
    before, after = place.both("high", 0.0, -18.0)
    changes = np.subtract(partials_db(after, 1, 36), partials_db(before, 1, 36))
    assert changes == pytest.approx([0.0, -17.5], abs=1.5)


@check("equalizer", "mix")
def _(place: Insert) -> None:
    before, after = place.both("mix", 1.0, 0.0, high=-18.0)
    changes = np.subtract(partials_db(after, 1, 36), partials_db(before, 1, 36))
    assert changes == pytest.approx([0.0, 17.5], abs=1.5)


# compressor

_SQUASHED = {"threshold": -48.0, "ratio": 20.0, "attack": 0.0005}


@check("compressor", "threshold")
def _(place: Insert) -> None:
    before, after = place.both("threshold", 0.0, -48.0, ratio=20.0, attack=0.001)
    assert level_db(held(after), held(before)) < -15.0


@check("compressor", "ratio")
def _(place: Insert) -> None:
    before, after = place.both("ratio", 1.0, 20.0, threshold=-48.0, attack=0.001)
    assert level_db(held(after), held(before)) < -15.0


@check("compressor", "attack")
def _(place: Insert) -> None:
    before, after = place.both("attack", 0.0005, 0.1, threshold=-48.0, ratio=20.0)
    assert level_db(cut(after, 0.02, 0.04), cut(before, 0.02, 0.04)) > 6.0


@check("compressor", "release")
def _(place: Insert) -> None:
    """How loud a soft note is just after a hard one."""
    gesture = (*note(0.0, 0.08, velocity=127), *note(0.11, 0.19, velocity=10))
    before, after = place.both("release", 0.02, 2.0, gesture, 0.19, threshold=-48.0, ratio=20.0, attack=0.0005)
    assert level_db(cut(after, 0.14, 0.19), cut(before, 0.14, 0.19)) < -4.0


@check("compressor", "gain")
def _(place: Insert) -> None:
    before, after = place.both("gain", 0.0, 12.0, **_SQUASHED)
    assert level_db(held(after), held(before)) == pytest.approx(12.0, abs=0.5)


@check("compressor", "mix")
def _(place: Insert) -> None:
    before, after = place.both("mix", 1.0, 0.0, **_SQUASHED)
    assert level_db(held(after), held(before)) > 15.0


# phaser: it stands still with its middle notch on the first partial, or sweeps over it

_STILL = {"depth": 0.0, "feedback": 0.0, "mix": 0.5}


@check("phaser", "center")
def _(place: Insert) -> None:
    before, after = place.both("center", HZ, 3 * HZ, **_STILL)
    assert np.subtract(partials_db(before, 1, 3), partials_db(after, 1, 3))[0] < -12.0
    assert np.subtract(partials_db(after, 1, 3), partials_db(before, 1, 3))[1] < -12.0


@check("phaser", "mix")
def _(place: Insert) -> None:
    before, after = place.both("mix", 0.5, 0.0, depth=0.0, feedback=0.0, center=HZ)
    assert np.subtract(partials_db(after, 1), partials_db(before, 1))[0] > 12.0


@check("phaser", "feedback")
def _(place: Insert) -> None:
    """What goes round again no longer meets the dry sound in the notch with the opposite sign."""
    before, after = place.both("feedback", 0.0, -0.9, depth=0.0, mix=0.5, center=HZ)
    assert np.subtract(partials_db(after, 1), partials_db(before, 1))[0] > 12.0


def _left(audio: Audio, start_s: float, end_s: float) -> Floats:
    return cut(audio, start_s, end_s)[:, 0].astype(np.float64)


def _extremes(wave: Floats) -> int:
    """How often it turns around; every 10 ms is looked at."""
    return int(np.count_nonzero(np.diff(np.sign(np.diff(wave[::5])))))


def _swing(mono: Floats) -> Floats:
    """Level of the first partial, every 2 ms, with the others mostly smoothed away."""
    spun = mono * np.exp(-2j * np.pi * HZ / 48_000 * np.arange(len(mono)))
    return np.abs(np.convolve(spun, np.hanning(1000), "valid")[::96])


@check("phaser", "rate")
def _(place: Insert) -> None:
    before, after = place.both("rate", 0.1, 8.0, note(0.0, 0.5), 0.5, depth=1.0, mix=0.5, feedback=0.0, center=HZ)
    turns = [_extremes(_swing(_left(audio, 0.05, 0.5))) for audio in (before, after)]
    assert turns[0] <= 2
    assert turns[1] >= 6  # more than three cycles


@check("phaser", "depth")
def _(place: Insert) -> None:
    before, after = place.both("depth", 0.0, 1.0, note(0.0, 0.4), 0.4, rate=5.0, mix=0.5, feedback=0.0, center=HZ)
    still, swept = (_swing(_left(audio, 0.06, 0.4)) for audio in (before, after))
    assert np.ptp(swept) > 0.5 * swept.max()
    assert swept.max() > 2.0 * still.max()  # it leaves the notch that it stood in


# chorus

_FIXED = {"depth": 0.0, "feedback": 0.0, "delay": 12.0}


@check("chorus", "rate")
def _(place: Insert | Rack) -> None:
    before, after = place.both("rate", 0.05, 8.0, note(0.0, 0.5), 0.5, depth=2.0, spread=1.0, **_PURE)
    slow, fast = (_swing(side(cut(audio, 0.1, 0.5))) for audio in (before, after))
    assert _extremes(slow) <= 2
    assert _extremes(fast) >= 5
    turn = round(0.125 / 0.002)  # and it comes back after each turn of 1/8 s
    assert np.corrcoef(fast[turn:], fast[:-turn])[0, 1] > 0.9


@check("chorus", "depth")
def _(place: Insert | Rack) -> None:
    """Bent voices spread a line of 3520 Hz."""
    before, after = place.both("depth", 0.0, 8.0, note(0.0, 0.3, KEY + 36), 0.3, rate=2.0, spread=1.0, tone_level=0.0)
    spreads = []
    for audio in (before, after):
        wave = side(cut(audio, 0.08, 0.29)) + 1e-9
        power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
        hz = np.fft.rfftfreq(len(wave), 1 / 48_000)
        near = (hz > 2800) & (hz < 4300)
        centre = (hz * power)[near].sum() / power[near].sum()
        spreads.append(float(np.sqrt((np.square(hz - centre) * power)[near].sum() / power[near].sum())))
    assert spreads[1] > 100.0
    assert spreads[1] > 3.0 * spreads[0] or level_db(side(held(before))) < SILENT_DB


@check("chorus", "delay")
def _(place: Insert | Rack) -> None:
    """When the last voice of a short note has ended."""
    before, after = place.both("delay", 1.0, 30.0, BLIP, 0.19, depth=0.0, feedback=0.0)
    ends = [np.flatnonzero(np.abs(middle(audio)) > 1e-3)[-1] / 48_000 for audio in (before, after)]
    assert ends[1] - ends[0] == pytest.approx(0.029, abs=0.012)


@check("chorus", "spread")
def _(place: Insert | Rack) -> None:
    before, after = place.both("spread", 0.0, 1.0, depth=2.0)
    assert width_db(held(before)) < -40.0
    assert width_db(held(after)) > -25.0


@check("chorus", "feedback")
def _(place: Insert | Rack) -> None:
    before, after = place.both("feedback", 0.0, 0.9, BLIP, 0.19, delay=20.0, depth=0.0)
    assert level_db(cut(before, 0.12, 0.19)) < SILENT_DB
    assert level_db(cut(after, 0.12, 0.19)) > -50.0


@check("chorus", "mix")
def _(place: Insert) -> None:
    before, after = place.both("mix", 1.0, 0.0, spread=1.0, depth=2.0)
    assert width_db(held(before)) > -25.0
    assert width_db(held(after)) < -60.0


# delay: what comes back of a short note, first after 0.1 s

_ECHO = {"time": 0.1}


@check("delay", "time")
def _(place: Insert | Rack) -> None:
    expected = pytest.approx([0.04, 0.14], abs=0.006)
    for _ in range(3):
        onsets = [onset_s(middle(cut(audio, 0.06, 0.3))) for audio in place.both("time", 0.1, 0.2, BLIP, 0.3)]
        if onsets == expected:
            break
        place.desk.forget()  # a delay that nobody hears rests, and its tape with it: maybe on its way
    assert onsets == expected


@check("delay", "sync")
def _(place: Insert | Rack) -> None:
    before, after = place.both("sync", 0.0, 0.5, BLIP, 0.32, time=0.1, feedback=0.0)
    assert onset_s(middle(cut(before, 0.06, 0.3))) == pytest.approx(0.04, abs=0.006)
    assert onset_s(middle(cut(after, 0.06, 0.3))) == pytest.approx(0.19, abs=0.006)  # half a beat at 120


@check("delay", "feedback")
def _(place: Insert | Rack) -> None:
    before, after = place.both("feedback", 0.0, 0.5, BLIP, 0.28, damping=18_000.0, **_ECHO)
    assert level_db(cut(before, 0.21, 0.23)) < SILENT_DB
    assert level_db(cut(after, 0.21, 0.23), cut(after, 0.11, 0.13)) == pytest.approx(-6.0, abs=1.0)


@check("delay", "damping")
def _(place: Insert | Rack) -> None:
    before, after = place.both("damping", 18_000.0, 500.0, BLIP, 0.28, feedback=0.9, **_ECHO)
    second = [centroid_hz(middle(cut(audio, 0.2, 0.26))) for audio in (before, after)]
    assert second[1] < 0.6 * second[0]


@check("delay", "cross")
def _(place: Insert | Rack) -> None:
    before, after = place.both("cross", 0.0, 1.0, BLIP, 0.28, feedback=0.9, **_ECHO)
    assert balance_db(cut(before, 0.11, 0.13)) == pytest.approx(0.0, abs=0.5)
    first, second = balance_db(cut(after, 0.11, 0.13)), balance_db(cut(after, 0.21, 0.23))
    assert min(abs(first), abs(second)) > 20.0
    assert first * second < 0.0


@check("delay", "mix")
def _(place: Insert) -> None:
    before, after = place.both("mix", 1.0, 0.0, BLIP, 0.28, **_ECHO)
    assert level_db(cut(before, 0.0, 0.09)) < SILENT_DB
    assert level_db(cut(before, 0.11, 0.13)) > -40.0
    assert level_db(cut(after, 0.0, 0.03)) > -40.0
    assert level_db(cut(after, 0.1, 0.28)) < SILENT_DB


# reverb


@check("reverb", "decay")
def _(place: Insert | Rack) -> None:
    before, after = place.both("decay", 0.3, 8.0, BLIP, 0.4, pre_delay=0.0)
    falls = [level_db(cut(audio, 0.3, 0.4), cut(audio, 0.1, 0.2)) for audio in (before, after)]
    assert falls[0] < -25.0  # about 60 dB in 0.3 s
    assert falls[1] > -8.0


@check("reverb", "size")
def _(place: Insert | Rack) -> None:
    """The walls of a small room answer sooner."""
    before, after = place.both("size", 1.0, 0.3, BLIP, 0.4, pre_delay=0.0, width=1.0)
    first = [onset_s(side(audio), 3e-4) for audio in (before, after)]
    assert first[0] - first[1] > 0.006


@check("reverb", "damping")
def _(place: Insert | Rack) -> None:
    before, after = place.both("damping", 18_000.0, 500.0, BLIP, 0.4, pre_delay=0.0)
    tails = [centroid_hz(middle(cut(audio, 0.2, 0.4))) for audio in (before, after)]
    assert tails[1] < 0.7 * tails[0]


@check("reverb", "pre_delay")
def _(place: Insert | Rack) -> None:
    before, after = place.both("pre_delay", 0.0, 100.0, BLIP, 0.4, width=1.0)
    first = [onset_s(side(audio), 3e-4) for audio in (before, after)]
    assert first[1] - first[0] == pytest.approx(0.1, abs=0.006)


@check("reverb", "width")
def _(place: Insert | Rack) -> None:
    before, after = place.both("width", 1.0, 0.0, BLIP, 0.4, pre_delay=0.0)
    assert width_db(cut(before, 0.1, 0.4)) > -6.0
    assert width_db(cut(after, 0.1, 0.4)) < -40.0


@check("reverb", "mix")
def _(place: Insert) -> None:
    before, after = place.both("mix", 1.0, 0.0, BLIP, 0.4, pre_delay=0.0)
    assert level_db(cut(before, 0.1, 0.2)) > -50.0
    assert level_db(cut(after, 0.1, 0.4)) < SILENT_DB
