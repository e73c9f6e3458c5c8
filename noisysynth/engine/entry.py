"""What the spawned engine process runs first: nothing heavy is imported before the client asks for it."""

from __future__ import annotations

import signal
from typing import Any


def run(*arguments: Any) -> None:
    # Ctrl-C reaches the whole terminal group, be it during the imports; the client decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from noisysynth.engine.priority import in_spare_time

    spare = bool(arguments and arguments[-1])
    process = in_spare_time(_import) if spare else _import()
    process.main(*arguments)


def _import() -> Any:
    from noisysynth.engine import process

    return process
