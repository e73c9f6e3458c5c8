"""OSC over UDP, from this machine alone: a thread that turns messages into events and answers questions.

Anything may arrive at a port, so nothing that arrives can do more than be ignored.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from noisysynth.engine.osc_addresses import event_of, value_at
from noisysynth.errors import UserError

DEFAULT_PORT = 9010
_HOST = "127.0.0.1"
_LONGEST_PACKET = 1 << 16
_POLL_S = 0.25
# Reading messages costs time that the control thread needs for notes.
_MOST_PER_SECOND = 4000
_MOST_AT_ONCE = 1000

Receive = Callable[[NDArray[np.void]], None]
Values = Callable[[], NDArray[np.float32]]
Tell = Callable[[str], None]


class OscServer:
    """Listens from its making until `close`.

    receive: called with each event. values: gives where all parameters stand, [PARTS, MAX_PARAMETERS]. Both are called
    from a thread of its own. tell: called with one line for the player. port: 0 for any that is free. UserError when
    the port is taken.

    ignored: messages and packets that meant nothing or were too many.
    """

    def __init__(self, receive: Receive, values: Values, tell: Tell, port: int = DEFAULT_PORT) -> None:
        logging.getLogger().addFilter(_not_of_the_parser)
        self._receive = receive
        self._values = values
        self._tell = tell
        self.ignored = 0
        self._budget = float(_MOST_AT_ONCE)
        self._budget_s = time.monotonic()
        self._flooded = False
        self._closing = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"OSC cannot listen on port {port} ({reason}); choose another") from None
        self._socket.settimeout(_POLL_S)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(4 * _POLL_S)
        self._socket.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                packet, sender = self._socket.recvfrom(_LONGEST_PACKET)
            except OSError:  # nothing came; on Windows also when an answer found nobody
                continue
            if not self._affordable(1):
                self.ignored += 1
                continue
            try:
                messages = [timed.message for timed in OscPacket(packet).messages]
            except Exception:  # the parser's errors are of many kinds; deep bundles even exhaust the stack
                self.ignored += 1
                continue
            if not self._affordable(len(messages) - 1):
                self.ignored += len(messages)
                continue
            for message in messages:
                try:
                    self._take(message.address, list(message.params), sender)
                except (ValueError, TypeError, OverflowError):
                    self.ignored += 1

    def _take(self, address: str, arguments: list[Any], sender: Any) -> None:
        if address != "/get":
            self._receive(event_of(address, arguments))
            return
        (asked,) = arguments
        if not isinstance(asked, str):
            raise ValueError("not an address")
        answer = OscMessageBuilder(asked)
        answer.add_arg(value_at(asked, self._values()), OscMessageBuilder.ARG_TYPE_FLOAT)
        with contextlib.suppress(OSError):  # nobody waits for it any more
            self._socket.sendto(answer.build().dgram, sender)

    def _affordable(self, messages: int) -> bool:
        now_s = time.monotonic()
        self._budget = min(self._budget + (now_s - self._budget_s) * _MOST_PER_SECOND, float(_MOST_AT_ONCE))
        self._budget_s = now_s
        if self._budget >= messages:
            self._budget -= messages
            return True
        if not self._flooded:
            self._flooded = True
            self._tell(f"OSC: more than {_MOST_PER_SECOND} messages a second; some are ignored")
        return False


def _not_of_the_parser(record: logging.LogRecord) -> bool:
    """It would print a line for every argument of an unknown type."""
    return record.module not in ("osc_message", "osc_bundle")
