"""Every array that the audio callback touches, as one fixed-size record, allocated once.

One record serves three sides: the compiled callback (through numba), the control thread and, being in shared memory,
the window's meters. Who may write a field is said at its group.
"""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS
from noisysynth.spec import MAX_HARMONICS, MAX_NOISE_BANDS, SynthSpec

QUANTUM = 64  # samples that are always rendered together
POLYPHONY = 48  # notes that may sound at once
VOICES = POLYPHONY + 16  # stolen notes fade out in the surplus
RING = 64  # frames a voice can hold ahead: enough for blocks of 8192 samples
FRAME_QUEUE = 4096  # all frames ahead of all voices, and as many commands
SETTING_QUEUE = 1024
SCOPE_LENGTH = 4096
FRAME_SECONDS = 0.004  # aimed at; rounded to whole quanta

NO_TIME = -1


class Command(enum.IntEnum):
    """What a row of the frame queue asks for."""

    FRAME = 1  # a control frame of one voice
    START = 2  # start a voice whose first frames came before this row
    FADE = 3  # fade a voice out in a few milliseconds and free it
    SILENCE = 4  # fade every voice out


class Setting(enum.IntEnum):
    """Continuous values the callback follows smoothly; rows of the setting queue set their targets."""

    VOLUME = 0  # linear gain
    TONE = 1  # linear gain of the harmonic part
    NOISE = 2  # linear gain of the noise part
    BRIGHTNESS = 3  # dB per octave above the fundamental
    BEND = 4  # semitones, tuning included
    VIBRATO_DEPTH = 5  # semitones
    VIBRATO_RATE = 6  # Hz


SETTINGS = len(Setting)

STATE_DTYPE = np.dtype(
    [
        # set before audio runs, then only read
        ("sample_rate", "f8"),
        ("n_harmonics", "i8"),
        ("n_noise_bands", "i8"),
        ("frame_quanta", "i8"),
        ("setting_smoothing", "f4", (SETTINGS,)),  # share of the way to the target per quantum
        ("log2_partial", "f4", (MAX_HARMONICS,)),
        # frame queue: written by the control thread, read by the callback
        ("frame_tail", "i8", (1,)),
        ("frame_head", "i8", (1,)),
        ("frame_command", "i4", (FRAME_QUEUE,)),
        ("frame_voice", "i4", (FRAME_QUEUE,)),
        ("frame_id", "i8", (FRAME_QUEUE,)),  # note id << 32 | frame number; for START the number is 0
        ("frame_onset", "i8", (FRAME_QUEUE,)),  # START: sample of the note-on
        ("frame_hz", "f4", (FRAME_QUEUE,)),
        ("frame_partials", "f4", (FRAME_QUEUE, MAX_HARMONICS)),
        ("frame_noise", "f4", (FRAME_QUEUE, MAX_NOISE_BANDS)),
        # setting queue: written by the control thread, read by the callback
        ("setting_tail", "i8", (1,)),
        ("setting_head", "i8", (1,)),
        ("setting_index", "i4", (SETTING_QUEUE,)),
        ("setting_time", "i8", (SETTING_QUEUE,)),  # sample from which it holds; rows come in order of time
        ("setting_value", "f4", (SETTING_QUEUE,)),
        # voices: the callback's own
        ("voice_active", "i4", (VOICES,)),
        ("voice_note_id", "i8", (VOICES,)),
        ("voice_onset", "i8", (VOICES,)),
        ("voice_age", "i8", (VOICES,)),  # quanta since the voice's first
        ("voice_slot", "i4", (VOICES,)),  # ring slot of the frame it is heading for
        ("voice_phase", "f8", (VOICES,)),
        ("voice_gain", "f4", (VOICES,)),
        ("voice_gain_step", "f4", (VOICES,)),  # per sample; 0 while steady
        ("voice_hz", "f4", (VOICES,)),  # interpolated control values at the end of the last quantum
        ("voice_partials", "f4", (VOICES, MAX_HARMONICS)),
        ("voice_noise", "f4", (VOICES, MAX_NOISE_BANDS)),
        ("voice_heard_hz", "f4", (VOICES,)),  # the same as heard: bent, tilted, band-limited
        ("voice_heard", "f4", (VOICES, MAX_HARMONICS)),
        ("ring_id", "i8", (VOICES, RING)),
        ("ring_hz", "f4", (VOICES, RING)),
        ("ring_partials", "f4", (VOICES, RING, MAX_HARMONICS)),
        ("ring_noise", "f4", (VOICES, RING, MAX_NOISE_BANDS)),
        # the mix: the callback's own
        ("setting_now", "f4", (SETTINGS,)),
        ("setting_target", "f4", (SETTINGS,)),
        ("vibrato_phase", "f8"),
        ("pitch_ratio", "f8"),  # bend and vibrato at the end of the last quantum
        ("noise_gain", "f4", (MAX_NOISE_BANDS,)),
        ("limiter_gain", "f4"),
        ("quantum_used", "i8"),  # samples of `quantum` already given to the device
        ("quantum", "f4", (QUANTUM, 2)),
        # scratch: the callback's own
        ("sin1", "f4", (QUANTUM,)),
        ("cos1", "f4", (QUANTUM,)),
        ("sin_k", "f4", (QUANTUM,)),
        ("cos_k", "f4", (QUANTUM,)),
        ("tone", "f4", (QUANTUM,)),
        ("voice_out", "f4", (QUANTUM,)),
        ("noise_mid", "f4", (QUANTUM,)),
        ("noise_side", "f4", (QUANTUM,)),
        ("partials_heading", "f4", (MAX_HARMONICS,)),
        ("noise_heading", "f4", (MAX_NOISE_BANDS,)),
        ("tilt", "f4", (MAX_HARMONICS,)),
        ("noise_power", "f4", (MAX_NOISE_BANDS,)),
        # what others may look at: written by the callback
        ("rendered", "i8", (1,)),  # samples of whole quanta so far
        ("position", "i8", (1,)),  # samples given to the device so far
        ("stream_time_zero", "f8"),  # device clock at which sample 0 would have been handed over
        ("underruns", "i8"),
        ("late_frames", "i8"),
        ("non_finite", "i8"),
        ("active_voices", "i8"),
        ("peak", "f4", (2,)),  # grows until the reader resets it
        ("scope_position", "i8", (1,)),
        ("scope", "f4", (SCOPE_LENGTH, 2)),
        # what the window may look at: written by the control thread
        ("load", "f4"),
        ("midi_events", "i8"),
        ("parameters", "f4", (64,)),
    ],
    align=True,
)

# The row of the table whose smoothing a setting has.
_PARAMETER_OF_SETTING = {
    Setting.VOLUME: "volume",
    Setting.TONE: "tone_level",
    Setting.NOISE: "noise_level",
    Setting.BRIGHTNESS: "brightness",
    Setting.BEND: "tune",
    Setting.VIBRATO_DEPTH: "vibrato_depth",
    Setting.VIBRATO_RATE: "vibrato_rate",
}


def frame_samples(sample_rate: float) -> int:
    """Samples between a voice's control frames: whole quanta, about FRAME_SECONDS."""
    return max(1, round(FRAME_SECONDS * sample_rate / QUANTUM)) * QUANTUM


def prepare(state: NDArray[np.void], spec: SynthSpec, sample_rate: float) -> None:
    """Fill `state` (shape [1], STATE_DTYPE) for a fresh start: silence, nothing queued, clock at 0."""
    state[:] = np.zeros((), STATE_DTYPE)
    row = state[0]
    row["sample_rate"] = sample_rate
    row["n_harmonics"] = spec.n_harmonics
    row["n_noise_bands"] = spec.n_noise_bands
    row["frame_quanta"] = frame_samples(sample_rate) // QUANTUM
    for setting, parameter_id in _PARAMETER_OF_SETTING.items():
        time_constant_s = PARAMETERS[PARAMETER_INDEX[parameter_id]].smoothing_s
        row["setting_smoothing"][setting] = 1.0 - np.exp(-QUANTUM / (sample_rate * time_constant_s))
    row["log2_partial"] = np.log2(np.arange(1, MAX_HARMONICS + 1))
    row["pitch_ratio"] = 1.0
    row["limiter_gain"] = 1.0
    row["quantum_used"] = QUANTUM
