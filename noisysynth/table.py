"""Parameter: one row of the tables of what can be set."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

Target = Literal["setting", "voice", "latent", "note"]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One row.

    smoothing_s: time constant with which the callback follows a jump; 0: it jumps, or the callback never sees it.
    choices: labels of the values 0, 1, 2, ...; empty for a continuous parameter.
    rack: one value for the whole rack; otherwise each part has its own.
    target: who uses it. "setting": the callback follows it, for a whole part or the rack. "voice": it goes into every
        voice's control frames. "latent": into the control network's inputs. "note": read when notes begin or move.
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
    choices: tuple[str, ...] = ()
    rack: bool = False
    target: Target = "setting"
    help: str = ""

    def from_position(self, position: float) -> float:
        """Value at a knob position 0..1 (clipped)."""
        p = min(max(position, 0.0), 1.0)
        if self.choices:
            return float(round(self.minimum + (self.maximum - self.minimum) * p))
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
        v = min(max(value, self.minimum), self.maximum)
        return float(round(v)) if self.choices else v
