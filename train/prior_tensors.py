"""The latent prior as tensors that stay in place, to draw from within a training step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from noisysynth.latent_prior import MAX_COMPONENTS, N_CONDITIONS, LatentPrior, conditions


class PriorTensors:
    """The Gaussians of a `LatentPrior`, float64; room for as many as it may have, the others weigh nothing.

    known: bool, no dimensions: was there ever a prior? Without one, `at` gives latents that mean nothing.
    """

    def __init__(self, latent_size: int, device: torch.device | str = "cpu") -> None:
        size = N_CONDITIONS + latent_size
        self.latent_size = latent_size
        self.known = torch.zeros((), dtype=torch.bool, device=device)
        self._log_weights = torch.full((MAX_COMPONENTS,), -torch.inf, dtype=torch.float64, device=device)
        self._means = torch.zeros(MAX_COMPONENTS, size, dtype=torch.float64, device=device)
        self._factors = torch.eye(size, dtype=torch.float64, device=device).repeat(MAX_COMPONENTS, 1, 1)
        self._scale = torch.from_numpy(conditions(np.ones(1), np.ones(1))[0]).to(device)

    def take(self, prior: LatentPrior | None) -> None:
        """Be this prior; None: be none."""
        self.known.fill_(prior is not None)
        if prior is None:
            return
        n = len(prior.weights)
        self._log_weights.fill_(-torch.inf)
        self._log_weights[:n] = torch.log(torch.from_numpy(prior.weights).double() + 1e-30).to(self.known.device)
        self._means[:n] = torch.from_numpy(prior.means).to(self._means)
        self._factors[:n] = torch.from_numpy(prior.factors).to(self._factors)

    def at(self, pitch: Tensor, velocity: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """`LatentPrior.at` for pitch, velocity and uniform [n] and normal [n, Z]: latents [n, Z], float32."""
        c = N_CONDITIONS
        wanted = torch.stack([pitch, velocity], dim=-1).double() * self._scale
        gaps = wanted.unsqueeze(1) - self._means[:, :c]  # [n, K, c]
        a, b, d = self._factors[:, 0, 0], self._factors[:, 1, 0], self._factors[:, 1, 1]
        first = gaps[..., 0] / a
        inner = torch.stack([first, (gaps[..., 1] - b * first) / d], dim=-1)
        score = self._log_weights - torch.log(a * d) - 0.5 * inner.square().sum(-1)
        share = torch.softmax(score, dim=-1).cumsum(dim=-1)
        chosen = (uniform.double().unsqueeze(-1) * share[:, -1:] >= share).sum(-1).clamp(max=MAX_COMPONENTS - 1)
        unit = torch.cat([inner[torch.arange(len(chosen), device=chosen.device), chosen], normal.double()], dim=-1)
        latents = self._means[chosen, c:] + (self._factors[chosen, c:] @ unit.unsqueeze(-1)).squeeze(-1)
        return latents.float()
