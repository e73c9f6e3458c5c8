"""What the spawned engine process runs first: nothing heavy is imported before the client asks for it."""

from __future__ import annotations

from typing import Any


def run(*arguments: Any) -> None:
    from noisysynth.engine import process

    process.main(*arguments)
