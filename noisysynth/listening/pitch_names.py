"""How pitches are called."""

from __future__ import annotations

import math

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def nearest_key(pitch: float) -> int:
    """The MIDI note nearest to a fractional one."""
    return math.floor(pitch + 0.5)


def pitch_text(pitch: float) -> str:
    """`A4 +12 ct` of a fractional MIDI pitch."""
    key = nearest_key(pitch)
    cents = round(100.0 * (pitch - key))
    name = f"{_NAMES[key % 12]}{key // 12 - 1}"
    return f"{name} {cents:+d} ct" if cents else name
