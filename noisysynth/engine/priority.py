"""Ask the system to run the calling thread before ordinary ones, where it lets us."""

from __future__ import annotations

import contextlib
import os

# Well below what JACK and PipeWire give their own threads (60 and more).
_REALTIME_PRIORITY = 20


def raise_thread_priority() -> bool:
    """Real-time round robin for the calling thread, on Linux with the right to it; else False and nothing changes."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_REALTIME_PRIORITY))
        return True
    return False
