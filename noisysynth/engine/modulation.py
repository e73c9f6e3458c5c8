"""The modulation of one part: from sources (velocity, wheels, LFOs, envelopes) through the matrix to what is moved.

Everything is a function of time, so frames ahead can be computed and computed anew. Values are moved in knob
positions, as a hand would: an amount of 1 takes a knob through its whole way.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.shapes import envelope, lfo
from noisysynth.engine.state import FRAME_SECONDS, NO_TIME
from noisysynth.engine.tracks import Phase
from noisysynth.engine.voices import VoicePool
from noisysynth.parameters import (
    LFO_STARTS,
    MOD_DESTINATIONS,
    MOD_SOURCES,
    N_ENVELOPES,
    N_LFOS,
    N_ROUTES,
    PARAMETER_INDEX,
    PARAMETERS,
    PITCH_MOD_SEMITONES,
    SYNC_BEATS,
)

Floats = NDArray[np.float64]
Number = Floats | float
Values = Callable[[str], float]

_SOURCE = {name: i for i, name in enumerate(MOD_SOURCES)}
_EACH_NOTE = LFO_STARTS.index("Each note")
_HELD_S = 2.0  # time constant of the source "Time held"


@dataclasses.dataclass(frozen=True)
class Route:
    source: int
    destination: str
    amount: float
    via: int


@dataclasses.dataclass(frozen=True)
class Notes:
    """Some voices of one part and the instants looked at.

    voices: [n]. times: samples [n, F]. sample_rate: Hz. controller: MIDI controller by number (-1: pressure,
    -2: bend) for the voices at the times, [n, F] or a number.
    """

    pool: VoicePool
    voices: NDArray[np.int64]
    times: Floats
    sample_rate: float
    controller: Callable[[int], Number]

    def time_on(self) -> Floats:
        return np.maximum(self.times - self.pool.onset[self.voices][:, None], 0.0) / self.sample_rate

    def time_off(self) -> Floats:
        """Negative while held: how long a held note will last is unknown."""
        off = self.pool.off[self.voices][:, None]
        return np.where(off == NO_TIME, -1.0, (self.times - off) / self.sample_rate)


PRESSURE, BEND = -1, -2
_LONGEST_RELEASE_S = PARAMETERS[PARAMETER_INDEX["amp_release"]].maximum
_NETWORK_DESTINATIONS = frozenset(row.id for row in PARAMETERS if row.target == "latent")
_CONTROLLER_OF_SOURCE = {
    _SOURCE["Mod wheel"]: 1,
    _SOURCE["Pitch bend"]: BEND,
    _SOURCE["Pressure"]: PRESSURE,
    _SOURCE["Slide"]: 74,
    _SOURCE["Breath"]: 2,
    _SOURCE["Foot"]: 4,
    _SOURCE["Expression"]: 11,
}


class Modulation:
    """The LFOs and routes of one part. `refresh` after any of its parameters changed."""

    def __init__(self, values: Values, tempo_bpm: float, sample_rate: float) -> None:
        """values: a parameter's value by id."""
        self._values = values
        self._sample_rate = sample_rate
        self._lfos = [Phase(0.0) for _ in range(N_LFOS)]
        self.vibrato = Phase(values("vibrato_rate") / sample_rate)
        self.routes: tuple[Route, ...] = ()
        self.refresh(0, tempo_bpm)

    def refresh(self, time: float, tempo_bpm: float) -> None:
        """Take in what knobs and tempo say now; rates change from sample `time` on."""
        value = self._values
        for number, phase in enumerate(self._lfos, 1):
            beats = SYNC_BEATS[int(value(f"lfo_{number}_sync"))]
            rate_hz = tempo_bpm / 60.0 / beats if beats else value(f"lfo_{number}_rate")
            phase.set_rate(time, rate_hz / self._sample_rate)
        self.vibrato.set_rate(time, value("vibrato_rate") / self._sample_rate)
        routes = []
        for number in range(1, N_ROUTES + 1):
            source = int(value(f"mod_{number}_source"))
            destination = MOD_DESTINATIONS[int(value(f"mod_{number}_destination"))]
            amount = value(f"mod_{number}_amount")
            if source and destination != "none" and amount:
                routes.append(Route(source, destination, amount, int(value(f"mod_{number}_via"))))
        self.routes = tuple(routes)

    def restart(self, time: float) -> None:
        """The song begins: LFOs that run freely begin with it."""
        for phase in self._lfos:
            phase.restart(time)

    def forget_before(self, time: float) -> None:
        for phase in (*self._lfos, self.vibrato):
            phase.forget_before(time)

    @property
    def moves_network(self) -> bool:
        """Whether what a route brings must go through the control network."""
        return self.moves(_NETWORK_DESTINATIONS)

    def moves(self, destinations: frozenset[str]) -> bool:
        return any(route.destination in destinations for route in self.routes)

    def shifts(self, notes: Notes, destinations: frozenset[str]) -> dict[str, Number]:
        """How far each of these destinations is moved, in knob positions (pitch: semitones); untouched ones are out."""
        found: dict[int, Number] = {}

        def source(number: int) -> Number:
            if number not in found:
                found[number] = self._source(number, notes)
            return found[number]

        moved: dict[str, Number] = {}
        for route in self.routes:
            if route.destination not in destinations:
                continue
            shift = route.amount * source(route.source)
            if route.via:
                shift = shift * source(route.via)
            if route.destination == "pitch":
                shift = shift * PITCH_MOD_SEMITONES
            moved[route.destination] = moved.get(route.destination, 0.0) + shift
        return moved

    def envelope(self, number: int, notes: Notes) -> Floats:
        """Envelope 1 or 2 [n, F] in 0..1."""
        return self._adsr(f"env_{number}", notes)

    def amp(self, notes: Notes) -> Floats:
        """The amp envelope [n, F] in 0..1; at its longest the release leaves the end to the instrument."""
        release_s = self._values("amp_release")
        return self._adsr("amp", notes, release_s if release_s < _LONGEST_RELEASE_S else math.inf)

    @property
    def amp_is_flat(self) -> bool:
        """Whether the amp envelope leaves the instrument's own loudness alone."""
        value = self._values
        attack_s, sustain, release_s = (value(f"amp_{name}") for name in ("attack", "sustain", "release"))
        return attack_s < FRAME_SECONDS and sustain >= 1.0 and release_s >= _LONGEST_RELEASE_S

    def _adsr(self, id_: str, notes: Notes, release_s: float | None = None) -> Floats:
        value = self._values
        attack_s = value(f"{id_}_attack")
        if attack_s < FRAME_SECONDS:
            attack_s = 0.0  # from one frame to the next it would be longer than it is asked to be
        return envelope(
            notes.time_on(), notes.time_off(), attack_s, value(f"{id_}_decay"),
            value(f"{id_}_sustain"), value(f"{id_}_release") if release_s is None else release_s,
        )  # fmt: skip

    def _source(self, number: int, notes: Notes) -> Number:
        pool, voices = notes.pool, notes.voices
        if number in _CONTROLLER_OF_SOURCE:
            return notes.controller(_CONTROLLER_OF_SOURCE[number])
        name = MOD_SOURCES[number]
        if name == "Velocity":
            return pool.velocity[voices][:, None]
        if name == "Key":
            return (pool.pitch[voices][:, None] - 60.0) / 60.0
        if name == "Random":
            return pool.random[voices][:, None]
        if name == "Release velocity":
            return pool.release_velocity[voices][:, None] * (notes.time_off() >= 0.0)
        if name == "Time held":
            return 1.0 - np.exp(-notes.time_on() / _HELD_S)
        for lfo_number in range(1, N_LFOS + 1):
            if name == f"LFO {lfo_number}":
                return self._lfo(lfo_number, notes)
        for envelope_number in range(1, N_ENVELOPES + 1):
            if name == f"Envelope {envelope_number}":
                return self.envelope(envelope_number, notes)
        return 0.0

    def _lfo(self, number: int, notes: Notes) -> Floats:
        value, track = self._values, self._lfos[number - 1]
        phase = track.at(notes.times)
        if int(value(f"lfo_{number}_start")) == _EACH_NOTE:
            phase = phase - track.at(notes.pool.onset[notes.voices].astype(np.float64))[:, None]
        wave = lfo(int(value(f"lfo_{number}_shape")), phase)
        fade_s = value(f"lfo_{number}_fade")
        return wave * np.minimum(notes.time_on() / fade_s, 1.0) if fade_s > 0.0 else wave


def moved_value(parameter_id: str, value: Number, shift: Number) -> Number:
    """The parameter's value, moved by `shift` knob positions within its range."""
    row = PARAMETERS[PARAMETER_INDEX[parameter_id]]
    if row.curve == "log":
        octaves = math.log(row.maximum / row.minimum)
        position = np.clip(np.log(np.divide(value, row.minimum)) / octaves + shift, 0.0, 1.0)
        return row.minimum * np.exp(position * octaves)
    span = row.maximum - row.minimum
    return np.clip(value + np.multiply(shift, span), row.minimum, row.maximum)
