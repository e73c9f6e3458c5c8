"""What the audio callback compiles to: no allocation, no lock, no Python."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path

import numba
import numpy as np
from make_instrument import SPEC

from noisysynth.dsp.compiling import digest, kernel_sources
from noisysynth.dsp.noise import band_noise_loops
from noisysynth.engine import render
from noisysynth.engine.audio import compiled_callback
from noisysynth.engine.render import render_block
from noisysynth.engine.state import STATE_DTYPE, prepare

# numba wraps every compiled function in glue for errors and for calls from Python; the body is what runs.
FORBIDDEN = re.compile(
    r"call[^\n]*@(NRT_(?!incref|decref)\w*[Aa]llocate\w*|NRT_MemInfo_alloc\w*|malloc|calloc|realloc|posix_memalign|"
    r"Py\w+|_Py\w+|numba_gil_ensure|pthread_\w+|printf|puts)\b"
)


def bodies(llvm: str) -> dict[str, str]:
    """Text of each function defined in the module, by name."""
    found = re.findall(r"^define [^@\n]*@\"?([^\"(\n]+)\"?\([^\n]*\{\n(.*?)^\}", llvm, re.M | re.S)
    return dict(found)


def test_the_render_path_does_not_allocate_lock_or_call_python() -> None:
    state = np.zeros(1, STATE_DTYPE)
    prepare(state, SPEC, 48_000)
    loops, lengths = band_noise_loops(48_000, SPEC.n_noise_bands)
    render_block(state[0], loops, lengths, np.zeros((64, 2), np.float32))
    # Compiled anew: a function from the cache has no LLVM to read.
    fresh = type(render_block)(render_block.py_func, targetoptions={**render_block.targetoptions})
    fresh.compile(render_block.signatures[0])
    (llvm,) = fresh.inspect_llvm().values()
    functions = {name: body for name, body in bodies(llvm).items() if "cpython" not in name and "cfunc" not in name}
    assert any("render_block" in name for name in functions)
    for name, body in functions.items():
        assert not FORBIDDEN.search(body), f"{name}: {FORBIDDEN.search(body)}"


def test_the_check_can_fail() -> None:
    """The same reading finds an allocation where there is one."""

    def allocates(n):  # type: ignore[no-untyped-def]
        return np.empty(n)[0]

    function = numba.njit(allocates)
    function(3)
    (llvm,) = function.inspect_llvm().values()
    functions = {name: body for name, body in bodies(llvm).items() if "cpython" not in name and "cfunc" not in name}
    assert any(FORBIDDEN.search(body) for body in functions.values())


def test_the_callback_has_a_c_address() -> None:
    assert compiled_callback().address > 0


def test_the_cache_is_named_after_all_that_kernels_are_made_from(tmp_path: Path) -> None:
    """numba would take a kernel of another version from its cache when only what it calls has changed."""
    assert Path(numba.config.CACHE_DIR).name == digest(kernel_sources())
    called = {value for value in vars(render).values() if isinstance(value, numba.core.dispatcher.Dispatcher)}
    assert {Path(inspect.getfile(function.py_func)) for function in called} <= set(kernel_sources())
    for function in called:
        assert numba.config.CACHE_DIR in function._cache.cache_path
    copies = [Path(shutil.copy(file, tmp_path / f"{i}.py")) for i, file in enumerate(kernel_sources())]
    assert digest(copies) == digest(kernel_sources())
    for copy in copies:
        before = digest(copies)
        copy.write_bytes(copy.read_bytes() + b"#")
        assert digest(copies) != before
