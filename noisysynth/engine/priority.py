"""Ask the system to run a thread before ordinary ones, or after them, where it lets us."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

# Well below what JACK and PipeWire give their own threads (60 and more).
REALTIME_PRIORITY = 20

T = TypeVar("T")


def raise_thread_priority() -> bool:
    """Real-time round robin for the calling thread, on Linux with the right to it; else False and nothing changes."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REALTIME_PRIORITY))
        return True
    return False


def in_spare_time(work: Callable[[], T]) -> T:
    """Run `work` in a thread that others come before; returns or raises what it does.

    A thread of its own, for who has become nice may not go back: on Linux each thread has its own niceness.
    """

    def nicely() -> T:
        with contextlib.suppress(OSError):
            if sys.platform == "linux":
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        return work()

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(nicely).result()
