"""Racks as files, `NAME.noisyrack`: which instruments, by reference, and how all is set."""

from __future__ import annotations

from pathlib import Path

from noisysynth.errors import UserError
from noisysynth.ui.json_file import read_json, reason, write_json
from noisysynth.ui.part_data import RackData

SUFFIX = ".noisyrack"
VERSION = 1
_MARK = "noisysynth rack"
_MOST_BYTES = 16_000_000


def write_rack(path: Path, rack: RackData) -> None:
    """UserError when the file cannot be written; what was there before is then untouched."""
    try:
        write_json(path, {_MARK: VERSION, **rack.data()})
    except OSError as error:
        raise UserError(f"the rack cannot be written: {path} ({error.strerror})") from None


def read_rack(path: Path) -> RackData:
    """UserError when it is no rack; single things that are wrong in it are left out."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path.name} is too large to be a rack of noisysynth")
        data = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path.name} cannot be read ({reason(error)})") from None
    rack = RackData.of_data(data) if isinstance(data, dict) and _MARK in data else None
    if rack is None or not rack.parts:
        raise UserError(f"{path.name} is no rack of noisysynth")
    if data[_MARK] != VERSION:
        raise UserError(f"{path.name} was written by a later version of noisysynth; update it to open the rack")
    return rack
