"""One part for one quantum: its voices and noise, inserts, room, volume and sends; and the buses that it sends to."""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.bits import peak
from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects import process_effect, reset_effect
from noisysynth.dsp.noise import add_stereo_noise
from noisysynth.dsp.room import process_room, reset_room
from noisysynth.effects import EFFECT_INDEX, EFFECT_VALUES, EFFECTS, SENDS
from noisysynth.engine.render_commands import QUIET_S
from noisysynth.engine.render_voice import approach_voice, render_voice
from noisysynth.engine.state import (
    FOREVER,
    INSERT_SETTINGS,
    NOISE_BANDS,
    PARTS,
    QUANTUM,
    RACK,
    PartSetting,
    RackSetting,
)
from noisysynth.parameters import N_INSERTS

SWITCH_FADE_S = 0.01  # of an insert or a room that is exchanged

_VOLUME = int(PartSetting.VOLUME)
_SENDS = int(PartSetting.SEND_CHORUS)
_ROOM = int(PartSetting.ROOM)
_INSERTS = int(PartSetting.INSERTS)
_BUSES = int(RackSetting.BUSES)
_KINDS = len(EFFECTS)
_N_SENDS = len(SENDS)
_BUS_KINDS = np.array([1 + EFFECT_INDEX[effect_id] for effect_id in SENDS])
# What an effect may be told, by kind; the rows of a new kind and of its values may come apart in the queue.
_LOWEST = np.zeros((len(EFFECTS) + 1, EFFECT_VALUES), np.float32)
_HIGHEST = np.zeros((len(EFFECTS) + 1, EFFECT_VALUES), np.float32)
for _kind, _effect in enumerate(EFFECTS, 1):
    _LOWEST[_kind, : len(_effect.parameters)] = [row.minimum for row in _effect.parameters]
    _HIGHEST[_kind, : len(_effect.parameters)] = [row.maximum for row in _effect.parameters]

_QUIET = np.float32(1e-6)
_ABSURD = np.float32(1e6)
# Parts read the same noise loops, each from another place, so that what they play is not the same noise.
_PART_OFFSET = 6_151


@jit
def _render_noise(state, part, loops, lengths):  # type: ignore[no-untyped-def]
    """The band noises of all voices of a part at once: independent noises add in power."""
    power = state.noise_power
    heading = state.noise_heading
    loudest = np.float32(0)
    for side in range(2):
        for b in range(NOISE_BANDS):
            gain = np.sqrt(power[side, b])
            if not gain < np.float32(1e3):
                gain = np.float32(0)
            heading[side, b] = gain
            loudest = max(loudest, gain)
    noisy = loudest > 0.0
    if not noisy and state.part_noisy[part] == 0:
        return
    state.part_noisy[part] = 1 if noisy else 0
    before = state.part_noise_gain[part]
    at = state.rendered[0] + part * _PART_OFFSET
    add_stereo_noise(state.part_left, state.part_right, QUANTUM, loops, lengths, at, before, heading, NOISE_BANDS)
    for side in range(2):
        for b in range(NOISE_BANDS):
            before[side, b] = heading[side, b]


@jit
def _run_effect(state, kind, audio, memory, values):  # type: ignore[no-untyped-def]
    """Return the peak of what comes out of it. One that is no longer finite is emptied, and silent for this quantum."""
    process_effect(kind, audio, QUANTUM, memory, values, state.sample_rate)
    level = peak(audio, QUANTUM)
    if level < _ABSURD:
        return level
    reset_effect(kind, memory, state.sample_rate)
    state.non_finite += QUANTUM
    for i in range(QUANTUM):
        audio[i, 0] = np.float32(0)
        audio[i, 1] = np.float32(0)
    return np.float32(0)


@jit
def _run_insert(state, part, slot, memory, waking):  # type: ignore[no-untyped-def]
    """One insert on part_audio. Another kind than the one that runs waits until that is faded out."""
    at = _INSERTS + slot * INSERT_SETTINGS
    target = state.setting_target[part]
    wanted = np.int64(min(max(target[at], np.float32(0)), np.float32(_KINDS)))
    kind = np.int64(state.insert_kind[part, slot])
    values = state.insert_values[part, slot]
    step = np.float32(QUANTUM / (SWITCH_FADE_S * state.sample_rate))
    before = state.insert_gain[part, slot]
    if kind != wanted and (waking or before == 0.0):
        reset_effect(wanted, memory, state.sample_rate)
        kind = wanted
        state.insert_kind[part, slot] = kind
        for i in range(EFFECT_VALUES):
            values[i] = target[at + 1 + i]
        # Where nothing sounds, nothing needs to be faded.
        before = np.float32(1) if waking and kind > 0 else np.float32(0)
    after = before
    if kind != wanted:
        after = max(before - step, np.float32(0))
    elif kind > 0:
        after = min(before + step, np.float32(1))
        for i in range(EFFECT_VALUES):
            share = np.float32(1) if waking else state.insert_smoothing[kind, i]
            values[i] += (target[at + 1 + i] - values[i]) * share
            values[i] = min(max(values[i], _LOWEST[kind, i]), _HIGHEST[kind, i])
    state.insert_gain[part, slot] = after
    if kind == 0:
        return
    audio = state.part_audio[:]
    dry = state.other_audio[:]
    for i in range(QUANTUM):
        dry[i, 0] = audio[i, 0]
        dry[i, 1] = audio[i, 1]
    _run_effect(state, kind, audio, memory, values)
    if before < 1.0 or after < 1.0:
        ramp = state.ramp
        for i in range(QUANTUM):
            gain = before + (after - before) * ramp[i]
            audio[i, 0] = dry[i, 0] + (audio[i, 0] - dry[i, 0]) * gain
            audio[i, 1] = dry[i, 1] + (audio[i, 1] - dry[i, 1]) * gain


@jit
def _run_room(state, part, responses, memory, waking):  # type: ignore[no-untyped-def]
    """Add what the instrument's own room answers. Another response waits until the one that runs is faded out."""
    step = np.float32(QUANTUM / (SWITCH_FADE_S * state.sample_rate))
    before = state.room_gain[part]
    if state.room_half[part] != state.room_wanted[part] and (waking or before == 0.0):
        state.room_half[part] = state.room_wanted[part]
        before = np.float32(1) if waking else np.float32(0)
    if state.room_half[part] != state.room_wanted[part]:
        after = max(before - step, np.float32(0))
    else:
        after = min(before + step, np.float32(1))
    state.room_gain[part] = after
    share_start = state.setting_before[part, _ROOM] * before
    share_end = state.setting_now[part, _ROOM] * after
    response = responses[part * 2 + state.room_half[part]]
    if response[0] < 1.0 or (state.setting_before[part, _ROOM] == 0.0 and state.setting_now[part, _ROOM] == 0.0):
        state.room_runs[part] = 0
        return
    if state.room_runs[part] == 0:
        reset_room(memory)
        state.room_runs[part] = 1
    audio = state.part_audio[:]
    wet = state.other_audio[:]
    process_room(audio, wet, response, memory)
    if not peak(wet, QUANTUM) < _ABSURD:
        reset_room(memory)
        state.non_finite += QUANTUM
        return
    ramp = state.ramp
    for i in range(QUANTUM):
        share = share_start + (share_end - share_start) * ramp[i]
        audio[i, 0] += wet[i, 0] * share
        audio[i, 1] += wet[i, 1] * share


@jit
def _add_scaled(target, audio, ramp, start, end):  # type: ignore[no-untyped-def]
    for i in range(QUANTUM):
        gain = start + (end - start) * ramp[i]
        target[i, 0] += audio[i, 0] * gain
        target[i, 1] += audio[i, 1] * gain


@jit
def _mix_part(state, part):  # type: ignore[no-untyped-def]
    """Volume, sends and meter."""
    audio = state.part_audio[:]
    ramp = state.ramp
    now = state.setting_now[part]
    before = state.setting_before[part]
    _add_scaled(state.mix, audio, ramp, before[_VOLUME], now[_VOLUME])
    for bus in range(_N_SENDS):
        start = before[_SENDS + bus] * before[_VOLUME]
        end = now[_SENDS + bus] * now[_VOLUME]
        if start != 0.0 or end != 0.0:
            _add_scaled(state.bus_audio[bus], audio, ramp, start, end)
            state.bus_fed[bus] = 1


@jit
def render_part(state, part, loops, lengths, inserts, responses, rooms):  # type: ignore[no-untyped-def]
    """Add the part to state.mix and to the buses. One that has no voices and has long been quiet rests."""
    voice = state.part_first[part]
    waking = state.part_quiet[part] >= QUIET_S * state.sample_rate
    if voice < 0 and waking:
        return
    left = state.part_left
    right = state.part_right
    for i in range(QUANTUM):
        left[i] = np.float32(0)
        right[i] = np.float32(0)
    power = state.noise_power
    for b in range(NOISE_BANDS):
        power[0, b] = np.float32(0)
        power[1, b] = np.float32(0)
    while voice >= 0:
        following = state.voice_next[voice]
        if following >= 0:
            approach_voice(state, following)
        render_voice(state, voice)
        voice = following
    _render_noise(state, part, loops, lengths)
    audio = state.part_audio[:]
    for i in range(QUANTUM):
        audio[i, 0] = left[i]
        audio[i, 1] = right[i]
    for slot in range(N_INSERTS):
        _run_insert(state, part, slot, inserts[part * N_INSERTS + slot], waking)
    _run_room(state, part, responses, rooms[part], waking)
    level = peak(audio, QUANTUM)
    if not level < _ABSURD:
        state.non_finite += QUANTUM
        return
    state.part_quiet[part] = 0 if level >= _QUIET or state.part_first[part] >= 0 else state.part_quiet[part] + QUANTUM
    volume = max(state.setting_before[part, _VOLUME], state.setting_now[part, _VOLUME])
    state.part_peak[part] = max(state.part_peak[part], level * volume)
    _mix_part(state, part)


@jit
def render_bus(state, bus, memory):  # type: ignore[no-untyped-def]
    """Add what the bus makes of what the parts sent to state.mix."""
    quiet = state.bus_quiet[bus]
    if state.bus_fed[bus] == 0 and quiet >= QUIET_S * state.sample_rate:
        return
    audio = state.bus_audio[bus]
    at = _BUSES + bus * EFFECT_VALUES
    values = state.setting_now[RACK][at : at + EFFECT_VALUES]
    kind = np.int64(_BUS_KINDS[bus])
    level = _run_effect(state, kind, audio, memory, values)
    state.bus_quiet[bus] = 0 if level >= _QUIET else quiet + QUANTUM
    mix = state.mix
    for i in range(QUANTUM):
        mix[i, 0] += audio[i, 0]
        mix[i, 1] += audio[i, 1]


@jit
def empty_effects(state, inserts, buses, rooms):  # type: ignore[no-untyped-def]
    """Nothing that was played is heard from now on."""
    limit = QUIET_S * state.sample_rate
    for part in range(PARTS):
        if state.part_quiet[part] < limit:
            for slot in range(N_INSERTS):
                reset_effect(
                    np.int64(state.insert_kind[part, slot]), inserts[part * N_INSERTS + slot], state.sample_rate
                )
            if state.room_runs[part] != 0:
                reset_room(rooms[part])
            state.part_noisy[part] = 0
            for side in range(2):
                for b in range(NOISE_BANDS):
                    state.part_noise_gain[part, side, b] = np.float32(0)
            state.part_quiet[part] = FOREVER
    for bus in range(_N_SENDS):
        if state.bus_quiet[bus] < limit:
            reset_effect(np.int64(_BUS_KINDS[bus]), buses[bus], state.sample_rate)
            state.bus_quiet[bus] = FOREVER
