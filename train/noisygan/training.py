"""Training the paper's model: `train` is the whole of it, to be read from top to bottom.

noisysynth-train --config noisygan --data DATA --out RUN            an hour; figures and sounds at its end
noisysynth-train --config noisygan --data DATA --out RUN --resume   go on after Ctrl-C or a crash
noisysynth-train --config noisygan --data DATA --out RUN --figures  only the figures and sounds, of what is there
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

import noisysynth
from noisysynth.errors import UserError
from noisysynth.train.checkpoint import save_checkpoint, write_atomically, write_json
from noisysynth.train.interrupt import interrupt_flag
from noisysynth.train.machine import choose_device, memory_errors
from noisysynth.train.noisygan.config import NoisyganConfig
from noisysynth.train.noisygan.data import RealNotes
from noisysynth.train.noisygan.discriminator import Discriminator
from noisysynth.train.noisygan.generator import Generator
from noisysynth.train.noisygan.run_folder import claim, newest_state, not_finite
from noisysynth.train.report import Report


class Losses(NamedTuple):
    """Of one step. real_score, fake_score: what the discriminator says of real and generated notes, 0..1."""

    discriminator: float
    generator: float
    real_score: float
    fake_score: float


class Trainee:
    """Everything that a checkpoint holds: networks, optimizers, random numbers, time spent, and the losses so far."""

    def __init__(self, config: NoisyganConfig, device: torch.device) -> None:
        self.generator, self.discriminator = (network.to(device) for network in build_networks(config))
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), config.learning_rate)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), config.learning_rate)
        self.rng = torch.Generator(device).manual_seed(config.seed)
        self.elapsed_s = 0.0
        self.losses: list[Losses] = []

    _PARTS = ("generator", "discriminator", "g_optimizer", "d_optimizer")

    @property
    def step(self) -> int:
        return len(self.losses)

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name).state_dict() for name in self._PARTS} | {
            "rng": self.rng.get_state(),
            "device": self.rng.device.type,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "losses": torch.tensor(self.losses).reshape(-1, len(Losses._fields)),
        }

    def load(self, state: dict[str, Any]) -> None:
        for name in self._PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.rng.set_state(state["rng"])
        self.elapsed_s = float(state["elapsed_s"])
        self.losses = [Losses(*row) for row in state["losses"].tolist()]


def build_networks(config: NoisyganConfig) -> tuple[Generator, Discriminator]:
    """As they are before the first step: the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Generator(config), Discriminator()


def train(
    data: RealNotes,
    config: NoisyganConfig,
    run_dir: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = False,
    quiet: bool = False,
    device: str = "cpu",
    stop: Callable[[int], bool] = lambda step: False,
) -> int:
    """Train into run_dir; the number of steps done so far.

    minutes: wall time, over all resumptions; steps: instead, a number of steps, and then a run is the same (to
    rounding) whether it was interrupted or not. device: "auto", "cpu" or "cuda"; each draws other random numbers, so a
    run stays on the one that it began on. stop: asked after each step whether to leave early, as Ctrl-C does.
    Raise UserError on a run that does not fit, a full disk, full memory, or NaN.
    """
    with memory_errors("max_notes (data) and batch"):
        return _train(data, config, run_dir, choose_device(device), minutes, steps, resume, quiet, stop)


def _train(
    data: RealNotes,
    config: NoisyganConfig,
    run_dir: Path,
    device: torch.device,
    minutes: float | None,
    steps: int | None,
    resume: bool,
    quiet: bool,
    stop: Callable[[int], bool],
) -> int:
    """`train` on a device that was chosen."""
    minutes = config.minutes if minutes is None else minutes
    trainee = Trainee(config, device)
    described = {"config": json.dumps(config.to_json())}
    last_checkpoint: Path | None = None
    if resume:
        last_checkpoint, state = newest_state(run_dir, described, data.description.get("dataset"))
        began_on = state.get("device", "cpu")  # older versions knew nothing else
        if began_on != device.type:
            raise UserError(f"{run_dir} was trained with --device {began_on}; resume with that")
        try:
            trainee.load(state)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"{last_checkpoint} does not fit this version ({type(error).__name__})") from error
    else:
        claim(run_dir)
    write_json(run_dir / "config.json", config.to_json())
    report = Report(run_dir, trainee.step)
    report.text("config", config.to_json())

    def progress() -> float:
        return trainee.step / steps if steps is not None else trainee.elapsed_s / (60.0 * minutes)

    def save() -> Path:
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
                raise not_finite(f"a weight of the {name}", trainee.step, last_checkpoint)
        training = {
            **data.description,
            "steps": trainee.step,
            "minutes": round(trainee.elapsed_s / 60.0, 2),
            "notes": len(data),
            "version": noisysynth.__version__,
        }
        path = save_checkpoint(run_dir, trainee.state() | described | {"training": json.dumps(training)}, best=False)
        write_json(run_dir / "run.json", training)
        _write_losses(run_dir / "losses.csv", trainee.losses)
        return path

    generator, discriminator, rng = trainee.generator, trainee.discriminator, trainee.rng
    started = time.monotonic() - trainee.elapsed_s
    interrupted = False
    saved_step = trainee.step

    def heard(audio: Tensor) -> Tensor:
        """The discriminator's logits of audio with the paper's noise on it."""
        noise = 2.0 * torch.rand(audio.shape, generator=rng, device=device) - 1.0
        return discriminator(audio + config.input_noise * noise)

    with interrupt_flag() as pressed, tqdm(total=steps, initial=trainee.step, disable=quiet, unit="step") as bar:
        while progress() < 1.0:
            rows = torch.randint(len(data), (config.batch,), generator=rng, device=device)
            real = data.audio(rows.cpu()).to(device)
            fake = generator(torch.randn(config.batch, config.latent_size, generator=rng, device=device), rng).audio

            # The discriminator: 16 real notes and 16 generated ones in one step.
            real_logits, fake_logits = heard(real), heard(fake.detach())
            d_loss = binary_cross_entropy_with_logits(
                torch.cat([real_logits, fake_logits]),
                torch.cat([torch.full_like(real_logits, config.real_label), torch.zeros_like(fake_logits)]),
            )
            trainee.d_optimizer.zero_grad()
            d_loss.backward()
            nn.utils.clip_grad_norm_(discriminator.parameters(), config.gradient_clip)
            trainee.d_optimizer.step()

            # The generator: the same notes are to pass for real with the discriminator as it is now.
            discriminator.requires_grad_(False)
            passed = heard(fake)
            discriminator.requires_grad_(True)
            g_loss = binary_cross_entropy_with_logits(passed, torch.ones_like(passed))
            trainee.g_optimizer.zero_grad()
            g_loss.backward()
            norm = nn.utils.clip_grad_norm_(generator.parameters(), config.gradient_clip)
            if not math.isfinite(d_loss.item() + g_loss.item() + norm.item()):
                raise not_finite("a loss or gradient", trainee.step, last_checkpoint)
            trainee.g_optimizer.step()

            scores = (torch.sigmoid(logits).mean().item() for logits in (real_logits, fake_logits))
            trainee.losses.append(Losses(d_loss.item(), g_loss.item(), *scores))
            trainee.elapsed_s = time.monotonic() - started
            bar.update()
            bar.set_postfix_str(f"discriminator {d_loss.item():.3f} generator {g_loss.item():.3f}")
            report.losses(trainee.step, trainee.losses[-1]._asdict())
            if trainee.step % config.checkpoint_steps == 0:
                last_checkpoint, saved_step = save(), trainee.step
            interrupted = stop(trainee.step) or pressed.is_set()
            if interrupted:
                break

    if trainee.step > saved_step:
        last_checkpoint = save()
    report.close()
    if interrupted and not quiet:
        print(f"Stopped at step {trainee.step}; go on with the same command and --resume.")
    return trainee.step


def _write_losses(path: Path, losses: list[Losses]) -> None:
    text = io.StringIO()
    text.write(",".join(("step", *Losses._fields)) + "\n")
    for step, row in enumerate(losses, start=1):
        text.write(f"{step}," + ",".join(f"{value:.6g}" for value in row) + "\n")
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))
