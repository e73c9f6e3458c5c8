"""Sounds drawn from a checkpoint of the paper's model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint
from noisysynth.train.noisygan.config import NoisyganConfig
from noisysynth.train.noisygan.generator import Generator
from noisysynth.train.noisygan.synth import N_SAMPLES
from noisysynth.train.noisygan.training import Losses, build_networks

_BATCH = 16


class Samples(NamedTuple):
    """audio: float32 [n, 64000] at 16 kHz, not scaled. pitch: float32 [n], MIDI: the median of each sound's f0.

    latents: float32 [n, Z].
    """

    audio: NDArray[np.float32]
    pitch: NDArray[np.float32]
    latents: NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class PaperRun:
    """A checkpoint: its generator in eval mode, and what is known of its training. losses: one row per step."""

    generator: Generator
    config: NoisyganConfig
    steps: int
    minutes: float
    losses: list[Losses]


def samples(checkpoint: Path, n: int, seed: int = 0) -> NDArray[np.float32]:
    """Audio [n, 64000] at 16 kHz of a checkpoint, which is its file, or the folder of a run: then the newest one.

    The same seed gives the same sounds. `samples_with_pitch` also tells their pitch. UserError: no such checkpoint.
    """
    return samples_with_pitch(checkpoint, n, seed).audio


def samples_with_pitch(checkpoint: Path, n: int, seed: int = 0) -> Samples:
    """As `samples`, with each sound's f0 and latent: the model is not told a pitch, so it must be asked."""
    return draw(load_paper_run(checkpoint).generator, n, seed)


@torch.no_grad()
def draw(generator: Generator, n: int, seed: int) -> Samples:
    """n sounds of a generator from latents drawn from N(0, 1)."""
    if n < 1:
        return Samples(*(np.zeros(shape, np.float32) for shape in ((0, N_SAMPLES), (0,), (0, generator.latent_size))))
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(n, generator.latent_size, generator=rng)
    audio, pitch = [], []
    for part in z.split(_BATCH):
        sound = generator(part, rng)
        audio.append(sound.audio)
        pitch.append(sound.contours.pitch.median(dim=1).values)
    return Samples(torch.cat(audio).numpy(), torch.cat(pitch).numpy(), z.numpy())


def untrained(config: NoisyganConfig) -> Generator:
    """The generator as it was before the first step of a run with this config."""
    return build_networks(config)[0].eval()


def load_paper_run(checkpoint: Path) -> PaperRun:
    """A checkpoint file, or the newest one in the folder of a run. UserError when it is none of this model."""
    if checkpoint.is_dir():
        paths = checkpoint_paths(checkpoint)
        if not paths:
            raise UserError(f"{checkpoint}: no checkpoint yet; is this a training run?")
        checkpoint = paths[-1]
    state = load_checkpoint(checkpoint)
    try:
        config = NoisyganConfig.from_json(json.loads(state["config"]))
        generator, _ = build_networks(config)
        generator.load_state_dict(state["generator"])
        losses = [Losses(*row) for row in state["losses"].tolist()]
        minutes = float(state["elapsed_s"]) / 60.0
    except (KeyError, ValueError, TypeError, RuntimeError, UserError) as error:
        reason = str(error) if isinstance(error, UserError) else type(error).__name__
        raise UserError(f"{checkpoint}: not a checkpoint of the paper's model ({reason})") from error
    return PaperRun(generator.eval(), config, len(losses), minutes, losses)
