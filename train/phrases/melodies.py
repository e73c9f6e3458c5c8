"""Melodies in the public domain, typed in for this project, to be cut into phrases of two bars.

At 120 beats a minute two bars of 4/4 last four seconds: phrases begin on a bar line, and loop in time.
"""

from __future__ import annotations

import dataclasses

BEAT_S = 0.5
PHRASE_BEATS = 8

# A bar: note names with their beats (one where nothing is said), R for a rest. C4 is MIDI 60.
MELODIES: dict[str, tuple[str, ...]] = {
    # L. van Beethoven, Symphony no. 9 (1824)
    "Ode to Joy": (
        "E4 E4 F4 G4", "G4 F4 E4 D4", "C4 C4 D4 E4", "E4:1.5 D4:.5 D4:2",
        "E4 E4 F4 G4", "G4 F4 E4 D4", "C4 C4 D4 E4", "D4:1.5 C4:.5 C4:2",
        "D4 D4 E4 C4", "D4 E4:.5 F4:.5 E4 C4", "D4 E4:.5 F4:.5 E4 D4", "C4 D4 G3:2",
    ),
    # traditional, printed about 1780
    "Frere Jacques": (
        "C4 D4 E4 C4", "C4 D4 E4 C4", "E4 F4 G4:2", "E4 F4 G4:2",
        "G4:.5 A4:.5 G4:.5 F4:.5 E4 C4", "G4:.5 A4:.5 G4:.5 F4:.5 E4 C4", "C4 G3 C4:2", "C4 G3 C4:2",
    ),
    # Ah! vous dirai-je, maman; printed 1761
    "Ah Vous Dirai-Je": (
        "C4 C4 G4 G4", "A4 A4 G4:2", "F4 F4 E4 E4", "D4 D4 C4:2",
        "G4 G4 F4 F4", "E4 E4 D4:2", "G4 G4 F4 F4", "E4 E4 D4:2",
    ),
    # French, eighteenth century
    "Au Clair de la Lune": (
        "C4 C4 C4 D4", "E4:2 D4:2", "C4 E4 D4 D4", "C4:3 R:1",
        "D4 D4 D4 D4", "A3:2 A3:2", "D4 C4 B3 A3", "G3:3 R:1",
    ),
    # L. Bourgeois, Old Hundredth (1551)
    "Old Hundredth": (
        "G4 G4 F#4 E4", "D4 G4 A4 B4", "B4 B4 B4 A4", "G4 C5 B4 A4",
        "G4 A4 B4 A4", "G4 E4 F#4 G4", "D5 B4 G4 A4", "C5 B4 A4 G4",
    ),
    # E. Grieg, In the Hall of the Mountain King (1875)
    "Mountain King": (
        "B3:.5 C#4:.5 D4:.5 E4:.5 F#4:.5 D4:.5 F#4", "F4:.5 C#4:.5 F4 E4:.5 C4:.5 E4",
        "B3:.5 C#4:.5 D4:.5 E4:.5 F#4:.5 D4:.5 F#4:.5 B4:.5", "A4:.5 F#4:.5 D4:.5 F#4:.5 A4:2",
    ),
    # Russian, nineteenth century (words 1861)
    "Korobeiniki": (
        "E5 B4:.5 C5:.5 D5 C5:.5 B4:.5", "A4 A4:.5 C5:.5 E5 D5:.5 C5:.5", "B4:1.5 C5:.5 D5 E5", "C5 A4 A4:2",
        "R:.5 D5 F5:.5 A5 G5:.5 F5:.5", "E5:1.5 C5:.5 E5 D5:.5 C5:.5", "B4 B4:.5 C5:.5 D5 E5", "C5 A4 A4:2",
    ),
}  # fmt: skip

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclasses.dataclass(frozen=True)
class MelodyNote:
    """pitch: MIDI. Times in seconds from the phrase's beginning."""

    pitch: int
    start_s: float
    length_s: float


@dataclasses.dataclass(frozen=True)
class MelodyPhrase:
    """Two bars of a melody; name says which."""

    name: str
    notes: tuple[MelodyNote, ...]


def phrases() -> list[MelodyPhrase]:
    """Every two bars of every melody that begin with a note, one bar on from phrase to phrase."""
    found = []
    for title, bars in MELODIES.items():
        for bar in range(len(bars) - 1):
            notes = _notes(f"{bars[bar]} {bars[bar + 1]}")
            if notes[0].start_s == 0.0:
                found.append(MelodyPhrase(f"{title} {bar + 1}", notes))
    return found


def _notes(text: str) -> tuple[MelodyNote, ...]:
    notes = []
    beat = 0.0
    for token in text.split():
        name, _, length = token.partition(":")
        beats = float(length) if length else 1.0
        if name != "R":
            pitch = 12 * (int(name[-1]) + 1) + _SEMITONES[name[0]] + name.count("#")
            notes.append(MelodyNote(pitch, beat * BEAT_S, beats * BEAT_S))
        beat += beats
    if beat != PHRASE_BEATS:
        raise ValueError(f"{text!r} has {beat:g} beats")
    return tuple(notes)
