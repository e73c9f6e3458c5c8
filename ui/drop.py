"""What can be dropped on the window, and what then happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData

from noisysynth.inversion.client import SUFFIXES
from noisysynth.ui.inversion_dialog import InversionDialog
from noisysynth.ui.player import Player
from noisysynth.ui.song_player import SongPlayer

WHAT = (
    "drop an instrument (.noisy), a preset (.noisypreset), a rack (.noisyrack), a MIDI song (.mid) "
    "or a recorded note (.wav, .flac, .mp3)"
)


class Drop:
    """By the end of a file's name."""

    def __init__(self, player: Player, songs: SongPlayer, recordings: InversionDialog) -> None:
        self._player = player
        self._actions: dict[str, Callable[[Path], None]] = {
            ".noisy": player.open_instrument,
            ".noisypreset": player.import_preset,
            ".noisyrack": player.rack.read_file,
            ".mid": songs.play,
            ".midi": songs.play,
            **dict.fromkeys(SUFFIXES, recordings.begin),
        }

    def accepts(self, data: QMimeData) -> bool:
        """Any file: one that cannot be used is told why."""
        return any(url.isLocalFile() for url in data.urls())

    def take(self, data: QMimeData) -> None:
        for url in data.urls():
            if url.isLocalFile():
                self.take_file(Path(url.toLocalFile()))

    def take_file(self, path: Path) -> None:
        action = self._actions.get(path.suffix.lower())
        if action is None:
            self._player.noticed.emit(f"{path.name} cannot be used here: {WHAT}")
        else:
            action(path)
