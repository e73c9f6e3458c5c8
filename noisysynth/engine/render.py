"""The whole signal path, compiled: commands in, voices, parts, effects, limiter, sound out.

`render_block` is what the audio callback runs and what offline rendering runs. It never allocates, locks or calls
Python. Sound is made in quanta of 64 samples and handed out in whatever block size the device asks for, so the block
size changes nothing in the sound.
"""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.dc_blocker import block_dc
from noisysynth.dsp.limiter import guard_and_limit
from noisysynth.effects import SENDS
from noisysynth.engine.atomics import store_release
from noisysynth.engine.denormals import flush_denormals, restore_denormals
from noisysynth.engine.render_commands import drain_frames, follow_settings
from noisysynth.engine.render_part import empty_effects, render_bus, render_part
from noisysynth.engine.render_tone import add_test_tone
from noisysynth.engine.state import PARTS, QUANTUM, RACK, TAPE_LENGTH, VOICES, RackSetting

SILENCE_FADE_S = 0.006
START_FADE_S = 0.02
STOP_FADE_S = 0.01

_VOLUME = int(RackSetting.VOLUME)
_N_SENDS = len(SENDS)


@jit
def _list_voices(state):  # type: ignore[no-untyped-def]
    """Chain the voices that sound in this quantum, part by part."""
    end = state.rendered[0] + QUANTUM
    for part in range(PARTS):
        state.part_first[part] = -1
    active = 0
    for voice in range(VOICES - 1, -1, -1):
        if state.voice_active[voice] != 0 and state.voice_onset[voice] < end:
            part = state.voice_part[voice]
            state.voice_next[voice] = state.part_first[part]
            state.part_first[part] = voice
            active += 1
    state.active_voices = active


@jit
def _clear_mix(state):  # type: ignore[no-untyped-def]
    mix = state.mix
    for i in range(QUANTUM):
        mix[i, 0] = np.float32(0)
        mix[i, 1] = np.float32(0)
    for bus in range(_N_SENDS):
        state.bus_fed[bus] = 0
        audio = state.bus_audio[bus]
        for i in range(QUANTUM):
            audio[i, 0] = np.float32(0)
            audio[i, 1] = np.float32(0)


@jit
def _fade(audio, ramp, start, end):  # type: ignore[no-untyped-def]
    if start == 1.0 and end == 1.0:
        return
    for i in range(QUANTUM):
        gain = start + (end - start) * ramp[i]
        audio[i, 0] *= gain
        audio[i, 1] *= gain


@jit
def _towards(gain, goal, seconds, sample_rate):  # type: ignore[no-untyped-def]
    """One quantum of a linear fade between 0 and 1 that takes so many seconds."""
    step = np.float32(QUANTUM / (seconds * sample_rate))
    return min(gain + step, goal) if goal > gain else max(gain - step, goal)


@jit
def _finish(state, inserts, buses, rooms):  # type: ignore[no-untyped-def]
    """From the mix to what the device gets."""
    quantum = state.quantum
    mix = state.mix
    start = state.setting_before[RACK, _VOLUME]
    end = state.setting_now[RACK, _VOLUME]
    for i in range(QUANTUM):
        gain = start + (end - start) * state.ramp[i]
        quantum[i, 0] = mix[i, 0] * gain
        quantum[i, 1] = mix[i, 1] * gain
    silence = state.silence_gain
    silent = np.float32(0) if state.silencing != 0 else np.float32(1)
    state.silence_gain = _towards(silence, silent, SILENCE_FADE_S, state.sample_rate)
    _fade(quantum, state.ramp, silence, state.silence_gain)
    if state.silencing != 0 and state.silence_gain == 0.0:
        empty_effects(state, inserts, buses, rooms)
        state.silencing = 0
    add_test_tone(state, quantum)
    block_dc(quantum, QUANTUM, state.dc, state.sample_rate)
    state.limiter_gain, bad = guard_and_limit(quantum, QUANTUM, state.limiter_gain, state.sample_rate)
    state.non_finite += bad
    before = state.start_gain
    if state.stop_requested != 0:
        state.start_gain = _towards(before, np.float32(0), STOP_FADE_S, state.sample_rate)
    else:
        state.start_gain = _towards(before, np.float32(1), START_FADE_S, state.sample_rate)
    _fade(quantum, state.ramp, before, state.start_gain)


@jit
def render_quantum(state, loops, lengths, inserts, buses, responses, rooms):  # type: ignore[no-untyped-def]
    """Render QUANTUM samples into state.quantum."""
    drain_frames(state)
    follow_settings(state)
    _list_voices(state)
    _clear_mix(state)
    for part in range(PARTS):
        render_part(state, part, loops, lengths, inserts, responses, rooms)
    for bus in range(_N_SENDS):
        render_bus(state, bus, buses[bus])
    _finish(state, inserts, buses, rooms)
    state.quantum_used = 0
    store_release(state.rendered, 0, state.rendered[0] + QUANTUM)


@jit
def _hand_out(state, out, done, take, tape_at):  # type: ignore[no-untyped-def]
    """Copy `take` samples of the quantum to out from `done` on, and to the tape."""
    channels = out.shape[1]
    for i in range(take):
        left = state.quantum[state.quantum_used + i, 0]
        right = state.quantum[state.quantum_used + i, 1]
        if channels == 1:
            out[done + i, 0] = np.float32(0.5) * (left + right)
        else:
            out[done + i, 0] = left
            out[done + i, 1] = right
            for channel in range(2, channels):
                out[done + i, channel] = np.float32(0)
        state.peak[0] = max(state.peak[0], abs(left))
        state.peak[1] = max(state.peak[1], abs(right))
        at = (tape_at + i) & (TAPE_LENGTH - 1)
        state.tape[at, 0] = left
        state.tape[at, 1] = right


@jit
def render_block(state, loops, lengths, inserts, buses, responses, rooms, out):  # type: ignore[no-untyped-def]
    """Fill out [n, channels] with the next n samples, any n; a single channel gets the mean of both.

    What stands between state and out is `Arena.arrays`.
    """
    n = out.shape[0]
    done = 0
    tape_at = state.tape_position[0]
    floating_point = flush_denormals()
    while done < n:
        if state.quantum_used == QUANTUM:
            render_quantum(state, loops, lengths, inserts, buses, responses, rooms)
        take = min(n - done, QUANTUM - state.quantum_used)
        _hand_out(state, out, done, take, tape_at)
        tape_at += take
        state.quantum_used += take
        done += take
    restore_denormals(floating_point)
    state.callbacks += 1
    store_release(state.tape_position, 0, tape_at)
    store_release(state.position, 0, state.position[0] + n)
