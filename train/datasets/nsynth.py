"""NSynth as published (Engel et al. 2017): a folder with examples.json and audio/*.wav, or a TFRecord file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from noisysynth.errors import UserError
from noisysynth.listening.recording import Audio, onset_sample, read_note, refuse_useless, without_rumble
from noisysynth.spec import midi_to_hz
from noisysynth.train.clip import Clip, Rejected
from noisysynth.train.datasets.tfrecord import DamagedError, Feature, parse_example, read_record, record_offsets
from noisysynth.train.pitch_check import better_pitch

NOTES_PER_BATCH = 64
# Every NSynth note is held for 3 s and sounds 1 s longer.
GATE_S = 3.0
LONGEST_LEAD_S = 0.05
ATTRIBUTION = "NSynth dataset, Google Inc. (Engel, Resnick, Roberts, Dieleman, Eck, Simonyan, Norouzi, 2017), CC BY 4.0"


class Chosen(NamedTuple):
    """Which notes are wanted. GANSynth learned from the acoustic ones of MIDI 24 to 84."""

    acoustic: bool = False
    lowest: int = 0
    highest: int = 127

    def wants(self, note: _Note) -> bool:
        return self.lowest <= note.pitch <= self.highest and ("acoustic" in note.tags or not self.acoustic)

    def arguments(self) -> dict[str, Any]:
        return {} if self == EVERY_NOTE else {"chosen": list(self)}


EVERY_NOTE = Chosen()


class NSynthSource:
    """Clips of an NSynth split, 64 a batch. Raises UserError when the folder is not NSynth's layout."""

    def __init__(self, folder: Path, check_pitch: bool = True, chosen: Chosen = EVERY_NOTE) -> None:
        table = folder / "examples.json"
        if not folder.is_dir():
            raise UserError(f"no folder at {folder}; give an unpacked NSynth split (examples.json and audio/)")
        if not table.is_file() or not (folder / "audio").is_dir():
            raise UserError(f"{folder} is no NSynth split: it needs examples.json and audio/")
        try:
            examples = json.loads(table.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{table} is damaged: {error}") from error
        if not isinstance(examples, dict) or not examples:
            raise UserError(f"{table} lists no notes")
        self.folder = folder
        self.check_pitch = check_pitch
        self.chosen = chosen
        self.examples: list[tuple[str, Any]] = sorted(examples.items())
        self.n_notes = len(self.examples)
        self.n_batches = math.ceil(self.n_notes / NOTES_PER_BATCH)
        self.attribution = [ATTRIBUTION]

    def arguments(self) -> dict[str, Any]:
        return {
            "source": "nsynth",
            "folder": self.folder.resolve().name,
            "n_notes": self.n_notes,
            "first": self.examples[0][0],
            "last": self.examples[-1][0],
            "check_pitch": self.check_pitch,
            **self.chosen.arguments(),
        }

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        for name, example in self.examples[index * NOTES_PER_BATCH : (index + 1) * NOTES_PER_BATCH]:
            try:
                if Path(name).name != name:
                    raise ValueError("bad entry in examples.json")
                note = _Note(name, example)
                if self.chosen.wants(note):
                    yield note.clip(*read_note(self.folder / "audio" / f"{name}.wav"), self.check_pitch)
                else:
                    yield Rejected(name)
            except ValueError as error:
                yield Rejected(name, str(error))


class NSynthRecordSource:
    """Clips of an NSynth split in one TFRecord file, 64 a batch; it is never in memory as a whole.

    Raises UserError when the file is no TFRecord or is cut short.
    """

    def __init__(self, path: Path, check_pitch: bool = True, chosen: Chosen = EVERY_NOTE) -> None:
        try:
            self._offsets = record_offsets(path)
            if not self._offsets:
                raise DamagedError("empty")
            first, last = (_name(parse_example(read_record(path, self._offsets[at]))) for at in (0, -1))
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        except ValueError as error:
            raise UserError(f"{path}: {error}; download it again") from None
        self.path = path
        self.check_pitch = check_pitch
        self.chosen = chosen
        self._ends = first, last
        self.n_notes = len(self._offsets)
        self.n_batches = math.ceil(self.n_notes / NOTES_PER_BATCH)
        self.attribution = [ATTRIBUTION]

    def arguments(self) -> dict[str, Any]:
        return {
            "source": "nsynth tfrecord",
            "file": self.path.resolve().name,
            "n_notes": self.n_notes,
            "first": self._ends[0],
            "last": self._ends[1],
            "check_pitch": self.check_pitch,
            **self.chosen.arguments(),
        }

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        for number in range(index * NOTES_PER_BATCH, min((index + 1) * NOTES_PER_BATCH, self.n_notes)):
            name = f"record {number}"
            try:
                example = parse_example(read_record(self.path, self._offsets[number]))
                name = _name(example)
                note = _Note(name, _labels(example))
                if not self.chosen.wants(note):
                    yield Rejected(name)
                    continue
                audio = np.asarray(example.get("audio", []), np.float32)
                rate = int(_first(example, "sample_rate"))
                refuse_useless(audio)
                if not 4_000 <= rate <= 384_000:
                    raise ValueError("bad sample rate")
                yield note.clip(audio, rate, self.check_pitch)
            except (ValueError, OSError) as error:
                yield Rejected(name, str(error))


def nsynth_source(
    path: Path, check_pitch: bool = True, chosen: Chosen = EVERY_NOTE
) -> NSynthSource | NSynthRecordSource:
    """Either form: a folder, or a file."""
    kind = NSynthRecordSource if path.is_file() else NSynthSource
    return kind(path, check_pitch, chosen)


class _Note:
    """What NSynth says of a note. ValueError when something is missing or out of range."""

    def __init__(self, name: str, example: Any) -> None:
        self.name = name
        try:
            self.pitch, self.velocity = float(example["pitch"]), float(example["velocity"])
            self.instrument, self.family = str(example["instrument_str"]), str(example["instrument_family_str"])
            self.tags = tuple(map(str, [example["instrument_source_str"], *example["qualities_str"]]))
        except (KeyError, TypeError, ValueError):
            raise ValueError("incomplete entry in examples.json") from None
        if not (0 <= self.pitch <= 127 and 0 <= self.velocity <= 127):
            raise ValueError("pitch or velocity is not 0 to 127")

    def clip(self, audio: Audio, rate: int, check_pitch: bool) -> Clip:
        """The note from its onset on. ValueError when it does not sound as labelled."""
        audio = without_rumble(audio, rate, float(midi_to_hz(self.pitch)))
        onset = min(onset_sample(audio, rate), round(LONGEST_LEAD_S * rate))
        audio = audio[onset:]
        if check_pitch:
            better = better_pitch(audio, rate, self.pitch)
            if better is not None:
                raise ValueError(f"mislabelled: labelled {self.pitch:g}, sounds like {better:g}")
        return Clip(
            audio=audio,
            sample_rate=rate,
            pitch=self.pitch,
            velocity=self.velocity / 127.0,
            gate_s=round(GATE_S - onset / rate, 4),
            note_id=self.name,
            instrument=self.instrument,
            family=self.family,
            tags=self.tags,
            source="NSynth",
            licence="CC-BY-4.0",
        )


def _first(example: dict[str, Feature], name: str) -> Any:
    values = example.get(name)
    if values is None or len(values) == 0:
        raise ValueError(f"incomplete record: no {name}")
    return values[0]


def _text(example: dict[str, Feature], name: str) -> str:
    value = _first(example, name)
    if not isinstance(value, bytes):
        raise ValueError(f"incomplete record: {name} is no text")
    return value.decode("utf-8", "replace")


def _name(example: dict[str, Feature]) -> str:
    return _text(example, "note_str")


def _labels(example: dict[str, Feature]) -> dict[str, Any]:
    """As examples.json has them."""
    texts = ("instrument_str", "instrument_family_str", "instrument_source_str")
    qualities = example.get("qualities_str", [])
    return {
        **{name: int(_first(example, name)) for name in ("pitch", "velocity")},
        **{name: _text(example, name) for name in texts},
        "qualities_str": [each.decode("utf-8", "replace") for each in qualities if isinstance(each, bytes)],
    }
