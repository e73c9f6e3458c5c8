"""Every array that the audio callback touches, as one fixed-size record, allocated once.

One record serves three sides: the compiled callback (through numba), the control thread and, being in shared memory,
the window's meters. Who may write a field is said at its group.
"""

from __future__ import annotations

import enum
import math

import numpy as np
from numpy.typing import NDArray

from noisysynth.effects import EFFECT_INDEX, EFFECT_VALUES, EFFECTS, SENDS
from noisysynth.parameters import MAX_PARAMETERS, N_INSERTS, N_PARTS, PARAMETER_INDEX, PARAMETERS
from noisysynth.spec import MAX_HARMONICS, MAX_LATENT, noise_band_centers_hz
from noisysynth.table import Parameter

QUANTUM = 64  # samples that are always rendered together
PARTS = N_PARTS
RACK = PARTS  # row of the settings that belong to no part
POLYPHONY = 256  # notes that may sound at once
VOICES = POLYPHONY + 32  # stolen notes fade out in the surplus
NOISE_BANDS = 64  # of the engine; instruments with other bands are converted as their frames are queued
RING = 64  # frames a voice can hold ahead: enough for blocks of 8192 samples
FRAME_QUEUE = 8192
SETTING_QUEUE = 4096
SCOPE_LENGTH = 4096  # what the window draws
TAPE_LENGTH = 1 << 18  # output kept for the recorder and the scope: 5 s at 48 kHz
FRAME_SECONDS = 0.004  # aimed at; rounded to whole quanta

NO_TIME = -1
FOREVER = 1 << 40  # samples


class Command(enum.IntEnum):
    """What a row of the frame queue asks for."""

    FRAME = 1  # a control frame of one voice: partials, noise bands and controls
    START = 2  # start a voice whose first frames came before this row
    FADE = 3  # fade a voice out in a few milliseconds and free it
    SILENCE = 4  # fade every voice out, and empty every effect
    CONTROLS = 5  # new controls for a frame that is there already
    ROOM = 6  # `frame_voice` is a part, `frame_onset` the half of its room memory that holds the new response


class Control(enum.IntEnum):
    """What a frame says of a voice beside the network's outputs; the callback moves through it linearly."""

    RATIO = 0  # of the pitch: bend, vibrato, tuning, detune, modulation
    LEFT = 1  # linear gains: amp envelope, pan, voice level
    RIGHT = 2
    TONE = 3  # linear gain of the harmonic part
    NOISE = 4  # linear gain of the noise part
    TILT = 5  # dB per octave above the fundamental
    CUTOFF = 6  # of the filter, log2 of Hz
    RESONANCE = 7  # of the filter, its Q
    STRETCH = 8  # inharmonicity B: partial k is at k f0 sqrt(1 + B k^2)


CONTROLS = len(Control)


class PartSetting(enum.IntEnum):
    """Values of a part that the callback follows; rows of the setting queue set their targets."""

    VOLUME = 0  # linear gain
    SEND_CHORUS = 1  # linear gains
    SEND_DELAY = 2
    SEND_REVERB = 3
    ROOM = 4  # share of the instrument's own room
    FILTER_MODE = 5  # index in FILTER_MODES; jumps
    INSERTS = 6  # N_INSERTS times: kind (0: none, else 1 + index in EFFECTS; jumps), then EFFECT_VALUES values


class RackSetting(enum.IntEnum):
    """The same for the whole rack."""

    VOLUME = 0  # linear gain
    BUSES = 1  # EFFECT_VALUES values for each of SENDS


INSERT_SETTINGS = 1 + EFFECT_VALUES
SETTINGS = max(PartSetting.INSERTS + N_INSERTS * INSERT_SETTINGS, RackSetting.BUSES + len(SENDS) * EFFECT_VALUES)

STATE_DTYPE = np.dtype(
    [
        # set before audio runs, then only read
        ("sample_rate", "f8"),
        ("frame_quanta", "i8"),
        ("setting_smoothing", "f4", (PARTS + 1, SETTINGS)),  # share of the way per quantum; 1: jumps
        ("insert_smoothing", "f4", (len(EFFECTS) + 1, EFFECT_VALUES)),  # the same, by what an insert is
        ("log2_partial", "f4", (MAX_HARMONICS,)),
        ("band_hz", "f4", (NOISE_BANDS,)),  # centres
        # frame queue: written by the control thread, read by the callback
        ("frame_tail", "i8", (1,)),
        ("frame_head", "i8", (1,)),
        ("frame_command", "i4", (FRAME_QUEUE,)),
        ("frame_voice", "i4", (FRAME_QUEUE,)),
        ("frame_id", "i8", (FRAME_QUEUE,)),  # note id << 32 | frame number; for START the number is 0
        ("frame_onset", "i8", (FRAME_QUEUE,)),  # START: sample of the note-on
        ("frame_part", "i4", (FRAME_QUEUE,)),  # START: the part the voice belongs to
        ("frame_n_partials", "i4", (FRAME_QUEUE,)),  # START: partials of its instrument
        ("frame_hz", "f4", (FRAME_QUEUE,)),
        ("frame_controls", "f4", (FRAME_QUEUE, CONTROLS)),
        # setting queue: written by the control thread, read by the callback
        ("setting_tail", "i8", (1,)),
        ("setting_head", "i8", (1,)),
        ("setting_row", "i4", (SETTING_QUEUE,)),  # part, or RACK
        ("setting_index", "i4", (SETTING_QUEUE,)),
        ("setting_time", "i8", (SETTING_QUEUE,)),  # sample from which it holds; rows come in order of time
        ("setting_value", "f4", (SETTING_QUEUE,)),
        # voices: the callback's own
        ("voice_active", "i4", (VOICES,)),
        ("voice_next", "i4", (VOICES,)),  # the next voice of the same part in this quantum; -1: the last
        ("voice_part", "i4", (VOICES,)),
        ("voice_n_partials", "i4", (VOICES,)),
        ("voice_note_id", "i8", (VOICES,)),
        ("voice_onset", "i8", (VOICES,)),
        ("voice_age", "i8", (VOICES,)),  # quanta since the voice's first
        ("voice_slot", "i4", (VOICES,)),  # ring slot of the frame it is heading for
        ("voice_phase", "f8", (VOICES,)),
        ("voice_gain", "f4", (VOICES,)),
        ("voice_gain_step", "f4", (VOICES,)),  # per sample; 0 while steady
        ("voice_hz", "f4", (VOICES,)),  # interpolated control values at the end of the last quantum
        ("voice_controls", "f4", (VOICES, CONTROLS)),
        ("voice_aimed", "i4", (VOICES,)),  # ring slot that the goals were worked out from; -1: anew
        ("voice_aimed_mode", "i4", (VOICES,)),  # the filter's mode then
        ("voice_goal", "f4", (VOICES, MAX_HARMONICS)),  # what the frame it heads for sounds like: level, tilt, filter
        ("voice_noise_goal", "f4", (VOICES, NOISE_BANDS)),  # powers
        ("voice_noise", "f4", (VOICES, NOISE_BANDS)),  # powers, at the end of the last quantum
        ("voice_heard_hz", "f4", (VOICES,)),  # the same as heard: bent, tilted, filtered, band-limited
        ("voice_heard_left", "f4", (VOICES,)),
        ("voice_heard_right", "f4", (VOICES,)),
        ("voice_heard", "f4", (VOICES, MAX_HARMONICS)),
        ("voice_rotator", "f4", (VOICES, 2, MAX_HARMONICS)),  # sine and cosine of stretched partials
        ("voice_stretched", "i4", (VOICES,)),  # whether the rotator holds the phases
        # frames of voices: the callback's own, but for partials and noise. Those the control thread writes to their
        # place before it queues the row that makes them valid; where it writes anew what is being read, the callback
        # has parts of two frames, both sound, until it reads that row.
        ("ring_id", "i8", (VOICES, RING)),
        ("ring_hz", "f4", (VOICES, RING)),
        ("ring_controls", "f4", (VOICES, RING, CONTROLS)),
        ("ring_partials", "f4", (VOICES, RING, MAX_HARMONICS)),
        ("ring_noise", "f4", (VOICES, RING, NOISE_BANDS)),
        # the mix: the callback's own
        ("setting_now", "f4", (PARTS + 1, SETTINGS)),
        ("setting_target", "f4", (PARTS + 1, SETTINGS)),
        ("setting_before", "f4", (PARTS + 1, SETTINGS)),  # setting_now at the end of the last quantum
        ("part_quiet", "i8", (PARTS,)),  # samples since anything was heard of it
        ("part_first", "i4", (PARTS,)),  # its first voice in this quantum; -1: none
        ("part_noise_gain", "f4", (PARTS, 2, NOISE_BANDS)),  # left, right: end of the last quantum
        ("part_noisy", "i4", (PARTS,)),  # whether any of them is not 0
        ("insert_kind", "i4", (PARTS, N_INSERTS)),  # what runs; differs from the setting while it fades
        ("insert_gain", "f4", (PARTS, N_INSERTS)),  # fades an insert in and out
        ("insert_values", "f4", (PARTS, N_INSERTS, EFFECT_VALUES)),  # what runs is told
        ("room_half", "i4", (PARTS,)),  # which response runs
        ("room_wanted", "i4", (PARTS,)),
        ("room_gain", "f4", (PARTS,)),
        ("room_runs", "i4", (PARTS,)),  # whether its memory holds what was played
        ("bus_quiet", "i8", (len(SENDS),)),
        ("bus_fed", "i4", (len(SENDS),)),  # whether any part sends to it in this quantum
        ("start_gain", "f4"),  # fades the engine in and out
        ("silence_gain", "f4"),  # hides that effects are emptied
        ("silencing", "i4"),
        ("dc", "f8", (2, 2)),  # the DC blocker's memory: channel; input, output
        ("limiter_gain", "f4"),
        ("quantum_used", "i8"),  # samples of `quantum` already given to the device
        ("quantum", "f4", (QUANTUM, 2)),
        # scratch: the callback's own
        ("sin1", "f4", (QUANTUM,)),
        ("cos1", "f4", (QUANTUM,)),
        ("ramp", "f4", (QUANTUM,)),
        ("voice_out", "f4", (QUANTUM,)),
        ("partials_heading", "f4", (MAX_HARMONICS,)),
        ("part_left", "f4", (QUANTUM,)),
        ("part_right", "f4", (QUANTUM,)),
        ("part_audio", "f4", (QUANTUM, 2)),
        ("other_audio", "f4", (QUANTUM, 2)),
        ("noise_power", "f4", (2, NOISE_BANDS)),
        ("noise_heading", "f4", (2, NOISE_BANDS)),
        ("bus_audio", "f4", (len(SENDS), QUANTUM, 2)),
        ("mix", "f4", (QUANTUM, 2)),
        # written by the control thread, read by the callback
        ("stop_requested", "i8"),  # fade out and stay silent
        # what others may look at: written by the callback
        ("rendered", "i8", (1,)),  # samples of whole quanta so far
        ("position", "i8", (1,)),  # samples given to the device so far
        ("stream_time_zero", "f8"),  # device clock at which sample 0 would have been handed over
        ("callbacks", "i8"),
        ("underruns", "i8"),
        ("late_frames", "i8"),
        ("non_finite", "i8"),
        ("active_voices", "i8"),
        ("peak", "f4", (2,)),  # grows until the reader resets it
        ("part_peak", "f4", (PARTS,)),  # the same for each part, both channels
        ("tape_position", "i8", (1,)),
        ("tape", "f4", (TAPE_LENGTH, 2)),
        # what the window may look at: written by the control thread
        ("load", "f4"),
        ("frames_not_finite", "i8"),  # values of the network's that had to be made safe
    ],
    align=True,
)

# What outlives the engine process: the control thread writes it down, and an engine that starts anew takes it up.
MEMORY_DTYPE = np.dtype(
    [
        ("heartbeat", "i8", (2,)),  # rounds of the control thread and of the main one: still for seconds, they hang
        ("recorded_s", "f8"),  # length of the recording under way; 0: none
        ("midi_events", "i8"),
        ("parameters", "f4", (PARTS, MAX_PARAMETERS)),  # rack parameters: in the first row
        ("latent", "f4", (PARTS, MAX_LATENT)),  # each part's base
        ("latent_known", "i4", (PARTS,)),  # whether a latent was ever set there
        ("preset", "i4", (PARTS,)),  # chosen last, -1: none
        ("preset_changes", "i8", (PARTS,)),  # counts; so a window notices a program change
        ("held", "f4", (16, 128)),  # velocity of every key that is down, by MIDI channel
        ("pedal", "f4", (16,)),  # the sustain pedals
        ("bend", "f4", (16,)),
        ("mod_wheel", "f4", (16,)),
        ("learned", "i4", (16, 128, 2)),  # MIDI channel, controller: 1 + part and 1 + parameter that it moves; 0: none
        ("learning", "i4", (2,)),  # 1 + part, 1 + parameter waiting for a controller
    ],
    align=True,
)

# The engine's shared memory.
SHARED_DTYPE = np.dtype([("state", STATE_DTYPE), ("memory", MEMORY_DTYPE)], align=True)


def forget_all(memory: NDArray[np.void]) -> None:
    """Fill `memory` (shape [1], MEMORY_DTYPE) as for an engine that never ran."""
    memory[:] = np.zeros((), MEMORY_DTYPE)
    memory["parameters"][0, :, : len(PARAMETERS)] = [row.default for row in PARAMETERS]
    memory["preset"] = -1


def frame_samples(sample_rate: float) -> int:
    """Samples between a voice's control frames: whole quanta, about FRAME_SECONDS."""
    return max(1, round(FRAME_SECONDS * sample_rate / QUANTUM)) * QUANTUM


def _setting_smoothing(sample_rate: float, time_constant_s: float) -> float:
    return 1.0 - math.exp(-QUANTUM / (sample_rate * time_constant_s)) if time_constant_s > 0.0 else 1.0


def _parameter_of_setting() -> dict[tuple[bool, int], Parameter]:
    """The table's row whose smoothing a setting has; keyed by whether it is the rack's, and its index."""
    names: dict[tuple[bool, int], str] = {
        (False, PartSetting.VOLUME): "volume",
        (False, PartSetting.SEND_CHORUS): "send_chorus",
        (False, PartSetting.SEND_DELAY): "send_delay",
        (False, PartSetting.SEND_REVERB): "send_reverb",
        (False, PartSetting.ROOM): "room",
        (True, RackSetting.VOLUME): "master_volume",
    }
    for bus, effect_id in enumerate(SENDS):
        for i, row in enumerate(EFFECTS[EFFECT_INDEX[effect_id]].parameters):
            if row.id != "mix":
                names[True, RackSetting.BUSES + bus * EFFECT_VALUES + i] = f"{effect_id}_{row.id}"
    return {setting: PARAMETERS[PARAMETER_INDEX[name]] for setting, name in names.items()}


def prepare(state: NDArray[np.void], sample_rate: float) -> None:
    """Fill `state` (shape [1], STATE_DTYPE) for a fresh start: silence, nothing queued, clock at 0."""
    state[:] = np.zeros((), STATE_DTYPE)
    row = state[0]
    row["sample_rate"] = sample_rate
    row["frame_quanta"] = frame_samples(sample_rate) // QUANTUM
    row["setting_smoothing"] = 1.0
    for (of_rack, setting), parameter in _parameter_of_setting().items():
        share = _setting_smoothing(sample_rate, parameter.smoothing_s)
        row["setting_smoothing"][slice(RACK, None) if of_rack else slice(0, PARTS), setting] = share
    row["insert_smoothing"] = 1.0
    for kind, effect in enumerate(EFFECTS, 1):
        for i, parameter in enumerate(effect.parameters):
            row["insert_smoothing"][kind, i] = _setting_smoothing(sample_rate, parameter.smoothing_s)
    row["log2_partial"] = np.log2(np.arange(1, MAX_HARMONICS + 1))
    row["band_hz"] = noise_band_centers_hz(NOISE_BANDS)
    row["ramp"] = np.arange(QUANTUM) / QUANTUM
    row["limiter_gain"] = 1.0
    row["silence_gain"] = 1.0
    row["quantum_used"] = QUANTUM
    row["part_quiet"] = FOREVER
    row["bus_quiet"] = FOREVER
