"""Part: what the window knows of one part of the rack. No Qt, no engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from noisysynth.effects import EFFECTS
from noisysynth.instrument import Instrument, Preset
from noisysynth.parameters import KEPT_BY_PRESETS, N_INSERTS, PARAMETER_INDEX, PARAMETERS
from noisysynth.ui.corners import Corners, Pin
from noisysynth.ui.latent_map import LatentMap, Vector
from noisysynth.ui.part_data import PartData, fitting
from noisysynth.ui.references import instrument_reference
from noisysynth.ui.user_presets import LONGEST_NAME, UserPreset, UserPresets

# What a preset does not touch: it belongs to the player, the mix and the rack, not to the sound.
NOT_OF_THE_SOUND = KEPT_BY_PRESETS | {row.id for row in PARAMETERS if row.rack}
INSERTS = tuple(f"insert_{number}" for number in range(1, N_INSERTS + 1))
PLACE = ("pad_x", "pad_y")
AT_PLACE = 1e-4


def part_defaults() -> dict[str, float]:
    """Values that an empty part has."""
    return {row.id: row.default for row in PARAMETERS if not row.rack}


def insert_defaults(parameter_id: str, kind: float) -> dict[str, float]:
    """Knob positions that the effect of an insert begins with; nothing for other parameters and for no effect."""
    if parameter_id not in INSERTS or kind < 1.0:
        return {}
    positions = EFFECTS[round(kind) - 1].default_positions()
    return {f"{parameter_id}_{i}": position for i, position in enumerate(positions, 1)}


class Part:
    """Its own instrument, preset, values and place on the pad. Whoever changes it has the engine told."""

    def __init__(self) -> None:
        self.instrument: Instrument | None = None
        self.path: Path | None = None
        self.mine: UserPresets | None = None  # presets of the player's own for this instrument
        self.preset = -1  # index in `presets`; -1: none
        self.stray: UserPreset | None = None  # what was chosen, where it is none of `presets`
        self.missing: PartData | None = None  # what is set, while its instrument cannot be had
        self.values = part_defaults()
        self.corners = Corners()
        self.preset_stands = False  # until the pad moves, the preset chosen last is heard, whatever is pinned
        self._map: LatentMap | None = None

    @property
    def used(self) -> bool:
        """Whether it has a strip: an instrument, or one that is missing."""
        return self.instrument is not None or self.missing is not None

    def open(self, instrument: Instrument, path: Path, mine: UserPresets | None) -> None:
        """Take another instrument; a preset or `PartData` is to be taken next."""
        self.instrument, self.path, self.mine = instrument, path, mine
        self._map = LatentMap(instrument)
        self.preset, self.stray, self.missing = -1, None, None
        self.corners = Corners()
        self.preset_stands = False

    # presets

    @property
    def presets(self) -> tuple[Preset | UserPreset, ...]:
        """The instrument's, then the player's own."""
        if self.instrument is None:
            return ()
        return (*self.instrument.presets, *(self.mine.presets if self.mine is not None else ()))

    @property
    def chosen(self) -> Preset | UserPreset | None:
        return self.presets[self.preset] if 0 <= self.preset < len(self.presets) else self.stray

    @property
    def preset_name(self) -> str:
        chosen = self.chosen
        return chosen.name if chosen is not None else ""

    @property
    def title(self) -> str:
        """The instrument's name, or what its file is called."""
        if self.instrument is not None:
            return self.instrument.name
        return missing_name(self.missing) if self.missing is not None else ""

    def index_of_mine(self, at: int) -> int:
        """Where in `presets` the player's own ones are."""
        return at + (len(self.instrument.presets) if self.instrument is not None else 0)

    @property
    def places(self) -> tuple[tuple[str, float, float], ...]:
        """Name and pad place of every preset of the instrument, in their order."""
        if self._map is None or self.instrument is None:
            return ()
        return tuple((self.instrument.presets[p.preset].name, p.x, p.y) for p in self._map.places)

    def values_of_preset(self, index: int) -> dict[str, float]:
        """What a preset sets: its own values, its place, and the default of all else that belongs to the sound."""
        preset = self.presets[index]
        if isinstance(preset, UserPreset):
            return values_of_sound(preset.values)
        values = values_of_sound(preset.parameters)
        if self._map is not None:
            place = self._map.places[index]
            values |= {"pad_x": place.x, "pad_y": place.y}
        return values

    def tags_at(self, values: Mapping[str, float]) -> tuple[str, ...]:
        """Name and tags of the instrument's preset that sounds most at the pad's place in `values`."""
        if self._map is None or self.instrument is None:
            return ()
        weights = self._map.weights(values.get("pad_x", 0.0), values.get("pad_y", 0.0))
        preset = self.instrument.presets[int(np.argmax(weights))]
        return (preset.name, *preset.tags)

    def preset_of(self, name: str, latent: Vector, parameters: Mapping[str, float]) -> UserPreset | None:
        """A preset with which a latent [Z] sounds, at its best place on the pad; None without an instrument."""
        if self._map is None:
            return None
        x, y = self._map.place_of(latent)
        base = self._map.base_of(latent, x, y)
        return UserPreset(name, {**parameters, "pad_x": x, "pad_y": y}, tuple(map(float, base)))

    def sound(self) -> dict[str, float]:
        """Values of what belongs to the sound."""
        return {each: value for each, value in self.values.items() if each not in NOT_OF_THE_SOUND}

    # as data

    def data(self) -> PartData | None:
        """All that is set; None when the part is empty."""
        if self.instrument is None or self.path is None:
            return self.missing
        chosen = self.chosen
        return PartData(
            instrument_reference(self.path),
            self.instrument.name,
            self.preset_name,
            dict(self.values),
            chosen if isinstance(chosen, UserPreset) else None,
            dict(self.corners.pins),
            self.preset_stands and self.at_preset(),
        )

    def take(self, data: PartData) -> str:
        """Be set as `data` says, with the instrument that is open; returns a line that is worth telling, or ""."""
        assert self.instrument is not None
        names = [each.name for each in self.presets]
        if data.preset is None:
            self.values = part_defaults() | {
                key: value for key, value in data.values.items() if key in NOT_OF_THE_SOUND
            }
            self.take_preset(0)
            return ""
        self.values = part_defaults() | dict(data.values)
        self.preset = names.index(data.preset) if data.preset in names else -1
        if data.own is not None and self.preset >= 0 and self.presets[self.preset] != data.own:
            self.preset = -1  # another one of the same name
        self.stray = data.own if self.preset < 0 else None
        self.corners = fitting(data.corners, self.instrument.spec.latent_size)
        self.preset_stands = data.stands and self.at_preset()
        if self.chosen is None and data.preset:
            return f"{self.instrument.name} has no preset {data.preset!r} any more; the sound is as it was"
        return ""

    def take_preset(self, index: int) -> None:
        """Be set as a preset says."""
        self.preset, self.stray = index, None
        self.values |= {key: row_clip(key, value) for key, value in self.values_of_preset(index).items()}
        self.preset_stands = True

    # the pad

    def at_preset(self) -> bool:
        """Whether the pad is where the chosen preset is."""
        chosen = self.chosen
        if self._map is None or chosen is None:
            return False
        if isinstance(chosen, UserPreset):
            x, y = (chosen.values.get(axis, 0.0) for axis in PLACE)
        else:
            x, y = self._map.places[self.preset].x, self._map.places[self.preset].y
        return abs(self.values["pad_x"] - x) < AT_PLACE and abs(self.values["pad_y"] - y) < AT_PLACE

    def blend(self) -> tuple[Vector, Vector] | None:
        """The base latent of the pad's place [Z], and the share in it of each point that the pad shows."""
        if self._map is None:
            return None
        x, y = self.values["pad_x"], self.values["pad_y"]
        at_preset, blending = self.at_preset(), self.corners.blending
        if blending and not (at_preset and self.preset_stands):
            weights = self.corners.weights(x, y)
            return self._map.base_of(self.corners.latent(weights), x, y), weights
        weights = self._map.weights(x, y)
        base = self._preset_base(self._map) if at_preset else None
        if base is None:
            base = self._map.base_latent(weights)
        return base, weights[:0] if blending else weights

    def _preset_base(self, latent_map: LatentMap) -> Vector | None:
        """The base latent of the chosen preset at its own place; None where it has none that fits."""
        chosen = self.chosen
        if not isinstance(chosen, UserPreset):
            return latent_map.preset_base(self.preset)
        # An instrument of the same name may have another latent space.
        fits = self.instrument is not None and len(chosen.base) == self.instrument.spec.latent_size
        return np.array(chosen.base, np.float32) if fits else None

    def pin(self, corner: int, preset: int | None = None) -> None:
        """Hold in a corner of the pad what sounds there now, or a preset of the instrument."""
        blend = self.blend()
        if self._map is None or self.instrument is None or blend is None:
            return
        if preset is not None:
            pin = Pin(self.instrument.presets[preset].name, self._map.places[preset].latent)
        else:
            latent = self._map.sounding(blend[0], self.values["pad_x"], self.values["pad_y"])
            pin = Pin(self.preset_name if self.at_preset() else "Blend", latent)
        self.corners.pins[corner] = pin


def values_of_sound(given: Mapping[str, float]) -> dict[str, float]:
    """What is given, and the default of all else that belongs to the sound."""
    values = {row.id: row.default for row in PARAMETERS if row.id not in NOT_OF_THE_SOUND}
    for parameter_id, value in given.items():
        values |= insert_defaults(parameter_id, value)
    return values | {key: value for key, value in given.items() if key in PARAMETER_INDEX}


def row_clip(parameter_id: str, value: float) -> float:
    return PARAMETERS[PARAMETER_INDEX[parameter_id]].clip(value)


def missing_name(data: PartData) -> str:
    """What to call an instrument that is not there."""
    return data.name or data.instrument.replace("\\", "/").rpartition("/")[2][-LONGEST_NAME:]
