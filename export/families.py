"""Readable preset names and families from whatever a data set calls its instruments."""

from __future__ import annotations

import re

# The first family with a word in the name wins, so particular words stand before general ones.
_FAMILY_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mallet", ("celesta", "glockenspiel", "music box", "vibraphone", "marimba", "xylophone", "bells", "dulcimer",
                "kalimba", "mallet", "steel drum")),
    ("organ", ("organ", "accordion", "harmonica", "bandoneon")),
    ("reed", ("sax", "oboe", "bassoon", "clarinet", "english horn", "shanai", "reed", "bagpipe")),
    ("flute", ("flute", "piccolo", "recorder", "whistle", "ocarina", "shakuhachi", "bottle", "pan pipe")),
    ("brass", ("trumpet", "trombone", "tuba", "horn", "brass")),
    ("bass", ("bass",)),
    ("guitar", ("guitar", "banjo", "sitar", "shamisen", "koto", "ukulele", "archtop")),
    ("keyboard", ("piano", "clav", "harpsichord", "rhodes", "wurlitzer", "keyboard", "keys", "steinway")),
    ("strings", ("violin", "viola", "cello", "contrabass", "fiddle", "string", "harp", "pizzicato", "tremolo")),
    ("vocal", ("choir", "voice", "vocal", "ooh", "aah")),
    ("synth", ("synth", "lead", "pad", "saw", "square", "sweep", "fx")),
    ("percussion", ("timpani", "drum", "tom", "woodblock", "agogo", "taiko", "percussion")),
)  # fmt: skip

_MAX_NAME = 40


def family_of(name: str) -> str | None:
    """A family for the name, or None when no word of it is known."""
    text = " ".join(re.split(r"[^a-z]+", name.lower()))
    for family, words in _FAMILY_WORDS:
        if any(re.search(rf"\b{re.escape(word)}", text) for word in words):
            return family
    return None


def readable_name(name: str) -> str:
    """`acoustic_grand_piano` or `acoustic-grand-piano` to `Acoustic Grand Piano`.

    Never empty, printable, at most 40 characters.
    """
    text = "".join(character if character.isprintable() else " " for character in name)
    words = re.split(r"(?:[\s_]|(?<!\d)-|-(?!\d))+", text.strip())  # 014-021 stays
    capitals = [word[:1].upper() + word[1:] for word in words if word]
    return " ".join(capitals)[:_MAX_NAME].strip() or "Untitled"


def unique_names(names: list[str]) -> list[str]:
    """The names with ` 2`, ` 3` ... behind repeats."""
    seen: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 1
        while candidate in seen:
            number += 1
            candidate = f"{name} {number}"
        seen.add(candidate)
        result.append(candidate)
    return result
