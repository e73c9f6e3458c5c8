"""The callback's end of the queues: frames, commands and settings that came in."""

from __future__ import annotations

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.effects import SENDS
from noisysynth.engine.atomics import load_acquire, store_release
from noisysynth.engine.render_voice import start_fade, start_voice
from noisysynth.engine.state import (
    CONTROLS,
    FRAME_QUEUE,
    PARTS,
    QUANTUM,
    RING,
    SETTING_QUEUE,
    SETTINGS,
    VOICES,
    Command,
)

MOST_ROWS = 4096  # taken up in one quantum: a few hundred microseconds' worth
QUIET_S = 3.0  # after so long without sound, a part or bus rests

_FRAME = int(Command.FRAME)
_START = int(Command.START)
_FADE = int(Command.FADE)
_SILENCE = int(Command.SILENCE)
_CONTROLS = int(Command.CONTROLS)
_ROOM = int(Command.ROOM)
_N_SENDS = len(SENDS)


@jit
def _take_frame(state, row, voice, frame_id):  # type: ignore[no-untyped-def]
    slot = (frame_id & 0xFFFFFFFF) % RING
    state.ring_id[voice, slot] = frame_id
    state.ring_hz[voice, slot] = state.frame_hz[row]
    if state.voice_aimed[voice] == slot:
        state.voice_aimed[voice] = -1
    for c in range(CONTROLS):
        state.ring_controls[voice, slot, c] = state.frame_controls[row, c]


@jit
def _take_controls(state, row, voice, frame_id):  # type: ignore[no-untyped-def]
    slot = (frame_id & 0xFFFFFFFF) % RING
    if state.ring_id[voice, slot] == frame_id:
        if state.voice_aimed[voice] == slot:
            state.voice_aimed[voice] = -1
        for c in range(CONTROLS):
            state.ring_controls[voice, slot, c] = state.frame_controls[row, c]


@jit
def _silence(state):  # type: ignore[no-untyped-def]
    """Fade everything; effects are emptied once that is done. Where nothing sounds, nothing needs to be."""
    limit = QUIET_S * state.sample_rate
    for voice in range(VOICES):
        start_fade(state, voice)
    for part in range(PARTS):
        if state.part_quiet[part] < limit:
            state.silencing = 1
    for bus in range(_N_SENDS):
        if state.bus_quiet[bus] < limit:
            state.silencing = 1


@jit
def drain_frames(state):  # type: ignore[no-untyped-def]
    """Take up the rows of the frame queue."""
    head = state.frame_head[0]
    tail = min(load_acquire(state.frame_tail, 0), head + MOST_ROWS)
    while head < tail:
        row = head % FRAME_QUEUE
        command = state.frame_command[row]
        voice = state.frame_voice[row]
        frame_id = state.frame_id[row]
        if command == _FRAME:
            _take_frame(state, row, voice, frame_id)
        elif command == _CONTROLS:
            _take_controls(state, row, voice, frame_id)
        elif command == _START:
            start_voice(
                state, voice, frame_id >> 32, state.frame_onset[row], state.frame_part[row], state.frame_n_partials[row]
            )
        elif command == _FADE:
            if state.voice_note_id[voice] == frame_id >> 32:
                start_fade(state, voice)
        elif command == _ROOM:
            state.room_wanted[voice] = state.frame_onset[row]
        elif command == _SILENCE:
            _silence(state)
        head += 1
    store_release(state.frame_head, 0, head)


@jit
def follow_settings(state):  # type: ignore[no-untyped-def]
    """Take the settings that are due by the end of this quantum and move every setting towards its target."""
    end = state.rendered[0] + QUANTUM
    tail = load_acquire(state.setting_tail, 0)
    head = state.setting_head[0]
    while head < tail and state.setting_time[head % SETTING_QUEUE] < end:
        at = head % SETTING_QUEUE
        state.setting_target[state.setting_row[at], state.setting_index[at]] = state.setting_value[at]
        head += 1
    store_release(state.setting_head, 0, head)
    for row in range(PARTS + 1):
        now = state.setting_now[row]
        before = state.setting_before[row]
        target = state.setting_target[row]
        smoothing = state.setting_smoothing[row]
        for i in range(SETTINGS):
            x = now[i]
            before[i] = x
            gap = target[i] - x
            now[i] = target[i] if abs(gap) < np.float32(1e-6) else x + gap * smoothing[i]
