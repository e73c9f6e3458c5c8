"""What the audio callback compiles to: no allocation, no lock, no Python."""

from __future__ import annotations

import ctypes
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from noisysynth.dsp import effects
from noisysynth.dsp.compiling import digest, kernel_sources
from noisysynth.engine import audio, render, render_commands, render_part, render_voice
from noisysynth.engine.arena import Arena
from noisysynth.engine.audio import address_table, compiled_callback
from noisysynth.engine.render import render_block
from noisysynth.engine.state import QUANTUM, STATE_DTYPE, prepare

# numba wraps every compiled function in glue for errors and for calls from Python; the body is what runs.
FORBIDDEN = re.compile(
    r"call[^\n]*@(NRT_(?!incref|decref)\w*[Aa]llocate\w*|NRT_MemInfo_alloc\w*|malloc|calloc|realloc|posix_memalign|"
    r"Py\w+|_Py\w+|numba_gil_ensure|pthread_\w+|\w*printf|puts|\w*throw\w*|numba_unpickle|NRT_\w*[Ff]ree\w*)\b"
)


def pointer(array: NDArray[Any], element: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(element))


def bodies(llvm: str) -> dict[str, str]:
    """Text of each function defined in the module, by name."""
    found = re.findall(r"^define [^@\n]*@\"?([^\"(\n]+)\"?\([^\n]*\{\n(.*?)^\}", llvm, re.M | re.S)
    return dict(found)


def test_the_callback_does_not_allocate_lock_or_call_python() -> None:
    # Compiled anew, for what comes from the cache has no LLVM to read; so it is read once for the same sources.
    sources = [*kernel_sources(), Path(audio.__file__), Path(__file__)]
    read = Path(numba.config.CACHE_DIR) / f"callback-{digest(sources)}-numba-{numba.__version__}.read"
    if read.exists():
        return
    callback = numba.cfunc(audio._SIGNATURE, nopython=True, error_model="numpy")(audio._callback)
    # The module holds all that the callback calls, down to the last effect; what is missing was inlined.
    functions = bodies(callback.inspect_llvm())
    for part in ("render_block", "render_voice", "_run_effect", "process_room"):
        assert any(part in name for name in functions), part
    # PortAudio's way in: beside the call only what tells Python of an error, which none of the others can raise.
    (entry,) = (name for name in functions if name.startswith("cfunc."))
    del functions[entry]
    for name, body in functions.items():
        assert not (found := FORBIDDEN.search(body)), f"{name}: {found}"
        assert "picklebuf" not in body, f"{name} raises an exception"
    read.parent.mkdir(parents=True, exist_ok=True)
    read.touch()


def test_the_callback_plays_what_offline_rendering_renders() -> None:
    """Called as PortAudio would, with a table of addresses, on a state of its own."""
    outputs = []
    for through_c in (False, True):
        state = np.zeros(1, STATE_DTYPE)
        prepare(state, 48_000)
        state["start_gain"] = 1.0
        state["setting_target"][0, :, 0] = state["setting_now"][0, :, 0] = 1.0
        # A voice that starves holds what it has.
        state["voice_active"][0, 0], state["voice_n_partials"][0, 0] = 1, 2
        state["voice_age"][0, 0], state["voice_gain"][0, 0] = 3, 1.0
        for ring in ("voice_hz", "voice_heard_hz", "ring_hz"):
            state[ring][0, 0] = 440.0
        for ring in ("voice_controls", "ring_controls"):
            state[ring][0, 0, ..., :4] = 1.0
        for ring in ("voice_heard", "ring_partials"):
            state[ring][0, 0, ..., :2] = 0.1
        arena = Arena(48_000)
        out = np.zeros((2 * QUANTUM, 2), np.float32)
        if through_c:
            table = address_table(state, arena, 2)
            times = np.array([0.0, 2.5, 2.6])
            compiled_callback().ctypes(
                None,
                pointer(out, ctypes.c_float),
                len(out),
                pointer(times, ctypes.c_double),
                4,
                pointer(table, ctypes.c_int64),
            )
            assert state["underruns"][0] == 1
            assert state["stream_time_zero"][0] == 2.5
        else:
            render_block(state[0], *arena.arrays, out)
        outputs.append(out)
    assert np.abs(outputs[0]).max() > 0.05
    np.testing.assert_array_equal(outputs[0], outputs[1])


def test_the_cache_is_named_after_all_that_kernels_are_made_from(tmp_path: Path) -> None:
    """numba would take a kernel of another version from its cache when only what it calls has changed."""
    assert Path(numba.config.CACHE_DIR).name == digest(kernel_sources())
    modules = (render, render_commands, render_part, render_voice, *effects.EFFECT_MODULES)
    called = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, numba.core.dispatcher.Dispatcher)
    }
    assert {Path(inspect.getfile(function.py_func)) for function in called} <= set(kernel_sources())
    for function in called:
        # A link of the effects' chain is a closure: its code is in the cache of who calls it.
        if "_link" not in function.py_func.__qualname__:
            assert numba.config.CACHE_DIR in function._cache.cache_path
    copies = [Path(shutil.copy(file, tmp_path / f"{i}.py")) for i, file in enumerate(kernel_sources())]
    assert digest(copies) == digest(kernel_sources())
    for copy in copies:
        before = digest(copies)
        copy.write_bytes(copy.read_bytes() + b"#")
        assert digest(copies) != before
