"""A part and a whole rack as data: what the session, rack files and undo keep of them. No Qt, no engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from noisysynth.parameters import N_PARTS
from noisysynth.spec import MAX_LATENT
from noisysynth.ui.corners import PLACES, Corners, Pin
from noisysynth.ui.stored_values import is_number, stored_values
from noisysynth.ui.user_presets import LONGEST_NAME, UserPreset

_LONGEST_REFERENCE = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class PartData:
    """instrument: a reference (ui/references.py), and `name` what the instrument calls itself.

    preset: its name, "" for none; None: the first there is, and of `values` only what presets leave alone counts.
    own: what was chosen, if it was a preset of the player's own, which others do not have.
    stands: whether the preset is heard although corners are pinned.
    """

    instrument: str
    name: str = ""
    preset: str | None = None
    values: Mapping[str, float] = dataclasses.field(default_factory=dict)
    own: UserPreset | None = None
    corners: Mapping[int, Pin] = dataclasses.field(default_factory=dict)
    stands: bool = False

    @classmethod
    def of_data(cls, data: Any) -> PartData | None:
        """From what a file holds; None when it is no part. What is wrong in it is left out."""
        if not isinstance(data, dict) or not isinstance(data.get("instrument"), str):
            return None
        reference = data["instrument"]
        if not reference or len(reference) > _LONGEST_REFERENCE or "\0" in reference:
            return None
        name, preset = data.get("name"), data.get("preset")
        return cls(
            reference,
            _short(name) if isinstance(name, str) else "",
            _short(preset) if isinstance(preset, str) else None,
            stored_values(data.get("values"), rack=False),
            UserPreset.of_data(data.get("own")),
            _corners(data.get("corners")),
            data.get("stands") is True,
        )

    def data(self) -> dict[str, Any]:
        corners = {str(at): {"name": pin.name, "latent": pin.latent.tolist()} for at, pin in self.corners.items()}
        return {
            "instrument": self.instrument,
            "name": self.name,
            "preset": self.preset,
            "values": dict(self.values),
            "own": self.own.data() if self.own is not None else None,
            "corners": corners,
            "stands": self.stands,
        }


@dataclasses.dataclass(frozen=True, eq=False)
class RackData:
    """parts: those with an instrument, by number from 0. values: parameters of the whole rack."""

    parts: Mapping[int, PartData] = dataclasses.field(default_factory=dict)
    values: Mapping[str, float] = dataclasses.field(default_factory=dict)
    chosen: int = 0

    @classmethod
    def of_data(cls, data: Any) -> RackData | None:
        """From what a file holds; None when it is no rack."""
        if not isinstance(data, dict) or not isinstance(data.get("parts"), list):
            return None
        parts: dict[int, PartData] = {}
        for each in data["parts"]:
            number = each.get("part") if isinstance(each, dict) else None
            part = PartData.of_data(each)
            if part is not None and type(number) is int and 1 <= number <= N_PARTS:
                parts.setdefault(number - 1, part)
        chosen = data.get("chosen")
        at = chosen - 1 if type(chosen) is int else 0
        return cls(parts, stored_values(data.get("values"), rack=True), at if at in parts else min(parts, default=0))

    def data(self) -> dict[str, Any]:
        """Parts count from 1 here, as players count them."""
        parts = [{"part": number + 1, **part.data()} for number, part in sorted(self.parts.items())]
        return {"chosen": self.chosen + 1, "values": dict(self.values), "parts": parts}


def _short(name: str) -> str:
    return " ".join(name.split())[:LONGEST_NAME]


def _corners(data: Any) -> dict[int, Pin]:
    if not isinstance(data, dict):
        return {}
    pins = {}
    for at in range(len(PLACES)):
        pin = data.get(str(at))
        if not isinstance(pin, dict) or not isinstance(pin.get("name"), str):
            continue
        latent = pin.get("latent")
        if isinstance(latent, list) and 0 < len(latent) <= MAX_LATENT and all(map(is_number, latent)):
            pins[at] = Pin(_short(pin["name"]), np.clip(np.array(latent, np.float64), -1e6, 1e6).astype(np.float32))
    return pins


def fitting(corners: Mapping[int, Pin], latent_size: int) -> Corners:
    """Those that belong to a latent space of this size."""
    result = Corners()
    result.pins = {at: pin for at, pin in corners.items() if len(pin.latent) == latent_size}
    return result
