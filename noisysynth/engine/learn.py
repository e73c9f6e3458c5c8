"""MIDI learn: which controller moves which parameter, taken over softly so that nothing jumps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from noisysynth.parameters import PARAMETERS

# Bank, data entry, pedals, RPN and channel mode have a meaning of their own.
RESERVED = frozenset((0, 6, 32, 38, *range(64, 70), *range(96, 102), *range(120, 128)))
_NEAR = 1.0 / 64.0


class ControllerMap:
    """Bindings live in `memory` (a row of MEMORY_DTYPE), so they outlive the engine.

    A controller and a parameter belong to each other alone. After binding, and whenever the parameter was moved by
    something else, a controller does nothing until it passes or comes close to where the parameter stands.
    """

    def __init__(self, memory: np.void) -> None:
        self._learned = memory["learned"]
        self._learning = memory["learning"]
        self._last: dict[tuple[int, int], float] = {}  # what a controller said last
        self._set: dict[tuple[int, int], float] = {}  # the position a controller gave its parameter last

    def learn(self, part: int, index: int) -> None:
        """Bind the next controller that moves to this parameter."""
        self._learning[:] = _row(part, index) + 1, index + 1

    def bind(self, channel: int, controller: int, part: int, index: int) -> None:
        """Let this controller move this parameter, and nothing else do either."""
        self.forget(part, index)
        self._learned[channel, controller] = _row(part, index) + 1, index + 1
        self._last.pop((channel, controller), None)
        self._set.pop((channel, controller), None)

    def cancel(self) -> None:
        self._learning[:] = 0

    def forget(self, part: int, index: int) -> None:
        self._learned[(self._learned == (_row(part, index) + 1, index + 1)).all(-1)] = 0

    def takes(self, channel: int, controller: int) -> bool:
        """Whether `resolve` has something to do with this controller."""
        if controller in RESERVED:
            return False
        return bool(self._learning[0] or self._learned[channel, controller, 0])

    def resolve(
        self, channel: int, controller: int, value: float, position: Callable[[int, int], float]
    ) -> tuple[int, int, float] | None:
        """(part, parameter, new position) for a controller's value 0..1; None while it is not taken over.

        position: where a parameter of a part stands now, 0..1.
        """
        if controller in RESERVED:
            return None
        key = (channel, controller)
        if self._learning[0]:
            part, index = (int(each) - 1 for each in self._learning)
            self.bind(channel, controller, part, index)
            self.cancel()
        part, index = (int(each) - 1 for each in self._learned[channel, controller])
        if part < 0 or not 0 <= index < len(PARAMETERS):
            return None
        now = position(part, index)
        before = self._last.get(key)
        self._last[key] = value
        ours = key in self._set and abs(self._set[key] - now) < 1e-3
        passed = before is not None and (before - now) * (value - now) <= 0.0
        if not (ours or passed or abs(value - now) <= _NEAR):
            return None
        # What becomes of the position: choices round it.
        self._set[key] = PARAMETERS[index].to_position(PARAMETERS[index].from_position(value))
        return part, index, value


def _row(part: int, index: int) -> int:
    """A rack parameter has one row, whatever part it was touched in."""
    return 0 if PARAMETERS[index].rack else part
