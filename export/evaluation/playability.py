"""Can it be played? Every key in tune, louder when struck harder, any length without a click, a drift or a hang."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.export.evaluation.envelopes import (
    brightness_hz,
    click_db,
    level_db,
    loudness_db,
    release,
    sounds_again_db,
)
from noisysynth.export.evaluation.notes import RealNote, Told
from noisysynth.export.evaluation.pitch import INAUDIBLE_DB, Reading, pitch_figures, read_pitch
from noisysynth.export.evaluation.rendering import Player
from noisysynth.listening.pitch_track import track_cents
from noisysynth.spec import midi_to_hz
from noisysynth.train.note_bank import hold_decay_db_per_s

KEYS = range(36, 97)
GATES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 10.0)
VELOCITIES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
PITCHES = (48.0, 60.0, 72.0)
TAIL_S = 4.0
# Bars. Nothing that the engine plays may stand out of its surroundings further than this.
CLICK_DB = 6.0
DRIFT_CENTS = 5.0
AGAIN_DB = 6.0  # a released note may beat, but not begin anew
HANG_DB = 20.0  # a released note must have fallen by so much at the end of its tail; of real ones some need 2 s
STEADY_DB_PER_S = 1.5  # a recording that loses less is a sustained one,
STEADY_DB = 6.0  # if it has not lost more since its loudest: struck strings ring on slowly after a fast fall
DEAD_DB = 12.0  # such a note may have lost so much, which is 1.5 dB/s, between its second and its tenth second
LOUDER_DB = -0.1  # a step up in velocity may lose so much: noise is never twice the same
_ATTACK_S = 0.05
_HELD_S = 10.0
_STEADY_FRAME_S = 0.1

Latent = NDArray[np.float32]
Progress = Callable[[int], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Timbre:
    """A place in the latent space that is played. z: [Z]."""

    name: str
    z: Latent


def keyboard(player: Player, timbres: Sequence[Timbre], per_key: int, progress: Progress) -> dict[str, Any]:
    """Pitch of every key from 36 to 96, each with `per_key` timbres in turn; `keys`: [key, cents] of each note."""
    readings: list[Reading] = []
    keys: list[int] = []
    clicks: list[float] = []
    for i, key in enumerate(KEYS):
        for j in range(per_key):
            told = Told(float(key), 0.75, 1.0)
            audio = player.note(timbres[(i + j * len(KEYS)) % len(timbres)].z, told, 1.0)
            readings.append(read_pitch(audio, player.sample_rate, told))
            clicks.append(click_db(audio, player.sample_rate, _ATTACK_S))
            keys.append(key)
            progress(1)
    points = [
        [key, reading.cents + 1200.0 * reading.octaves]
        for key, reading in zip(keys, readings, strict=True)
        if reading.audible
    ]
    return {**pitch_figures(readings), "worst_click_db": max(clicks), "keys": points}


def velocity(player: Player, timbres: Sequence[Timbre], progress: Progress) -> dict[str, Any]:
    """A ladder of velocities for each timbre: loudness (A-weighted, first 0.5 s) and brightness must rise.

    They are played without shimmer, which makes two strokes alike differ by chance; played_fall_db: the largest step
    down with it. monotonic: share of ladders whose loudness never falls. rising: share of steps. range_db: median,
    softest to hardest. brighter: share of ladders that end brighter than they begin. ladders: loudness in dB of each.
    """
    ladders, tops, played = [], [], []
    for i, timbre in enumerate(timbres):
        told = [Told(PITCHES[i % len(PITCHES)], each, 0.5) for each in VELOCITIES]
        still = [player.note(timbre.z, each, 0.5, shimmer=0.0) for each in told]
        ladders.append([loudness_db(audio, player.sample_rate) for audio in still])
        tops.append([brightness_hz(audio, player.sample_rate) for audio in still])
        played.append([loudness_db(player.note(timbre.z, each, 0.5), player.sample_rate) for each in told])
        progress(len(VELOCITIES))
    steps = np.diff(np.array(ladders), axis=1)
    bright = np.log2(np.maximum(np.array(tops), 1.0))
    rises = steps > LOUDER_DB
    return {
        "n": len(ladders),
        "monotonic": float(rises.all(axis=1).mean()),
        "rising": float(rises.mean()),
        "largest_fall_db": max(0.0, -float(steps.min())),
        "played_fall_db": max(0.0, -float(np.diff(np.array(played), axis=1).min())),
        "range_db": float(np.median(np.sum(steps, axis=1))),
        "brighter": float(np.mean(bright[:, -1] > bright[:, 0])),
        "brightness_octaves": float(np.median(bright[:, -1] - bright[:, 0])),
        "ladders": ladders,
    }


def gates(player: Player, timbres: Sequence[Timbre], progress: Progress) -> dict[str, Any]:
    """Every gate from 0.05 to 10 s, a pitch for each timbre in turn.

    silent: short notes that are not heard at all. again: released notes that rise by more than 6 dB again. hanging:
    released notes that had not fallen by 20 dB after 4 s. clicks: notes with one, past the attack. drift_cents: the
    largest change of a held note's pitch between its second second and its tenth. release_db_per_s: median slope.
    courses: levels in dB of one timbre, by gate.
    """
    silent = clicks = hanging = again = released = total = 0
    worst_click, slopes, drifts = -math.inf, [], []
    courses: dict[str, list[float]] = {}
    rate = player.sample_rate
    for i, timbre in enumerate(timbres):
        for gate_s in GATES_S:
            told = Told(PITCHES[i % len(PITCHES)], 0.75, gate_s)
            audio = player.note(timbre.z, told, gate_s + TAIL_S)
            total += 1
            if float(level_db(audio, rate).max()) < INAUDIBLE_DB:
                silent += 1
            slope, fallen = release(audio, rate, gate_s)
            if math.isfinite(slope):
                released += 1
                slopes.append(slope)
                hanging += fallen < HANG_DB
            again += sounds_again_db(audio, rate, gate_s) > AGAIN_DB
            click = click_db(audio, rate, _ATTACK_S)
            worst_click = max(worst_click, click)
            clicks += click > CLICK_DB
            if gate_s >= _HELD_S:
                drift = held_drift_cents(audio, rate, told)
                if drift is not None:
                    drifts.append(abs(drift))
            if i == 0:
                courses[f"{gate_s:g}"] = [round(float(x), 1) for x in level_db(audio, rate, 0.02)]
            progress(1)
    return {
        "n": total,
        "silent": silent,
        "clicks": clicks,
        "worst_click_db": worst_click,
        "released": released,
        "hanging": hanging,
        "again": again,
        "release_db_per_s": float(np.median(slopes)) if slopes else math.nan,
        "held": len(drifts),
        "drift_cents": max(drifts) if drifts else math.nan,
        "courses": courses,
    }


def held_drift_cents(audio: NDArray[np.float32], rate: int, told: Told) -> float | None:
    """Median pitch of a 10 s note in its tenth second less that in its second; None where it is not audible then."""
    first, last = audio[rate : 2 * rate], audio[round(8.9 * rate) : round(9.9 * rate)]
    if min(float(level_db(part, rate, 0.1).min()) for part in (first, last)) < INAUDIBLE_DB:
        return None
    medians = [
        float(np.median(track_cents(part, rate, float(midi_to_hz(told.pitch)), 100, 100)[10:90]))
        for part in (first, last)
    ]
    return medians[1] - medians[0]


def sustain(
    player: Player, sustained: Sequence[tuple[Latent, Told, NDArray[np.float32]]], progress: Progress
) -> dict[str, Any]:
    """Sustained real notes, rebuilt and held for 10 s: do they live on?

    sustained: latent, conditions and recording of each. dead: those that lose more than 12 dB between their second and
    their tenth second, or are not heard then. movement_db: median deviation of the level of a held note, 50 frames a
    second, slow change taken off, of the rebuilt notes and of the recordings: a dead-straight one has none.
    """
    dead, losses, moved, real_moved = 0, [], [], []
    rate = player.sample_rate
    for z, told, recording in sustained:
        audio = player.note(z, Told(told.pitch, told.velocity, _HELD_S), _HELD_S)
        levels = level_db(audio, rate, 0.02)
        early, late = float(np.median(levels[50:100])), float(np.median(levels[-50:]))
        losses.append(early - late)
        dead += early - late > DEAD_DB or late < INAUDIBLE_DB
        span = slice(round(0.3 * rate), round(min(told.gate_s, len(recording) / rate) * rate))
        moved.append(_movement_db(audio[span], rate))
        real_moved.append(_movement_db(recording[span], rate))
        progress(1)
    return {
        "n": len(sustained),
        "dead": dead,
        "loss_db": float(np.median(losses)) if losses else math.nan,
        "movement_db": float(np.median(moved)) if moved else math.nan,
        "real_movement_db": float(np.median(real_moved)) if real_moved else math.nan,
    }


def is_sustained(real: RealNote, frame_rate: int) -> bool:
    """Does a recorded note keep its level while it is held? Told from a gate of a second on, as training tells it."""
    if real.told.gate_s < 1.0:
        return False
    level = real.note.harmonics.sum(axis=1)
    gate = round(real.told.gate_s * frame_rate)
    decay = hold_decay_db_per_s(level, gate, frame_rate)
    if decay is None or decay > STEADY_DB_PER_S:
        return False
    size = round(_STEADY_FRAME_S * frame_rate)
    held = level[: min(gate, len(level)) // size * size]
    levels_db = 20.0 * np.log10(np.median(held.reshape(-1, size), axis=1) + 1e-6)
    return bool(levels_db.max() - levels_db[-1] <= STEADY_DB)


def _movement_db(audio: NDArray[np.float32], rate: int) -> float:
    levels = level_db(audio, rate, 0.02)
    if len(levels) < 8:
        return math.nan
    n = np.arange(len(levels))
    return float(np.std(levels - np.polyval(np.polyfit(n, levels, 2), n)))
