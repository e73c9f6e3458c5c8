"""A JACK server's pulse.

RtMidi does not notice that a server died: its list of ports just stands still. And python-rtmidi keeps the interpreter
while it waits for a server, so that one that hangs would stop the whole engine; a call through ctypes lets it go.
"""

from __future__ import annotations

import ctypes

_NO_START_SERVER = 1


class JackServer:
    """A client without ports, by which we know whether the server answers.

    library: a shared object that is linked with libjack; taking rtmidi's own makes sure that both reach the same
    server. OSError or AttributeError when it is not.
    """

    def __init__(self, library: str, client_name: str) -> None:
        jack = ctypes.CDLL(library)
        self._name = client_name.encode()
        self._client: int | None = None
        self._open = jack.jack_client_open
        self._open.argtypes, self._open.restype = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
        self._close = jack.jack_client_close
        self._close.argtypes, self._close.restype = [ctypes.c_void_p], ctypes.c_int
        # One of the few questions that the server itself answers; most are looked up in shared memory.
        self._uuid = jack.jack_get_uuid_for_client_name
        self._uuid.argtypes, self._uuid.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_void_p
        self._client_name = jack.jack_get_client_name
        self._client_name.argtypes, self._client_name.restype = [ctypes.c_void_p], ctypes.c_char_p
        self._free = jack.jack_free
        self._free.argtypes, self._free.restype = [ctypes.c_void_p], None
        # Every failed attempt would print lines. strlen does nothing to them, and takes no interpreter to run.
        silent = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
        for setter in (jack.jack_set_error_function, jack.jack_set_info_function):
            setter.argtypes, setter.restype = [ctypes.c_void_p], None
            setter(silent)

    def connect(self) -> bool:
        """Become the server's client, if there is one; waits while it hangs."""
        self._client = self._open(self._name, _NO_START_SERVER, None)
        return self._client is not None

    def alive(self) -> bool:
        """Whether the server answers; waits while it hangs."""
        if self._client is None:
            return False
        answer = self._uuid(self._client, self._client_name(self._client))
        if answer is None:
            return False
        self._free(answer)
        return True

    def close(self) -> None:
        if self._client is not None:
            self._close(self._client)
            self._client = None
