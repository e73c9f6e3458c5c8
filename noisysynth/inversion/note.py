"""A recording as the search wants it: one note from its onset, its pitch known, its level made usual."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from noisysynth.errors import UserError
from noisysynth.listening.pitch import find_pitch
from noisysynth.listening.recording import estimate_gate_s, onset_sample, read_sound, without_rumble
from noisysynth.listening.resampling import resample
from noisysynth.spec import midi_to_hz

LONGEST_S = 4.0
SHORTEST_S = 0.04
PEAK = 0.9
LEAST_CLARITY = 0.4  # white noise has about 0.05; bells, the least periodic of notes, above 0.5
FADE_S = 0.03
SAMPLE_RATES = (4_000, 768_000)


@dataclasses.dataclass(frozen=True, eq=False)
class RecordedNote:
    """audio: float32 [samples] at `rate`, onset at 0, peak 0.9.

    pitch: MIDI, fractional. gate_s: when the key was let go, guessed; `seconds` and more where it never was.
    highest_hz: above it the recording has nothing, because its own sample rate had no room.
    """

    name: str
    audio: npt.NDArray[np.float32]
    rate: int
    pitch: float
    clarity: float
    gate_s: float
    highest_hz: float

    @property
    def seconds(self) -> float:
        return len(self.audio) / self.rate


def read_recorded_note(path: Path, rate: int, pitch: float | None = None) -> RecordedNote:
    """The note in a sound file, resampled to `rate` Hz; `pitch` where it is known.

    Stereo is mixed down, 12 s are read and 4 s used. UserError, one line, for what is no recorded note.
    """
    try:
        audio, own_rate = read_sound(path)
    except ValueError as error:
        raise UserError(f"{path.name} cannot be used ({error}); drop a WAV, FLAC or MP3 file of one note") from None
    if not SAMPLE_RATES[0] <= own_rate <= SAMPLE_RATES[1]:
        raise UserError(f"{path.name} has a sample rate of {own_rate} Hz; convert it to 44100 Hz")
    return recorded_note(path.name, audio, own_rate, rate, pitch)


def recorded_note(
    name: str, audio: npt.NDArray[np.float32], own_rate: int, rate: int, pitch: float | None = None
) -> RecordedNote:
    """The note in audio [samples] at own_rate. UserError as `read_recorded_note`."""
    audio = audio[onset_sample(audio, own_rate) :]
    if len(audio) < SHORTEST_S * own_rate:
        raise UserError(f"{name} is too short: a note of {1000 * SHORTEST_S:g} ms is the least")
    clarity = 1.0
    if pitch is None:
        found = find_pitch(audio, own_rate)
        pitch, clarity = found.pitch, found.clarity
        if clarity < LEAST_CLARITY:
            raise UserError(f"{name} has no clear pitch; use a recording of one single note")
    audio = without_rumble(audio, own_rate, float(midi_to_hz(pitch)))
    gate_s = estimate_gate_s(audio, own_rate)
    audio = resample(np.ascontiguousarray(audio), own_rate, rate)
    most = round(LONGEST_S * rate)
    if len(audio) > most:  # the window must not see the cut as a click
        fade = round(FADE_S * rate)
        audio = audio[:most].copy()
        audio[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    if gate_s >= len(audio) / rate - 1e-3:
        gate_s = math.inf
    audio = audio * np.float32(PEAK / np.abs(audio).max())
    return RecordedNote(name, audio, rate, pitch, clarity, gate_s, 0.45 * min(own_rate, rate))
