"""What OSC addresses mean. docs/osc.md lists them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.state import PARTS
from noisysynth.events import EventKind, make_event
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS
from noisysynth.spec import MAX_LATENT

_MOST_PRESETS = 1 << 14  # as many as MIDI's banks can name
_LARGEST_LATENT = 100.0


def event_of(address: str, arguments: Sequence[Any]) -> NDArray[np.void]:
    """The event [1] that a message stands for. ValueError for an unknown address or arguments it does not take."""
    words = _words(address)
    if words == ["panic"]:
        return make_event(EventKind.PANIC)
    if words[0] != "part" and len(words) == 1:
        return _played(None, words[0], arguments)
    if words[0] == "part" and len(words) == 3 and words[2] in _PLAYED:
        return _played(_part(words[1]), words[2], arguments)
    part, index, by_position = _parameter(words)
    (argument,) = arguments
    row = PARAMETERS[index]
    if by_position:
        value = row.from_position(_number(argument))
    elif isinstance(argument, str):
        value = row.minimum + [choice.lower() for choice in row.choices].index(argument.lower())
    else:
        value = row.clip(_number(argument))
    return make_event(EventKind.PARAMETER, index, value, part=part)


def value_at(address: str, values: NDArray[np.float32]) -> float:
    """Where the parameter at an address stands. values: [PARTS, MAX_PARAMETERS]. ValueError where there is none."""
    part, index, by_position = _parameter(_words(address))
    value = float(values[part, index])
    return PARAMETERS[index].to_position(value) if by_position else value


def _words(address: str) -> list[str]:
    start, *words = address.split("/")
    if start or not words:
        raise ValueError("not an address")
    return words


def _parameter(words: Sequence[str]) -> tuple[int, int, bool]:
    """Part, row in PARAMETERS, and whether the address speaks of the knob's position."""
    by_position = len(words) > 2 and words[-1] == "position"
    if by_position:
        words = words[:-1]
    if len(words) == 2 and words[0] == "rack":
        part, rack = 0, True
    elif len(words) == 3 and words[0] == "part":
        part, rack = _part(words[1]), False
    else:
        raise ValueError("no such address")
    index = PARAMETER_INDEX.get(words[-1])
    if index is None or PARAMETERS[index].rack != rack:
        raise ValueError("no such parameter")
    return part, index, by_position


def _played(part: int | None, what: str, arguments: Sequence[Any]) -> NDArray[np.void]:
    """part: None for whoever listens to MIDI channel 1, or the first part where there is no channel."""
    if what not in _PLAYED:
        raise ValueError("no such address")
    # A part's notes are told apart by the MIDI channel of the same number.
    channel = part or 0
    if what == "note":
        pitch, velocity = arguments
        key, strength = _whole(pitch, 127), _number(velocity, 0.0, 1.0)
        kind = EventKind.NOTE_ON if strength > 0.0 else EventKind.NOTE_OFF
        return make_event(kind, key, strength, channel=channel, part=part)
    if what == "latent":
        if not 1 <= len(arguments) <= MAX_LATENT:
            raise ValueError("too many or too few")
        latent = np.array([_number(each, -_LARGEST_LATENT, _LARGEST_LATENT) for each in arguments], np.float32)
        return make_event(EventKind.LATENT, part=part or 0, latent=latent)
    (argument,) = arguments
    if what == "bend":
        return make_event(EventKind.PITCH_BEND, 0, _number(argument, -1.0, 1.0), channel=channel)
    return make_event(EventKind.PRESET, _whole(argument, _MOST_PRESETS - 1), part=part or 0)


_PLAYED = ("note", "bend", "latent", "preset")


def _part(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 2 and 1 <= int(word) <= PARTS):
        raise ValueError("no such part")
    return int(word) - 1


def _number(value: Any, lowest: float = -math.inf, highest: float = math.inf) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value) or not lowest <= value <= highest:
        raise ValueError("not a number in range")
    return float(value)


def _whole(value: Any, highest: int) -> int:
    number = _number(value, 0, highest)
    if number != int(number):
        raise ValueError("not a whole number")
    return int(number)
