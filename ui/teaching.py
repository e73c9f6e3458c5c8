"""MIDI learn, as the window sees it: what waits for a controller, and what was taught."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from noisysynth.engine.client import EngineClient
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS

if TYPE_CHECKING:
    from noisysynth.ui.player import Player

Place = tuple[int, str]  # part and parameter; the rack's belong to part 0


class Teaching:
    """`Player.learned_changed` tells when something here has changed."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.waiting: Place | None = None  # for the next controller that moves
        self.taught: dict[Place, str] = {}  # what moves it, in words

    def moved_by(self, parameter_id: str, part: int) -> str:
        """Which controller moves a parameter, in words; "" for none."""
        return self.taught.get(_place(parameter_id, part), "")

    def waits(self, parameter_id: str, part: int) -> bool:
        return self.waiting == _place(parameter_id, part)

    def learn(self, parameter_id: str, part: int) -> None:
        """Let the next controller that moves move this parameter."""
        part, parameter_id = _place(parameter_id, part)
        label = PARAMETERS[PARAMETER_INDEX[parameter_id]].label
        self._ask(
            lambda client: client.learn(parameter_id, part),
            f"{label}: move a knob, fader or wheel of your MIDI controller",
        )

    def stop(self) -> None:
        self._ask(lambda client: client.cancel_learning())

    def forget(self, parameter_id: str, part: int) -> None:
        part, parameter_id = _place(parameter_id, part)
        self._ask(lambda client: client.forget_learned(parameter_id, part))

    def _ask(self, ask: Callable[[EngineClient], None], told: str = "") -> None:
        player, client = self._player, self._player.client
        if client is None:
            player.noticed.emit(player.failure or "the engine is still starting")
            return
        player.requests.ask(
            lambda: ask(client), lambda _: player.noticed.emit(told) if told else None, player.noticed.emit
        )

    def poll(self) -> None:
        """See what the engine's controllers were taught."""
        client = self._player.client
        if client is None:
            return
        waiting = client.learning()
        place = _place(waiting[1], waiting[0]) if waiting is not None else None
        taught = {
            _place(parameter_id, part): f"controller {controller} of MIDI channel {channel + 1}"
            for (channel, controller), (part, parameter_id) in client.learned().items()
        }
        if (place, taught) == (self.waiting, self.taught):
            return
        for part, parameter_id in taught.keys() - self.taught.keys():
            label = PARAMETERS[PARAMETER_INDEX[parameter_id]].label
            self._player.noticed.emit(f"{label} is moved by {taught[part, parameter_id]}")
        self.waiting, self.taught = place, taught
        self._player.learned_changed.emit()


def _place(parameter_id: str, part: int) -> Place:
    return (0 if PARAMETERS[PARAMETER_INDEX[parameter_id]].rack else part), parameter_id
