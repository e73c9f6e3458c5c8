"""The effects: what holds for every row of the table, and what each is for."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from noisysynth.dsp.effects import EFFECT_MODULES, memory_floats, process_effect, reset_effect
from noisysynth.effects import EFFECT_INDEX, EFFECT_VALUES, EFFECTS

RATE = 48_000
QUANTUM = 64
LOUDEST = 60.0  # what full scale may become when everything is set to its extremes

every_effect = pytest.mark.parametrize("effect_id", [effect.id for effect in EFFECTS])
Audio = NDArray[np.float32]


class Rig:
    """One effect at work: values by name, smoothed from quantum to quantum as the engine does."""

    def __init__(self, effect_id: str, sample_rate: int = RATE, **values: float) -> None:
        self.effect = EFFECTS[EFFECT_INDEX[effect_id]]
        self.kind = 1 + EFFECT_INDEX[effect_id]
        self.sample_rate = float(sample_rate)
        self.memory = np.zeros(EFFECT_MODULES[self.kind - 1].memory_floats(self.sample_rate), np.float32)
        self.target = np.zeros(EFFECT_VALUES, np.float32)
        self.share = np.ones(EFFECT_VALUES, np.float32)
        for i, row in enumerate(self.effect.parameters):
            self.target[i] = row.default
            if row.smoothing_s > 0.0:
                self.share[i] = 1.0 - np.exp(-QUANTUM / (self.sample_rate * row.smoothing_s))
        self.set(**values)
        self.values = self.target.copy()

    def set(self, **values: float) -> None:
        names = [row.id for row in self.effect.parameters]
        for name, value in values.items():
            self.target[names.index(name)] = value

    def reset(self) -> None:
        reset_effect(self.kind, self.memory, self.sample_rate)

    def render(self, audio: Audio) -> Audio:
        out = np.array(audio, np.float32)
        for i in range(0, len(out), QUANTUM):
            piece = out[i : i + QUANTUM]
            self.values += self.share * (self.target - self.values)
            process_effect(self.kind, piece, len(piece), self.memory, self.values, self.sample_rate)
        return out


def noise(seconds: float, rate: int = RATE, level: float = 0.2, seed: int = 0) -> Audio:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal((round(seconds * rate), 2))).astype(np.float32)


def silence(seconds: float) -> Audio:
    return np.zeros((round(seconds * RATE), 2), np.float32)


def impulse(seconds: float) -> Audio:
    out = silence(seconds)
    out[0] = 1.0
    return out


def sine(hz: float, seconds: float, level: float = 0.3) -> Audio:
    wave = level * np.sin(2.0 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def rms(audio: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def response_db(rig: Rig, hz: list[float], seconds: float = 1.0) -> list[float]:
    """Magnitude response of the left channel."""
    out = rig.render(impulse(seconds))[:, 0]
    spectrum = np.abs(np.fft.rfft(out))
    return [float(20.0 * np.log10(spectrum[round(f * len(out) / RATE)] + 1e-9)) for f in hz]


# Every effect


@every_effect
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_any_values_give_finite_bounded_sound(effect_id: str, rate: int) -> None:
    rng = np.random.default_rng(3)
    square = np.sign(np.sin(2.0 * np.pi * 90.0 * np.arange(rate // 4) / rate + 0.1))[:, None] * [1.0, -1.0]
    clicks = np.zeros((rate // 4, 2))
    clicks[::997] = 1.0, -1.0
    sounds = [noise(0.25, rate, 0.3), square.astype(np.float32), np.zeros((rate // 8, 2), np.float32)]
    sounds.append(clicks.astype(np.float32))
    rig = Rig(effect_id, rate)
    for _ in range(3):
        for sound in sounds:
            corner = rng.random() < 0.5
            positions = [float(rng.integers(2)) if corner else rng.random() for _ in rig.effect.parameters]
            rows = zip(rig.effect.parameters, positions, strict=True)
            rig.set(**{row.id: row.from_position(position) for row, position in rows})
            out = rig.render(sound)
            assert np.all(np.isfinite(out)), rig.target
            assert np.max(np.abs(out)) < LOUDEST, rig.target


@every_effect
@pytest.mark.parametrize("setting", ["default", "minimum", "maximum"])
def test_nothing_mixed_in_is_exactly_the_dry_sound(effect_id: str, setting: str) -> None:
    rows = EFFECTS[EFFECT_INDEX[effect_id]].parameters
    rig = Rig(effect_id, **{row.id: getattr(row, setting) for row in rows[:-1]}, mix=0.0)
    dry = noise(0.3)
    np.testing.assert_array_equal(rig.render(dry), dry)


@every_effect
def test_silence_stays_silence_and_sound_dies_away(effect_id: str) -> None:
    rig = Rig(effect_id, mix=1.0)
    assert not np.any(rig.render(silence(0.2)))
    rig.render(noise(0.5))
    assert np.max(np.abs(rig.render(silence(7.0))[-RATE:])) < 1e-6


@every_effect
def test_feedback_ends_in_nothing_not_in_denormal_numbers(effect_id: str) -> None:
    shortest = {"delay": {"time": 0.01}, "reverb": {"decay": 0.2, "size": 0.3}}
    rig = Rig(effect_id, mix=1.0, **shortest.get(effect_id, {}))
    rig.render(noise(0.2))
    assert not np.any(rig.render(silence(4.0))[-RATE:])
    kept = np.abs(rig.memory[rig.memory != 0.0])
    assert np.min(kept, initial=1.0) > np.finfo(np.float32).tiny


@every_effect
def test_a_reset_effect_is_as_new_whatever_was_in_its_memory(effect_id: str) -> None:
    sound = noise(0.4, seed=5)
    expected = Rig(effect_id).render(sound)
    rig = Rig(effect_id)
    rig.set(**{row.id: row.maximum for row in rig.effect.parameters})
    rig.render(noise(3.0))
    rig.reset()
    assert not np.any(rig.render(silence(0.5)))
    rig = Rig(effect_id)
    rig.memory[:] = 1e9
    rig.reset()
    np.testing.assert_array_equal(rig.render(sound), expected)


@every_effect
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_bad_sample_is_forgotten_at_once(effect_id: str, bad: float) -> None:
    rig = Rig(effect_id, mix=1.0)
    rig.render(noise(0.1))
    spoilt = noise(QUANTUM / RATE)
    spoilt[10] = bad
    rig.render(spoilt)
    out = rig.render(noise(3.0))
    assert np.all(np.isfinite(out))
    assert np.max(np.abs(out)) < LOUDEST
    assert rms(out[-RATE:]) == pytest.approx(rms(Rig(effect_id, mix=1.0).render(noise(3.0))[-RATE:]), rel=0.1)


@pytest.mark.parametrize(
    ("effect_id", "name"), [(effect.id, row.id) for effect in EFFECTS for row in effect.parameters if row.id != "sync"]
)
def test_no_value_clicks_as_it_jumps(effect_id: str, name: str) -> None:
    """High above a low tone nothing is heard while a value jumps to and fro that was not heard before or after."""
    row = next(row for row in EFFECTS[EFFECT_INDEX[effect_id]].parameters if row.id == name)
    usual = {"drive": 0.0} if effect_id == "drive" else {}
    tone = sine(110.0, 3.0, 0.003 if name == "drive" else 0.3)  # quiet, or driven it would be a square
    rig = Rig(effect_id, **usual)
    loudest = 0.0
    bends = []
    for value in (row.minimum, row.maximum, row.minimum, row.maximum):
        rig.set(**{name: value})
        out = rig.render(tone)
        loudest = max(loudest, float(np.max(np.abs(out))))
        # The fourth difference leaves hardly anything of the tone, and of a step of s at least 3 s.
        bends.append(np.abs(np.diff(out[:, 0].astype(np.float64), 4)))
    assert max(np.max(bend) for bend in bends[1:]) < 3.0 * 1.5e-3 * max(loudest, np.max(np.abs(tone)))


# What each is for


def test_drive_adds_odd_harmonics_and_keeps_the_level() -> None:
    cycle_hz = 1_000.0
    levels = []
    for drive in (0.0, 12.0, 24.0, 40.0):
        out = Rig("drive", drive=drive, tone=18_000.0).render(sine(cycle_hz, 1.2, 0.25))[-RATE:, 0]
        spectrum = np.abs(np.fft.rfft(out)) * 2.0 / RATE
        levels.append([spectrum[k * 1_000] for k in (1, 2, 3)])
    third = [20.0 * np.log10(line[2] / line[0]) for line in levels]
    assert third == sorted(third)
    assert third[0] < -35.0
    assert third[-1] == pytest.approx(-9.5, abs=1.0)  # a square wave
    assert all(line[1] < 1e-5 for line in levels)
    assert all(line[0] == pytest.approx(0.25, rel=0.3) for line in levels)


def test_drive_has_hardly_any_aliases() -> None:
    """Of a tone whose overtones are folded to other places than its own, driven by 24 dB."""
    n = 1 << 15
    bin_ = 1_701
    at = np.arange(2 * n)
    wave = 0.5 * np.sin(2.0 * np.pi * bin_ * at / n)
    out = Rig("drive", drive=24.0, tone=18_000.0).render(np.stack([wave, wave], axis=1).astype(np.float32))
    power = np.abs(np.fft.rfft(out[n:, 0].astype(np.float64))) ** 2
    own = np.zeros(len(power), bool)
    own[::bin_] = True
    assert 10.0 * np.log10(np.sum(power[~own]) / np.sum(power[own])) < -48.0
    plain = 16.0 * wave[n:] / np.sqrt(1.0 + (16.0 * wave[n:]) ** 2)
    power = np.abs(np.fft.rfft(plain)) ** 2
    assert 10.0 * np.log10(np.sum(power[~own]) / np.sum(power[own])) > -30.0


def test_drive_half_mixed_is_no_comb() -> None:
    quiet = response_db(Rig("drive", drive=0.0, tone=18_000.0, mix=0.5), [100.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0])
    assert max(quiet) - min(quiet) < 2.0


def test_equalizer_gains() -> None:
    rig = Rig("equalizer", low=12.0, mid=-9.0, mid_hz=1_000.0, high=6.0)
    assert response_db(rig, [25.0, 1_000.0, 18_000.0]) == pytest.approx([12.0, -9.0, 6.0], abs=0.3)
    assert response_db(Rig("equalizer", low=12.0), [200.0]) == pytest.approx([6.0], abs=0.1)
    assert response_db(Rig("equalizer", high=-10.0), [5_000.0]) == pytest.approx([-5.0], abs=0.1)
    flat = noise(0.2)
    np.testing.assert_array_equal(Rig("equalizer").render(flat), flat)


@pytest.mark.parametrize(("ratio", "threshold"), [(4.0, -18.0), (2.0, -30.0), (20.0, -12.0)])
def test_compressor_ratio(ratio: float, threshold: float) -> None:
    rig = Rig("compressor", ratio=ratio, threshold=threshold)
    for over in (-12.0, 0.0, 6.0, 12.0):
        level_db = threshold + over
        out = rig.render(sine(1_000.0, 1.5, 10.0 ** (level_db / 20.0)))[-RATE // 4 :]
        knee = 6.0 * (1.0 - 1.0 / ratio) / 8.0 if over == 0.0 else 0.0
        expected = threshold + over / ratio if over > 0.0 else level_db - knee
        assert 20.0 * np.log10(np.max(np.abs(out))) == pytest.approx(expected, abs=0.4)


def test_compressor_times_and_that_channels_are_linked() -> None:
    rig = Rig("compressor", threshold=-30.0, ratio=4.0, attack=0.02, release=0.3)
    quiet, loud = sine(1_000.0, 2.0, 0.01), sine(1_000.0, 1.0, 1.0)
    loud[:, 1] *= 0.01
    out = np.concatenate([rig.render(quiet), rig.render(loud), rig.render(quiet)])
    peaks = np.abs(out[: len(out) // 96 * 96]).reshape(-1, 96, 2).max(axis=1)  # every 2 ms
    gain_db = 20.0 * np.log10(peaks[:, 1] / 0.01)
    turned = gain_db[1_400]
    assert turned == pytest.approx(-22.5, abs=0.5)
    attack_s = 0.002 * np.argmax(gain_db[1_000:] < turned * (1.0 - np.exp(-1.0)))
    assert attack_s == pytest.approx(0.02, abs=0.004)
    release_s = 0.002 * np.argmax(gain_db[1_500:] > turned * np.exp(-1.0))
    assert release_s == pytest.approx(0.32, abs=0.03)  # the attack's slowness comes on top


def test_phaser_notches_where_the_phase_turns_around() -> None:
    rig = Rig("phaser", depth=0.0, feedback=0.0, center=700.0, mix=0.5)
    hz = [700.0 * np.tan(np.pi * k / 12.0) for k in (1, 2, 3, 4, 5)]
    notch, top, middle, top_2, notch_2 = response_db(rig, hz, seconds=4.0)
    assert max(notch, middle, notch_2) < -35.0
    assert [top, top_2] == pytest.approx([0.0, 0.0], abs=0.1)


@pytest.mark.parametrize("feedback", [-0.9, 0.0, 0.9])
def test_phaser_sweeps_and_keeps_power(feedback: float) -> None:
    out = Rig("phaser", rate=1.0, feedback=feedback, mix=1.0).render(noise(2.0))
    assert rms(out) == pytest.approx(0.2, rel=0.05)
    swept = Rig("phaser", rate=1.0, depth=1.0, feedback=0.0, mix=0.5).render(sine(700.0, 2.0, 1.0))
    peaks = np.abs(swept).reshape(-1, 480, 2).max(axis=1)
    assert np.all(peaks.min(axis=0) < 0.3)
    assert np.all(peaks.max(axis=0) > 0.8)
    assert np.max(np.abs(swept[:, 0] - swept[:, 1])) > 0.5


def test_chorus_keeps_the_level_and_spreads() -> None:
    once = noise(3.0)[:, :1]
    sound = np.concatenate([once, once], axis=1)
    narrow = Rig("chorus", spread=0.0).render(sound)
    wide = Rig("chorus", spread=1.0).render(sound)
    assert rms(narrow) == pytest.approx(0.2, rel=0.15)
    assert rms(wide) == pytest.approx(0.2, rel=0.15)
    np.testing.assert_allclose(narrow[:, 0], narrow[:, 1], atol=1e-6)
    assert rms(wide[:, 0] - wide[:, 1]) > 0.1


def test_chorus_bends_the_pitch_as_far_as_it_says() -> None:
    """A voice whose delay swings by d at rate r bends by 2 pi r d; three voices never more."""
    rate_hz, depth_ms, hz = 2.0, 4.0, 2_000.0
    out = Rig("chorus", rate=rate_hz, depth=depth_ms, mix=1.0).render(sine(hz, 3.0))[RATE:, 0]
    power = np.abs(np.fft.rfft(out * np.hanning(len(out)))) ** 2
    found_hz = np.fft.rfftfreq(len(out), 1.0 / RATE)
    heard = found_hz[power > 1e-4 * power.max()]
    bend = 2.0 * np.pi * rate_hz * depth_ms / 1_000.0
    assert heard.min() == pytest.approx(hz * (1.0 - bend), rel=0.01)
    assert heard.max() == pytest.approx(hz * (1.0 + bend), rel=0.01)
    assert 10.0 * np.log10(np.sum(power[found_hz > 1.2 * hz]) / np.sum(power)) < -70.0


def test_flanger_feedback_makes_a_comb() -> None:
    rig = Rig("chorus", depth=0.0, delay=2.0, feedback=0.8, mix=1.0)
    on, off = response_db(rig, [3_000.0, 2_750.0], seconds=2.0)
    assert on - off == pytest.approx(20.0 * np.log10(1.8 / 0.2), abs=1.0)


@pytest.mark.parametrize("time_s", [0.01, 0.125, 0.375, 2.0])
def test_delay_time_and_feedback(time_s: float) -> None:
    sound = sine(300.0, 0.005, 1.0)
    n = round(time_s * RATE)
    audio = np.concatenate([sound, np.zeros((3 * n + 500, 2), np.float32)])
    out = Rig("delay", time=time_s, feedback=0.5, damping=18_000.0, mix=1.0).render(audio)
    first = out[n : n + len(sound)]
    np.testing.assert_allclose(first, sound, atol=1e-3)
    assert not np.any(out[: n - 3])
    if time_s > 0.01:
        second = out[2 * n - 3 : 2 * n + len(sound) + 9]
        assert rms(second) / rms(first) == pytest.approx(0.5 * np.sqrt(len(sound) / len(second)), rel=0.01)


def test_delay_damping_and_cross() -> None:
    n = round(0.2 * RATE)
    out = Rig("delay", time=0.2, feedback=0.9, damping=1_000.0, mix=1.0).render(impulse(1.1))
    bright = [np.abs(np.fft.rfft(out[k * n - 20 : (k + 1) * n - 20, 0]))[round(5_000 * 0.2)] for k in (1, 2, 3)]
    assert bright[1] / bright[0] < 0.3
    assert bright[2] / bright[1] == pytest.approx(bright[1] / bright[0], rel=0.2)
    out = Rig("delay", time=0.2, feedback=0.9, cross=1.0, mix=1.0).render(impulse(1.1))
    sides = np.array([np.sum(np.abs(out[k * n - 20 : (k + 1) * n - 20]), axis=0) for k in (1, 2, 3, 4)])
    assert np.all(sides[[0, 2], 1] == 0.0)
    assert np.all(sides[[1, 3], 0] == 0.0)
    assert np.all(sides.max(axis=1) > 0.5)


def test_delay_reaches_a_new_time_by_bending_at_most_an_octave() -> None:
    rig = Rig("delay", time=0.3, feedback=0.0, damping=18_000.0, mix=1.0)
    rig.render(sine(500.0, 1.0))
    rig.set(time=0.6)
    out = rig.render(sine(500.0, 0.5))[RATE // 4 :, 0]
    crossings = np.count_nonzero(np.diff(np.signbit(out))) / 2.0
    assert crossings / 0.25 == pytest.approx(250.0, abs=8.0)
    rig.render(sine(500.0, 2.0))
    rig.render(silence(4.0))
    assert np.argmax(np.abs(rig.render(impulse(1.0))[:, 0])) == pytest.approx(0.6 * RATE, abs=1.0)


def decay_s(sound: NDArray[np.floating], hz: float) -> float:
    """RT60 around hz: twice the time from -5 to -35 dB of the energy that is yet to come (Schroeder 1965)."""
    n = 2 * len(sound)
    found_hz = np.fft.rfftfreq(n, 1.0 / RATE)
    band = np.fft.irfft(np.fft.rfft(sound, n) * np.exp(-0.5 * ((found_hz - hz) / (0.2 * hz)) ** 2), n)[: len(sound)]
    left = np.cumsum(band[::-1] ** 2)[::-1]
    left_db = 10.0 * np.log10(left / left[0] + 1e-30)
    return 2.0 * float(np.argmax(left_db < -35.0) - np.argmax(left_db < -5.0)) / RATE


@pytest.mark.parametrize("size", [0.3, 0.8, 1.0])
@pytest.mark.parametrize("decay", [0.5, 2.2, 8.0])
def test_reverb_decays_as_long_as_it_says(decay: float, size: float) -> None:
    out = Rig("reverb", decay=decay, size=size, damping=6_000.0, mix=1.0).render(impulse(1.2 * decay + 0.3))
    assert decay_s(out[:, 0], 500.0) == pytest.approx(decay, rel=0.15)
    assert decay_s(out[:, 0], 1_000.0) == pytest.approx(decay, rel=0.15)
    assert decay_s(out[:, 1], 6_000.0) == pytest.approx(0.5 * decay, rel=0.3)


def test_reverb_is_wide_and_as_loud_at_any_decay_size_and_width() -> None:
    once = np.fft.irfft(np.fft.rfft(noise(4.0)[:, 0]) * (np.fft.rfftfreq(4 * RATE, 1.0 / RATE) < 3_000.0))
    sound = np.stack([once, once], axis=1).astype(np.float32)
    for decay in (0.5, 2.0, 6.0):
        for size in (0.3, 1.0):
            for width in (0.0, 1.0):
                rig = Rig("reverb", decay=decay, size=size, width=width, damping=18_000.0, mix=1.0)
                rig.render(sound)
                out = rig.render(sound)
                assert 20.0 * np.log10(rms(out) / rms(sound)) == pytest.approx(0.0, abs=2.0), (decay, size, width)
                together = np.corrcoef(out.T)[0, 1]
                assert abs(together) < 0.2 if width else together > 0.999


def test_reverb_waits_for_the_pre_delay() -> None:
    near = Rig("reverb", pre_delay=0.0, mix=1.0).render(impulse(0.5))
    far = Rig("reverb", pre_delay=100.0, mix=1.0).render(impulse(0.5))
    first_near, first_far = (int(np.argmax(np.abs(out[:, 0]) > 1e-4)) for out in (near, far))
    assert (first_far - first_near) / RATE == pytest.approx(0.1, abs=0.0005)


def test_reverb_does_not_ring() -> None:
    """The tail's spectrum is as uneven as noise: mean square over squared mean is 2; of lines that stand still 5.6."""
    out = Rig("reverb", decay=6.0, damping=18_000.0, mix=1.0).render(impulse(3.0))[RATE : RATE + (1 << 16), 0]
    out = out * 10.0 ** (3.0 / 6.0 * np.arange(len(out)) / RATE)
    power = np.abs(np.fft.rfft(out * np.hanning(len(out)))) ** 2
    band = power[round(200 / RATE * len(out)) : round(4_000 / RATE * len(out))]
    level = np.convolve(band, np.ones(301) / 301.0, "same")
    assert np.mean((band[151:-151] / level[151:-151]) ** 2) < 3.0


# The choice between them


def test_kinds_are_rows_of_the_table_and_no_kind_is_nothing() -> None:
    sound = noise(QUANTUM / RATE)
    memory = np.zeros(memory_floats(RATE), np.float32)
    for kind in (0, len(EFFECTS) + 1):
        out = sound.copy()
        process_effect(kind, out, QUANTUM, memory, np.ones(EFFECT_VALUES, np.float32), float(RATE))
        reset_effect(kind, memory, float(RATE))
        np.testing.assert_array_equal(out, sound)
    assert not np.any(memory)
    for number, (module, effect) in enumerate(zip(EFFECT_MODULES, EFFECTS, strict=True), 1):
        assert module.__name__.endswith(effect.id)
        values = np.zeros(EFFECT_VALUES, np.float32)
        values[: len(effect.parameters)] = [row.default for row in effect.parameters]
        chosen, direct = sound.copy(), sound.copy()
        process_effect(number, chosen, QUANTUM, np.zeros_like(memory), values, float(RATE))
        module.process(direct, QUANTUM, np.zeros_like(memory), values, float(RATE))
        np.testing.assert_array_equal(chosen, direct)


def test_the_table_is_as_the_kernels_need_it() -> None:
    for effect, module in zip(EFFECTS, EFFECT_MODULES, strict=True):
        assert len(effect.parameters) <= EFFECT_VALUES
        assert effect.parameters[-1].id == "mix"
        assert isinstance(module.process, numba.core.dispatcher.Dispatcher)
        for rate in (44_100.0, 192_000.0):
            assert 0 < module.memory_floats(rate) <= memory_floats(rate) < 1 << 24
