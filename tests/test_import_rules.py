"""Who may import whom (docs/architecture.md): each room is imported whole, in a process of its own."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER_OF_PACKAGE = {
    "noisysynth": ROOT / "noisysynth",
    "noisysynth.train": ROOT / "train",
    "noisysynth.export": ROOT / "export",
    "noisysynth.ui": ROOT / "ui",
}

# Room: its modules (a package stands for everything in it), and what must not be in sys.modules once it is imported.
SOUND_AND_MIDI = ("sounddevice", "rtmidi")
WINDOW = ("PySide6", "pyqtgraph")
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "foundations": (
        ("noisysynth.spec", "noisysynth.parameters", "noisysynth.events", "noisysynth.errors", "noisysynth.features"),
        (
            "torch", "scipy", "numba", "onnxruntime", "onnx", *SOUND_AND_MIDI, *WINDOW, "noisysynth.dsp",
            "noisysynth.engine", "noisysynth.midi", "noisysynth.instrument", "noisysynth.train", "noisysynth.export",
            "noisysynth.ui",
        ),
    ),
    "dsp": (
        ("noisysynth.dsp",),
        (
            # Not scipy: numba loads it where it is installed.
            "torch", "onnxruntime", "onnx", *SOUND_AND_MIDI, *WINDOW, "noisysynth.engine", "noisysynth.midi",
            "noisysynth.instrument", "noisysynth.train", "noisysynth.export", "noisysynth.ui",
        ),
    ),
    "listening": (
        ("noisysynth.listening",),
        (
            "torch", "onnxruntime", "onnx", *SOUND_AND_MIDI, *WINDOW, "numba", "noisysynth.dsp", "noisysynth.engine",
            "noisysynth.midi", "noisysynth.instrument", "noisysynth.inversion", "noisysynth.train", "noisysynth.export",
            "noisysynth.ui",
        ),
    ),
    "inversion": (
        ("noisysynth.inversion",),
        ("torch", *SOUND_AND_MIDI, *WINDOW, "noisysynth.train", "noisysynth.export", "noisysynth.ui"),
    ),
    "what the window holds of a search": (
        ("noisysynth.inversion.client",),
        ("numba", "onnxruntime", "onnx", "soundfile", "soxr", "noisysynth.engine", "noisysynth.dsp"),
    ),
    "engine": (
        ("noisysynth.engine", "noisysynth.midi", "noisysynth.instrument"),
        ("torch", *WINDOW, "noisysynth.inversion", "noisysynth.train", "noisysynth.export", "noisysynth.ui"),
    ),
    "ui": (
        ("noisysynth.ui",),
        ("torch", *SOUND_AND_MIDI, "onnxruntime", "noisysynth.train", "noisysynth.export"),
    ),
    "commands": (
        ("noisysynth.cli",),
        ("torch", "noisysynth.train", "noisysynth.export"),
    ),
    "train": (
        ("noisysynth.train",),
        (*SOUND_AND_MIDI, *WINDOW, "noisysynth.engine", "noisysynth.midi", "noisysynth.inversion", "noisysynth.ui"),
    ),
    "export": (
        ("noisysynth.export",),
        (*WINDOW, "noisysynth.ui"),
    ),
}  # fmt: skip

# Only these files may name these packages: those of `noisysynth[train]` are missing on a player's machine.
ONLY_IN = {
    "sounddevice": ("noisysynth/engine/audio.py",),
    "rtmidi": ("noisysynth/midi/",),
    "torch": ("train/", "export/"),
    "scipy": ("train/", "export/"),
    "matplotlib": ("train/", "export/", "noisysynth/cli/bench.py"),  # there only for a plot that is asked for
    "tensorboard": ("train/", "export/"),
    "triton": ("train/ddsp/fused.py",),
    "PySide6": ("ui/",),
    "pyqtgraph": ("ui/",),
}
SOURCES = sorted(
    path for folder in FOLDER_OF_PACKAGE.values() for path in folder.rglob("*.py") if "__pycache__" not in path.parts
)
EVERYTHING = SOURCES + sorted(
    path for folder in ("tests", "scripts", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)


# Imported only where there is a CUDA device: the package is for Linux alone.
NEEDS = {"noisysynth.train.ddsp.fused": "triton"}


def modules_in(name: str) -> list[str]:
    """A module, or a package and every module in it that belongs to the same room."""
    base = max((package for package in FOLDER_OF_PACKAGE if name.startswith(package)), key=len)
    relative = name[len(base) :].strip(".").replace(".", "/")
    folder = FOLDER_OF_PACKAGE[base] / relative
    if not folder.is_dir():
        return [name]
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = [part for part in path.relative_to(folder).with_suffix("").parts if part != "__init__"]
        if "__main__" not in parts:
            found.append(".".join([name, *parts]))
    return [module for module in found if module not in NEEDS or importlib.util.find_spec(NEEDS[module])]


def imports_of(path: Path) -> set[str]:
    """Top-level names of the packages that a file imports, at any depth of the code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_room_loads_nothing_forbidden(room: str, tmp_path: Path) -> None:
    names, forbidden = ROOMS[room]
    modules = [module for name in names for module in modules_in(name)]
    code = (
        "import importlib, json, sys\n"
        f"for module in {modules!r}:\n    importlib.import_module(module)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    # Not from the root, where a bare `import train` would work by accident.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    broken = [name for name in loaded for rule in forbidden if name == rule or name.startswith(rule + ".")]
    assert not broken, f"{room} must not load {sorted({name.split('.')[0] for name in broken})}: {broken[:10]}"


@pytest.mark.parametrize("package", ONLY_IN)
def test_package_is_named_only_where_it_belongs(package: str) -> None:
    places = ONLY_IN[package]
    wrong = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if package in imports_of(path) and not str(path.relative_to(ROOT)).startswith(places)
    ]
    assert not wrong, f"{package} belongs in {', '.join(places)}, not in {wrong}"


def test_nobody_imports_a_second_copy() -> None:
    """`import train` from the root would load the module again beside noisysynth.train."""
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in EVERYTHING
        for name in imports_of(path) & {"train", "export", "ui", "tests"}
    ]
    assert not wrong, "import these as noisysynth.<name>: " + ", ".join(wrong)
