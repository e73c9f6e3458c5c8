"""Checkpoints and the run folder: written atomically, read without running anyone's code."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.spec import SynthSpec
from noisysynth.train.config import TrainConfig
from noisysynth.train.networks.encoder import Encoder
from noisysynth.train.networks.generator import Generator, GeneratorConfig

FORMAT = 1
KEEP = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)
_WHEN_FULL = "free some space and go on with --resume"
_LATENTS = {"last": "latents.npz", "best": "best-latents.npz"}
_NAME = re.compile(r"step_(\d+)\.pt")


@dataclasses.dataclass(frozen=True)
class Latents:
    """Posterior means of the training notes.

    z: float32 [n, Z]. instrument: int [n], index into instruments. pitch, velocity: float32 [n].
    """

    z: NDArray[np.float32]
    instrument: NDArray[np.int64]
    instruments: list[str]
    pitch: NDArray[np.float32]
    velocity: NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Run:
    """A training run as the exporter wants it: averaged networks in eval mode and what is known of them.

    training: data set name, attribution, licence, steps, minutes, metrics.
    """

    generator: Generator
    encoder: Encoder
    spec: SynthSpec
    config: TrainConfig
    training: dict[str, Any]
    latents: Latents


def build_networks(spec: SynthSpec, config: TrainConfig) -> tuple[Generator, Encoder]:
    """Generator and encoder of a config, freshly initialised."""
    sizes = GeneratorConfig(config.generator_width, config.generator_layers, config.mapping_width)
    return Generator(spec, sizes), Encoder(spec, width=config.encoder_width)


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file so that a crash leaves the old one or the new one. Raise UserError when the disk refuses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno not in _FULL:
            raise UserError(f"cannot write {path}: {error}") from error
        raise UserError(f"cannot write {path}: {_cause(error)}; {_WHEN_FULL}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename last, where the system has that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cause(error: BaseException) -> str:
    return "the disk is full" if isinstance(error, OSError) else f"is the disk full? ({error})"


@contextmanager
def disk_errors(run_dir: Path) -> Iterator[None]:
    """Turns what the disk refuses inside (TensorBoard's files, too) into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise UserError(f"the disk is full at {run_dir}; {_WHEN_FULL}") from error
        raise UserError(f"cannot write to {run_dir}: {error.strerror or error}") from error


def write_json(path: Path, data: Any) -> None:
    text = json.dumps(data, indent=2) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def checkpoint_paths(run_dir: Path) -> list[Path]:
    """The run's checkpoints, oldest first."""
    found = [
        (int(match[1]), path) for path in run_dir.glob("checkpoints/*.pt") if (match := _NAME.fullmatch(path.name))
    ]
    return [path for _, path in sorted(found)]


def save_checkpoint(run_dir: Path, state: dict[str, Any], *, best: bool) -> Path:
    """Write checkpoints/step_N.pt, keep the newest two, and best.pt beside them if `best`."""
    path = run_dir / "checkpoints" / f"step_{state['step']:08d}.pt"
    state = {"format": FORMAT, **state}
    write_atomically(path, lambda file: torch.save(state, file))
    if best:
        write_atomically(run_dir / "checkpoints" / "best.pt", lambda file: torch.save(state, file))
    for old in checkpoint_paths(run_dir)[:-KEEP]:
        old.unlink(missing_ok=True)
    return path


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The state in a checkpoint file; raise UserError when it is not one."""
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself looks at no checksum
            if archive.testzip() is not None:
                raise zipfile.BadZipFile
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such checkpoint") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a checkpoint, or damaged ({type(error).__name__})") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path}: not a checkpoint of this version")
    return state


def newest_checkpoint(run_dir: Path) -> tuple[tuple[Path, dict[str, Any]] | None, list[str]]:
    """The newest checkpoint of the run that can be read, with its state; and what is wrong with those after it."""
    damaged: list[str] = []
    for path in reversed(checkpoint_paths(run_dir)):
        try:
            return (path, load_checkpoint(path)), damaged
        except UserError as error:
            damaged.append(str(error))
    return None, damaged


def save_latents(run_dir: Path, latents: Latents, *, best: bool = False) -> None:
    """Write latents.npz, and best-latents.npz beside it if `best`: they belong to the encoder of a checkpoint."""
    arrays = dataclasses.asdict(latents) | {"instruments": np.array(latents.instruments, dtype=np.str_)}
    for name in ("last", "best") if best else ("last",):
        write_atomically(run_dir / _LATENTS[name], lambda file: np.savez(file, **arrays))


def load_latents(run_dir: Path, which: str = "last") -> Latents:
    """Read the latents of the last or the best checkpoint; raise UserError when they are missing or damaged."""
    path = run_dir / _LATENTS[which]
    try:
        with np.load(path, allow_pickle=False) as data:
            return Latents(data["z"], data["instrument"], data["instruments"].tolist(), data["pitch"], data["velocity"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: missing or damaged; train on, or resume the run to write it again") from error


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: missing or not JSON; is this a training run?") from error


def load_run(run_dir: str | Path, which: str = "last") -> Run:
    """The run in a folder, its networks averaged (EMA) and in eval mode.

    which: "last" or "best" (of the quick metrics). Raise UserError when anything is missing or broken.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir():
        raise UserError(f"{run_dir}: no such training run")
    paths = checkpoint_paths(run_dir)
    if not paths:
        raise UserError(f"{run_dir}: no checkpoint yet; is this a training run?")
    state = load_checkpoint(run_dir / "checkpoints" / "best.pt" if which == "best" else paths[-1])
    try:
        spec = SynthSpec.from_json(json.loads(state["spec"]))
        config = TrainConfig.from_json(json.loads(state["config"]))
        training = json.loads(state["training"])
        generator, encoder = build_networks(spec, config)
        generator.load_state_dict(state["ema_generator"])
        encoder.load_state_dict(state["ema_encoder"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{paths[-1]}: does not fit this version's networks ({type(error).__name__})") from error
    return Run(generator.eval(), encoder.eval(), spec, config, training, load_latents(run_dir, which))
