"""A training step on a GPU as one CUDA graph: recorded once, then replayed with other random numbers.

A step is thousands of small kernels, and to launch one takes a processor longer than the GPU needs to run it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from noisysynth.train.dice import DealtDice

Step = Callable[[], Mapping[str, Tensor]]


class StepGraphs:
    """Plays steps of several kinds; all that changes between steps of a kind must be in tensors that stay in place.

    The first step of each kind and length is played as it is: kernels are chosen, optimizers make their state. The
    second is recorded, and it and all later ones are replays. Everything must run on one stream that is not the
    default one, see `machine.own_stream`.
    """

    def __init__(self, dice: DealtDice) -> None:
        self._dice = dice
        self._pool = torch.cuda.graph_pool_handle()
        self._seen: set[tuple[str, tuple[int, ...] | None]] = set()
        self._graphs: dict[tuple[str, tuple[int, ...] | None], tuple[torch.cuda.CUDAGraph, Mapping[str, Tensor]]] = {}

    def play(self, kind: str, step: Step) -> Mapping[str, Tensor]:
        """What a step returns: tensors that the next step of any kind may overwrite."""
        key = kind, self._dice.deal(kind)
        if key not in self._seen:
            if key[1] is not None:  # else its first step is played before the wishes of its kind are known
                self._seen.add(key)
            losses = step()
            self._dice.played()
            return losses
        if key not in self._graphs:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, stream=torch.cuda.current_stream()):
                losses = step()
            self._dice.played()
            self._graphs[key] = graph, losses
        else:
            self._dice.played(replayed=True)
        graph, losses = self._graphs[key]
        graph.replay()
        return losses
