"""Shimmer: each partial's level trembles on its own, as strings beat and neither breath nor bow is ever steady."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LOWEST_HZ = 0.7
N_OCTAVES = 6  # of rates, to 45 Hz
MEASURED_PARTIALS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # of recordings
LEAST_DB, MOST_DB = 0.05, 6.0  # RMS in one octave of rates: what nobody hears, and more than instruments do
_FIRST_DB = 0.5  # before anything is learned
# Of the rates in an octave a partial has one; it is twice the one in the octave below, but where a family begins.
_RATES_PER_OCTAVE = 6
_FAMILIES = ((0, 1), (2, 3, 4), (5,))
_N_NODES = 7  # at partials 1, 2, 4, ... 64, and beyond as there
# Strings beat from a common beginning: a tremble comes in within a period, so that notes struck alike begin alike.
_FADE_IN_PERIODS = 0.5
_LARGEST_DB = 12.0  # that a partial ever rises or falls
_MOST_RADIANS_PER_SEMITONE = 1.5  # so that the notes of a chord tremble apart, and a bend does not make them flutter


class Shimmer(nn.Module):
    """Sums of sines over time, their phases drawn once for every partial: a tremble without memory.

    Recordings tremble with phases that nobody can foretell, so a network that is told to come near them learns their
    mean, which is still. How deep they tremble can be foretold: that is what the latent says, as a depth for each
    octave of rates times one over the partials.
    """

    partials_at: Tensor
    measured_at: Tensor
    amplitude_of: Tensor
    radians_per_s: Tensor
    fade_per_s: Tensor
    radians_per_semitone: Tensor
    sines: Tensor

    def __init__(self, mapping_width: int, n_harmonics: int) -> None:
        super().__init__()
        self.depth = nn.Linear(mapping_width, N_OCTAVES + _N_NODES)
        with torch.no_grad():
            self.depth.weight.mul_(0.1)
            self.depth.bias.zero_()
            self.depth.bias[:N_OCTAVES] = math.log(_FIRST_DB)
        rates_hz, per_semitone, sines = _beats(n_harmonics)
        for name, values in (
            ("partials_at", _between_nodes(np.arange(1, n_harmonics + 1))),
            ("measured_at", _between_nodes(np.array(MEASURED_PARTIALS))),
            ("amplitude_of", math.sqrt(2.0) * np.tile(np.repeat(np.eye(N_OCTAVES), _RATES_PER_OCTAVE, 1), 2)),
            ("radians_per_s", 2.0 * math.pi * rates_hz),
            ("fade_per_s", -rates_hz / _FADE_IN_PERIODS),
            ("radians_per_semitone", per_semitone),
            ("sines", sines),
        ):
            self.register_buffer(name, torch.from_numpy(values.astype(np.float32)), persistent=False)

    def log_depth(self, modulation: Tensor) -> Tensor:
        """[V, N_OCTAVES, MEASURED_PARTIALS]: log of the depth in dB (RMS) that `forward` gives these partials.

        Beyond MOST_DB it gives less, as nothing that was measured is deeper.
        """
        of_rates, nodes = self._log_depths(modulation)
        return of_rates.unsqueeze(-1) + (nodes @ self.measured_at).unsqueeze(1)

    def forward(
        self,
        modulation: Tensor,
        pitch: Tensor,
        time_on: Tensor,
        amount: Tensor | None = None,
        clock: Tensor | None = None,
    ) -> Tensor:
        """Gain in dB [V, F, H] from modulation [V, mapping_width], MIDI pitch [V] and time_on [V, F] >= 0 in s.

        amount [V, F]: of the depth, 1 by default. clock [V, F]: the time in s that the sines are told, time_on by
        default; where time_on is stretched they must not be, and notes that begin elsewhere on it tremble apart.
        """
        of_rates, nodes = self._log_depths(modulation)
        amplitude = torch.exp(of_rates.clamp(max=math.log(MOST_DB))) @ self.amplitude_of
        start = pitch.unsqueeze(-1) * self.radians_per_semitone
        clock = time_on if clock is None else clock
        angle = clock.unsqueeze(-1) * self.radians_per_s + start.unsqueeze(1)
        fade_in = 1.0 - torch.exp(time_on.unsqueeze(-1) * self.fade_per_s)
        waves = torch.cat([torch.sin(angle) * fade_in, torch.cos(angle) * fade_in], dim=-1) * amplitude.unsqueeze(1)
        shares = torch.exp((nodes @ self.partials_at).clamp(max=math.log(MOST_DB)))
        gain_db = (waves @ self.sines) * shares.unsqueeze(1)
        if amount is not None:
            gain_db = gain_db * amount.unsqueeze(-1)
        return _LARGEST_DB * torch.tanh(gain_db / _LARGEST_DB)

    def _log_depths(self, modulation: Tensor) -> tuple[Tensor, Tensor]:
        """[V, N_OCTAVES] over rates and [V, nodes] over partials, which add up."""
        of_rates, nodes = self.depth(modulation).split([N_OCTAVES, _N_NODES], dim=-1)
        return of_rates, nodes

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Runs of older versions know nothing of it: they are still, and begin to learn from there."""
        if prefix + "depth.weight" not in state_dict:
            still = torch.zeros_like(self.depth.bias)
            still[:N_OCTAVES] = math.log(LEAST_DB)
            state_dict |= {prefix + "depth.weight": torch.zeros_like(self.depth.weight), prefix + "depth.bias": still}
        super()._load_from_state_dict(state_dict, prefix, *args)


def _between_nodes(partials: NDArray[np.int64]) -> NDArray[np.float64]:
    """[nodes, P]: each node's share of each partial, linear over octaves."""
    octaves = np.minimum(np.log2(partials), _N_NODES - 1.0)
    return np.maximum(1.0 - np.abs(octaves - np.arange(_N_NODES)[:, None]), 0.0)


def _beats(n_harmonics: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rates in Hz [R], their radians per semitone [R], and what partials take of sines and cosines [2 * R, H].

    Two modes that are a little apart beat as log |1 + m exp(i phi)| = m cos(phi) - m^2 cos(2 phi) / 2 + ... does: in
    long crests and sharp dips. So what is twice as fast is locked to what is slower, with the other sign, as far as a
    family of octaves goes; locked throughout, a partial would repeat itself every second.
    """
    chance = np.random.RandomState(0)  # its numbers are promised never to change
    n = _RATES_PER_OCTAVE
    rates_hz, per_semitone = np.zeros(N_OCTAVES * n), np.zeros(N_OCTAVES * n)
    sines, cosines = np.zeros((2, N_OCTAVES * n, n_harmonics))
    partials = np.arange(n_harmonics)
    for family in _FAMILIES:
        slowest_hz = LOWEST_HZ * 2.0 ** (family[0] + (np.arange(n) + chance.random_sample(n)) / n)
        radians = _MOST_RADIANS_PER_SEMITONE * chance.uniform(-1.0, 1.0, n)
        chosen = chance.randint(n, size=n_harmonics)
        phase = 2.0 * math.pi * chance.random_sample(n_harmonics)
        for step, octave in enumerate(family):
            times, sign = 2.0**step, 1.0 if step == 0 else -1.0
            rates_hz[octave * n : (octave + 1) * n] = times * slowest_hz
            per_semitone[octave * n : (octave + 1) * n] = times * radians
            sines[octave * n + chosen, partials] = -sign * np.sin(times * phase)
            cosines[octave * n + chosen, partials] = sign * np.cos(times * phase)
    return rates_hz, per_semitone, np.concatenate([sines, cosines])
