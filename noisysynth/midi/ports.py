"""MIDI inputs: every port there is, as they come and go, and a virtual port others can connect to.

The only import of rtmidi.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.events import EventKind, make_event
from noisysynth.midi.messages import event_of
from noisysynth.quiet import quiet_stderr

CLIENT_NAME = "noisysynth"
VIRTUAL_PORT = "in"
_RESCAN_S = 1.0
# Clients under which JACK shows hardware: its own driver, and the bridge to ALSA.
_JACK_DEVICES = ("system:", "a2j:", "alsa_midi:")

Receive = Callable[[NDArray[np.void]], None]
Tell = Callable[[str], None]


class MidiInputs:
    """Listens to every MIDI input, unless told not to, and finds new ones by itself.

    receive: called with each event from MIDI's own thread, so it must be quick. tell: called with one line when a port
    comes, goes or fails. Devices are taken from the first system MIDI that works, so that a keyboard known to both
    ALSA and JACK does not play twice; the virtual port is offered on all of them.
    """

    def __init__(self, receive: Receive, tell: Tell) -> None:
        self._receive = receive
        self._tell = tell
        self._lock = threading.Lock()
        self._open: dict[str, Any] = {}
        self._chosen: dict[str, bool] = {}  # what the player said of a port
        self._failed: set[str] = set()
        self._virtual: list[Any] = []
        self._scanner: Any = None
        self._api: int = 0
        self._closing = threading.Event()
        try:
            import rtmidi
        except ImportError:
            tell("no MIDI: python-rtmidi is missing; install it with pip, then start again")
            return
        self._rtmidi = rtmidi
        self._start()
        self._thread = threading.Thread(target=self._watch, name="midi ports", daemon=True)
        self._thread.start()

    def ports(self) -> list[tuple[str, bool]]:
        """Input ports by name, and whether we listen."""
        names = self._names()
        with self._lock:
            return [(name, name in self._open) for name in names]

    def listen(self, port: str, enabled: bool) -> None:
        """Listen to a port from now on, or no longer."""
        with self._lock:
            self._chosen[port] = enabled
            self._failed.discard(port)
        self._rescan(announce=False)

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            for midi_in in [*self._open.values(), *self._virtual]:
                _close(midi_in)
            self._open.clear()
            self._virtual.clear()

    def _start(self) -> None:
        rtmidi = self._rtmidi
        for api in rtmidi.get_compiled_api():
            if api in (rtmidi.API_RTMIDI_DUMMY, rtmidi.API_UNSPECIFIED):
                continue
            with contextlib.suppress(Exception), quiet_stderr():
                # Each system raises errors of its own kind when it is not there.
                midi_in = rtmidi.MidiIn(api, name=CLIENT_NAME)
                midi_in.get_ports()
                if api != getattr(rtmidi, "API_WINDOWS_MM", None):
                    midi_in.open_virtual_port(VIRTUAL_PORT)
                    self._attach(midi_in)
                self._virtual.append(midi_in)
                if self._scanner is None or self._api == rtmidi.API_UNIX_JACK:
                    self._scanner, self._api = midi_in, api
        if self._scanner is None:
            self._tell("no MIDI: the system offers none; the computer keyboard and the mouse still play")
            return
        self._rescan(announce=False)

    def _attach(self, midi_in: Any) -> None:
        midi_in.ignore_types(sysex=True, timing=True, active_sense=True)

        def on_message(message_and_delta: tuple[list[int], float], _data: object = None) -> None:
            event = event_of(message_and_delta[0])
            if event is not None:
                self._receive(event)

        midi_in.set_callback(on_message)

    def _wanted(self, name: str) -> bool:
        """Every device, unless the player said otherwise.

        JACK also lists what programs send; those may be connected to our virtual port already, and would play twice.
        """
        on_jack = self._api == self._rtmidi.API_UNIX_JACK
        return self._chosen.get(name, not on_jack or name.startswith(_JACK_DEVICES))

    def _names(self) -> list[str]:
        if self._scanner is None:
            return []
        with self._lock:
            try:
                names: list[str] = self._scanner.get_ports()
            except Exception:  # rtmidi's own hierarchy; a system that went away
                return []
        # Our own virtual port is not a device.
        return [name for name in names if CLIENT_NAME not in name]

    def _rescan(self, announce: bool) -> None:
        names = self._names()
        with self._lock:
            if self._closing.is_set():
                return
            self._failed.intersection_update(names)  # plugged in again, it may open
            for name in list(self._open):
                gone = name not in names
                if gone or not self._wanted(name):
                    _close(self._open.pop(name))
                    # Keys that are down there can no longer go up.
                    self._receive(make_event(EventKind.ALL_NOTES_OFF))
                    if gone:
                        self._tell(f"MIDI input {name!r} is gone; it plays again when it is back")
            for name in names:
                if name in self._open or name in self._failed or not self._wanted(name):
                    continue
                try:
                    with quiet_stderr():
                        midi_in = self._rtmidi.MidiIn(self._api, name=CLIENT_NAME)
                        midi_in.open_port(self._scanner.get_ports().index(name), "from device")
                    self._attach(midi_in)
                except Exception as error:  # a port used by another program, or gone in between
                    self._failed.add(name)
                    self._tell(f"MIDI input {name!r} cannot be opened: {' '.join(str(error).split())[:120]}")
                    continue
                self._open[name] = midi_in
                if announce:
                    self._tell(f"MIDI input {name!r} is there and plays")

    def _watch(self) -> None:
        while not self._closing.wait(_RESCAN_S):
            if self._scanner is not None:
                self._rescan(announce=True)


def _close(midi_in: Any) -> None:
    with contextlib.suppress(Exception), quiet_stderr():
        midi_in.cancel_callback()
        midi_in.close_port()
        midi_in.delete()
