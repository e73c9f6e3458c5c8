"""Bodies that no recording has: random filters over real notes, so that the latent reaches further than the data."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from noisysynth import features
from noisysynth.spec import SynthSpec, noise_band_centers_hz
from noisysynth.train.dice import Dice
from noisysynth.train.networks.time_features import constants
from noisysynth.train.note_bank import LOG_MEL_FLOOR, Frames
from noisysynth.train.units import DB_TO_NEPER, midi_to_hz

N_NODES = 17
_LOWEST_NODE_HZ, _NODES_PER_OCTAVE = 62.5, 2  # a viola's, say, has resonances that are closer than an octave
_DAMPING_DB = 5.0  # per second and octave above the fundamental, a standard deviation
_MOST_DB = 18.0  # that anything becomes louder: what is hardly there is not known well enough for more
_MOST_LATER_DB = 6.0  # of that, what comes with time


@dataclasses.dataclass(frozen=True)
class Bodies:
    """One filter for each of V notes; it is as the body of an instrument, the same at all of its keys.

    nodes_db: [V, N_NODES], gain at 62.5 Hz and each half octave above, linear between. damping: [V], dB per second by
    which each octave above the fundamental dies away faster, or slower where it is negative. Zeros leave a note as it
    is.
    """

    nodes_db: Tensor
    damping: Tensor

    @classmethod
    def draw(cls, decays: Tensor, share: float, deviation_db: float, rng: Dice) -> Bodies:
        """For a share of the notes; damping only where decays [V] says that a held note dies away."""
        n = len(decays)
        depth = rng.rand(n) * (rng.rand(n) < share)
        nodes_db = rng.randn(n, N_NODES) * (deviation_db * depth).unsqueeze(-1)
        damping = rng.randn(n) * _DAMPING_DB * depth * decays
        return cls(nodes_db, damping)

    def over_frames(self, frames: Frames, spec: SynthSpec, level_db: Tensor) -> Frames:
        """The notes as these bodies sound them. level_db: [V], by which each becomes louder as a whole."""
        f0_hz = midi_to_hz(frames.pitch)
        numbers = torch.arange(1, spec.n_harmonics + 1, device=f0_hz.device)
        bands_hz = constants(tuple(noise_band_centers_hz(spec.n_noise_bands).tolist()), f0_hz.device)
        partials = self._gain_db(f0_hz.unsqueeze(-1) * numbers, f0_hz, frames.time_on)
        noise = self._gain_db(bands_hz.expand(len(f0_hz), -1), f0_hz, frames.time_on)
        return dataclasses.replace(
            frames,
            partials=frames.partials * torch.exp(DB_TO_NEPER * (partials - level_db[:, None, None])),
            noise=frames.noise * torch.exp(DB_TO_NEPER * (noise - level_db[:, None, None])),
        )

    def over_log_mel(self, log_mel: Tensor, pitch: Tensor) -> Tensor:
        """Log-mel features [V, T, mels] of notes at `pitch` [V], sounded by these bodies."""
        seconds = torch.arange(log_mel.shape[1], device=log_mel.device) / features.FRAMES_PER_SECOND
        mels_hz = constants(features.mel_centers_hz(), log_mel.device).expand(len(pitch), -1)
        gain_db = self._gain_db(mels_hz, midi_to_hz(pitch), seconds.expand(len(pitch), -1))
        sounded = (log_mel + DB_TO_NEPER * gain_db).clamp(min=LOG_MEL_FLOOR)
        return torch.where(log_mel > LOG_MEL_FLOOR, sounded, LOG_MEL_FLOOR)

    def level_db(self, log_mel: Tensor, pitch: Tensor) -> Tensor:
        """By how much each note becomes louder, [V]: its loudest moment, as the encoder takes it."""
        power = torch.exp(2.0 * log_mel).sum(dim=2).amax(dim=1)
        return 10.0 * torch.log10(torch.exp(2.0 * self.over_log_mel(log_mel, pitch)).sum(dim=2).amax(dim=1) / power)

    def _gain_db(self, hz: Tensor, f0_hz: Tensor, seconds: Tensor) -> Tensor:
        """[V, F, H] at frequencies hz [V, H] and times since note-on [V, F]."""
        place = (_NODES_PER_OCTAVE * torch.log2(hz / _LOWEST_NODE_HZ)).clamp(0.0, N_NODES - 1.0)
        nodes = torch.arange(N_NODES, device=hz.device)
        hats = torch.relu(1.0 - (place.unsqueeze(-1) - nodes).abs())  # [V, H, N_NODES]
        still = (hats @ self.nodes_db.unsqueeze(-1)).squeeze(-1)
        octaves = torch.log2(hz / f0_hz.unsqueeze(-1)).clamp(min=0.0)
        rising = -(self.damping.unsqueeze(-1) * octaves).unsqueeze(1) * seconds.unsqueeze(-1)
        return (still.unsqueeze(1) + rising.clamp(max=_MOST_LATER_DB)).clamp(max=_MOST_DB)
