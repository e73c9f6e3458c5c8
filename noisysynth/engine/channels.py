"""What each MIDI channel was last told: wheels, pressure, pedals, bank, RPN; and the MPE zones."""

from __future__ import annotations

import dataclasses

from noisysynth.engine.tracks import Steps

CHANNELS = 16

CC_BANK, CC_BANK_LOW = 0, 32
CC_MOD_WHEEL, CC_BREATH, CC_FOOT, CC_EXPRESSION = 1, 2, 4, 11
CC_DATA, CC_DATA_LOW = 6, 38
CC_SUSTAIN, CC_SOSTENUTO, CC_SOFT = 64, 66, 67
CC_SLIDE = 74
CC_NRPN_LOW, CC_NRPN_HIGH, CC_RPN_LOW, CC_RPN_HIGH = 98, 99, 100, 101
CC_ALL_SOUND_OFF, CC_RESET, CC_ALL_NOTES_OFF = 120, 121, 123
CC_OMNI_OFF, CC_POLY_ON = 124, 127  # these and what lies between let go of all notes as well

RPN_BEND_RANGE, RPN_FINE_TUNE, RPN_COARSE_TUNE, RPN_MPE = 0, 1, 2, 6
_NO_RPN = 0x3FFF

# Controllers that are sources of their own in the modulation matrix.
SOURCE_CONTROLLERS = (CC_MOD_WHEEL, CC_BREATH, CC_FOOT, CC_EXPRESSION, CC_SLIDE)


class Channel:
    """One MIDI channel. Times are in samples."""

    def __init__(self) -> None:
        self.bend = Steps()
        self.pressure = Steps()
        self.controllers = {number: Steps(_at_rest(number)) for number in SOURCE_CONTROLLERS}
        self.sustain = self.sostenuto = self.soft = False
        self.bank = 0
        self._bank_high = 0
        self._rpn = _NO_RPN
        self._data_high = 0

    def reset(self, time: float) -> None:
        """What CC 121 asks for (RP-015): pressure, wheels and pedals; not volume, pan, bank or program."""
        self.bend.set(time, 0.0)
        self.pressure.set(time, 0.0)
        for number, steps in self.controllers.items():
            steps.set(time, _at_rest(number))
        self.sustain = self.sostenuto = self.soft = False
        self._rpn = _NO_RPN

    def choose_bank(self, controller: int, byte: int) -> None:
        if controller == CC_BANK:
            self._bank_high = self.bank = byte
        else:
            # Many keyboards send one byte only, in either place.
            self.bank = self._bank_high * 128 + byte if self._bank_high else byte

    def data(self, controller: int, byte: int) -> tuple[int, int, int] | None:
        """Take in a controller of the RPN dance. Return (RPN, high byte, low byte) when a value was entered."""
        if controller == CC_RPN_HIGH:
            self._rpn = (self._rpn & 0x7F) | byte << 7
        elif controller == CC_RPN_LOW:
            self._rpn = (self._rpn & 0x3F80) | byte
        elif controller in (CC_NRPN_HIGH, CC_NRPN_LOW):
            self._rpn = _NO_RPN  # other people's numbers
        elif self._rpn != _NO_RPN and controller == CC_DATA:
            self._data_high = byte
            return self._rpn, byte, 0
        elif self._rpn != _NO_RPN and controller == CC_DATA_LOW:
            return self._rpn, self._data_high, byte
        return None

    def forget_before(self, time: float) -> None:
        self.bend.forget_before(time)
        self.pressure.forget_before(time)
        for steps in self.controllers.values():
            steps.forget_before(time)


def _at_rest(controller: int) -> float:
    return {CC_EXPRESSION: 1.0, CC_SLIDE: 0.5}.get(controller, 0.0)


@dataclasses.dataclass(frozen=True)
class MpeZones:
    """Member channels of the lower zone (master 0, members 1..lower) and the upper (master 15, members down)."""

    lower: int = 0
    upper: int = 0

    def master(self, channel: int) -> int | None:
        """The master of a member channel; None for a channel that is no member."""
        if 1 <= channel <= self.lower:
            return 0
        if 15 - self.upper <= channel <= 14:
            return 15
        return None

    def configure(self, channel: int, members: int) -> MpeZones:
        """MCM: a master channel (0 or 15) says how many members it has; the other zone gives way."""
        members = min(max(members, 0), 15)
        if channel == 0:
            return MpeZones(members, min(self.upper, max(14 - members, 0)))
        if channel == 15:
            return MpeZones(min(self.lower, max(14 - members, 0)), members)
        return self

    @property
    def choice(self) -> int:
        """Index in MPE_ZONES."""
        return (1 if self.lower else 0) + (2 if self.upper else 0)

    @classmethod
    def of_choice(cls, choice: int) -> MpeZones:
        return (cls(), cls(lower=15), cls(upper=15), cls(7, 7))[choice]
