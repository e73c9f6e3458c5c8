"""Which preset is most like one that cannot be played here, by names and tags."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

_TAG, _NAME = 2.0, 3.0  # what a shared tag and a shared word of the name count, beside likeness of spelling (0..1)
_LEAST = 0.5  # below that, nothing is near


class Tagged(Protocol):
    """A preset, as far as this is concerned."""

    @property
    def name(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


def nearest(name: str, tags: Iterable[str], presets: Sequence[Tagged]) -> int | None:
    """Index of the preset whose tags and name have most in common with these; None when none has anything."""
    wanted, wanted_tags = _words(name), {tag.casefold() for tag in tags} | _words(name)
    scores = [
        _NAME * len(wanted & _words(preset.name))
        + _TAG * len(wanted_tags & {tag.casefold() for tag in preset.tags})
        + difflib.SequenceMatcher(None, name.casefold(), preset.name.casefold()).ratio()
        for preset in presets
    ]
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return best if best is not None and scores[best] >= _LEAST else None


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) > 2}
