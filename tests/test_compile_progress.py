"""What is told of the compiling: real compilations, in order, from 0 towards 1."""

from __future__ import annotations

import numba
import pytest
from numba.core.dispatcher import Dispatcher

from noisysynth.dsp import compiling
from noisysynth.engine import compile_progress
from noisysynth.engine.compile_progress import CompileProgress, what_compiles


def inner(x: float) -> float:
    return x + 1.0


def outer_of(kernel: Dispatcher) -> Dispatcher:
    @numba.njit
    def outer(x):  # type: ignore[no-untyped-def]
        return kernel(x) * 2.0

    return outer


def test_it_grows_with_every_kernel_that_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_progress, "_SAY_S", 0.0)
    monkeypatch.setattr(compiling, "_kernels", [])
    kernel = compiling.jit(inner, cache=False)
    assert compiling.kernel_names() == (f"{__name__}.inner",)
    outer = outer_of(kernel)
    told: list[tuple[float, str]] = []
    progress = CompileProgress(lambda share, name: told.append((share, name)))
    progress.begin()
    try:
        assert outer(1.0) == 4.0
    finally:
        progress.end()
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 0.99)
    assert f"{__name__}.inner" in [name for _, name in told]
    told.clear()
    assert outer(2) == 6  # compiled once more, for another type
    assert told == []  # nobody listens any longer


def test_what_is_in_the_cache_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_progress, "_SAY_S", 0.0)
    kernel = numba.njit(inner)
    kernel(1.0)
    told: list[str] = []
    progress = CompileProgress(lambda share, name: told.append(name))
    progress.begin()
    kernel(2.0)
    progress.end()
    assert told == []


def test_every_kernel_has_words() -> None:
    from noisysynth.engine import process

    assert process  # imports every kernel
    words = {what_compiles(name) for name in compiling.kernel_names()}
    assert {"effects", "voices", "partials", "noise", "the mix"} <= words
    unusual = {f"noisysynth.{name}" for name in compile_progress._UNUSUAL_S}
    assert unusual <= set(compiling.kernel_names())  # a renamed kernel takes its time along
