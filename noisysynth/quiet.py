"""Keep native libraries from talking to the player's terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

# Two at once could leave the standard error closed for good: each would restore what the other had put there.
_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """ALSA and JACK print pages about what is not there; we say it in one line ourselves.

    Works on the file descriptor, so it hides everything the process writes meanwhile: keep it short.
    """
    with _ONE_AT_A_TIME:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # started without a standard error at all
            yield
            return
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nothing)
