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
# What our measurements wrote; the other JSON files are configurations.
MEASURED = ("inversion", "operators", "partials", "soak")
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


MANUAL = (ROOT / "docs" / "manual.md").read_text(encoding="utf-8")


def test_manual_has_every_page_of_the_window_with_its_picture() -> None:
    from noisysynth.ui.pages import pages

    for page in pages():
        assert f"\n### {page.title}\n" in MANUAL, f"docs/manual.md says nothing of the page {page.title}"
        name = re.sub(r"[^a-z0-9]+", "-", page.title.lower())
        assert f"(images/screens/{name}-1280x800.png)" in MANUAL, f"docs/manual.md: no picture of {page.title}"


def test_manual_has_the_shortcuts_of_the_window() -> None:
    source = (ROOT / "ui" / "window.py").read_text(encoding="utf-8")
    for keys in re.findall(r'^ +\("((?:Ctrl\+\S+|F\d+))", ', source, re.MULTILINE):
        assert f"`{keys}`" in MANUAL, f"docs/manual.md: {keys} is missing"


def test_lines_explained_in_the_manual_are_lines_of_the_program() -> None:
    files = [*(ROOT / "ui").rglob("*.py"), *(ROOT / "noisysynth").rglob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    table = MANUAL.partition("## What the lines at the bottom left mean")[2]
    lines = [row.split("|")[1].strip() for row in table.splitlines() if row.startswith("| ")][1:]
    assert len(lines) > 20
    for line in lines:
        for piece in line.split("\u2026"):  # what stands for a name or a number
            assert piece.strip(" ()") in source, f"docs/manual.md: nothing says {piece!r}"
