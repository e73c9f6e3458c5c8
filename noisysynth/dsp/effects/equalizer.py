"""To be written."""

from __future__ import annotations

from typing import Any

from noisysynth.dsp.compiling import jit


def memory_floats(sample_rate: float) -> int:
    return 64


def prepare(memory: Any, sample_rate: float) -> None:
    pass


@jit
def process(audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    pass


@jit
def reset(memory, sample_rate):  # type: ignore[no-untyped-def]
    pass
