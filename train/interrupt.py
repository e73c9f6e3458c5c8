"""Ctrl-C while something long runs: the first one asks for a clean end, the second one ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_flag() -> Iterator[threading.Event]:
    """A flag that the first Ctrl-C (or SIGTERM) sets, so that a step is finished; a second one ends the program.

    Outside the main thread, where no signal can be handled, the flag is never set.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in handled}

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    for number in handled:
        signal.signal(number, on_signal)
    try:
        yield pressed
    finally:
        for number in handled:
            signal.signal(number, before[number])
