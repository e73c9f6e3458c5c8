"""A recorded note becomes a sound: its search followed, both spectrograms, and whether to keep what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from noisysynth.instrument import Instrument
from noisysynth.inversion.client import SearchProcess
from noisysynth.inversion.messages import Failed, Found, Heard, Message, Underway
from noisysynth.listening.pitch_names import nearest_key, pitch_text
from noisysynth.ui import theme
from noisysynth.ui.controls.picture import Picture
from noisysynth.ui.controls.standard import Button, ElidedLabel
from noisysynth.ui.player import Player
from noisysynth.ui.user_presets import LONGEST_NAME

LOOK_MS = 40
SOURCE = "recording"  # who presses the key
LONGEST_HELD_S = 3.0
STEPS = 1000  # of the progress bar


class InversionDialog(QDialog):
    """Stays open beside the window: what was found can be played on every key before it is kept or discarded.

    `start_search` is replaced by tests that want no process.
    """

    start_search: Callable[[Path, Path], SearchProcess] = SearchProcess

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._search: SearchProcess | None = None
        self._recording = Path()
        self._number = 0  # the part it is for
        self._instrument: Instrument | None = None  # as it was when the search began
        self.found: Found | None = None
        self._key = -1
        self.setWindowTitle("Sound from a recording")
        self.setMinimumSize(78 * theme.UNIT, 46 * theme.UNIT)

        self.title = ElidedLabel(theme.LARGE)
        self.heard = ElidedLabel(theme.BODY, theme.TEXT_QUIET, right=True)
        self.recording = Picture("Spectrogram of the recording")
        self.outcome = Picture("Spectrogram of the result")
        self.progress = QProgressBar()
        self.progress.setRange(0, STEPS)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress of the search")
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setWordWrap(True)
        self.state.setMinimumHeight(5 * theme.UNIT)
        self.name = QLineEdit()
        self.name.setMaxLength(LONGEST_NAME)
        self.name.setAccessibleName("Name of the preset")
        self.again = Button("Play")
        self.again.setToolTip("Play the result at the pitch of the recording")
        self.discard = Button("Cancel")
        self.keep = Button("Keep as preset")
        self.keep.setToolTip("Put it among your presets")
        self._lay_out()
        self.again.clicked.connect(self.play)
        self.discard.clicked.connect(self.reject)
        self.keep.clicked.connect(self.accept)
        self.name.textChanged.connect(self._enable)
        player.instrument_changed.connect(self._look_at_instrument)
        player.part_changed.connect(lambda _: self._look_at_instrument())
        self._looking = QTimer(self, interval=LOOK_MS)
        self._looking.timeout.connect(self._look)
        self._release = QTimer(self, singleShot=True)
        self._release.timeout.connect(self._let_go)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(2 * theme.UNIT)
        head.addWidget(self.title, 1)
        head.addWidget(self.heard, 1)
        pictures = QGridLayout()
        pictures.setHorizontalSpacing(theme.UNIT)
        pictures.setVerticalSpacing(theme.HALF)
        for at, (heading, picture) in enumerate((("Recording", self.recording), ("Result", self.outcome))):
            label = QLabel(heading)
            label.setProperty("heading", True)
            pictures.addWidget(label, 0, at)
            pictures.addWidget(picture, 1, at)
        pictures.setRowStretch(1, 1)
        frame = QFrame()
        frame.setProperty("panel", True)
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(theme.UNIT, theme.UNIT, theme.UNIT, theme.UNIT)
        inside.setSpacing(theme.UNIT)
        inside.addLayout(pictures, 1)
        inside.addWidget(self.progress)
        caption = QLabel("Name")
        caption.setProperty("quiet", True)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.UNIT)
        buttons.addWidget(caption)
        buttons.addWidget(self.name, 1)
        buttons.addWidget(self.again)
        buttons.addWidget(self.discard)
        buttons.addWidget(self.keep)
        for button in (self.again, self.discard):
            button.setAutoDefault(False)
        self.keep.setDefault(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT)
        column.setSpacing(theme.UNIT)
        column.addLayout(head)
        column.addWidget(frame, 1)
        column.addWidget(self.state)
        column.addLayout(buttons)
        self.title.setMinimumHeight(3 * theme.UNIT)
        self.setFont(theme.font(theme.BODY, QFont.Weight.Normal))

    # the search

    def begin(self, recording: Path) -> None:
        """Look for the sound of a recorded note; the dialog opens once it was heard. One search at a time."""
        self.drop_all()
        player = self._player
        if player.instrument is None or player.instrument_path is None:
            player.noticed.emit("open an instrument first: a recording is looked for among its sounds")
            return
        self._recording = recording
        self._number, self._instrument = player.chosen, player.instrument
        self.title.set_text(recording.name)
        self.heard.set_text("")
        for picture in (self.recording, self.outcome):
            picture.show_shades(None)
        self.progress.setValue(0)
        self.name.setText(recording.stem[:LONGEST_NAME])
        self.discard.setText("Cancel")
        player.noticed.emit(f"listening to {recording.name}\u2026")
        self._search = type(self).start_search(player.instrument_path, recording)
        self._looking.start()
        self._enable()

    @property
    def searching(self) -> bool:
        return self._search is not None

    def _look(self) -> None:
        search = self._search
        if search is None:
            return
        for message in search.poll():
            if self._search is search:  # what is told may have ended it
                self._take(message)

    def _take(self, message: Message) -> None:
        if isinstance(message, Heard):
            self.heard.set_text(f"{pitch_text(message.pitch)}  \u00b7  {message.seconds:.1f} s")
            self.recording.show_shades(message.picture)
            self._say("looking for its sound\u2026")
            self.show()
            self.raise_()
        elif isinstance(message, Underway):
            self.progress.setValue(round(STEPS * message.share))
            self._say(f"{message.what}\u2026")
            if message.picture is not None:
                self.outcome.show_shades(message.picture)
        elif isinstance(message, Found):
            self._end_search()
            self._show_found(message)
        else:
            self._end_search()
            self._fail(message)

    def _end_search(self) -> None:
        self._looking.stop()
        search, self._search = self._search, None
        if search is not None:
            search.cancel()

    def _show_found(self, found: Found) -> None:
        self.found = found
        self.progress.setValue(STEPS)
        self.outcome.show_shades(found.picture)
        self.discard.setText("Discard")
        # A distance alone tells nobody anything.
        nearer = 100.0 * (1.0 - found.distance / found.preset_distance) if found.preset_distance > 0.0 else 0.0
        self._say(
            f"found: velocity {round(127 * found.velocity)}, spectral distance {found.distance:.2f}; "
            f"{nearer:.0f} % nearer than the preset {found.preset} ({found.preset_distance:.2f})"
        )
        self._try(found)
        self._player.noticed.emit(f"{self._recording.name} is on trial: play it, then keep or discard it")
        self._enable()
        self.play()
        self.keep.setFocus()

    def _fail(self, failed: Failed) -> None:
        self._say(failed.line, bad=True)
        self._player.noticed.emit(failed.line)
        self.discard.setText("Close")
        self._enable()

    def _say(self, line: str, bad: bool = False) -> None:
        self.state.setText(line)
        self.state.setAccessibleName(line)
        self.state.setStyleSheet(f"color: {theme.DANGER if bad else theme.TEXT_QUIET};")

    def _enable(self) -> None:
        self.again.setEnabled(self.found is not None)
        self.name.setEnabled(self.found is not None)
        self.keep.setEnabled(self.found is not None and bool(self.name.text().strip()))

    def _try(self, found: Found) -> None:
        self._player.trial.begin(self._number, self._recording.stem, found.latent, found.parameters)

    # what comes of it

    def play(self) -> None:
        """The note as it was recorded: its key, its velocity, and as long as it was held."""
        if self.found is None:
            return
        self._let_go()
        key = min(max(nearest_key(self.found.pitch), 0), 127)
        self._key = key
        self._player.notes.press(SOURCE, key, self.found.velocity)
        self._release.start(round(1000 * min(self.found.gate_s, LONGEST_HELD_S)))

    def _let_go(self) -> None:
        self._release.stop()
        if self._key >= 0:
            self._player.notes.release(SOURCE, self._key)
            self._key = -1

    def accept(self) -> None:
        """Keep it, under the name that was typed."""
        found = self.found
        if found is None or not self.name.text().strip():
            return
        self._let_go()
        if not self._player.trial.going_on:  # another sound was chosen meanwhile
            self._try(found)
        problem = self._player.trial.keep(self.name.text())
        if problem:
            self._say(problem, bad=True)
            return
        self.found = None
        super().accept()

    def reject(self) -> None:
        """Cancel the search, or discard what was found: the sound is what it was before."""
        self.drop_all()
        super().reject()

    def drop_all(self) -> None:
        """As `reject`, with the dialog left as it is."""
        if self._search is not None:
            self._end_search()
            self._player.noticed.emit(f"the search for {self._recording.name} was cancelled")
        self._let_go()
        if self.found is not None:
            self.found = None
            self._player.trial.discard()
        self._enable()

    def _look_at_instrument(self) -> None:
        """What was found belongs to the instrument it was found in."""
        changed = self._player.parts[self._number].instrument is not self._instrument
        if changed and (self._search is not None or self.found is not None):
            self.reject()
