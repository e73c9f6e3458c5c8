"""MIDI learn: what a controller is bound to, and when it takes over."""

from __future__ import annotations

import numpy as np
import pytest

from noisysynth.engine.learn import ControllerMap
from noisysynth.engine.state import MEMORY_DTYPE, forget_all
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS

CUTOFF = PARAMETER_INDEX["filter_cutoff"]
PAN = PARAMETER_INDEX["pan"]
MODE = PARAMETER_INDEX["filter_mode"]
MASTER = PARAMETER_INDEX["master_volume"]


class Desk:
    """A controller map, and parameters that it moves as the rack does."""

    def __init__(self) -> None:
        self.memory = np.zeros(1, MEMORY_DTYPE)
        forget_all(self.memory)
        self.map = ControllerMap(self.memory[0])
        self.values: dict[tuple[int, int], float] = {}

    def position(self, part: int, index: int) -> float:
        row = PARAMETERS[index]
        return row.to_position(float(np.float32(self.values.get((part, index), row.from_position(0.5)))))

    def put(self, part: int, index: int, position: float) -> None:
        self.values[part, index] = PARAMETERS[index].from_position(position)

    def move(self, controller: int, value: float, channel: int = 0) -> tuple[int, int, float] | None:
        found = self.map.resolve(channel, controller, value, self.position)
        if found is not None:
            self.put(*found)
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_next_controller_is_bound(desk: Desk) -> None:
    assert not desk.map.takes(0, 20)
    assert desk.move(20, 0.5) is None
    desk.map.learn(3, CUTOFF)
    assert desk.map.takes(0, 20)
    assert desk.move(20, 0.5) == (3, CUTOFF, 0.5)
    assert desk.move(20, 0.7) == (3, CUTOFF, 0.7)
    assert desk.move(21, 0.5) is None
    assert not desk.map.takes(0, 21)
    assert desk.move(20, 0.5, channel=1) is None  # another channel's
    assert not desk.map.takes(1, 20)


@pytest.mark.parametrize("controller", [0, 6, 32, 38, 64, 65, 66, 67, 69, 96, 98, 101, 120, 123, 127])
def test_what_has_a_meaning_of_its_own_cannot_be_learned(desk: Desk, controller: int) -> None:
    desk.map.learn(0, CUTOFF)
    assert not desk.map.takes(0, controller)
    assert desk.move(controller, 0.5) is None
    assert desk.move(20, 0.5) == (0, CUTOFF, 0.5)  # still waiting


def test_learning_can_be_cancelled(desk: Desk) -> None:
    desk.map.learn(0, CUTOFF)
    desk.map.cancel()
    assert desk.move(20, 0.5) is None
    assert not desk.memory["learned"].any()


def test_a_controller_and_a_parameter_belong_to_each_other(desk: Desk) -> None:
    for index in (CUTOFF, PAN):  # one controller: the last parameter has it
        desk.map.learn(0, index)
        desk.move(20, 0.5)
    assert desk.move(20, 0.6) == (0, PAN, 0.6)
    desk.map.learn(0, PAN)  # one parameter: the last controller has it
    desk.move(21, 0.6)
    assert desk.move(20, 0.5) is None
    assert desk.move(21, 0.5) == (0, PAN, 0.5)
    assert desk.memory["learned"].any(-1).sum() == 1


def test_what_is_forgotten_moves_nothing(desk: Desk) -> None:
    desk.map.learn(0, CUTOFF)
    desk.move(20, 0.5)
    desk.map.forget(1, CUTOFF)
    assert desk.move(20, 0.51) == (0, CUTOFF, 0.51)
    desk.map.forget(0, CUTOFF)
    assert desk.move(20, 0.52) is None
    assert not desk.map.takes(0, 20)


def test_it_waits_until_it_is_near(desk: Desk) -> None:
    desk.map.learn(0, CUTOFF)
    assert [desk.move(20, value) for value in (0.1, 0.3, 0.48)] == [None, None, None]
    assert desk.move(20, 0.49) == (0, CUTOFF, 0.49)
    assert desk.move(20, 0.9) == (0, CUTOFF, 0.9)


@pytest.mark.parametrize("values", [(0.2, 0.8), (0.8, 0.2)])
def test_it_takes_over_as_it_passes(desk: Desk, values: tuple[float, float]) -> None:
    desk.map.learn(0, CUTOFF)
    assert desk.move(20, values[0]) is None
    assert desk.move(20, values[1]) == (0, CUTOFF, values[1])


def test_it_waits_again_when_the_parameter_was_moved(desk: Desk) -> None:
    desk.map.learn(0, CUTOFF)
    desk.move(20, 0.5)
    desk.put(0, CUTOFF, 0.9)
    assert desk.move(20, 0.55) is None
    assert desk.move(20, 0.6) is None
    assert desk.move(20, 0.95) == (0, CUTOFF, 0.95)


def test_choices_follow_a_controller_that_moves_slowly(desk: Desk) -> None:
    desk.map.learn(0, MODE)
    seen = set()
    for byte in [*range(64, 128), *range(127, -1, -1)]:
        found = desk.move(20, byte / 127.0)
        assert found is not None
        seen.add(PARAMETERS[MODE].from_position(found[2]))
    assert seen == set(range(len(PARAMETERS[MODE].choices)))


def test_a_parameter_of_the_rack_is_the_same_from_every_part(desk: Desk) -> None:
    desk.map.learn(5, MASTER)
    assert desk.move(20, 0.5) == (0, MASTER, 0.5)
    desk.map.forget(9, MASTER)
    assert desk.move(20, 0.5) is None


def test_what_was_learned_before_is_bound_without_a_move(desk: Desk) -> None:
    desk.map.bind(2, 20, 3, CUTOFF)
    assert desk.move(20, 0.5, channel=2) == (3, CUTOFF, 0.5)
    desk.map.bind(2, 21, 3, CUTOFF)  # one parameter: the last controller has it
    assert not desk.map.takes(2, 20)
    desk.map.bind(0, 22, 9, MASTER)
    assert desk.move(22, 0.5) == (0, MASTER, 0.5)


def test_bindings_outlive_the_engine(desk: Desk) -> None:
    desk.map.learn(2, PAN)
    desk.move(20, 0.5)
    desk.map.learn(2, CUTOFF)
    again = Desk()
    again.memory[:] = desk.memory
    assert again.move(21, 0.2) is None  # what waited is bound
    assert again.memory["learned"][0, 0, 21].tolist() == [3, CUTOFF + 1]
    assert again.move(20, 0.2) is None  # not after a start either does anything jump
    assert again.move(20, 0.5) == (2, PAN, 0.5)


def test_a_binding_to_a_parameter_that_is_no_more_does_nothing(desk: Desk) -> None:
    desk.memory["learned"][0, 0, 20] = 1, 256
    assert desk.move(20, 0.5) is None
