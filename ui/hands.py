"""Hands: what is played in the window, on the part that is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

from noisysynth.events import EventKind
from noisysynth.ui.held_notes import HeldNotes

if TYPE_CHECKING:
    from noisysynth.ui.player import Player

AUDITION_MS = 700
AUDITION_SOURCE = "audition"
SUSTAIN_CONTROLLER, MODULATION_CONTROLLER = 64, 1


class Hands:
    """Keys, wheels and pedal go to the MIDI channel that the edited part listens to, so parts layer as they do by MIDI.

    Where something began is remembered: a key that goes up after another part was chosen ends the note it began.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self.notes = HeldNotes(self._note_on, self._note_off, player)
        self._channels: dict[int, int] = {}  # of the notes that sound
        self._pedal_channel = 0
        self._bent: int | None = None  # channel whose wheel is not at rest
        self._audition_note = -1
        self._auditioning = False
        self._audition = QTimer(player, singleShot=True, interval=AUDITION_MS)
        self._audition.timeout.connect(self.end_audition)

    @property
    def channel(self) -> int:
        """MIDI channel 0..15 on which the edited part can be played."""
        return max(round(self._player.part.values["channel"]) - 1, 0)

    def _note_on(self, pitch: int, velocity: float) -> None:
        client, channel = self._player.client, self.channel
        before = self._channels.get(pitch, channel)
        self._channels[pitch] = channel
        if client is None:
            return
        if before != channel:
            client.note_off(pitch, before)
        if self._auditioning:  # of one preset, so of one part alone
            client.send(EventKind.NOTE_ON, pitch, velocity, channel=channel, part=self._player.chosen)
        else:
            client.note_on(pitch, velocity, channel)

    def _note_off(self, pitch: int) -> None:
        channel = self._channels.pop(pitch, self.channel)
        if self._player.client is not None:
            self._player.client.note_off(pitch, channel)

    def audition(self) -> None:
        """Let the edited part be heard, when nothing is being played."""
        instrument = self._player.instrument
        if self.notes.notes or instrument is None:
            return
        low, high = instrument.pitch_range
        self._audition_note = 60 if low <= 60 <= high else (low + high) // 2
        self._auditioning = True
        self.notes.press(AUDITION_SOURCE, self._audition_note, 0.75)
        self._auditioning = False
        self._audition.start()

    def end_audition(self) -> None:
        self._audition.stop()
        if self._audition_note >= 0:
            self.notes.release(AUDITION_SOURCE, self._audition_note)
            self._audition_note = -1

    def bend(self, value: float) -> None:
        """-1..1 of the bend range."""
        client = self._player.client
        if client is None:
            return
        channel = self.channel
        if self._bent not in (None, channel):
            client.send(EventKind.PITCH_BEND, value=0.0, channel=self._bent)
        self._bent = channel if value else None
        client.send(EventKind.PITCH_BEND, value=value, channel=channel)

    def modulate(self, value: float) -> None:
        """Mod wheel, 0..1."""
        self._control(MODULATION_CONTROLLER, value, self.channel)

    def sustain(self, down: bool) -> None:
        if down:
            self._pedal_channel = self.channel
        self._control(SUSTAIN_CONTROLLER, 1.0 if down else 0.0, self._pedal_channel)

    def _control(self, controller: int, value: float, channel: int) -> None:
        if self._player.client is not None:
            self._player.client.send(EventKind.CONTROL_CHANGE, controller, value, channel=channel)

    def panic(self) -> None:
        self._audition.stop()
        self._audition_note = -1
        if self._player.client is not None:
            self._player.client.panic()
        self.forget()
        self._player.panicked.emit()

    def forget(self) -> None:
        """The engine has ended every note already."""
        self._channels.clear()
        self.notes.forget()
