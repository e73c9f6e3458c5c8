"""Slow questions to the engine (start, devices, instrument), asked one after the other off the window's thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from noisysynth.errors import UserError


class Requests(QObject):
    """One worker thread; answers come back as calls on the window's thread, in the order of asking."""

    _answered = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._answered.connect(self._deliver)
        self._closed = False
        self._pending = 0
        # Daemon: an engine that does not answer must not keep the closed program alive.
        self._thread = threading.Thread(target=self._serve, name="engine requests", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        return self._pending > 0

    def ask(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Run `work` in the worker; then `done(result)` or, when it raised, `failed(one line)` in the window."""

        def job() -> None:
            try:
                result = work()
            except UserError as error:
                line = str(error)
            except Exception as error:  # whatever breaks in there must end as a line, not as a dead worker
                line = f"{type(error).__name__}: {error}"
            else:
                self._answered.emit((lambda: done(result)) if done else _nothing)
                return
            self._answered.emit((lambda: failed(line)) if failed else _nothing)

        if not self._closed:
            self._pending += 1
            self._jobs.put(job)

    @Slot(object)
    def _deliver(self, answer: Callable[[], None]) -> None:
        self._pending -= 1
        if not self._closed:
            answer()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def close(self, last: Callable[[], None], timeout_s: float) -> None:
        """Run `last` after what is under way, then end; waits for it at most `timeout_s`."""
        self._closed = True
        while not self._jobs.empty():
            self._jobs.get()
        self._jobs.put(last)
        self._jobs.put(None)
        self._thread.join(timeout_s)


def _nothing() -> None:
    return None
