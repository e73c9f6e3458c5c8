"""The synths written plainly in torch: the definition that the fast operators are tested against.

Everything is built in full, [batch, samples, partials], so use it on short audio only. Runs on any device. Phases are
summed and wrapped in float64; sines are taken in the amplitudes' own precision.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisysynth.dsp.noise import band_noise_loops
from noisysynth.train.ddsp.phase import highest_hz, sample_turns
from noisysynth.train.ddsp.wavetables import band_limited, segment_levels


def _ramps(frames: Tensor, hop: int) -> Tensor:
    """[B, (F - 1) * hop, ...] from [B, F, ...], linear from each frame to the next."""
    share = torch.arange(hop, dtype=frames.dtype, device=frames.device) / hop
    share = share.reshape(1, 1, hop, *([1] * (frames.dim() - 2)))
    ramps = frames[:, :-1].unsqueeze(2) * (1.0 - share) + frames[:, 1:].unsqueeze(2) * share
    return ramps.flatten(1, 2)


def _wrapped(turns: Tensor) -> Tensor:
    """The same phase, from -0.5 to 0.5 turns."""
    return turns - turns.detach().round()


def stretched_ratios(stretch: Tensor, n_partials: int) -> Tensor:
    """Frequencies of a stiff string's partials over f0, [B, K]: k * sqrt(1 + stretch * k^2), for stretch [B] >= 0.

    Fletcher, Blackham and Stratton 1962, "Quality of piano tones". 0 is the harmonic series.
    """
    number = torch.arange(1, n_partials + 1, dtype=stretch.dtype, device=stretch.device)
    return number * torch.sqrt(1.0 + stretch.unsqueeze(-1) * number**2)


def harmonic_synth(f0_hz: Tensor, amplitudes: Tensor, sample_rate: float, hop: int) -> Tensor:
    """Audio [B, (F - 1) * hop] from f0_hz [B, F] and peak amplitudes [B, F, K] of partials k * f0.

    Partial k sounds between two frames only if it is under Nyquist at both.
    """
    turns = _wrapped(sample_turns(f0_hz, sample_rate, hop)).to(amplitudes.dtype)
    number = torch.arange(1, amplitudes.shape[-1] + 1, device=f0_hz.device)
    audible = highest_hz(f0_hz).unsqueeze(-1) * number < 0.5 * sample_rate
    sines = torch.sin((2.0 * math.pi * turns).unsqueeze(-1) * number)
    return (_ramps(amplitudes, hop) * audible.repeat_interleave(hop, 1) * sines).sum(-1)


def inharmonic_synth(f0_hz: Tensor, amplitudes: Tensor, ratios: Tensor, sample_rate: float, hop: int) -> Tensor:
    """The same with partials at ratios [B, K] times f0, as of `stretched_ratios`."""
    turns = _wrapped(sample_turns(f0_hz, sample_rate, hop).unsqueeze(-1) * ratios.double().unsqueeze(1))
    audible = highest_hz(f0_hz).unsqueeze(-1) * ratios.double().unsqueeze(1) < 0.5 * sample_rate
    sines = torch.sin(2.0 * math.pi * turns.to(amplitudes.dtype))
    return (_ramps(amplitudes, hop) * audible.repeat_interleave(hop, 1) * sines).sum(-1)


def noise_synth(gains: Tensor, sample_rate: int, hop: int, position: NDArray[np.int64]) -> Tensor:
    """Audio [B, (F - 1) * hop] from band RMS gains [B, F, N]; position [B]: start in the endless loops."""
    loops, lengths = band_noise_loops(sample_rate, gains.shape[2])
    n_samples = (gains.shape[1] - 1) * hop
    at = (np.asarray(position)[:, None, None] + np.arange(n_samples)[:, None]) % lengths
    noise = torch.from_numpy(loops[np.arange(gains.shape[2]), at]).to(gains.device, gains.dtype)
    return (_ramps(gains, hop) * noise).sum(-1)


def wavetable_synth(f0_hz: Tensor, weights: Tensor, tables: Tensor, sample_rate: float, hop: int) -> Tensor:
    """Audio [B, (F - 1) * hop]: one turn of f0_hz [B, F] reads once through each of the tables [W, L].

    weights: [B, F, W], how loud each table is. Between two frames the tables keep the harmonics of the highest of the
    levels of `band_limited` that is below Nyquist at both; values between two entries are linear.
    """
    levels = band_limited(tables)
    length = tables.shape[1]
    turns = sample_turns(f0_hz, sample_rate, hop)
    place = (turns - turns.detach().floor()) * length
    entry = place.detach().floor()
    share = (place - entry).to(weights.dtype).unsqueeze(-1)
    entry = entry.long() % length
    level = segment_levels(highest_hz(f0_hz), sample_rate, length).repeat_interleave(hop, 1)
    values = levels[level, entry] * (1.0 - share) + levels[level, (entry + 1) % length] * share
    return (_ramps(weights, hop) * (level >= 0).unsqueeze(-1) * values).sum(-1)


def convolve(audio: Tensor, response: Tensor) -> Tensor:
    """The first T samples of audio [B, T] convolved with response [L], by its definition."""
    padded = torch.nn.functional.pad(audio, (response.shape[0] - 1, 0))
    return torch.nn.functional.conv1d(padded.unsqueeze(1), response.flip(0)[None, None]).squeeze(1)
