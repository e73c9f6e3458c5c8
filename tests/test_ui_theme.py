"""The theme keeps its promises: contrast and sizes."""

from __future__ import annotations

import re

import pytest

from noisysynth.ui import theme

SURFACES = (theme.BACKGROUND, theme.PANEL, theme.WELL, theme.RAISED, theme.RAISED_HOVER)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("text", [theme.TEXT, theme.TEXT_QUIET, theme.DANGER])
def test_text_can_be_read_everywhere(text: str, surface: str) -> None:
    assert theme.contrast(text, surface) >= 4.5


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        (theme.TEXT_ON_ACCENT, theme.ACCENT),
        (theme.TEXT_ON_ACCENT, theme.DANGER),
        (theme.KEY_TEXT, theme.KEY_WHITE),
        (theme.TEXT_QUIET, theme.KEY_BLACK_FACE),
        (theme.TEXT_QUIET, theme.GLOW),
    ],
)
def test_text_on_coloured_ground(text: str, surface: str) -> None:
    assert theme.contrast(text, surface) >= 4.5


@pytest.mark.parametrize("mark", [theme.ACCENT, theme.TIMBRE, theme.METER])
@pytest.mark.parametrize("surface", [theme.BACKGROUND, theme.PANEL, theme.WELL])
def test_marks_stand_out(mark: str, surface: str) -> None:
    assert theme.contrast(mark, surface) >= 3.0


def test_contrast_is_the_wcag_figure() -> None:
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert theme.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_nothing_is_smaller_than_small() -> None:
    assert min(theme.SMALL, theme.BODY, theme.LARGE, theme.TITLE) == theme.SMALL >= 11


def rules() -> list[tuple[str, str, str]]:
    """Selector, text and ground of every rule of the style sheet that sets both."""
    found = []
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", theme.style_sheet()):
        text = re.search(r"(?<![-\w])color: (#\w+)", body)
        ground = re.search(r"(?<![-\w])background: (#\w+)", body)
        if text and ground:
            found.append((" ".join(selector.split()), text[1], ground[1]))
        text = re.search(r"selection-color: (#\w+)", body)
        ground = re.search(r"selection-background-color: (#\w+)", body)
        if text and ground:
            found.append((" ".join(selector.split()), text[1], ground[1]))
    return found


@pytest.mark.parametrize(("selector", "text", "ground"), rules())
def test_text_of_the_style_sheet_can_be_read(selector: str, text: str, ground: str) -> None:
    assert theme.contrast(text, ground) >= 4.5


@pytest.mark.parametrize("text", [theme.TEXT, theme.DANGER])
def test_text_of_a_pressed_button_can_be_read(text: str) -> None:
    assert theme.contrast(text, theme.LINE) >= 4.5
