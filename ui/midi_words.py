"""MIDI messages in words."""

from __future__ import annotations

import dataclasses
import enum

from noisysynth.parameters import PARAMETER_OF_CC, PARAMETERS
from noisysynth.ui.controls.values import MINUS, note_name


class Group(enum.Enum):
    """What messages have in common, as a filter names it."""

    NOTES = "Notes"
    CONTROLLERS = "Controllers"
    EXPRESSION = "Bend, pressure"
    PROGRAMS = "Programs"
    CLOCK = "Clock"
    SYSTEM = "System"


@dataclasses.dataclass(frozen=True)
class Words:
    """channel: 1..16, 0 for what belongs to none."""

    group: Group
    channel: int
    text: str
    value: str


# Of those the table does not name.
_CONTROLLERS = {
    0: "Bank", 1: "Mod wheel", 2: "Breath", 4: "Foot", 6: "Data entry", 11: "Expression", 32: "Bank, low",
    38: "Data entry, low",
    64: "Sustain pedal", 65: "Portamento switch", 66: "Sostenuto pedal", 67: "Soft pedal", 68: "Legato pedal",
    98: "NRPN, low", 99: "NRPN", 100: "RPN, low", 101: "RPN", 120: "All sound off", 121: "Reset controllers",
    122: "Local control", 123: "All notes off", 124: "Omni off", 125: "Omni on", 126: "Mono on", 127: "Poly on",
}  # fmt: skip
_PEDALS = range(64, 70)
_SYSTEM = {
    0xF1: "Time code", 0xF2: "Song position", 0xF3: "Song select", 0xF6: "Tune request", 0xFE: "Active sensing",
    0xFF: "Reset",
}  # fmt: skip
_CLOCKS = {0xF8: "Clock", 0xFA: "Start", 0xFB: "Continue", 0xFC: "Stop"}
_CENTRE = 8192


def controller_name(number: int) -> str:
    """What a controller is called; what it moves here, where it moves something."""
    if number in PARAMETER_OF_CC:
        return PARAMETERS[PARAMETER_OF_CC[number]].label
    return _CONTROLLERS.get(number, "")


def in_words(data: bytes, length: int) -> Words:
    """data: a message from its status byte on, of `length` bytes in all; anything at all is answered."""
    status = data[0] if data else 0
    if status in _CLOCKS:
        return Words(Group.CLOCK, 0, _CLOCKS[status], "")
    if status == 0xF0:
        shown = data.hex(" ").upper() + (" \u2026" if length > len(data) else "")
        return Words(Group.SYSTEM, 0, f"System exclusive, {length} bytes", shown)
    if status >= 0xF0 and status in _SYSTEM:
        value = str(data[1] + 128 * data[2]) if status == 0xF2 and len(data) > 2 else ""
        return Words(Group.SYSTEM, 0, _SYSTEM[status], value)
    channel, kind = (status & 0x0F) + 1, status & 0xF0
    needed = 2 if kind in (0xC0, 0xD0) else 3
    if not 0x80 <= status < 0xF0 or len(data) != needed or length != needed:
        return Words(Group.SYSTEM, 0, "Not understood", data.hex(" ").upper())
    first, second = data[1], data[-1]
    if kind == 0x90 and second > 0:
        return Words(Group.NOTES, channel, f"Note on {_key(first)}", str(second))
    if kind in (0x80, 0x90):
        return Words(Group.NOTES, channel, f"Note off {_key(first)}", str(second) if kind == 0x80 else "")
    if kind == 0xA0:
        return Words(Group.EXPRESSION, channel, f"Pressure of {_key(first)}", str(second))
    if kind == 0xB0:
        name = controller_name(first)
        value = f"{second}, {'down' if second >= 64 else 'up'}" if first in _PEDALS else str(second)
        return Words(Group.CONTROLLERS, channel, f"Controller {first}" + (f", {name}" if name else ""), value)
    if kind == 0xC0:
        return Words(Group.PROGRAMS, channel, "Program change", str(first + 1))
    if kind == 0xD0:
        return Words(Group.EXPRESSION, channel, "Pressure", str(first))
    bend = first + 128 * second - _CENTRE
    share = bend / (_CENTRE - 1 if bend > 0 else _CENTRE)
    sign = "+" if bend > 0 else MINUS if bend < 0 else ""
    return Words(Group.EXPRESSION, channel, "Pitch bend", f"{sign}{abs(share):.2f}")


def _key(number: int) -> str:
    return f"{note_name(number)} ({number})"
