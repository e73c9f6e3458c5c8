"""Parameter values out of a file of the player's, which may hold anything."""

from __future__ import annotations

import sys
from typing import Any

from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS


def is_number(value: Any) -> bool:
    """Whether it is a finite number; a NaN is none, nor is an integer that no float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def stored_values(data: Any, rack: bool | None = None) -> dict[str, float]:
    """Known parameters with numbers, clipped to their ranges; everything else is left out.

    rack: only those of the rack (True) or of a part (False).
    """
    if not isinstance(data, dict):
        return {}
    rows = {key: PARAMETERS[PARAMETER_INDEX[key]] for key in data if key in PARAMETER_INDEX}
    return {
        key: row.clip(float(data[key]))
        for key, row in rows.items()
        if is_number(data[key]) and rack in (None, row.rack)
    }
