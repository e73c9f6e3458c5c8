"""Instruments that ship with the package."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from noisysynth.ui.session import FACTORY_PREFIX


def _folder() -> Path:
    # The package is always installed unpacked (it holds compiled caches), so its files have paths.
    return Path(str(importlib.resources.files("noisysynth.factory")))


def factory_instruments() -> list[Path]:
    """Every factory instrument, by name."""
    return sorted(_folder().glob("*.noisy"))


def resolve_instrument(reference: str) -> Path | None:
    """The file that a session's reference means; None when there is none."""
    if reference.startswith(FACTORY_PREFIX):
        path = _folder() / Path(reference.removeprefix(FACTORY_PREFIX)).name
    elif reference:
        path = Path(reference)
    else:
        return None
    return path if path.is_file() else None


def instrument_reference(path: Path) -> str:
    """What a session stores for a file."""
    if path.parent == _folder():
        return FACTORY_PREFIX + path.name
    return str(path.absolute())
