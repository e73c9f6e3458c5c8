"""The control thread's end of the two queues into the callback. One producer each, never waits.

`states` is the state as an array [1]: numba takes 20 us to recognise a record of so many fields, an array 0.3.
"""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.engine.atomics import load_acquire, store_release
from noisysynth.engine.state import CONTROLS, FRAME_QUEUE, RING, SETTING_QUEUE, Command, Control

_FRAME = int(Command.FRAME)
_CONTROLS = int(Command.CONTROLS)
_ABSURD = 1e3  # partials and bands above this are a broken network, not a loud one
# What stands in for a control that is not finite or lies outside of these.
_SAFE = np.zeros(CONTROLS, np.float32)
_SAFE[[Control.RATIO, Control.CUTOFF, Control.RESONANCE]] = 1.0, 14.0, 0.7
_LOWEST = np.zeros(CONTROLS, np.float32)
_LOWEST[[Control.RATIO, Control.TILT, Control.CUTOFF, Control.RESONANCE]] = 1e-3, -100.0, 0.0, 0.05
_HIGHEST = np.full(CONTROLS, 1e3, np.float32)
_HIGHEST[[Control.TILT, Control.CUTOFF, Control.STRETCH]] = 100.0, 17.0, 1.0


@jit
def _write_controls(target, source):  # type: ignore[no-untyped-def]
    """Copy controls [CONTROLS]; return how many had to be made safe."""
    bad = 0
    for c in range(CONTROLS):
        x = source[c]
        if not (x >= _LOWEST[c] and x <= _HIGHEST[c]):
            x = _SAFE[c]
            bad += 1
        target[c] = x
    return bad


@jit
def push_frames(  # type: ignore[no-untyped-def]
    states, voices, note_ids, first_frames, nominal_hz, f0_ratio, amplitude, harmonics, noise, controls
):
    """Queue F control frames for each of V voices; return how many values had to be made safe.

    voices, note_ids, first_frames: int64 [V]; voice v's frames are numbered from first_frames[v]. nominal_hz: [V, F];
    f0_ratio, amplitude, harmonics: the control network's outputs, [V, F], [V, F] and [V, F, H]. noise: band RMS
    [V, F, NOISE_BANDS]. controls: [V, F, CONTROLS]. Frames that do not fit in the queue are dropped: the voice holds.
    Partials and noise are written to their place in the ring at once: copying them once more cost a tenth of a voice.
    """
    state = states[0]
    tail = state.frame_tail[0]
    room = FRAME_QUEUE - (tail - load_acquire(state.frame_head, 0))
    bad = 0
    for v in range(len(voices)):
        for f in range(f0_ratio.shape[1]):
            if room <= 0:
                break
            room -= 1
            row = tail % FRAME_QUEUE
            state.frame_command[row] = _FRAME
            state.frame_voice[row] = voices[v]
            state.frame_id[row] = (note_ids[v] << 32) + first_frames[v] + f
            partials = state.ring_partials[voices[v], (first_frames[v] + f) % RING]
            bands = state.ring_noise[voices[v], (first_frames[v] + f) % RING]
            hz = nominal_hz[v, f] * f0_ratio[v, f]
            if not (hz > 0.0 and hz < 1e6):
                hz = nominal_hz[v, f]
                bad += 1
            state.frame_hz[row] = hz
            level = amplitude[v, f]
            for k in range(harmonics.shape[2]):
                x = level * harmonics[v, f, k]
                if not abs(x) < _ABSURD:
                    x = 0.0
                    bad += 1
                partials[k] = x
            for b in range(noise.shape[2]):
                x = noise[v, f, b]
                if not abs(x) < _ABSURD:
                    x = 0.0
                    bad += 1
                bands[b] = x
            bad += _write_controls(state.frame_controls[row], controls[v, f])
            tail += 1
    store_release(state.frame_tail, 0, tail)
    return bad


@jit
def push_controls(states, voices, note_ids, first_frames, controls):  # type: ignore[no-untyped-def]
    """Queue new controls [V, F, CONTROLS] for frames that were queued before; return how many of the rows fitted.

    voices, note_ids, first_frames: as for `push_frames`. The callback ignores those whose frame never came. What is not
    finite is made safe, and not counted anew.
    """
    state = states[0]
    tail = state.frame_tail[0]
    room = FRAME_QUEUE - (tail - load_acquire(state.frame_head, 0))
    pushed = 0
    for v in range(len(voices)):
        for f in range(controls.shape[1]):
            if pushed >= room:
                break
            row = tail % FRAME_QUEUE
            state.frame_command[row] = _CONTROLS
            state.frame_voice[row] = voices[v]
            state.frame_id[row] = (note_ids[v] << 32) + first_frames[v] + f
            _write_controls(state.frame_controls[row], controls[v, f])
            pushed += 1
            tail += 1
    store_release(state.frame_tail, 0, tail)
    return pushed


@jit
def push_command(states, command, voice, note_id, onset, part, n_partials):  # type: ignore[no-untyped-def]
    """Queue START, FADE, SILENCE or ROOM. Return the queue's new tail, or -1 when there was no room.

    onset, part, n_partials: of a START. ROOM: `voice` is a part, and `onset` the half that holds its new response.
    """
    state = states[0]
    tail = state.frame_tail[0]
    if tail - load_acquire(state.frame_head, 0) >= FRAME_QUEUE:
        return -1
    row = tail % FRAME_QUEUE
    state.frame_command[row] = command
    state.frame_voice[row] = voice
    state.frame_id[row] = note_id << 32
    state.frame_onset[row] = onset
    state.frame_part[row] = part
    state.frame_n_partials[row] = n_partials
    store_release(state.frame_tail, 0, tail + 1)
    return tail + 1


@jit
def push_setting(states, row, index, time, value):  # type: ignore[no-untyped-def]
    """Queue a setting's new target, to hold from sample `time` on. Return whether there was room.

    row: a part, or RACK. A value that is not finite is left out.
    """
    state = states[0]
    tail = state.setting_tail[0]
    if not abs(value) < np.inf:
        return True
    if tail - load_acquire(state.setting_head, 0) >= SETTING_QUEUE:
        return False
    at = tail % SETTING_QUEUE
    state.setting_row[at] = row
    state.setting_index[at] = index
    state.setting_time[at] = time
    state.setting_value[at] = value
    store_release(state.setting_tail, 0, tail + 1)
    return True


@jit
def frame_room(states):  # type: ignore[no-untyped-def]
    """Rows that still fit in the frame queue."""
    state = states[0]
    return FRAME_QUEUE - (state.frame_tail[0] - load_acquire(state.frame_head, 0))


@jit
def consumed_frames(states):  # type: ignore[no-untyped-def]
    """How far the callback has read the frame queue."""
    state = states[0]
    return load_acquire(state.frame_head, 0)


@jit
def rendered_samples(states):  # type: ignore[no-untyped-def]
    """The engine's clock: samples rendered so far."""
    state = states[0]
    return load_acquire(state.rendered, 0)
