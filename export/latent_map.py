"""The latent space as a player meets it: presets, and a pad over the two widest directions."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from noisysynth.export.families import family_of, readable_name, unique_names
from noisysynth.export.source import TrainingNotes
from noisysynth.instrument import PadPoint, Preset

PAD_SIGMAS = 2.0

Latents = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class LatentMap:
    """pad_axes: two vectors [Z], +-1 of which covers two standard deviations of the training notes.

    explained: share of the notes' variance along each axis.
    """

    presets: tuple[Preset, ...]
    pad_axes: tuple[Latents, Latents]
    pad_points: tuple[PadPoint, ...]
    explained: tuple[float, float]


def make_latent_map(notes: TrainingNotes) -> LatentMap:
    """One preset per training instrument (the mean of its notes' latents), and the pad by principal components."""
    center, axes, explained = principal_axes(notes.z)
    presets = instrument_presets(notes)
    points = []
    for preset in presets:
        x, y = pad_position(preset.latent, center, axes)
        points.append(PadPoint(preset.name, x, y))
    return LatentMap(presets, axes, tuple(points), explained)


def principal_axes(z: Latents) -> tuple[NDArray[np.float64], tuple[Latents, Latents], tuple[float, float]]:
    """Center [Z], two axes [Z] scaled to PAD_SIGMAS, and their shares of the variance, of latents [n, Z].

    An axis without variance (one note only, or a latent of size 1) is all zeros: that side of the pad does nothing.
    """
    z64 = z.astype(np.float64)
    center = z64.mean(axis=0)
    _, singular, components = np.linalg.svd(z64 - center, full_matrices=False)
    deviation = singular / np.sqrt(max(len(z) - 1, 1))
    total = float(np.sum(deviation**2))
    axes, explained = [], []
    for index in range(2):
        if index >= len(deviation) or deviation[index] < 1e-6:
            axes.append(np.zeros(z.shape[1], np.float32))
            explained.append(0.0)
            continue
        component = components[index]
        # A component's sign is arbitrary: fixed, so that exporting twice gives the same pad.
        sign = 1.0 if component[np.argmax(np.abs(component))] > 0 else -1.0
        axes.append((sign * PAD_SIGMAS * deviation[index] * component).astype(np.float32))
        explained.append(float(deviation[index] ** 2) / total)
    return center, (axes[0], axes[1]), (explained[0], explained[1])


def pad_position(latent: Latents, center: NDArray[np.float64], axes: tuple[Latents, Latents]) -> tuple[float, float]:
    """Where a latent stands on the pad: its projection, 0, 0 for the notes' center."""
    offset = latent.astype(np.float64) - center
    position = [float(offset @ axis / max(float(axis @ axis), 1e-12)) for axis in axes]
    return position[0], position[1]


def instrument_presets(notes: TrainingNotes) -> tuple[Preset, ...]:
    """A preset for every training instrument that has notes: General MIDI programs in their order, then by name."""
    present = [index for index in range(len(notes.instrument_names)) if np.any(notes.instrument == index)]
    present.sort(key=lambda index: notes.programs.get(notes.instrument_names[index], 128))
    originals = [notes.instrument_names[index] for index in present]
    names = unique_names([readable_name(name) for name in originals])
    presets = []
    for index, name, original in zip(present, names, originals, strict=True):
        latent = notes.z[notes.instrument == index].mean(axis=0, dtype=np.float64).astype(np.float32)
        family = family_of(original) or notes.families.get(original)
        tags = (family,) if family else ()
        presets.append(Preset(name, latent, {}, tags, notes.programs.get(original)))
    return tuple(presets)
