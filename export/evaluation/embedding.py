"""The trained embedding: what a small network that names pitch, instrument and velocity of real notes hears in a note.

Nothing of it is shared with the judges of any training: another front end (64 mel bands at 32 kHz),
another network, another seed, real notes only. It is trained once for a data set and kept beside it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from noisysynth.export.evaluation.notes import LONGEST_S, NoteSet
from noisysynth.listening.resampling import resample
from noisysynth.spec import hz_to_mel, mel_to_hz

VERSION = 2
SIZE = 64
FILE_NAME = "evaluation-embedding.npz"
RATE = 32_000
FFT_SIZE = 1024
HOP = 640
N_MELS = 64
N_FRAMES = round(LONGEST_S * RATE / HOP)
MOST_NOTES = 2_500
STEPS = 600
BATCH = 32
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 14_000.0
_FLOOR_DB = -90.0
_SEED = 7_301_991
_LEARNING_RATE = 2e-3
_N_PITCHES = 128

Values = NDArray[np.float32]
Progress = Callable[[int], None]


def heard(audio: Values, sample_rate: int) -> NDArray[np.float16]:
    """Mel band levels [N_FRAMES, N_MELS] of the first 4 s in dB re full scale, -90 dB and less as -90; silence after.

    Frame t is centred on t / 50 s under a Hann window of 32 ms scaled to sum 2, so a full-scale sinusoid on a bin has
    0 dB; bands are triangles of height 1, power summed.
    """
    signal = resample(np.asarray(audio, np.float32), sample_rate, RATE)[: N_FRAMES * HOP]
    padded = np.zeros(N_FRAMES * HOP + FFT_SIZE, np.float32)
    padded[FFT_SIZE // 2 : FFT_SIZE // 2 + len(signal)] = signal
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SIZE)[::HOP][:N_FRAMES]
    spectra = np.fft.rfft(frames * _WINDOW)
    power = np.square(spectra.real) + np.square(spectra.imag)
    levels = 10.0 * np.log10(np.maximum(power @ _BANDS, 10.0 ** (_FLOOR_DB / 10.0)))
    return levels.astype(np.float16)


def _bands() -> Values:
    edges = mel_to_hz(np.linspace(hz_to_mel(_LOWEST_HZ), hz_to_mel(_HIGHEST_HZ), N_MELS + 2))
    frequencies = np.fft.rfftfreq(FFT_SIZE, 1.0 / RATE)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, None), np.float32)


_BANDS = _bands()
_WINDOW = (np.hanning(FFT_SIZE + 1)[:-1] * (2.0 / np.hanning(FFT_SIZE + 1)[:-1].sum())).astype(np.float32)


class Ear(nn.Module):
    """Four strided convolutions, mean and maximum over time, 64 numbers, three heads."""

    def __init__(self, n_instruments: int) -> None:
        super().__init__()
        widths = (1, 16, 32, 48, 64)
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.LeakyReLU(0.1))
            for a, b in itertools.pairwise(widths)
        )
        self.join = nn.Linear(2 * widths[-1] * (N_MELS // 16), SIZE)
        self.drop = nn.Dropout(0.2)
        self.pitch = nn.Linear(SIZE, _N_PITCHES)
        self.instrument = nn.Linear(SIZE, n_instruments)
        self.velocity = nn.Linear(SIZE, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster

    def embed(self, levels: Tensor) -> Tensor:
        """[B, SIZE] of levels [B, N_FRAMES, N_MELS] in dB."""
        x = ((levels + 60.0) / 30.0).unsqueeze(1)
        for stage in self.stages:
            x = stage(x)
        pooled = torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1).flatten(1)
        result: Tensor = self.join(pooled)
        return result

    def forward(self, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [B, 128] of the semitone, logits [B, n_instruments], and velocities [B]."""
        h = self.drop(functional.silu(self.embed(levels)))
        return self.pitch(h), self.instrument(h), self.velocity(h).squeeze(-1)


@dataclasses.dataclass(frozen=True, eq=False)
class Embedding:
    """A trained ear; its output is scaled to mean 0 and deviation 1 over the notes that it learned from.

    instruments: the names that its head knows.
    """

    ear: Ear
    mean: Values
    deviation: Values
    instruments: tuple[str, ...]

    @torch.no_grad()
    def __call__(self, levels: NDArray[np.float16]) -> Values:
        """[n, SIZE] of what was `heard` of n notes, [n, N_FRAMES, N_MELS]."""
        parts = [
            self.ear.embed(torch.from_numpy(levels[i : i + 64].astype(np.float32))).numpy()
            for i in range(0, len(levels), 64)
        ]
        raw = np.concatenate([*parts, np.zeros((0, SIZE), np.float32)])
        return np.asarray((raw - self.mean) / self.deviation, np.float32)

    @torch.no_grad()
    def accuracy(self, levels: NDArray[np.float16], notes: NoteSet) -> dict[str, float]:
        """How well it names notes it never saw: shares of right pitches (within a semitone) and instruments, and the
        mean velocity error."""
        pitch, instrument, velocity = (
            np.concatenate(parts)
            for parts in zip(
                *(
                    [out.numpy() for out in self.ear(torch.from_numpy(levels[i : i + 64].astype(np.float32)))]
                    for i in range(0, len(levels), 64)
                ),
                strict=True,
            )
        )
        told = notes.told
        pitches = np.array([round(each.pitch) for each in told])
        names = np.array(notes.instruments)
        return {
            "pitch_accuracy": float(np.mean(np.abs(pitch.argmax(1) - pitches) <= 1)),
            "instrument_accuracy": float(np.mean(np.array(self.instruments)[instrument.argmax(1)] == names)),
            "velocity_error": float(np.mean(np.abs(velocity - np.array([each.velocity for each in told])))),
        }


def train_embedding(notes: NoteSet, steps: int = STEPS, progress: Progress | None = None) -> Embedding:
    """An embedding of real notes, at most MOST_NOTES of them; the same notes give the same one.

    progress is told of notes heard and steps taken, `effort(notes, steps)` in all.
    """
    notes = notes.some(MOST_NOTES, _SEED)
    instruments = tuple(sorted(set(notes.instruments)))
    number = {name: i for i, name in enumerate(instruments)}
    levels = np.empty((len(notes), N_FRAMES, N_MELS), np.float16)
    for i, real in enumerate(notes):
        levels[i] = heard(real.audio, notes.spec.sample_rate)
        if progress:
            progress(1)
    pitch = torch.tensor([min(max(round(told.pitch), 0), 127) for told in notes.told])
    instrument = torch.tensor([number[name] for name in notes.instruments])
    velocity = torch.tensor([told.velocity for told in notes.told])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        ear = Ear(len(instruments))
        optimizer = torch.optim.AdamW(ear.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            rows = torch.randint(len(notes), (min(BATCH, max(len(notes), 2)),))
            batch = torch.from_numpy(levels[rows.numpy()].astype(np.float32))
            batch = batch + torch.randn(len(rows), 1, 1)  # 1 dB: recordings differ by more for no reason of timbre
            said_pitch, said_instrument, said_velocity = ear(batch)
            loss = (
                functional.cross_entropy(said_pitch, pitch[rows])
                + functional.cross_entropy(said_instrument, instrument[rows])
                + 4.0 * functional.smooth_l1_loss(said_velocity, velocity[rows])
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            if progress:
                progress(1)
    ear.eval()
    raw = Embedding(ear, np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32), instruments)(levels)
    return Embedding(ear, raw.mean(axis=0), np.maximum(raw.std(axis=0), 1e-4), instruments)


def effort(notes: NoteSet, steps: int = STEPS) -> int:
    """What `train_embedding` tells its progress in all."""
    return min(len(notes), MOST_NOTES) + steps


# --- kept beside the data --------------------------------------------------------------------------------------


def fingerprint(notes: NoteSet, steps: int = STEPS) -> str:
    """Changes with everything that decides a trained embedding."""
    told = [f"{id_} {each}" for id_, each in zip(notes.ids, notes.told, strict=True)]
    text = json.dumps([VERSION, steps, MOST_NOTES, told, notes.instruments])
    return hashlib.sha256(text.encode()).hexdigest()


def load_embedding(path: Path, wanted: str) -> Embedding | None:
    """The embedding in a file; None where there is none, or one of other notes, or a damaged one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays.pop("about")))
        if about["fingerprint"] != wanted:
            return None
        ear = Ear(len(about["instruments"]))
        mean, deviation = arrays.pop("mean"), arrays.pop("deviation")
        ear.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in arrays.items()})
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile):
        return None
    return Embedding(ear.eval(), mean, deviation, tuple(about["instruments"]))


def save_embedding(path: Path, embedding: Embedding, wanted: str) -> bool:
    """Write it whole or not at all; False where the place cannot be written."""
    arrays: dict[str, Any] = {name: values.numpy() for name, values in embedding.ear.state_dict().items()}
    about = json.dumps({"fingerprint": wanted, "instruments": list(embedding.instruments)})
    data = io.BytesIO()
    np.savez_compressed(data, about=np.array(about), mean=embedding.mean, deviation=embedding.deviation, **arrays)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data.getvalue())
        os.replace(part, path)
    except OSError:
        return False
    finally:
        part.unlink(missing_ok=True)
    return True


def stacked(levels: Sequence[NDArray[np.float16]]) -> NDArray[np.float16]:
    """[n, N_FRAMES, N_MELS], also of none."""
    return np.stack(levels) if levels else np.zeros((0, N_FRAMES, N_MELS), np.float16)
