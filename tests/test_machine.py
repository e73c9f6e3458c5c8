"""Devices, memory and disk: what cannot be had is said in one line; a run's own number of threads is kept."""

from __future__ import annotations

import errno
from pathlib import Path

import numba
import pytest
import torch

from noisysynth.errors import UserError
from noisysynth.train.checkpoint import disk_errors
from noisysynth.train.dice import Dice
from noisysynth.train.machine import choose_device, exact, half_precision, memory_errors


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("cpu") == choose_device("auto") == torch.device("cpu")
    with pytest.raises(UserError, match="no NVIDIA GPU"):
        choose_device("cuda")
    with pytest.raises(UserError, match="no device 'tpu'"):
        choose_device("tpu")


def test_numba_does_not_change_the_threads_of_a_run() -> None:
    """Its OpenMP layer sets the number of the whole process when it starts."""
    before = torch.get_num_threads()
    with exact(torch.device("cpu"), 1):
        numba.get_num_threads()
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == before
    assert not torch.are_deterministic_algorithms_enabled()


def test_half_precision_leaves_the_cpu_alone() -> None:
    with half_precision(torch.device("cpu"), True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), "GPU's memory is full"),
        (MemoryError(), "memory is full"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "memory is full"),
    ],
)
def test_full_memory_is_one_line(error: Exception, message: str) -> None:
    with pytest.raises(UserError, match=message), memory_errors():
        raise error


def test_other_errors_are_not_blamed_on_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_errors():
        raise RuntimeError("shapes differ")


def test_a_disk_that_fills_up_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"disk is full .*--resume"), disk_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_dice_go_on_where_they_were() -> None:
    dice = Dice(3)
    dice.rand(5, 2)
    state = dice.get_state()
    expected = dice.randn(4), dice.randint(9, 6), dice.number(1000)
    other = Dice(0)
    other.set_state(state)
    found = other.randn(4), other.randint(9, 6), other.number(1000)
    assert torch.equal(expected[0], found[0])
    assert torch.equal(expected[1], found[1])
    assert expected[2] == found[2]
