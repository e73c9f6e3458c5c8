"""A search in a process of its own, as the window holds it: the sound goes on, and it can be ended at any time."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

from noisysynth.inversion import worker
from noisysynth.inversion.messages import Failed, Found, Message

# What a recording's file may be named.
SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff")
END_S = 2.0


class SearchProcess:
    """Starts at once. `poll` never waits; its last message is a Found or a Failed, however the process ends."""

    def __init__(self, instrument: Path, recording: Path) -> None:
        self._name = recording.name
        context = multiprocessing.get_context("spawn")
        self._news, told = context.Pipe(duplex=False)
        self._process: Any = context.Process(
            target=worker.run, args=(told, instrument, recording), name="noisysynth search", daemon=True
        )
        self._process.start()
        told.close()
        self.done = False

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def poll(self) -> list[Message]:
        """What was told since the last time."""
        messages: list[Message] = []
        try:
            while not self.done and self._news.poll():
                message = self._news.recv()
                messages.append(message)
                self.done = isinstance(message, Found | Failed)
        except (EOFError, OSError, pickle.UnpicklingError):
            self.done = True
            self._process.join(END_S)
            messages.append(Failed(f"{self._name}: the search ended unexpectedly ({self._end()}); drop the file again"))
        if self.done:
            self.cancel()
        return messages

    def _end(self) -> str:
        code = self._process.exitcode
        return "it hangs" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"

    def cancel(self) -> None:
        """End it; safe to call twice."""
        self.done = True
        if self._process.is_alive():
            self._process.kill()
        self._process.join(END_S)
        self._news.close()
