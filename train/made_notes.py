"""Notes that the generator makes so that losses can judge them: as real ones, from nothing, struck twice, let go."""

from __future__ import annotations

import torch
from torch import Tensor

from noisysynth.train.dice import Dice
from noisysynth.train.networks.generator import Generator
from noisysynth.train.networks.time_features import constants
from noisysynth.train.note_bank import Frames
from noisysynth.train.prior_tensors import PriorTensors

_RELEASE_FRAMES = 8


def as_real_ones(generator: Generator, z: Tensor, real: tuple[Frames, ...]) -> tuple[Frames, ...]:
    """The notes of `real` at its instants, as the generator makes them from z."""
    modulation = generator.modulation(z, real[0].pitch, real[0].velocity)
    return tuple(
        frames.with_controls(generator.moving(modulation, frames.pitch, frames.time_on, frames.time_off))
        for frames in real
    )


def drawn(prior: PriorTensors, notes: Frames, mixture_share: float, rng: Dice) -> Tensor:
    """A latent [V, Z] for each note out of nothing: a share of them from the prior if there is one, else N(0, I)."""
    n = len(notes.pitch)
    z = rng.randn(n, prior.latent_size)
    uniform, mixed = rng.rand(n), rng.rand(n) < mixture_share
    return torch.where((mixed & prior.known).unsqueeze(-1), prior.at(notes.pitch, notes.velocity, uniform, z), z)


def struck_twice(generator: Generator, z: Tensor, pitch: Tensor, n: int, rng: Dice) -> tuple[Frames, Frames]:
    """Held notes of encoded latents and of latents from the prior, at any pitch, struck softly and harder."""
    z, pitch = _anywhere(z, pitch, n, rng)
    soft = 0.1 + 0.7 * rng.rand(n)
    loud = soft + 0.05 + (0.95 - soft) * rng.rand(n)
    time_on = constants((0.01, 0.05, 0.25, 0.8), z.device).expand(n, -1)

    def struck(velocity: Tensor) -> Frames:
        return _played(generator, z, pitch, velocity, time_on, time_on - 2.0)

    return struck(soft), struck(loud.clamp(max=1.0))


def let_go(generator: Generator, z: Tensor, pitch: Tensor, n: int, rng: Dice) -> Frames:
    """Notes of encoded latents and of latents from the prior, at any pitch, from 40 ms to 2.5 s after their release."""
    z, pitch = _anywhere(z, pitch, n, rng)
    gate = 0.05 * torch.exp(4.4 * rng.rand(n)).unsqueeze(-1)  # to 4 s
    off = 0.04 * torch.exp(4.1 * torch.sort(rng.rand(n, _RELEASE_FRAMES), dim=-1).values)
    return _played(generator, z, pitch, 0.3 + 0.7 * rng.rand(n), gate + off, off)


def _anywhere(z: Tensor, pitch: Tensor, n: int, rng: Dice) -> tuple[Tensor, Tensor]:
    """n latents, half of them these and half from the prior, and pitches, half of them these."""
    z = torch.cat([z[: n // 2].detach(), rng.randn(n - n // 2, z.shape[-1])])
    return z, torch.where(rng.rand(n) < 0.5, pitch[:n], 30.0 + 70.0 * rng.rand(n))


def _played(
    generator: Generator, z: Tensor, pitch: Tensor, velocity: Tensor, time_on: Tensor, time_off: Tensor
) -> Frames:
    """What the generator says of these notes on average; nothing is known of real ones."""
    blank = time_on.unsqueeze(-1)
    empty = Frames(pitch, velocity, time_on, time_off, time_on, blank, blank)
    modulation = generator.modulation(z, pitch, velocity)
    return empty.with_controls(generator.still(modulation, pitch, time_on, time_off))
