"""Writes the tables of parameters at the end of docs/osc.md: `python scripts/write_osc_table.py [PAGE.md]`.

A test compares the page with what this writes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from noisysynth.parameters import PARAMETERS, Parameter

PAGE = Path(__file__).resolve().parent.parent / "docs" / "osc.md"
BEGINNING = "<!-- from here on by scripts/write_osc_table.py -->\n"
_NUMBER = re.compile(r"^(knob|lfo|env|insert|mod)_(\d+)")
_FEW = 20  # choices that are named


def _range(row: Parameter) -> str:
    if not row.choices or row.choices[0].lstrip("-").isdigit():
        return f"{row.minimum:g} to {row.maximum:g} {row.unit}".rstrip()
    if len(row.choices) > _FEW:
        return f"{len(row.choices)} choices, {row.choices[0]} to {row.choices[-1]}"
    return ", ".join(row.choices)


def _rows(parameters: list[Parameter]) -> list[str]:
    """A line for each parameter, or one for all that differ by number alone."""
    kinds: dict[str, list[Parameter]] = {}
    for row in parameters:
        kinds.setdefault(_NUMBER.sub(r"\1_n", row.id), []).append(row)
    lines = []
    for id_, alike in kinds.items():
        first, help_ = alike[0], alike[0].help
        name = f"`{id_}`"
        if len(alike) > 1:
            name += f", n to {len(alike)}"
            help_ = re.sub(r"(envelope) 1\b", r"\1 n", help_)
        default = first.choices[round(first.default - first.minimum)] if first.choices else f"{first.default:g}"
        same = all(row.default == first.default for row in alike)
        lines.append(f"| {name} | {_range(first)} | {default if same else 'differs'} | {help_} |")
    return lines


def tables() -> str:
    text = []
    for title, rack in (("/part/N/ID", False), ("/rack/ID", True)):
        text += [f"### `{title}`", "", "| ID | values | at first | |", "|---|---|---|---|"]
        text += [*_rows([row for row in PARAMETERS if row.rack == rack]), ""]
    return "\n".join(text).rstrip() + "\n"


def main(page: Path) -> None:
    before = page.read_text(encoding="utf-8").partition(BEGINNING)[0]
    page.write_text(f"{before}{BEGINNING}\n{tables()}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE)
