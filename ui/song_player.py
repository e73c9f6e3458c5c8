"""Plays a MIDI song on the engine, a little ahead of what is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer

from noisysynth.events import EventKind, make_event
from noisysynth.midi.song import read_song
from noisysynth.midi.song_parts import parts_of_song
from noisysynth.ui.part_data import PartData, RackData
from noisysynth.ui.player import Player
from noisysynth.ui.recording import clock
from noisysynth.ui.references import instrument_reference

_LOOK_MS = 50
_AHEAD_S = 0.25  # events are with the engine so long before they sound: a window that is busy delays none
_LEAD_S = 0.3


class SongPlayer(QObject):
    """One song at a time; panic and the end of the engine end it, too."""

    def __init__(self, player: Player, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._events: NDArray[np.void] | None = None
        self._sent = 0
        self._begins = 0  # sample of the engine's clock
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(self._look)
        player.panicked.connect(self.forget)
        player.engine_changed.connect(self._engine_changed)

    @property
    def playing(self) -> bool:
        return self._events is not None

    def play(self, path: Path) -> None:
        """From the beginning; what was playing ends. A bad file is told of, and changes nothing."""
        status = self._player.last_status
        if not self._player.running or status is None:
            self._player.noticed.emit(self._player.failure or "the engine is still starting; try again in a moment")
            return
        sample_rate = status.sample_rate

        def read(song: tuple[NDArray[np.void], float]) -> None:
            self.stop()
            events, length_s = song
            rack = self._rack_for(events)
            if rack is None:
                self._begin(path.name, events, length_s, sample_rate)
                return

            def loaded(worked: bool) -> None:
                if worked:
                    self._begin(path.name, events, length_s, sample_rate)

            self._player.rack.load(rack, what=f"a part for each channel of {path.stem}", done=loaded)

        self._player.requests.ask(lambda: read_song(path, sample_rate), read, self._player.noticed.emit)

    def _rack_for(self, events: NDArray[np.void]) -> RackData | None:
        """The instrument once for every channel of the song, where it can be and the player has built no rack yet."""
        player = self._player
        instrument, path = player.instrument, player.instrument_path
        if instrument is None or path is None or len(player.used) != 1:
            return None
        parts = {
            number: PartData(
                instrument_reference(path), instrument.name, each.preset.name, {"channel": each.channel + 1.0}
            )
            for number, each in enumerate(parts_of_song(instrument, events))
        }
        return RackData(parts, player.rack_data().values) if parts else None

    def _begin(self, name: str, events: NDArray[np.void], length_s: float, sample_rate: int) -> None:
        status = self._player.last_status
        if status is None or status.sample_rate != sample_rate:
            self._player.noticed.emit("the engine changed meanwhile; drop the song again")
            return
        self._begins = status.position + round(_LEAD_S * sample_rate)
        events = events.copy()
        events["time"] += self._begins
        self._events, self._sent = events, 0
        self._timer.start()
        self._look()
        self._player.noticed.emit(f"playing {name} ({clock(length_s)}); Escape stops it")

    def _look(self) -> None:
        status = self._player.last_status
        if self._events is None or status is None or status.position < self._begins - 10 * status.sample_rate:
            self.forget()  # no engine, or another one, whose clock has begun anew
            return
        until = status.position + round((_AHEAD_S + _LOOK_MS / 1000.0) * status.sample_rate)
        end = int(np.searchsorted(self._events["time"], until))
        if end > self._sent:
            self._player.send_events(self._events[self._sent : end])
            self._sent = end
        if self._sent == len(self._events):
            self.forget()

    def stop(self) -> None:
        """Let go of its notes."""
        events, sent = self._events, self._sent
        self.forget()
        if events is not None and sent:
            # Notes that wait in the engine begin and end at once.
            off: NDArray[Any] = make_event(EventKind.ALL_NOTES_OFF, time=int(events["time"][sent - 1]) + 1)
            self._player.send_events(off)

    def forget(self) -> None:
        """Send nothing more."""
        self._events = None
        self._timer.stop()

    def _engine_changed(self) -> None:
        if not self._player.running:
            self.forget()
