"""NSynth as published: a folder with examples.json and audio/*.wav (Engel et al. 2017)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from noisysynth.errors import UserError
from noisysynth.spec import midi_to_hz
from noisysynth.train.clip import Clip, Rejected
from noisysynth.train.datasets.recording import onset_sample, read_note, without_rumble
from noisysynth.train.pitch_check import better_pitch

NOTES_PER_BATCH = 64
# Every NSynth note is held for 3 s and sounds 1 s longer.
GATE_S = 3.0
LONGEST_LEAD_S = 0.05
ATTRIBUTION = "NSynth dataset, Google Inc. (Engel, Resnick, Roberts, Dieleman, Eck, Simonyan, Norouzi, 2017), CC BY 4.0"


class NSynthSource:
    """Clips of an NSynth split, 64 a batch. Raises UserError when the folder is not NSynth's layout."""

    def __init__(self, folder: Path, check_pitch: bool = True) -> None:
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
        }

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        for name, example in self.examples[index * NOTES_PER_BATCH : (index + 1) * NOTES_PER_BATCH]:
            try:
                yield self._clip(name, example)
            except ValueError as error:
                yield Rejected(name, str(error))

    def _clip(self, name: str, example: Any) -> Clip:
        try:
            pitch, velocity = float(example["pitch"]), float(example["velocity"])
            instrument, family = str(example["instrument_str"]), str(example["instrument_family_str"])
            tags = tuple(map(str, [example["instrument_source_str"], *example["qualities_str"]]))
        except (KeyError, TypeError, ValueError):
            raise ValueError("incomplete entry in examples.json") from None
        if not (0 <= pitch <= 127 and 0 <= velocity <= 127) or Path(name).name != name:
            raise ValueError("bad entry in examples.json")
        audio, rate = read_note(self.folder / "audio" / f"{name}.wav")
        audio = without_rumble(audio, rate, float(midi_to_hz(pitch)))
        onset = min(onset_sample(audio, rate), round(LONGEST_LEAD_S * rate))
        audio = audio[onset:]
        if self.check_pitch:
            better = better_pitch(audio, rate, pitch)
            if better is not None:
                raise ValueError(f"mislabelled: labelled {pitch:g}, sounds like {better:g}")
        return Clip(
            audio=audio,
            sample_rate=rate,
            pitch=pitch,
            velocity=velocity / 127.0,
            gate_s=round(GATE_S - onset / rate, 4),
            note_id=name,
            instrument=instrument,
            family=family,
            tags=tags,
            source="NSynth",
            licence="CC-BY-4.0",
        )
