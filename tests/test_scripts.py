"""The shell scripts parse, and answer bad input with one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin", **environment}
    return subprocess.run(command, cwd=ROOT, env=path, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_parses_and_stops_at_errors(script: Path) -> None:
    done = run("sh", "-n", str(script))
    assert done.returncode == 0, done.stderr
    assert "\nset -eu\n" in script.read_text() or script.name == "test.sh"  # test.sh goes on, and fails at the end


def test_unknown_set_up_is_refused_in_one_line() -> None:
    done = run("sh", "scripts/setup.sh", "dance")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "dance" in done.stderr


def test_python_that_is_none_is_refused_in_one_line() -> None:
    done = run("sh", "scripts/find_python.sh", PYTHON="/bin/false")
    assert done.returncode == 2
    assert done.stderr == "setup: PYTHON=/bin/false is not a Python 3.10 or newer\n"


def test_help_lists_the_targets() -> None:
    done = run("make", "--no-print-directory")
    assert done.returncode == 0, done.stderr
    for target in ("setup", "play", "test", "screenshots"):
        assert f"make {target} " in done.stdout


@pytest.mark.parametrize(("program", "package"), [("Xvfb", "xvfb"), ("jackd", "jackd2")])
def test_pictures_need_servers_and_say_so(tmp_path: Path, program: str, package: str) -> None:
    for other in {"Xvfb", "jackd", "jack_lsp"} - {program}:
        (tmp_path / other).write_text("#!/bin/sh\n")
        (tmp_path / other).chmod(0o755)
    done = run(sys.executable, "scripts/take_screenshots.py", "1280x800", PATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"screenshots: {program} is not installed (Debian: {package})\n"
