"""The real window on the real engine as a test plays it: turns its controls, plays by MIDI, records JACK's output."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from engine_tools import RATE
from jack_probe import Probe
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS
from noisysynth.ui.controls.base import ValueControl
from noisysynth.ui.controls.choice import Choice
from noisysynth.ui.controls.toggle import Toggle
from noisysynth.ui.pages import DIRECTIONS, RACK_PAGE, pages
from noisysynth.ui.part import insert_defaults
from noisysynth.ui.window import Window

Message = tuple[float, tuple[int, ...]]  # seconds from the beginning, bytes
Gesture = tuple[Message, ...]
Audio = NDArray[np.float32]

LEAD = 720  # samples from asking for a recording to its beginning
SETTLE_S = 0.005  # and LEAD comes on top
_SYNC_S = 0.1  # a delay's length in beats moves its time, which is smoothed
KEY, HZ = 69, 440.0
LATENT_PART, LATENT_CHANNEL = 1, 1
ROOM_S = 0.15
# Noise has no period; what is measured mostly does. Each part has a channel of its own.
BASE = {row.id: row.default for row in PARAMETERS} | {
    "noise_level": -60.0, "morph_time": 0.01, "channel": 1.0, "amp_release": 0.005,
}  # fmt: skip
PLACE = ("pad_x", "pad_y")


def note(start_s: float, end_s: float, key: int = KEY, velocity: int = 100, channel: int = 0) -> Gesture:
    return ((start_s, (0x90 | channel, key, velocity)), (end_s, (0x80 | channel, key, 64)))


def controller(at_s: float, number: int, value: int, channel: int = 0) -> Gesture:
    return ((at_s, (0xB0 | channel, number, value)),)


def bend(at_s: float, amount: float, channel: int = 0) -> Gesture:
    """amount: -1..1."""
    value = min(max(round(8192 + 8192 * amount), 0), 16383)
    return ((at_s, (0xE0 | channel, value & 127, value >> 7)),)


HELD = note(0.0, 0.14)


class Desk:
    """One window, one engine, one keyboard and one pair of ears, for a whole module."""

    def __init__(self, window: Window, ear: Probe) -> None:
        self.window = window
        self.player = window.player
        self.ear = ear
        self.home = [(0.0, 0.0), (0.0, 0.0)]  # of each part's pad
        self.late = 0  # samples from a MIDI message to its sound
        self._kept: dict[tuple[object, ...], Audio] = {}

    # time

    def wait(self, seconds: float) -> None:
        QTest.qWait(max(round(1000.0 * seconds), 1))

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end
            QTest.qWait(2)

    # controls

    def control(self, parameter_id: str, strip: bool = False) -> ValueControl:
        """The control as it is seen: on its page, or on the first part's strip of the rack page."""
        panel = self.window.knobs
        control = self.window.rack.strips[0].controls[parameter_id] if strip else panel.knobs[parameter_id]
        if not control.isVisible():
            panel.turn_to(RACK_PAGE if strip else _page(parameter_id))
        assert control.isVisible(), parameter_id
        return control

    def turn(self, parameter_id: str, value: float, strip: bool = False) -> None:
        """By hand: type a value, choose from a list, click a toggle. value: as the control shows it."""
        by_hand(self.control(parameter_id, strip), value)
        self.settle(parameter_id)

    def settle(self, *turned: str) -> None:
        """Wait until the engine plays what the window shows, and these have come to rest."""
        client = self.player.client
        assert client is not None

        def arrived() -> bool:
            for number in range(2):
                values = client.parameter_values(number)
                here = self.player.parts[number].values | self.player.rack_values
                if any(abs(values[name] - here[name]) > 1e-3 * max(abs(here[name]), 1.0) for name in here):
                    return False
            return True

        self.wait_until(arrived)
        rows = [self.window.knobs.knobs[each].parameter for each in turned]  # an insert's are those of its effect
        self.wait(max([SETTLE_S, *(5.0 * (_SYNC_S if row.unit == "beats" else row.smoothing_s) for row in rows)]))

    def given(self, values: Mapping[str, float], part: int = 0) -> None:
        """Everything at rest but these parameters of a part."""
        changed = []
        for number in range(2):
            wanted = BASE | ({"channel": 2.0, "noise_level": 0.0} if number == LATENT_PART else {})
            if number == part:
                wanted |= values
            for name in ("insert_1", "insert_2"):
                wanted |= {
                    each: default
                    for each, default in insert_defaults(name, wanted[name]).items()
                    if number != part or each not in values
                }
            here = self.player.parts[number].values
            for name, value in wanted.items():
                rack = PARAMETERS[PARAMETER_INDEX[name]].rack
                if rack and number != part:
                    continue
                if name not in PLACE and abs((self.player.rack_values if rack else here)[name] - value) > 1e-6:
                    self.player.set_parameter(name, value, number)
                    changed += [name] if name in values else []
        if self.player.chosen != part:
            self.player.choose_part(part)
        if (self.player.values["pad_x"], self.player.values["pad_y"]) != self.home[part]:
            self.player.move_pad(*self.home[part])
        self.settle(*changed)

    # sound

    def record(self, gesture: Gesture = HELD, seconds: float = 0.14) -> Audio:
        """Play this and hear it, from the sound of what comes at 0 on; ends with a panic. [n, 2]

        Where the machine lost blocks on the way it is taken once more.
        """
        client = self.player.client
        assert client is not None
        before = client.parameter_values()
        for _ in range(5):
            flaws = self._flaws()
            start = self.ear.now + LEAD
            for at_s, message in sorted(gesture, key=lambda each: each[0]):
                self.ear.send(message, start + round(at_s * RATE))
            end = start + self.late + round(seconds * RATE)
            self.wait_until(lambda end=end: self.ear.now >= end)  # type: ignore[misc]
            audio = self.ear.audio(start + self.late, end)
            whole = self._flaws() == flaws
            self.silence()
            self._take_back(before)
            if whole:
                break
        assert np.isfinite(audio).all()
        return audio

    def listen(self, seconds: float) -> Audio:
        """What comes out from now on; where the machine loses blocks, from later on."""
        for _ in range(5):
            flaws = self._flaws()
            start = self.ear.now + self.late
            end = start + round(seconds * RATE)
            self.wait_until(lambda end=end: self.ear.now >= end)  # type: ignore[misc]
            audio = self.ear.audio(start, end)
            if self._flaws() == flaws:
                break
        return audio

    def silence(self) -> None:
        client = self.player.client
        assert client is not None
        self.window.top.panic.click()
        self.wait_until(lambda: client.status().voices == 0)

    def _take_back(self, before: Mapping[str, float]) -> None:
        """What controllers moved, which the window shows soon."""
        client = self.player.client
        assert client is not None
        now = client.parameter_values()
        moved = [name for name in before if now[name] != before[name]]
        for name in moved:
            self.wait_until(lambda name=name: abs(self.player.parts[0].values[name] - now[name]) < 1e-3)  # type: ignore[misc]
            self.player.set_parameter(name, before[name], 0)
        if moved:
            self.settle()
            self.wait(before["morph_time"])

    def _flaws(self) -> tuple[int, int]:
        client = self.player.client
        assert client is not None
        return client.status().underruns, int(self.ear.row["skipped"])

    def forget(self) -> None:
        """Take what `both` has kept anew."""
        self._kept.clear()

    def both(
        self, parameter_id: str, before: float, after: float, gesture: Gesture = HELD, seconds: float = 0.14,
        given: Mapping[str, float] | None = None, strip: bool = False, part: int = 0, shown: float | None = None,
    ) -> tuple[Audio, Audio]:  # fmt: skip
        """The same played twice: with the parameter as it is before, and after its control was turned by hand.

        shown: `after` in the unit that the control shows, where that is not the parameter's own.
        """
        values = {**(given or {}), parameter_id: before}
        key = (part, tuple(sorted({**BASE, **values}.items())), gesture, seconds)
        self.given(values, part)
        if key not in self._kept:
            self._kept[key] = self.record(gesture, seconds)
        self.turn(parameter_id, after if shown is None else shown, strip)
        here = self.player.parts[part].values | self.player.rack_values
        assert here[parameter_id] == pytest.approx(after, rel=1e-3, abs=1e-3)
        return self._kept[key], self.record(gesture, seconds)


def by_hand(control: ValueControl, value: float) -> None:
    """What a player does to give a control a value."""
    if isinstance(control, Toggle):
        QTest.mouseClick(control, Qt.MouseButton.LeftButton)
        return
    QTest.keyClick(control, Qt.Key.Key_Return)
    if isinstance(control, Choice):
        assert control.list is not None
        names = control.list.list
        names.setCurrentRow(round(value - control.parameter.minimum))
        QTest.keyClick(names, Qt.Key.Key_Return)
    else:
        editor = control._editor
        assert editor is not None
        QTest.keyClicks(editor, f"{value:.6g}")
        QTest.keyClick(editor, Qt.Key.Key_Return)
        assert control._editor is None, editor.toolTip()


def _page(parameter_id: str) -> str:
    if parameter_id in DIRECTIONS:
        return pages()[0].title
    for page in pages():
        if any(parameter_id in section.parameters for section in page.sections):
            return page.title
    raise KeyError(parameter_id)
