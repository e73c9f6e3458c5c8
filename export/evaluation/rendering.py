"""Notes by the live engine, one at a time, as fast as the machine can."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.offline import OfflineEngine
from noisysynth.events import EventKind, make_event
from noisysynth.export.evaluation.notes import Told
from noisysynth.instrument import Instrument
from noisysynth.parameters import MORPH_MODES, PARAMETER_INDEX

# The limiter is there for chords: one note is played this much softer, and brought back afterwards.
_HEADROOM_DB = -18.0
_LEAD = 4_096  # samples from the settings to the note
_FADE_S = 0.1  # the engine's panic takes a few milliseconds
_BLOCK = 8_192  # samples; the larger, the fewer calls of the network: 14 ms for a second of one voice, 100 ms with 192


class Player:
    """An instrument on the live renderer; every note comes from silence, with every knob at its default."""

    def __init__(self, instrument: Instrument, sample_rate: int) -> None:
        """UserError when the network cannot be loaded."""
        self.instrument = instrument
        self.sample_rate = sample_rate
        self._engine = OfflineEngine(instrument, sample_rate, _BLOCK)
        settings = {"volume": _HEADROOM_DB, "morph_mode": float(MORPH_MODES.index("New notes"))}
        rows = [make_event(EventKind.PARAMETER, PARAMETER_INDEX[name], value) for name, value in settings.items()]
        self._engine.render(np.concatenate(rows), sample_rate // 4)  # until the volume has arrived

    def note(
        self, z: NDArray[np.float32], told: Told, seconds: float | None = None, shimmer: float = 1.0
    ) -> NDArray[np.float32]:
        """Audio [samples] from note-on, told.heard_s long or as many seconds. z: [Z], the latent.

        The left side: noise is wide, so that the mean of both sides would have 1.25 dB less of it.
        """
        engine = self._engine
        start = int(engine.state["position"][0]) + _LEAD
        length = round((told.heard_s if seconds is None else seconds) * self.sample_rate)
        key = int(np.clip(round(told.pitch), 0, 127))
        settings = {"tune": 100.0 * (told.pitch - key), "shimmer": shimmer}
        events = [
            *(make_event(EventKind.PARAMETER, PARAMETER_INDEX[n], v, time=start - _LEAD) for n, v in settings.items()),
            make_event(EventKind.LATENT, latent=np.asarray(z, np.float32), time=start - _LEAD),
            make_event(EventKind.NOTE_ON, key, told.velocity, time=start),
            make_event(EventKind.NOTE_OFF, key, time=start + max(1, round(told.gate_s * self.sample_rate))),
        ]
        if told.velocity <= 0.0:
            events.pop(-2)  # a note-on without velocity would be a note-off
        # A note-off beyond the end would wait for the next call.
        rows = np.concatenate([event for event in events if event["time"][0] < start + length])
        audio = engine.render(rows, _LEAD + length)[_LEAD:]
        end = int(engine.state["position"][0])
        engine.render(make_event(EventKind.PANIC, time=end), round(_FADE_S * self.sample_rate))
        return audio[:, 0] * np.float32(10.0 ** (-_HEADROOM_DB / 20.0))
