"""Training: `train` is the whole of it, to be read from top to bottom.

noisysynth-train --data DATA --out RUN                  15 minutes on two cores, see `config.PRESETS`
noisysynth-train --data DATA --out RUN --resume         go on after Ctrl-C or a crash
tensorboard --logdir RUN/tensorboard                    watch and listen
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss
from tqdm import tqdm

import noisysynth
from noisysynth.errors import UserError
from noisysynth.spec import SynthSpec
from noisysynth.train.audio_loss import audio_loss
from noisysynth.train.checkpoint import (
    Latents,
    build_networks,
    checkpoint_paths,
    load_checkpoint,
    save_checkpoint,
    save_latents,
    write_json,
)
from noisysynth.train.config import TrainConfig
from noisysynth.train.losses import (
    gradient_penalty,
    kl_divergence,
    reconstruction,
    relativistic_loss,
    sliced_distance_from_normal,
    velocity_loss,
)
from noisysynth.train.networks.discriminators import Discriminators
from noisysynth.train.networks.encoder import Encoder
from noisysynth.train.networks.generator import Generator
from noisysynth.train.note_bank import Frames, Note, NoteBank
from noisysynth.train.quick_metrics import evaluate
from noisysynth.train.report import Report

_RAMP_STEPS = 50
_FINAL_LEARNING_RATE = 0.03


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What is learned from: notes to train on, notes held out, and what must be said of their origin.

    description: JSON data kept with the run: name, attribution, licence.
    """

    spec: SynthSpec
    train: Iterable[Note]
    held_out: Iterable[Note]
    instruments: Sequence[str]
    description: dict[str, Any]


class Trainee:
    """Everything that a checkpoint holds: networks, averages, optimizers, random numbers, time spent."""

    def __init__(self, spec: SynthSpec, config: TrainConfig) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.generator, self.encoder = build_networks(spec, config)
            self.discriminators = Discriminators(spec, config.discriminator_width)
        self.ema_generator = copy.deepcopy(self.generator).requires_grad_(False)
        self.ema_encoder = copy.deepcopy(self.encoder).requires_grad_(False)
        self.makers = [*self.generator.parameters(), *self.encoder.parameters()]
        self.g_optimizer = torch.optim.Adam(self.makers, config.learning_rate, betas=(0.8, 0.99))
        self.d_optimizer = torch.optim.Adam(
            self.discriminators.parameters(), config.discriminator_learning_rate, betas=(0.0, 0.99)
        )
        self.rng = torch.Generator().manual_seed(config.seed)
        self.step = 0
        self.elapsed_s = 0.0
        self.best_score = math.inf

    _PARTS = (
        "generator", "encoder", "discriminators", "ema_generator", "ema_encoder", "g_optimizer", "d_optimizer",
    )  # fmt: skip

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name).state_dict() for name in self._PARTS} | {
            "rng": self.rng.get_state(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "best_score": self.best_score,
        }

    def load(self, state: dict[str, Any]) -> None:
        for name in self._PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.rng.set_state(state["rng"])
        self.step, self.elapsed_s = int(state["step"]), float(state["elapsed_s"])
        self.best_score = float(state["best_score"])

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the averaged networks towards the trained ones; fast at first, so that early checkpoints sound."""
        decay = min(decay, (1.0 + self.step) / (10.0 + self.step))
        for averaged, trained in ((self.ema_generator, self.generator), (self.ema_encoder, self.encoder)):
            for a, t in zip(averaged.parameters(), trained.parameters(), strict=True):
                a.lerp_(t, 1.0 - decay)


def train(
    data: TrainingData,
    config: TrainConfig,
    run_dir: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = False,
    quiet: bool = False,
    stop: Callable[[int], bool] = lambda step: False,
) -> int:
    """Train into run_dir; the number of steps done so far.

    minutes: wall time, over all resumptions; steps: instead, a number of steps, and then a run is the same (to
    rounding) whether it was interrupted or not. stop: asked after each step whether to leave early, as Ctrl-C does.
    Raise UserError on bad data, a run that does not fit, a full disk, or NaN.
    """
    minutes = config.minutes if minutes is None else minutes
    bank = NoteBank(data.train, data.spec, data.instruments, keep_audio=config.audio_weight > 0.0)
    held_out = NoteBank(data.held_out, data.spec, data.instruments)
    trainee = Trainee(data.spec, config)
    described = {
        "config": json.dumps(config.to_json()),
        "spec": json.dumps(data.spec.to_json()),
    }
    last_checkpoint = _resume(trainee, run_dir, described, data) if resume else _claim(run_dir)
    write_json(run_dir / "config.json", config.to_json())
    write_json(run_dir / "spec.json", data.spec.to_json())
    report = Report(run_dir, trainee.step)
    report.text("config", config.to_json())

    def progress() -> float:
        return trainee.step / steps if steps is not None else trainee.elapsed_s / (60.0 * minutes)

    def save(metrics: dict[str, float]) -> Path:
        score = metrics.get("frechet", 0.0) / max(metrics.get("frechet_floor", 1.0), 1e-6) + metrics["harmonics_db"]
        best = score < trainee.best_score
        trainee.best_score = min(score, trainee.best_score)
        training = {
            **data.description,
            "steps": trainee.step,
            "minutes": round(trainee.elapsed_s / 60.0, 2),
            "notes": len(bank),
            "instruments": len(set(bank.instrument.tolist())),
            "metrics": metrics,
            "version": noisysynth.__version__,
        }
        state = trainee.state() | described | {"training": json.dumps(training)}
        path = save_checkpoint(run_dir, state, best=best)
        save_latents(run_dir, encode_all(trainee.ema_encoder, bank))
        write_json(run_dir / "run.json", training)
        return path

    generator, encoder, judges = trainee.generator, trainee.encoder, trainee.discriminators
    rng = trainee.rng
    started = time.monotonic() - trainee.elapsed_s
    interrupted = False
    metrics: dict[str, float] = {}
    newest: dict[str, float] = {}  # adversarial losses too, although not every step has them
    saved_step = trainee.step
    with _interrupt_flag() as pressed, tqdm(total=steps, initial=trainee.step, disable=quiet, unit="step") as bar:
        while progress() < 1.0:
            rate = _learning_rate_factor(trainee.step, progress())
            _set_learning_rate(trainee.g_optimizer, config.learning_rate * rate)
            _set_learning_rate(trainee.d_optimizer, config.discriminator_learning_rate * rate)

            # Reconstruction: single instants of real notes, from their own latent or from that of another note.
            rows = torch.randint(len(bank), (config.reconstruction_notes,), generator=rng)
            real = bank.scattered(rows, config.frames_per_note, rng)
            swapped = torch.rand(len(rows), generator=rng) < config.peer_share
            sources = torch.where(swapped, bank.peers(rows, rng), rows)
            mean, log_variance = encoder(bank.log_mels(sources, rng))
            z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=rng)
            modulation = generator.modulation(z, real.pitch, real.velocity)
            rebuilt = real.with_controls(generator.frames(modulation, real.pitch, real.time_on, real.time_off))
            terms = reconstruction(rebuilt, real)
            kl = kl_divergence(mean, log_variance)
            decay = _decay_loss(generator.hold_decay_coordinate(modulation), bank, rows)
            sway = _vibrato_loss(generator.vibrato_coordinates(modulation), bank, rows)
            normal = sliced_distance_from_normal(z, rng)
            unanswered = velocity_loss(*_struck_twice(generator, z, real.pitch, bank.spec, config.velocity_notes, rng))
            loss = terms.total() + config.kl_weight * kl + config.decay_weight * (decay + sway)
            loss = loss + config.normal_weight * normal + config.velocity_weight * unanswered
            losses = {name: value.item() for name, value in terms._asdict().items()}
            losses |= {"kl": kl.item(), "decay": decay.item(), "vibrato": sway.item()}
            losses |= {"normal": normal.item(), "velocity": unanswered.item()}

            if config.audio_weight > 0.0:
                few = slice(0, config.audio_notes)
                heard = audio_loss(generator, z[few], bank, rows[few], config.audio_seconds, rng)
                loss = loss + config.audio_weight * heard
                losses["audio"] = heard.item()

            # Adversarial: whole notes and stretches of notes, half of them from nothing but the prior.
            if trainee.step >= config.warmup_steps and trainee.step % config.adversarial_every == 0:
                rows = torch.randint(len(bank), (config.adversarial_notes,), generator=rng)
                real_pair = (
                    bank.whole(rows, config.whole_frames),
                    bank.window(rows, config.window_frames, config.window_step, rng),
                )
                z = torch.randn(len(rows), data.spec.latent_size, generator=rng)
                n_encoded = len(rows) - round(config.prior_share * len(rows))
                encoded, _ = encoder(bank.log_mels(bank.peers(rows[:n_encoded], rng)))
                z = torch.cat([encoded, z[n_encoded:]])
                fake_pair = _generate(generator, z, real_pair)
                d_loss, penalty = _train_judges(trainee, real_pair, fake_pair, config)
                with torch.no_grad():
                    real_scores = judges(judges.views(*real_pair), *real_pair)
                judges.requires_grad_(False)
                fake_scores = judges(judges.views(*fake_pair), *fake_pair)
                judges.requires_grad_(True)
                adversarial = relativistic_loss(fake_scores, real_scores)
                loss = loss + config.adversarial_weight * adversarial
                losses |= {"generator": adversarial.item(), "judges": d_loss, "penalty": penalty}

            trainee.g_optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(trainee.makers, config.gradient_clip)
            losses |= {"total": loss.item(), "gradient": norm.item()}
            if not all(math.isfinite(value) for value in losses.values()):
                bad = next(name for name, value in losses.items() if not math.isfinite(value))
                raise _not_finite(f"loss {bad}", trainee.step, last_checkpoint)
            trainee.g_optimizer.step()
            trainee.step += 1
            trainee.average(config.ema_decay)
            trainee.elapsed_s = time.monotonic() - started

            bar.update()
            newest |= losses
            if trainee.step % 10 == 0:
                report.losses(trainee.step, newest)
                bar.set_postfix_str(_status(losses, progress(), trainee, minutes if steps is None else None))
            if trainee.step % config.checkpoint_steps == 0:
                _check_weights(trainee, last_checkpoint)
                metrics = evaluate(trainee.ema_generator, trainee.ema_encoder, held_out, bank, config.evaluation_notes)
                report.metrics(trainee.step, metrics)
                report.notes(trainee.step, trainee.ema_generator, trainee.ema_encoder, held_out)
                if not quiet:
                    tqdm.write(_figures(trainee.step, metrics))
                last_checkpoint, saved_step = save(metrics), trainee.step
            interrupted = stop(trainee.step) or pressed.is_set()
            if interrupted:
                break

    if trainee.step > saved_step:
        _check_weights(trainee, last_checkpoint)
        metrics = evaluate(trainee.ema_generator, trainee.ema_encoder, held_out, bank, config.evaluation_notes)
        if not interrupted:
            report.metrics(trainee.step, metrics)
            report.notes(trainee.step, trainee.ema_generator, trainee.ema_encoder, held_out)
        last_checkpoint = save(metrics)
    report.close()
    if not quiet:
        print(_figures(trainee.step, metrics) if metrics else "Nothing left to do.")
        if interrupted:
            print(f"Stopped at step {trainee.step}; go on with the same command and --resume.")
    return trainee.step


@torch.no_grad()
def encode_all(encoder: Encoder, bank: NoteBank) -> Latents:
    """Posterior means of all notes of a bank."""
    means = [encoder(bank.log_mels(rows))[0] for rows in torch.arange(len(bank)).split(64)]
    return Latents(
        z=torch.cat(means).numpy(),
        instrument=bank.instrument.numpy(),
        instruments=bank.instruments,
        pitch=bank.pitch.numpy(),
        velocity=bank.velocity.numpy(),
    )


def _generate(generator: Generator, z: Tensor, real: tuple[Frames, ...]) -> tuple[Frames, ...]:
    """The notes of `real` at its instants, as the generator makes them from z."""
    modulation = generator.modulation(z, real[0].pitch, real[0].velocity)
    return tuple(
        frames.with_controls(generator.frames(modulation, frames.pitch, frames.time_on, frames.time_off))
        for frames in real
    )


def _struck_twice(
    generator: Generator, z: Tensor, pitch: Tensor, spec: SynthSpec, n: int, rng: torch.Generator
) -> tuple[Frames, Frames]:
    """Held notes of encoded latents and of latents from the prior, at any pitch, struck softly and harder."""
    z = torch.cat([z[: n // 2].detach(), torch.randn(n - n // 2, spec.latent_size, generator=rng)])
    pitch = torch.where(torch.rand(n, generator=rng) < 0.5, pitch[:n], 30.0 + 70.0 * torch.rand(n, generator=rng))
    soft = 0.1 + 0.7 * torch.rand(n, generator=rng)
    loud = soft + 0.05 + (0.95 - soft) * torch.rand(n, generator=rng)
    time_on = torch.tensor([0.01, 0.05, 0.25, 0.8]).expand(n, -1)

    def struck(velocity: Tensor) -> Frames:
        controls = generator(z, pitch, velocity, time_on, time_on - 2.0)
        empty = Frames(pitch, velocity, time_on, time_on - 2.0, time_on, time_on.unsqueeze(-1), time_on.unsqueeze(-1))
        return empty.with_controls(controls)

    return struck(soft), struck(loud.clamp(max=1.0))


def _train_judges(
    trainee: Trainee, real: tuple[Frames, ...], fake: tuple[Frames, ...], config: TrainConfig
) -> tuple[float, float]:
    """One step of the discriminators; their loss and gradient penalty."""
    judges = trainee.discriminators
    with torch.no_grad():
        real_views, fake_views = judges.views(*real), judges.views(*fake)
    for view in (*real_views, *fake_views):
        view.requires_grad_()
    real_scores, fake_scores = judges(real_views, *real), judges(fake_views, *fake)
    loss = relativistic_loss(real_scores, fake_scores)
    penalty = gradient_penalty(real_scores, real_views) + gradient_penalty(fake_scores, fake_views)
    trainee.d_optimizer.zero_grad()
    (loss + 0.5 * config.gradient_penalty * penalty).backward()
    nn.utils.clip_grad_norm_(judges.parameters(), config.gradient_clip)
    trainee.d_optimizer.step()
    return loss.item(), penalty.item()


def _decay_loss(coordinate: Tensor, bank: NoteBank, rows: Tensor) -> Tensor:
    known = bank.hold_decay_known[rows]
    error = smooth_l1_loss(coordinate, bank.hold_decay[rows], reduction="none", beta=0.3)
    return (error * known).sum() / known.sum().clamp(min=1)


def _vibrato_loss(coordinates: Tensor, bank: NoteBank, rows: Tensor) -> Tensor:
    known = bank.vibrato_known[rows]
    wanted = bank.vibrato[rows]
    error = smooth_l1_loss(coordinates, wanted, reduction="none", beta=0.1)
    present = known & (wanted[:, 0] > 0.0)
    depth = (error[:, 0] * known).sum() / known.sum().clamp(min=1)
    return depth + (error[:, 1] * present).sum() / present.sum().clamp(min=1)


def _learning_rate_factor(step: int, progress: float) -> float:
    """Up over the first steps, level for half of the run, then down along half a cosine."""
    falling = max(0.0, 2.0 * min(progress, 1.0) - 1.0)
    cosine = 0.5 * (1.0 + math.cos(math.pi * falling))
    return min(1.0, (step + 1) / _RAMP_STEPS) * (_FINAL_LEARNING_RATE + (1.0 - _FINAL_LEARNING_RATE) * cosine)


def _set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _claim(run_dir: Path) -> Path | None:
    if checkpoint_paths(run_dir):
        raise UserError(f"{run_dir} already holds a run; go on with --resume, or choose another folder")
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {run_dir}: {error}") from error
    return None


def _resume(trainee: Trainee, run_dir: Path, described: dict[str, str], data: TrainingData) -> Path:
    paths = checkpoint_paths(run_dir)
    if not paths:
        raise UserError(f"{run_dir} has no checkpoint to resume from; start without --resume")
    state = load_checkpoint(paths[-1])
    for what, text in described.items():
        if json.loads(state[what]) != json.loads(text):
            raise UserError(f"{run_dir} was trained with another {what}; resume with that, or choose another folder")
    trained_on = json.loads(state["training"])
    if trained_on.get("dataset") != data.description.get("dataset"):
        raise UserError(f"{run_dir} was trained on another data set, {trained_on.get('dataset')}")
    try:
        trainee.load(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(f"{paths[-1]} does not fit this version ({type(error).__name__})") from error
    return paths[-1]


def _check_weights(trainee: Trainee, last_checkpoint: Path | None) -> None:
    for name, network in (("generator", trainee.generator), ("discriminators", trainee.discriminators)):
        if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
            raise _not_finite(f"a weight of the {name}", trainee.step, last_checkpoint)


def _not_finite(what: str, step: int, last_checkpoint: Path | None) -> UserError:
    good = f"the last good checkpoint is {last_checkpoint}" if last_checkpoint else "there is no good checkpoint yet"
    return UserError(f"{what} became NaN or infinite at step {step}; {good}")


def _status(losses: dict[str, float], progress: float, trainee: Trainee, minutes: float | None) -> str:
    shown = " ".join(
        f"{name.removesuffix('_db')} {losses[name]:.2f}" for name in ("harmonics_db", "noise_db", "level_db")
    )
    if minutes is not None:
        left_s = max(0.0, 60.0 * minutes - trainee.elapsed_s)
        shown += f" {progress:.0%}, {left_s / 60:.0f} min left"
    return shown


def _figures(step: int, metrics: dict[str, float]) -> str:
    return (
        f"step {step}: held-out harmonics {metrics['harmonics_db']:.2f} dB, noise {metrics['noise_db']:.2f} dB, "
        f"level {metrics['level_db']:.2f} dB; Frechet prior {metrics.get('frechet', math.nan):.0f}, "
        f"rebuilt {metrics.get('frechet_rebuilt', math.nan):.0f}, real {metrics.get('frechet_floor', math.nan):.0f}; "
        f"diversity {metrics.get('diversity', math.nan):.2f}; prior within {metrics['prior_cents']:.1f} cents"
    )


@contextmanager
def _interrupt_flag() -> Iterator[threading.Event]:
    """A flag that the first Ctrl-C (or SIGTERM) sets, so that a step is finished; a second one ends the program."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in handled}

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    for number in handled:
        signal.signal(number, on_signal)
    try:
        yield pressed
    finally:
        for number in handled:
            signal.signal(number, before[number])
