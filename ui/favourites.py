"""Which presets the player marked with a star, for every instrument, kept in one file."""

from __future__ import annotations

import contextlib
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from noisysynth.ui.json_file import read_json, reason, write_json

VERSION = 1


class Favourites(QObject):
    """By the names of instruments and presets. What cannot be kept is told of and holds until the end."""

    changed = Signal()
    failed = Signal(str)  # one line

    def __init__(self, path: Path | None, parent: QObject | None = None) -> None:
        """path: the file; None: nothing is kept. `problem` says why marks made earlier are not there."""
        super().__init__(parent)
        self._path = path
        self._marked: dict[str, list[str]] = {}
        self.problem = ""
        if path is not None:
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            data = read_json(path)
            if (
                not isinstance(data, dict)
                or data.get("version") != VERSION
                or not isinstance(data.get("presets"), dict)
            ):
                raise ValueError("it is of another version")
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            aside = path.with_suffix(".unreadable.json")  # not to be written over: somebody may mend it
            self.problem = f"your favourites cannot be read ({reason(error)}); the file is kept as {aside.name}"
            with contextlib.suppress(OSError):
                path.replace(aside)
            return
        self._marked = {
            instrument: [name for name in names if isinstance(name, str)]
            for instrument, names in data["presets"].items()
            if isinstance(names, list)
        }

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Whether (instrument, preset) is marked."""
        instrument, preset = key
        return preset in self._marked.get(instrument, ())

    def of(self, instrument: str) -> frozenset[str]:
        return frozenset(self._marked.get(instrument, ()))

    def toggle(self, instrument: str, preset: str) -> None:
        names = self._marked.setdefault(instrument, [])
        if preset in names:
            names.remove(preset)
        else:
            names.append(preset)
        self._keep()

    def rename(self, instrument: str, before: str, after: str) -> None:
        """A preset has another name now; its mark goes along."""
        names = self._marked.get(instrument, [])
        if before in names and before != after:
            self._marked[instrument] = [after if name == before else name for name in names]
            self._keep()

    def _keep(self) -> None:
        self.changed.emit()
        if self._path is None:
            return
        try:
            write_json(self._path, {"version": VERSION, "presets": {k: v for k, v in self._marked.items() if v}})
        except OSError as error:
            self.failed.emit(f"the favourites cannot be kept: {self._path} ({error.strerror})")
