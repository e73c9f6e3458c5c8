"""A finished run on phrases, as the exporter wants it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint
from noisysynth.train.phrases.config import PhrasesConfig
from noisysynth.train.phrases.generator import PhraseGenerator


@dataclasses.dataclass(frozen=True, eq=False)
class PhraseRun:
    """generator: in eval mode. names [n], z [n, Z], key [n] (MIDI): of the phrases that were learned."""

    generator: PhraseGenerator
    config: PhrasesConfig
    names: list[str]
    z: NDArray[np.float32]
    key: NDArray[np.float32]
    training: dict[str, Any]


def load_phrase_run(run_dir: Path) -> PhraseRun:
    """The newest checkpoint in a folder. UserError when there is none, or it is of another model."""
    paths = checkpoint_paths(run_dir)
    if not paths:
        raise UserError(f"{run_dir}: no checkpoint yet; is this a training run?")
    state = load_checkpoint(paths[-1])
    try:
        config = PhrasesConfig.from_json(json.loads(state["config"]))
        generator = PhraseGenerator(config)
        prefix = "generator."
        networks: dict[str, torch.Tensor] = state["networks"]
        weights = {name[len(prefix) :]: value for name, value in networks.items() if name.startswith(prefix)}
        generator.load_state_dict(weights)
        names = [str(name) for name in json.loads(state["phrases"])]
        training = json.loads(state["training"])
        z, key = networks["means"].numpy(), state["keys"].numpy()
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, UserError) as error:
        reason = str(error) if isinstance(error, UserError) else type(error).__name__
        raise UserError(f"{paths[-1]}: not a checkpoint of a phrase model ({reason})") from error
    return PhraseRun(generator.eval(), config, names, z, key, training)
