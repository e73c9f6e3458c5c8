"""Which note sounds on which voice: allocation, stealing, keys and pedals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.state import NO_TIME, POLYPHONY, VOICES
from noisysynth.engine.tracks import Glide, Steps
from noisysynth.spec import MAX_LATENT

NEVER = np.iinfo(np.int64).max
NO_KEY = -1


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
        self.part = np.zeros(VOICES, np.int64)
        self.sound = np.zeros(VOICES, np.int64)  # which of the rack's loaded sounds plays it
        self.channel = np.zeros(VOICES, np.int64)
        self.key = np.zeros(VOICES, np.int64)  # what holds it; NO_KEY once nothing does
        self.pitch = np.zeros(VOICES, np.float64)  # at its note-on: MIDI note, fractional
        self.timbre_pitch = np.zeros(VOICES, np.float64)  # of the key that holds it now, for the network
        self.velocity = np.zeros(VOICES, np.float64)
        self.release_velocity = np.zeros(VOICES, np.float64)
        self.random = np.zeros(VOICES, np.float64)  # -1..1, another for each voice
        self.detune = np.zeros(VOICES, np.float64)  # semitones
        self.pan = np.zeros(VOICES, np.float64)
        self.gain = np.ones(VOICES, np.float64)
        self.latent_offset = np.zeros((VOICES, MAX_LATENT))
        self.frozen_from = np.full(VOICES, NEVER, np.int64)  # sample from which the latent rests
        self.frozen_latent = np.zeros((VOICES, MAX_LATENT))
        self.onset = np.zeros(VOICES, np.int64)  # sample of the note-on
        self.off = np.full(VOICES, NO_TIME, np.int64)  # sample of the release; NO_TIME: held
        self.sustained = np.zeros(VOICES, bool)  # key up, but a pedal holds it
        self.sostenuto = np.zeros(VOICES, bool)  # held by the middle pedal
        self.next_frame = np.zeros(VOICES, np.int64)
        self.sent = np.zeros(VOICES, np.int64)  # frames queued, also those that are to be computed anew
        self.stale = np.zeros(VOICES, bool)  # its frames already computed no longer tell the truth
        self.silent_from = np.full(VOICES, NEVER, np.int64)  # sample from which its frames are silent
        self.level = np.zeros(VOICES, np.float64)  # of the newest frame computed
        self.pressure: dict[int, Steps] = {}  # polyphonic pressure of a voice that had any
        self.glides: dict[int, Glide] = {}  # pitch, [1], of a voice that slides
        self._next_id = 1

    def indices(self, part: int | None = None) -> NDArray[np.int64]:
        """Sounding voices, of one part or all."""
        return np.flatnonzero(self.sounding if part is None else self.sounding & (self.part == part))

    def held_by(self, part: int, channel: int, key: int) -> NDArray[np.int64]:
        """Voices of a part that this key holds or held last and that were not released."""
        return np.flatnonzero(
            self.sounding & (self.part == part) & (self.channel == channel) & (self.key == key) & (self.off == NO_TIME)
        )

    def _free(self) -> NDArray[np.int64]:
        return np.flatnonzero(~self.sounding & (self.busy_until == 0))

    def begin(
        self, part: int, sound: int, channel: int, key: int, pitch: float, velocity: float, time: int
    ) -> int | None:
        """Take a free voice for a note; None when every voice is busy fading (the note is lost)."""
        free = self._free()
        if len(free) == 0:
            return None
        voice = int(free[0])
        self.sounding[voice] = True
        self.started[voice] = False
        self.begins_at[voice] = NEVER
        self.note_id[voice] = self._next_id
        self._next_id += 1
        self.part[voice], self.sound[voice] = part, sound
        self.channel[voice], self.key[voice] = channel, key
        self.pitch[voice] = self.timbre_pitch[voice] = pitch
        self.velocity[voice] = velocity
        self.release_velocity[voice] = self.random[voice] = self.detune[voice] = self.pan[voice] = 0.0
        self.gain[voice] = 1.0
        self.latent_offset[voice] = 0.0
        self.frozen_from[voice] = NEVER
        self.onset[voice] = time
        self.off[voice] = NO_TIME
        self.sustained[voice] = self.sostenuto[voice] = False
        self.next_frame[voice] = self.sent[voice] = 0
        self.stale[voice] = False
        self.silent_from[voice] = NEVER
        self.level[voice] = 1.0
        self.pressure.pop(voice, None)
        self.glides.pop(voice, None)
        return voice

    def to_steal(self, part: int, limit: int) -> int | None:
        """The voice to fade so that one more keeps to `limit` in its part and POLYPHONY in all.

        Released before held, quiet before loud, old before new.
        """
        of_part = self.sounding & (self.part == part)
        crowded = not self._free().size
        if np.count_nonzero(of_part) >= limit:
            candidates = np.flatnonzero(of_part)
        elif np.count_nonzero(self.sounding) >= POLYPHONY or crowded:
            candidates = self.indices()
        else:
            return None
        if crowded:
            # One that has not begun needs no fade; to end any other would cost its note and gain none.
            candidates = candidates[~self.started[candidates]]
            if not candidates.size:
                return None
        held = self.off[candidates] == NO_TIME
        order = np.lexsort((self.note_id[candidates], self.level[candidates], held))
        return int(candidates[order[0]])

    def release(self, voices: NDArray[np.int64], time: int) -> None:
        """The gate closes."""
        # A key that goes up before it went down (both in one block) still sounds for a sample.
        open_ = voices[self.off[voices] == NO_TIME]
        self.off[open_] = np.maximum(time, self.onset[open_] + 1)
        self.sustained[open_] = self.sostenuto[open_] = False
        self.stale[open_] = True
