"""Values as text: what a knob shows is what it takes back when typed."""

from __future__ import annotations

import pytest

from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS, Parameter
from noisysynth.ui.controls.values import MINUS, SILENCE, format_range, format_value, parse_value


def row(parameter_id: str) -> Parameter:
    return PARAMETERS[PARAMETER_INDEX[parameter_id]]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.id)
@pytest.mark.parametrize("position", [0.0, 0.13, 0.5, 0.77, 1.0])
def test_shown_text_typed_back_gives_the_same_text(parameter: Parameter, position: float) -> None:
    shown = format_value(parameter, parameter.from_position(position))
    assert format_value(parameter, parse_value(parameter, shown)) == shown


@pytest.mark.parametrize(
    ("parameter_id", "value", "text"),
    [
        ("volume", -6.0, f"{MINUS}6.0 dB"),
        ("volume", -60.0, SILENCE),
        ("volume", 3.0, "+3.0 dB"),
        ("tune", 0.0, "0 ct"),
        ("bend_range", 2.0, "2 st"),
        ("bend_range", 2.5, "2.5 st"),
        ("morph_time", 0.05, "50 ms"),
        ("morph_time", 2.0, "2.00 s"),
        ("attack", 1.0, "1.00 \u00d7"),
        ("vibrato_rate", 5.5, "5.5 Hz"),
        ("knob_1", -0.001, "0.00"),
    ],
)
def test_text_of(parameter_id: str, value: float, text: str) -> None:
    assert format_value(row(parameter_id), value) == text


@pytest.mark.parametrize(
    ("parameter_id", "text", "value"),
    [
        ("morph_time", "250 ms", 0.25),
        ("morph_time", "1,5", 1.5),
        ("morph_time", "2s", 2.0),
        ("morph_time", "1000 s", 10.0),  # clipped
        ("volume", "-inf", -60.0),
        ("volume", "-3", -3.0),
        ("attack", "200 %", 2.0),
        ("bend_range", "1200 cents", 12.0),
        ("knob_1", "-50%", -0.5),
    ],
)
def test_typed(parameter_id: str, text: str, value: float) -> None:
    assert parse_value(row(parameter_id), text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "loud", "3 Hz", "1..2", "nan", "inf"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        parse_value(row("volume"), text)


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.id)
def test_range_names_both_ends(parameter: Parameter) -> None:
    text = format_range(parameter).replace(MINUS, "-")
    assert f"{parameter.minimum:g}" in text
    assert f"{parameter.maximum:g}" in text
