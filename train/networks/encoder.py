"""The encoder: a recording's log-mel features in, a distribution over the latent out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from noisysynth.spec import SynthSpec

# Natural-log units under the clip's own peak at which features are floored, and the scale they are brought to.
_RANGE = 9.0


class Encoder(nn.Module):
    """Convolutions over time, then mean and maximum: any length of recording, any level.

    The features' own peak is taken as zero, so that a quiet recording means the same as a loud one: how hard
    a note was struck is for the player to say.
    """

    def __init__(self, spec: SynthSpec, n_mels: int = 80, width: int = 96) -> None:
        super().__init__()
        self.spec = spec
        self.n_mels = n_mels
        self.convolutions = nn.Sequential(
            nn.Conv1d(n_mels, width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.SiLU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.SiLU(),
        )
        self.head = nn.Sequential(nn.Linear(3 * width, 128), nn.SiLU(), nn.Linear(128, 2 * spec.latent_size))

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [B, Z] and log variance [B, Z] from log_mel [B, Tm, n_mels] (`noisysynth.features`)."""
        peak = log_mel.amax(dim=(1, 2), keepdim=True)
        x = (log_mel - peak).clamp(min=-_RANGE) * (2.0 / _RANGE) + 1.0
        h = self.convolutions(x.transpose(1, 2))
        pooled = torch.cat([h.mean(dim=2), h.amax(dim=2), h[:, :, 0]], dim=-1)
        mean, log_variance = self.head(pooled).chunk(2, dim=-1)
        return mean, log_variance.clamp(-8.0, 2.0)
