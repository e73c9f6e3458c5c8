"""The folder of a run: taken, or taken up again; and what is said when numbers break down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noisysynth.errors import UserError
from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint


def claim(run_dir: Path) -> None:
    """Make the folder; raise UserError when it already holds a run, or cannot be made."""
    if checkpoint_paths(run_dir):
        raise UserError(f"{run_dir} already holds a run; go on with --resume, or choose another folder")
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {run_dir}: {error}") from error


def newest_state(run_dir: Path, described: Mapping[str, str], dataset: Any) -> tuple[Path, dict[str, Any]]:
    """The newest checkpoint and its state. described: what must be the same, as JSON, by its key in the state.

    UserError: there is none, or it was trained otherwise or on other data.
    """
    paths = checkpoint_paths(run_dir)
    if not paths:
        raise UserError(f"{run_dir} has no checkpoint to resume from; start without --resume")
    state = load_checkpoint(paths[-1])
    try:
        for what, text in described.items():
            if json.loads(state[what]) != json.loads(text):
                raise UserError(
                    f"{run_dir} was trained with another {what}; resume with that, or choose another folder"
                )
        trained_on = json.loads(state["training"]).get("dataset")
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{paths[-1]} does not fit this version ({type(error).__name__})") from error
    if trained_on != dataset:
        raise UserError(f"{run_dir} was trained on another data set, {trained_on}")
    return paths[-1], state


def not_finite(what: str, step: int, last_checkpoint: Path | None) -> UserError:
    """The error for a number that became NaN or infinite."""
    good = f"the last good checkpoint is {last_checkpoint}" if last_checkpoint else "there is no good checkpoint yet"
    return UserError(f"{what} became NaN or infinite at step {step}; {good}")
