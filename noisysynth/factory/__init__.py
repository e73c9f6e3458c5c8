"""Instruments and the demo song that ship with the package."""

from __future__ import annotations

from pathlib import Path

from noisysynth.errors import UserError

FOLDER = Path(__file__).parent
DEMO_SONG = FOLDER / "demo.mid"
FIRST = "chameleon.noisy"  # it has the most presets, for songs, too, and was made for recordings that are dropped on it


def factory_instruments() -> list[Path]:
    """Every factory instrument, by name."""
    return sorted(FOLDER.glob("*.noisy"))


def default_instrument() -> Path:
    """The instrument that plays when none is asked for. UserError when the package was installed without any."""
    instruments = sorted(factory_instruments(), key=lambda path: path.name != FIRST)
    if not instruments:
        raise UserError("no factory instrument is installed; reinstall noisysynth, or name an instrument file")
    return instruments[0]
