"""Training in several processes (torchrun): the batch is shared out, and sums go over all of its shares.

Every process holds the same networks and draws the same random numbers, of which it keeps its own share (`Dice`).
Whatever is a mean over the batch is then averaged over the processes; whatever is not (a ratio of sums, a deviation
across the batch) is put together here first. With one process nothing here costs anything.

torch's DistributedDataParallel is not used: it wants each network called through one forward method, where the
generator, the encoder and the judges are called in parts; the averaging it does is `average_gradients`.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from noisysynth.errors import UserError

# The others wait in a collective while the first process evaluates and writes.
_PATIENCE = datetime.timedelta(hours=2)
_alone = False


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() and not _alone else 1


def rank() -> int:
    """Which of them this is; the first writes files."""
    return dist.get_rank() if count() > 1 else 0


def started_together() -> bool:
    """Was this process started by torchrun beside others?"""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started: NCCL between GPUs, gloo between CPUs. Does nothing in a lone one."""
    if not started_together() or dist.is_initialized():
        yield
        return
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"the processes of torchrun cannot reach one another: {error}") from error
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process computes by itself: for what only the first one does."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


class _Sum(torch.autograd.Function):
    """Sum over processes. Each one's loss depends on all: so the gradient is the sum of theirs, and so is its own."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total: Tensor = _Sum.apply(grads[0])
        return total


def batch_mean(values: Tensor) -> Tensor:
    """Mean over dimension 0 of the whole batch; values [V, ...] are this process's equal share of it."""
    mean = values.mean(0)
    if count() == 1:
        return mean
    total: Tensor = _Sum.apply(mean)
    return total / count()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` over the whole batch, 0 where nothing is; both of one shape.

    It is scaled so that the mean over the processes is right.
    """
    number = mask.sum().to(values.dtype)
    if count() > 1:
        dist.all_reduce(number)
    return (values * mask).sum() * count() / number.clamp(min=1.0)


def whole_batch(values: Tensor) -> Tensor:
    """All rows [V * processes, ...] of the batch of which values [V, ...] are this process's share, in one order."""
    if count() == 1:
        return values
    rows = values.new_zeros(len(values) * count(), *values.shape[1:])
    rows[rank() :: count()] = values
    whole: Tensor = _Sum.apply(rows)
    return whole


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes, all in one exchange."""
    if count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= count()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def means(values: Mapping[str, Tensor | float], device: torch.device) -> dict[str, float]:
    """Each value's mean over the processes, fetched from the device at once."""
    found = [torch.as_tensor(value, dtype=torch.float32, device=device).detach() for value in values.values()]
    stacked = torch.stack(found)
    if count() > 1:
        dist.all_reduce(stacked)
        stacked = stacked / count()
    return dict(zip(values, stacked.tolist(), strict=True))


def highest(values: Sequence[float], device: torch.device) -> list[float]:
    """Each value's maximum over the processes."""
    if count() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return tensor.tolist()


def from_first(value: Any) -> Any:
    """What the first process has, in all of them."""
    if count() == 1:
        return value
    held = [value]
    dist.broadcast_object_list(held)
    return held[0]


def check_share(name: str, batch: int, parts: int = 1) -> None:
    """Raise UserError when a batch of that many equal parts cannot be shared out evenly."""
    if count() > 1 and batch % (count() * parts):
        raise UserError(f"config: {name} is {batch}, which {count()} processes cannot share evenly")
