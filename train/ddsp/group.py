"""Synths that sound together: a list of them over the same controls, added, and then a room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from noisysynth.train.ddsp import operators
from noisysynth.train.ddsp.eager import stretched_ratios

Controls = Mapping[str, Tensor]


class Synth(nn.Module):
    """Controls in, audio [B, (F - 1) * hop] out. `needs` names the controls that are read."""

    needs: tuple[str, ...] = ()

    def __init__(self, sample_rate: int, hop: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.hop = hop

    def forward(self, controls: Controls) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} makes no sound")


class HarmonicSynth(Synth):
    """Partials k * f0: `f0_hz` [B, F], `harmonics` [B, F, K], linear peak amplitudes."""

    needs = ("f0_hz", "harmonics")

    def forward(self, controls: Controls) -> Tensor:
        return operators.harmonic_synth(controls["f0_hz"], controls["harmonics"], self.sample_rate, self.hop)


class InharmonicSynth(Synth):
    """The same with a stiff string's partials, k * f0 * sqrt(1 + stretch * k^2): `stretch` [B] is a note's own."""

    needs = ("f0_hz", "harmonics", "stretch")

    def forward(self, controls: Controls) -> Tensor:
        harmonics = controls["harmonics"]
        # In float64, for a long note takes a ratio thousands of turns on.
        ratios = stretched_ratios(controls["stretch"].double(), harmonics.shape[2])
        return operators.inharmonic_synth(controls["f0_hz"], harmonics, ratios, self.sample_rate, self.hop)


class NoiseSynth(Synth):
    """Filtered noise: `noise` [B, F, N], RMS of each band; `noise_position` int64 [B], where the noise begins."""

    needs = ("noise", "noise_position")

    def forward(self, controls: Controls) -> Tensor:
        position = np.asarray(controls["noise_position"].cpu(), np.int64)
        return operators.noise_synth(controls["noise"], self.sample_rate, self.hop, position)


class WavetableSynth(Synth):
    """Learned tables, each one turn of a sound: `f0_hz` [B, F], `tables` [B, F, W], how loud each is.

    They begin as sines of the harmonics 1 to W. More in a table than its first n_tables harmonics is learned.
    Shan et al. 2022, "Differentiable wavetable synthesis": 10 to 20 are enough for most instruments.
    """

    needs = ("f0_hz", "tables")

    def __init__(self, sample_rate: int, hop: int, n_tables: int = 16, length: int = 512) -> None:
        super().__init__(sample_rate, hop)
        if not 1 <= n_tables <= (length - 1) // 2:
            raise ValueError(f"{length} entries have no room for {n_tables} harmonics, one for each table")
        turns = torch.arange(length) / length
        self.waves = nn.Parameter(torch.sin(2.0 * torch.pi * torch.arange(1, n_tables + 1)[:, None] * turns))

    def forward(self, controls: Controls) -> Tensor:
        return operators.wavetable_synth(controls["f0_hz"], controls["tables"], self.waves, self.sample_rate, self.hop)


class SynthGroup(nn.Module):
    """The sum of some synths, in a room if there is one: controls in, audio [B, (F - 1) * hop] out.

    needs: every control that is read, in the order of the synths.
    Raise ValueError when there are no synths, or they differ in sample rate or hop, or a control is missing.
    """

    def __init__(self, synths: Iterable[Synth], reverb: nn.Module | None = None) -> None:
        super().__init__()
        together = list(synths)
        if len({(synth.sample_rate, synth.hop) for synth in together}) != 1:
            raise ValueError("a group wants at least one synth, and all at one sample rate and hop")
        self.synths = nn.ModuleList(together)
        self.reverb = reverb
        self.needs = tuple(dict.fromkeys(name for synth in together for name in synth.needs))

    def forward(self, controls: Controls) -> Tensor:
        missing = [name for name in self.needs if name not in controls]
        if missing:
            raise ValueError(f"the synths want {', '.join(missing)} too, not only {', '.join(controls)}")
        audio: Tensor = sum(synth(controls) for synth in self.synths)
        if self.reverb is not None:
            audio = self.reverb(audio)
        return audio
