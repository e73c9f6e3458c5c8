"""What a player's gestures do to the sound, offline: voices, bends, pedals, pressure, MPE, matrix, parts."""

from __future__ import annotations

import make_instrument
import numpy as np
import pytest
from engine_tools import RATE, controller, dominant_hz, engine, level_db, note, parameter, render, roughness, song
from make_instrument import SHIMMER_HZ, make_test_instrument

from noisysynth.engine.channels import MpeZones
from noisysynth.events import EventKind, Transport, make_event
from noisysynth.instrument import Preset, Room
from noisysynth.midi.tuning import Tuning
from noisysynth.parameters import (
    LFO_SHAPES,
    MOD_DESTINATIONS,
    MOD_SOURCES,
    MORPH_MODES,
    PARAMETER_INDEX,
    SYNCS,
    VOICE_MODES,
)
from noisysynth.spec import midi_to_hz

QUIET = parameter(0, "noise_level", -60.0)  # noise has no pitch


def event(kind: EventKind, time_s: float, index: int = 0, value: float = 0.0, **more: object) -> list[np.ndarray]:
    return [make_event(kind, index, value, time=round(time_s * RATE), **more)]  # type: ignore[arg-type]


def route(number: int, source: str, destination: str, amount: float, via: str = "None") -> list[np.ndarray]:
    id_ = f"mod_{number}"
    return [
        *parameter(0, f"{id_}_source", MOD_SOURCES.index(source)),
        *parameter(0, f"{id_}_destination", MOD_DESTINATIONS.index(destination)),
        *parameter(0, f"{id_}_amount", amount),
        *parameter(0, f"{id_}_via", MOD_SOURCES.index(via)),
    ]


def stretch(audio: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    return audio[int(start_s * RATE) : int(end_s * RATE)]


def loudness(audio: np.ndarray, start_s: float, end_s: float) -> float:
    return level_db(stretch(audio, start_s, end_s))


def cents_off(audio: np.ndarray, start_s: float, end_s: float, pitch: float) -> float:
    """How far the fundamental in this stretch is from a pitch."""
    hz = float(midi_to_hz(pitch))
    found = dominant_hz(stretch(audio, start_s, end_s)[:, 0], hz * 0.75, hz * 1.35)
    return 1200.0 * float(np.log2(found / hz))


def brightness_hz(audio: np.ndarray, start_s: float, end_s: float) -> float:
    x = stretch(audio, start_s, end_s)[:, 0]
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))))
    return float((np.fft.rfftfreq(len(x), 1 / RATE) * spectrum).sum() / spectrum.sum())


def has_pitch(audio: np.ndarray, start_s: float, end_s: float, pitch: float) -> bool:
    """Whether a tone of this pitch is among what sounds: its fundamental stands out of its surroundings."""
    x = stretch(audio, start_s, end_s)[:, 0]
    spectrum = np.abs(np.fft.rfft(x * np.blackman(len(x)), 1 << 17))
    at = float(midi_to_hz(pitch)) / RATE * (1 << 17)
    near = spectrum[int(at * 0.985) : int(at * 1.015) + 1].max()
    return bool(near > 0.02 * spectrum.max())


# voices


def test_mono_plays_one_note_and_goes_back_to_the_key_that_is_down() -> None:
    mono = parameter(0, "voice_mode", VOICE_MODES.index("Mono"))
    instrument_engine = engine()
    audio = instrument_engine.render(song(QUIET, mono, note(0.1, 2.0, 57), note(0.6, 0.5, 64)), 2 * RATE)
    assert abs(cents_off(audio, 0.3, 0.55, 57)) < 3
    assert abs(cents_off(audio, 0.75, 1.05, 64)) < 3
    assert not has_pitch(audio, 0.75, 1.05, 57)
    assert abs(cents_off(audio, 1.3, 1.9, 57)) < 3
    assert instrument_engine.rack.voices.sounding.sum() == 1


def test_legato_slides_one_voice_without_a_new_attack() -> None:
    legato = parameter(0, "voice_mode", VOICE_MODES.index("Legato"))
    instrument_engine = engine()
    audio = instrument_engine.render(
        song(QUIET, legato, parameter(0, "portamento", 0.2), note(0.1, 2.0, 57), note(0.6, 0.9, 64)), 2 * RATE
    )
    assert abs(cents_off(audio, 0.3, 0.58, 57)) < 3
    assert abs(cents_off(audio, 0.68, 0.72, 60.5)) < 130  # half way at 0.7 s
    assert abs(cents_off(audio, 0.9, 1.4, 64)) < 3
    assert abs(cents_off(audio, 1.75, 1.98, 57)) < 3
    # No attack: the level stays.
    assert abs(loudness(audio, 0.62, 0.65) - loudness(audio, 0.5, 0.58)) < 1.5
    assert instrument_engine.rack.voices._next_id == 2


def test_portamento_comes_from_the_last_note_played() -> None:
    audio = render(1.5, QUIET, parameter(0, "portamento", 0.4), note(0.1, 0.2, 57), note(0.8, 0.6, 69))
    assert cents_off(audio, 0.95, 1.05, 63) < 150
    assert abs(cents_off(audio, 1.25, 1.4, 69)) < 3


def test_unison_is_wide_detuned_and_no_louder() -> None:
    one = render(1.5, QUIET, note(0.1, 2.0, 57))
    settings = (parameter(0, "unison", 6), parameter(0, "unison_detune", 30.0), parameter(0, "unison_latent", 0.0))
    six = render(1.5, QUIET, *settings, note(0.1, 2.0, 57))
    assert abs(loudness(six, 0.5, 1.5) - loudness(one, 0.5, 1.5)) < 3
    assert np.corrcoef(six[RATE // 2 :, 0], six[RATE // 2 :, 1])[0, 1] < 0.9
    assert np.array_equal(one[:, 0], one[:, 1])
    lines = np.abs(np.fft.rfft(six[RATE // 2 :, 0] * np.hanning(RATE), 1 << 18))
    low, high = (midi_to_hz(57 + cents / 100) * (1 << 18) / RATE for cents in (-18, 18))
    inside = lines[int(low) : int(high)]
    assert ((inside[1:-1] > inside[:-2]) & (inside[1:-1] > inside[2:]) & (inside[1:-1] > 0.1 * inside.max())).sum() > 1


def test_each_voice_can_have_a_point_of_its_own_in_latent_space() -> None:
    instrument_engine = engine()
    notes = [note(0.1, 1.0, 48 + 2 * i) for i in range(8)]
    instrument_engine.render(song(parameter(0, "latent_random", 1.0), *notes), RATE // 2)
    voices = instrument_engine.rack.voices
    offsets = voices.latent_offset[voices.sounding][:, :8]
    assert len(np.unique(offsets[:, 0])) == 8
    partials = instrument_engine.state["voice_heard"][voices.indices(), 4]
    assert np.ptp(partials / partials.mean()) > 0.1


def test_polyphony_limits_a_part() -> None:
    instrument_engine = engine()
    instrument_engine.render(song(parameter(0, "polyphony", 3), *(note(0.1, 1.0, 50 + i) for i in range(7))), RATE // 2)
    voices = instrument_engine.rack.voices
    assert sorted(voices.pitch[voices.sounding]) == [54, 55, 56]


@pytest.mark.parametrize("mode", MORPH_MODES)
def test_morph_modes_choose_who_follows(mode: str) -> None:
    """A held note, one that rings on after its key went up, and one that comes after the move."""
    instrument_engine = engine()
    instrument_engine.render(
        song(
            parameter(0, "morph_mode", MORPH_MODES.index(mode)), parameter(0, "morph_time", 0.01),
            parameter(0, "release", 4.0), note(0.1, 9.0, 45), note(0.1, 0.38, 52),
            parameter(0.5, "pad_x", 1.0), note(0.6, 9.0, 59),
        ),
        int(0.72 * RATE),
    )  # fmt: skip
    voices = instrument_engine.rack.voices
    tilt = {}
    for voice in voices.indices():
        partials = instrument_engine.state["voice_heard"][voice]
        tilt[int(voices.pitch[voice])] = partials[7] / partials[0]
    moved = {pitch for pitch, value in tilt.items() if value > 0.15}  # 1/8 before the move, 1/8 ** 0.5 after it
    expected = {"All notes": {45, 52, 59}, "Held notes": {45, 59}, "New notes": {59}}
    assert moved == expected[mode]


# wheels, pressure, pedals


def test_bend_range_by_rpn() -> None:
    rpn = [*controller(0, 101, 0), *controller(0, 100, 0), *controller(0, 6, 12 / 127), *controller(0, 38, 0)]
    audio = render(1.0, QUIET, rpn, event(EventKind.PITCH_BEND, 0.01, value=1.0), note(0.1, 1.0, 57))
    assert abs(cents_off(audio, 0.4, 0.95, 69)) < 2


def test_fine_and_coarse_tuning_by_rpn() -> None:
    coarse = [*controller(0, 101, 0), *controller(0, 100, 2 / 127), *controller(0, 6, 67 / 127)]
    fine = [*controller(0.01, 101, 0), *controller(0.01, 100, 1 / 127), *controller(0.01, 6, 96 / 127)]
    audio = render(1.0, QUIET, coarse, fine, note(0.1, 1.0, 57))
    assert abs(cents_off(audio, 0.4, 0.95, 60.5)) < 2


def test_the_mod_wheel_brings_vibrato() -> None:
    audio = render(2.0, QUIET, parameter(0, "vibrato_depth", 100.0), controller(0, 1, 1.0), note(0.1, 2.0, 69))
    starts = np.arange(0.5, 1.6, 0.03)
    pitches = [cents_off(audio, start, start + 0.045, 69) for start in starts]
    assert 120 < np.ptp(pitches) < 220


def test_sostenuto_holds_only_the_keys_that_were_down() -> None:
    audio = render(
        3.0, QUIET, note(0.1, 0.4, 57), controller(0.3, 66, 1.0), note(0.6, 0.3, 64), controller(2.0, 66, 0.0)
    )
    assert has_pitch(audio, 1.5, 1.9, 57)
    assert not has_pitch(audio, 1.5, 1.9, 64)
    assert loudness(audio, 2.8, 2.95) < -90


def test_the_soft_pedal_softens_new_notes() -> None:
    loud = render(0.6, note(0.1, 1.0, 60))
    soft = render(0.6, controller(0, 67, 1.0), note(0.1, 1.0, 60))
    assert -6 < loudness(soft, 0.2, 0.6) - loudness(loud, 0.2, 0.6) < -3


def test_expression_and_volume_scale_the_part() -> None:
    full = render(0.6, note(0.1, 1.0, 60))
    half = render(0.6, controller(0, 11, 0.5), note(0.1, 1.0, 60))
    assert abs(loudness(half, 0.2, 0.6) - loudness(full, 0.2, 0.6) + 12) < 0.5
    assert loudness(render(0.6, controller(0, 7, 0.0), note(0.1, 1.0, 60)), 0.2, 0.6) < -90


def test_velocity_curves_bend_soft_strokes() -> None:
    def level(curve: float) -> float:
        return loudness(render(0.5, parameter(0, "velocity_curve", curve), note(0.1, 1.0, 60, 0.3)), 0.2, 0.5)

    assert level(1.0) > level(0.0) + 3 > level(-1.0) + 6


@pytest.mark.parametrize(
    ("gesture", "source"),
    [
        (event(EventKind.CHANNEL_PRESSURE, 0.5, value=1.0), "Pressure"),
        (event(EventKind.POLY_PRESSURE, 0.5, 57, 1.0), "Pressure"),
        (event(EventKind.PITCH_BEND, 0.5, value=1.0), "Pitch bend"),
        (controller(0.5, 1, 1.0), "Mod wheel"),
        (controller(0.5, 2, 1.0), "Breath"),
        (controller(0.5, 4, 1.0), "Foot"),
        (controller(0.5, 74, 1.0), "Slide"),
    ],
)
def test_every_controller_moves_what_it_is_routed_to(gesture: list[np.ndarray], source: str) -> None:
    """To a latent direction, and to the pan."""
    still = (QUIET, parameter(0, "vibrato_depth", 0.0), parameter(0, "bend_range", 0.0))
    bright = render(1.0, *still, route(1, source, "knob_1", 1.0), note(0.1, 1.0, 57), gesture)
    plain = render(1.0, *still, note(0.1, 1.0, 57), gesture)
    assert brightness_hz(bright, 0.7, 1.0) > 1.1 * brightness_hz(plain, 0.7, 1.0)
    right = render(1.0, *still, route(1, source, "pan", 0.5), note(0.1, 1.0, 57), gesture)
    assert loudness(right[:, 1:], 0.7, 1.0) > loudness(right[:, :1], 0.7, 1.0) + 6


def test_poly_pressure_moves_its_own_note_alone() -> None:
    audio = render(
        1.0, QUIET, route(1, "Pressure", "pitch", 1 / 24), note(0.1, 1.0, 57), note(0.1, 1.0, 69),
        event(EventKind.POLY_PRESSURE, 0.3, 69, 1.0),
    )  # fmt: skip
    assert abs(cents_off(audio, 0.5, 1.0, 57)) < 3
    assert abs(cents_off(audio, 0.5, 1.0, 70)) < 3


def test_key_velocity_and_release_velocity_are_sources() -> None:
    by_velocity = (QUIET, route(1, "Velocity", "pitch", 0.5))
    audio = render(0.8, *by_velocity, note(0.1, 1.0, 57, 1.0))
    assert abs(cents_off(audio, 0.3, 0.8, 69)) < 3
    by_key = (QUIET, route(1, "Key", "pitch", 1.0))
    assert abs(cents_off(render(0.8, *by_key, note(0.1, 1.0, 63)), 0.3, 0.8, 64.2)) < 3
    by_release = (QUIET, parameter(0, "release", 4.0), route(1, "Release velocity", "pitch", 0.5))
    off = [make_event(EventKind.NOTE_ON, 57, 0.8, time=4800), make_event(EventKind.NOTE_OFF, 57, 1.0, time=RATE // 2)]
    assert abs(cents_off(render(0.8, *by_release, off), 0.55, 0.7, 69)) < 5


def test_random_differs_from_note_to_note_and_time_held_grows() -> None:
    instrument_engine = engine()
    instrument_engine.render(song(route(1, "Random", "pan", 0.5), *(note(0.1, 1.0, 50 + i) for i in range(6))), 9600)
    voices = instrument_engine.rack.voices.indices()
    assert len(np.unique(instrument_engine.state["voice_heard_left"][voices])) == 6
    rising = render(3.0, QUIET, route(1, "Time held", "pitch", 0.5), note(0.1, 9.0, 57))
    for start_s in (0.5, 2.5):
        held_s = start_s + 0.05 - 0.1
        expected = 57 + 12 * (1 - np.exp(-held_s / 2.0))  # the source's time constant is 2 s
        assert abs(cents_off(rising, start_s, start_s + 0.1, expected)) < 30


def test_via_scales_a_route() -> None:
    vibrato = (QUIET, route(1, "LFO 1", "volume", -0.4, via="Mod wheel"), parameter(0, "vibrato_depth", 0.0))

    def swing(wheel: float) -> float:
        audio = render(1.5, *vibrato, controller(0, 1, wheel), note(0.1, 2.0, 57))
        levels = [loudness(audio, start, start + 0.02) for start in np.arange(0.5, 1.4, 0.02)]
        return float(np.ptp(levels))

    assert swing(0.0) < 1.5
    assert swing(1.0) > 6 * max(swing(0.0), 1.0)


@pytest.mark.parametrize(
    "moved",
    [
        (parameter(0.6, "shimmer", 2.0),),
        (route(1, "Mod wheel", "shimmer", 0.5), parameter(0, "vibrato_depth", 0.0), controller(0.6, 1, 1.0)),
        (parameter(0.6, "shimmer", 2.0), parameter(0.55, "pad_x", 0.3), parameter(0, "morph_time", 2.0)),
    ],
    ids=["knob", "wheel", "knob while the timbre moves"],
)
def test_shimmer_comes_and_goes_while_a_note_is_held(moved: tuple[list[np.ndarray], ...]) -> None:
    audio = render(1.5, QUIET, note(0.1, 2.0, 57), *moved)

    def swing(start_s: float, end_s: float) -> float:
        return float(np.ptp([loudness(audio, at, at + 0.02) for at in np.arange(start_s, end_s, 0.02)]))

    assert swing(0.3, 0.5) < 1.0
    assert swing(0.9, 1.4) == pytest.approx(20.0 * np.log10(3.0), abs=1.5)  # of the test instrument at 2


def test_shimmer_keeps_its_pace_where_notes_are_stretched_and_begins_anywhere() -> None:
    settings = (QUIET, parameter(0, "shimmer", 2.0), parameter(0, "attack", 0.25))
    audio = render(3.2, *settings, note(0.1, 1.6, 57), note(1.7, 3.2, 57))
    phases = []
    for start_s in (0.3, 1.9):  # 200 ms after each onset
        levels = np.array([loudness(audio, at, at + 0.02) for at in start_s + 0.02 * np.arange(50)])
        spectrum = np.fft.rfft((levels - levels.mean()) * np.hanning(50))
        assert np.argmax(np.abs(spectrum)) == SHIMMER_HZ  # of one second
        phases.append(np.angle(spectrum[int(SHIMMER_HZ)]))
    assert abs(np.angle(np.exp(1j * (phases[1] - phases[0])))) > 0.3


@pytest.mark.parametrize("shape", LFO_SHAPES)
def test_an_lfo_moves_at_its_rate(shape: str) -> None:
    settings = (QUIET, parameter(0, "lfo_1_shape", LFO_SHAPES.index(shape)), parameter(0, "lfo_1_rate", 4.0))
    audio = render(3.1, *settings, route(1, "LFO 1", "pan", 0.4), note(0.05, 4.0, 57))
    x = audio[:, 1] ** 2
    y = audio[:, 0] ** 2
    size = 480
    right, left = (np.add.reduceat(each, np.arange(0, len(each), size))[10:310] for each in (x, y))
    balance = (right - left) / (right + left)
    assert np.ptp(balance) > 0.3
    if shape not in ("Steps", "Drift"):
        spectrum = np.abs(np.fft.rfft(balance - balance.mean()))
        assert np.argmax(spectrum) == 12  # 4 Hz over 3 s


def test_an_lfo_of_each_note_goes_on_where_it_is_when_its_rate_changes() -> None:
    """Also long after: its phase counts from the note's onset, when it had another rate."""
    settings = (QUIET, parameter(0, "lfo_1_start", 1), parameter(0, "lfo_1_rate", 0.5))
    notes = (note(0.1, 9.0, 57), parameter(1.1, "lfo_1_rate", 0.02))
    audio = render(2.0, *settings, route(1, "LFO 1", "pitch", 1 / 24), *notes)
    # Half a period of 2 s brings the sine back to its middle, from where it hardly moves any more.
    assert abs(cents_off(audio, 1.15, 1.3, 57)) < 12
    assert abs(cents_off(audio, 1.7, 1.95, 57)) < 12


def test_lfos_follow_the_tempo_and_midi_clock() -> None:
    ticks = [make_event(EventKind.CLOCK, time=round(i * RATE * 60 / 150 / 24)) for i in range(60)]
    settings = (QUIET, parameter(0, "lfo_1_sync", SYNCS.index("1/4")), route(1, "LFO 1", "pan", 0.4))
    instrument_engine = engine()
    audio = instrument_engine.render(
        song(*settings, ticks, [make_event(EventKind.TRANSPORT, Transport.START, time=0)], note(1.0, 4.0, 57)), 4 * RATE
    )
    assert abs(instrument_engine.memory["parameters"][0, PARAMETER_INDEX["tempo"]] - 150) < 1
    right, left = (np.add.reduceat(audio[:, i] ** 2, np.arange(0, len(audio), 480))[150:350] for i in (1, 0))
    balance = (right - left) / (right + left)
    assert np.argmax(np.abs(np.fft.rfft(balance - balance.mean()))) == 5  # 2.5 Hz over 2 s


def test_envelopes_move_the_filter() -> None:
    settings = (
        QUIET, parameter(0, "filter_mode", 2), parameter(0, "filter_cutoff", 200.0),
        parameter(0, "filter_envelope", 6.0), parameter(0, "env_1_attack", 0.001), parameter(0, "env_1_decay", 0.6),
    )  # fmt: skip
    audio = render(1.5, *settings, note(0.1, 2.0, 45))
    assert brightness_hz(audio, 0.12, 0.2) > 2 * brightness_hz(audio, 1.0, 1.5)


def test_the_amp_envelope_shapes_the_loudness() -> None:
    slow = render(1.5, parameter(0, "amp_attack", 1.0), note(0.1, 3.0, 57))
    assert loudness(slow, 0.15, 0.25) < loudness(slow, 1.2, 1.5) - 15
    falls = render(1.5, parameter(0, "amp_decay", 0.5), parameter(0, "amp_sustain", 0.1), note(0.1, 3.0, 57))
    assert abs(loudness(falls, 1.2, 1.5) - loudness(render(1.5, note(0.1, 3.0, 57)), 1.2, 1.5) + 20) < 1
    short = render(0.8, parameter(0, "release", 4.0), parameter(0, "amp_release", 0.05), note(0.1, 0.3, 57))
    assert loudness(short, 0.5, 0.6) < -80


@pytest.mark.parametrize("release_s", [20.0, 5.0])
def test_a_stroke_begins_at_once(monkeypatch: pytest.MonkeyPatch, release_s: float) -> None:
    """The shortest attack of the envelope is none: rising from frame to frame, it would blunt every stroke."""
    monkeypatch.setattr(make_instrument, "ATTACK_S", 1e-5)  # on a straight line from the first frame, 0, to the next
    struck = engine(control_onnx=make_instrument.control_onnx.__wrapped__())
    audio = struck.render(song(QUIET, parameter(0, "amp_release", release_s), note(0.1, 0.5, 93)), RATE // 2)
    assert loudness(audio, 0.101, 0.102) - loudness(audio, 0.3, 0.4) == pytest.approx(20 * np.log10(0.375), abs=1.0)


def test_the_matrix_moves_values_that_belong_to_no_voice() -> None:
    """A send, by the wheel: heard as a tail in the reverb."""
    wet = route(1, "Mod wheel", "send_reverb", 1.0)
    dry = render(1.5, QUIET, wet, note(0.1, 0.2, 69))
    tail = render(1.5, QUIET, wet, controller(0, 1, 1.0), parameter(0, "vibrato_depth", 0.0), note(0.1, 0.2, 69))
    assert loudness(tail, 1.0, 1.4) > loudness(dry, 1.0, 1.4) + 20


def test_random_routes_of_every_kind_stay_sane() -> None:
    rng = np.random.default_rng(5)
    for _ in range(8):
        routes = [
            route(i, str(rng.choice(MOD_SOURCES)), str(rng.choice(MOD_DESTINATIONS)), float(rng.uniform(-1, 1)),
                  str(rng.choice(MOD_SOURCES)))
            for i in range(1, 13)
        ]  # fmt: skip
        audio = render(0.4, *routes, controller(0.1, 1, 1.0), note(0.05, 0.2, 60), note(0.1, 0.2, 72))
        assert np.isfinite(audio).all()
        assert np.abs(audio).max() < 1.0


# MPE


def zones(lower: int) -> list[np.ndarray]:
    return [*controller(0, 101, 0), *controller(0, 100, 6 / 127), *controller(0, 6, lower / 127)]


def mpe_note(channel: int, start_s: float, pitch: int) -> list[np.ndarray]:
    return [make_event(EventKind.NOTE_ON, pitch, 0.8, time=round(start_s * RATE), channel=channel)]


def test_an_mpe_note_bends_alone_and_the_master_bends_all() -> None:
    audio = render(
        2.0, QUIET, zones(15), mpe_note(1, 0.1, 57), mpe_note(2, 0.1, 69),
        event(EventKind.PITCH_BEND, 0.3, value=1 / 48, channel=2),
        event(EventKind.PITCH_BEND, 1.0, value=0.5, channel=0),
    )  # fmt: skip
    assert abs(cents_off(audio, 0.5, 0.98, 57)) < 2
    assert abs(cents_off(audio, 0.5, 0.98, 70)) < 2
    assert abs(cents_off(audio, 1.3, 2.0, 58)) < 2
    assert abs(cents_off(audio, 1.3, 2.0, 71)) < 2


def test_mpe_slide_and_pressure_are_each_notes_own() -> None:
    audio = render(
        1.5, QUIET, zones(15), route(1, "Slide", "pitch", 2 / 24), route(2, "Pressure", "volume", -1.0),
        mpe_note(1, 0.1, 57), mpe_note(2, 0.1, 69), mpe_note(3, 0.1, 76),
        [make_event(EventKind.CONTROL_CHANGE, 74, 1.0, time=0, channel=1)],
        [make_event(EventKind.CONTROL_CHANGE, 74, 0.0, time=0, channel=2)],
        event(EventKind.CHANNEL_PRESSURE, 0.3, value=1.0, channel=3),
    )  # fmt: skip
    assert abs(cents_off(audio, 0.6, 1.4, 59)) < 3
    assert abs(cents_off(audio, 0.6, 1.4, 69)) < 3
    assert not has_pitch(audio, 0.8, 1.4, 77)


def test_mpe_zones_give_way_to_each_other() -> None:
    both = MpeZones().configure(0, 7).configure(15, 7)
    assert (both.lower, both.upper, both.choice) == (7, 7, 3)
    assert [both.master(channel) for channel in (0, 1, 7, 8, 14, 15)] == [None, 0, 0, 15, 15, None]
    assert both.configure(0, 10) == MpeZones(10, 4)
    assert both.configure(0, 0).choice == 2
    assert MpeZones().configure(3, 5) == MpeZones()


def test_a_sustain_pedal_on_the_master_holds_the_zones_notes() -> None:
    audio = render(
        1.5, QUIET, zones(15), controller(0, 64, 1.0), mpe_note(4, 0.1, 57),
        event(EventKind.NOTE_OFF, 0.3, 57, channel=4), controller(1.0, 64, 0.0),
    )  # fmt: skip
    assert has_pitch(audio, 0.6, 0.98, 57)
    assert loudness(audio, 1.45, 1.5) < loudness(audio, 0.6, 0.98) - 30


# programs, tuning, learning


def test_program_and_bank_choose_presets() -> None:
    latents = [np.full(8, 0.0, np.float32) for _ in range(140)]
    presets = tuple(Preset(f"p{i}", latents[i], {"volume": -20.0} if i == 130 else {}) for i in range(140))
    instrument_engine = engine(presets=presets)
    instrument_engine.render(song(event(EventKind.PROGRAM_CHANGE, 0, 5)), 480)
    assert instrument_engine.memory["preset"][0] == 5
    instrument_engine.render(song(controller(0, 32, 1 / 127), event(EventKind.PROGRAM_CHANGE, 0, 2)), 480)
    assert instrument_engine.memory["preset"][0] == 130
    assert instrument_engine.memory["parameters"][0, PARAMETER_INDEX["volume"]] == -20.0
    instrument_engine.render(song(event(EventKind.PROGRAM_CHANGE, 0, 100)), 480)  # bank 1 has no 228
    assert instrument_engine.memory["preset"][0] == 130


def test_a_program_change_finds_the_nearest_general_midi_program() -> None:
    latent = np.zeros(8, np.float32)
    presets = (*(Preset(f"p{n}", latent, program=n) for n in (0, 40, 42)), Preset("mine", latent))
    instrument_engine = engine(presets=presets)
    for program, preset in ((42, 2), (40, 1), (127, 2), (2, 0)):
        instrument_engine.render(song(event(EventKind.PROGRAM_CHANGE, 0, program)), 480)
        assert instrument_engine.memory["preset"][0] == preset
    instrument_engine.render(song(controller(0, 0, 8 / 127), event(EventKind.PROGRAM_CHANGE, 0, 41)), 480)
    assert instrument_engine.memory["preset"][0] == 1  # a variation bank of another synthesizer


def test_a_preset_change_while_notes_sound_does_not_click() -> None:
    audio = render(1.0, QUIET, note(0.1, 2.0, 57), event(EventKind.PROGRAM_CHANGE, 0.5, 1))[:, 0]
    steady = max(roughness(stretch(audio, 0.3, 0.48)).max(), roughness(stretch(audio, 0.7, 0.95)).max())
    assert roughness(stretch(audio, 0.48, 0.7)).max() < 2.5 * steady


def test_another_instrument_leaves_sounding_notes_alone() -> None:
    instrument_engine, untouched = engine(), engine()
    start = song(QUIET, note(0.1, 2.0, 57))
    expected = untouched.render(start, RATE)
    instrument_engine.render(start, RATE // 2)
    other = make_test_instrument(room=Room(np.zeros((100, 2), np.float32), RATE))
    instrument_engine.load(0, other)
    heard = instrument_engine.render(song(), RATE // 2)
    assert level_db(heard - expected[RATE // 2 :], expected) < -90
    instrument_engine.render(song(note(1.1, 1.0, 64)), RATE // 2)
    assert len(instrument_engine.rack._supply.sounds) == 2
    instrument_engine.render(song(event(EventKind.ALL_NOTES_OFF, 0)), 3 * RATE)
    assert len(instrument_engine.rack._supply.sounds) == 1


def test_a_tuning_moves_the_keys_and_silences_unmapped_ones() -> None:
    pitches = np.arange(128.0) * 2 - 60
    pitches[61] = np.nan
    instrument_engine = engine()
    instrument_engine.rack.set_tuning(Tuning("whole tones", pitches))
    audio = instrument_engine.render(song(QUIET, note(0.1, 0.8, 62)), RATE)
    assert abs(cents_off(audio, 0.3, 0.8, 64)) < 2
    silent = instrument_engine.render(song(note(1.5, 0.2, 61)), RATE)
    assert loudness(silent, 0.5, 0.9) < -70


def test_learned_controllers_take_over_softly() -> None:
    instrument_engine = engine()
    cutoff = PARAMETER_INDEX["filter_cutoff"]
    instrument_engine.rack.learned.learn(0, cutoff)

    def turn(*values: float) -> float:
        for value in values:
            instrument_engine.render(song(controller(0, 50, value)), 480)
        return float(instrument_engine.memory["parameters"][0, cutoff])

    assert turn(0.2) == 20_000.0  # far from where it stands: no jump
    assert turn(0.6, 0.99) > 18_000
    assert turn(0.5) == pytest.approx(632.5, rel=0.01)


# parts


def test_parts_listen_to_their_channel_keys_and_velocities() -> None:
    instrument_engine = engine()
    instrument_engine.load(1, make_test_instrument())

    def of_part(part: int, name: str, value: float) -> list[np.ndarray]:
        return [make_event(EventKind.PARAMETER, PARAMETER_INDEX[name], value, time=0, part=part)]

    split = [*of_part(0, "key_high", 59), *of_part(1, "key_low", 60), *of_part(1, "transpose", 12),
             *of_part(1, "velocity_low", 0.5)]  # fmt: skip
    instrument_engine.render(song(split, note(0.1, 9, 50), note(0.1, 9, 70, 0.9), note(0.1, 9, 71, 0.2)), RATE // 2)
    voices = instrument_engine.rack.voices
    at = voices.indices()
    assert sorted(zip(voices.part[at], voices.pitch[at], strict=True)) == [(0, 50), (1, 82)]
    channel = [*of_part(0, "channel", 3)]
    instrument_engine.render(song([make_event(EventKind.PANIC, time=0)], channel), RATE // 10)
    on = [make_event(EventKind.NOTE_ON, pitch, 0.8, time=0, channel=number) for pitch, number in ((50, 0), (51, 2))]
    instrument_engine.render(song(on), RATE // 10)
    at = voices.indices()
    assert [(int(part), pitch) for part, pitch in zip(voices.part[at], voices.pitch[at], strict=True)] == [(0, 51.0)]


def test_the_instruments_room_is_heard() -> None:
    response = np.zeros((RATE // 2, 2), np.float32)
    response[RATE // 4] = 0.5
    instrument_engine = engine(room=Room(response, RATE))
    tone = (QUIET, parameter(0, "room", 1.0), parameter(0, "amp_release", 0.01), note(0.1, 0.1, 69))
    audio = instrument_engine.render(song(*tone), RATE)
    dry = render(1.0, QUIET, parameter(0, "amp_release", 0.01), note(0.1, 0.1, 69))
    assert loudness(dry, 0.37, 0.44) < -80
    assert loudness(audio, 0.37, 0.44) > -40


@pytest.mark.parametrize(
    "gesture",
    [
        parameter(0.5, "pan", 1.0),
        parameter(0.5, "filter_mode", 2.0),
        parameter(0.5, "filter_cutoff", 300.0),
        parameter(0.5, "inharmonicity", 1.0),
        parameter(0.5, "insert_1", 1.0),
        parameter(0.5, "insert_1", 7.0),
        parameter(0.5, "send_reverb", 0.0),
        parameter(0.5, "amp_sustain", 0.2),
        event(EventKind.CHANNEL_PRESSURE, 0.5, value=1.0),
        controller(0.5, 11, 0.1),
        controller(0.5, 121, 0.0),
    ],
)
def test_no_change_clicks(gesture: list[np.ndarray]) -> None:
    settings = (QUIET, parameter(0, "filter_cutoff", 2000.0), route(1, "Pressure", "pitch", 0.1))
    audio = render(1.1, *settings, note(0.1, 1.5, 57), gesture)[:, 0]
    steady = max(roughness(stretch(audio, 0.3, 0.48)).max(), roughness(stretch(audio, 0.75, 1.05)).max())
    assert roughness(stretch(audio, 0.48, 0.75)).max() < 3 * steady
