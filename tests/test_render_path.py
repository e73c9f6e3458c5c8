"""The compiled render path, driven by hand through its queues, against obvious arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_tools import level_db, roughness
from numpy.typing import NDArray

from noisysynth.dsp.dc_blocker import CORNER_HZ
from noisysynth.effects import EFFECT_INDEX, EFFECT_VALUES, EFFECTS, SENDS
from noisysynth.engine.arena import Arena
from noisysynth.engine.queues import frame_room, push_command, push_controls, push_frames, push_setting
from noisysynth.engine.render import START_FADE_S, STOP_FADE_S, render_block
from noisysynth.engine.render_commands import QUIET_S
from noisysynth.engine.render_voice import ATTACK_FADE_S
from noisysynth.engine.state import (
    CONTROLS,
    FRAME_QUEUE,
    INSERT_SETTINGS,
    NOISE_BANDS,
    PARTS,
    QUANTUM,
    RACK,
    STATE_DTYPE,
    Command,
    Control,
    PartSetting,
    RackSetting,
    frame_samples,
    prepare,
)
from noisysynth.parameters import FILTER_MODES, N_INSERTS
from noisysynth.spec import noise_band_centers_hz

RATE = 48_000
HOP = frame_samples(RATE)
ONE = np.array([1.0])
PLAIN = {Control.RATIO: 1.0, Control.LEFT: 1.0, Control.RIGHT: 1.0, Control.TONE: 1.0, Control.NOISE: 1.0,
         Control.CUTOFF: 14.0, Control.RESONANCE: 0.7}  # fmt: skip


class Bench:
    """An engine without a control thread: settings jump to what they are told before anything sounds."""

    def __init__(self, **settings: float) -> None:
        """settings: of every part, by their names in PartSetting."""
        record = np.zeros(1, STATE_DTYPE)
        prepare(record, RATE)
        self.record, self.state = record, record[0]
        self.state["start_gain"] = 1.0
        self.arena = Arena(RATE)
        target = self.state["setting_target"]
        target[:PARTS, PartSetting.VOLUME] = target[RACK, RackSetting.VOLUME] = 1.0
        for name, value in settings.items():
            target[:PARTS, PartSetting[name]] = value
        for bus, effect_id in enumerate(SENDS):
            at = RackSetting.BUSES + bus * EFFECT_VALUES
            target[RACK, at : at + EFFECT_VALUES] = defaults(effect_id, mix=1.0)
        self.state["setting_now"] = target
        self.next_id = 1

    def start(
        self, voice: int = 0, hz: Any = 220.0, partials: Any = ONE, *, onset: int = 0, part: int = 0,
        frames: int = 60, noise: Any = 0.0, **controls: Any,
    ) -> int:  # fmt: skip
        """Begin a note; anything may be one value or one for each frame. Return its note id."""
        note_id, self.next_id = self.next_id, self.next_id + 1
        shape = (1, frames)
        columns = np.zeros((*shape, CONTROLS), np.float32)
        for control in Control:
            columns[..., control] = controls.get(control.name.lower(), PLAIN.get(control, 0.0))
        harmonics = np.broadcast_to(np.asarray(partials, np.float32), (frames, np.shape(partials)[-1]))[None].copy()
        bands = np.zeros((*shape, NOISE_BANDS), np.float32)
        bands[:] = noise
        voices = np.array([voice])
        ids = np.array([note_id])
        one = np.ones(shape, np.float32)
        frequencies = np.zeros(shape)
        frequencies[:] = hz
        self.bad = push_frames(
            self.record, voices, ids, np.zeros(1, np.int64), frequencies, one, one, harmonics, bands, columns
        )
        tail = push_command(self.record, int(Command.START), voice, note_id, onset, part, harmonics.shape[2])
        assert tail > 0
        return note_id

    def command(self, command: Command, voice: int = 0, note_id: int = 0, value: int = 0) -> None:
        assert push_command(self.record, int(command), voice, note_id, value, 0, 0) > 0

    def set(self, index: int, value: float, *, row: int = 0, time: int = 0) -> None:
        assert push_setting(self.record, row, int(index), time, value)

    def insert(self, slot: int, effect_id: str | None, **values: float) -> None:
        at = PartSetting.INSERTS + slot * INSERT_SETTINGS
        self.set(at, 0 if effect_id is None else 1 + EFFECT_INDEX[effect_id])
        if effect_id is not None:
            for i, value in enumerate(defaults(effect_id, **values)):
                self.set(at + 1 + i, value)

    def render(self, n: int, block: int | None = None) -> NDArray[np.float32]:
        out = np.zeros((n, 2), np.float32)
        for at in range(0, n, block or n):
            render_block(self.state, *self.arena.arrays, out[at : at + (block or n)])
        return out


def defaults(effect_id: str, **values: float) -> NDArray[np.float64]:
    out = np.zeros(EFFECT_VALUES)
    for i, row in enumerate(EFFECTS[EFFECT_INDEX[effect_id]].parameters):
        out[i] = values.get(row.id, row.default)
    return out


def without_dc(audio: NDArray[np.float64]) -> NDArray[np.float64]:
    """The DC blocker, sample by sample."""
    out = np.zeros_like(audio)
    pole = np.exp(-2.0 * np.pi * CORNER_HZ / RATE)
    x_before = y = np.zeros(audio.shape[1])
    for i, x in enumerate(audio):
        y = x - x_before + pole * y
        x_before = x
        out[i] = y
    return out


def along(values: Any, quanta: int) -> NDArray[np.float64]:
    """A control, one value for each frame, at the boundaries of quanta: [quanta + 1, ...]."""
    frames = np.atleast_1d(np.asarray(values, np.float64))
    if len(frames) == 1:
        return np.repeat(frames, quanta + 1, 0)
    at = np.arange(quanta + 1) / (HOP // QUANTUM)
    low = at.astype(int)
    share = (at - low).reshape(-1, *[1] * (frames.ndim - 1))
    return frames[low] * (1 - share) + frames[low + 1] * share


def held_note(
    n: int, hz: Any, partials: Any, *, onset: int = 0, ratio: Any = 1.0, left: Any = 1.0,
    right: Any = 1.0, weights: Any = 1.0, stretch: float = 0.0,
) -> NDArray[np.float64]:  # fmt: skip
    """What a note should be, [n, 2]: every control moves linearly over each quantum from its onset's on."""
    start = onset // QUANTUM * QUANTUM
    quanta = -(-(n - start) // QUANTUM)
    pitch = along(hz, quanta) * along(ratio, quanta)
    frames = np.atleast_2d(np.asarray(partials, np.float64))
    amplitudes = along(frames, quanta)
    gains = [along(side, quanta) for side in (left, right)]
    audio = np.zeros((n + QUANTUM, 2))
    k = np.arange(1, amplitudes.shape[1] + 1)
    turns = np.zeros(len(k))
    for i in range(onset - start, n - start):
        quantum, share = i // QUANTUM, (i % QUANTUM) / QUANTUM
        at = np.array([quantum, quantum + 1]), np.array([1 - share, share])
        place = pitch[at[0], None] * k * np.sqrt(1 + stretch * k * k) / (RATE / 2)
        amplitude = at[1] @ (amplitudes[at[0]] * np.clip((1 - place) / 0.1, 0, 1)) * np.asarray(weights)
        fade = min((i - (onset - start) + 1) / (ATTACK_FADE_S * RATE), 1.0)
        sample = fade * np.sum(amplitude * np.sin(2 * np.pi * turns))
        audio[start + i] = [sample * (at[1] @ gain[at[0]]) for gain in gains]
        turns += (at[1] @ pitch[at[0]]) * k * np.sqrt(1 + stretch * k * k) / RATE
    return without_dc(audio[:n])


def assert_same(audio: Any, expected: Any, floor_db: float = -90.0) -> None:
    error_db = level_db(audio - expected, expected)
    assert error_db < floor_db, f"{error_db:.1f} dB off"


def line_level(audio: NDArray[np.float32], hz: float) -> float:
    """Amplitude of a sine at hz, through a Hann window."""
    window = np.hanning(len(audio))
    turn = np.exp(-2j * np.pi * hz * np.arange(len(audio)) / RATE)
    return float(2 * np.abs(np.sum(audio * window * turn)) / np.sum(window))


# notes


def test_a_held_note_is_the_sum_of_its_partials() -> None:
    bench = Bench()
    partials = np.array([0.2, 0.1, 0.05, 0.0, 0.02])
    bench.start(hz=331.7, partials=partials)
    assert_same(bench.render(4800), held_note(4800, 331.7, partials))


def test_everything_moves_linearly_from_frame_to_frame() -> None:
    bench = Bench()
    rng = np.random.default_rng(0)
    frames = 30
    hz = 200.0 + 50.0 * rng.random(frames)
    partials = 0.05 * rng.random((frames, 20))
    ratio, left, right = 1.0 + 0.1 * rng.random(frames), rng.random(frames), rng.random(frames)
    n = (frames - 2) * HOP
    bench.start(hz=hz, partials=partials, frames=frames, ratio=ratio, left=left, right=right)
    assert_same(bench.render(n), held_note(n, hz, partials, ratio=ratio, left=left, right=right))


@pytest.mark.parametrize("onset", [1, 31, 63, 64, 1000])
def test_a_note_begins_at_its_sample(onset: int) -> None:
    bench = Bench()
    bench.start(hz=440.0, partials=[0.3, 0.2], onset=onset)
    audio = bench.render(4000)
    assert np.all(audio[:onset] == 0.0)
    assert abs(audio[onset, 0]) < 1e-8  # the first sample of a sine is 0
    assert audio[onset + 1, 0] > 0.0
    assert_same(audio, held_note(4000, 440.0, [0.3, 0.2], onset=onset))


def test_a_note_that_comes_late_begins_now() -> None:
    bench = Bench()
    bench.render(1024)
    bench.start(hz=440.0, onset=500)
    audio = bench.render(1024)
    assert bench.state["voice_onset"][0] == 1024
    assert audio[1, 0] > 0.0


def test_nothing_at_nyquist_is_heard() -> None:
    bench = Bench()
    bench.start(hz=3000.0, partials=np.full(100, 0.01))
    audio = bench.render(9600)
    assert_same(audio[2400:], held_note(9600, 3000.0, np.full(100, 0.01))[2400:])
    # The partial that would be at 27 kHz would fold to 21 kHz, where the seventh is.
    assert line_level(audio[2400:, 0], 21_000.0) == pytest.approx(0.01, rel=0.02)


def test_a_voice_that_starves_holds() -> None:
    bench = Bench()
    bench.start(hz=440.0, partials=[0.2, 0.1], frames=4)
    assert_same(bench.render(9600), held_note(9600, 440.0, [0.2, 0.1]))
    assert bench.state["late_frames"] > 0


def test_new_controls_reach_frames_that_are_there() -> None:
    bench = Bench()
    note_id = bench.start(hz=440.0, partials=[0.2], frames=60)
    bench.render(HOP)
    columns = np.zeros((1, 20, CONTROLS), np.float32)
    for control, value in PLAIN.items():
        columns[..., control] = value
    columns[..., Control.LEFT] = 0.25
    pushed = push_controls(bench.record, np.array([0]), np.array([note_id]), np.array([10]), columns)
    assert pushed == 20
    audio = bench.render(40 * HOP)
    left = np.where((np.arange(60) >= 10) & (np.arange(60) < 30), 0.25, 1.0)
    expected = held_note(41 * HOP, 440.0, [0.2], left=left)
    assert_same(audio, expected[HOP:])


def test_controls_of_another_note_are_left_alone() -> None:
    bench = Bench()
    bench.start(hz=440.0, partials=[0.2])
    columns = np.zeros((1, 20, CONTROLS), np.float32)
    push_controls(bench.record, np.array([0]), np.array([99]), np.array([1]), columns)
    assert_same(bench.render(4800), held_note(4800, 440.0, [0.2]))


def test_tilt_turns_the_spectrum_around_the_fundamental() -> None:
    bench = Bench()
    partials = np.full(30, 0.01)
    bench.start(hz=300.0, partials=partials, tilt=-4.5)
    weights = 10 ** (-4.5 * np.log2(np.arange(1, 31)) / 20)
    assert_same(bench.render(4800), held_note(4800, 300.0, partials, weights=weights))


def test_stretched_partials_are_where_a_stiff_string_has_them() -> None:
    bench = Bench()
    bench.start(hz=200.0, partials=np.full(20, 0.01), stretch=1e-3)
    audio = bench.render(12_000)
    for k in (1, 5, 20):
        hz = k * 200.0 * np.sqrt(1 + 1e-3 * k * k)
        assert line_level(audio[2400:, 0], hz) == pytest.approx(0.01, rel=0.02)
    assert line_level(audio[2400:, 0], 4000.0) < 1e-3  # where partial 20 would be otherwise


def test_beginning_to_stretch_does_not_click() -> None:
    bench = Bench()
    stretch = np.where(np.arange(60) < 20, 0.0, 1e-4)
    bench.start(hz=200.0, partials=np.full(10, 0.02), stretch=stretch)
    rough = roughness(bench.render(12_000)[:, 0])
    assert rough[5:].max() < 1.5 * np.median(rough[5:30])


@pytest.mark.parametrize("mode", [1, 2])
def test_a_low_pass_takes_partials_and_noise(mode: int) -> None:
    bench = Bench(FILTER_MODE=mode)
    bands = np.where(noise_band_centers_hz(NOISE_BANDS) > 4000.0, 0.01, 0.0)
    bench.start(hz=500.0, partials=np.full(16, 0.02), cutoff=np.log2(1000.0), resonance=np.sqrt(0.5))
    audio = bench.render(12_000)[2400:, 0]
    slope_db = {1: 12.0, 2: 24.0}[mode]
    fall_db = 20 * np.log10(line_level(audio, 4000.0) / line_level(audio, 8000.0))
    assert fall_db == pytest.approx(slope_db, abs=0.5)
    assert line_level(audio, 500.0) > 0.015
    open_bench, closed = Bench(), Bench(FILTER_MODE=mode)
    for each in (open_bench, closed):
        each.start(partials=[0.0], noise=bands, cutoff=np.log2(1000.0), resonance=np.sqrt(0.5))
    open_noise, closed_noise = (each.render(12_000)[2400:, 0] for each in (open_bench, closed))
    assert level_db(closed_noise, open_noise) < -slope_db * 2 + 3
    assert FILTER_MODES[mode].startswith("Low-pass")


def test_a_silent_voice_still_moves_on() -> None:
    """What is inaudible is not computed, and comes back as if it had been."""
    bench = Bench()
    tone = np.where((np.arange(60) > 5) & (np.arange(60) < 30), 0.0, 1.0)
    bench.start(hz=331.7, partials=[0.2, 0.1], tone=tone)
    partials = tone[:, None] * np.array([0.2, 0.1])
    assert_same(bench.render(50 * HOP), held_note(50 * HOP, 331.7, partials))


# noise


def test_noise_has_its_bands_levels_left_and_right() -> None:
    bench = Bench()
    bench.start(partials=[0.0], noise=0.003, left=1.0, right=0.5, frames=60)
    audio = bench.render(48_000)[4800:]
    expected = 0.003 * np.sqrt(NOISE_BANDS)
    assert level_db(audio[:, 0]) == pytest.approx(20 * np.log10(expected), abs=0.7)
    assert level_db(audio[:, 1], audio[:, 0]) == pytest.approx(-6.0, abs=0.7)
    assert 0.3 < np.corrcoef(audio[:, 0], audio[:, 1])[0, 1] < 0.7  # wide, but one instrument


def test_noises_of_two_voices_and_of_two_parts_add_in_power() -> None:
    alone, voices, parts = Bench(), Bench(), Bench()
    for bench, notes in ((alone, [(0, 0)]), (voices, [(0, 0), (1, 0)]), (parts, [(0, 0), (1, 1)])):
        for voice, part in notes:
            bench.start(voice, partials=[0.0], noise=0.003, part=part)
    reference = alone.render(24_000)[2400:]
    for bench in (voices, parts):
        assert level_db(bench.render(24_000)[2400:], reference) == pytest.approx(3.0, abs=0.6)


# blocks


def busy_bench() -> Bench:
    bench = Bench(SEND_REVERB=0.3, SEND_CHORUS=0.2)
    bench.insert(0, "phaser")
    for part in (0, 1, 5):
        bench.start(part, 200.0 + part, np.full(20, 0.01), onset=100 * part, part=part, noise=0.001)
    bench.start(7, 300.0, np.full(20, 0.01), onset=1500, part=1, stretch=1e-4)
    bench.set(PartSetting.VOLUME, 0.3, time=1000)
    bench.set(PartSetting.SEND_DELAY, 0.3, row=1, time=2000)
    return bench


@pytest.mark.parametrize("block", [1, 7, 64, 65, 128, 480, 1024])
def test_any_block_size_gives_the_same_audio(block: int) -> None:
    n = 4096
    np.testing.assert_array_equal(busy_bench().render(n, block), busy_bench().render(n))


def test_a_mono_device_gets_the_mean_and_more_channels_get_silence() -> None:
    stereo, mono, many = busy_bench(), busy_bench(), busy_bench()
    audio = stereo.render(1000)
    one, four = np.ones((1000, 1), np.float32), np.ones((1000, 4), np.float32)
    render_block(mono.state, *mono.arena.arrays, one)
    render_block(many.state, *many.arena.arrays, four)
    np.testing.assert_allclose(one[:, 0], audio.mean(1), atol=1e-7)
    np.testing.assert_array_equal(four[:, :2], audio)
    assert np.all(four[:, 2:] == 0.0)


def test_the_tape_holds_what_was_played() -> None:
    bench = busy_bench()
    audio = bench.render(5000, 333)
    assert bench.state["tape_position"][0] == 5000
    np.testing.assert_array_equal(bench.state["tape"][:5000], audio)
    assert bench.state["position"][0] == 5000
    np.testing.assert_array_equal(bench.state["peak"], np.abs(audio).max(0))


# ends


def test_a_stolen_voice_fades_without_a_click() -> None:
    bench = Bench()
    note_id = bench.start(hz=220.0, partials=np.full(10, 0.03))
    steady = roughness(bench.render(4800)[480:, 0]).max()
    bench.command(Command.FADE, 0, note_id)
    audio = bench.render(4800)
    assert roughness(audio[:, 0]).max() < 1.5 * steady
    assert bench.state["voice_active"][0] == 0
    assert np.abs(audio[480:]).max() < 1e-3  # only what the DC blocker gives back


def test_a_fade_meant_for_another_note_is_ignored() -> None:
    bench = Bench()
    bench.start(hz=220.0)
    bench.command(Command.FADE, 0, 99)
    bench.render(4800)
    assert bench.state["voice_active"][0] == 1


def test_a_voice_that_has_not_begun_ends_at_once() -> None:
    bench = Bench()
    note_id = bench.start(hz=220.0, onset=100_000)
    bench.command(Command.FADE, 0, note_id)
    bench.render(64)
    assert bench.state["voice_active"][0] == 0


def test_silence_ends_voices_and_every_tail_without_a_click() -> None:
    bench = Bench(SEND_REVERB=0.5, SEND_DELAY=0.5)
    bench.insert(0, "delay", feedback=0.8)
    for part in range(3):
        bench.start(part, 220.0 + part, np.full(10, 0.02), part=part, noise=1e-3)
    steady = roughness(bench.render(24_000)[480:, 0]).max()
    bench.command(Command.SILENCE)
    fading = bench.render(960)
    assert roughness(fading[:, 0]).max() < 1.5 * steady
    assert np.abs(bench.render(48_000)[480:]).max() < 2e-3  # only what the DC blocker gives back
    bench.start(0, 220.0, [0.2], onset=int(bench.state["rendered"][0]))
    assert np.abs(bench.render(4800)).max() > 0.15


def test_silence_where_nothing_sounds_hides_nothing() -> None:
    bench = Bench()
    bench.command(Command.SILENCE)
    bench.start(hz=440.0, partials=[0.3])
    assert_same(bench.render(2400), held_note(2400, 440.0, [0.3]))


# settings


def test_volumes_move_without_steps() -> None:
    bench = Bench()
    share = 1 - np.exp(-QUANTUM / (RATE * 0.01))
    bench.start(hz=220.0, partials=np.full(10, 0.03))
    steady = roughness(bench.render(4800)[480:, 0]).max()
    loud = level_db(bench.render(4800)[:, 0])
    bench.set(PartSetting.VOLUME, 0.25)
    assert roughness(bench.render(4800)[:, 0]).max() < 1.5 * steady
    assert level_db(bench.render(4800)[:, 0]) == pytest.approx(loud - 12.04, abs=0.1)
    assert bench.state["setting_smoothing"][0, PartSetting.VOLUME] == pytest.approx(share)


def test_a_setting_waits_for_its_time() -> None:
    bench = Bench()
    bench.set(PartSetting.VOLUME, 0.0, time=6400)
    bench.render(6400)
    assert bench.state["setting_now"][0, PartSetting.VOLUME] == 1.0
    bench.render(64)
    assert bench.state["setting_now"][0, PartSetting.VOLUME] < 1.0


def test_a_setting_that_is_no_number_is_left_out() -> None:
    bench = Bench()
    assert push_setting(bench.record, 0, int(PartSetting.VOLUME), 0, float("nan"))
    bench.start(hz=440.0, partials=[0.3])
    assert_same(bench.render(2400), held_note(2400, 440.0, [0.3]))


def test_parts_have_their_own_settings() -> None:
    bench = Bench()
    bench.set(PartSetting.VOLUME, 0.0, row=1)
    bench.render(48_00)
    bench.start(0, 440.0, [0.3], part=0, onset=4800)
    bench.start(1, 550.0, [0.3], part=1, onset=4800)
    assert_same(bench.render(2400), held_note(2400, 440.0, [0.3]))
    assert list(bench.state["part_peak"][:3]) == [pytest.approx(0.3, rel=0.1), pytest.approx(0.0, abs=1e-4), 0.0]


# inserts, room, buses


def test_an_insert_comes_and_goes_without_a_click() -> None:
    bench = Bench()
    bench.start(hz=110.0, partials=np.full(20, 0.02))
    steady = roughness(bench.render(4800)[480:, 0]).max()
    clean = level_db(bench.render(4800)[:, 0])
    for slot in range(N_INSERTS):
        for effect_id in ("delay", "equalizer", None):
            bench.insert(slot, effect_id, **({"low": -18.0, "mid": -18.0} if effect_id == "equalizer" else {}))
            assert roughness(bench.render(4800)[:, 0]).max() < 2.0 * steady, (slot, effect_id)
            level = level_db(bench.render(4800)[:, 0])
            if effect_id == "equalizer":
                assert level < clean - 3.0
    assert level == pytest.approx(clean, abs=0.1)
    assert np.all(bench.state["insert_kind"] == 0)


def test_an_insert_on_a_part_that_rests_is_there_from_the_first_sample() -> None:
    dry, wet = Bench(), Bench()
    wet.insert(0, "equalizer", low=-18.0, mid=-18.0, high=-18.0)
    for bench in (dry, wet):
        bench.start(hz=110.0, partials=[0.2])
    assert level_db(wet.render(4800)[:, 0], dry.render(4800)[:, 0]) < -12.0


def test_an_insert_that_breaks_recovers() -> None:
    bench = Bench()
    bench.insert(0, "delay", mix=0.5)
    bench.start(hz=110.0, partials=[0.2])
    bench.render(4800)
    bench.arena.arrays[2][0, 1000:] = np.nan  # the line, not where it is read
    audio = bench.render(4800)
    assert np.all(np.isfinite(audio))
    assert level_db(bench.render(4800)) > -30.0


def test_the_room_answers_in_proportion() -> None:
    response = np.zeros((2000, 2), np.float32)
    response[1000] = 0.5, 0.25
    bench, dry = Bench(ROOM=0.8), Bench()
    bench.arena.write_response(0, 1, response)
    bench.command(Command.ROOM, 0, 0, 1)
    for each in (bench, dry):
        each.start(hz=440.0, partials=[0.3], frames=60)
    audio, plain = bench.render(4800), dry.render(4800)
    expected = plain.astype(np.float64)
    expected[1000:] += 0.8 * plain[:-1000] * np.array([0.5, 0.25])
    assert_same(audio, expected, -80.0)


def test_another_room_comes_without_a_click() -> None:
    response = np.zeros((200, 2), np.float32)
    response[0] = 0.5
    bench = Bench(ROOM=1.0)
    bench.arena.write_response(0, 0, response)
    bench.start(hz=110.0, partials=[0.2])
    steady = roughness(bench.render(4800)[480:, 0]).max()
    loud = level_db(bench.render(2400)[:, 0])
    bench.arena.write_response(0, 1, -response)
    bench.command(Command.ROOM, 0, 0, 1)
    assert roughness(bench.render(2400)[:, 0]).max() < 1.5 * steady
    assert level_db(bench.render(2400)[:, 0]) == pytest.approx(loud + 20 * np.log10(0.5 / 1.5), abs=0.2)


@pytest.mark.parametrize("bus", range(len(SENDS)))
def test_a_send_is_heard_and_rings_on(bus: int) -> None:
    dry, wet = Bench(), Bench(**{("SEND_CHORUS", "SEND_DELAY", "SEND_REVERB")[bus]: 0.5})
    for bench in (dry, wet):
        note_id = bench.start(hz=440.0, partials=[0.2])
        bench.render(9600)
        bench.command(Command.FADE, 0, note_id)
    difference = level_db(wet.render(24_000) - dry.render(24_000))
    assert difference > -60.0
    assert [fed > 0 for fed in wet.state["bus_quiet"] < 24_000] == [i == bus for i in range(len(SENDS))]


# parts and buses that rest


def test_a_part_that_rests_wakes_as_new() -> None:
    """Silence for longer than parts stay awake, then a note: the same as in an engine that never played."""
    rested, fresh = Bench(), Bench()
    note_id = rested.start(hz=440.0, partials=[0.2], noise=1e-3)
    rested.render(4800)
    rested.command(Command.FADE, 0, note_id)
    rested.render(round((QUIET_S + 7) * RATE) // QUANTUM * QUANTUM)
    assert rested.state["part_quiet"][0] >= QUIET_S * RATE
    fresh.render(int(rested.state["rendered"][0]))
    now = int(rested.state["rendered"][0])
    for bench in (rested, fresh):
        bench.start(hz=330.0, partials=[0.2], onset=now, noise=1e-3)
    np.testing.assert_allclose(rested.render(4800), fresh.render(4800), atol=1e-7)


def test_an_effect_that_still_rings_keeps_its_part_awake() -> None:
    bench = Bench()
    bench.insert(0, "delay", time=1.0, feedback=0.9, mix=1.0)
    note_id = bench.start(hz=440.0, partials=[0.2])
    bench.render(4800)
    bench.command(Command.FADE, 0, note_id)
    bench.render(4 * RATE)
    assert level_db(bench.render(RATE)) > -40.0


# safety


def test_frames_that_are_not_finite_are_made_safe_and_counted() -> None:
    bench = Bench()
    hz = np.full(60, 440.0)
    partials = np.full((60, 3), 0.1)
    partials[20, 1] = np.nan
    noise = np.full((60, NOISE_BANDS), 1e-4)
    noise[21, 3] = np.inf
    bench.start(hz=hz, partials=partials, noise=noise, left=np.where(np.arange(60) == 22, np.nan, 1.0),
                ratio=np.where(np.arange(60) == 23, np.inf, 1.0))  # fmt: skip
    assert bench.bad == 4
    audio = bench.render(40 * HOP)
    assert np.all(np.isfinite(audio))
    assert level_db(audio[30 * HOP :]) > -20.0
    assert bench.state["non_finite"] == 0


def test_one_bad_voice_does_not_silence_the_others() -> None:
    bench = Bench()
    bench.start(0, 440.0, [0.2])
    bench.start(1, 550.0, [0.2])
    bench.render(64)
    bench.state["voice_heard"][1, 0] = np.nan
    audio = bench.render(4800)
    assert np.all(np.isfinite(audio))
    assert list(bench.state["voice_active"][:2]) == [1, 0]
    assert bench.state["non_finite"] > 0
    assert_same(audio[2400:], held_note(4864, 440.0, [0.2])[2464:], -40.0)


def test_the_limiter_holds_full_scale() -> None:
    bench = Bench()
    for voice in range(20):
        bench.start(voice, 110.0 * (1 + voice % 5), np.full(5, 0.2))
    assert np.abs(bench.render(24_000)).max() <= 1.0
    assert bench.state["limiter_gain"] < 0.5


def test_the_engine_fades_in_and_out() -> None:
    bench = Bench()
    bench.state["start_gain"] = 0.0
    bench.start(hz=1000.0, partials=[0.5])
    audio = bench.render(round(START_FADE_S * RATE) * 2)
    plain = held_note(len(audio), 1000.0, [0.5])
    fade = np.minimum(np.arange(len(audio)) / (START_FADE_S * RATE), 1.0)[:, None]
    assert_same(audio, plain * fade, -60.0)
    bench.state["stop_requested"] = 1
    ending = bench.render(round(STOP_FADE_S * RATE) * 2)
    assert np.all(ending[round(STOP_FADE_S * RATE) + QUANTUM :] == 0.0)
    assert bench.state["start_gain"] == 0.0
    assert roughness(ending[:, 0]).max() < 1.5 * roughness(audio[480:, 0]).max()


def test_a_full_queue_drops_what_does_not_fit() -> None:
    bench = Bench()
    for voice in range(FRAME_QUEUE // 61 + 2):
        if frame_room(bench.record) > 61:
            bench.start(voice % 64, 220.0, [1e-3])
    room = int(frame_room(bench.record))
    assert room <= 61
    columns = np.zeros((1, room + 5, CONTROLS), np.float32)
    zero = np.zeros(1, np.int64)
    assert push_controls(bench.record, zero, zero, zero, columns) == room
    assert push_command(bench.record, int(Command.SILENCE), 0, 0, 0, 0, 0) == -1
    bench.render(QUANTUM * 4)
    assert frame_room(bench.record) == FRAME_QUEUE
