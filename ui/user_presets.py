"""Presets of the player's own, for one instrument, kept in one file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from noisysynth.errors import UserError
from noisysynth.ui.json_file import read_json, reason, write_json
from noisysynth.ui.stored_values import is_number, stored_values

VERSION = 1
TAG = "mine"
LONGEST_NAME = 60
_MOST_LATENT = 4096


@dataclasses.dataclass(frozen=True)
class UserPreset:
    """values: parameters of the sound by id. base: the base latent [Z] that belongs to them."""

    name: str
    values: Mapping[str, float]
    base: tuple[float, ...]
    tags: tuple[str, ...] = (TAG,)

    @classmethod
    def of_data(cls, data: Any) -> UserPreset | None:
        """From what a file holds; None when it is no preset. Unknown parameters are left out, others clipped."""
        if not isinstance(data, dict) or not isinstance(data.get("name"), str) or not data["name"].strip():
            return None
        values, base = data.get("values"), data.get("base")
        if not isinstance(values, dict) or not isinstance(base, list) or len(base) > _MOST_LATENT:
            return None
        if not all(map(is_number, base)):
            return None
        return cls(_tidy(data["name"]), stored_values(values), tuple(map(float, base)))

    def data(self) -> dict[str, Any]:
        return {"name": self.name, "values": dict(self.values), "base": list(self.base)}


class UserPresets:
    """Every change is written at once; when that fails, nothing has changed. Errors are UserError, one line."""

    def __init__(self, folder: Path, instrument: str) -> None:
        """instrument: its name. `problem` says why presets kept earlier are not there ("" when all is well)."""
        self._instrument = instrument
        self._path = folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', instrument) or '_'}.json"
        self.presets: tuple[UserPreset, ...] = ()
        self.deleted: UserPreset | None = None  # the last one, for `restore`
        self.problem = ""
        try:
            self.presets = self._read()
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            self.problem = f"your presets cannot be read: {self._path} ({reason(error)})"
            self._put_aside()

    def _read(self) -> tuple[UserPreset, ...]:
        data = read_json(self._path)
        if not isinstance(data, dict) or data.get("version") != VERSION or not isinstance(data.get("presets"), list):
            raise ValueError("it is of another version")
        return tuple(each for each in map(UserPreset.of_data, data["presets"]) if each is not None)

    def _put_aside(self) -> None:
        """What cannot be read must not be written over: somebody may mend it."""
        aside = self._path.with_suffix(".unreadable.json")
        try:
            self._path.replace(aside)
            self.problem += f"; the file is kept as {aside.name}"
        except OSError:
            pass

    def _write(self, presets: tuple[UserPreset, ...]) -> None:
        data = {"version": VERSION, "instrument": self._instrument, "presets": [each.data() for each in presets]}
        try:
            write_json(self._path, data)
        except OSError as error:
            raise UserError(f"the preset cannot be kept: {self._path} ({error.strerror})") from None
        self.presets = presets

    def save(self, preset: UserPreset) -> int:
        """Add it, or put it in the place of the one of that name; returns where it is."""
        names = [each.name for each in self.presets]
        at = names.index(preset.name) if preset.name in names else len(names)
        self._write((*self.presets[:at], preset, *self.presets[at + 1 :]))
        return at

    def rename(self, at: int, name: str) -> None:
        renamed = dataclasses.replace(self.presets[at], name=_tidy(name))
        if any(each.name == renamed.name for i, each in enumerate(self.presets) if i != at):
            raise UserError(f"there is a preset {renamed.name!r} already; choose another name")
        self._write((*self.presets[:at], renamed, *self.presets[at + 1 :]))

    def delete(self, at: int) -> None:
        gone = self.presets[at]
        self._write((*self.presets[:at], *self.presets[at + 1 :]))
        self.deleted = gone

    def restore(self) -> int | None:
        """Bring back what was deleted last; returns where it is."""
        preset, self.deleted = self.deleted, None
        return None if preset is None else self.save(preset)

    def write_to(self, at: int, path: Path, tags: Sequence[str] = ()) -> None:
        """Give one away as a file. tags: what it is like, for who lacks the instrument."""
        write_preset(path, self._instrument, self.presets[at], tags)

    def read_from(self, path: Path) -> int:
        """Take one in; returns where it is."""
        given = read_preset_file(path)
        if given.instrument != self._instrument:
            raise UserError(f"{path.name} was made for the instrument {given.instrument!r}; open that first")
        return self.save(given.preset)


@dataclasses.dataclass(frozen=True)
class PresetFile:
    """A preset that was given away. tags: what it is like."""

    instrument: str
    preset: UserPreset
    tags: tuple[str, ...]


def read_preset_file(path: Path) -> PresetFile:
    """UserError, one line, when it is none."""
    try:
        data = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path.name} cannot be read ({reason(error)})") from None
    preset = UserPreset.of_data(data) if isinstance(data, dict) and "noisysynth preset" in data else None
    if preset is None:
        raise UserError(f"{path.name} is no preset of noisysynth")
    tags = data.get("tags")
    words = tags if isinstance(tags, list) else []
    return PresetFile(str(data.get("instrument")), preset, tuple(word for word in words if isinstance(word, str)))


def write_preset(path: Path, instrument: str, preset: UserPreset, tags: Sequence[str] = ()) -> None:
    """A file that `read_from` takes; instrument: the name of the one that the preset belongs to. UserError."""
    try:
        data = {"noisysynth preset": VERSION, "instrument": instrument, **preset.data()}
        write_json(path, {**data, "tags": list(tags)})
    except OSError as error:
        raise UserError(f"the preset cannot be written: {path} ({error.strerror})") from None


def _tidy(name: str) -> str:
    tidy = " ".join(name.split())[:LONGEST_NAME].strip()
    if not tidy:
        raise UserError("a preset needs a name")
    return tidy
