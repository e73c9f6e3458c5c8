"""What a run computes on: the device, the number of threads, exact repetition, and what to say when memory is short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numba
import torch

from noisysynth.errors import UserError

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """The device called "auto", "cpu" or "cuda"; among several processes, each its own GPU. UserError if not there."""
    if name not in DEVICES:
        raise UserError(f"no device {name!r}; there are {', '.join(DEVICES)}")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError("torch sees no NVIDIA GPU; use --device cpu, or install a torch built for your CUDA driver")
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise UserError(
            f"torchrun started {number + 1} processes or more here, but there are {torch.cuda.device_count()} GPUs"
        )
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device


@contextmanager
def exact(device: torch.device, threads: int) -> Iterator[None]:
    """Inside, the same numbers in give the same numbers out, bit by bit, on the same machine.

    threads: on the CPU; sums are split by it, so a resumed run must take the number that it began with.
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    if device.type == "cuda":
        # cuBLAS repeats its sums only with a work space of its own; it reads this when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
    # numba's OpenMP layer sets the number of threads of the whole process, torch's too, when it starts: let it do so
    # now, and not with the first notes that a report renders.
    numba.get_num_threads()
    torch.set_num_threads(threads)
    # What has no exact form on a GPU warns and goes on.
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def half_precision(device: torch.device, wanted: bool) -> AbstractContextManager[object]:
    """Matrix products in bfloat16 inside, on a GPU that has it; elsewhere nothing changes."""
    if wanted and device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """On a GPU, all work inside goes to a stream of its own: what a step does cannot be recorded on the default one."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.stream(torch.cuda.Stream(device)):
        yield
    torch.cuda.synchronize(device)


@contextmanager
def memory_errors(
    smaller: str = "max_notes (data), reconstruction_notes and adversarial_notes (batches)",
) -> Iterator[None]:
    """Turns memory that ran out, on the GPU or here, into one clear line. smaller: the settings that take it up."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise UserError(
            "the GPU's memory is full; end what else uses it, take --device cpu, or give a config with smaller "
            + smaller
        ) from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        raise UserError(f"memory is full; close other programs, or give a config with smaller {smaller}") from error
