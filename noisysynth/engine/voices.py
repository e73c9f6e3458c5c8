"""Which note sounds on which voice: allocation, stealing, retriggering, the sustain pedal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.state import NO_TIME, POLYPHONY, VOICES

NEVER = np.iinfo(np.int64).max


class VoicePool:
    """Notes by voice, as columns over VOICES.

    A voice is `sounding` from its note-on until its note has died away or was stolen; after that it is `busy` until
    the callback has let it go.
    """

    def __init__(self) -> None:
        self.sounding: NDArray[np.bool_] = np.zeros(VOICES, bool)
        self.started = np.zeros(VOICES, bool)  # its START is in the queue
        self.begins_at = np.full(VOICES, NEVER, np.int64)  # frame queue position that starts the voice
        self.busy_until = np.zeros(VOICES, np.int64)  # frame queue position that frees the voice; 0: free
        self.note_id = np.zeros(VOICES, np.int64)
        self.channel = np.zeros(VOICES, np.int64)
        self.pitch = np.zeros(VOICES, np.float32)
        self.velocity = np.zeros(VOICES, np.float32)
        self.onset = np.zeros(VOICES, np.int64)  # sample of the note-on
        self.off = np.full(VOICES, NO_TIME, np.int64)  # sample of the release; NO_TIME: held
        self.sustained = np.zeros(VOICES, bool)  # key up, pedal down
        self.next_frame = np.zeros(VOICES, np.int64)
        self.silent_from = np.full(VOICES, NEVER, np.int64)  # sample from which its frames are silent
        self.level = np.zeros(VOICES, np.float32)  # of the newest frame computed
        self.pedal: set[int] = set()  # channels with the sustain pedal down
        self._next_id = 1

    def indices(self) -> NDArray[np.int64]:
        """Sounding voices."""
        return np.flatnonzero(self.sounding)

    def _free(self) -> NDArray[np.int64]:
        return np.flatnonzero(~self.sounding & (self.busy_until == 0))

    def begin(self, channel: int, pitch: int, velocity: float, time: int) -> int | None:
        """Take a free voice for a note; None when every voice is busy fading (the note is lost).

        The same key struck again releases its earlier note.
        """
        self.end(channel, pitch, time, pedal=False)
        free = self._free()
        if len(free) == 0:
            return None
        voice = int(free[0])
        self.sounding[voice] = True
        self.started[voice] = False
        self.begins_at[voice] = NEVER
        self.note_id[voice] = self._next_id
        self._next_id += 1
        self.channel[voice] = channel
        self.pitch[voice] = pitch
        self.velocity[voice] = velocity
        self.onset[voice] = time
        self.off[voice] = NO_TIME
        self.sustained[voice] = False
        self.next_frame[voice] = 0
        self.silent_from[voice] = NEVER
        self.level[voice] = 1.0
        return voice

    def to_steal(self) -> int | None:
        """The voice to fade so that one more note keeps to POLYPHONY: released before held, quiet before loud."""
        crowded = not self._free().size
        if np.count_nonzero(self.sounding) < POLYPHONY and not crowded:
            return None
        candidates = self.indices()
        if crowded:
            # One that has not begun needs no fade; to end any other would cost its note and gain none.
            candidates = candidates[~self.started[candidates]]
            if not candidates.size:
                return None
        held = self.off[candidates] == NO_TIME
        order = np.lexsort((self.onset[candidates], self.level[candidates], held))
        return int(candidates[order[0]])

    def end(self, channel: int, pitch: int, time: int, *, pedal: bool = True) -> None:
        """Key up: release its note, or leave that to the pedal when it is down and `pedal` is asked to count."""
        for voice in self.indices():
            if self.channel[voice] == channel and self.pitch[voice] == pitch and self.off[voice] == NO_TIME:
                if pedal and channel in self.pedal:
                    self.sustained[voice] = True
                else:
                    self._release(voice, time)

    def set_pedal(self, channel: int, down: bool, time: int) -> None:
        if down:
            self.pedal.add(channel)
            return
        self.pedal.discard(channel)
        for voice in self.indices():
            if self.channel[voice] == channel and self.sustained[voice]:
                self._release(voice, time)

    def release_all(self, time: int) -> None:
        """Release every note, pedal or not."""
        for voice in self.indices():
            if self.off[voice] == NO_TIME:
                self._release(voice, time)

    def _release(self, voice: int, time: int) -> None:
        # A key that goes up before it went down (both in one block) still sounds for a sample.
        self.off[voice] = max(time, self.onset[voice] + 1)
        self.sustained[voice] = False
