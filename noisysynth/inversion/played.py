"""What was found, played by the live engine: what a player will hear."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from noisysynth.engine.offline import OfflineEngine
from noisysynth.events import EventKind, make_event
from noisysynth.instrument import Instrument
from noisysynth.inversion.point import Point
from noisysynth.parameters import PARAMETER_INDEX

LEFT = 0
_HEADROOM_DB = -6.0


def play(instrument: Instrument, point: Point, pitch: float, seconds: float, rate: int) -> npt.NDArray[np.float32]:
    """Audio [samples] of one note, from its onset: one side, as the other differs only in its noise.

    pitch: MIDI, fractional: the nearest key is pressed and the part tuned. The level that the search fitted is put on
    afterwards, for the engine's limiter would press a note near full scale.
    """
    key = math.floor(pitch + 0.5)
    tune = 100.0 * (pitch - key) + point.cents
    settings = {"tune": tune, "volume": _HEADROOM_DB, "pad_x": 0.0, "pad_y": 0.0, **point.parameters}
    events = [make_event(EventKind.PARAMETER, PARAMETER_INDEX[name], value, time=0) for name, value in settings.items()]
    events.append(make_event(EventKind.LATENT, latent=point.z, time=0))
    start = rate // 10  # until volume and tuning have arrived
    events.append(make_event(EventKind.NOTE_ON, key, point.velocity, time=start))
    if point.gate_s < seconds:
        events.append(make_event(EventKind.NOTE_OFF, key, time=start + round(point.gate_s * rate)))
    n_samples = round(seconds * rate)
    audio = OfflineEngine(instrument, rate).render(np.concatenate(events), start + n_samples)[start:, LEFT]
    return audio * np.float32(10.0 ** ((point.level_db - _HEADROOM_DB) / 20.0))
