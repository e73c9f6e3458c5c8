"""Figures that tell during training whether it goes well, from controls alone; the full evaluation listens to audio."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisysynth.latent_prior import LatentPrior
from noisysynth.train.checkpoint import Latents
from noisysynth.train.control_features import ControlFeatures
from noisysynth.train.fit_prior import fit_prior
from noisysynth.train.losses import reconstruction
from noisysynth.train.networks.encoder import Encoder
from noisysynth.train.networks.generator import Generator
from noisysynth.train.note_bank import Frames, NoteBank

_N_COEFFICIENTS = 13
_PRIOR_NOTES, _PRIOR_ITERATIONS = 1_500, 15  # a second, where the exporter takes ten


def trajectory_statistics(frames: Frames, features: ControlFeatures) -> Tensor:
    """[V, 52]: mean MFCCs of attack, body and release and their deviation over the note.

    frames: whole notes, from `NoteBank.whole`.
    """
    mel_db = features.mel_db(frames.partials, frames.noise, frames.pitch)
    mfcc = features.mfcc(mel_db)[..., :_N_COEFFICIENTS]
    n = mfcc.shape[1]
    parts = [mfcc[:, : n // 4].mean(1), mfcc[:, n // 4 : n * 5 // 9].mean(1), mfcc[:, n * 5 // 9 :].mean(1)]
    return torch.cat([*parts, mfcc.std(1)], dim=-1)


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Between Gaussians fitted to two sets [n, D] (Dowson and Landau, 1982); biased upwards when n is small."""
    a, b = first.double().cpu().numpy(), second.double().cpu().numpy()
    mean = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root_a = _root(cov_a)
    cross = _root(root_a @ cov_b @ root_a)
    return float(mean @ mean + np.trace(cov_a) + np.trace(cov_b) - 2.0 * np.trace(cross))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    root: NDArray[np.float64] = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return root


def quick_prior(latents: Latents) -> LatentPrior | None:
    """The mixture of these latents, in a second; always the same one. None with too few of them."""
    return fit_prior(latents.z, latents.pitch, latents.velocity, iterations=_PRIOR_ITERATIONS, most_notes=_PRIOR_NOTES)


def _draws(prior: LatentPrior | None, pitch: Tensor, velocity: Tensor, size: int) -> Tensor:
    """A latent for each note, [n, size]; the same ones for the same prior, from N(0, I) where there is none."""
    rng = np.random.default_rng(1)
    if prior is None:
        return torch.from_numpy(rng.normal(size=(len(pitch), size)).astype(np.float32))
    return torch.from_numpy(prior.draw(pitch.cpu().numpy(), velocity.cpu().numpy(), rng))


def _rebuilt(generator: Generator, encoder: Encoder, bank: NoteBank, rows: Tensor) -> tuple[Frames, Frames, Frames]:
    """Notes of a bank, what encoder and generator make of them, and the same without shimmer."""
    real = bank.whole(rows, 64)
    mean, _ = encoder(bank.log_mels(rows))
    modulation = generator.modulation(mean, real.pitch, real.velocity)
    moving, still = (
        real.with_controls(make(modulation, real.pitch, real.time_on, real.time_off))
        for make in (generator.moving, generator.still)
    )
    return real, moving, still


@torch.no_grad()
def evaluate(
    generator: Generator, encoder: Encoder, held_out: NoteBank, train: NoteBank, n: int, prior: LatentPrior | None
) -> dict[str, float]:
    """Reconstruction of up to n held-out notes, and n notes at their pitches and gates from latents drawn anew.

    prior: what is drawn comes from it, as from the exported instrument's.

    harmonics_db, noise_db, level_db, cents: mean reconstruction differences, shimmer left out, and with `learned_`
    before them those of as many training notes: far smaller ones mean learning by heart. frechet: of prior notes
    against the held-out ones; frechet_floor: of as many training notes. diversity: mean deviation of the statistics
    over the prior notes, over that of real ones. prior_cents: 95th percentile of the deviation from nominal pitch.
    Every call draws the same latents.
    """
    rng = torch.Generator().manual_seed(1)
    features = ControlFeatures(generator.spec).to(held_out.device)
    rows = torch.randperm(len(held_out), generator=rng)[:n].to(held_out.device)
    others = torch.randperm(len(train), generator=rng)[: len(rows)].to(train.device)
    real, rebuilt, still = _rebuilt(generator, encoder, held_out, rows)
    learned, _, learned_still = _rebuilt(generator, encoder, train, others)
    z = _draws(prior, real.pitch, real.velocity, generator.spec.latent_size).to(held_out.device)
    drawn = real.with_controls(generator(z, real.pitch, real.velocity, real.time_on, real.time_off))
    statistics = {
        name: trajectory_statistics(frames, features)
        for name, frames in (("real", real), ("drawn", drawn), ("rebuilt", rebuilt), ("train", learned))
    }
    figures = {name: float(value) for name, value in reconstruction(still, real)._asdict().items()}
    for name, value in reconstruction(learned_still, learned)._asdict().items():
        figures[f"learned_{name}"] = float(value)
    if len(rows) > 2:
        for name, other in (("frechet", "drawn"), ("frechet_rebuilt", "rebuilt"), ("frechet_floor", "train")):
            figures[name] = frechet_distance(statistics[other], statistics["real"])
        figures["diversity"] = float(statistics["drawn"].std(0).mean() / statistics["real"].std(0).mean())
    figures["prior_cents"] = float(drawn.cents.abs().flatten().quantile(0.95))
    return figures
