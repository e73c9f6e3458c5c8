"""Conversions of tensors between the units that players, ears and synths use."""

from __future__ import annotations

import math

import torch
from torch import Tensor

DB_TO_NEPER = math.log(10.0) / 20.0


def midi_to_hz(pitch: Tensor) -> Tensor:
    """Frequency in Hz of fractional MIDI note numbers, A4 = 69 = 440 Hz; `noisysynth.spec.midi_to_hz` of tensors."""
    return 440.0 * torch.exp2((pitch - 69.0) / 12.0)
