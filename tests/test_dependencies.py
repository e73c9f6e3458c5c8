"""What is imported is declared, what is declared is pinned, used and explained."""

from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from test_import_rules import ROOT, SOURCES, imports_of

EXTRA = re.compile(r"extra == ['\"](\w+)['\"]")
# Used without an import of ours: numba's compiler, torch's writer and what pip and make run.
NOT_IMPORTED = {"tensorboard", "pytest", "pytest-qt", "pytest-xdist", "mypy", "ruff", "setuptools"}
COMES_WITH = {"llvmlite": "numba"}
# One import, two distributions.
SAME = {"onnxruntime-gpu": "onnxruntime"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# Imports a package of an extra only when a picture is asked for, and says in one line when it is not there.
ASKED_FOR = ("noisysynth/cli/bench.py",)


def declared() -> dict[str, str]:
    """Distribution -> the extra that brings it ("": always)."""
    found = {}
    for line in requires("noisysynth") or []:
        name = re.match(r"[\w.-]+", line)
        assert name is not None
        extra = EXTRA.search(line)
        found[normal(name.group())] = extra.group(1) if extra else ""
    return found


def imported() -> dict[str, set[str]]:
    """Distribution -> the files that import it."""
    distributions = packages_distributions()
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for name in imports_of(path) - set(sys.stdlib_module_names) - {"noisysynth"}:
            for distribution in distributions.get(name, [name]):
                key = normal(distribution)
                found.setdefault(COMES_WITH.get(key, key), set()).add(str(path.relative_to(ROOT)))
    return found


def test_what_is_imported_is_declared() -> None:
    known = declared()
    for distribution, files in imported().items():
        assert distribution in known, f"{sorted(files)} import {distribution}, which pyproject.toml does not declare"
        if known[distribution]:
            wrong = [file for file in files if not file.startswith(("train/", "export/")) and file not in ASKED_FOR]
            assert not wrong, f"{wrong} import {distribution}, which a player does not have"


def test_what_is_declared_is_used() -> None:
    used = {SAME.get(name, name) for name in imported()}
    idle = [name for name in declared() if SAME.get(name, name) not in used | NOT_IMPORTED]
    assert not idle, f"declared in pyproject.toml and imported nowhere: {idle}"


def test_what_is_declared_is_pinned_and_explained() -> None:
    pins = {normal(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    for name in declared():
        assert name in pins, f"{name} has no version in constraints.txt"
        assert re.search(rf"^\|[^|]*\b{re.escape(name)}\b", page, re.MULTILINE), f"{name} is not in dependencies.md"


def test_constraints_are_exact() -> None:
    for line in Path(ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"#.*|[\w.-]+==[\w.]+(; python_version (<|>=) \"3\.\d+\")?", line), line
