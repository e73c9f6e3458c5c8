"""One voice for one quantum: control frames to sound on the bus of its part."""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.compiling import bare_jit
from noisysynth.dsp.harmonic import add_partials, partials_below_nyquist
from noisysynth.dsp.lanes import prefetch
from noisysynth.dsp.oscillator import fill_rotation
from noisysynth.dsp.spectral_filter import weight_bands, weight_partials
from noisysynth.dsp.stretched import add_stretched_partials, seed_rotator
from noisysynth.dsp.tilt import weigh_tilt
from noisysynth.engine.state import CONTROLS, NOISE_BANDS, QUANTUM, RING, Control, PartSetting

ATTACK_FADE_S = 0.0005  # hides the step of a note that begins loud
RELEASE_FADE_S = 0.006  # for stolen and silenced notes

_RATIO = int(Control.RATIO)
_LEFT = int(Control.LEFT)
_RIGHT = int(Control.RIGHT)
_TONE = int(Control.TONE)
_NOISE = int(Control.NOISE)
_TILT = int(Control.TILT)
_CUTOFF = int(Control.CUTOFF)
_RESONANCE = int(Control.RESONANCE)
_STRETCH = int(Control.STRETCH)
_FILTER_MODE = int(PartSetting.FILTER_MODE)

# Partials fade out over the last tenth below Nyquist, so a bend does not cut them off.
_TAPER_START = 0.9
_INAUDIBLE = np.float32(1e-8)
_LINE = 16  # float32 in a cache line


@bare_jit
def start_fade(state, voice):  # type: ignore[no-untyped-def]
    """Fade the voice out; one that has not been heard yet ends at once."""
    if state.voice_active[voice] != 0:
        state.voice_gain_step[voice] = np.float32(-1.0 / (RELEASE_FADE_S * state.sample_rate))
        if state.voice_age[voice] < 0:
            state.voice_active[voice] = 0


@bare_jit
def start_voice(state, voice, note_id, onset, part, n_partials):  # type: ignore[no-untyped-def]
    """Begin at the voice's frame 0, which is already in its ring; a note that comes late begins now."""
    state.voice_active[voice] = 1
    state.voice_part[voice] = part
    state.voice_n_partials[voice] = n_partials
    state.voice_note_id[voice] = note_id
    state.voice_onset[voice] = max(onset, state.rendered[0])
    state.voice_age[voice] = -1
    state.voice_slot[voice] = 0
    state.voice_aimed[voice] = -1
    state.voice_phase[voice] = 0.0
    state.voice_stretched[voice] = 0
    state.voice_gain[voice] = np.float32(0)
    state.voice_gain_step[voice] = np.float32(1.0 / (ATTACK_FADE_S * state.sample_rate))
    state.voice_hz[voice] = state.ring_hz[voice, 0]
    for c in range(CONTROLS):
        state.voice_controls[voice, c] = state.ring_controls[voice, 0, c]


@bare_jit
def _head_for_frame(state, voice):  # type: ignore[no-untyped-def]
    """Advance the voice by one quantum and choose the frame it heads for. Return quanta until it is reached."""
    age = state.voice_age[voice] + 1
    state.voice_age[voice] = age
    wanted = age // state.frame_quanta + 1
    slot = wanted % RING
    if state.ring_id[voice, slot] == (state.voice_note_id[voice] << 32) + wanted:
        state.voice_slot[voice] = slot
    elif age % state.frame_quanta == 0 and state.voice_gain_step[voice] >= 0.0:
        state.late_frames += 1
    return state.frame_quanta - age % state.frame_quanta


@bare_jit
def _weigh(state, controls, weights, partials, n, hz, mode):  # type: ignore[no-untyped-def]
    """weights [n]: the partials as heard, with level, tilt and filter, and nothing at Nyquist."""
    nyquist = np.float32(0.5 * state.sample_rate)
    slope = np.float32(1.0 / (1.0 - _TAPER_START))
    step = hz / nyquist * slope
    tone = controls[_TONE]
    stretch = controls[_STRETCH]
    if stretch > 0.0:
        for k in range(n):
            number = np.float32(k + 1)
            place = step * number * np.sqrt(np.float32(1) + stretch * number * number)
            below = min(max(slope - place, np.float32(0)), np.float32(1))
            weights[k] = partials[k] * tone * below
    else:
        for k in range(n):
            below = min(max(slope - step * np.float32(k + 1), np.float32(0)), np.float32(1))
            weights[k] = partials[k] * tone * below
    if controls[_TILT] != 0.0:
        weigh_tilt(weights, n, state.log2_partial, controls[_TILT])
    if mode > 0:
        weight_partials(weights, n, hz, stretch, mode, controls[_CUTOFF], controls[_RESONANCE])


@bare_jit
def _weigh_noise(state, controls, powers, noise, mode):  # type: ignore[no-untyped-def]
    """powers: those of the noise bands as heard, with level and filter."""
    level = controls[_NOISE] * controls[_NOISE]
    for b in range(NOISE_BANDS):
        powers[b] = noise[b] * noise[b] * level
    if mode > 0:
        weight_bands(powers, state.band_hz, mode, controls[_CUTOFF], controls[_RESONANCE])


@bare_jit
def _aim(state, voice, slot, mode):  # type: ignore[no-untyped-def]
    """Work out what the frame in this ring slot sounds like: once a frame, not once a quantum."""
    controls = state.ring_controls[voice, slot]
    hz = state.ring_hz[voice, slot] * controls[_RATIO]
    n = state.voice_n_partials[voice]
    _weigh(state, controls, state.voice_goal[voice], state.ring_partials[voice, slot], n, hz, mode)
    _weigh_noise(state, controls, state.voice_noise_goal[voice], state.ring_noise[voice, slot], mode)
    state.voice_aimed[voice] = slot
    state.voice_aimed_mode[voice] = mode


@bare_jit
def _begin(state, voice, controls, mode):  # type: ignore[no-untyped-def]
    """What the voice would have been heard as at the beginning of its first quantum: as its frame 0."""
    _aim(state, voice, 0, mode)
    state.voice_heard_hz[voice] = state.voice_hz[voice] * controls[_RATIO]
    state.voice_heard_left[voice] = controls[_LEFT]
    state.voice_heard_right[voice] = controls[_RIGHT]
    for k in range(state.voice_n_partials[voice]):
        state.voice_heard[voice, k] = state.voice_goal[voice, k]
    for b in range(NOISE_BANDS):
        state.voice_noise[voice, b] = state.voice_noise_goal[voice, b]


@bare_jit
def _add_tone(state, voice, heard, heading, hz_start, hz_end, first):  # type: ignore[no-untyped-def]
    """Fill state.voice_out, or return False when there is nothing to hear. Either way the phase moves on."""
    count = state.voice_n_partials[voice]
    while count > 0 and heard[count - 1] < _INAUDIBLE and heading[count - 1] < _INAUDIBLE:
        count -= 1
    step = np.float64(hz_start) / state.sample_rate
    bend = (np.float64(hz_end) - np.float64(hz_start)) / (QUANTUM * state.sample_rate)
    # The phase is 0 at the note-on, which may lie inside the quantum; what comes before is not heard.
    phase = state.voice_phase[voice] - (step * first + bend * 0.5 * first * (first - 1))
    end = phase + step * QUANTUM + bend * 0.5 * QUANTUM * (QUANTUM - 1)
    state.voice_phase[voice] = end - np.floor(end)
    stretch = state.voice_controls[voice, _STRETCH]
    rotator = state.voice_rotator[voice]
    # Once its partials have drifted from multiples of one phase, a voice stays with its rotators.
    if stretch > 0.0 and state.voice_stretched[voice] == 0:
        seed_rotator(rotator, phase, state.voice_n_partials[voice])
        state.voice_stretched[voice] = 1
    if count == 0 and state.voice_stretched[voice] == 0:
        return False
    out = state.voice_out[:]
    for i in range(QUANTUM):
        out[i] = np.float32(0)
    if state.voice_stretched[voice] != 0:
        add_stretched_partials(
            out, QUANTUM, rotator, hz_start, hz_end, stretch, state.sample_rate, state.ramp, heard, heading,
            state.voice_n_partials[voice],
        )  # fmt: skip
    else:
        count = partials_below_nyquist(hz_start, hz_end, state.sample_rate, count)
        fill_rotation(state.sin1, state.cos1, QUANTUM, phase, hz_start, hz_end, state.sample_rate)
        add_partials(out, QUANTUM, state.sin1, state.cos1, state.ramp, heard, heading, count)
    return True


@bare_jit
def _add_noise(state, voice, share):  # type: ignore[no-untyped-def]
    """Add the power of the voice's noise bands, left and right, to that of its part."""
    noise = state.voice_noise[voice]
    goal = state.voice_noise_goal[voice]
    controls = state.voice_controls[voice]
    gain = state.voice_gain[voice] * state.voice_gain[voice]
    left = controls[_LEFT] * controls[_LEFT] * gain
    right = controls[_RIGHT] * controls[_RIGHT] * gain
    total = np.float32(0)
    for b in range(NOISE_BANDS):
        noise[b] += (goal[b] - noise[b]) * share
        total += noise[b]
    if not total * (left + right) > np.float32(1e-18):
        return
    part_left = state.noise_power[0]
    part_right = state.noise_power[1]
    for b in range(NOISE_BANDS):
        part_left[b] += noise[b] * left
        part_right[b] += noise[b] * right


@bare_jit
def approach_voice(state, voice):  # type: ignore[no-untyped-def]
    """Have near what the voice will be asked for: 256 of them do not fit into the nearest cache."""
    heard = state.voice_heard[voice]
    goal = state.voice_goal[voice]
    for k in range(0, state.voice_n_partials[voice], _LINE):
        prefetch(heard, k)
        prefetch(goal, k)
    noise = state.voice_noise[voice]
    noise_goal = state.voice_noise_goal[voice]
    for b in range(0, NOISE_BANDS, _LINE):
        prefetch(noise, b)
        prefetch(noise_goal, b)
    prefetch(state.voice_controls[voice], 0)
    age = state.voice_age[voice] + 1
    if age % state.frame_quanta == 0:
        slot = (age // state.frame_quanta + 1) % RING
        partials = state.ring_partials[voice, slot]
        bands = state.ring_noise[voice, slot]
        for k in range(0, state.voice_n_partials[voice], _LINE):
            prefetch(partials, k)
        for b in range(0, NOISE_BANDS, _LINE):
            prefetch(bands, b)
        prefetch(state.ring_controls[voice, slot], 0)


@bare_jit
def render_voice(state, voice):  # type: ignore[no-untyped-def]
    """Add the voice to part_left, part_right and noise_power."""
    part = state.voice_part[voice]
    mode = int(state.setting_now[part, _FILTER_MODE])
    n_partials = state.voice_n_partials[voice]
    controls = state.voice_controls[voice]
    remaining = _head_for_frame(state, voice)
    share = np.float32(1) / np.float32(remaining)
    slot = state.voice_slot[voice]
    first = 0
    if state.voice_age[voice] == 0:
        first = max(state.voice_onset[voice] - state.rendered[0], 0)
        _begin(state, voice, controls, mode)

    goal_controls = state.ring_controls[voice, slot]
    for c in range(CONTROLS):
        controls[c] += (goal_controls[c] - controls[c]) * share
    state.voice_hz[voice] += (state.ring_hz[voice, slot] - state.voice_hz[voice]) * share
    hz_start = state.voice_heard_hz[voice]
    hz_end = state.voice_hz[voice] * controls[_RATIO]
    state.voice_heard_hz[voice] = hz_end
    if state.voice_aimed[voice] != slot or state.voice_aimed_mode[voice] != mode:
        _aim(state, voice, slot, mode)
    goal = state.voice_goal[voice]
    heading = state.partials_heading[:]
    heard = state.voice_heard[voice]
    for k in range(n_partials):
        heading[k] = heard[k] + (goal[k] - heard[k]) * share
    sounds = _add_tone(state, voice, heard, heading, hz_start, hz_end, first)
    for k in range(n_partials):
        heard[k] = heading[k]

    out = state.voice_out
    gain = state.voice_gain[voice]
    step = state.voice_gain_step[voice]
    gain_before = gain
    if step != 0.0:
        if sounds:
            for i in range(QUANTUM):
                out[i] *= min(max(gain + step * np.float32(i + 1 - first), np.float32(0)), np.float32(1))
        gain = min(max(gain + step * np.float32(QUANTUM - first), np.float32(0)), np.float32(1))
        state.voice_gain[voice] = gain
        if step > 0.0 and gain == 1.0:
            state.voice_gain_step[voice] = np.float32(0)
    left = state.voice_heard_left[voice]
    right = state.voice_heard_right[voice]
    left_step = controls[_LEFT] - left
    right_step = controls[_RIGHT] - right
    state.voice_heard_left[voice] = controls[_LEFT]
    state.voice_heard_right[voice] = controls[_RIGHT]
    if sounds:
        total = np.float32(0)
        for i in range(QUANTUM):
            total += abs(out[i])
        # One bad voice must not silence the others.
        if not total < np.float32(1e6):
            state.non_finite += QUANTUM
            state.voice_active[voice] = 0
            return
        ramp = state.ramp
        part_left = state.part_left
        part_right = state.part_right
        for i in range(QUANTUM):
            part_left[i] += out[i] * (left + left_step * ramp[i])
            part_right[i] += out[i] * (right + right_step * ramp[i])
    _add_noise(state, voice, share)
    if step < 0.0 and gain == 0.0 and gain_before == 0.0:
        state.voice_active[voice] = 0
