"""What can be dropped on the window, and what then happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData

from noisysynth.inversion.client import SUFFIXES
from noisysynth.ui.inversion_dialog import InversionDialog
from noisysynth.ui.missing_instrument import PresetOpener
from noisysynth.ui.player import Player
from noisysynth.ui.song_player import SongPlayer
from noisysynth.ui.tunings import Tunings

WHAT = (
    "drop an instrument (.noisy), a preset (.noisypreset), a rack (.noisyrack), a Scala tuning (.scl, .kbm), "
    "a MIDI song (.mid) or a recorded note (.wav, .flac, .mp3)"
)
TUNINGS = (".scl", ".kbm")


class Drop:
    """By the end of a file's name."""

    def __init__(
        self,
        player: Player,
        songs: SongPlayer,
        presets: PresetOpener,
        tunings: Tunings,
        recordings: InversionDialog,
    ) -> None:
        self._player = player
        self._tunings = tunings
        self._actions: dict[str, Callable[[Path], None]] = {
            ".noisy": player.open_instrument,
            ".noisypreset": presets.take,
            ".noisyrack": player.rack.read_file,
            ".mid": songs.play,
            ".midi": songs.play,
            **dict.fromkeys(SUFFIXES, recordings.begin),
        }

    def accepts(self, data: QMimeData) -> bool:
        """Any file: one that cannot be used is told why."""
        return any(url.isLocalFile() for url in data.urls())

    def take(self, data: QMimeData) -> None:
        paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        tunings = [path for path in paths if path.suffix.lower() in TUNINGS]
        if tunings:  # a scale and its mapping belong together
            self._tunings.take(*tunings)
        for path in paths:
            if path not in tunings:
                self.take_file(path)

    def take_file(self, path: Path) -> None:
        if path.suffix.lower() in TUNINGS:
            self._tunings.take(path)
            return
        action = self._actions.get(path.suffix.lower())
        if action is None:
            self._player.noticed.emit(f"{path.name} cannot be used here: {WHAT}")
        else:
            action(path)
