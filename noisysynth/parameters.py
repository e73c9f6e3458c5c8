"""The one table of playable parameters: engine columns, knobs, presets and MIDI all derive from it."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

N_KNOBS = 6


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One row. `smoothing_s`: time constant with which the callback follows a jump; 0: it never sees the value itself.

    The latent parameters glide by `morph_time` instead.
    """

    id: str
    label: str
    unit: str
    minimum: float
    maximum: float
    default: float
    curve: Literal["linear", "log"] = "linear"
    smoothing_s: float = 0.0
    midi_cc: int | None = None
    help: str = ""

    def from_position(self, position: float) -> float:
        """Value at a knob position 0..1 (clipped)."""
        p = min(max(position, 0.0), 1.0)
        if self.curve == "log":
            return float(self.minimum * (self.maximum / self.minimum) ** p)
        return self.minimum + (self.maximum - self.minimum) * p

    def to_position(self, value: float) -> float:
        """Knob position 0..1 of a value (clipped to the range)."""
        v = self.clip(value)
        if self.curve == "log":
            return math.log(v / self.minimum) / math.log(self.maximum / self.minimum)
        return (v - self.minimum) / (self.maximum - self.minimum)

    def clip(self, value: float) -> float:
        """Nearest value in range; the default for NaN."""
        if math.isnan(value):
            return self.default
        return min(max(value, self.minimum), self.maximum)


def _knob(number: int) -> Parameter:
    return Parameter(
        f"knob_{number}", f"Knob {number}", "", -1.0, 1.0, 0.0,
        midi_cc=20 + number, help="Moves the sound along the instrument's named direction.",
    )  # fmt: skip


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("volume", "Volume", "dB", -60.0, 6.0, -6.0, smoothing_s=0.01, midi_cc=7,
              help="Loudness of everything; the lowest setting is silence."),
    Parameter("tune", "Tune", "cents", -100.0, 100.0, 0.0, smoothing_s=0.003,
              help="Tuning of the whole instrument."),
    Parameter("bend_range", "Bend range", "semitones", 0.0, 24.0, 2.0,
              help="How far the pitch wheel bends."),
    Parameter("pad_x", "Pad X", "", -1.0, 1.0, 0.0, midi_cc=16,
              help="The latent pad, left to right."),
    Parameter("pad_y", "Pad Y", "", -1.0, 1.0, 0.0, midi_cc=17,
              help="The latent pad, bottom to top."),
    *(_knob(number) for number in range(1, N_KNOBS + 1)),
    Parameter("morph_time", "Morph time", "s", 0.01, 10.0, 0.05, curve="log",
              help="How long sounding notes take to reach a new timbre."),
    Parameter("attack", "Attack", "x", 0.25, 4.0, 1.0, curve="log", midi_cc=73,
              help="Stretches how notes begin and evolve: above 1 is slower."),
    Parameter("release", "Release", "x", 0.25, 4.0, 1.0, curve="log", midi_cc=72,
              help="Stretches how notes end: above 1 is longer."),
    Parameter("brightness", "Tilt", "dB/oct", -9.0, 9.0, 0.0, smoothing_s=0.01, midi_cc=74,
              help="Tilts the partials above the fundamental."),
    Parameter("tone_level", "Tone", "dB", -60.0, 12.0, 0.0, smoothing_s=0.01,
              help="Level of the harmonic part; the lowest setting is silence."),
    Parameter("noise_level", "Noise", "dB", -60.0, 12.0, 0.0, smoothing_s=0.01,
              help="Level of the noise part; the lowest setting is silence."),
    Parameter("vibrato_rate", "Vibrato rate", "Hz", 0.5, 12.0, 5.5, curve="log", smoothing_s=0.01,
              help="Speed of the vibrato that the mod wheel brings in."),
    Parameter("vibrato_depth", "Vibrato depth", "cents", 0.0, 100.0, 35.0, smoothing_s=0.01,
              help="Depth of the vibrato with the mod wheel all the way up."),
)  # fmt: skip

PARAMETER_INDEX: dict[str, int] = {parameter.id: i for i, parameter in enumerate(PARAMETERS)}
PARAMETER_OF_CC: dict[int, int] = {
    parameter.midi_cc: i for i, parameter in enumerate(PARAMETERS) if parameter.midi_cc is not None
}


def default_values() -> dict[str, float]:
    """Every parameter's default by id."""
    return {parameter.id: parameter.default for parameter in PARAMETERS}


def db_to_gain(level_db: float) -> float:
    """Linear gain; -60 dB and below is silence, as the volume-like parameters promise."""
    return 0.0 if level_db <= -60.0 else float(10.0 ** (level_db / 20.0))
