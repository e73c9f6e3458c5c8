"""Scala tunings that were dropped or opened: handed to the engine, named in the window, and the way back."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from noisysynth.ui.player import Player

EQUAL = "12 equal steps"
FILES = "Scala files (*.scl *.kbm)"


class Tunings(QObject):
    """`name`: of the scale that sounds, "" for twelve equal steps. Told to every engine that starts."""

    changed = Signal()

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._window = parent
        self.name = ""
        self.scale: Path | None = None
        self.mapping: Path | None = None
        self._wanted: tuple[Path, Path | None] | None = None  # until there is an engine
        player.engine_changed.connect(self._engine_changed)

    def take(self, *paths: Path) -> None:
        """Scales (.scl) and mappings (.kbm) dropped together; a mapping alone goes with the scale there is."""
        scales = [path for path in paths if path.suffix.lower() == ".scl"]
        mappings = [path for path in paths if path.suffix.lower() == ".kbm"]
        scale = scales[-1] if scales else self.scale
        # A mapping is made for a scale: another scale does not keep it.
        mapping = mappings[-1] if mappings else None
        if scale is not None:
            self._load(scale, mapping)
        elif mapping is not None:
            line = f"{mapping.name} says how a scale lies on the keys: drop the scale (.scl), too"
            self._player.noticed.emit(line)

    def restore(self, scale: str, mapping: str) -> None:
        """What a session kept: loaded once there is an engine."""
        if scale:
            self._wanted = (Path(scale), Path(mapping) if mapping else None)
            self._engine_changed()

    def reset(self) -> None:
        """Twelve equal steps again."""
        self._player.ask(lambda client: client.reset_tuning(), lambda _: self._set("", None, None))
        self._wanted = None

    def _load(self, scale: Path, mapping: Path | None) -> None:
        self._player.ask(
            lambda client: client.load_tuning(scale, mapping),
            lambda name: self._set(name or scale.stem, scale, mapping),
        )

    def _set(self, name: str, scale: Path | None, mapping: Path | None) -> None:
        self.name, self.scale, self.mapping = " ".join(name.split()), scale, mapping
        self.changed.emit()
        self._player.edited.emit()
        lies = f", on the keys as {mapping.name} says" if mapping is not None else ""
        self._player.noticed.emit(f"tuned to {self.name or EQUAL}{lies}, from the next note on")

    def _engine_changed(self) -> None:
        if not self._player.running:
            if self.scale is not None and self._wanted is None:
                self._wanted = (self.scale, self.mapping)
        elif self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self._load(*wanted)

    # what the player is offered

    def menu(self) -> QMenu:
        menu = QMenu(self._window)
        menu.addAction("Open a Scala scale\u2026", self.ask_file)
        back = menu.addAction(f"Back to {EQUAL}", self.reset)
        back.setEnabled(self.scale is not None)
        return menu

    def ask_file(self) -> None:
        start = str((self.scale or Path.home() / "x").parent)
        names, _ = QFileDialog.getOpenFileNames(
            self._window, "Open a scale, and a keyboard mapping if you like", start, FILES
        )
        if names:
            self.take(*map(Path, names))
