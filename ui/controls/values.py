"""Parameter values as text with a unit, and back."""

from __future__ import annotations

import re

from noisysynth.parameters import Parameter

MINUS = "\u2212"  # as wide as a plus, so signed numbers line up
SILENCE = f"{MINUS}\u221e dB"
NO_SYNC = "Off"  # of a length in beats
NOTE_NAMES = ("C", "C\u266f", "D", "D\u266f", "E", "F", "F\u266f", "G", "G\u266f", "A", "A\u266f", "B")

_UNIT_LABELS = {
    "cents": " ct", "semitones": " st", "x": " \u00d7", "octaves": " oct", ":1": ":1", "voices": " voices", "": "",
}  # fmt: skip
_UNIT_NAMES = {"x": "times", "dB/oct": "dB per octave", ":1": "to 1", "bpm": "beats per minute"}
_DECIMALS = {
    "cents": 0, "semitones": 1, "x": 2, "": 2, "dB": 1, "dB/oct": 1, "Hz": 1, "s": 2, "ms": 1, "bpm": 1, "octaves": 2,
    ":1": 1, "beats": 2,
}  # fmt: skip
_KEYS = ("key_low", "key_high")  # MIDI notes, which players know by name
_LISTED = 8  # a tooltip lists no more choices than these
_WHOLE_FROM = 100.0  # a plain number that goes further than this counts something

# How many of the parameter's own unit one typed unit is worth.
_TYPED_UNITS: dict[str, dict[str, float]] = {
    "s": {"s": 1.0, "sec": 1.0, "ms": 1e-3},
    "ms": {"ms": 1.0, "s": 1e3},
    "Hz": {"hz": 1.0, "khz": 1e3},
    "dB": {"db": 1.0},
    "dB/oct": {"db/oct": 1.0, "db": 1.0},
    "cents": {"ct": 1.0, "cent": 1.0, "cents": 1.0, "st": 100.0, "semitones": 100.0},
    "semitones": {"st": 1.0, "semitone": 1.0, "semitones": 1.0, "ct": 0.01, "cents": 0.01},
    "octaves": {"oct": 1.0, "octave": 1.0, "octaves": 1.0, "st": 1.0 / 12.0, "semitones": 1.0 / 12.0},
    "x": {"x": 1.0, "\u00d7": 1.0, "%": 0.01},
    "bpm": {"bpm": 1.0},
    "beats": {"beats": 1.0, "beat": 1.0},
    "voices": {"voices": 1.0, "voice": 1.0},
    ":1": {":1": 1.0},
    "": {"%": 0.01},
}


def note_name(pitch: int) -> str:
    """Name with octave; middle C, note 60, is C4."""
    return f"{NOTE_NAMES[pitch % 12]}{pitch // 12 - 1}"


def counts(parameter: Parameter) -> bool:
    """Whether the choices are whole numbers in order: something to turn, not a list to look through."""
    first = round(parameter.minimum)
    return parameter.choices == tuple(str(first + i) for i in range(len(parameter.choices)))


def is_silent(parameter: Parameter, value: float) -> bool:
    """Whether this is the bottom of a level, which the table promises to be silence."""
    return parameter.unit == "dB" and parameter.minimum == -60.0 and value <= parameter.minimum


def format_value(parameter: Parameter, value: float) -> str:
    """Short text of a value with its unit, such as '+3.0 dB' or '50 ms'; of a choice its label."""
    if is_silent(parameter, value):
        return SILENCE
    if parameter.unit == "beats" and value < 0.005:
        return NO_SYNC
    if parameter.choices and not counts(parameter):
        return parameter.choices[round(parameter.clip(value) - parameter.minimum)]
    if parameter.id in _KEYS:
        return note_name(round(value))
    unit, number, decimals = _scaled(parameter, value)
    text = f"{abs(number):.{decimals}f}"
    if float(text) == 0.0:
        sign = ""
    elif number < 0.0:
        sign = MINUS
    else:
        sign = "+" if parameter.minimum < 0.0 else ""
    if unit == "voices" and text == "1":
        return "1 voice"
    return f"{sign}{text}{_UNIT_LABELS.get(unit, f' {unit}')}"


def _scaled(parameter: Parameter, value: float) -> tuple[str, float, int]:
    """Unit to show, the number in it, and its decimals: three digits or so that mean something."""
    unit = parameter.unit
    if parameter.choices:
        return unit, value, 0
    if unit == "s" and round(value, 3) < 1.0:
        unit, value = "ms", value * 1000.0
    if unit == "ms":
        return unit, value, 1 if 0.0 < round(value, 1) < 10.0 else 0
    if unit == "Hz" and round(value, 1) >= 1000.0:
        return "kHz", value / 1000.0, 2
    if unit == "Hz" and round(value, 2) < 1.0:
        return unit, value, 2
    if unit == "semitones" and abs(value - round(value)) < 0.05:
        return unit, value, 0
    if unit == "" and parameter.maximum >= _WHOLE_FROM:
        return unit, value, 0
    return unit, value, _DECIMALS.get(unit, 2)


def format_range(parameter: Parameter) -> str:
    """The range in words for a tooltip: 'from -60 dB (silence) to +6 dB', or the choices."""
    if parameter.choices and not counts(parameter):
        if len(parameter.choices) <= _LISTED:
            return ", ".join(parameter.choices)
        return f"{parameter.choices[0]} to {parameter.choices[-1]}, {len(parameter.choices)} choices"
    if parameter.id in _KEYS:
        return f"{note_name(round(parameter.minimum))} to {note_name(round(parameter.maximum))}"
    unit = _UNIT_NAMES.get(parameter.unit, parameter.unit)
    low = f"{parameter.minimum:g}".replace("-", MINUS)
    high = f"{parameter.maximum:g}"
    note = " (silence)" if is_silent(parameter, parameter.minimum) else ""
    return f"{low}{note} to {high} {unit}".rstrip()


def parse_value(parameter: Parameter, text: str) -> float:
    """Value of typed text, clipped to the range. ValueError when it is no number or has a wrong unit."""
    cleaned = text.strip().lower().replace(MINUS, "-").replace(",", ".")
    if parameter.choices and not counts(parameter):
        return _parse_choice(parameter, text.strip())
    if parameter.unit == "beats" and cleaned == NO_SYNC.lower():
        return parameter.minimum
    if parameter.unit == "dB" and re.fullmatch(r"-\s*(\u221e|inf)\s*(db)?", cleaned):
        return parameter.minimum
    if parameter.id in _KEYS and (note := re.fullmatch(r"([a-g])([#\u266fb\u266d]?)(-?\d)", cleaned)):
        step = {"": 0, "#": 1, "\u266f": 1}.get(note.group(2), -1)
        pitch = NOTE_NAMES.index(note.group(1).upper()) + step + 12 * (int(note.group(3)) + 1)
        return parameter.clip(float(pitch))
    match = re.fullmatch(r"([+-]?\s*(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(\D*\d?)", cleaned)
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


def _parse_choice(parameter: Parameter, text: str) -> float:
    """A label, or how one and only one of them begins."""
    wanted = text.casefold()
    labels = [label.casefold() for label in parameter.choices]
    if wanted in labels:
        return parameter.minimum + labels.index(wanted)
    begins = [i for i, label in enumerate(labels) if wanted and label.startswith(wanted)]
    if len(begins) != 1:
        raise ValueError(f"not one of {format_range(parameter)}: {text!r}")
    return parameter.minimum + begins[0]
