"""Builds noisysynth's wheel into a folder: `python scripts/build_wheel.py OUT`.

From a scratch copy: setuptools keeps what it copied to build/ and would pack modules that were deleted since.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("noisysynth", "train", "export", "ui", "docs")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def build_wheel(out: Path) -> Path:
    """Path of the wheel, freshly built with the setuptools that is installed."""
    with tempfile.TemporaryDirectory(prefix="noisysynth-wheel-") as scratch:
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, Path(scratch, folder), ignore=shutil.ignore_patterns("__pycache__"))
        for file in FILES:
            shutil.copy(ROOT / file, scratch)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        command += ["--disable-pip-version-check", "--wheel-dir", str(out), scratch]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (wheel,) = out.glob("noisysynth-*.whl")
    return wheel


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(build_wheel(Path(sys.argv[1])).name)
