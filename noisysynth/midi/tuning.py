"""Scala tunings: a scale (.scl) and how it lies on the keyboard (.kbm) become a pitch for every key.

Without a mapping, degree 0 lies on key 60 and key 69 stays at 440 Hz, as in most instruments.
Formats: https://www.huygens-fokker.org/scala/scl_format.html and .../help.htm#mappings
"""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from noisysynth.errors import UserError

_MOST_BYTES = 1 << 20
_MOST_NOTES = 1024
_MOST_DEGREES = 10_000
_PITCHES = (-12.0, 140.0)  # 4 Hz to 26.6 kHz; a key beyond is silent


@dataclasses.dataclass(frozen=True, eq=False)
class Tuning:
    """pitches: [128], MIDI note numbers (69: 440 Hz), fractional, of every key; NaN: the key is silent."""

    name: str
    pitches: NDArray[np.float64]


EQUAL = Tuning("12-tone equal temperament", np.arange(128, dtype=np.float64))


@dataclasses.dataclass(frozen=True)
class _Mapping:
    """How scale degrees lie on keys; None in `degrees`: an unmapped key. No degrees: one after the other."""

    first: int = 0
    last: int = 127
    middle: int = 60
    reference: int = 69
    reference_hz: float = 440.0
    octave_degree: int = 0  # 0: the scale's own
    degrees: tuple[int | None, ...] = ()


def read_tuning(scl: Path, kbm: Path | None = None) -> Tuning:
    """The tuning of a scale file and, if there is one, a keyboard mapping. UserError on a file that is neither."""
    name, cents = _read_scale(scl)
    return Tuning(name, _pitches(cents, _read_mapping(kbm) if kbm else _Mapping(), kbm or scl))


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); choose a Scala file") from None
    if len(data) > _MOST_BYTES or b"\0" in data:
        raise UserError(f"{path}: not a Scala file; choose one ending in .scl or .kbm")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # as most of Scala's archive is
    # Not splitlines: it also breaks at characters that may stand in a name.
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text) if not line.lstrip().startswith("!")]


def _cents(word: str) -> float:
    """A period means cents, otherwise it is a ratio or a whole number. ValueError for anything else."""
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+)", word):
        return float(word)
    match = re.fullmatch(r"(\d{1,300})(?:/(\d{1,300}))?", word)
    if not match or not int(match[1]) or not int(match[2] or 1):
        raise ValueError(word)
    return 1200.0 * (math.log2(int(match[1])) - math.log2(int(match[2] or 1)))


def _read_scale(path: Path) -> tuple[str, list[float]]:
    """Name, and cents of degrees 1..n; the last is the octave."""
    lines = _lines(path)
    try:
        name, words = lines[0], [line.split()[0] for line in lines[1:] if line]  # what follows a value is a remark
        count = int(words[0])
        if not 1 <= count <= _MOST_NOTES:
            raise ValueError("how many notes")
    except (ValueError, IndexError):
        raise UserError(f"{path}: not a Scala scale; choose a file ending in .scl") from None
    cents = []
    for word in words[1 : count + 1]:
        try:
            cents.append(_cents(word))
        except ValueError:
            raise UserError(f"{path}: {word[:20]!r} is no pitch; write a ratio as 3/2 or cents as 702.0") from None
        if abs(cents[-1]) > 120_000.0:
            raise UserError(f"{path}: {word[:20]!r} is too large an interval")
    if len(cents) != count:
        raise UserError(f"{path}: has {len(cents)} of {count} notes; download it again")
    return name or path.stem, cents


def _read_mapping(path: Path) -> _Mapping:
    lines = [line for line in _lines(path) if line]
    try:
        words = [line.split()[0] for line in lines]
        size, first, last, middle, reference = (int(word) for word in words[:5])
        reference_hz, octave_degree = float(words[5]), int(words[6])
        degrees = tuple(None if word.lower() == "x" else int(word) for word in words[7 : 7 + size])
        in_range = (
            0 <= size <= 128
            and all(0 <= key <= 127 for key in (middle, reference))
            and 1.0 <= reference_hz <= 100_000.0
            and all(abs(degree or 0) <= _MOST_DEGREES for degree in (octave_degree, *degrees))
        )
        if not in_range:
            raise ValueError("range")
    except (ValueError, IndexError, OverflowError):
        raise UserError(f"{path}: not a Scala keyboard mapping; choose a file ending in .kbm") from None
    # Missing lines at the end are unmapped keys.
    degrees += (None,) * (size - len(degrees))
    return _Mapping(first, last, middle, reference, reference_hz, octave_degree, degrees)


def _pitches(cents: list[float], mapping: _Mapping, path: Path) -> NDArray[np.float64]:
    scale = [0.0, *cents[:-1]]
    octave = cents[-1]

    def degree_cents(degree: int) -> float:
        octaves, step = divmod(degree, len(scale))
        return octave * octaves + scale[step]

    def key_cents(key: int) -> float:
        distance = key - mapping.middle
        if not mapping.degrees:
            return degree_cents(distance)
        repeats, place = divmod(distance, len(mapping.degrees))
        degree = mapping.degrees[place]
        if degree is None:
            return math.nan
        return degree_cents(degree) + repeats * degree_cents(mapping.octave_degree or len(scale))

    reference = key_cents(mapping.reference)
    if math.isnan(reference):
        raise UserError(f"{path}: its reference key {mapping.reference} is not mapped; choose another mapping")
    base = 69.0 + 12.0 * math.log2(mapping.reference_hz / 440.0)
    pitches = np.full(128, np.nan)
    for key in range(max(mapping.first, 0), min(mapping.last, 127) + 1):
        pitch = base + (key_cents(key) - reference) / 100.0
        if _PITCHES[0] <= pitch <= _PITCHES[1]:
            pitches[key] = pitch
    if np.isnan(pitches).all():
        raise UserError(f"{path}: leaves every key silent; choose another")
    return pitches
