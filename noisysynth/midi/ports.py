"""MIDI inputs: every port there is, as they come and go, and a virtual port others can connect to.

The only import of rtmidi.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable
from typing import Any

from noisysynth.midi.jack_server import JackServer
from noisysynth.midi.port import ClockSource, Observe, Port, Receive, close_input
from noisysynth.quiet import quiet_stderr

CLIENT_NAME = "noisysynth"
VIRTUAL_PORT = "in"
VIRTUAL_NAME = "other programs"  # what the player reads of that port
_RESCAN_S = 1.0
_PATIENCE_S = 2.0  # with a system that hangs
# Clients under which JACK shows hardware: its own driver, and the bridge to ALSA.
_JACK_DEVICES = ("system:", "a2j:", "alsa_midi:")

Tell = Callable[[str], None]


@dataclasses.dataclass
class _System:
    """A system MIDI that works: `scanner` lists its ports; `virtual` is the port that we offer there."""

    scanner: Any
    virtual: Port | None

    def names(self) -> dict[str, int]:
        """Ports by name, with their place in rtmidi's list; of two with the same name the second is numbered."""
        names: dict[str, int] = {}
        try:
            listed: list[str] = self.scanner.get_ports()
        except Exception:  # rtmidi's own hierarchy; a system that went away
            return names
        for place, name in enumerate(listed):
            if CLIENT_NAME in name:
                continue  # our own
            unique, number = name, 1
            while unique in names:
                number += 1
                unique = f"{name} ({number})"
            names[unique] = place
        return names

    def close(self) -> None:
        if self.virtual is not None:
            self.virtual.close()
        else:
            close_input(self.scanner)


class MidiInputs:
    """Listens to every MIDI input, unless told not to, and finds new ones by itself.

    receive: called with each event, and when it came, from MIDI's own threads, so it must be quick. tell: called with
    one line when a port comes, goes or fails. observe: called like `receive`, after it, with every message as it came.
    Devices are taken from one system MIDI, so that a keyboard known to both ALSA and JACK does not play twice: from
    JACK where it shows any. The virtual port is offered on all of them.

    rtmidi is called by one thread alone. When a system hangs, so does this thread, and nobody else.
    """

    def __init__(self, receive: Receive, tell: Tell, observe: Observe | None = None) -> None:
        self._receive = receive
        self._observe = observe
        self._tell = tell
        self._clock = ClockSource()
        self._changed = threading.Condition()  # guards the next five
        self._asked = 0
        self._done = 0
        self._closing = False
        self._wishes: dict[str, bool] = {}  # what the player said of a port
        self._ports: list[tuple[str, bool]] = []
        # The thread's own.
        self._systems: dict[int, _System] = {}
        self._tried: set[int] = set()
        self._api: int | None = None  # that devices are taken from
        self._seen: set[str] = set()
        self._open: dict[str, Port] = {}
        self._failed: set[str] = set()
        self._stumbled = False
        try:
            import rtmidi
        except ImportError:
            tell("no MIDI: python-rtmidi is missing; install it with pip, then start again")
            return
        self._rtmidi = rtmidi
        self._jack = self._find_jack()
        self._thread = threading.Thread(target=self._watch, name="midi ports", daemon=True)
        self._thread.start()
        self.rescan()

    def ports(self) -> list[tuple[str, bool]]:
        """Input ports by name, and whether we listen."""
        self.rescan()
        with self._changed:
            return list(self._ports)

    def listen(self, port: str, enabled: bool) -> None:
        """Listen to a port from now on, or no longer."""
        with self._changed:
            self._wishes[port] = enabled
        self.rescan()

    def rescan(self) -> bool:
        """Look now; whether it was done. It is not after the end, nor within two seconds while a system hangs."""
        with self._changed:
            if self._closing or not hasattr(self, "_thread"):
                return False
            hangs = self._asked > self._done  # or somebody else is asking, which does as well
            self._asked += 1
            wanted = self._asked
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= wanted, 0.0 if hangs else _PATIENCE_S)

    def close(self) -> bool:
        """Close everything; whether it was done within two seconds. A system that hangs is left as it is."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if hasattr(self, "_thread"):
            self._thread.join(_PATIENCE_S)
            return not self._thread.is_alive()
        return True

    # the thread

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._asked > self._done, _RESCAN_S)
                if self._closing:
                    break
                asked = self._asked
            try:
                self._scan()
            except Exception as error:  # drivers fail in ways of their own, and the next look may do better
                if not self._stumbled:
                    self._tell(f"MIDI stumbled ({' '.join(repr(error).split())[:120]}); it goes on")
                self._stumbled = True
            with self._changed:
                self._done = asked
                self._changed.notify_all()
        if self._jack is not None and self._rtmidi.API_UNIX_JACK in self._systems:
            self._jack.alive()  # if it hangs, here: see JackServer
        self._close_devices()
        for system in self._systems.values():
            system.close()
        self._systems.clear()
        if self._jack is not None:
            self._jack.close()

    def _scan(self) -> None:
        first = self._done == 0
        api = self._find_systems(first)
        announce = not first and api == self._api
        if api != self._api:
            self._close_devices()
            self._api = api
        names = {} if api is None else self._systems[api].names()
        with self._changed:
            wanted = {name for name in names if self._wishes.get(name, self._plays_by_itself(name))}
        self._failed.intersection_update(names)  # plugged in again, it may open
        for name in [name for name in self._open if name not in wanted]:
            self._open.pop(name).close()
            if name not in names and announce:
                self._tell(f"MIDI input {name!r} is gone; it plays again when it is back")
        for name in names:
            if name in wanted and name not in self._open and name not in self._failed:
                self._open_device(name, names[name], announce and name not in self._seen)
        self._seen = set(names)
        with self._changed:
            self._ports = [(name, name in self._open) for name in names]

    def _find_systems(self, first: bool) -> int | None:
        """Take up what is new and drop what died; returns the one to take devices from."""
        rtmidi = self._rtmidi
        for api in rtmidi.get_compiled_api():
            if api in (rtmidi.API_RTMIDI_DUMMY, rtmidi.API_UNSPECIFIED):
                continue
            if api == rtmidi.API_UNIX_JACK:
                self._find_jack_again(first)
            elif api not in self._tried:
                self._tried.add(api)
                self._start(api)
        if first and not self._systems:
            self._tell("no MIDI: the system offers none; the computer keyboard and the mouse still play")
        jack = self._systems.get(rtmidi.API_UNIX_JACK)
        other = next((api for api in self._systems if api != rtmidi.API_UNIX_JACK), None)
        if jack is not None and (other is None or any(name.startswith(_JACK_DEVICES) for name in jack.names())):
            return int(rtmidi.API_UNIX_JACK)
        return other

    def _find_jack(self) -> JackServer | None:
        if self._rtmidi.API_UNIX_JACK not in self._rtmidi.get_compiled_api():
            return None
        with contextlib.suppress(OSError, AttributeError):
            return JackServer(self._rtmidi._rtmidi.__file__, f"{CLIENT_NAME}-pulse")
        return None

    def _find_jack_again(self, first: bool) -> None:
        api, jack = self._rtmidi.API_UNIX_JACK, self._jack
        if jack is None:
            return
        if api in self._systems:
            if jack.alive():
                return
            if self._api == api:
                self._close_devices()
            self._systems.pop(api).close()
            jack.close()
            self._tell("the JACK server is gone; MIDI through it plays again when it is back")
        if not jack.connect():
            return
        # The server answers, so rtmidi may go; and it must go first. Of clients that opened while the pulse was there,
        # one in ten was never woken: each client of a process sets up the wake-up calls of all that come after it.
        jack.close()
        if self._start(api) and jack.connect() and not first:
            self._tell("the JACK server is there; MIDI through it plays")

    def _start(self, api: int) -> bool:
        """Offer the virtual port on a system; False where the system is not there."""
        rtmidi = self._rtmidi
        # Each system raises errors of its own kind when it is not there.
        with contextlib.suppress(Exception), quiet_stderr():
            midi_in = rtmidi.MidiIn(api, name=CLIENT_NAME)
            midi_in.get_ports()
            virtual = None
            if api != getattr(rtmidi, "API_WINDOWS_MM", None):
                midi_in.open_virtual_port(VIRTUAL_PORT)
                queued = api == rtmidi.API_UNIX_JACK
                virtual = Port(midi_in, self._receive, self._clock, queued, VIRTUAL_NAME, self._observe)
            self._systems[api] = _System(midi_in, virtual)
            return True
        return False

    def _plays_by_itself(self, name: str) -> bool:
        """Every device does.

        JACK also lists what programs send; those may be connected to our virtual port already, and would play twice.
        """
        return self._api != self._rtmidi.API_UNIX_JACK or name.startswith(_JACK_DEVICES)

    def _open_device(self, name: str, place: int, announce: bool) -> None:
        assert self._api is not None
        try:
            with quiet_stderr():
                midi_in = self._rtmidi.MidiIn(self._api, name=CLIENT_NAME)
                midi_in.open_port(place, "from device")
            queued = self._api == self._rtmidi.API_UNIX_JACK
            self._open[name] = Port(midi_in, self._receive, self._clock, queued, name, self._observe)
        except Exception as error:  # a port used by another program, or gone in between
            self._failed.add(name)
            self._tell(f"MIDI input {name!r} cannot be opened: {' '.join(str(error).split())[:120]}")
            return
        if announce:
            self._tell(f"MIDI input {name!r} is there and plays")

    def _close_devices(self) -> None:
        for port in self._open.values():
            port.close()
        self._open.clear()
        self._seen.clear()
