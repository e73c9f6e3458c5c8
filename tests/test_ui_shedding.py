"""A short machine: the window gives up drawing in the stated order, comes back slowly, and keeps what must be seen."""

from __future__ import annotations

import itertools

import pytest
from fake_engine import FakeEngine

from noisysynth.ui.shedding import JUDGED_S, LONGEST_PATIENCE_S, PATIENCE_S, STEPS, Shedding
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

INTERVAL_S = 1 / 60


class Clock:
    """Ticks of a screen, on a time of its own."""

    def __init__(self, shedding: Shedding) -> None:
        self.shedding = shedding
        self.now_s = 100.0
        self.own_s = 7.0

    def run(self, seconds: float, apart_s: float = INTERVAL_S, own: float = 0.15, load: float = 0.3) -> int:
        """So many seconds of ticks so far apart; the level then."""
        end = self.now_s + seconds
        while self.now_s < end:
            self.now_s += apart_s
            self.own_s += own * apart_s
            self.shedding.tick(self.now_s, self.own_s, load, INTERVAL_S)
        return self.shedding.level


@pytest.fixture
def clock() -> Clock:
    return Clock(Shedding())


def test_the_order_is_that_of_what_costs_most_and_is_missed_least() -> None:
    for before, after in itertools.pairwise(STEPS):
        assert after.views >= before.views
        assert after.meters >= before.meters
        assert after.trail <= before.trail
        assert after != before
        assert after.views >= after.meters
    assert (STEPS[0].views, STEPS[0].meters, STEPS[0].trail) == (1, 1, True)


def test_a_machine_that_keeps_up_draws_everything(clock: Clock) -> None:
    assert clock.run(120.0) == 0


@pytest.mark.parametrize("short", [{"apart_s": 1 / 35}, {"own": 0.6}, {"load": 0.95}])
def test_each_bad_second_sheds_one_step_and_the_last_stays(clock: Clock, short: dict[str, float]) -> None:
    levels = [clock.run(1.05 * JUDGED_S, **short) for _ in range(len(STEPS) + 2)]
    assert levels[:4] == [1, 2, 3, 4]
    assert levels[4:] == [len(STEPS) - 1] * 3


def test_one_stall_is_no_shortage(clock: Clock) -> None:
    clock.run(3.0)
    clock.run(0.4, apart_s=0.4)
    clock.run(3.0)
    assert clock.shedding.level == 0


def test_time_in_hiding_is_not_measured(clock: Clock) -> None:
    clock.run(0.5, apart_s=1 / 30)
    clock.now_s += 60.0
    clock.own_s += 60.0
    assert clock.run(0.9) == 0


def test_steps_come_back_one_by_one_when_all_is_well(clock: Clock) -> None:
    clock.run(2.1, apart_s=1 / 35)
    assert clock.shedding.level == 2
    assert clock.run(PATIENCE_S - 1.5) == 2
    assert clock.run(2.5) == 1
    assert clock.run(PATIENCE_S - 2.0) == 1
    assert clock.run(3.0) == 0


def test_in_between_nothing_moves(clock: Clock) -> None:
    """Not good enough to draw more, not bad enough to draw less."""
    clock.run(1.05, load=0.95)
    assert clock.run(60.0, own=0.35) == 1
    assert clock.run(60.0, load=0.8) == 1


def test_a_step_that_has_to_go_again_comes_back_later_each_time(clock: Clock) -> None:
    """A machine that is short with the trail and well without it."""
    waits = []
    clock.run(1.05, own=0.6)
    for _ in range(7):
        began = clock.now_s
        while clock.shedding.level:
            clock.run(0.1)
        waits.append(clock.now_s - began)
        while not clock.shedding.level:
            clock.run(0.1, own=0.6)
    for before, after in itertools.pairwise(waits[:4]):
        assert after == pytest.approx(2.0 * before, rel=0.2)
    assert max(waits) < LONGEST_PATIENCE_S + 3.0


@pytest.mark.parametrize("level", range(len(STEPS)))
def test_the_window_draws_what_the_step_says(window: Window, engine: FakeEngine, level: int) -> None:
    """And what it reads less often it does not lose: status() tells the peak since it was asked last."""
    window._clock.stop()
    window.shedding.tick = lambda *_: None  # type: ignore[method-assign]
    window.shedding.level = level
    step, ticks = STEPS[level], 48
    window._ticks = 0
    scopes, statuses = engine.scope_reads, engine.status_reads
    for _ in range(ticks):
        window._tick()
    assert engine.scope_reads - scopes == ticks // step.views
    assert engine.status_reads - statuses == ticks // step.meters
    pad = window.morph.pad
    for place in range(10):
        pad.set_position(-0.9 + 0.2 * place, 0.3)
    assert bool(pad._trail) is step.trail


def test_controls_follow_whatever_is_shed(window: Window, engine: FakeEngine) -> None:
    """What MIDI moves is shown, and the readouts are kept."""
    window._clock.stop()
    window.shedding.tick = lambda *_: None  # type: ignore[method-assign]
    window.shedding.level = len(STEPS) - 1
    engine.engine_values["pan"] = 0.5
    engine.meters = {"voices": 7}
    window.player._touched[:] = 0.0
    for _ in range(24):
        window._tick()
    assert window.knobs.knobs["pan"].value == 0.5
    assert window.top.voices.text == "7"
    assert "draws less" in window.top.load.toolTip()
    window.shedding.level = 0
    for _ in range(24):
        window._tick()
    assert "draws less" not in window.top.load.toolTip()
