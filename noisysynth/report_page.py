"""What our reports are made of: one HTML page each that needs nothing beside it."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c1c1c; background: #fff; }
h1 { font-size: 1.7rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13.5px; }
th, td { padding: .2rem .7rem .2rem 0; text-align: right; border-bottom: 1px solid #e4e4e4; vertical-align: top; }
th:first-child, td:first-child, td.text { text-align: left; }
tr.ours { background: #fdf3e7; } .pass { color: #00664b; font-weight: 600; } .miss { color: #b03a00; font-weight: 600; }
.players { display: flex; flex-wrap: wrap; gap: .6rem 1rem; } .players figure { margin: 0; font-size: 12px; }
audio { width: 13rem; height: 2rem; display: block; } .ladder audio { width: 6.2rem; } img { max-width: 100%; }
p.note { color: #555; font-size: 13.5px; max-width: 48rem; }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """The whole page of these pieces of HTML; empty ones are left out."""
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


class Cell:
    """Of a table. css: a class; by default numbers stand at the right, words at the left."""

    def __init__(self, text: str, css: str = "") -> None:
        self.text, self.css = text, css

    def __str__(self) -> str:
        is_text = not self.text[:1].isdigit() and self.text[:1] not in "-+"
        css = self.css or ("text" if is_text else "")
        return f'<td class="{css}">{escaped(self.text)}</td>' if css else f"<td>{escaped(self.text)}</td>"


def table(heading: Sequence[str], rows: Iterable[tuple[Any, ...]], ours: Iterable[str] = ()) -> str:
    """Each row is its name and its cells; those named in `ours` stand out."""
    lines = []
    if heading:
        lines.append("<tr>" + "".join(f"<th>{escaped(each)}</th>" for each in heading) + "</tr>")
    for name, *cells in rows:
        start = '<tr class="ours">' if name in ours else "<tr>"
        lines.append(f"{start}<td>{escaped(str(name))}</td>" + "".join(str(cell) for cell in cells) + "</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def image(png: bytes, what: str) -> str:
    """A PNG within the page."""
    return f'<img alt="{escaped(what)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def escaped(text: str) -> str:
    return html.escape(text)
