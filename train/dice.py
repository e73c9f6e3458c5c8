"""Random draws for batches: the same ones on every device and in any number of processes."""

from __future__ import annotations

import torch
from torch import Tensor

from noisysynth.train import processes


class Dice:
    """Draws are made on the CPU for the whole batch, each process keeps its share, and only that goes to the device.

    The share of process r of n is every n-th row from row r on: so the first half of a batch is the first half of
    every share. `n` below is the size of the share.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self._rng = torch.Generator().manual_seed(seed)
        self.device = torch.device(device)

    def get_state(self) -> Tensor:
        return self._rng.get_state()

    def set_state(self, state: Tensor) -> None:
        self._rng.set_state(state)

    def rand(self, n: int, *shape: int) -> Tensor:
        """[n, *shape], uniform in 0..1."""
        return self._share(torch.rand(n * processes.count(), *shape, generator=self._rng))

    def randn(self, n: int, *shape: int) -> Tensor:
        """[n, *shape], normal."""
        return self._share(torch.randn(n * processes.count(), *shape, generator=self._rng))

    def randint(self, high: int, n: int) -> Tensor:
        """[n], whole numbers from 0 to high - 1."""
        return self._share(torch.randint(high, (n * processes.count(),), generator=self._rng))

    def common_randn(self, *shape: int) -> Tensor:
        """Normal numbers of a shape, the same in all processes."""
        return torch.randn(*shape, generator=self._rng).to(self.device)

    def number(self, high: int) -> int:
        """One whole number from 0 to high - 1, the same in all processes."""
        return int(torch.randint(high, (), generator=self._rng))

    def _share(self, whole: Tensor) -> Tensor:
        return whole[processes.rank() :: processes.count()].contiguous().to(self.device)
