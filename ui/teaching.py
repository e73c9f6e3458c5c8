"""MIDI learn, as the window sees it: what waits for a controller, and what was taught, now and in earlier sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from noisysynth.engine.client import EngineClient
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS

if TYPE_CHECKING:
    from noisysynth.ui.player import Player

REMIND_S = 3.0
Place = tuple[int, str]  # part and parameter; the rack's belong to part 0
Controller = tuple[int, int]  # MIDI channel from 0, and its number


class Teaching:
    """`Player.learned_changed` tells when something here has changed."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.waiting: Place | None = None  # for the next controller that moves
        self.taught: dict[Place, str] = {}  # what moves it, in words
        self._bindings: dict[Controller, Place] = {}
        self._remembered: dict[Controller, Place] = {}  # what the engine is still to be taught
        self._reminded: EngineClient | None = None
        self._reminded_s = -REMIND_S

    def remember(self, bindings: Mapping[Controller, Place]) -> None:
        """Teach them to the engine as soon as it answers."""
        self._remembered, self._reminded = dict(bindings), None

    @property
    def bindings(self) -> dict[Controller, Place]:
        """What each controller moves, or will when the engine answers."""
        return self._remembered | self._bindings

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
        for bindings in (self._remembered, self._bindings):
            for key in [key for key, place in bindings.items() if place == (part, parameter_id)]:
                del bindings[key]
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
        if client is not self._reminded:  # another engine has to learn anew what the one before knew
            self._reminded, self._remembered = client, self.bindings
            self._bindings, self.taught = {}, {}
            self._reminded_s = -REMIND_S
        if self._remembered and time.monotonic() - self._reminded_s > REMIND_S:  # again, should it have died meanwhile
            self._reminded_s = time.monotonic()
            for (channel, controller), (part, parameter_id) in self._remembered.items():
                self._ask(_binding(channel, controller, part, parameter_id))
        waiting = client.learning()
        awaited = _place(waiting[1], waiting[0]) if waiting is not None else None
        bindings = {key: _place(parameter_id, part) for key, (part, parameter_id) in client.learned().items()}
        taught = {
            place: f"controller {controller} of MIDI channel {channel + 1}"
            for (channel, controller), place in bindings.items()
        }
        if (awaited, taught) == (self.waiting, self.taught):
            return
        for part, parameter_id in taught.keys() - self.taught.keys() - set(self._remembered.values()):
            label = PARAMETERS[PARAMETER_INDEX[parameter_id]].label
            self._player.noticed.emit(f"{label} is moved by {taught[part, parameter_id]}")
        self._remembered = {
            key: place for key, place in self._remembered.items() if key not in bindings and place not in taught
        }
        self.waiting, self.taught, self._bindings = awaited, taught, bindings
        self._player.learned_changed.emit()
        self._player.edited.emit()


def _binding(channel: int, controller: int, part: int, parameter_id: str) -> Callable[[EngineClient], None]:
    return lambda client: client.bind_controller(channel, controller, parameter_id, part)


def _place(parameter_id: str, part: int) -> Place:
    return (0 if PARAMETERS[PARAMETER_INDEX[parameter_id]].rack else part), parameter_id
