"""What the matrix can move, by the names that the player sees on the knobs just now."""

from __future__ import annotations

from collections.abc import Mapping

from noisysynth.effects import EFFECT_VALUES, EFFECTS
from noisysynth.instrument import Instrument
from noisysynth.parameters import MOD_DESTINATIONS, N_INSERTS, PARAMETER_INDEX, PARAMETERS
from noisysynth.ui.pages import DIRECTIONS

_GENERAL = PARAMETERS[PARAMETER_INDEX["mod_1_destination"]].choices


def destination_names(instrument: Instrument | None, values: Mapping[str, float]) -> tuple[str, ...]:
    """A name for each of MOD_DESTINATIONS: directions by the instrument's names, inserts by their effects' values."""
    own: dict[str, str] = {}
    for number, (parameter_id, direction) in enumerate(
        zip(DIRECTIONS, instrument.directions if instrument is not None else (), strict=False), 1
    ):
        own[parameter_id] = f"{direction.name} (knob {number})"
    for insert in range(1, N_INSERTS + 1):
        kind = round(values[f"insert_{insert}"])
        rows = EFFECTS[kind - 1].parameters if kind else ()
        for number, row in enumerate(rows[:EFFECT_VALUES], 1):
            own[f"insert_{insert}_{number}"] = f"Insert {insert} {row.label.lower()}"
    return tuple(own.get(id_, general) for id_, general in zip(MOD_DESTINATIONS, _GENERAL, strict=True))
