"""When messages came that were found in a queue."""

from __future__ import annotations

import numpy as np
import pytest

from noisysynth.midi.arrival import ArrivalClock


def found(came_s: np.ndarray, waited_s: np.ndarray) -> np.ndarray:
    """What the clock says of messages that came at these times and waited so long."""
    clock = ArrivalClock()
    deltas_s = np.diff(came_s, prepend=came_s[0])
    said = [clock.came(delta, now) for delta, now in zip(deltas_s, came_s + waited_s, strict=True)]
    return np.array(said)


def test_the_message_found_at_once_sets_the_clock() -> None:
    rng = np.random.default_rng(0)
    came_s = 100.0 + np.cumsum(rng.uniform(0.001, 2.0, 400))
    waited_s = rng.uniform(0.0, 0.0004, 400)
    said = found(came_s, waited_s)
    assert (said <= came_s + waited_s + 1e-9).all()
    # Never later than it was found and never earlier than it came; once one was found soon, right to that.
    assert (said >= came_s - 1e-9).all()
    assert np.abs(said - came_s)[100:].max() <= waited_s[:100].min() + 1e-9


@pytest.mark.parametrize("lost_s", [0.1, 30.0])
def test_time_lost_between_messages_is_noticed(lost_s: float) -> None:
    clock = ArrivalClock()
    assert clock.came(0.0, 10.0) == 10.0
    assert clock.came(0.5, 10.5 + lost_s) == pytest.approx(10.5 + lost_s)
    assert clock.came(0.25, 10.75 + lost_s) == pytest.approx(10.75 + lost_s)
