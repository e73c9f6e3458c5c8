"""Is the latent space smooth? Perceptual path length, and ladders from one sound to another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.export.descriptors import DESCRIPTORS, RunControls, measure
from noisysynth.export.evaluation.candidates import prior_latents
from noisysynth.export.evaluation.notes import Audio, Told
from noisysynth.export.evaluation.playability import Timbre
from noisysynth.export.evaluation.rendering import Player

STEP = 0.05
RUNGS = 9
LADDER_NOTE = Told(60.0, 0.75, 0.8)
_MIN_SLOPE = 1.0  # of a descriptor over a ladder, in the least change that is audible

Latent = NDArray[np.float32]
Embed = Callable[[Sequence[Audio]], NDArray[np.float32]]
Progress = Callable[[int], None]


def path_length(player: Player, embed: Embed, n: int, seed: int, progress: Progress) -> dict[str, float]:
    """Perceptual path length (Karras et al. 2019) of straight lines between draws of the prior.

    Mean of d^2 / STEP^2, where d is the distance in the embedding of two notes STEP of the way apart. Karras's 1e-4
    would measure the engine's noise, which is never twice the same: what the same latent played twice differs by is
    measured, too (`jitter`, on the same scale), and taken off.
    """
    ends = prior_latents(player.instrument, 2 * n, seed).reshape(n, 2, -1)
    places = np.random.default_rng([seed, 1]).uniform(0.0, 1.0 - STEP, n).astype(np.float32)
    sounds: list[Audio] = []
    for (a, b), t in zip(ends, places, strict=True):
        near, far = a + t * (b - a), a + (t + STEP) * (b - a)
        for z in (near, near, far):
            sounds.append(player.note(z, LADDER_NOTE, 1.2))
            progress(1)
    embedded = embed(sounds).astype(np.float64).reshape(n, 3, -1)
    jitter = np.sum((embedded[:, 0] - embedded[:, 1]) ** 2, axis=1) / STEP**2
    moved = np.sum((embedded[:, 1] - embedded[:, 2]) ** 2, axis=1) / STEP**2
    return {
        "n": n,
        "path_length": float(np.mean(moved) - np.mean(jitter)),
        "deviation": float(np.std(moved) / math.sqrt(n)),
        "jitter": float(np.mean(jitter)),
    }


def ladders(
    player: Player,
    run: RunControls,
    embed: Embed,
    timbres: Sequence[Timbre],
    n: int,
    seed: int,
    progress: Progress,
) -> tuple[dict[str, Any], list[tuple[str, list[Audio]]]]:
    """Straight ways of nine steps between timbres; figures, and the notes of every ladder with its name.

    linearity: mean R^2 of a line through each descriptor that changes audibly along a ladder; descriptors: of each.
    largest_over_mean: median over ladders of the largest step in the embedding over the mean one: 1 is even, 8 a jump.
    """
    pairs = list(itertools.combinations(range(len(timbres)), 2))
    rng = np.random.default_rng([seed, 2])
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:n]]
    share = np.linspace(0.0, 1.0, RUNGS, dtype=np.float32)[:, None]
    fits: dict[str, list[float]] = {}
    evenness, played = [], []
    for first, last in chosen:
        a, b = timbres[first], timbres[last]
        z = np.asarray((1.0 - share) * a.z + share * b.z, np.float32)
        described = measure(run, z)
        for column, descriptor in enumerate(DESCRIPTORS):
            values = described[:, column]
            if abs(values[-1] - values[0]) >= _MIN_SLOPE * descriptor.audible:
                fits.setdefault(descriptor.id, []).append(line_fit(values))
        sounds = []
        for each in z:
            sounds.append(player.note(each, LADDER_NOTE, 1.2))
            progress(1)
        evenness.append(largest_over_mean(embed(sounds)))
        played.append((f"{a.name} to {b.name}", sounds))
    every = [value for values in fits.values() for value in values]
    figures = {
        "n": len(chosen),
        "linearity": float(np.mean(every)) if every else math.nan,
        "largest_over_mean": float(np.median(evenness)) if evenness else math.nan,
        "descriptors": {name: float(np.mean(values)) for name, values in sorted(fits.items())},
    }
    return figures, played


def line_fit(values: NDArray[np.float64]) -> float:
    """R^2 of a straight line through values [n] at even steps."""
    n = np.arange(len(values))
    rest = values - np.polyval(np.polyfit(n, values, 1), n)
    return float(1.0 - rest.var() / max(float(values.var()), 1e-12))


def largest_over_mean(embedded: NDArray[np.float32]) -> float:
    """Of the steps along a way [n, D]."""
    steps = np.linalg.norm(np.diff(embedded.astype(np.float64), axis=0), axis=1)
    return float(steps.max() / max(float(steps.mean()), 1e-12))
