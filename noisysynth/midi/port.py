"""One open MIDI input: what came from it and still holds, and whether it keeps the time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.priority import raise_thread_priority
from noisysynth.events import EventKind, make_event
from noisysynth.midi.arrival import ArrivalClock
from noisysynth.midi.messages import event_of
from noisysynth.quiet import quiet_stderr

Receive = Callable[[NDArray[np.void], float], None]  # an event, and when it came by time.perf_counter
Observe = Callable[[str, Sequence[int], float], None]  # a port's name, a whole message, and when it came

_PEDALS = range(64, 70)
_CLOCK_PATIENCE_S = 1.0
_LAST_MESSAGE_S = 0.005
_LOOK_S = 0.0004


class ClockSource:
    """Gives the clock to one port at a time, until it falls silent: two clocks at once would double the tempo."""

    def __init__(self) -> None:
        self._port: Port | None = None
        self._heard_s = -_CLOCK_PATIENCE_S

    def follows(self, port: Port) -> bool:
        now_s = time.monotonic()
        if self._port is not port and now_s - self._heard_s < _CLOCK_PATIENCE_S:
            return False
        self._port, self._heard_s = port, now_s
        return True


class Port:
    """Passes on what comes from `midi_in`, an open input of rtmidi's, until `close`; `observe` is shown every message.

    queued: look into rtmidi's queue rather than be called by it. JACK calls in the middle of its period, and while that
    call waits for the interpreter the period may end; RtMidi then takes the message before for each of those that are
    left, so that of a chord one key sounds twice and another never goes up.
    """

    def __init__(
        self,
        midi_in: Any,
        receive: Receive,
        clock: ClockSource,
        queued: bool = False,
        name: str = "",
        observe: Observe | None = None,
    ) -> None:
        self._midi_in = midi_in
        self._receive = receive
        self._name = name
        self._observe = observe
        self._clock = clock
        self._lock = threading.Lock()
        self._open = True
        self._held: set[tuple[EventKind, int, int]] = set()  # kind, channel and index of what lets it go
        # From a queue everything is taken: what rtmidi leaves out is missing from the times between messages.
        midi_in.ignore_types(sysex=not queued, timing=False, active_sense=not queued)
        self._arrivals = ArrivalClock() if queued else None
        self._reader: threading.Thread | None = None
        if queued:
            self._reader = threading.Thread(target=self._read, name="midi queue", daemon=True)
            self._reader.start()
        else:
            midi_in.set_callback(self._on_message)

    def _read(self) -> None:
        raise_thread_priority()
        while self._open:
            message = self._midi_in.get_message()
            if message is None:
                time.sleep(_LOOK_S)
            else:
                self._on_message(message)

    def _on_message(self, message_and_delta: tuple[list[int], float], _data: object = None) -> None:
        came_s = time.perf_counter()
        if self._arrivals is not None:
            came_s = self._arrivals.came(message_and_delta[1], came_s)
        self._play(message_and_delta[0], came_s)
        if self._observe is not None:  # not before: a note does not wait for it
            self._observe(self._name, message_and_delta[0], came_s)

    def _play(self, message: Sequence[int], came_s: float) -> None:
        event = event_of(message)
        if event is None:
            return
        with self._lock:
            if not self._open:
                return
            kind = EventKind(int(event["kind"][0]))
            if kind in (EventKind.CLOCK, EventKind.TRANSPORT) and not self._clock.follows(self):
                return
            self._hold(kind, int(event["channel"][0]), int(event["index"][0]), float(event["value"][0]))
            self._receive(event, came_s)

    def _hold(self, kind: EventKind, channel: int, index: int, value: float) -> None:
        if kind in (EventKind.NOTE_ON, EventKind.NOTE_OFF):
            what, holds = (EventKind.NOTE_OFF, channel, index), kind == EventKind.NOTE_ON
        elif (kind == EventKind.CONTROL_CHANGE and index in _PEDALS) or kind in (
            EventKind.PITCH_BEND,
            EventKind.CHANNEL_PRESSURE,
        ):
            what, holds = (kind, channel, index), value != 0.0
        else:
            return
        (self._held.add if holds else self._held.discard)(what)

    def close(self) -> None:
        """Let go of its keys, pedals and wheels, which can no longer do so themselves, and of nobody else's."""
        with self._lock:
            self._open = False
            held = sorted(self._held)
            self._held.clear()
        if self._reader is not None:
            self._reader.join()
        for kind, channel, index in held:
            self._receive(make_event(kind, index, 0.0, channel=channel), time.perf_counter())
        close_input(self._midi_in)


def close_input(midi_in: Any) -> None:
    """Close an input of rtmidi's, whatever state it is in."""
    with contextlib.suppress(Exception), quiet_stderr():
        midi_in.cancel_callback()
        # rtmidi waits for its own thread while it keeps the interpreter, which a last message may be waiting for.
        time.sleep(_LAST_MESSAGE_S)
        midi_in.close_port()
        midi_in.delete()
