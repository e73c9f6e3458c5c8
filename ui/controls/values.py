"""Parameter values as text with a unit, and back."""

from __future__ import annotations

import re

from noisysynth.parameters import Parameter

MINUS = "\u2212"  # as wide as a plus, so signed numbers line up
SILENCE = f"{MINUS}\u221e dB"

_UNIT_LABELS = {"cents": "ct", "semitones": "st", "x": "\u00d7", "dB/oct": "dB/oct"}
_UNIT_NAMES = {"cents": "cents", "semitones": "semitones", "x": "times", "dB/oct": "dB per octave"}
_DECIMALS = {"cents": 0, "semitones": 1, "x": 2, "": 2, "dB": 1, "dB/oct": 1, "Hz": 1, "s": 2}

# How many of the parameter's own unit one typed unit is worth.
_TYPED_UNITS: dict[str, dict[str, float]] = {
    "s": {"s": 1.0, "sec": 1.0, "ms": 1e-3},
    "Hz": {"hz": 1.0, "khz": 1e3},
    "dB": {"db": 1.0},
    "dB/oct": {"db/oct": 1.0, "db": 1.0},
    "cents": {"ct": 1.0, "cent": 1.0, "cents": 1.0, "st": 100.0, "semitones": 100.0},
    "semitones": {"st": 1.0, "semitone": 1.0, "semitones": 1.0, "ct": 0.01, "cents": 0.01},
    "x": {"x": 1.0, "\u00d7": 1.0, "%": 0.01},
    "": {"%": 0.01},
}


def is_silent(parameter: Parameter, value: float) -> bool:
    """Whether this is the bottom of a level, which the table promises to be silence."""
    return parameter.unit == "dB" and value <= parameter.minimum


def format_value(parameter: Parameter, value: float) -> str:
    """Short text of a value with its unit, such as '+3.0 dB' or '50 ms'."""
    if is_silent(parameter, value):
        return SILENCE
    unit, number = parameter.unit, value
    decimals = _DECIMALS.get(unit, 2)
    if unit == "s" and value < 1.0:
        unit, number, decimals = "ms", value * 1000.0, 0
    if parameter.unit == "semitones" and abs(value - round(value)) < 0.05:
        decimals = 0
    text = f"{abs(number):.{decimals}f}"
    if float(text) == 0.0:
        sign = ""
    elif number < 0.0:
        sign = MINUS
    else:
        sign = "+" if parameter.minimum < 0.0 else ""
    label = _UNIT_LABELS.get(unit, unit)
    return f"{sign}{text} {label}".rstrip()


def format_range(parameter: Parameter) -> str:
    """The range in words for a tooltip: 'from -60 dB (silence) to +6 dB'."""
    unit = _UNIT_NAMES.get(parameter.unit, parameter.unit)
    low = f"{parameter.minimum:g}".replace("-", MINUS)
    high = f"{parameter.maximum:g}"
    note = " (silence)" if is_silent(parameter, parameter.minimum) else ""
    return f"{low}{note} to {high} {unit}".rstrip()


def parse_value(parameter: Parameter, text: str) -> float:
    """Value of typed text, clipped to the range. ValueError when it is no number or has a wrong unit."""
    cleaned = text.strip().lower().replace(MINUS, "-").replace(",", ".")
    if parameter.unit == "dB" and re.fullmatch(r"-\s*(\u221e|inf)\s*(db)?", cleaned):
        return parameter.minimum
    match = re.fullmatch(r"([+-]?\s*(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(\D*)", cleaned)
    if match is None:
        raise ValueError(f"not a number: {text!r}")
    number = float(match.group(1).replace(" ", ""))
    unit = match.group(2).strip()
    if unit:
        factors = _TYPED_UNITS.get(parameter.unit, {})
        if unit not in factors:
            raise ValueError(f"{parameter.label} is not measured in {unit!r}")
        number *= factors[unit]
    return parameter.clip(number)
