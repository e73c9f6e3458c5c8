"""What an export starts from: a trained generator and what its training notes became."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from noisysynth.errors import UserError
from noisysynth.instrument import Training
from noisysynth.spec import SynthSpec


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingNotes:
    """The notes that were learned from, as the encoder sees them.

    z [n, Z]: posterior means. instrument [n]: index into instrument_names. pitch [n]: MIDI. velocity [n]: 0..1.
    programs: General MIDI program of those instruments that are one. families: as the data call them, where they do.
    """

    z: NDArray[np.float32]
    instrument: NDArray[np.int64]
    instrument_names: tuple[str, ...]
    pitch: NDArray[np.float32]
    velocity: NDArray[np.float32]
    programs: Mapping[str, int] = dataclasses.field(default_factory=dict)
    families: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A training run as the exporter needs it, whatever wrote it. `label` is what messages call it."""

    label: str
    spec: SynthSpec
    generator: nn.Module
    encoder: nn.Module | None
    notes: TrainingNotes
    training: Training


def check_source(source: Source) -> None:
    """Raise UserError, one line, when weights or latents are not finite or do not fit the spec."""
    for what, module in (("generator", source.generator), ("encoder", source.encoder)):
        if module is None:
            continue
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise UserError(
                    f"{source.label}: the {what}'s {name} holds numbers that are not finite; "
                    "training broke down, so export an earlier checkpoint or train again"
                )
    notes = source.notes
    n = len(notes.z)
    if n == 0 or notes.z.shape != (n, source.spec.latent_size) or not np.isfinite(notes.z).all():
        raise UserError(
            f"{source.label}: its latents are {notes.z.shape}, not finite numbers of shape "
            f"(notes, {source.spec.latent_size}); train again"
        )
    indices = notes.instrument
    if indices.shape != (n,) or indices.min() < 0 or indices.max() >= len(notes.instrument_names):
        raise UserError(f"{source.label}: its notes name instruments that it does not list; train again")
    if notes.pitch.shape != (n,) or not ((notes.pitch >= 0) & (notes.pitch <= 127)).all():
        raise UserError(f"{source.label}: its notes have pitches outside 0 to 127; train again")
