"""The effects' kernels, one file for each row of `noisysynth.effects.EFFECTS`, and the compiled choice between them.

What a file has:

memory_floats(sample_rate) -> int
    How many float32 it needs to remember; zeros at first.
process(audio, n, memory, values, sample_rate)
    Compiled. audio: float32 [n, 2], in place, n <= 64. values: float32 [EFFECT_VALUES], this quantum's, in the table's
    units; the kernel ramps what would step from the last quantum's, which it remembers. Memory that is fresh or reset
    takes them up at once. The last value of its row is the mix.
reset(memory, sample_rate)
    Compiled, and cheap: make the memory as good as zeros, whatever is in it, also what another effect left there.
"""

from __future__ import annotations

import importlib
from typing import Any

from noisysynth.dsp.compiling import jit
from noisysynth.effects import EFFECTS

EFFECT_MODULES = tuple(importlib.import_module(f"{__name__}.{effect.id}") for effect in EFFECTS)


def memory_floats(sample_rate: float) -> int:
    """The most float32 that any effect needs to remember."""
    return max(int(module.memory_floats(sample_rate)) for module in EFFECT_MODULES)


def _nothing_to_process(kind, audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
    pass


def _nothing_to_reset(kind, memory, sample_rate):  # type: ignore[no-untyped-def]
    pass


# Not cached: numba would take one link for another. Their code is in the cache of the kernel that calls them.
# Inlined: each link compiled by itself would optimise all effects behind it once more, which takes seconds.
def _link_process(number: int, process: Any, rest: Any) -> Any:
    def link(kind, audio, n, memory, values, sample_rate):  # type: ignore[no-untyped-def]
        if kind == number:
            process(audio, n, memory, values, sample_rate)
        else:
            rest(kind, audio, n, memory, values, sample_rate)

    return jit(link, cache=False, inline="always")


def _link_reset(number: int, reset: Any, rest: Any) -> Any:
    def link(kind, memory, sample_rate):  # type: ignore[no-untyped-def]
        if kind == number:
            reset(memory, sample_rate)
        else:
            rest(kind, memory, sample_rate)

    return jit(link, cache=False, inline="always")


def _chain(link: Any, name: str, last: Any) -> Any:
    chain = jit(last, cache=False)
    for number in range(len(EFFECT_MODULES), 0, -1):
        chain = link(number, getattr(EFFECT_MODULES[number - 1], name), chain)
    return chain


# (kind, audio, n, memory, values, sample_rate) and (kind, memory, sample_rate); kind: 1 + index in EFFECTS, 0: nothing.
process_effect = _chain(_link_process, "process", _nothing_to_process)
reset_effect = _chain(_link_reset, "reset", _nothing_to_reset)
