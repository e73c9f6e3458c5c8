"""The whole signal path, compiled: commands in, voices, noise, limiter, sound out.

`render_block` is what the audio callback runs and what offline rendering runs. It never allocates, locks or calls
Python. Sound is made in quanta of 64 samples and handed out in whatever block size the device asks for, so the block
size changes nothing in the sound.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.harmonic import add_partials, partials_below_nyquist
from noisysynth.dsp.limiter import guard_and_limit
from noisysynth.dsp.noise import add_noise_bands
from noisysynth.dsp.oscillator import fill_rotation
from noisysynth.engine.atomics import load_acquire, store_release
from noisysynth.engine.state import (
    FRAME_QUEUE,
    QUANTUM,
    RING,
    SCOPE_LENGTH,
    SETTING_QUEUE,
    SETTINGS,
    VOICES,
    Command,
    Setting,
)

ATTACK_FADE_S = 0.001  # hides the step of a note that begins loud
RELEASE_FADE_S = 0.006  # for stolen and silenced notes

_FRAME = int(Command.FRAME)
_START = int(Command.START)
_FADE = int(Command.FADE)
_VOLUME = int(Setting.VOLUME)
_TONE = int(Setting.TONE)
_NOISE = int(Setting.NOISE)
_BRIGHTNESS = int(Setting.BRIGHTNESS)
_BEND = int(Setting.BEND)
_VIBRATO_DEPTH = int(Setting.VIBRATO_DEPTH)
_VIBRATO_RATE = int(Setting.VIBRATO_RATE)

# Partials fade out over the last tenth below Nyquist, so a bend does not cut them off.
_TAPER_START = 0.9
_INAUDIBLE = np.float32(1e-8)
# Noise is half shared by both channels and half opposed: wide, but still one instrument.
_MID = np.float32(math.cos(math.pi / 6))
_SIDE = np.float32(math.sin(math.pi / 6))
# The side reads the same loops this much further on.
_SIDE_OFFSET = 31_337


@jit
def _copy(target, source, n):  # type: ignore[no-untyped-def]
    for i in range(n):
        target[i] = source[i]


@jit
def _start_fade(state, voice):  # type: ignore[no-untyped-def]
    if state.voice_active[voice] != 0:
        state.voice_gain_step[voice] = np.float32(-1.0 / (RELEASE_FADE_S * state.sample_rate))


@jit
def _start_voice(state, voice, note_id, onset):  # type: ignore[no-untyped-def]
    """Begin at the voice's frame 0, which is already in its ring; a note that comes late begins now."""
    state.voice_active[voice] = 1
    state.voice_note_id[voice] = note_id
    state.voice_onset[voice] = max(onset, state.rendered[0])
    state.voice_age[voice] = -1
    state.voice_slot[voice] = 0
    state.voice_phase[voice] = 0.0
    state.voice_gain[voice] = np.float32(0)
    state.voice_gain_step[voice] = np.float32(1.0 / (ATTACK_FADE_S * state.sample_rate))
    n = state.n_harmonics
    state.voice_hz[voice] = state.ring_hz[voice, 0]
    _copy(state.voice_partials[voice], state.ring_partials[voice, 0], n)
    _copy(state.voice_noise[voice], state.ring_noise[voice, 0], state.n_noise_bands)
    for k in range(n):
        state.voice_heard[voice, k] = np.float32(0)


@jit
def _drain_frames(state):  # type: ignore[no-untyped-def]
    tail = load_acquire(state.frame_tail, 0)
    head = state.frame_head[0]
    while head < tail:
        row = head % FRAME_QUEUE
        command = state.frame_command[row]
        voice = state.frame_voice[row]
        frame_id = state.frame_id[row]
        if command == _FRAME:
            slot = (frame_id & 0xFFFFFFFF) % RING
            state.ring_id[voice, slot] = frame_id
            state.ring_hz[voice, slot] = state.frame_hz[row]
            _copy(state.ring_partials[voice, slot], state.frame_partials[row], state.n_harmonics)
            _copy(state.ring_noise[voice, slot], state.frame_noise[row], state.n_noise_bands)
        elif command == _START:
            _start_voice(state, voice, frame_id >> 32, state.frame_onset[row])
        elif command == _FADE:
            if state.voice_note_id[voice] == frame_id >> 32:
                _start_fade(state, voice)
        else:
            for each in range(VOICES):
                _start_fade(state, each)
        head += 1
    store_release(state.frame_head, 0, head)


@jit
def _follow_settings(state):  # type: ignore[no-untyped-def]
    """Take the settings that are due by the end of this quantum and move every setting towards its target."""
    end = state.rendered[0] + QUANTUM
    tail = load_acquire(state.setting_tail, 0)
    head = state.setting_head[0]
    while head < tail and state.setting_time[head % SETTING_QUEUE] < end:
        row = head % SETTING_QUEUE
        state.setting_target[state.setting_index[row]] = state.setting_value[row]
        head += 1
    store_release(state.setting_head, 0, head)
    for i in range(SETTINGS):
        gap = state.setting_target[i] - state.setting_now[i]
        if abs(gap) < np.float32(1e-6):
            state.setting_now[i] = state.setting_target[i]
        else:
            state.setting_now[i] += gap * state.setting_smoothing[i]


@jit
def _head_for_frame(state, voice):  # type: ignore[no-untyped-def]
    """Advance the voice by one quantum and choose the frame it heads for. Return quanta until it is reached."""
    age = state.voice_age[voice] + 1
    state.voice_age[voice] = age
    wanted = age // state.frame_quanta + 1
    slot = wanted % RING
    if state.ring_id[voice, slot] == (state.voice_note_id[voice] << 32) + wanted:
        state.voice_slot[voice] = slot
    elif age % state.frame_quanta == 0:
        state.late_frames += 1
    return state.frame_quanta - age % state.frame_quanta


@jit
def _render_voice(state, voice, pitch_ratio):  # type: ignore[no-untyped-def]
    n_partials = state.n_harmonics
    remaining = _head_for_frame(state, voice)
    share = np.float32(1) / np.float32(remaining)
    slot = state.voice_slot[voice]

    if state.voice_age[voice] == 0:
        state.voice_heard_hz[voice] = state.voice_hz[voice] * pitch_ratio
    state.voice_hz[voice] += (state.ring_hz[voice, slot] - state.voice_hz[voice]) * share
    hz_start = state.voice_heard_hz[voice]
    hz_end = state.voice_hz[voice] * pitch_ratio
    state.voice_heard_hz[voice] = hz_end

    nyquist = 0.5 * state.sample_rate
    taper_slope = np.float32(1.0 / ((1.0 - _TAPER_START) * nyquist))
    partials = state.voice_partials[voice]
    goal = state.ring_partials[voice, slot]
    partials_heading = state.partials_heading
    for k in range(n_partials):
        partials[k] += (goal[k] - partials[k]) * share
        below_nyquist = (np.float32(nyquist) - np.float32(k + 1) * np.float32(hz_end)) * taper_slope
        partials_heading[k] = partials[k] * state.tilt[k] * min(max(below_nyquist, np.float32(0)), np.float32(1))

    heard = state.voice_heard[voice]
    count = partials_below_nyquist(hz_start, hz_end, state.sample_rate, n_partials)
    while count > 0 and heard[count - 1] < _INAUDIBLE and partials_heading[count - 1] < _INAUDIBLE:
        count -= 1

    # Samples before a note-on that lies inside this quantum stay silent, and its phase waits.
    first = 0
    if state.voice_age[voice] == 0:
        first = max(state.voice_onset[voice] - state.rendered[0], 0)
    n = QUANTUM - first
    out = state.voice_out
    for i in range(QUANTUM):
        out[i] = np.float32(0)
    state.voice_phase[voice] = fill_rotation(
        state.sin1, state.cos1, n, state.voice_phase[voice], hz_start, hz_end, state.sample_rate
    )
    add_partials(out, n, state.sin1, state.cos1, state.sin_k, state.cos_k, heard, partials_heading, count)
    _copy(heard, partials_heading, n_partials)

    gain = state.voice_gain[voice]
    step = state.voice_gain_step[voice]
    gain_before = gain
    if step != 0.0:
        for i in range(n):
            gain = min(max(gain + step, np.float32(0)), np.float32(1))
            out[i] *= gain
        state.voice_gain[voice] = gain
        if gain == 1.0 and step > 0.0:
            state.voice_gain_step[voice] = np.float32(0)
    total = np.float32(0)
    for i in range(n):
        total += abs(out[i])
    # One bad voice must not silence the others.
    if not total < np.float32(1e6):
        state.non_finite += n
        state.voice_active[voice] = 0
        return
    for i in range(n):
        state.tone[first + i] += out[i]

    noise = state.voice_noise[voice]
    noise_goal = state.ring_noise[voice, slot]
    for b in range(state.n_noise_bands):
        noise[b] += (noise_goal[b] - noise[b]) * share
        heard_noise = noise[b] * gain
        state.noise_power[b] += heard_noise * heard_noise
    if step < 0.0 and gain == 0.0 and gain_before == 0.0:
        state.voice_active[voice] = 0


@jit
def _render_noise(state, loops, lengths):  # type: ignore[no-untyped-def]
    """Band noises of all voices at once: independent noises add in power."""
    level = state.setting_now[_NOISE]
    gain_end = state.noise_heading
    for b in range(state.n_noise_bands):
        gain = np.float32(math.sqrt(state.noise_power[b]) * level)
        gain_end[b] = gain if gain < np.float32(1e3) else np.float32(0)
    for i in range(QUANTUM):
        state.noise_mid[i] = np.float32(0)
        state.noise_side[i] = np.float32(0)
    at = state.rendered[0]
    bands = state.n_noise_bands
    add_noise_bands(state.noise_mid, QUANTUM, loops, lengths, at, state.noise_gain, gain_end, bands)
    add_noise_bands(state.noise_side, QUANTUM, loops, lengths, at + _SIDE_OFFSET, state.noise_gain, gain_end, bands)
    _copy(state.noise_gain, gain_end, bands)


@jit
def render_quantum(state, loops, lengths):  # type: ignore[no-untyped-def]
    """Render QUANTUM samples into state.quantum."""
    volume_start = state.setting_now[_VOLUME]
    _follow_settings(state)
    now = state.setting_now

    state.vibrato_phase += now[_VIBRATO_RATE] * QUANTUM / state.sample_rate
    state.vibrato_phase -= math.floor(state.vibrato_phase)
    semitones = now[_BEND] + now[_VIBRATO_DEPTH] * math.sin(2.0 * math.pi * state.vibrato_phase)
    state.pitch_ratio = 2.0 ** (semitones / 12.0)
    tilt_per_octave = now[_BRIGHTNESS] * np.float32(math.log(10.0) / 20.0)
    for k in range(state.n_harmonics):
        state.tilt[k] = now[_TONE] * np.float32(math.exp(tilt_per_octave * state.log2_partial[k]))

    for i in range(QUANTUM):
        state.tone[i] = np.float32(0)
    for b in range(state.n_noise_bands):
        state.noise_power[b] = np.float32(0)
    active = 0
    end = state.rendered[0] + QUANTUM
    for voice in range(VOICES):
        if state.voice_active[voice] != 0 and state.voice_onset[voice] < end:
            _render_voice(state, voice, state.pitch_ratio)
            active += 1
    state.active_voices = active
    _render_noise(state, loops, lengths)

    volume_step = (now[_VOLUME] - volume_start) / np.float32(QUANTUM)
    quantum = state.quantum
    for i in range(QUANTUM):
        volume = volume_start + volume_step * np.float32(i)
        mid = state.tone[i] + _MID * state.noise_mid[i]
        side = _SIDE * state.noise_side[i]
        quantum[i, 0] = (mid + side) * volume
        quantum[i, 1] = (mid - side) * volume
    state.limiter_gain, bad = guard_and_limit(quantum, QUANTUM, state.limiter_gain, state.sample_rate)
    state.non_finite += bad
    state.quantum_used = 0
    store_release(state.rendered, 0, end)


@jit
def render_block(state, loops, lengths, out):  # type: ignore[no-untyped-def]
    """Fill out [n, channels] with the next n samples, any n; a single channel gets the mean of both."""
    n = out.shape[0]
    channels = out.shape[1]
    done = 0
    scope_at = state.scope_position[0]
    while done < n:
        if state.quantum_used == QUANTUM:
            _drain_frames(state)
            render_quantum(state, loops, lengths)
        take = min(n - done, QUANTUM - state.quantum_used)
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
            state.scope[scope_at % SCOPE_LENGTH, 0] = left
            state.scope[scope_at % SCOPE_LENGTH, 1] = right
            scope_at += 1
        state.quantum_used += take
        done += take
    store_release(state.scope_position, 0, scope_at)
    store_release(state.position, 0, state.position[0] + n)
