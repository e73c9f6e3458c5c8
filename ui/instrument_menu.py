"""A menu of the instruments there are: the factory's, those opened before, and any file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMenu

from noisysynth.factory import factory_instruments
from noisysynth.ui.player import Player

INSTRUMENT_FILES = "Instruments (*.noisy)"


def add_instruments(menu: QMenu, player: Player, choose: Callable[[Path], None]) -> None:
    """`choose` is called with the file of the instrument that was picked."""
    factory = factory_instruments()
    known = {path.absolute() for path in factory}
    for path in (*factory, *(path for path in player.rack.opened if path.absolute() not in known)):
        name = path.stem.replace("_", " ").replace("-", " ").title().replace("&", "&&")
        menu.addAction(name, lambda path=path: choose(path))  # type: ignore[misc]
    if not menu.isEmpty():
        menu.addSeparator()
    menu.addAction("Open instrument file\u2026", lambda: _ask(menu, player, choose))


def _ask(menu: QMenu, player: Player, choose: Callable[[Path], None]) -> None:
    start = player.instrument_path
    folder = str(start.parent if start is not None else Path.home())
    name, _ = QFileDialog.getOpenFileName(menu.window(), "Open instrument", folder, INSTRUMENT_FILES)
    if name:
        choose(Path(name))
