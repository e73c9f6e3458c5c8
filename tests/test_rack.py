"""What the keyboard player's gestures do: pedals, retriggering, latent moves, parameters, panic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engine_tools import RATE, controller, engine, level_db, note, parameter, render, song
from make_instrument import make_test_instrument

from noisysynth.engine import supply as supply_module
from noisysynth.engine.control_net import ControlNet
from noisysynth.engine.rack import Rack
from noisysynth.engine.render import render_block
from noisysynth.engine.state import POLYPHONY
from noisysynth.engine.tracks import Glide
from noisysynth.events import EventKind, make_event
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS


def loudness(audio: np.ndarray, start_s: float, end_s: float) -> float:
    return level_db(audio[int(start_s * RATE) : int(end_s * RATE)])


def centroid_hz(audio: np.ndarray, start_s: float, end_s: float) -> float:
    x = audio[int(start_s * RATE) : int(end_s * RATE), 0]
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))))
    return float((np.fft.rfftfreq(len(x), 1 / RATE) * spectrum).sum() / spectrum.sum())


def test_a_note_ends_when_its_key_goes_up() -> None:
    audio = render(2.0, note(0.1, 0.5, 60))
    assert loudness(audio, 0.3, 0.5) > -45
    assert loudness(audio, 1.4, 1.6) < -110


def test_the_sustain_pedal_holds_notes_until_it_goes_up() -> None:
    audio = render(3.0, controller(0.05, 64, 1.0), note(0.1, 0.2, 60), controller(1.0, 64, 0.0))
    assert abs(loudness(audio, 0.8, 0.95) - loudness(audio, 0.2, 0.28)) < 0.5
    assert loudness(audio, 2.0, 2.2) < -100


def test_a_pedal_that_comes_after_the_key_went_up_holds_nothing() -> None:
    audio = render(2.0, note(0.1, 0.2, 60), controller(0.32, 64, 1.0))
    assert loudness(audio, 1.5, 1.7) < -100


def test_the_same_key_under_the_pedal_does_not_pile_up() -> None:
    instrument_engine = engine()
    hits = [note(0.1 + 0.1 * i, 0.02, 60) for i in range(20)]
    instrument_engine.render(song(controller(0.05, 64, 1.0), *hits), 3 * RATE)
    assert instrument_engine.rack.voices.sounding.sum() == 1


def test_velocity_is_loudness() -> None:
    soft, loud = (render(0.6, note(0.1, 1.0, 60, velocity)) for velocity in (0.25, 1.0))
    assert abs(level_db(loud, soft) - 12.04) < 0.3


@pytest.mark.parametrize("off", [EventKind.ALL_NOTES_OFF, EventKind.PANIC])
def test_everything_can_be_ended_pedal_or_not(off: EventKind) -> None:
    instrument_engine = engine()
    notes = [note(0.1, 9.0, 40 + i) for i in range(10)]
    end = [make_event(off, time=RATE // 2)]
    audio = instrument_engine.render(song(controller(0, 64, 1.0), *notes, end), 3 * RATE)
    assert instrument_engine.state["active_voices"] == 0
    assert not instrument_engine.rack.voices.sounding.any()
    if off == EventKind.PANIC:
        assert loudness(audio, 0.52, 0.6) < -55  # what is left is the DC blocker's sigh, under 3 Hz
        assert loudness(audio, 1.0, 1.1) < -100


def test_moving_the_latent_moves_sounding_notes_in_morph_time() -> None:
    moves = (parameter(0, "morph_time", 0.5), parameter(1.0, "pad_x", 1.0), parameter(0, "noise_level", -60.0))
    audio = render(2.0, note(0.1, 3.0, 57), *moves)
    before, middle, after = (centroid_hz(audio, start, start + 0.1) for start in (0.8, 1.2, 1.8))
    assert before * 1.3 < after
    assert before * 1.05 < middle < after / 1.05


def test_latent_and_knobs_add_up() -> None:
    """A preset's latent, or the same latent by pad and knob, sound alike."""
    latent = np.zeros(8, np.float32)
    latent[0], latent[1] = 1.0, 0.5
    by_preset = render(1.0, note(0.3, 1.0, 57), [make_event(EventKind.LATENT, latent=latent, time=0)])
    by_hand = render(1.0, note(0.3, 1.0, 57), parameter(0, "pad_x", 0.5), parameter(0, "knob_2", 0.5))
    assert level_db(by_preset - by_hand, by_hand) < -90


def test_attack_and_release_stretch_time() -> None:
    fast = render(1.0, note(0.1, 0.3, 60))
    slow = render(1.0, note(0.1, 0.3, 60), parameter(0, "attack", 4.0), parameter(0, "release", 4.0))
    assert loudness(slow, 0.105, 0.12) < loudness(fast, 0.105, 0.12) - 3
    assert loudness(slow, 0.6, 0.65) > loudness(fast, 0.6, 0.65) + 10


def test_every_mapped_controller_moves_its_parameter() -> None:
    for index, row in enumerate(PARAMETERS):
        if row.midi_cc is None:
            continue
        instrument_engine = engine()
        instrument_engine.render(song(controller(0.01, row.midi_cc, 1.0)), RATE // 10)
        assert instrument_engine.memory["parameters"][0, index] == row.maximum


def test_parameters_are_clipped_and_nonsense_is_ignored() -> None:
    instrument_engine = engine()
    latent = np.full(8, np.nan, np.float32)
    nonsense = [
        make_event(EventKind.PARAMETER, PARAMETER_INDEX["volume"], 1e9, time=0),
        make_event(EventKind.PARAMETER, 999, 1.0, time=0),
        make_event(EventKind.PARAMETER, -1, 1.0, time=0),
        make_event(EventKind.PARAMETER, PARAMETER_INDEX["pad_x"], np.nan, time=0),
        make_event(EventKind.NOTE_ON, 300, 1.0, time=0),
        make_event(EventKind.NOTE_ON, -5, 1.0, time=0),
        make_event(EventKind.LATENT, latent=latent, time=0),
    ]
    audio = instrument_engine.render(song(nonsense, note(0.1, 1.0, 60)), RATE // 2)
    assert instrument_engine.memory["parameters"][0, PARAMETER_INDEX["volume"]] == 6.0
    assert np.isfinite(audio).all()
    assert loudness(audio, 0.2, 0.4) > -50


def test_random_playing_ends_in_silence_without_a_stuck_note() -> None:
    """Thousands of random events of every kind; then every key and pedal is let go."""
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(3000):
        time = int(rng.integers(0, 4 * RATE))
        kind = EventKind(int(rng.choice([1, 1, 1, 2, 2, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14])))
        index = int(rng.integers(0, 128))
        latent = rng.normal(size=8).astype(np.float32)
        rows.append(make_event(kind, index, float(rng.normal()), time=time, channel=int(rng.integers(4)),
                               latent=latent))  # fmt: skip
    end = [make_event(EventKind.ALL_NOTES_OFF, time=4 * RATE), make_event(EventKind.CONTROL_CHANGE, 72, 0.0, time=0)]
    instrument_engine = engine()
    audio = instrument_engine.render(song(rows, end), 4 * RATE)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() < 1.0
    rest = instrument_engine.render(song(), 6 * RATE)
    assert not instrument_engine.rack.voices.sounding.any()
    assert np.count_nonzero(instrument_engine.rack.voices.busy_until) == 0
    assert np.abs(rest[-RATE:]).max() < 1e-6  # a reverb that was sent to may still whisper


def test_trills_beyond_polyphony_never_lose_the_newest_note() -> None:
    instrument_engine = engine()
    trill = [note(0.002 * i, 8.0, 30 + i % 90) for i in range(3 * POLYPHONY)]
    instrument_engine.render(song(*trill), int(0.002 * 3 * POLYPHONY * RATE))
    voices = instrument_engine.rack.voices
    assert voices.sounding.sum() == POLYPHONY
    newest = 30 + (3 * POLYPHONY - 1) % 90
    assert newest in voices.pitch[voices.sounding]


def test_a_note_that_comes_late_sounds_as_one_in_time() -> None:
    """Its frames count from when it began, so it moves and ends as any other does."""
    late, timely = engine(), engine()
    late.render(song(), RATE)
    timely.render(song(), RATE)
    quiet = parameter(1.0, "noise_level", -60.0)
    heard = late.render(song(quiet, [make_event(EventKind.NOTE_ON, 60, 0.8, time=-7)]), RATE // 2)
    expected = timely.render(song(quiet, [make_event(EventKind.NOTE_ON, 60, 0.8, time=RATE)]), RATE // 2)
    assert level_db(heard - expected, expected) < -90
    late.render(song([make_event(EventKind.NOTE_OFF, 60, time=-9)]), 2 * RATE)
    assert late.state["late_frames"] == 0
    assert not late.rack.voices.sounding.any()


def test_a_voice_whose_start_came_late_gets_its_frames() -> None:
    """The control thread stood still between taking the note in and sending it."""
    instrument_engine = engine()
    instrument_engine.render(song(), RATE)
    instrument_engine.rack.handle(make_event(EventKind.NOTE_ON, 60, 0.8)[0], RATE)
    silence = np.zeros((RATE // 2, 2), np.float32)
    render_block(instrument_engine.state, *instrument_engine.arena.arrays, silence)
    instrument_engine.render(song(), RATE)
    assert instrument_engine.state["active_voices"] == 1
    assert instrument_engine.state["late_frames"] == 0


@pytest.mark.parametrize("block_size", [64, 128, 4096])
def test_a_flood_loses_neither_the_last_note_nor_the_last_bend(block_size: int) -> None:
    instrument_engine = engine(block_size)
    rng = np.random.default_rng(1)
    held = [make_event(EventKind.NOTE_ON, 20 + i, 0.8, time=100) for i in range(POLYPHONY)]
    flood = []
    for _ in range(2000):
        kind = EventKind(int(rng.choice([EventKind.NOTE_ON, EventKind.NOTE_OFF, EventKind.PITCH_BEND])))
        value = float(rng.uniform(0.1, 1.0))
        flood.append(make_event(kind, int(rng.integers(20, 100)), value, time=RATE // 2))
    last = [
        make_event(EventKind.NOTE_ON, 110, 0.8, time=RATE // 2),
        make_event(EventKind.PITCH_BEND, 0, 0.0, time=RATE // 2),
    ]
    instrument_engine.render(song(held, flood, last), RATE)
    voices = instrument_engine.rack.voices
    assert 110 in voices.pitch[voices.sounding]
    active = instrument_engine.state["voice_active"] != 0
    assert active[voices.sounding].all()
    assert (voices.busy_until[active & ~voices.sounding] > 0).all()  # these fade
    assert instrument_engine.rack.channels[0].bend.newest == 0.0
    assert instrument_engine.state["late_frames"] == 0


def test_the_first_note_finds_everything_compiled() -> None:
    """In a fresh process: compiling takes a second, during which the note would not sound."""
    program = """
from engine_tools import RATE, engine, note, song
from noisysynth.engine import queues

instrument_engine = engine()
instrument_engine.render(song(), RATE // 10)
kernels = [value for name, value in vars(queues).items() if hasattr(value, "signatures") and name[0] != "_"]
before = [value.signatures for value in kernels]
instrument_engine.render(song(note(0.1, 0.5, 60)), RATE // 10)
assert instrument_engine.state["active_voices"] == 1
assert all(before)
assert [value.signatures for value in kernels] == before
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300, cwd=Path(__file__).parent)


def test_another_rack_takes_over_how_one_was_set() -> None:
    """As when the device changes or the engine's process ended: same memory, fresh state, same sound."""
    first = engine()
    bright = [make_event(EventKind.LATENT, latent=np.full(8, 0.7, np.float32), time=0)]
    first.render(song(bright, parameter(0, "pad_x", -0.4), parameter(0, "volume", 0.0), controller(0, 1, 0.5)), RATE)
    second = engine()
    second.rack = Rack(second._record, first.memory, second.arena, 192)
    instrument = make_test_instrument()
    second.rack.load(0, instrument, ControlNet(instrument))
    tone = [make_event(EventKind.NOTE_ON, 57, 0.8, time=RATE), *parameter(1.0, "noise_level", -60.0)]
    expected = first.render(song(tone), RATE // 2)
    tone = [make_event(EventKind.NOTE_ON, 57, 0.8, time=0), *parameter(0, "noise_level", -60.0)]
    heard = second.render(song(tone), RATE // 2)
    assert abs(level_db(heard) - level_db(expected)) < 0.1
    assert abs(centroid_hz(heard, 0.1, 0.4) / centroid_hz(expected, 0.1, 0.4) - 1) < 0.01


def test_keys_that_were_down_sound_again_in_another_rack() -> None:
    first = engine()
    first.render(song(controller(0, 64, 1.0), note(0.1, 9.0, 60), note(0.1, 9.0, 64), note(0.1, 0.1, 67)), RATE)
    second = engine()
    second.rack = Rack(second._record, first.memory, second.arena, 192)
    instrument = make_test_instrument()
    second.rack.load(0, instrument, ControlNet(instrument))
    second.rack.resume_held()
    second.render(song(), RATE // 2)
    assert sorted(second.rack.voices.pitch[second.rack.voices.sounding]) == [60, 64]
    second.render(song([make_event(EventKind.NOTE_OFF, 60, time=0)]), RATE // 2)
    assert second.rack.voices.sounding.sum() == 2  # the pedal is down, too
    second.render(song(controller(0, 64, 0.0)), 2 * RATE)
    assert second.rack.voices.sounding.sum() == 1


def test_a_glide_is_continuous_and_arrives() -> None:
    glide = Glide(np.zeros(2))
    glide.head_for(np.array([1.0, -1.0]), 100, 1000)
    assert np.allclose(glide.at(np.array([0.0, 100, 600, 1100, 9e9]))[:, 0], [0, 0, 0.5, 1, 1])
    glide.head_for(np.array([0.0, 0.0]), 600, 100)
    # What was known before stays true of earlier times: frames in between are still to be computed.
    assert np.allclose(glide.at(np.array([350.0, 600, 650, 700]))[:, 0], [0.25, 0.5, 0.25, 0])
    assert glide.moves_after(650)
    assert not glide.moves_after(700)
    glide.forget_before(600)
    assert np.allclose(glide.at(np.array([600.0, 650, 700]))[:, 0], [0.5, 0.25, 0])


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_a_crowd_sounds_as_one_computed_frame_by_frame(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer frames from the network, on straight lines in between: held notes, releases, a morph."""
    events = song(
        *(note(0.1, 0.7, 40 + 5 * i) for i in range(8)),
        parameter(0, "noise_level", -60.0),
        parameter(0, "morph_time", 0.3),
        parameter(0.4, "pad_x", 0.6),
    )
    every = engine().render(events, RATE)
    monkeypatch.setattr(supply_module, "_STRIDES", ((1000, stride),))
    some = engine().render(events, RATE)
    assert not np.array_equal(every, some)
    assert level_db(some - every, every) < -45


def test_a_network_that_gives_no_numbers_is_silenced_counted_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument_engine = engine()
    sound = instrument_engine.rack.parts[0].sound
    assert sound is not None
    run = sound.net.run
    monkeypatch.setattr(sound.net, "run", lambda *inputs: type(run(*inputs))(*(x * np.nan for x in run(*inputs))))
    audio = instrument_engine.render(song(note(0.1, 9.0, 60)), RATE // 2)
    assert np.isfinite(audio).all()
    assert instrument_engine.state["frames_not_finite"] > 0
    monkeypatch.setattr(sound.net, "run", run)
    assert level_db(instrument_engine.render(song(), RATE // 2)[RATE // 4 :]) > -50


def test_mute_and_solo_silence_at_once_and_let_come_back() -> None:
    def play(*changes: tuple[float, int, str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Part 1 plays key 45 on the left, part 2 key 69 on the right; changes: seconds, part, parameter, value."""
        rack = engine()
        rack.load(1, make_test_instrument())
        first = [(0.0, part, name, value) for part in range(2) for name, value in
                 (("channel", part + 1.0), ("pan", 2.0 * part - 1.0), ("noise_level", -60.0))]  # fmt: skip
        events = [
            make_event(EventKind.PARAMETER, PARAMETER_INDEX[name], value, part=part, time=round(time_s * RATE))
            for time_s, part, name, value in (*first, *changes)
        ]
        for channel, key in ((0, 45), (1, 69)):
            events.append(make_event(EventKind.NOTE_ON, key, 0.7, channel=channel, time=480))
        audio = rack.render(song(events), RATE)
        return audio[:, 0], audio[:, 1]

    def levels(side: np.ndarray) -> list[float]:
        """While it is as at first, changed, and as before."""
        return [level_db(side[round(start * RATE) : round((start + 0.15) * RATE)]) for start in (0.2, 0.5, 0.8)]

    sides = play()
    loud = [levels(side)[1] for side in sides]
    assert min(loud) > -40.0
    for silenced, changes in (
        ((True, False), ((0.4, 0, "mute", 1.0), (0.7, 0, "mute", 0.0))),
        ((True, False), ((0.4, 1, "solo", 1.0), (0.7, 1, "solo", 0.0))),
        ((False, False), ((0.4, 0, "solo", 1.0), (0.4, 1, "solo", 1.0))),
        ((False, True), ((0.4, 0, "solo", 1.0), (0.4, 1, "solo", 1.0), (0.4, 1, "mute", 1.0), (0.7, 1, "mute", 0.0))),
        ((False, False), ((0.4, 9, "solo", 1.0),)),  # nothing plays there
    ):
        for side, usual, silent in zip(play(*changes), loud, silenced, strict=True):
            before, changed, after = levels(side)
            assert before == pytest.approx(usual, abs=1.0)
            assert changed < -90.0 if silent else changed == pytest.approx(usual, abs=1.0)
            assert after == pytest.approx(usual, abs=1.0)


def test_a_part_that_is_emptied_takes_its_solo_along() -> None:
    rack = engine()
    rack.load(1, make_test_instrument())
    rack.rack.set_parameter(1, PARAMETER_INDEX["solo"], 1.0, 0)
    assert [rack.rack.parts[part].audible for part in range(2)] == [False, True]
    rack.rack.unload(1)
    assert rack.rack.parts[0].audible
