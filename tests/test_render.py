"""The compiled signal path against obvious arithmetic, at any block size, and with bad input."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from engine_tools import (
    RATE,
    controller,
    dominant_hz,
    engine,
    level_db,
    note,
    parameter,
    render,
    roughness,
    song,
)
from make_instrument import SPEC, expected_controls

from noisysynth.dsp.dc_blocker import CORNER_HZ
from noisysynth.dsp.limiter import CEILING, THRESHOLD, guard_and_limit
from noisysynth.engine.queues import push_frames
from noisysynth.engine.rack import Rack
from noisysynth.engine.state import CONTROLS, POLYPHONY, QUANTUM, STATE_DTYPE, frame_samples, prepare
from noisysynth.errors import UserError
from noisysynth.events import EventKind, make_event
from noisysynth.spec import midi_to_hz

MUSIC = (
    note(0.1003, 0.5, 60),
    note(0.3, 0.4, 64),
    note(0.30001, 0.7, 67, 1.0),
    note(0.9, 0.05, 60),
    parameter(0.5, "pad_x", 0.7),
    parameter(0.55, "brightness", 4.0),
    controller(0.6, 1, 1.0),
    [make_event(EventKind.PITCH_BEND, 0, 0.5, time=int(0.62 * RATE))],
)


@pytest.mark.parametrize("block_size", [1, 7, 64, 65, 128, 480, 1024, 4096])
def test_block_size_changes_nothing(block_size: int) -> None:
    expected = render(1.2, *MUSIC)
    assert level_db(expected) > -50
    assert level_db(render(1.2, *MUSIC, block_size=block_size) - expected, expected) < -90


def test_all_voices_fit_in_a_block_of_any_size() -> None:
    chord = [note(0.1, 2.0, 30 + i) for i in range(POLYPHONY)]
    expected = render(0.6, *chord)
    assert level_db(render(0.6, *chord, block_size=8192) - expected, expected) < -90


def test_too_large_a_block_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="block size 16384 is too large"):
        engine(16384)


def test_a_held_note_equals_the_oracle() -> None:
    """From the instrument's closed-form controls through the slow oracle to what the engine plays."""
    start = 4096 + 17  # inside a quantum
    seconds = 0.3
    instrument_engine = engine()
    events = song(
        [make_event(EventKind.NOTE_ON, 57, 0.8, time=start)],
        parameter(0, "noise_level", -60.0),
        parameter(0, "volume", 0.0),
    )
    audio = instrument_engine.render(events, round(seconds * RATE))[:, 0]

    hop = frame_samples(RATE)
    first_quantum = start // QUANTUM * QUANTUM
    # From the first whole quantum on, where the fade-in of the note has ended, the phase is known.
    frames = first_quantum + hop * np.arange(int((seconds * RATE - first_quantum) // hop))
    time_on = np.maximum(frames - start, 0)[None] / RATE
    controls = expected_controls(
        SPEC, np.zeros((1, SPEC.latent_size)), np.array([57.0]), np.array([0.8]), time_on, -np.ones_like(time_on)
    )
    hz = midi_to_hz(57.0)
    partials = (controls["amplitude"][..., None] * controls["harmonics"])[0].astype(np.float64)
    phase = -(start - first_quantum) * hz / RATE
    expected = reference.harmonics(np.full(len(frames), hz), partials, RATE, hop, phase)
    fade = 10 * QUANTUM
    # What the DC blocker took is put back: y[t] = x[t] - x[t - 1] + r y[t - 1], solved for x.
    pole = np.exp(-2 * np.pi * CORNER_HZ / RATE)
    y = audio[: first_quantum + len(expected)].astype(np.float64)
    heard = np.cumsum(y - pole * np.concatenate(([0.0], y[:-1])))[first_quantum + fade :]
    assert level_db(heard - expected[fade:], expected[fade:]) < -90


def test_notes_start_on_their_sample() -> None:
    for offset in (0, 1, 31, 63):
        start = 12_800 + offset
        on = [make_event(EventKind.NOTE_ON, 90, 1.0, time=start)]
        audio = engine().render(song(on, parameter(0, "noise_level", -60.0)), 19_200)
        assert np.flatnonzero(audio[:, 0])[0] in (start, start + 1)


def test_pitch_is_within_a_cent() -> None:
    for pitch in (33, 57, 81, 96):
        audio = render(1.5, note(0.1, 1.4, pitch), parameter(0, "noise_level", -60.0))[RATE // 2 :, 0]
        hz = midi_to_hz(pitch)
        assert abs(1200 * np.log2(dominant_hz(audio, hz * 0.95, hz * 1.05) / hz)) < 1.0


def test_bend_and_tune_move_pitch_by_what_they_say() -> None:
    bend = [make_event(EventKind.PITCH_BEND, 0, -1.0, time=0)]
    audio = render(1.5, note(0.1, 1.4, 69), bend, parameter(0, "bend_range", 12.0), parameter(0, "tune", 50.0))
    hz = 440.0 * 2 ** (-1 + 50 / 1200)
    assert abs(1200 * np.log2(dominant_hz(audio[RATE // 2 :, 0], hz * 0.9, hz * 1.1) / hz)) < 1.0


def test_partials_bent_above_nyquist_fall_silent_without_aliases() -> None:
    """A high note bent up two octaves: no alias below the fundamental."""
    bend = [make_event(EventKind.PITCH_BEND, 0, 1.0, time=int(0.5 * RATE))]
    audio = render(1.0, note(0.1, 1.0, 96), parameter(0, "bend_range", 24.0), bend, parameter(0, "noise_level", -60.0))
    tail = audio[int(0.7 * RATE) :, 0]
    spectrum = np.abs(np.fft.rfft(tail * np.hanning(len(tail))))
    f0 = midi_to_hz(120)
    below = spectrum[: int(0.9 * f0 / RATE * len(tail))]
    assert below.max() < spectrum.max() * 10 ** (-80 / 20)


@pytest.mark.parametrize(
    "gesture",
    [
        note(0.5, 0.2, 72),
        parameter(0.5, "pad_x", 1.0),
        parameter(0.5, "knob_1", -1.0),
        parameter(0.5, "volume", -20.0),
        parameter(0.5, "tone_level", -12.0),
        parameter(0.5, "brightness", 6.0),
        parameter(0.5, "attack", 4.0),
        controller(0.5, 64, 1.0),
        [make_event(EventKind.PANIC, time=int(0.5 * RATE))],
        [make_event(EventKind.PITCH_BEND, 0, 1.0, time=int(0.5 * RATE))],
    ],
)
def test_no_gesture_clicks(gesture: list[np.ndarray]) -> None:
    """Around the gesture, the wave bends no more sharply than a few times what it does by itself."""
    audio = render(1.0, note(0.1, 1.5, 57), gesture, parameter(0, "noise_level", -60.0))[:, 0]
    before = roughness(audio[int(0.3 * RATE) : int(0.48 * RATE)]).max()
    steady = max(before, roughness(audio[int(0.65 * RATE) : int(0.9 * RATE)]).max())
    assert roughness(audio[int(0.48 * RATE) : int(0.75 * RATE)]).max() < 2.5 * steady


def test_more_notes_than_voices_steal_without_a_click_and_never_pass_full_scale() -> None:
    apart_s = 0.002
    notes = [note(0.1 + apart_s * i, 5.0, 24 + i % 72, 1.0) for i in range(POLYPHONY + 30)]
    instrument_engine = engine()
    audio = instrument_engine.render(song(*notes, parameter(0, "volume", 6.0)), 2 * RATE)
    assert np.abs(audio).max() < 1.0
    assert instrument_engine.state["active_voices"] <= POLYPHONY
    assert instrument_engine.state["late_frames"] == 0
    stealing = roughness(audio[int((0.1 + apart_s * POLYPHONY) * RATE) : int(0.9 * RATE), 0]).max()
    settled = roughness(audio[int(1.2 * RATE) :, 0]).max()
    assert stealing < 2.5 * settled


def test_noise_has_the_level_the_controls_say() -> None:
    """All bands at a known RMS, from one voice and from four: power adds, and the spectrum is right."""
    settings = (parameter(0, "tone_level", -60.0), parameter(0, "volume", 0.0), parameter(0, "knob_2", 0.0))
    one = render(2.0, note(0.1, 3.0, 60, 1.0), *settings)[RATE:]
    four = render(2.0, *(note(0.1, 3.0, 60 + i, 1.0) for i in range(4)), *settings)[RATE:]
    expected = 0.002 * np.sqrt(SPEC.n_noise_bands)
    assert abs(level_db(one) - 20 * np.log10(expected)) < 0.5
    assert abs(level_db(four) - level_db(one) - 6.02) < 0.3
    correlation = np.corrcoef(one[:, 0], one[:, 1])[0, 1]
    assert 0.3 < correlation < 0.7


def test_silence_is_exact_and_voices_are_freed() -> None:
    instrument_engine = engine()
    audio = instrument_engine.render(song(note(0.1, 0.2, 60)), 3 * RATE)
    assert instrument_engine.state["active_voices"] == 0
    assert not instrument_engine.rack.voices.sounding.any()
    assert np.abs(audio[-RATE // 2 :]).max() < 1e-12  # the DC blocker forgets slowly


def test_numbers_that_are_not_finite_never_leave() -> None:
    """A poisoned voice is dropped and counted, and the note beside it is not harmed."""
    instrument_engine = engine()
    instrument_engine.render(song(note(0.05, 9.0, 60), note(0.05, 9.0, 67)), RATE // 2)
    state = instrument_engine.state
    victim = int(np.flatnonzero(state["voice_active"])[0])
    state["voice_heard"][victim, 3] = np.nan
    audio = instrument_engine.render(song(), RATE // 2)
    assert np.isfinite(audio).all()
    assert state["non_finite"] > 0
    assert state["voice_active"].sum() == 1
    assert level_db(audio[-4800:]) > -50


def test_frames_that_are_not_finite_are_silenced_in_the_queue() -> None:
    state = np.zeros(1, STATE_DTYPE)
    prepare(state, RATE)
    ones = np.ones((1, 1), np.float32)
    partials = np.full((1, 1, SPEC.n_harmonics), np.inf, np.float32)
    bands = np.full((1, 1, SPEC.n_noise_bands), np.nan, np.float32)
    zero = np.zeros(1, np.int64)
    bad = push_frames(
        state, zero, zero + 1, zero, np.array([[440.0]]), ones * np.nan, ones, partials, bands,
        np.ones((1, 1, CONTROLS), np.float32),
    )  # fmt: skip
    assert bad == 1 + SPEC.n_harmonics + SPEC.n_noise_bands
    assert state["frame_hz"][0, 0] == 440.0
    assert not state["ring_partials"][0, 0, 0].any()
    assert not state["ring_noise"][0, 0, 0].any()


def test_limiter_is_linear_below_its_threshold_and_holds_full_scale_above() -> None:
    rng = np.random.default_rng(0)
    quiet = (rng.random((QUANTUM, 2), np.float32) - 0.5) * THRESHOLD
    out = quiet.copy()
    gain, bad = guard_and_limit(out, QUANTUM, 1.0, RATE)
    assert (gain, bad) == (1.0, 0)
    assert np.array_equal(out, quiet)
    gain = 1.0
    for loudness in (0.5, 3.0, 50.0, 0.2, 1e5, 1.0, 2.0):
        for _ in range(40):
            block = ((rng.random((QUANTUM, 2)) - 0.5) * 2 * loudness).astype(np.float32)
            gain, bad = guard_and_limit(block, QUANTUM, gain, RATE)
            assert bad == 0
            assert np.abs(block).max() <= CEILING
            assert 0.0 < gain <= 1.0


def test_limiter_removes_what_is_not_a_number() -> None:
    block = np.full((QUANTUM, 2), 0.1, np.float32)
    block[5, 0], block[6, 1], block[7, 0], block[8, 0] = np.nan, np.inf, -np.inf, 1e30
    _, bad = guard_and_limit(block, QUANTUM, 1.0, RATE)
    assert bad == 4
    assert np.isfinite(block).all()
    assert np.abs(block).max() < 0.2


def test_a_rack_starts_from_silence() -> None:
    instrument_engine = engine()
    assert isinstance(instrument_engine.rack, Rack)
    assert not instrument_engine.render(song(), RATE // 10).any()
