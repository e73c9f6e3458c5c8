"""Random events of every kind, and what must be true of the sound whatever they do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from noisysynth.events import EVENT_DTYPE, EventKind, Transport, make_event
from noisysynth.parameters import PARAMETERS
from noisysynth.spec import MAX_LATENT

PARTS = 16
CHANNELS = 16
PEDALS = (64, 66, 67)
# How often each kind comes. Silence is rare, or nothing would ever sound for long.
WEIGHTS: dict[EventKind, float] = {
    EventKind.NOTE_ON: 30.0,
    EventKind.NOTE_OFF: 25.0,
    EventKind.PITCH_BEND: 6.0,
    EventKind.CONTROL_CHANGE: 14.0,
    EventKind.PARAMETER: 25.0,
    EventKind.LATENT: 4.0,
    EventKind.ALL_NOTES_OFF: 0.3,
    EventKind.PANIC: 0.1,
    EventKind.CHANNEL_PRESSURE: 4.0,
    EventKind.POLY_PRESSURE: 4.0,
    EventKind.PROGRAM_CHANGE: 2.0,
    EventKind.PRESET: 2.0,
    EventKind.CLOCK: 10.0,
    EventKind.TRANSPORT: 0.5,
}
# Controllers with a meaning of their own, beside those that the table or chance chooses.
CONTROLLERS = (0, 1, 2, 4, 5, 6, 7, 10, 11, 16, 17, 32, 38, 64, 64, 66, 67, 71, 72, 73, 74, 91, 93, 94, 98, 99, 100,
               101, 120, 121, 123, 126, 127)  # fmt: skip
NONSENSE = (np.nan, np.inf, -np.inf, 1e30, -1e30)
WINDOW_S = 0.002
AROUND_S = 0.1
# What is quieter than this stands out of nothing.
FLOOR = 1e-3
# Nothing that the engine plays may stand out further. A step of a tenth of full scale in a quiet tone does, by 30 dB.
CLICK_DB = 6.0


def random_event(rng: np.random.Generator) -> NDArray[np.void]:
    """One event [1] of EVENT_DTYPE for now; every fiftieth value is none that a player could send."""
    kinds = list(WEIGHTS)
    weights = np.array(list(WEIGHTS.values()))
    kind = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
    index, value, latent = int(rng.integers(24, 100)), float(rng.uniform()), None
    part = int(rng.integers(PARTS))
    if kind == EventKind.PARAMETER:
        index = int(rng.integers(len(PARAMETERS)))
        row = PARAMETERS[index]
        value = row.from_position(float(rng.choice([rng.uniform(), 0.0, 1.0], p=[0.8, 0.1, 0.1])))
    elif kind == EventKind.LATENT:
        latent = rng.normal(0.0, 2.0, MAX_LATENT).astype(np.float32)
        if rng.uniform() < 0.3:
            latent[rng.integers(MAX_LATENT)] = rng.choice(NONSENSE)
    elif kind == EventKind.PITCH_BEND:
        value = float(rng.uniform(-1.0, 1.0))
    elif kind == EventKind.CONTROL_CHANGE:
        index = int(rng.choice(CONTROLLERS)) if rng.uniform() < 0.7 else int(rng.integers(128))
        value = int(rng.integers(128)) / 127.0
    elif kind == EventKind.PROGRAM_CHANGE:
        index = int(rng.integers(4))
    elif kind == EventKind.PRESET:
        index = int(rng.integers(-1, 4))
    elif kind == EventKind.TRANSPORT:
        index = int(rng.choice(list(Transport)))
    if kind != EventKind.PARAMETER and rng.uniform() < 0.02:
        value = float(rng.choice(NONSENSE))
    if rng.uniform() < 0.005:
        index = int(rng.choice([-5, 128, 100_000]))
    of_part = kind in (EventKind.PARAMETER, EventKind.LATENT, EventKind.PRESET)
    channel = int(rng.integers(CHANNELS))
    return make_event(kind, index, value, channel=channel, part=part if of_part else None, latent=latent)


def mpe_setting(rng: np.random.Generator) -> list[NDArray[np.void]]:
    """A zone of random size, as RPN 6 makes it."""
    channel, members = int(rng.choice([0, 15])), int(rng.integers(0, 16))
    return [
        make_event(EventKind.CONTROL_CHANGE, number, byte / 127.0, channel=channel)
        for number, byte in ((101, 0), (100, 6), (6, members))
    ]


def let_go() -> NDArray[np.void]:
    """What leaves no key or pedal down: every note off, every pedal up, on every channel, as a keyboard would send."""
    rows = []
    for channel in range(CHANNELS):
        rows += [make_event(EventKind.CONTROL_CHANGE, pedal, 0.0, channel=channel) for pedal in PEDALS]
        rows += [make_event(EventKind.NOTE_OFF, key, channel=channel) for key in range(128)]
    return np.concatenate(rows)


def short_releases() -> NDArray[np.void]:
    """Releases that end in reasonable time, in every part."""
    index = {row.id: i for i, row in enumerate(PARAMETERS)}
    values = {"release": 0.5, "amp_release": 0.1}
    rows = [
        make_event(EventKind.PARAMETER, index[name], value, part=part)
        for part in range(PARTS)
        for name, value in values.items()
    ]
    return np.concatenate(rows)


def random_music(
    rng: np.random.Generator, seconds: float, sample_rate: int, events_per_s: float = 120.0
) -> NDArray[np.void]:
    """Events of EVENT_DTYPE by time, in bursts and pauses, from sample 0 on."""
    rows, time_s = [], 0.0
    while time_s < seconds:
        for event in mpe_setting(rng) if rng.uniform() < 0.002 else [random_event(rng)]:
            event["time"] = round(time_s * sample_rate)
            rows.append(event)
        time_s += float(rng.choice([0.0, rng.exponential(2.0 / events_per_s)]))
    return np.concatenate([*rows, np.zeros(0, EVENT_DTYPE)])


def click_levels_db(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """How far each 2 ms stand out of the 100 ms on their louder side, [windows], by third differences of [n, channels].

    A click is broad-band and short: its third difference stands above what is before it and what is after it. The onset
    of a note or the end of one stands out on one side only. The windows beside it belong to it.
    """
    rough = np.abs(np.diff(audio.astype(np.float64), 3, axis=0)).max(axis=1)
    size = round(WINDOW_S * sample_rate)
    windows = rough[: len(rough) // size * size].reshape(-1, size).max(axis=1)
    around = round(AROUND_S / WINDOW_S)
    padded = np.concatenate([np.full(around + 2, np.inf), windows, np.full(around + 2, np.inf)])
    sides = np.lib.stride_tricks.sliding_window_view(padded, around)
    at = np.arange(len(windows))
    before, after = sides[at].max(axis=1), sides[at + around + 5 - 1].max(axis=1)
    with np.errstate(divide="ignore"):  # the ends, where one side is not known
        return 20.0 * np.log10(np.maximum(windows, 1e-12) / np.maximum(np.maximum(before, after), FLOOR))


def loudest_click(audio: NDArray[np.float32], sample_rate: int) -> tuple[float, float]:
    """Level in dB of the most outstanding 2 ms, and when in seconds."""
    levels = click_levels_db(audio, sample_rate)
    at = int(np.argmax(levels))
    return float(levels[at]), at * WINDOW_S


Send = Callable[[NDArray[np.void]], None]
