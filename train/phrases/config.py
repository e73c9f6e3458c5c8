"""What a run on phrases is told; its presets and its JSON."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from noisysynth.errors import UserError
from noisysynth.train.config import data_of_model

MODEL = "phrases"


@dataclasses.dataclass(frozen=True)
class PhrasesConfig:
    """Every default says why."""

    seed: int = 0
    minutes: float = 15.0  # wall time unless --minutes or --steps says otherwise

    latent_size: int = 16  # as in the paper
    contour_nodes: int = 96  # of the CPPNs; the paper's five cannot hold a melody
    decoder_units: int = 128

    batch: int = 24
    instants: int = 128  # of each phrase's contours: a random few of many phrases teach more than all of a few
    crop_seconds: float = 0.5  # of each phrase's sound, compared in its spectrum
    crops: int = 4  # phrases of the batch whose sound is compared; this costs more than all the rest
    kl_weight: float = 0.002  # nats against losses of order one: phrases stay distinct, and the space between is filled
    learning_rate: float = 2e-3
    gradient_clip: float = 3.0

    # The paper's discriminator hears draws from the prior once the contours stand.
    warmup_steps: int = 300
    adversarial_every: int = 8
    adversarial_phrases: int = 4
    adversarial_weight: float = 0.05
    discriminator_learning_rate: float = 4e-4
    gradient_penalty: float = 1e-3  # MFCCs are large numbers, so their slopes are small

    # Of a SoundFont: violin, cello, trumpet, clarinet, flute, nylon guitar, vibraphone.
    programs: tuple[int, ...] = (40, 42, 56, 71, 73, 24, 11)
    max_phrases: int = 1000  # held in memory, 0.3 MB each
    checkpoint_steps: int = 200

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "programs":
                if not value or not all(isinstance(p, int) and 0 <= p <= 127 for p in value):
                    raise UserError("config: programs must be a list of numbers 0 to 127")
                continue
            kind = int if field.type == "int" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value) or value < 0:
                raise UserError(f"config: {field.name} must be a number that is not negative, not {value!r}")
        for name in (
            "latent_size",
            "batch",
            "instants",
            "crops",
            "adversarial_every",
            "max_phrases",
            "checkpoint_steps",
        ):
            if getattr(self, name) < 1:
                raise UserError(f"config: {name} must be at least 1")
        if not 0.2 <= self.crop_seconds <= 4.0:
            raise UserError("config: crop_seconds must be 0.2 to 4")

    def to_json(self) -> dict[str, Any]:
        return {"model": MODEL, **dataclasses.asdict(self), "programs": list(self.programs)}

    @classmethod
    def from_json(cls, data: Any) -> PhrasesConfig:
        """A config from a JSON object; what it leaves out keeps its default. Raise UserError on an unknown key."""
        if not isinstance(data, dict) or data.get("model") != MODEL:
            raise UserError(f'config: must be a JSON object with "model": "{MODEL}"')
        settings = {name: value for name, value in data.items() if name != "model"}
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise UserError(f"config: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
        if isinstance(settings.get("programs"), list):
            settings["programs"] = tuple(settings["programs"])
        return cls(**settings)


PRESETS: dict[str, PhrasesConfig] = {
    "phrases": PhrasesConfig(),
    # Runs through every line in seconds; for tests.
    "phrases-tiny": PhrasesConfig(
        minutes=1.0,
        latent_size=4,
        contour_nodes=24,
        decoder_units=12,
        batch=2,
        instants=32,
        crops=1,
        crop_seconds=0.25,
        warmup_steps=2,
        adversarial_every=1,
        adversarial_phrases=2,
        checkpoint_steps=3,
        programs=(73,),
    ),
}


def find_config(name_or_file: str) -> PhrasesConfig | None:
    """A preset by name or a config from a JSON file; None when it is of another model, or nothing at all."""
    if name_or_file in PRESETS:
        return PRESETS[name_or_file]
    data = data_of_model(name_or_file, MODEL)
    return None if data is None else PhrasesConfig.from_json(data)
