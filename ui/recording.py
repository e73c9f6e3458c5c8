"""A recording of what is heard: where it goes, how long it is, and how it ended."""

from __future__ import annotations

import contextlib
import itertools
import re
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, QTimer, Signal

from noisysynth.engine.cut_short import finish_flac
from noisysynth.engine.messages import EngineStatus
from noisysynth.errors import UserError
from noisysynth.ui.player import Player

LOOK_MS = 100
QUIET_S = 60.0  # nobody writes to a recording that has not grown for so long
LONGEST_NAME = 48  # characters of the instrument's name; a file name has at most 255 bytes


def recordings_folder() -> Path:
    """Where the user keeps music."""
    music = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MusicLocation)
    return (Path(music) if music else Path.home()) / "noisysynth"


def new_file(folder: Path, instrument: str, when: datetime) -> Path:
    """A name in `folder`, which is made when missing, that no file has. UserError when there can be no such folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"recordings cannot be kept in {folder} ({error.strerror})") from None
    name = re.sub(r"[^\w\- ]+", "_", instrument)[:LONGEST_NAME].strip() or "noisysynth"
    stem = f"{when:%Y-%m-%d %H.%M.%S} {name}"
    for number in itertools.count(1):
        path = folder / (f"{stem}.flac" if number == 1 else f"{stem} {number}.flac")
        if not path.exists() and not path.with_name(f"{path.name}.part").exists():  # the recorder writes to the latter
            return path
    raise AssertionError("counting ends nowhere")


def finish_cut_short(now_s: float) -> list[Path]:
    """Recordings whose engine died and its window, too: made whole files, as far as they go. Their paths.

    now_s: since the epoch. One that is still being written is left alone.
    """
    finished = []
    for part in sorted(recordings_folder().glob("*.flac.part")):
        with contextlib.suppress(UserError, OSError):  # it stays as it is
            if now_s - part.stat().st_mtime > QUIET_S:
                finish_flac(part, path := part.with_suffix(""))
                finished.append(path)
    return finished


def clock(seconds: float) -> str:
    """m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Recording(QObject):
    """At most one at a time; it may end by itself, and then says why.

    changed: it began, another second of it is over, or it ended.
    """

    changed = Signal()

    def __init__(self, player: Player, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._path: Path | None = None
        self._asking = False
        self._reason = ""  # what the engine said of its end
        self._old: EngineStatus | None = None  # read before it began
        self._first: EngineStatus | None = None  # read after that
        self.seconds = 0.0
        self._looking = QTimer(self, interval=LOOK_MS)
        self._looking.timeout.connect(self._look)
        player.noticed.connect(self._hear)
        player.engine_changed.connect(self._engine_changed)

    @property
    def active(self) -> bool:
        return self._path is not None

    def toggle(self) -> None:
        """Start or stop; nothing while the engine still answers the last time."""
        if self._asking:
            return
        self._asking = True
        if self.active:
            self._player.stop_recording(self._stopped, self._failed)
        else:
            instrument = self._player.instrument
            name, when = instrument.name if instrument is not None else "", datetime.now()
            folder = recordings_folder()
            self._player.start_recording(lambda: new_file(folder, name, when), self._started, self._failed)

    def _started(self, path: Path) -> None:
        self._asking = False
        self._path, self.seconds, self._reason = path, 0.0, ""
        self._old, self._first = self._player.last_status, None
        self._looking.start()
        self._player.noticed.emit(f"recording into {self._place()}")
        self.changed.emit()
        self._engine_changed()  # it may have been lost since it answered

    def _stopped(self, seconds: float) -> None:
        self._asking = False
        if not self.active:
            return
        if seconds > 0.0:
            self._end(f"recorded {clock(seconds)}: {self._place()}")
        else:
            self._end_by_itself()

    def _failed(self, line: str) -> None:
        self._asking = False
        self._end(line)

    def _place(self) -> str:
        return f"{self._path.name} in {self._path.parent}" if self._path is not None else ""

    def _end(self, line: str) -> None:
        self._path = None
        self._looking.stop()
        self._player.noticed.emit(line)
        self.changed.emit()

    # ends that nobody here asked for

    def _look(self) -> None:
        status = self._player.last_status
        if status is None or status is self._old or self._asking:  # it is 0 before `stop_recording` answers
            return
        self._first = self._first or status
        if status.restarts != self._first.restarts:  # the engine after it knows nothing of the recording
            self._end_with_engine()
        elif status.recorded_s > 0.0:
            another = int(status.recorded_s) != int(self.seconds)
            self.seconds = status.recorded_s
            if another:
                self.changed.emit()
        elif self.seconds > 0.0 or self._reason:
            self._player.poll_notices()  # the engine says why before it ends the recording
            self._end_by_itself()

    def _hear(self, line: str) -> None:
        """The engine mentions a recording only when it ends."""
        if self._path is not None and "the recording" in line:
            self._reason = line.removeprefix(f"{self._path}: ")

    def _engine_changed(self) -> None:
        if self.active and not self._player.running:
            self._end_with_engine()

    def _end_by_itself(self) -> None:
        reason = self._reason or "the recording ended by itself"
        self._end(f"{reason} ({clock(self.seconds)}: {self._place()})")

    def _end_with_engine(self) -> None:
        assert self._path is not None
        try:
            finish_flac(self._path.with_name(f"{self._path.name}.part"), self._path)
            kept = f"what there is of it: {self._place()}"
        except UserError:  # the disk went, too, or there was nothing yet
            kept = f"what there is of it is in {self._path.parent}"
        self._end(f"the recording ended with the engine; {kept} ({clock(self.seconds)})")
