"""A folder of recorded notes, WAV or FLAC, named by pitch or listed in a CSV."""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noisysynth.errors import UserError
from noisysynth.listening.pitch import LOWEST_PITCH, FoundPitch, find_pitch
from noisysynth.listening.recording import estimate_gate_s, onset_sample, read_note, without_rumble
from noisysynth.spec import midi_to_hz
from noisysynth.train.clip import DEFAULT_VELOCITY, Clip, Rejected
from noisysynth.train.pitch_check import better_pitch

# A pitch that nobody says is taken from these figures of `find_pitch` on; measured in docs/training.md.
CLEAR, CERTAIN = 0.9, 0.1
SUFFIXES = {".wav", ".flac", ".aif", ".aiff"}
NOTES_PER_BATCH = 48
RINGING = {"struck", "plucked", "pluck", "pizz", "pizzicato", "hit", "percussive"}
SUSTAINED = {"sustain", "sus", "arco", "bowed", "blown", "long", "legato", "vibrato", "nonvib"}
DYNAMICS = {
    "ppp": 0.15, "pp": 0.25, "p": 0.4, "soft": 0.4, "mp": 0.5, "m": 0.6, "med": 0.6, "mf": 0.65, "f": 0.8,
    "loud": 0.9, "hard": 0.9, "ff": 0.95, "fff": 1.0,
}  # fmt: skip
_KNOWN_WORDS = {*RINGING, *SUSTAINED, *DYNAMICS}
# Columns by their usual names; the first one present counts.
COLUMNS = {
    "file": ("file", "path", "filename", "file_name"),
    "pitch": ("midi_pitch", "pitch", "midi", "midi_note", "note"),
    "velocity": ("velocity", "midi_velocity"),
    "dynamic": ("dynamic", "dynamics"),
    "gate": ("gate_s", "gate", "note_off_s"),
    "instrument": ("instrument",),
    "family": ("family", "instrument_family"),
    "articulation": ("articulation", "technique"),
    "source": ("source",),
    "licence": ("licence", "license"),
}

_PITCH_AND_VELOCITY = re.compile(r"(?:^|[-_ ])(\d{3})[-_ ](\d{3})$")
_NUMBERED = re.compile(r"(?:^|[-_ .])(\d{2,3})(?=$|[-_ .])")
_NAMED = re.compile(r"(?:^|[-_ .])([A-Ga-g])(#|b|s|♯|♭)?(-?\d)(?=$|[-_ .])")
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


@dataclasses.dataclass(frozen=True)
class _Row:
    """What is known of one file before it is opened; problem says what its label lacks."""

    note_id: str
    path: Path
    pitch: float | None  # None: to be found
    velocity: float | None
    gate_s: float | None
    instrument: str
    family: str
    articulation: str
    source: str
    licence: str
    problem: str = ""
    maybe_a_count: bool = False  # two digits in a name: a pitch, or the number of a take


class FolderSource:
    """Clips of the sound files under a folder, 48 a batch, in the order of their names.

    A CSV in the folder with a file and a pitch column decides which files are read and what they are; else names
    do: `violin-060-sustain.flac`, `cello_C#4.wav`, `guitar-060-100.wav` (pitch, velocity), `A4.wav` (instrument:
    the folder). Where neither says a pitch it is found by ear, and a doubtful one refused. gain_db brings recordings
    that were all made as loud as can be down to the level of notes from elsewhere. Raises UserError when the folder is
    missing or holds no such file.
    """

    def __init__(
        self, folder: Path, licence: str | None = None, check_pitch: bool = True, gain_db: float = 0.0
    ) -> None:
        if not folder.is_dir():
            raise UserError(f"no folder at {folder}; give a folder of WAV or FLAC notes")
        self.folder = folder
        self.check_pitch = check_pitch
        self.gain_db = gain_db
        self.rows = _rows_of_csv(folder)
        if not self.rows:
            self.rows = [
                _row_of_name(folder, path)
                for path in sorted(folder.rglob("*"))
                if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
            ]
        if not self.rows:
            raise UserError(f"{folder} holds no WAV or FLAC notes")
        if licence:
            self.rows = [dataclasses.replace(row, licence=row.licence or licence) for row in self.rows]
        self.n_notes = len(self.rows)
        self.n_batches = math.ceil(self.n_notes / NOTES_PER_BATCH)
        credits = {(row.source, row.licence) for row in self.rows if row.source or row.licence}
        self.attribution = [", ".join(filter(None, credit)) for credit in sorted(credits)]

    def arguments(self) -> dict[str, Any]:
        return {
            "source": "folder",
            "folder": self.folder.resolve().name,
            "check_pitch": self.check_pitch,
            **({"gain_db": self.gain_db} if self.gain_db else {}),
            "notes": [[row.note_id, row.pitch, row.velocity, row.gate_s, row.licence] for row in self.rows],
        }

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        for row in self.rows[index * NOTES_PER_BATCH : (index + 1) * NOTES_PER_BATCH]:
            try:
                yield _clip(row, self.check_pitch, 10.0 ** (self.gain_db / 20.0))
            except ValueError as error:
                yield Rejected(row.note_id, str(error))


def pitch_of_name(stem: str) -> tuple[float, float | None, str, str] | None:
    """MIDI pitch, velocity 0..1 or None, text before and text after the pitch of a file name; None without a pitch.

    A number of two or three digits from 12 to 127 is a MIDI note; a letter with an octave is a note name, A4 = 69.
    """
    for match in _NAMED.finditer(stem):
        letter, accidental, octave = match.groups()
        shift = {"#": 1, "s": 1, "♯": 1, "b": -1, "♭": -1}.get(accidental or "", 0)
        pitch = 12 * (int(octave) + 1) + _SEMITONES[letter.lower()] + shift
        if 0 <= pitch <= 127:
            return float(pitch), None, stem[: match.start()], stem[match.end() :]
    both = _PITCH_AND_VELOCITY.search(stem)
    if both and int(both.group(1)) <= 127 and int(both.group(2)) <= 127:
        return float(both.group(1)), int(both.group(2)) / 127.0, stem[: both.start()], ""
    # numbers of three digits first: take-12-060 is note 60
    for match in sorted(_NUMBERED.finditer(stem), key=lambda match: -len(match.group(1))):
        if 12 <= int(match.group(1)) <= 127:
            return float(match.group(1)), None, stem[: match.start()], stem[match.end() :]
    return None


def _row_of_name(folder: Path, path: Path) -> _Row:
    pitch, velocity, before, after = pitch_of_name(path.stem) or (None, None, *_around_a_count(path.stem))
    number = path.stem.removeprefix(before).removesuffix(after).strip("-_ .")
    parent = path.parent.name if path.parent != folder else folder.resolve().name
    words = [word for word in re.split(r"[-_ .]+", after.lower()) if word]
    return _Row(
        note_id=str(path.relative_to(folder).as_posix()),
        path=path,
        pitch=pitch,
        velocity=velocity if velocity is not None else _dynamic(words),
        gate_s=None,
        instrument=before.strip("-_ .") or parent,
        family="",
        articulation=" ".join(words),
        source="",
        licence="",
        maybe_a_count=number.isdecimal() and len(number) == 2,
    )


def _around_a_count(stem: str) -> tuple[str, str]:
    """Of a name that says no pitch, such as `violin-07` or `violin_sustain_ff 3`, the instrument and how it is played.

    Without a number at its end a name may be anything, and the instrument is the folder ("").
    """
    words = [word for word in re.split(r"[-_ .]+", stem) if word]
    known = [word for word in words if word.lower() in _KNOWN_WORDS]
    counted = len(words) > 1 and words[-1].isdecimal()
    instrument = [word for word in words[:-1] if word not in known] if counted else []
    return "-".join(instrument), " ".join(known)


def _rows_of_csv(folder: Path) -> list[_Row]:
    for table in sorted(folder.glob("*.csv")):
        try:
            with table.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                present = {name.strip().lower(): name for name in reader.fieldnames or []}
                names = {
                    key: next((present[alias] for alias in aliases if alias in present), "")
                    for key, aliases in COLUMNS.items()
                }
                if names["file"] and names["pitch"]:
                    return [_row_of_csv(folder, names, values) for values in reader]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"cannot read {table}: {error}") from error
    return []


def _row_of_csv(folder: Path, names: dict[str, str], values: dict[str, Any]) -> _Row:
    text = {key: str(values.get(name) or "").strip() for key, name in names.items()}
    pitch, problem = _number(text["pitch"]), ""
    if pitch is None:
        named = pitch_of_name(text["pitch"])
        pitch = named[0] if named else None
    if not text["pitch"]:
        pitch = None
    elif pitch is None or not 0 <= pitch <= 127:
        pitch, problem = None, f"no MIDI pitch in the table: {text['pitch']}"
    path = (folder / text["file"]).resolve()
    if not text["file"] or not path.is_relative_to(folder.resolve()):
        problem = "file is outside the folder"
    velocity = _number(text["velocity"])
    if velocity is not None:
        velocity = min(max(velocity / 127.0 if velocity > 1.0 else velocity, 0.0), 1.0)
    return _Row(
        note_id=text["file"],
        path=path,
        pitch=pitch,
        velocity=velocity if velocity is not None else _dynamic(text["dynamic"].lower().split()),
        gate_s=_number(text["gate"]),
        instrument=text["instrument"] or folder.resolve().name,
        family=text["family"],
        articulation=text["articulation"].lower(),
        source=text["source"],
        licence=text["licence"],
        problem=problem,
    )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _dynamic(words: list[str]) -> float | None:
    return next((DYNAMICS[word] for word in words if word in DYNAMICS), None)


def heard_pitch(audio: npt.NDArray[np.float32], sample_rate: int) -> FoundPitch:
    """What a note [samples] of which nothing is known sounds like. ValueError when there is nothing to hear."""
    audio = without_rumble(audio, sample_rate, float(midi_to_hz(LOWEST_PITCH)))
    return find_pitch(audio[onset_sample(audio, sample_rate) :], sample_rate)


def certain_pitch(audio: npt.NDArray[np.float32], sample_rate: int) -> float:
    """The pitch of a note that nobody labelled, MIDI to a cent. ValueError when it is doubtful."""
    found = heard_pitch(audio, sample_rate)
    if found.clarity < CLEAR or found.certainty < CERTAIN:
        why = "it is hardly a tone" if found.clarity < CLEAR else "another pitch fits nearly as well"
        raise ValueError(
            f"doubtful pitch: sounds like {found.pitch:.2f} (clarity {found.clarity:.2f}, certainty "
            f"{found.certainty:.2f}), but {why}; name the file by its pitch"
        )
    return round(found.pitch, 2)


def _believed(row: _Row, audio: npt.NDArray[np.float32], sample_rate: int) -> float | None:
    """The pitch that its label says; None where the label is a number that counts takes, going by a certain ear."""
    if row.pitch is None or not row.maybe_a_count:
        return row.pitch
    try:
        certain = certain_pitch(audio, sample_rate)
    except ValueError:
        return row.pitch
    return row.pitch if abs(certain - row.pitch) < 1.0 else None


def _clip(row: _Row, check_pitch: bool, gain: float) -> Clip:
    if row.problem:
        raise ValueError(row.problem)
    audio, rate = read_note(row.path)
    label = _believed(row, audio, rate) if check_pitch else row.pitch
    pitch = label if label is not None else certain_pitch(audio, rate)
    audio = without_rumble(audio, rate, float(midi_to_hz(pitch)))
    onset = onset_sample(audio, rate)
    audio = audio[onset:]
    if check_pitch and label is not None:
        better = better_pitch(audio, rate, label)
        if better is not None:
            raise ValueError(f"mislabelled: labelled {label:g}, sounds like {better:g}")
    words = set(row.articulation.split())
    notices = (() if row.gate_s is not None else ("gate estimated",)) + (() if label is not None else ("pitch found",))
    rings = True if words & RINGING else False if words & SUSTAINED else None
    gate_s = row.gate_s - onset / rate if row.gate_s is not None else estimate_gate_s(audio, rate, rings)
    return Clip(
        audio=audio * np.float32(gain),
        sample_rate=rate,
        pitch=pitch,
        velocity=DEFAULT_VELOCITY if row.velocity is None else row.velocity,
        gate_s=round(max(gate_s, 0.0), 4),
        note_id=row.note_id,
        instrument=row.instrument,
        family=row.family,
        tags=tuple(sorted(words)) + notices,
        source=row.source,
        licence=row.licence,
    )
