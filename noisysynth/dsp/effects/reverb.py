"""Reverb: sixteen delay lines that feed each other through a Hadamard matrix, behind a pre-delay and diffusers.

Each line loses, each time round, what makes it fall by 60 dB within the decay, and half as long at the damping
frequency, whatever its length (Jot and Chaigne 1991). Slow swings of the lines keep it from ringing. The output is
scaled so that a steady sound keeps its power: neither decay nor size change how loud the room is.
"""

from __future__ import annotations

import math

import numpy as np

from noisysynth.dsp.compiling import jit
from noisysynth.dsp.effects.blending import BEFORE, HEADER, OWN, begin, blend_powers, clean, finish
from noisysynth.dsp.effects.lines import GUARD, READ_BEHIND, approach, forget_line, read_line, write_line

_DECAY, _SIZE, _DAMPING, _PRE_DELAY, _WIDTH, _MIX = range(6)

LINES = 16
# Lengths at size 1, in seconds: primes at 48 kHz, each about a ninth longer than the one before, then shuffled.
_LENGTHS = np.array(
    [887, 2053, 1361, 3121, 983, 4297, 1663, 2531, 1213, 3863, 1847, 2819, 1091, 3469, 1499, 2281], np.float32
) / np.float32(48_000)
_LONGEST_S = 4297 / 48_000
# Orthogonal, and no rows of the Hadamard matrix, or an output would be the input of one line.
_LEFT = np.array([1, 1, -1, 1, -1, -1, 1, -1, 1, -1, 1, 1, -1, 1, -1, -1], np.float32)
_RIGHT = np.array([1, -1, 1, 1, -1, 1, -1, -1, -1, -1, 1, -1, 1, 1, -1, 1], np.float32)
_SWING_S = 0.00028  # bends by 2 cents
_SWING_HZ = 0.7
# Of the diffusers in a row: seconds left and right, and gains (Dattorro 1997, at its 29.8 kHz).
_DIFFUSERS = 4
_DIFFUSER_S = np.array([[142, 107, 379, 277], [151, 113, 347, 293]], np.float32) / np.float32(29_761)
_DIFFUSER_GAIN = np.array([0.75, 0.75, 0.625, 0.625], np.float32)
_LONGEST_DIFFUSER_S = 379 / 29_761
_LONGEST_PRE_S = 0.2

_AT_PRE, _AT_DIFFUSER, _AT_LINE = OWN, OWN + 1, OWN + 2  # next index in the lines of each kind
_WRITTEN = OWN + 3  # samples since the reset, up to what the longest line holds
_PRE = OWN + 4  # pre-delay, samples
_SCALE = OWN + 5  # of the lengths
_PHASE = OWN + 6  # of the swing, turns
_LEVEL = OWN + 7  # of the output
_DELAYS = HEADER  # for each line, as the last quantum ended: delay in samples, gain, damping, the damper's memory
_GAINS = _DELAYS + LINES
_DAMPINGS = _GAINS + LINES
_LOW = _DAMPINGS + LINES
_GAINS_END = _LOW + LINES  # where gains and dampings go in this quantum
_DAMPINGS_END = _GAINS_END + LINES
_IN = _DAMPINGS_END + LINES  # sound on its way into the room: left, right
_OUT = _IN + 2 * 64  # and out of it
_WORK = _OUT + 2 * 64
_ROUND = _WORK + 64  # what comes out of the lines, and goes in again
_RINGS = _ROUND + LINES * 64


@jit
def _pre_size(sample_rate):  # type: ignore[no-untyped-def]
    return int(_LONGEST_PRE_S * sample_rate) + 2 * READ_BEHIND + GUARD


@jit
def _diffuser_size(sample_rate):  # type: ignore[no-untyped-def]
    return int(_LONGEST_DIFFUSER_S * sample_rate) + 2 * READ_BEHIND + GUARD


@jit
def _line_size(sample_rate):  # type: ignore[no-untyped-def]
    return int((_LONGEST_S + 2 * _SWING_S) * sample_rate) + 2 * READ_BEHIND + GUARD


def memory_floats(sample_rate: float) -> int:
    rate = float(sample_rate)
    return int(_RINGS + 2 * _pre_size(rate) + 2 * _DIFFUSERS * _diffuser_size(rate) + LINES * _line_size(rate))


@jit
def _rings(memory, sample_rate):  # type: ignore[no-untyped-def]
    """Parts of the memory: pre-delay lines, diffusers, lines."""
    diffusers = _RINGS + 2 * _pre_size(sample_rate)
    lines = diffusers + 2 * _DIFFUSERS * _diffuser_size(sample_rate)
    end = lines + LINES * _line_size(sample_rate)
    return memory[_RINGS:diffusers], memory[diffusers:lines], memory[lines:end]


@jit
def _design(gains, dampings, scale, values, sample_rate):  # type: ignore[no-untyped-def]
    """Write each line's gain and one-pole damping; return the level that gives the output the input's power.

    The damping b of (1 - b) / (1 - b / z) is where its magnitude at the damping frequency is the gain once more.
    """
    across = math.cos(2.0 * math.pi * min(values[_DAMPING] / sample_rate, 0.45))
    power = 0.0
    for line in range(LINES):
        db = -60.0 * _LENGTHS[line] * scale / values[_DECAY]
        square = 10.0 ** (0.1 * db)
        middle = (1.0 - square * across) / (1.0 - square)
        gains[line] = np.float32(math.sqrt(square))
        dampings[line] = np.float32(middle - math.sqrt(middle * middle - 1.0))
        power += square
    return np.float32(math.sqrt((1.0 - power / LINES) / LINES))


@jit
def _diffuse(sound, work, rings, at, written, channel, n, sample_rate):  # type: ignore[no-untyped-def]
    """All-passes in place (Schroeder 1962); return the next index."""
    size = _diffuser_size(sample_rate)
    after = at
    for stage in range(_DIFFUSERS):
        start = (channel * _DIFFUSERS + stage) * size
        ring = rings[start : start + size]
        gain = _DIFFUSER_GAIN[stage]
        delay = max(math.floor(_DIFFUSER_S[channel, stage] * sample_rate), READ_BEHIND)
        read_line(ring, at, written, float(delay), float(delay), work, n)
        for i in range(n):
            late = work[i]
            into = sound[i] + gain * late
            sound[i] = late - gain * into
            work[i] = into
        after = write_line(ring, at, work, n)
    return after


@jit
def _mix_lines(rows):  # type: ignore[no-untyped-def]
    """Hadamard matrix times the sound of the lines, rows [LINES * 64], in place; its size is LINES ** 0.5."""
    apart = 1
    while apart < LINES:
        for line in range(LINES):
            if line & apart == 0:
                one = rows[line * 64 : (line + 1) * 64]
                other = rows[(line + apart) * 64 : (line + apart + 1) * 64]
                for i in range(64):
                    difference = one[i] - other[i]
                    one[i] += other[i]
                    other[i] = difference
        apart *= 2


@jit
def _approach_room(audio, n, memory, fresh, rings, diffusers, values, sample_rate):  # type: ignore[no-untyped-def]
    """Send audio through pre-delay and diffusers to the memory's _IN."""
    count = np.float32(n)
    wanted = np.float32(max(0.001 * values[_PRE_DELAY] * sample_rate, 1.0))
    delay = wanted if fresh else memory[_PRE]
    delay_end = np.float32(approach(delay, wanted, np.float32(0.5) * count, count))
    at = int(memory[_AT_PRE])
    at_diffuser = int(memory[_AT_DIFFUSER])
    written = int(memory[_WRITTEN])
    size = _pre_size(sample_rate)
    work = memory[_WORK:_ROUND]
    for channel in range(2):
        ring = rings[channel * size : (channel + 1) * size]
        sound = memory[_IN + channel * 64 : _IN + (channel + 1) * 64]
        for i in range(n):
            work[i] = audio[i, channel]
        # Written first, so that the delay may be next to nothing.
        memory[_AT_PRE] = write_line(ring, at, work, n)
        read_line(ring, at, written, float(delay), float(delay_end), sound, n)
        memory[_AT_DIFFUSER] = _diffuse(sound, work, diffusers, at_diffuser, written, channel, n, sample_rate)
    memory[_PRE] = delay_end


@jit
def _read_lines(memory, n, fresh, rings, scale, sample_rate):  # type: ignore[no-untyped-def]
    """Fill the memory's _ROUND."""
    phase = memory[_PHASE] + np.float32(n * _SWING_HZ / sample_rate)
    memory[_PHASE] = phase - np.floor(phase)
    at = int(memory[_AT_LINE])
    written = int(memory[_WRITTEN])
    size = _line_size(sample_rate)
    for line in range(LINES):
        swing = 1.0 + math.sin(2.0 * math.pi * (phase + 0.381966 * line))
        delay_end = np.float32((_LENGTHS[line] * scale + _SWING_S * swing) * sample_rate)
        delay = delay_end if fresh else memory[_DELAYS + line]
        ring = rings[line * size : (line + 1) * size]
        row = memory[_ROUND + line * 64 : _ROUND + (line + 1) * 64]
        read_line(ring, at, written, float(delay), float(delay_end), row, n)
        memory[_DELAYS + line] = delay_end


@jit
def _listen(memory, n, level_start, level_end):  # type: ignore[no-untyped-def]
    """Fill the memory's _OUT with what is heard of the lines."""
    left = memory[_OUT : _OUT + 64]
    right = memory[_OUT + 64 : _WORK]
    for i in range(n):
        left[i] = np.float32(0)
        right[i] = np.float32(0)
    for line in range(LINES):
        row = memory[_ROUND + line * 64 : _ROUND + (line + 1) * 64]
        to_left = _LEFT[line]
        to_right = _RIGHT[line]
        for i in range(n):
            left[i] += to_left * row[i]
            right[i] += to_right * row[i]
    step = (level_end - level_start) / np.float32(n)
    for i in range(n):
        level = level_start + step * np.float32(i + 1)
        left[i] *= level
        right[i] *= level


@jit
def _lose(memory, n, fresh):  # type: ignore[no-untyped-def]
    """Gain and damping of the lines; each gain holds the size of the matrix, too."""
    share = np.float32(1) / np.float32(n)
    unit = np.float32(1.0 / math.sqrt(LINES))
    for line in range(LINES):
        gain_end = unit * memory[_GAINS_END + line]
        damping_end = memory[_DAMPINGS_END + line]
        gain = gain_end if fresh else memory[_GAINS + line]
        damping = damping_end if fresh else memory[_DAMPINGS + line]
        gain_step = (gain_end - gain) * share
        damping_step = (damping_end - damping) * share
        low = memory[_LOW + line]
        row = memory[_ROUND + line * 64 : _ROUND + (line + 1) * 64]
        for i in range(n):
            damping += damping_step
            gain += gain_step
            low = damping * low + (np.float32(1) - damping) * row[i]
            row[i] = gain * low
        memory[_LOW + line] = clean(low)
        memory[_GAINS + line] = gain_end
        memory[_DAMPINGS + line] = damping_end


@jit
def _write_lines(memory, n, rings, sample_rate):  # type: ignore[no-untyped-def]
    """Mix the lines, add what comes into the room, to the even ones from the left, and write them."""
    rows = memory[_ROUND:_RINGS]
    _mix_lines(rows)
    at = int(memory[_AT_LINE])
    size = _line_size(sample_rate)
    for line in range(LINES):
        row = rows[line * 64 : (line + 1) * 64]
        start = _IN if line % 2 == 0 else _IN + 64
        sound = memory[start : start + 64]
        for i in range(n):
            row[i] += sound[i]
        memory[_AT_LINE] = write_line(rings[line * size : (line + 1) * size], at, row, n)


@jit
def _set_width(left, right, n, width_start, width_end):  # type: ignore[no-untyped-def]
    """Weigh the difference of the channels, and keep their power."""
    half = np.float32(0.5)
    two = np.float32(2)
    one = np.float32(1)
    step = (width_end - width_start) / np.float32(n)
    for i in range(n):
        width = width_start + step * np.float32(i + 1)
        kept = half * np.sqrt(two / (one + width * width))
        middle = kept * (left[i] + right[i])
        side = kept * width * (left[i] - right[i])
        left[i] = middle + side
        right[i] = middle - side


@jit
def process(audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    fresh = memory[0] == np.float32(0)
    begin(memory, values)
    before = memory[BEFORE:OWN]
    pre_rings, diffusers, rings = _rings(memory, sample_rate)
    _approach_room(audio, n, memory, fresh, pre_rings, diffusers, values, sample_rate)

    most = np.float32(0.5 / (_LONGEST_S * sample_rate)) * np.float32(n)
    scale = values[_SIZE] if fresh else approach(memory[_SCALE], values[_SIZE], most, most)
    memory[_SCALE] = scale
    gains = memory[_GAINS_END:_DAMPINGS_END]
    dampings = memory[_DAMPINGS_END:_IN]
    level = _design(gains, dampings, scale, values, sample_rate)
    _read_lines(memory, n, fresh, rings, scale, sample_rate)
    _listen(memory, n, level if fresh else memory[_LEVEL], level)
    _lose(memory, n, fresh)
    _write_lines(memory, n, rings, sample_rate)
    memory[_LEVEL] = level
    memory[_WRITTEN] = min(int(memory[_WRITTEN]) + n, pre_rings.shape[0])

    left = memory[_OUT : _OUT + 64]
    right = memory[_OUT + 64 : _WORK]
    _set_width(left, right, n, before[_WIDTH], values[_WIDTH])
    blend_powers(audio, left, right, n, before[_MIX], values[_MIX])
    finish(memory, values)


@jit
def _forget_lines(lines, size):  # type: ignore[no-untyped-def]
    # A range in steps of `size` would bring code that raises an error for steps of 0.
    for i in range(lines.shape[0] // size):
        forget_line(lines[i * size : (i + 1) * size])


@jit
def reset(memory, sample_rate):  # type: ignore[no-untyped-def]
    for i in range(_RINGS):
        memory[i] = np.float32(0)
    pre_rings, diffusers, rings = _rings(memory, sample_rate)
    _forget_lines(pre_rings, _pre_size(sample_rate))
    _forget_lines(diffusers, _diffuser_size(sample_rate))
    _forget_lines(rings, _line_size(sample_rate))
