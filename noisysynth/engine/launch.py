"""One engine process and the two pipes to it, as the client holds them."""

from __future__ import annotations

import contextlib
import multiprocessing
from typing import Any

from noisysynth.engine import entry
from noisysynth.engine.messages import Begin, Setup


class Launched:
    """A process that imports, loads the kernels (or compiles them, and tells how far it is) and waits for `begin`.

    spare: it is to be ready in case, and does this in what time others leave it.
    """

    def __init__(self, spare: bool = False) -> None:
        context = multiprocessing.get_context("spawn")
        event_reader, self.events = context.Pipe(duplex=False)
        self.requests, request_side = context.Pipe()
        self._process: Any = context.Process(
            target=entry.run, args=(event_reader, request_side, spare), name="noisysynth engine", daemon=True
        )
        self._process.start()
        event_reader.close()
        request_side.close()

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    @property
    def sentinel(self) -> int:
        """What `multiprocessing.connection.wait` takes: ready when the process has ended."""
        return int(self._process.sentinel)

    @property
    def alive(self) -> bool:
        return bool(self._process.is_alive())

    @property
    def warm(self) -> bool:
        """Before `begin`: whether it could go on at once."""
        return self.requests.poll()

    @property
    def exit_code(self) -> int | None:
        """Negative: the signal that ended it."""
        self._process.join(1.0)  # the sentinel tells a little before the system does
        code: int | None = self._process.exitcode
        return code

    def prepare(self, setup: Setup) -> None:
        """Before `begin`: have it read the instruments."""
        self._send("prepare", setup)

    def begin(self, begin: Begin) -> None:
        self._send("begin", begin)

    def _send(self, *message: Any) -> None:
        # Who has ended is noticed by its sentinel.
        with contextlib.suppress(OSError, ValueError):
            self.requests.send(message)

    def ask_to_stop(self) -> None:
        self._send(-1, "stop", ())

    def kill(self) -> None:
        self._process.kill()

    def end(self, timeout_s: float) -> None:
        """Wait for its end, or bring it about."""
        self._process.join(timeout_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def close(self) -> None:
        """Close the pipes; nobody may be using them."""
        self.events.close()
        self.requests.close()
