"""The control thread's end of the two queues into the callback. One producer each, never waits."""

from __future__ import annotations

from noisysynth.dsp.compiling import jit
from noisysynth.engine.atomics import load_acquire, store_release
from noisysynth.engine.state import FRAME_QUEUE, SETTING_QUEUE, Command

_FRAME = int(Command.FRAME)
_ABSURD = 1e3  # partials and bands above this are a broken network, not a loud one


@jit
def push_frames(  # type: ignore[no-untyped-def]
    state, voices, note_ids, first_frames, nominal_hz, f0_ratio, amplitude, harmonics, noise
):
    """Queue F control frames for each of V voices; return how many values had to be silenced for not being finite.

    voices, note_ids, first_frames: int64 [V]; voice v's frames are numbered from first_frames[v]. nominal_hz: [V];
    the rest are the control network's outputs. Frames that do not fit in the queue are dropped: the voice holds.
    """
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
            hz = nominal_hz[v] * f0_ratio[v, f]
            if not (hz > 0.0 and hz < 1e6):
                hz = nominal_hz[v]
                bad += 1
            state.frame_hz[row] = hz
            level = amplitude[v, f]
            for k in range(harmonics.shape[2]):
                x = level * harmonics[v, f, k]
                if not abs(x) < _ABSURD:
                    x = 0.0
                    bad += 1
                state.frame_partials[row, k] = x
            for b in range(noise.shape[2]):
                x = noise[v, f, b]
                if not abs(x) < _ABSURD:
                    x = 0.0
                    bad += 1
                state.frame_noise[row, b] = x
            tail += 1
    store_release(state.frame_tail, 0, tail)
    return bad


@jit
def push_command(state, command, voice, note_id, onset):  # type: ignore[no-untyped-def]
    """Queue START, FADE or SILENCE. Return the queue's new tail, or -1 when there was no room."""
    tail = state.frame_tail[0]
    if tail - load_acquire(state.frame_head, 0) >= FRAME_QUEUE:
        return -1
    row = tail % FRAME_QUEUE
    state.frame_command[row] = command
    state.frame_voice[row] = voice
    state.frame_id[row] = note_id << 32
    state.frame_onset[row] = onset
    store_release(state.frame_tail, 0, tail + 1)
    return tail + 1


@jit
def push_setting(state, index, time, value):  # type: ignore[no-untyped-def]
    """Queue a setting's new target, to hold from sample `time` on. Return whether there was room."""
    tail = state.setting_tail[0]
    if tail - load_acquire(state.setting_head, 0) >= SETTING_QUEUE:
        return False
    row = tail % SETTING_QUEUE
    state.setting_index[row] = index
    state.setting_time[row] = time
    state.setting_value[row] = value
    store_release(state.setting_tail, 0, tail + 1)
    return True


@jit
def frame_room(state):  # type: ignore[no-untyped-def]
    """Rows that still fit in the frame queue."""
    return FRAME_QUEUE - (state.frame_tail[0] - load_acquire(state.frame_head, 0))


@jit
def consumed_frames(state):  # type: ignore[no-untyped-def]
    """How far the callback has read the frame queue."""
    return load_acquire(state.frame_head, 0)


@jit
def rendered_samples(state):  # type: ignore[no-untyped-def]
    """The engine's clock: samples rendered so far."""
    return load_acquire(state.rendered, 0)
