"""How far the compiling of the kernels has come, which the first start of all has to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from numba.core.event import Event, Listener, register, unregister

from noisysynth.dsp.compiling import kernel_names

_SAY_S = 0.1
_EVENT = "numba:compile"  # happens only where nothing was found in the cache

# Seconds that a kernel took to compile, without those that it calls, on one core of a shared server; only their
# proportions matter. Those that are not named here take about the usual time.
_USUAL_S = 0.19
_UNUSUAL_S = {
    "engine.render_part.render_part": 2.66, "engine.render.render_block": 2.64, "engine.render.render_quantum": 2.59,
    "engine.render_part._run_insert": 1.71, "engine.render_part._run_effect": 1.70, "dsp.room.process_room": 1.16,
    "engine.render_part.render_bus": 1.14, "dsp.effects.delay.process": 1.08, "dsp.effects.chorus.process": 1.06,
    "dsp.effects.reverb.process": 1.03, "engine.render_voice.render_voice": 0.90,
    "engine.render_part.empty_effects": 0.89, "dsp.effects.drive.process": 0.85, "dsp.effects.phaser.process": 0.84,
}  # fmt: skip


class CompileProgress(Listener):  # type: ignore[misc]  # numba's types are not looked at
    """Between `begin` and `end`, tells the share (0..1) of the work that is done and what is being worked on."""

    def __init__(self, tell: Callable[[float, str], None]) -> None:
        self._tell = tell
        # Local functions are compiled as parts of others.
        self._waiting = {name for name in kernel_names() if "<locals>" not in name}
        self._total = sum(map(_cost, self._waiting))
        self._done = 0.0
        self._under_way: list[str] = []
        self._said_s = 0.0

    def begin(self) -> None:
        register(_EVENT, self)

    def end(self) -> None:
        unregister(_EVENT, self)

    def on_start(self, event: Event) -> None:
        self._under_way.append(_name(event))
        self._say()

    def on_end(self, event: Event) -> None:
        name = _name(event)
        if self._under_way:
            self._under_way.pop()
        if name in self._waiting:  # some are compiled for several kinds of arguments
            self._waiting.discard(name)
            self._done += _cost(name)
        self._say()

    def _say(self) -> None:
        now_s = time.monotonic()
        if self._under_way and now_s > self._said_s + _SAY_S:
            self._said_s = now_s
            self._tell(min(self._done / self._total, 0.99), self._under_way[-1])


def _name(event: Event) -> str:
    data: Any = event.data
    function = data["dispatcher"].py_func
    return f"{function.__module__}.{function.__qualname__}"


def _cost(name: str) -> float:
    return _UNUSUAL_S.get(name.removeprefix("noisysynth."), _USUAL_S)


def what_compiles(name: str) -> str:
    """A kernel in a player's words: the part of the sound that it belongs to."""
    module = name.split(".")
    for word, meaning in _MEANINGS.items():
        if word in module:
            return meaning
    return "the mix"


_MEANINGS = {
    "effects": "effects", "room": "rooms", "fft": "rooms", "harmonic": "partials", "stretched": "partials",
    "lanes": "partials", "oscillator": "partials", "noise": "noise", "render_voice": "voices", "tilt": "filters",
    "spectral_filter": "filters", "limiter": "the limiter", "queues": "notes", "damper": "notes",
    "render_part": "parts", "render": "the mix",
}  # fmt: skip
