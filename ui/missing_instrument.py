"""A preset whose instrument is not open: say so, look for it, and offer what is near."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel, QVBoxLayout, QWidget

from noisysynth import factory
from noisysynth.errors import UserError
from noisysynth.instrument import instrument_name
from noisysynth.ui import theme
from noisysynth.ui.controls.standard import Button
from noisysynth.ui.nearest import nearest
from noisysynth.ui.part_data import PartData
from noisysynth.ui.player import Player
from noisysynth.ui.recording import recordings_folder
from noisysynth.ui.references import FACTORY_PREFIX
from noisysynth.ui.user_presets import read_preset_file

MOST_FILES = 300  # looked into, in each folder


def find_instrument(name: str, folders: Iterable[Path]) -> Path | None:
    """The first instrument file of this name (of the instrument, or of the file) in these folders, not below them."""
    by_file = None
    for folder in dict.fromkeys(folders):
        try:
            paths = sorted(folder.glob("*.noisy"))[:MOST_FILES]
        except OSError:
            continue
        for path in paths:
            called = instrument_name(path)
            if called is not None and called.casefold() == name.casefold():
                return path
            if called is not None and by_file is None and path.stem.casefold() == name.casefold():
                by_file = path
    return by_file


class MissingInstrument(QDialog):
    """What is missing in one line, and a button for each way on. It does not block the window."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Instrument missing")
        self.setFixedWidth(56 * theme.UNIT)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.open_it = Button()
        self.instead = Button()
        self.look = Button("Look for the instrument file\u2026")
        self.cancel = Button("Leave it")
        self.cancel.clicked.connect(self.reject)
        self._actions: dict[Button, Callable[[], None]] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT)
        column.setSpacing(theme.UNIT)
        column.addWidget(self.text)
        column.addSpacing(theme.UNIT)
        for button in (self.open_it, self.instead, self.look, self.cancel):
            column.addWidget(button)
        for button in (self.open_it, self.instead, self.look):
            button.clicked.connect(lambda _=False, b=button: self._do(b))

    def offer(
        self, text: str, ways: tuple[tuple[str, Callable[[], None]] | None, ...], look: Callable[[], None]
    ) -> None:
        """ways: text and action of `open` and of `instead`; None where there is no such way."""
        self.text.setText(text)
        self.text.setAccessibleName(text)
        self._actions = {self.look: look}
        for button, way in zip((self.open_it, self.instead), ways, strict=True):
            button.setVisible(way is not None)
            if way is not None:
                label, self._actions[button] = way
                button.setText(label.replace("&", "&&"))
        first = next((button for button in (self.open_it, self.instead) if button in self._actions), self.look)
        first.setDefault(True)
        self.adjustSize()
        self.show()
        self.raise_()

    def _do(self, button: Button) -> None:
        self.accept()
        self._actions[button]()


class PresetOpener(QObject):
    """Takes preset files, also those of instruments that are not open."""

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.dialog = MissingInstrument(parent)
        self._after: tuple[Path, Path] | None = None  # a preset file to take once this instrument is open
        player.instrument_changed.connect(self._instrument_changed)

    def take(self, path: Path) -> None:
        """One of the instrument that is open becomes one of the player's own; else the player is asked."""
        player = self._player
        if player.instrument is None:
            player.import_preset(path)  # which says what to do
            return
        try:
            given = read_preset_file(path)
        except UserError as error:
            player.noticed.emit(str(error))
            return
        if given.instrument == player.instrument.name:
            player.import_preset(path)
        else:
            self._offer(given.instrument, given.preset.name, given.tags, path)

    def last_one_gone(self, data: PartData) -> None:
        """The session's instrument is not there any more, and another one plays."""
        path = Path(data.instrument.removeprefix(FACTORY_PREFIX))
        self._offer(data.name or path.stem, data.preset or "", (), None, path.parent)

    def _offer(self, name: str, preset: str, tags: tuple[str, ...], path: Path | None, *near: Path) -> None:
        folders = [factory.FOLDER, *near, *self._folders(path)]

        def found(where: Path | None) -> None:
            self._show(name, preset, tags, path, where)

        self._player.requests.ask(lambda: find_instrument(name, folders), found, self._player.noticed.emit)

    def _folders(self, path: Path | None) -> list[Path]:
        here = self._player.instrument_path
        own = [each.parent for each in (path, here) if each is not None]
        return [*own, Path.home(), Path.home() / "Downloads", recordings_folder()]

    def _show(self, name: str, preset: str, tags: tuple[str, ...], path: Path | None, where: Path | None) -> None:
        player = self._player
        instrument = player.instrument
        if instrument is None:
            return
        like = nearest(preset, tags, player.presets)
        if path is not None:
            text = f"\u201c{preset}\u201d was made for the instrument \u201c{name}\u201d, which is not open. "
        else:
            text = f"The instrument \u201c{name}\u201d, which played last, is not where it was. "
        text += f"It is here: {where}" if where is not None else "It is in none of the usual folders."
        open_it = None
        if where is not None:
            open_it = (f"Open \u201c{name}\u201d", lambda: self._open(where, path, preset))
        instead = None
        if like is not None:
            near = player.presets[like].name
            instead = (f"Play \u201c{near}\u201d of {instrument.name}, which is near", lambda: player.audition(like))
        self.dialog.offer(text, (open_it, instead), lambda: self._look_for(name, path, preset))

    def _look_for(self, name: str, path: Path | None, preset: str) -> None:
        where, _ = QFileDialog.getOpenFileName(
            self.dialog.parentWidget(), f"Where is {name}?", str(Path.home()), "Instruments (*.noisy)"
        )
        if where:
            self._open(Path(where), path, preset)

    def _open(self, instrument: Path, path: Path | None, preset: str) -> None:
        """Open the instrument, then take the preset file, or choose the preset of that name."""
        self._after = (path, instrument) if path is not None else None
        self._player.open_instrument(instrument, preset if path is None and preset else None)

    def _instrument_changed(self) -> None:
        after, self._after = self._after, None
        if after is not None and after[1] == self._player.instrument_path:
            # After the preset that the instrument begins with, which follows this signal.
            QTimer.singleShot(0, lambda: self.take(after[0]))
