"""Losses in control space, in units of about what an ear would notice."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from noisysynth.train.control_features import FLOOR_DB, power_db
from noisysynth.train.dice import Dice
from noisysynth.train.note_bank import Frames
from noisysynth.train.processes import masked_mean, whole_batch
from noisysynth.train.units import midi_to_hz

_MASKED_DB = -62.0  # under the note's total at that instant, a single partial is not heard
_NOISE_FLOOR_DB = -92.0  # per band: 64 bands of it make -74 dB
_GLIDE_S = 0.15
LEAST_DB_PER_VELOCITY = 8.0
RELEASE_BEATS_DB = 1.5  # partials of a released note may beat
_NEPER = math.log(10.0) / 10.0


class ReconstructionTerms(NamedTuple):
    """harmonics_db, noise_db, level_db: mean differences in dB; cents: mean difference over the note's
    beginning, where it is heard."""

    harmonics_db: Tensor
    noise_db: Tensor
    level_db: Tensor
    cents: Tensor

    def total(self) -> Tensor:
        """One number, of order 1 for a poor and 0.2 for a good reconstruction."""
        return (self.harmonics_db + 0.7 * self.noise_db + self.level_db) / 10.0 + self.cents / 30.0


def erb_weights(pitch: Tensor, n_partials: int) -> Tensor:
    """[V, n_partials]: each partial's share of an auditory filter, 1 where partials are resolved.

    Equivalent rectangular bandwidth 24.7 + 0.108 f (Glasberg and Moore, 1990).
    """
    f0_hz = midi_to_hz(pitch).unsqueeze(-1)
    partial_hz = f0_hz * torch.arange(1, n_partials + 1, device=pitch.device)
    return (f0_hz / (24.7 + 0.108 * partial_hz)).clamp(max=1.0) * (partial_hz < 20_000.0)


def reconstruction(fake: Frames, real: Frames) -> ReconstructionTerms:
    """How far `fake` is from `real`, the same notes at the same instants."""
    total = real.partials.square().sum(-1, keepdim=True)
    floor = 10.0 ** (FLOOR_DB / 10.0) + total * 10.0 ** (_MASKED_DB / 10.0)
    difference = 10.0 * (torch.log10(fake.partials.square() + floor) - torch.log10(real.partials.square() + floor))
    weights = erb_weights(real.pitch, real.partials.shape[-1]).unsqueeze(1)
    harmonics_db = (difference.abs() * weights).sum(-1) / weights.sum(-1)
    level_db = _level_db(fake) - _level_db(real)

    # The noise of one analysed frame is itself random, its power exponentially distributed about the band's
    # level. Itakura-Saito is that distribution's likelihood: least at the mean power, where L1 in dB is 2 dB low.
    noise_floor = 10.0 ** (_NOISE_FLOOR_DB / 10.0)
    ratio = torch.log((real.noise.square() + noise_floor) / (fake.noise.square() + noise_floor))
    bounded = ratio.clamp(max=1.5)
    noise = torch.exp(bounded) * (1.0 + (ratio - bounded)) - ratio - 1.0

    # Vibrato has its own target: its phase is different in every note, and an average of phases is no vibrato.
    audible = (total.squeeze(-1) > 1e-6) & (real.time_on < _GLIDE_S)
    cents = masked_mean((fake.cents - real.cents).clamp(-100.0, 100.0).abs(), audible)
    return ReconstructionTerms(
        harmonics_db=harmonics_db.mean(),
        noise_db=noise.mean() / _NEPER,
        level_db=level_db.abs().mean(),
        cents=cents,
    )


def _level_db(frames: Frames) -> Tensor:
    return power_db(frames.partials.sum(-1).square(), -76.0)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Of N(mean, exp(log_variance)) [B, Z] from N(0, I), in nats per note."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1).mean()


def relativistic_loss(winner: Tensor, loser: Tensor) -> Tensor:
    """Pairs [B] of scores: small when the winner's is higher (R3GAN: Huang et al. 2024, equation 2)."""
    return softplus(loser - winner).mean()


def gradient_penalty(scores: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """Mean squared norm of the scores' gradient by the inputs [B, ...]: R1 on real, R2 on generated ones."""
    gradients = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    return torch.stack([g.square().flatten(1).sum(1) for g in gradients]).sum(0).mean()


def sliced_distance_from_normal(z: Tensor, rng: Dice, n_directions: int = 64) -> Tensor:
    """How far points [B, Z] are from N(0, I): mean squared 2-Wasserstein distance along random directions.

    On a line the nearest pairing is by rank (Kolouri et al. 2019, sliced-Wasserstein auto-encoders), so the sorted
    projections are compared with the quantiles of N(0, 1). KL keeps each note near the prior; this makes all notes
    together look like it, so that a draw from the prior meets an instrument.
    """
    z = whole_batch(z)
    directions = rng.common_randn(z.shape[1], n_directions)
    directions = directions / directions.norm(dim=0)
    projected = (z @ directions).sort(dim=0).values
    ranks = (torch.arange(len(z), device=z.device) + 0.5) / len(z)
    quantiles = math.sqrt(2.0) * torch.erfinv(2.0 * ranks - 1.0)
    return (projected - quantiles.unsqueeze(-1)).square().mean()


def velocity_loss(soft: Frames, loud: Frames) -> Tensor:
    """How much too little the louder one of each pair of notes gains, as a share of LEAST_DB_PER_VELOCITY.

    The same latents, pitches and instants, struck softly and harder. An organ's recordings do not tell velocities
    apart, and those of one dynamic say nothing of them; a player's hand expects an answer all the same.
    """
    step = (loud.velocity - soft.velocity).clamp(min=1e-3)
    gain_db = (_loudness_db(loud) - _loudness_db(soft)).mean(-1)
    return torch.relu(LEAST_DB_PER_VELOCITY - gain_db / step).mean() / LEAST_DB_PER_VELOCITY


def release_loss(released: Frames) -> Tensor:
    """How far notes rise again after they were let go, in units of 10 dB; frames of each in the order of their times.

    A recording that rings to its end says nothing of a release, and a network that nobody told sounds again.
    """
    level = _loudness_db(released)
    fallen = torch.cummin(level, dim=-1).values
    return torch.relu(level[:, 1:] - fallen[:, :-1].detach() - RELEASE_BEATS_DB).mean() / 10.0


def _loudness_db(frames: Frames) -> Tensor:
    return power_db(0.5 * frames.partials.square().sum(-1) + frames.noise.square().sum(-1), -90.0)
