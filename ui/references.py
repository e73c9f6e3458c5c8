"""How files of the player's name an instrument, so that it is found again when folders have moved."""

from __future__ import annotations

from pathlib import Path

from noisysynth import factory

FACTORY_PREFIX = "factory:"  # factory instruments by name: their folder moves with every installation


def instrument_reference(path: Path) -> str:
    """What is stored for a file."""
    if path.absolute().parent == factory.FOLDER.absolute():
        return FACTORY_PREFIX + path.name
    return str(path.absolute())


def resolve_instrument(reference: str, beside: Path | None = None) -> Path | None:
    """The file that a reference means; None when there is none.

    beside: a folder where a file of that name will do as well, as one that came along with a rack.
    """
    if not reference:
        return None
    if reference.startswith(FACTORY_PREFIX):
        places = [factory.FOLDER / Path(reference.removeprefix(FACTORY_PREFIX)).name]
    else:
        # Paths of another system have other slashes.
        name = reference.replace("\\", "/").rpartition("/")[2]
        places = [Path(reference), *([beside / name] if beside is not None and name else [])]
    return next((path for path in places if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
