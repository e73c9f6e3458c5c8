"""Values as text: what a knob shows is what it takes back when typed."""

from __future__ import annotations

import pytest

from noisysynth.effects import EFFECTS
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS, Parameter
from noisysynth.ui.controls.values import MINUS, SILENCE, counts, format_range, format_value, note_name, parse_value

OF_EFFECTS = {f"{effect.id}_{parameter.id}": parameter for effect in EFFECTS for parameter in effect.parameters}
ROWS = [*PARAMETERS, *OF_EFFECTS.values()]


def row(parameter_id: str) -> Parameter:
    if parameter_id in PARAMETER_INDEX:
        return PARAMETERS[PARAMETER_INDEX[parameter_id]]
    return OF_EFFECTS[parameter_id]


@pytest.mark.parametrize("parameter", ROWS, ids=lambda p: p.id)
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
        ("tempo", 92.5, "92.5 bpm"),
        ("filter_envelope", -1.5, f"{MINUS}1.50 oct"),
        ("filter_cutoff", 20_000.0, "20.00 kHz"),
        ("filter_cutoff", 999.96, "1.00 kHz"),
        ("lfo_1_rate", 0.02, "0.02 Hz"),
        ("lfo_1_rate", 0.997, "1.0 Hz"),
        ("portamento", 0.0, "0 ms"),
        ("compressor_attack", 0.0005, "0.5 ms"),
        ("unison", 1.0, "1 voice"),
        ("unison", 3.0, "3 voices"),
        ("polyphony", 256.0, "256"),
        ("transpose", 7.0, "+7 st"),
        ("key_low", 60.0, "C4"),
        ("filter_mode", 2.0, "Low-pass 24"),
        ("channel", 0.0, "All"),
        ("chorus_depth", 2.5, "2.5 ms"),
        ("reverb_pre_delay", 15.0, "15 ms"),
        ("delay_sync", 0.75, "0.75 beats"),
        ("delay_sync", 0.0, "Off"),
        ("compressor_ratio", 4.0, "4.0:1"),
        ("compressor_threshold", -48.0, f"{MINUS}48.0 dB"),  # the bottom, but no silence
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
        ("tempo", "90 bpm", 90.0),
        ("filter_envelope", "-6 st", -0.5),
        ("filter_cutoff", "2 kHz", 2000.0),
        ("unison", "4", 4.0),
        ("key_low", "60", 60.0),
        ("key_low", "c#4", 61.0),
        ("key_high", "Bb3", 58.0),
        ("lfo_1_sync", "1/8t", 12.0),
        ("lfo_1_shape", "squ", 4.0),
        ("compressor_ratio", "8:1", 8.0),
        ("chorus_delay", "0.02 s", 20.0),
    ],
)
def test_typed(parameter_id: str, text: str, value: float) -> None:
    assert parse_value(row(parameter_id), text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "loud", "3 Hz", "1..2", "nan", "inf"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        parse_value(row("volume"), text)


@pytest.mark.parametrize("text", ["", "Saw", "organ", "3"])
def test_what_is_no_choice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not one of Sine, Triangle"):
        parse_value(row("lfo_1_shape"), text)


@pytest.mark.parametrize("parameter", ROWS, ids=lambda p: p.id)
def test_range_names_both_ends(parameter: Parameter) -> None:
    text = format_range(parameter).replace(MINUS, "-")
    ends = [f"{parameter.minimum:g}", f"{parameter.maximum:g}"]
    if parameter.id.startswith("key_"):
        ends = [note_name(0), note_name(127)]
    elif parameter.choices and not counts(parameter):
        ends = [parameter.choices[0], parameter.choices[-1]]
    assert all(end in text for end in ends)
