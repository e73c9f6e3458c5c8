"""What several engine tests need: events in seconds, an offline engine with the test instrument, click measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from make_instrument import make_test_instrument
from numpy.typing import NDArray

from noisysynth.engine.offline import OfflineEngine
from noisysynth.events import EVENT_DTYPE, EventKind, make_event
from noisysynth.parameters import PARAMETER_INDEX

RATE = 48_000


def note(start_s: float, length_s: float, pitch: int, velocity: float = 0.7) -> list[NDArray[np.void]]:
    on, off = round(start_s * RATE), round((start_s + length_s) * RATE)
    return [
        make_event(EventKind.NOTE_ON, pitch, velocity, time=on),
        make_event(EventKind.NOTE_OFF, pitch, time=off),
    ]


def controller(time_s: float, number: int, value: float) -> list[NDArray[np.void]]:
    return [make_event(EventKind.CONTROL_CHANGE, number, value, time=round(time_s * RATE))]


def parameter(time_s: float, name: str, value: float) -> list[NDArray[np.void]]:
    return [make_event(EventKind.PARAMETER, PARAMETER_INDEX[name], value, time=round(time_s * RATE))]


def song(*parts: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """All events, by time."""
    rows = [row for part in parts for row in part]
    events = np.concatenate([*rows, np.zeros(0, EVENT_DTYPE)])
    return events[np.argsort(events["time"], kind="stable")]


def engine(block_size: int | None = None, **changes: object) -> OfflineEngine:
    return OfflineEngine(make_test_instrument(**changes), RATE, block_size)


def render(seconds: float, *parts: Sequence[NDArray[np.void]], block_size: int | None = None) -> NDArray[np.float32]:
    """Stereo audio [n, 2] of a fresh engine playing these events."""
    return engine(block_size).render(song(*parts), round(seconds * RATE))


def level_db(x: NDArray[np.float32], reference: NDArray[np.float32] | float = 1.0) -> float:
    """RMS of x in dB over the RMS of `reference`."""
    rms = float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
    under = float(np.sqrt(np.mean(np.square(reference, dtype=np.float64))))
    return 20.0 * np.log10(max(rms, 1e-15) / max(under, 1e-15))


def roughness(x: NDArray[np.float32], window_s: float = 0.002) -> NDArray[np.float64]:
    """Largest third difference in each window: a click stands out of a tone's own by its width of spectrum."""
    bent = np.abs(np.diff(x.astype(np.float64), 3))
    size = round(window_s * RATE)
    return bent[: len(bent) // size * size].reshape(-1, size).max(1)


def dominant_hz(x: NDArray[np.float32], lowest_hz: float, highest_hz: float) -> float:
    """Frequency of the strongest line in a range, by a zero-padded, interpolated spectrum."""
    n = 1 << 19
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), n))
    low, high = int(lowest_hz * n / RATE), int(highest_hz * n / RATE)
    peak = low + int(np.argmax(spectrum[low:high]))
    a, b, c = np.log(spectrum[peak - 1 : peak + 2] + 1e-12)
    return (peak + 0.5 * (a - c) / (a - 2 * b + c)) * RATE / n
