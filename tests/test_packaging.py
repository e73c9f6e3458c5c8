"""The wheel holds everything: it is built, installed beside nothing of this checkout, and used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_OF_FOLDER = {
    "noisysynth": "noisysynth",
    "train": "noisysynth.train",
    "export": "noisysynth.export",
    "ui": "noisysynth.ui",
}
# The five folders and the rest of what is ours; what lies beside them in a checkout is not looked at.
OUR_TEXT = ("noisysynth", "train", "export", "ui", "tests", "scripts", "benchmarks", "docs", ".ci")


def packages_on_disk() -> set[str]:
    """Every folder that holds a module, as the package it must become."""
    found = set()
    for folder, package in PACKAGE_OF_FOLDER.items():
        for path in (ROOT / folder).rglob("*.py"):
            if "__pycache__" not in path.parts:
                found.add(".".join([package, *path.parent.relative_to(ROOT / folder).parts]))
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with our wheel; other packages come from the one that runs this test."""
    scratch = tmp_path_factory.mktemp("packaging")
    build = [sys.executable, str(ROOT / "scripts" / "build_wheel.py"), str(scratch / "wheel")]
    name = subprocess.run(build, check=True, capture_output=True, text=True, timeout=300).stdout.split()[-1]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(scratch / "venv")], check=True, timeout=120)
    python = scratch / "venv" / "bin" / "python"
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(ask, check=True, capture_output=True, text=True, timeout=60).stdout.strip())
    # A plain folder in a .pth file: unlike a site folder, its own .pth files (our editable install) are not followed.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n" + sysconfig.get_path("platlib") + "\n")
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed"]
    install += ["--disable-pip-version-check", str(scratch / "wheel" / name)]
    subprocess.run(install, check=True, timeout=300)
    return python.parent


def run(installed: Path, code: str, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(installed / "python"), "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_folder_with_code_is_a_package() -> None:
    for folder in PACKAGE_OF_FOLDER:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), f"{path.parent.relative_to(ROOT)} has no __init__.py"


def test_every_package_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    packages = sorted(packages_on_disk())
    code = (
        "import importlib.util, json\n"
        "def place(name):\n"
        "    try:\n        spec = importlib.util.find_spec(name)\n"
        "    except ModuleNotFoundError:\n        return None\n"
        "    return spec and spec.origin\n"
        f"print(json.dumps({{name: place(name) for name in {packages!r}}}))"
    )
    places = json.loads(run(installed, code, tmp_path))
    missing = [name for name, place in places.items() if place is None]
    assert not missing, f"add to [tool.setuptools] packages in pyproject.toml: {missing}"
    outside = [place for place in places.values() if not place.startswith(str(installed.parent))]
    assert not outside, f"found in the checkout instead of the wheel: {outside}"


def test_every_module_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = "import noisysynth, pathlib; print(pathlib.Path(noisysynth.__file__).parent)"
    package = Path(run(installed, code, tmp_path).strip())
    for folder, name in PACKAGE_OF_FOLDER.items():
        target = package.joinpath(*name.split(".")[1:])
        for path in (ROOT / folder).rglob("*.py"):
            assert (target / path.relative_to(ROOT / folder)).is_file(), f"{path.relative_to(ROOT)} is not in the wheel"


def test_factory_files_are_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.resources, json\n"
        "files = importlib.resources.files('noisysynth.factory').iterdir()\n"
        "print(json.dumps({file.name: len(file.read_bytes()) for file in files if file.is_file()}))"
    )
    in_wheel = json.loads(run(installed, code, tmp_path))
    on_disk = {path.name: path.stat().st_size for path in (ROOT / "noisysynth" / "factory").iterdir() if path.is_file()}
    assert in_wheel == on_disk
    assert "demo.mid" in in_wheel


def test_manual_is_where_the_window_looks(installed: Path, tmp_path: Path) -> None:
    code = "from noisysynth.ui.manual import MANUAL; print(MANUAL)"
    path = Path(run(installed, code, tmp_path).strip())
    assert str(path).startswith(str(installed.parent))
    assert path.read_bytes() == (ROOT / "docs" / "manual.md").read_bytes()
    assert not (path.parent / "images").exists()


COMMANDS = ("noisysynth", "noisysynth-render", "noisysynth-dataset", "noisysynth-train", "noisysynth-export",
            "noisysynth-evaluate", "noisysynth-bench", "noisysynth-doctor", "noisysynth-invert")  # fmt: skip


def test_commands_are_the_ones_we_promise(installed: Path) -> None:
    assert sorted(path.name for path in installed.glob("noisysynth*")) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(installed: Path, command: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DISPLAY")}
    # From a place that cannot be written, with nobody to ask: help must work anyway.
    done = subprocess.run(
        [str(installed / command), "--help"], cwd="/", env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout.lower(), done.stdout
    assert not done.stderr, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_does_not_wait_for_torch_or_a_window(installed: Path, command: str, tmp_path: Path) -> None:
    code = (
        "import importlib.metadata, json, sys\n"
        f"(entry,) = importlib.metadata.entry_points(group='console_scripts', name={command!r})\n"
        f"sys.argv = [{command!r}, '--help']\n"
        "main = entry.load()\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    loaded = set(json.loads(run(installed, code, tmp_path).splitlines()[-1]))
    slow = loaded & {"torch", "PySide6", "onnxruntime", "sounddevice"}
    assert not slow, f"{command} --help loads {sorted(slow)}: import them where they are used"


def test_nothing_names_a_place_of_one_machine() -> None:
    """No path that exists on one person's machine only."""
    pattern = re.compile(r"(?<![\w.])/(?:home/\w+|Users/\w+|root/|work/|tmp/boot)")
    names = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "constraints.txt", ROOT / "README.md"]
    for folder in OUR_TEXT:
        names += [p for p in (ROOT / folder).rglob("*") if p.suffix in (".py", ".sh", ".md", ".toml", ".txt", "")]
    for path in names:
        if path.is_file() and path != Path(__file__).resolve() and "__pycache__" not in path.parts:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                assert not pattern.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
