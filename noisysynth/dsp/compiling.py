"""How kernels are compiled, and where the compiled code is kept.

numba looks only at a function's own file before it takes compiled code from its cache, not at what the function calls
or how a record is laid out. Code of an older version, on arrays of a newer one, would write anywhere. So the cache
folder is named after everything that kernels are made from.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba as nb
import platformdirs

# NaN and infinity keep their meaning, as the guards at the end of the path rely on them; sums may be reordered.
FASTMATH = {"contract", "reassoc", "arcp", "nsz"}


def kernel_sources() -> list[Path]:
    """Every file of the package that compiled code may depend on."""
    package = Path(__file__).parent.parent
    tables = [package / f"{name}.py" for name in ("effects", "parameters", "spec", "table")]
    engine = [
        package / "engine" / f"{name}.py" for name in ("atomics", "audio", "damper", "denormals", "queues", "state")
    ]
    render = sorted((package / "engine").glob("render*.py"))
    return [*tables, *sorted((package / "dsp").rglob("*.py")), *engine, *render]


def digest(files: list[Path]) -> str:
    """A name that changes with the content of any of these files."""
    total = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        total.update(len(content).to_bytes(8, "little") + content)
    return total.hexdigest()[:16]


def _use_cache_folder() -> None:
    """Below the folder the user named for numba, or else the system's own for caches."""
    base = Path(nb.config.CACHE_DIR or platformdirs.user_cache_path("noisysynth") / "kernels")
    nb.config.CACHE_DIR = str(base / digest(kernel_sources()))


_use_cache_folder()


_kernels: list[str] = []


def kernel_names() -> tuple[str, ...]:
    """Every kernel that was imported, as module.function."""
    return tuple(_kernels)


def jit(function: Any, **options: Any) -> Any:
    """numba.njit as every kernel here wants it: cached, no bounds checks, division by zero gives inf."""
    _kernels.append(f"{function.__module__}.{function.__qualname__}")
    options = {
        "fastmath": FASTMATH,
        "boundscheck": False,
        "error_model": "numpy",
        "nogil": True,
        "cache": True,
        "_nrt": True,
    } | options
    return nb.njit(**options)(function)


def bare_jit(function: Any) -> Any:
    """The same without numba's runtime: no counting of references to arrays; what would allocate does not compile.

    For the innermost: only arrays that came in, or rows of them, and none to be given back.
    """
    return jit(function, _nrt=False)
