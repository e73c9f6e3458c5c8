"""Random draws for batches: the same ones on every device and in any number of processes."""

from __future__ import annotations

import torch
from torch import Tensor

from noisysynth.train import processes

Wish = tuple[str, tuple[int, ...]]  # which of Dice's draws, and of what shape


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
        return self._fetch(("rand", (n, *shape)))

    def randn(self, n: int, *shape: int) -> Tensor:
        """[n, *shape], normal."""
        return self._fetch(("randn", (n, *shape)))

    def randint(self, high: int, n: int) -> Tensor:
        """[n], whole numbers from 0 to high - 1; not where draws are dealt."""
        return self._share(torch.randint(high, (n * processes.count(),), generator=self._rng)).to(self.device)

    def common_randn(self, *shape: int) -> Tensor:
        """Normal numbers of a shape, the same in all processes."""
        return self._fetch(("common_randn", shape))

    def number(self, high: int) -> int:
        """One whole number from 0 to high - 1, the same in all processes."""
        return int(torch.randint(high, (), generator=self._rng))

    def _fetch(self, wish: Wish) -> Tensor:
        return self._drawn(wish).to(self.device)

    def _drawn(self, wish: Wish) -> Tensor:
        """On the CPU."""
        what, shape = wish
        if what == "common_randn":
            return torch.randn(*shape, generator=self._rng)
        draw = torch.rand if what == "rand" else torch.randn
        return self._share(draw(shape[0] * processes.count(), *shape[1:], generator=self._rng))

    def _share(self, whole: Tensor) -> Tensor:
        return whole[processes.rank() :: processes.count()].contiguous()


class DealtDice(Dice):
    """Dice that are thrown for a whole step before it begins, into a tensor that stays where it is.

    A step of a kind must always wish for the same draws: the first one is played with `Dice`, and what it wishes for
    is written down; from then on `deal` draws all of it, in the same order and so the same numbers as `Dice` would,
    and the step is handed what was dealt. A graph that was recorded of one step thus finds new numbers in its place.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        super().__init__(seed, device)
        self._wishes: dict[str, list[Wish]] = {}
        self._places: dict[str, list[Tensor]] = {}
        self._flat: dict[str, Tensor] = {}
        self._numbers: list[int] = []
        self._kind: str | None = None
        self._next = self._next_number = 0

    def deal(self, kind: str) -> tuple[int, ...] | None:
        """Draw for a step of this kind; the whole numbers among its draws, or None where its wishes are not known."""
        self._kind, self._next, self._next_number = kind, 0, 0
        if kind not in self._wishes:
            self._wishes[kind] = []
            return None
        drawn, self._numbers = [], []
        for wish in self._wishes[kind]:
            if wish[0] == "number":
                self._numbers.append(super().number(wish[1][0]))
            else:
                drawn.append(self._drawn(wish))
        flat = torch.cat([values.flatten() for values in drawn])
        if kind not in self._flat:
            self._flat[kind] = flat.to(self.device)
            pieces = self._flat[kind].split([values.numel() for values in drawn])
            self._places[kind] = [piece.view(values.shape) for piece, values in zip(pieces, drawn, strict=True)]
        else:
            self._flat[kind].copy_(flat)
        return tuple(self._numbers)

    def played(self, replayed: bool = False) -> None:
        """The step is over: draws until the next one are ordinary ones. RuntimeError if it left any of its own.

        replayed: it was a recording, which found its draws in their places and did not ask for them.
        """
        kind, self._kind = self._kind, None
        if not replayed and kind in self._flat and self._next < len(self._wishes[kind]):
            raise RuntimeError(f"a {kind} step wishes for fewer draws than the first one did")

    def randint(self, high: int, n: int) -> Tensor:
        if self._kind is not None:
            raise RuntimeError("whole numbers for a batch are not dealt")
        return super().randint(high, n)

    def number(self, high: int) -> int:
        if self._dealt(("number", (high,))):
            self._next_number += 1
            return self._numbers[self._next_number - 1]
        return super().number(high)

    def _fetch(self, wish: Wish) -> Tensor:
        if self._dealt(wish):
            return self._places[self._kind or ""][self._next - 1 - self._next_number]
        return super()._fetch(wish)

    def _dealt(self, wish: Wish) -> bool:
        """Is this wish already met? If it is the first step of a kind, write it down."""
        if self._kind is None:
            return False
        wishes = self._wishes[self._kind]
        if self._kind not in self._flat:
            wishes.append(wish)
            return False
        if self._next >= len(wishes) or wishes[self._next] != wish:
            raise RuntimeError(f"a {self._kind} step wishes for other draws than the first one did: {wish}")
        self._next += 1
        return True
