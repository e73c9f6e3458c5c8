"""What the documentation prints is true: commands and options exist, controllers and keys are the program's own."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from noisysynth.parameters import PARAMETERS
from noisysynth.train.config import load_config

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MEASURED = ("partials", "soak")  # what our measurements wrote; the other JSON files are configurations
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def printed_commands() -> list[tuple[str, list[str]]]:
    """Every line in a code block that calls one of our commands, as (page, words)."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            found += [(page.name, line.split()) for line in block.splitlines() if re.match(r"noisysynth(-\w+)? ", line)]
    return found


@cache
def help_of(*words: str) -> str:
    (entry,) = entry_points(group="console_scripts", name=words[0])
    code = f"import sys; sys.argv = {list(words)!r} + ['--help']; from {entry.module} import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@pytest.mark.parametrize(("page", "words"), printed_commands())
def test_printed_command_has_real_options(page: str, words: list[str]) -> None:
    command = words[:1]
    if command == ["noisysynth-dataset"]:
        command = words[:2]
    help_text = help_of(*command)
    for word in words:
        if word.startswith("--"):
            assert re.search(rf"{word}\b", help_text), f"{page}: {' '.join(command)} has no option {word}"


def test_readme_walks_the_whole_way() -> None:
    commands = [words[0] for page, words in printed_commands() if page == "README.md"]
    way = ["noisysynth-dataset", "noisysynth-train", "noisysynth-export", "noisysynth-render"]
    assert [command for command in commands if command in way] == way


def test_readme_names_every_controller() -> None:
    for parameter in PARAMETERS:
        if parameter.midi_cc is None:
            continue
        number, label = parameter.midi_cc, parameter.label
        if parameter.id.startswith("knob_"):
            assert 21 <= number <= 26
            continue
        lines = [line for line in README.splitlines() if re.search(rf"controllers? .*\b{number}\b", line)]
        assert any(label in line for line in lines), f"README: controller {number} is {label}"


def test_configs_in_docs_load() -> None:
    for path in (ROOT / "docs").glob("*.json"):
        if path.stem not in MEASURED:
            load_config(str(path))


def test_links_in_docs_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
