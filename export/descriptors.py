"""What a listener would say of a note, measured from the controls of the generator itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

PITCHES = (48.0, 60.0, 72.0)
VELOCITY = 0.75
GATE_S = 1.0
_HELD_S = np.concatenate([np.geomspace(0.004, 0.2, 18), np.linspace(0.25, GATE_S, 8)])
_RELEASED_S = np.geomspace(0.005, 2.0, 20)
_RELEASE_DROP_DB = 20.0
_FLOOR_POWER = 1e-12
_CHUNK = 16

Values = NDArray[np.float64]
RunControls = Callable[..., Sequence[NDArray[np.float32]]]  # z, pitch, velocity, times, shimmer to controls


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """One quality. `knob`: name of the knob that raises it. `show`: from the measured scale to words.

    audible: the least change of it that deserves a knob. spare: only where the others leave a knob free.
    """

    id: str
    knob: str
    label: str
    audible: float
    show: Callable[[float], str]
    spare: bool = False


def _octaves(value: float) -> str:
    return f"{2.0**value:.2f} x f0"


def _db(value: float) -> str:
    return f"{value:.1f} dB"


def _ms(value: float) -> str:
    return f"{2.0**value:.0f} ms"


# Measured on scales on which equal steps sound alike: octaves, decibels, log2 of milliseconds.
DESCRIPTORS: tuple[Descriptor, ...] = (
    Descriptor("brightness", "Bright", "spectral centroid", 0.1, _octaves),
    Descriptor("noisiness", "Air", "noise to tone", 1.0, _db),
    Descriptor("attack", "Swell", "attack time", 0.25, _ms),
    Descriptor("sustain", "Sustain", "level after a second of holding", 1.0, _db),
    Descriptor("release", "Ring", "release time", 0.25, _ms),
    Descriptor("odd_even", "Hollow", "odd to even partials", 1.0, _db),
    Descriptor("body", "Body", "share of the fundamental", 0.5, _db, spare=True),
    Descriptor("vibrato", "Waver", "pitch wobble", 0.5, lambda value: f"{value:.1f} cents", spare=True),
)


def measure(run: RunControls, z: NDArray[np.float32]) -> Values:
    """Descriptors [n, len(DESCRIPTORS)] of latents z [n, Z], each the mean over PITCHES.

    run: the control network, as `ControlNet.run`: several times faster than torch for this, and what will be played.
    """
    times_on = np.concatenate([_HELD_S, GATE_S + _RELEASED_S]).astype(np.float32)
    totals = np.zeros((len(z), len(DESCRIPTORS)))
    for start in range(0, len(z), _CHUNK):
        rows = slice(start, start + _CHUNK)
        latents = np.ascontiguousarray(z[rows], np.float32)
        n = len(latents)
        time_on = np.tile(times_on, (n, 1))
        for pitch in PITCHES:
            velocity = np.full(n, VELOCITY, np.float32)
            pitches, time_off = np.full(n, pitch, np.float32), time_on - np.float32(GATE_S)
            still = np.zeros_like(time_on)  # how a level trembles at one moment says nothing of the sound
            controls = run(latents, pitches, velocity, time_on, time_off, still)
            totals[rows] += describe(*(output.astype(np.float64) for output in controls))
    return totals / len(PITCHES)


def describe(f0_ratio: Values, amplitude: Values, harmonics: Values, noise: Values) -> Values:
    """Descriptors [V, len(DESCRIPTORS)] from controls on the time grid of this module."""
    held = len(_HELD_S)
    partial_power = 0.5 * (amplitude[..., None] * harmonics) ** 2
    tone_power = partial_power.sum(-1)
    noise_power = (noise**2).sum(-1)
    level_db = _to_db(tone_power + noise_power)
    k = np.arange(1, harmonics.shape[-1] + 1)

    centroid = (harmonics[:, :held] * k).sum(-1) / np.maximum(harmonics[:, :held].sum(-1), 1e-9)
    weight = np.maximum(amplitude[:, :held], 1e-9)
    brightness = np.log2(np.maximum((centroid * weight).sum(1) / weight.sum(1), 1e-3))
    held_power = partial_power[:, :held].sum(1)
    fundamental = held_power[:, 0]
    odd, even = held_power[:, 2::2].sum(-1), held_power[:, 1::2].sum(-1)
    noisiness = _to_db(noise_power[:, :held].sum(1)) - _to_db(tone_power[:, :held].sum(1))

    peak_db = level_db[:, :held].max(1)
    attack_s = _crossing_s(level_db[:, :held] - (peak_db - 6.0)[:, None], _HELD_S)
    off_db = level_db[:, held - 1]
    sustain = off_db - peak_db
    release_s = _crossing_s((off_db - _RELEASE_DROP_DB)[:, None] - level_db[:, held:], _RELEASED_S)
    cents = 1200.0 * np.log2(np.maximum(f0_ratio[:, held // 2 : held], 1e-3))
    return np.stack(
        [
            brightness,
            noisiness,
            np.log2(1000.0 * attack_s),
            sustain,
            np.log2(1000.0 * release_s),
            _to_db(odd) - _to_db(even),
            _to_db(fundamental) - _to_db(held_power.sum(-1)),
            cents.std(axis=1),
        ],
        axis=1,
    )


def _crossing_s(excess: Values, times_s: Values) -> Values:
    """[V], when excess [V, F] first reaches 0, interpolated in log time; the last time where it never does."""
    reached = excess >= 0.0
    after = np.where(reached.any(1), reached.argmax(1), len(times_s) - 1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(excess))
    low, high = excess[rows, before], excess[rows, after]
    share = np.clip(-low / np.where(high - low > 1e-9, high - low, 1.0), 0.0, 1.0)
    log_s = np.log(times_s)
    result: Values = np.exp(log_s[before] + (log_s[after] - log_s[before]) * share)
    return result


def _to_db(power: Values) -> Values:
    result: Values = 10.0 * np.log10(np.maximum(power, _FLOOR_POWER))
    return result
