"""What a run of the paper's model is told; its presets and its JSON."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from noisysynth.errors import UserError
from noisysynth.train.config import data_of_model

MODEL = "noisygan"


@dataclasses.dataclass(frozen=True)
class NoisyganConfig:
    """Defaults are the paper's, where it says one. Its length, rate and frames are constants of `synth`."""

    seed: int = 0
    minutes: float = 60.0  # wall time unless --minutes or --steps says otherwise

    latent_size: int = 16
    cppn_nodes: int = 5
    decoder_units: int = 256
    texture_channels: int = 64  # of the first transposed convolution; the paper only gives the last, 8

    learning_rate: float = 1e-3
    gradient_clip: float = 3.0
    batch: int = 16  # real notes, and as many generated ones
    real_label: float = 0.9
    input_noise: float = 0.025  # uniform, on the audio that the discriminator hears

    lowest_pitch: int = 24  # MIDI, of the notes learned from
    highest_pitch: int = 84
    max_notes: int = 4000  # held in memory, 0.13 MB each
    checkpoint_steps: int = 50

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kind = int if field.type == "int" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value) or value < 0:
                raise UserError(f"config: {field.name} must be a number that is not negative, not {value!r}")
        for name in ("latent_size", "cppn_nodes", "decoder_units", "batch", "checkpoint_steps", "max_notes"):
            if getattr(self, name) < 1:
                raise UserError(f"config: {name} must be at least 1")
        if self.texture_channels < 8:
            raise UserError("config: texture_channels must be at least 8")
        if self.real_label > 1:
            raise UserError("config: real_label must be at most 1")

    def to_json(self) -> dict[str, Any]:
        return {"model": MODEL, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, data: Any) -> NoisyganConfig:
        """A config from a JSON object; what it leaves out keeps its default. Raise UserError on an unknown key."""
        if not isinstance(data, dict) or data.get("model") != MODEL:
            raise UserError(f'config: must be a JSON object with "model": "{MODEL}"')
        settings = {name: value for name, value in data.items() if name != "model"}
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise UserError(f"config: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
        return cls(**settings)


PRESETS: dict[str, NoisyganConfig] = {
    "noisygan": NoisyganConfig(),
    # Runs through every line in seconds; for tests.
    "noisygan-tiny": NoisyganConfig(
        minutes=1.0, decoder_units=8, texture_channels=8, batch=2, checkpoint_steps=2, max_notes=12
    ),
}


def find_config(name_or_file: str) -> NoisyganConfig | None:
    """A preset by name or a config from a JSON file; None when it is of another model, or nothing at all."""
    if name_or_file in PRESETS:
        return PRESETS[name_or_file]
    data = data_of_model(name_or_file, MODEL)
    return None if data is None else NoisyganConfig.from_json(data)
