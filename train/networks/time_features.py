"""Bounded features of time and pitch: what the control network knows of when and where it is."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

# All but settled where recordings end. The generator stops them before; discriminators see no longer notes.
_TAUS_ON_S = (0.003, 0.008, 0.02, 0.05, 0.12, 0.3, 0.7, 1.5)
_TAUS_OFF_S = (0.005, 0.015, 0.04, 0.1, 0.25, 0.7)
_LOG_TAU_S = 0.02
_LOG_END_S = 4.0
N_FIXED_TIME_FEATURES = len(_TAUS_ON_S) + len(_TAUS_OFF_S) + 1


def fixed_time_features(on_s: Tensor, off_s: Tensor) -> Tensor:
    """[V, F, N_FIXED_TIME_FEATURES] in 0..1 from seconds since note-on and since note-off, both [V, F], >= 0."""
    on = on_s.unsqueeze(-1) * constants(tuple(1.0 / tau for tau in _TAUS_ON_S), on_s.device)
    off = off_s.unsqueeze(-1) * constants(tuple(1.0 / tau for tau in _TAUS_OFF_S), off_s.device)
    log = torch.log(1.0 + on_s.clamp(max=_LOG_END_S) / _LOG_TAU_S) / math.log(1.0 + _LOG_END_S / _LOG_TAU_S)
    return torch.cat([1.0 - torch.exp(-on), 1.0 - torch.exp(-off), log.unsqueeze(-1)], dim=-1)


def constants(values: tuple[float, ...], device: torch.device) -> Tensor:
    """A tensor of these; on a GPU always the same one, as nothing may go there while a step is being recorded."""
    return _on_gpu(values, device) if device.type == "cuda" else torch.tensor(values, device=device)


@functools.lru_cache(maxsize=64)
def _on_gpu(values: tuple[float, ...], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)


def pitch_features(pitch: Tensor) -> Tensor:
    """[V, 6], smooth in the MIDI pitch [V], fine enough for the registers of an instrument."""
    x = (pitch - 60.0) / 24.0
    return torch.stack(
        [x, x * x, torch.sin(3.0 * x), torch.cos(3.0 * x), torch.sin(6.0 * x), torch.cos(6.0 * x)], dim=-1
    )
