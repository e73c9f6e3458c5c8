"""Real notes as the paper has them: 4 s at 16 kHz, MIDI 24 to 84."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisysynth.errors import UserError
from noisysynth.listening.resampling import resample
from noisysynth.train.noisygan.config import NoisyganConfig
from noisysynth.train.noisygan.synth import N_SAMPLES, SAMPLE_RATE
from noisysynth.train.prepared import PreparedDataset


@dataclasses.dataclass(frozen=True, eq=False)
class RealNotes:
    """Notes in memory, and what must be said of their origin.

    samples: int16 [n, N_SAMPLES]. peaks: [n], what 32,767 stands for. names: [n]. description: JSON data.
    """

    samples: NDArray[np.int16]
    peaks: NDArray[np.float32]
    names: list[str]
    description: dict[str, Any]

    def __len__(self) -> int:
        return len(self.samples)

    def audio(self, rows: Tensor) -> Tensor:
        """float32 [len(rows), N_SAMPLES]."""
        index = rows.numpy()
        scale = self.peaks[index, None] / np.float32(32_767.0)
        return torch.from_numpy(self.samples[index] * scale)


def read_notes(path: Path, config: NoisyganConfig) -> RealNotes:
    """Notes to train on from a folder of prepared data, at most config.max_notes, drawn evenly by the seed.

    Of NSynth only acoustic instruments, as in the paper; of other data all. UserError: no such data, no such note.
    """
    dataset = PreparedDataset(path, "train")
    fitting = [i for i, entry in enumerate(dataset.entries) if _fits(entry, config)]
    if not fitting:
        raise UserError(
            f"{path} has no note between MIDI {config.lowest_pitch} and {config.highest_pitch} to train on; "
            "prepare others, or change lowest_pitch and highest_pitch in the config"
        )
    if len(fitting) > config.max_notes:
        fitting = sorted(random.Random(config.seed).sample(fitting, config.max_notes))
    samples = np.zeros((len(fitting), N_SAMPLES), np.int16)
    peaks = np.zeros(len(fitting), np.float32)
    names = []
    for row, i in enumerate(fitting):
        note = dataset.note(i)
        audio = note.audio
        if audio is None or not np.isfinite(audio).all() or not np.any(audio):
            raise UserError(f"{path}: note {note.note_id} has no sound; prepare the data again")
        audio = resample(audio, dataset.spec.sample_rate, SAMPLE_RATE)[:N_SAMPLES]
        peaks[row] = np.abs(audio).max()
        samples[row, : len(audio)] = np.round(audio * (32_767.0 / peaks[row]))
        names.append(f"{note.instrument}, MIDI {note.pitch:g}")
    description = {
        "dataset": path.absolute().name,
        "attribution": dataset.attribution,
        "licence": sorted({str(entry.get("licence", "unknown")) for entry in dataset.entries}),
    }
    return RealNotes(samples, peaks, names, description)


def _fits(entry: dict[str, Any], config: NoisyganConfig) -> bool:
    if entry.get("source") == "NSynth" and "acoustic" not in entry.get("tags", ()):
        return False
    return config.lowest_pitch <= entry["pitch"] <= config.highest_pitch
