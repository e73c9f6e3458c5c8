"""Writes the demo song, noisysynth/factory/demo.mid: `python scripts/write_demo_song.py [OUT.mid]`.

First struck and ringing, then sustained: J. S. Bach, Prelude in C major BWV 846 (1722), bars 1 to 11 with the
pedal, and L. Bourgeois' tune Old Hundredth (1551) as a four-part chorale. Both are in the public domain; the notes,
the harmony of the chorale, the phrasing and the movements of the latent pad were typed in for this project.
The same input always gives the same bytes, and a test compares them with the file.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path

import mido

OUT = Path(__file__).resolve().parent.parent / "noisysynth" / "factory" / "demo.mid"

TICKS_PER_BEAT = 480
SIXTEENTH = TICKS_PER_BEAT // 4
BAR = 4 * TICKS_PER_BEAT

MOD_WHEEL, PAD_X, PAD_Y, SUSTAIN = 1, 16, 17, 64
CENTRE = 64

# One bar each: five notes, bottom to top. The bar plays them 1 2 3 4 5 3 4 5, twice.
PRELUDE = (
    "C4 E4 G4 C5 E5",
    "C4 D4 A4 D5 F5",
    "B3 D4 G4 D5 F5",
    "C4 E4 G4 C5 E5",
    "C4 E4 A4 E5 A5",
    "C4 D4 F#4 A4 D5",
    "B3 D4 G4 D5 G5",
    "B3 C4 E4 G4 C5",
    "A3 C4 E4 G4 C5",
    "D3 A3 D4 F#4 C5",
    "G3 B3 D4 G4 B4",
)
PRELUDE_VELOCITY = (58, 62, 68, 60, 74, 78, 86, 72, 66, 70, 58)
ACCENT = (8, 0, -4, -2, 4, -6, -4, 2)  # of the eight notes in the figure

# Four phrases of the chorale; per beat: bass, tenor, alto, soprano. Each first and last chord takes two beats.
CHORALE = (
    "G3 B3 D4 G4 | G3 B3 D4 G4 | D3 A3 D4 F#4 | E3 G3 B3 E4 | B2 F#3 B3 D4 | E3 G3 B3 G4 | D3 F#3 D4 A4 | G2 G3 D4 B4",
    "G2 G3 D4 B4 | G3 G3 D4 B4 | G3 G3 D4 B4 | F#3 A3 D4 A4 | G3 B3 D4 G4 | C3 G3 E4 C5 | G2 G3 D4 B4 | D3 F#3 D4 A4",
    "G3 B3 D4 G4 | F#3 A3 D4 A4 | G3 G3 D4 B4 | D3 F#3 D4 A4 | E3 G3 B3 G4 | C3 A3 C4 E4 | D3 A3 C4 F#4 | G2 G3 B3 G4",
    "G3 B3 G4 D5 | G3 B3 D4 B4 | E3 B3 E4 G4 | F#3 A3 D4 A4 | E3 G3 C4 C5 | D3 G3 D4 B4 | D3 F#3 C4 A4",
)
CHORALE_VELOCITY = (62, 70, 76, 88)  # of each phrase, at its height
VOICE_BALANCE = (-2, -8, -8, 6)
FINAL_CHORD = "G2 D3 G3 B3 G4"
FINAL_BEATS = 8
RING_OUT_BEATS = 4

PRELUDE_BPM, CHORALE_BPM, FINAL_BPM = 84.0, 104.0, 96.0
RITARDANDO = (80.0, 74.0, 66.0, 56.0)  # of the prelude's last four beats


@dataclasses.dataclass
class Song:
    """Messages at absolute ticks. `order` decides at equal ticks: tempo, releases, controllers, then notes."""

    messages: list[tuple[int, int, mido.Message | mido.MetaMessage]] = dataclasses.field(default_factory=list)

    def tempo(self, tick: int, bpm: float) -> None:
        self.messages.append((tick, 0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))))

    def controller(self, tick: int, number: int, value: int) -> None:
        order = 1 if number == SUSTAIN and value == 0 else 3
        self.messages.append((tick, order, mido.Message("control_change", control=number, value=value)))

    def note(self, tick: int, length: int, pitch: int, velocity: int) -> None:
        self.messages.append((tick, 4, mido.Message("note_on", note=pitch, velocity=max(1, min(127, velocity)))))
        self.messages.append((tick + length, 2, mido.Message("note_off", note=pitch, velocity=64)))

    def write(self, path: Path, end_tick: int) -> None:
        track = mido.MidiTrack()
        track.append(mido.MetaMessage("track_name", name="noisysynth demo: Prelude in C, Old Hundredth"))
        track.append(mido.MetaMessage("copyright", text="Public domain (J. S. Bach, L. Bourgeois)"))
        now = 0
        for tick, _, message in sorted(self.messages, key=lambda row: row[:2]):
            track.append(message.copy(time=tick - now))
            now = tick
        track.append(mido.MetaMessage("end_of_track", time=end_tick - now))
        song = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
        song.tracks.append(track)
        song.save(path)


def pitch_of(name: str) -> int:
    """MIDI note of a name such as F#4; C4 is 60."""
    letter, octave = name[:-1], int(name[-1])
    step = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[letter[0]] + letter.count("#")
    return 12 * (octave + 1) + step


def add_prelude(song: Song) -> int:
    """Tick at which it ends."""
    for bar, names in enumerate(PRELUDE):
        pitches = [pitch_of(name) for name in names.split()]
        following = PRELUDE_VELOCITY[min(bar + 1, len(PRELUDE) - 1)]
        for half in range(2):
            start = bar * BAR + half * BAR // 2
            # The pedal joins what belongs to one harmony and lifts with the next.
            song.controller(start + SIXTEENTH // 2, SUSTAIN, 127)
            song.controller(start + BAR // 2 - SIXTEENTH // 8, SUSTAIN, 0)
            level = PRELUDE_VELOCITY[bar] + (following - PRELUDE_VELOCITY[bar]) * half / 2
            for i, which in enumerate((0, 1, 2, 3, 4, 2, 3, 4)):
                length = {0: 8, 1: 7}.get(i, 1) * SIXTEENTH - SIXTEENTH // 6
                song.note(start + i * SIXTEENTH, length, pitches[which], round(level + ACCENT[i]))
    end = len(PRELUDE) * BAR
    song.tempo(0, PRELUDE_BPM)
    for beat, bpm in enumerate(RITARDANDO):
        song.tempo(end - BAR + beat * TICKS_PER_BEAT, bpm)
    return end


def add_chorale(song: Song, start: int) -> int:
    """Tick at which it ends."""
    song.tempo(start, CHORALE_BPM)
    tick = start
    for phrase, height in zip(CHORALE, CHORALE_VELOCITY, strict=True):
        chords = phrase.split("|")
        for i, chord in enumerate(chords):
            beats = 2 if i in (0, 7) else 1
            breath = TICKS_PER_BEAT // 4 if i == 7 else TICKS_PER_BEAT // 24
            swell = round(12 * (math.sin(math.pi * i / 7) - 1))
            voices = zip(chord.split(), VOICE_BALANCE, strict=True)
            for pitch, balance in {pitch_of(name): balance for name, balance in voices}.items():
                song.note(tick, beats * TICKS_PER_BEAT - breath, pitch, height + swell + balance)
            tick += beats * TICKS_PER_BEAT
    return tick


def add_final_chord(song: Song, start: int) -> int:
    """Tick at which its notes end."""
    song.tempo(start, FINAL_BPM)
    length = FINAL_BEATS * TICKS_PER_BEAT
    for i, name in enumerate(FINAL_CHORD.split()):
        song.note(start + i * SIXTEENTH // 6, length - i * SIXTEENTH // 6, pitch_of(name), 84 - 4 * i + 12 * (i == 4))
    return start + length


def sweep(song: Song, number: int, start: int, end: int, positions: list[tuple[float, float]]) -> None:
    """Move a controller through (share of the time, value -1..1) points on smooth curves, a message per 32nd."""
    last = None
    for tick in range(start, end + 1, SIXTEENTH // 2):
        share = (tick - start) / (end - start)
        right = next(i for i, (x, _) in enumerate(positions) if x >= share)
        (x0, y0), (x1, y1) = positions[max(right - 1, 0)], positions[right]
        eased = 0.0 if x1 == x0 else 0.5 - 0.5 * math.cos(math.pi * (share - x0) / (x1 - x0))
        value = round(63.5 + 63.5 * (y0 + (y1 - y0) * eased))
        if value != last:
            song.controller(tick, number, value)
        last = value


def make_song() -> tuple[Song, int]:
    """The song and the tick at which it ends."""
    song = Song()
    for number, value in ((MOD_WHEEL, 0), (SUSTAIN, 0), (PAD_X, CENTRE), (PAD_Y, CENTRE)):
        song.controller(0, number, value)
    chorale = add_prelude(song)
    final = add_chorale(song, chorale)
    end = add_final_chord(song, final)
    # Four bars at home, then a walk around the pad; the chorale and its last chord morph while they sound.
    sweep(song, PAD_X, 4 * BAR, chorale, [(0.0, 0.0), (0.35, 0.6), (0.7, -0.3), (1.0, 0.0)])
    sweep(song, PAD_Y, 4 * BAR, chorale, [(0.0, 0.0), (0.5, 0.6), (1.0, 0.0)])
    sweep(song, PAD_X, chorale, final, [(0.0, 0.0), (0.3, -0.6), (0.75, 0.7), (1.0, 0.2)])
    sweep(song, PAD_Y, chorale, final, [(0.0, 0.0), (0.5, -0.6), (1.0, 0.3)])
    sweep(song, PAD_X, final, end, [(0.0, 0.2), (0.4, -0.7), (1.0, 0.0)])
    sweep(song, PAD_Y, final, end, [(0.0, 0.3), (0.5, 0.7), (1.0, 0.0)])
    sweep(song, MOD_WHEEL, chorale, end, [(0.0, -1.0), (0.5, -0.9), (0.75, -0.4), (1.0, -1.0)])
    return song, end + RING_OUT_BEATS * TICKS_PER_BEAT


def main(path: Path) -> None:
    song, end_tick = make_song()
    song.write(path, end_tick)
    print(f"{path}: {mido.MidiFile(path).length:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
