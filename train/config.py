"""What a training run is told: one typed record, its presets and its JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from noisysynth.errors import UserError

# What a run did before there was a setting for it, where that is not the default.
OLDER_RUNS: dict[str, Any] = {"noise_trim_db": 0.0}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Every default says why. Sizes of batches are chosen for two CPU cores: about 0.1 s per step."""

    seed: int = 0
    minutes: float = 15.0  # wall time unless --minutes or --steps says otherwise

    # Networks. 256 x 3 plays 64 voices in 6 % of a core; wider sounds a little better and plays fewer.
    generator_width: int = 256
    generator_layers: int = 3
    mapping_width: int = 192
    encoder_width: int = 96
    discriminator_width: int = 64

    # Reconstruction: single instants of many notes teach more per second than whole notes of a few.
    reconstruction_notes: int = 48
    frames_per_note: int = 40
    instrument_balance: float = 0.5  # 0: all notes are as likely, 1: all instruments; a SoundFont drowns few recordings
    noise_trim_db: float = 1.5  # what partials cannot follow counts as noise, and is heard too much; docs/sound.md
    peer_share: float = 0.5  # of notes whose latent comes from another note of the instrument: it then learns timbre
    body_share: float = 0.0  # of notes heard through a body that no recording has: the latent then reaches further
    body_db: float = 6.0  # at most, the deviation of such a body's gain at each half octave
    kl_weight: float = 0.002  # nats against a loss of order one; more, and instruments blur into one another
    decay_weight: float = 0.2
    normal_weight: float = 0.5  # all notes together shall lie as the prior does, or its draws meet no instrument
    velocity_weight: float = 0.1  # louder when struck harder, also where no recording says so
    velocity_notes: int = 16
    release_weight: float = 0.2  # a released note dies away, also where no recording has a release

    # The adversarial part begins when reconstruction has found the instruments; it then sharpens and fills the prior.
    warmup_steps: int = 1000
    adversarial_every: int = 2  # steps; judging costs more than reconstruction does
    adversarial_notes: int = 16
    prior_share: float = 0.5  # of adversarial notes drawn from the prior; the others keep encoded ones honest
    mixture_share: float = 1.0  # of those, from the mixture fitted at the last checkpoint; the others from N(0, I)
    whole_frames: int = 54
    window_frames: int = 40
    window_step: int = 2  # 125 frames/s: tremolo and vibrato, at half the cost
    adversarial_weight: float = 0.1
    gradient_penalty: float = 1.0  # R1 and R2; without them the trial's pure GAN ended in NaN

    learning_rate: float = 1e-3
    discriminator_learning_rate: float = 4e-4
    gradient_clip: float = 2.0
    ema_decay: float = 0.998  # about the last 500 steps of several thousand

    # 1: encoder and discriminators multiply in bfloat16 on a GPU that has it. The generator never: phases need more.
    bfloat16: int = 0

    # Multi-scale spectral distance of rendered crops; costs more than all the rest, so off for short runs.
    audio_weight: float = 0.0
    audio_notes: int = 4
    audio_seconds: float = 0.5

    checkpoint_steps: int = 500
    evaluation_notes: int = 192
    max_notes: int = 6000  # held in memory, about 0.3 MB each; of more, a quarter is exchanged now and then
    steps_per_group: int = 200  # between exchanges: reading must keep up

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kind = int if field.type == "int" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value) or value < 0:
                raise UserError(f"config: {field.name} must be a number that is not negative, not {value!r}")
        for name in ("reconstruction_notes", "frames_per_note", "adversarial_notes", "velocity_notes", "max_notes"):
            if getattr(self, name) < 2:
                raise UserError(f"config: {name} must be at least 2")
        if self.velocity_notes > self.reconstruction_notes:
            raise UserError("config: velocity_notes must be at most reconstruction_notes, whose notes they are")
        if self.body_share > 0.0 and self.audio_weight > 0.0:
            raise UserError("config: body_share or audio_weight must be 0: a recording has the body that it has")
        for name in ("adversarial_every", "checkpoint_steps", "steps_per_group"):
            if getattr(self, name) < 1:
                raise UserError(f"config: {name} must be at least 1")
        for name in ("generator_width", "whole_frames", "window_frames", "frames_per_note"):
            if getattr(self, name) < 8:
                raise UserError(f"config: {name} must be at least 8")

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def changed(self, settings: Sequence[str]) -> TrainConfig:
        """This one with settings changed, each as NAME=VALUE; raise UserError on an unknown name or no number."""
        kinds = {field.name: int if field.type == "int" else float for field in dataclasses.fields(self)}
        changes: dict[str, int | float] = {}
        for setting in settings:
            name, _, text = setting.partition("=")
            if name not in kinds:
                raise UserError(f"config: unknown key {name!r}; known are {', '.join(sorted(kinds))}")
            try:
                changes[name] = kinds[name](text)
            except ValueError:
                what = "a whole number" if kinds[name] is int else "a number"
                raise UserError(f"config: {name} must be {what}, not {text!r}; for example {name}=1") from None
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, data: Any) -> TrainConfig:
        """A config from a JSON object; what it leaves out keeps its default. Raise UserError on an unknown key."""
        if not isinstance(data, dict):
            raise UserError("config: must be a JSON object")
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise UserError(f"config: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
        return cls(**data)


PRESETS: dict[str, TrainConfig] = {
    # A playable instrument in 15 minutes on two cores.
    "quick": TrainConfig(),
    # What ships was trained like this, for hours on two cores: instruments further apart, and longer averages. What
    # each instrument changes of it is on its training card.
    "factory": TrainConfig(
        minutes=120.0,
        kl_weight=0.0005,
        learning_rate=8e-4,
        ema_decay=0.999,
        checkpoint_steps=2000,
        max_notes=40_000,
    ),
    # Much the same where a GPU takes four times the notes a step.
    "gpu": TrainConfig(
        minutes=60.0,
        kl_weight=0.0005,
        reconstruction_notes=192,
        adversarial_notes=64,
        velocity_notes=32,
        ema_decay=0.999,
        checkpoint_steps=3000,
        evaluation_notes=256,
        max_notes=40_000,
    ),
    # Runs through every line in seconds; for tests.
    "tiny": TrainConfig(
        minutes=1.0,
        generator_width=32,
        generator_layers=2,
        mapping_width=24,
        encoder_width=16,
        discriminator_width=16,
        reconstruction_notes=6,
        frames_per_note=24,
        warmup_steps=3,
        adversarial_every=1,
        adversarial_notes=4,
        velocity_notes=4,
        normal_weight=0.1,  # six notes tell little of a distribution
        whole_frames=18,
        window_frames=12,
        checkpoint_steps=4,
        evaluation_notes=8,
    ),
}


def load_config(name_or_file: str, of_a_run: bool = False) -> TrainConfig:
    """A preset by name or a config from a JSON file; raise UserError when it is neither.

    of_a_run: the file is of a run's folder, so what it leaves out is what its version did without.
    """
    if name_or_file in PRESETS:
        return PRESETS[name_or_file]
    path = Path(name_or_file)
    if not path.is_file():
        raise UserError(f"no config named {name_or_file!r} ({', '.join(PRESETS)}) and no such file")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a JSON config: {error}") from error
    return TrainConfig.from_json(OLDER_RUNS | data if of_a_run and isinstance(data, dict) else data)


def data_of_model(file: str, model: str) -> dict[str, Any] | None:
    """What a JSON file holds if it is a config of this model; None for any other file, or none at all."""
    try:
        data = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # whoever else is asked says what is wrong with it
    return data if isinstance(data, dict) and data.get("model") == model else None
