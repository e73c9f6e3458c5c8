"""What comes in by MIDI, for who watches: a ring in shared memory that MIDI's own threads write, never the callback."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.messages import MidiMessage
from noisysynth.engine.state import MIDI_LOG_BYTES, MIDI_LOG_LENGTH, MIDI_LOG_PORT

_BEING_WRITTEN = 8  # rows that may be written over while they are read


class MidiLog:
    """The writing end, in the engine's process. `memory`: a row of MEMORY_DTYPE."""

    def __init__(self, memory: np.void) -> None:
        self._watched: NDArray[np.int32] = memory["midi_watched"]
        self._logged: NDArray[np.int64] = memory["midi_logged"]
        self._log: NDArray[np.void] = memory["midi_log"]
        self._lock = threading.Lock()  # several ports, a thread each

    def note(self, port: str, message: Sequence[int], came_s: float) -> None:
        """Write a message (status byte first) down. Costs a look at a flag while nobody watches."""
        if not self._watched[0]:
            return
        with self._lock:
            number = int(self._logged[0])
            row = self._log[number % MIDI_LOG_LENGTH]
            row["came_s"] = came_s
            row["length"] = len(message)
            row["data"] = 0
            row["data"][: min(len(message), MIDI_LOG_BYTES)] = message[:MIDI_LOG_BYTES]
            name = port.encode()[:MIDI_LOG_PORT]
            row["port"] = 0
            row["port"][: len(name)] = np.frombuffer(name, np.uint8)
            self._logged[0] = number + 1


def read_log(memory: np.void, since: int) -> tuple[list[MidiMessage], int]:
    """Messages from number `since` on, oldest first, and the number to ask with next time.

    What was written over meanwhile is left out. A `since` beyond the end means: from now on.
    """
    end = int(memory["midi_logged"][0])
    first = max(since, end - MIDI_LOG_LENGTH + _BEING_WRITTEN, 0)
    if first >= end:
        return [], end
    rows = memory["midi_log"][np.arange(first, end) % MIDI_LOG_LENGTH]
    lost = max(int(memory["midi_logged"][0]) + _BEING_WRITTEN - MIDI_LOG_LENGTH - first, 0)
    return [_message(first + i, rows[i]) for i in range(lost, len(rows))], end


def _message(number: int, row: np.void) -> MidiMessage:
    length = int(row["length"])
    return MidiMessage(
        number,
        float(row["came_s"]),
        bytes(row["port"]).rstrip(b"\0").decode(errors="replace"),
        bytes(row["data"][: min(length, MIDI_LOG_BYTES)]),
        length,
    )
