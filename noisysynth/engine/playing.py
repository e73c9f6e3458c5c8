"""The rack on its output: opens the device, goes on unheard without one, and comes back when it is there again."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine import audio
from noisysynth.engine.arena import Arena
from noisysynth.engine.control import ControlThread, Inbox
from noisysynth.engine.control_net import ControlNet
from noisysynth.engine.messages import AudioChoice, AudioDevice, OpenedAudio
from noisysynth.engine.offline import SilentStream
from noisysynth.engine.rack import Rack
from noisysynth.engine.render import STOP_FADE_S
from noisysynth.engine.sound import prepared_room
from noisysynth.engine.state import PARTS, prepare
from noisysynth.errors import UserError
from noisysynth.instrument import Instrument
from noisysynth.midi.tuning import EQUAL, Tuning

_SILENT_SAMPLE_RATE = 48_000
_LOOK_S = 1.5
_LONGEST_LOOK_S = 30.0


class ServerLostError(Exception):
    """The sound server ended: nothing can be opened or closed in this process any more."""


class Playing:
    """Sounds by part, on whatever output there is. Methods belong to one thread, the process's main one.

    shared: [1], SHARED_DTYPE, whose memory was filled. tell: takes a line for the player. closing: called when an
    output has played its last sample, before the state is made anew for another.
    """

    def __init__(
        self, shared: NDArray[np.void], inbox: Inbox, tell: Callable[[str], None], closing: Callable[[], None]
    ) -> None:
        self._state: NDArray[np.void] = shared["state"]
        self._memory: np.void = shared["memory"][0]
        self._inbox = inbox
        self._tell = tell
        self._closing = closing
        self._sounds: list[tuple[Instrument, ControlNet] | None] = [None] * PARTS
        self._tuning: Tuning = EQUAL
        self._wanted = self._choice = AudioChoice()
        self._stream: audio.OutputStream | SilentStream | None = None
        self._control: ControlThread | None = None
        self._rack: Rack | None = None
        self._arena: Arena | None = None
        self._look_at = 0.0
        self._look_s = _LOOK_S
        self._told = ""
        self._hushed = False
        self.doubtful: frozenset[tuple[int, int]] = frozenset()  # keys, see ControlThread

    # what plays

    def load(self, part: int, instrument: Instrument, net: ControlNet) -> None:
        """From the next note on; nothing that sounds is touched."""
        swapped, self._sounds[part] = self._sounds[part] is not None, (instrument, net)
        room = prepared_room(instrument, self._arena) if self._arena is not None else None

        def work(rack: Rack) -> None:
            if swapped:
                self._memory["latent_known"][part] = 0  # it was a place in another instrument
            rack.load(part, instrument, net, room)

        self.on_rack(work)

    def unload(self, part: int) -> None:
        self._sounds[part] = None
        self.on_rack(lambda rack: rack.unload(part))

    def set_tuning(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self.on_rack(lambda rack: rack.set_tuning(tuning))

    def on_rack(self, work: Callable[[Rack], Any]) -> Any:
        """Have the control thread do something with the rack; before there is one, nothing needs to be done."""
        rack = self._rack
        return self._inbox.do(lambda: work(rack)) if rack is not None and self._control is not None else None

    # what is measured and tried

    def test_tone(self, seconds: float) -> None:
        """Play the test tone on the left, the right and both, in so many seconds; 0: end it. It fades either way.

        UserError when no device is open.
        """
        if not isinstance(self._stream, audio.OutputStream):
            raise UserError("no sound device is open: choose one that is there")
        row = self._state[0]
        row["tone_end"] = 0
        row["tone_begin"] = row["rendered"][0]
        row["tone_end"] = row["tone_begin"] + round(seconds * float(row["sample_rate"]))

    def hush(self, on: bool) -> None:
        """Render everything and let nothing be heard, also through the devices opened next; or be heard again."""
        self._hushed = on
        self._state["stop_requested"] = int(on)

    # the output

    def begin(self, choice: AudioChoice, only_this: bool) -> None:
        """Open the device chosen, else the system's default, else go on unheard; the player is told why.

        only_this: rather be silent until the chosen device is there than take another.
        """
        self._wanted = choice
        others = () if only_this else (AudioChoice(block_size=choice.block_size), AudioChoice())
        for attempt in dict.fromkeys((choice, *others)):
            problem = self._open(attempt)
            if not problem:
                return
            self._tell_once(problem)
        self._go_unheard()

    def reopen(self, choice: AudioChoice) -> None:
        """Open another device. UserError when that fails; then the one before plays on."""
        before = self._choice if isinstance(self._stream, audio.OutputStream) else None
        self._close_stream()
        problem = self._open(choice)
        if not problem:
            self._wanted = choice
            return
        if before is None or self._open(before):
            self._go_unheard()
        raise UserError(problem)

    def watch(self) -> bool:
        """Notice what went away, and what came back: True when something was opened or closed.

        ServerLostError when this process can do nothing more about it.
        """
        if self._control is not None and self._control.error is not None:
            error, self._control.error = self._control.error, None
            self._tell(f"the engine stumbled ({error!r}); it starts again")
            choice = self._choice
            self._close_stream()
            if self._open(choice):
                self._go_unheard()
            return True
        if isinstance(self._stream, SilentStream):
            return self._look_for_device()
        if self._stream is None or self._stream.active:
            return False
        name = self._stream.name
        if self._stream.dies_with_server:
            self._tell("the JACK server has ended; playing goes on when it is back")
            raise ServerLostError
        self._tell(f"sound device {name!r} is gone; playing goes on when it is back")
        self._close_stream()
        self._go_unheard()
        return True

    def devices(self) -> list[AudioDevice]:
        if isinstance(self._stream, SilentStream):
            audio.rescan()
        return audio.output_devices()

    @property
    def opened(self) -> OpenedAudio:
        stream = self._stream
        assert stream is not None
        running = isinstance(stream, audio.OutputStream)
        return OpenedAudio(
            running, stream.name, int(stream.sample_rate), self._choice.block_size, float(stream.latency_s)
        )

    @property
    def choice(self) -> AudioChoice:
        """What is open, or wanted; a server's name belongs to it, for another one would take the server's card."""
        if isinstance(self._stream, audio.OutputStream) and self._stream.dies_with_server:
            return dataclasses.replace(self._choice, host_api="JACK")
        return self._choice

    def end(self) -> None:
        self._close_stream()

    # parts

    def _look_for_device(self) -> bool:
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + self._look_s
        if not _is_there(self._wanted):
            return False
        self._close_stream()
        problem = self._open(self._wanted)
        if problem:
            # It is there and does not open: trying costs the meters their clock, so it is done less and less often.
            self._look_s = min(2.0 * self._look_s, _LONGEST_LOOK_S)
            self._tell_once(problem)
            self._go_unheard()
            return False
        self._tell(f"playing on {self.opened.name!r}")
        return True

    def _tell_once(self, problem: str) -> None:
        if problem != self._told:
            self._tell(problem)
        self._told = problem

    def _open(self, choice: AudioChoice) -> str:
        """Open the device; return why not, or ''. No stream may be open."""
        try:
            # PortAudio's list of devices dates from when it started.
            audio.rescan()
            self._make_rack(audio.negotiate(choice), choice.block_size)
            assert self._arena is not None
            self._stream = audio.OutputStream(self._state, self._arena, choice)
        except UserError as error:
            return str(error)
        except Exception as error:  # drivers fail in ways of their own, and the engine must outlive them
            return f"the sound device cannot be opened: {' '.join(str(error).split())[:160]}"
        self._choice = choice
        self._told, self._look_s = "", _LOOK_S
        self._start_control()
        return ""

    def _go_unheard(self) -> None:
        # Unheard, the block size matters to nobody, and it may be what was wrong.
        self._choice = dataclasses.replace(self._wanted, block_size=AudioChoice.block_size)
        self._make_rack(self._wanted.sample_rate or _SILENT_SAMPLE_RATE, self._choice.block_size)
        assert self._arena is not None
        self._stream = SilentStream(self._state, self._arena, self._choice.block_size)
        self._look_at = time.monotonic() + self._look_s
        self._start_control()

    def _make_rack(self, sample_rate: int, block_size: int) -> None:
        """A rack as the one before was, as far as memory and loaded sounds tell; keys that are down sound."""
        prepare(self._state, sample_rate)
        self._state["stop_requested"] = int(self._hushed)
        self._arena = Arena(sample_rate)
        self._arena.have_at_hand()
        self._rack = Rack(self._state, self._memory, self._arena, block_size)
        for part, sound in enumerate(self._sounds):
            if sound is not None:
                self._rack.load(part, *sound)
        self._rack.set_tuning(self._tuning)
        self._rack.resume_held()

    def _start_control(self) -> None:
        assert self._stream is not None
        assert self._rack is not None
        self._control = ControlThread(
            self._rack, self._state[0], self._memory, self._stream, self._choice.block_size, self._inbox, self.doubtful
        )
        self.doubtful = frozenset()

    def _close_stream(self) -> None:
        """Fade out, then let go of the device."""
        if self._stream is not None and self._stream.active:
            self._state["stop_requested"] = 1
            block_s = self._choice.block_size / float(self._state["sample_rate"][0])
            deadline = time.monotonic() + 0.5
            time.sleep(STOP_FADE_S)
            while self._state["start_gain"][0] > 0.0 and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(2.0 * block_s)  # what is in the device's buffer leaves it
        if self._control is not None:
            self._control.stop()
            self._control = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            self._closing()


def _is_there(choice: AudioChoice) -> bool:
    try:
        audio.rescan()
        audio.negotiate(choice)
    except Exception:  # as drivers fail
        return False
    return True
