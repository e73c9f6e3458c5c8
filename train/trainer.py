"""Training: `train` is the whole of it, to be read from top to bottom.

noisysynth-train --data DATA --out RUN                  15 minutes on two cores, see `config.PRESETS`
noisysynth-train --data DATA --out RUN --resume         go on after Ctrl-C or a crash
noisysynth-train --data DATA --out RUN --from OTHER     begin with what another run has learned
torchrun --nproc-per-node 2 -m noisysynth.train.cli_train --data DATA --out RUN     two processes share each batch
tensorboard --logdir RUN/tensorboard                    watch and listen
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss
from tqdm import tqdm

import noisysynth
from noisysynth.errors import UserError
from noisysynth.latent_prior import LatentPrior
from noisysynth.spec import SynthSpec
from noisysynth.train import processes
from noisysynth.train.audio_loss import audio_loss
from noisysynth.train.bodies import Bodies
from noisysynth.train.checkpoint import (
    Latents,
    build_networks,
    checkpoint_paths,
    disk_errors,
    newest_checkpoint,
    save_checkpoint,
    save_latents,
    write_json,
)
from noisysynth.train.config import OLDER_RUNS, TrainConfig
from noisysynth.train.dice import DealtDice
from noisysynth.train.interrupt import interrupt_flag
from noisysynth.train.losses import (
    gradient_penalty,
    kl_divergence,
    reconstruction,
    relativistic_loss,
    release_loss,
    sliced_distance_from_normal,
    velocity_loss,
)
from noisysynth.train.machine import choose_device, exact, half_precision, memory_errors, own_stream
from noisysynth.train.made_notes import as_real_ones, drawn, let_go, struck_twice
from noisysynth.train.networks.discriminators import Discriminators
from noisysynth.train.networks.encoder import Encoder
from noisysynth.train.networks.generator import Generator
from noisysynth.train.note_bank import Frames, Note, NoteBank
from noisysynth.train.note_stream import NoteGroups, NoteStream
from noisysynth.train.prior_tensors import PriorTensors
from noisysynth.train.quick_metrics import evaluate, quick_prior
from noisysynth.train.report import Report
from noisysynth.train.step_graphs import StepGraphs

_RAMP_STEPS = 50
_LOOK_STEPS = 10  # between looks at the losses, where fetching them from the GPU would hold it up; and between reports
_JUDGED_MELS = 256  # of notes encoded for the judges, where their longest must not be asked for: five seconds
_FINAL_LEARNING_RATE = 0.03


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What is learned from: notes to train on, notes held out, and what must be said of their origin.

    groups: all notes to train on, where memory does not hold them; `train` is then an even choice of them, to measure
    with.
    description: JSON data kept with the run: name, attribution, licence.
    """

    spec: SynthSpec
    train: Iterable[Note]
    held_out: Iterable[Note]
    instruments: Sequence[str]
    description: dict[str, Any]
    groups: NoteGroups | None = None
    n_instruments: int = 0  # in all groups


class Trainee:
    """Everything that a checkpoint holds: networks, averages, optimizers, random numbers, time spent.

    All of it is initialised on the CPU, so that a seed means the same on every device.
    """

    def __init__(self, spec: SynthSpec, config: TrainConfig, device: torch.device | str = "cpu") -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.generator, self.encoder = build_networks(spec, config)
            self.discriminators = Discriminators(spec, config.discriminator_width)
        self.ema_generator = copy.deepcopy(self.generator).requires_grad_(False)
        self.ema_encoder = copy.deepcopy(self.encoder).requires_grad_(False)
        for network in (self.generator, self.encoder, self.discriminators, self.ema_generator, self.ema_encoder):
            network.to(device)
        self.makers = [*self.generator.parameters(), *self.encoder.parameters()]
        self.g_optimizer = torch.optim.Adam(self.makers, config.learning_rate, betas=(0.8, 0.99))
        self.d_optimizer = torch.optim.Adam(
            self.discriminators.parameters(), config.discriminator_learning_rate, betas=(0.0, 0.99)
        )
        self._settle_optimizers()
        self.rng = DealtDice(config.seed, device)
        self.step = 0
        self.elapsed_s = 0.0
        self.earlier_steps = 0  # of the run that it began with
        self.best_score = math.inf
        self.prior: LatentPrior | None = None  # as fitted at the last checkpoint
        self.prior_tensors = PriorTensors(spec.latent_size, device)  # the same, to draw from

    NETWORKS = ("generator", "encoder", "discriminators", "ema_generator", "ema_encoder")
    _PARTS = (*NETWORKS, "g_optimizer", "d_optimizer")

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name).state_dict() for name in self._PARTS} | {
            "rng": self.rng.get_state(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "earlier_steps": self.earlier_steps,
            "best_score": self.best_score,
            "prior": {name: torch.from_numpy(each) for name, each in self.prior.arrays().items()} if self.prior else {},
        }

    def load(self, state: dict[str, Any]) -> None:
        for name in self._PARTS:
            getattr(self, name).load_state_dict(state[name])
        self._settle_optimizers()
        self.rng.set_state(state["rng"])
        self.step, self.elapsed_s = int(state["step"]), float(state["elapsed_s"])
        self.earlier_steps = int(state.get("earlier_steps", 0))  # older versions knew of none
        self.best_score = float(state["best_score"])
        self._load_prior(state)

    def begin_with(self, state: dict[str, Any]) -> None:
        """Know what another run has learned, its averages; all else begins anew."""
        for name in self.NETWORKS:
            averaged = f"ema_{name}" if f"ema_{name}" in self.NETWORKS else name
            getattr(self, name).load_state_dict(state[averaged])
        self.earlier_steps = int(state["step"]) + int(state.get("earlier_steps", 0))
        self._load_prior(state)

    def _load_prior(self, state: dict[str, Any]) -> None:
        prior = state.get("prior")  # older versions had none
        self.take_prior(LatentPrior(**{name: each.numpy() for name, each in prior.items()}) if prior else None)

    def take_prior(self, prior: LatentPrior | None) -> None:
        """Draw from this one from now on."""
        self.prior = prior
        self.prior_tensors.take(prior)

    def _settle_optimizers(self) -> None:
        """On a GPU all that they count and obey is kept there, where a recorded step finds it; elsewhere it is not."""
        for optimizer in (self.g_optimizer, self.d_optimizer):
            device = optimizer.param_groups[0]["params"][0].device
            on_gpu = device.type == "cuda"
            for group in optimizer.param_groups:
                rate = float(group["lr"])
                group.update(capturable=on_gpu, lr=torch.tensor(rate, device=device) if on_gpu else rate)
            for state in optimizer.state.values():
                state["step"] = state["step"].to(device)

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the averaged networks towards the trained ones; fast at first, so that early checkpoints sound."""
        decay = min(decay, (1.0 + self.step) / (10.0 + self.step))
        for averaged, trained in ((self.ema_generator, self.generator), (self.ema_encoder, self.encoder)):
            # All at once: on a GPU each call costs more than its work.
            torch._foreach_lerp_(list(averaged.parameters()), list(trained.parameters()), 1.0 - decay)


def train(
    data: TrainingData,
    config: TrainConfig,
    run_dir: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = False,
    quiet: bool = False,
    device: str = "cpu",
    begin: Path | None = None,
    stop: Callable[[int], bool] = lambda step: False,
) -> int:
    """Train into run_dir; the number of steps done so far.

    minutes: wall time, over all resumptions; steps: instead, a number of steps, and then a run ends bit by bit the
    same whether it was interrupted or not, on one machine. device: "auto", "cpu" or "cuda". begin: the folder of a run
    of the same sizes, whose networks a new run begins with. stop: asked after each step whether to leave early, as
    Ctrl-C does. Under torchrun the batches of `config` are shared out, and only the
    first process writes. Raise UserError on bad data, a run that does not fit, a full disk, full memory, or NaN.
    """
    chosen = choose_device(device)
    with processes.together(chosen), memory_errors(), disk_errors(run_dir), own_stream(chosen):
        found = None
        if resume:
            found = _find_checkpoint(run_dir, quiet)
        else:
            _claim(run_dir)
        threads = int(found[1].get("threads", 0)) if found else 0
        with exact(chosen, threads or torch.get_num_threads()):
            return _train(data, config, run_dir, chosen, found, begin, minutes, steps, quiet, stop)


def _train(
    data: TrainingData,
    config: TrainConfig,
    run_dir: Path,
    device: torch.device,
    found: tuple[Path, dict[str, Any]] | None,
    begin: Path | None,
    minutes: float | None,
    steps: int | None,
    quiet: bool,
    stop: Callable[[int], bool],
) -> int:
    """`train` on a device that was chosen, from the checkpoint that was found."""
    processes.check_share("reconstruction_notes", config.reconstruction_notes)
    processes.check_share("adversarial_notes", config.adversarial_notes, parts=2)
    processes.check_share("velocity_notes", config.velocity_notes, parts=2)
    if config.audio_weight > 0.0:
        processes.check_share("audio_notes", config.audio_notes)
    first = processes.rank() == 0
    quiet = quiet or not first
    minutes = config.minutes if minutes is None else minutes
    trim_db = config.noise_trim_db
    sample = NoteBank(data.train, data.spec, data.instruments, config.audio_weight > 0.0, device, trim_db)
    stream = _stream(data, config, device)
    held_out = NoteBank(data.held_out, data.spec, data.instruments, device=device, noise_trim_db=trim_db)
    trainee = Trainee(data.spec, config, device)
    described = {
        "config": json.dumps(config.to_json()),
        "spec": json.dumps(data.spec.to_json()),
    }
    last_checkpoint = _resume(trainee, *found, described, data, quiet) if found else None
    warm = begin if found is None else None
    if warm is not None:
        _begin_with(trainee, warm, data.spec)
    saved_step = trainee.step
    report: Report | None = None
    if first:
        if warm is None:  # else after its first checkpoint: without one, a resumed run would begin by chance
            _write_settings(run_dir, config, data.spec)
        report = Report(run_dir, trainee.step)
        report.text("config", config.to_json())

    def progress() -> float:
        return trainee.step / steps if steps is not None else trainee.elapsed_s / (60.0 * minutes)

    def measure_and_save(report: Report | None) -> dict[str, float]:
        """Evaluate, tell the report if there is one, and write a checkpoint: the first process, for all of them."""
        nonlocal last_checkpoint, saved_step
        _check_weights(trainee, last_checkpoint)
        saved_step = trainee.step
        metrics: dict[str, float] = {}
        if first:
            with processes.alone():
                latents = encode_all(trainee.ema_encoder, sample)
                prior = quick_prior(latents)
                if trainee.step % config.checkpoint_steps == 0:  # nowhere else, or Ctrl-C would change the run
                    trainee.prior = prior
                metrics = evaluate(
                    trainee.ema_generator, trainee.ema_encoder, held_out, sample, config.evaluation_notes, prior
                )
                if report is not None:
                    report.metrics(trainee.step, metrics)
                    report.notes(trainee.step, trainee.ema_generator, trainee.ema_encoder, held_out)
                last_checkpoint = save(metrics, latents)
        trainee.take_prior(processes.from_first(trainee.prior))
        return metrics

    def save(metrics: dict[str, float], latents: Latents) -> Path:
        score = metrics.get("frechet", 0.0) / max(metrics.get("frechet_floor", 1.0), 1e-6) + metrics["harmonics_db"]
        best = score < trainee.best_score
        trainee.best_score = min(score, trainee.best_score)
        training = {
            **data.description,
            "steps": trainee.step,
            "earlier_steps": trainee.earlier_steps,
            "minutes": round(trainee.elapsed_s / 60.0, 2),
            "notes": data.groups.n_notes if data.groups is not None else len(sample),
            "instruments": data.n_instruments or len(set(sample.instrument.tolist())),
            "metrics": metrics,
            "version": noisysynth.__version__,
        }
        state = trainee.state() | described | {"training": json.dumps(training), "threads": torch.get_num_threads()}
        path = save_checkpoint(run_dir, state, best=best)
        save_latents(run_dir, latents, best=best)
        write_json(run_dir / "run.json", training)
        return path

    generator, encoder, judges = trainee.generator, trainee.encoder, trainee.discriminators
    rng, half = trainee.rng, config.bfloat16 > 0
    bank: NoteBank | None = sample
    graphs = StepGraphs(rng) if _can_record(device, config, stream) else None
    lengths = (None, None) if graphs is None else (sample.longest_mel, min(sample.longest_mel, _JUDGED_MELS))

    def learn(judged: bool) -> Mapping[str, Tensor]:
        """One step of all networks; its losses. judged: the discriminators take part.

        One share of the batch in each process; what is drawn and what is averaged is the whole batch. Nothing here may
        wait for the GPU, or the step could not be recorded.
        """
        assert bank is not None
        # Reconstruction: single instants of real notes, from their own latent or from that of another note.
        rows = bank.random_rows(config.reconstruction_notes // processes.count(), config.instrument_balance, rng)
        real = bank.scattered(rows, config.frames_per_note, rng)
        swapped = rng.rand(len(rows)) < config.peer_share
        sources = torch.where(swapped, bank.peers(rows, rng), rows)
        log_mel = bank.log_mels(sources, rng, lengths[0])
        if config.body_share > 0.0:
            bodies = Bodies.draw(bank.hold_decay[rows] > 0.0, config.body_share, config.body_db, rng)
            own = bank.log_mels(rows, length=lengths[0])
            real = bodies.over_frames(real, generator.spec, bodies.level_db(own, real.pitch))
            log_mel = bodies.over_log_mel(log_mel, bank.pitch[sources])
        with half_precision(device, half):
            mean, log_variance = (x.float() for x in encoder(log_mel))
        z = mean + torch.exp(0.5 * log_variance) * rng.randn(*mean.shape)
        modulation = generator.modulation(z, real.pitch, real.velocity)
        rebuilt = real.with_controls(generator.still(modulation, real.pitch, real.time_on, real.time_off))
        terms = reconstruction(rebuilt, real)
        kl = kl_divergence(mean, log_variance)
        decay = _decay_loss(generator.hold_decay_coordinate(modulation), bank, rows)
        sway = _vibrato_loss(generator.vibrato_coordinates(modulation), bank, rows)
        shimmer = _shimmer_loss(generator, modulation, bank, rows)
        pairs = config.velocity_notes // processes.count()
        normal = sliced_distance_from_normal(z, rng)
        unanswered = velocity_loss(*struck_twice(generator, z, real.pitch, pairs, rng))
        revived = release_loss(let_go(generator, z, real.pitch, pairs, rng))
        loss = terms.total() + config.kl_weight * kl + config.decay_weight * (decay + sway + shimmer)
        loss = loss + config.normal_weight * normal + config.velocity_weight * unanswered
        loss = loss + config.release_weight * revived
        losses: dict[str, Tensor] = {**terms._asdict(), "kl": kl, "decay": decay, "vibrato": sway}
        losses |= {"shimmer": shimmer, "normal": normal, "velocity": unanswered, "release": revived}

        if config.audio_weight > 0.0:
            few = slice(0, config.audio_notes // processes.count())
            heard = audio_loss(generator, z[few], bank, rows[few], config.audio_seconds, rng)
            loss = loss + config.audio_weight * heard
            losses["audio"] = heard

        # Adversarial: whole notes and stretches of notes, half of them from nothing but the prior.
        if judged:
            rows = bank.random_rows(config.adversarial_notes // processes.count(), config.instrument_balance, rng)
            real_pair = (
                bank.whole(rows, config.whole_frames),
                bank.window(rows, config.window_frames, config.window_step, rng),
            )
            n_encoded = len(rows) - round(config.prior_share * len(rows))
            z = drawn(trainee.prior_tensors, real_pair[0], config.mixture_share, rng)
            with half_precision(device, half):
                peers = bank.peers(rows[:n_encoded], rng)
                encoded, _ = encoder(bank.log_mels(peers, length=lengths[1]))
            z = torch.cat([encoded.float(), z[n_encoded:]])
            fake_pair = as_real_ones(generator, z, real_pair)
            d_loss, penalty = _train_judges(trainee, real_pair, fake_pair, config)
            with torch.no_grad(), half_precision(device, half):
                real_scores = judges(judges.views(*real_pair), *real_pair).float()
            judges.requires_grad_(False)
            with half_precision(device, half):
                fake_scores = judges(judges.views(*fake_pair), *fake_pair).float()
            judges.requires_grad_(True)
            adversarial = relativistic_loss(fake_scores, real_scores)
            loss = loss + config.adversarial_weight * adversarial
            losses |= {"generator": adversarial, "judges": d_loss, "penalty": penalty}

        trainee.g_optimizer.zero_grad()
        loss.backward()
        processes.average_gradients(trainee.makers)
        norm = nn.utils.clip_grad_norm_(trainee.makers, config.gradient_clip)
        trainee.g_optimizer.step()
        return {name: value.detach() for name, value in losses.items()} | {"total": loss.detach(), "gradient": norm}

    started = time.monotonic() - trainee.elapsed_s
    interrupted = False
    metrics: dict[str, float] = {}
    newest: dict[str, float] = {}  # adversarial losses too, although not every step has them
    with interrupt_flag() as pressed, tqdm(total=steps, initial=trainee.step, disable=quiet, unit="step") as bar:
        if warm is not None:
            metrics = measure_and_save(report)
            if first:
                _write_settings(run_dir, config, data.spec)
            if not quiet:
                tqdm.write(_figures(trainee.step, metrics))
        while progress() < 1.0:
            rate = _learning_rate_factor(trainee.step, progress())
            _set_learning_rate(trainee.g_optimizer, config.learning_rate * rate)
            _set_learning_rate(trainee.d_optimizer, config.discriminator_learning_rate * rate)
            if stream is not None:
                bank = None  # so that the stream has its room for the next
                bank = stream.at(trainee.step)
            judged = (
                trainee.earlier_steps + trainee.step >= config.warmup_steps
                and trainee.step % config.adversarial_every == 0
            )
            if graphs is not None:
                losses = graphs.play("judged" if judged else "plain", functools.partial(learn, judged))
            else:
                losses = learn(judged)
            trainee.step += 1
            trainee.average(config.ema_decay)
            trainee.elapsed_s = time.monotonic() - started
            # So many in a row that a judged step is among them.
            if graphs is None or trainee.step % _LOOK_STEPS < config.adversarial_every:
                figures = processes.means(losses, device)
                if not all(math.isfinite(value) for value in figures.values()):
                    bad = next(name for name, value in figures.items() if not math.isfinite(value))
                    raise _not_finite(f"loss {bad}", trainee.step - 1, last_checkpoint)
                newest |= figures

            bar.update()
            if trainee.step % _LOOK_STEPS == 0 and report is not None:
                report.losses(trainee.step, newest)
                bar.set_postfix_str(_status(newest, progress(), trainee, minutes if steps is None else None))
            if trainee.step % config.checkpoint_steps == 0:
                metrics = measure_and_save(report)
                if not quiet:
                    tqdm.write(_figures(trainee.step, metrics))
            # All processes leave together, and by one clock.
            leave = float(stop(trainee.step) or pressed.is_set())
            leave, trainee.elapsed_s = processes.highest([leave, trainee.elapsed_s], device)
            interrupted = leave > 0.0
            if interrupted:
                break

    if trainee.step > saved_step:
        metrics = measure_and_save(None if interrupted else report)
    if report is not None:
        report.close()
    if stream is not None:
        stream.close()
    if not quiet:
        print(_figures(trainee.step, metrics) if metrics else "Nothing left to do.")
        if interrupted:
            print(f"Stopped at step {trainee.step}; go on with the same command and --resume.")
    return trainee.step


def _can_record(device: torch.device, config: TrainConfig, stream: NoteStream | None) -> bool:
    """Can a step be a CUDA graph? Not with notes that are exchanged, nor with sound, whose noise the CPU chooses."""
    return device.type == "cuda" and processes.count() == 1 and config.audio_weight == 0.0 and stream is None


def _stream(data: TrainingData, config: TrainConfig, device: torch.device) -> NoteStream | None:
    """Of the notes that memory does not hold at once; None where it does."""
    if data.groups is None:
        return None
    return NoteStream(
        data.groups,
        data.spec,
        data.instruments,
        config.seed,
        config.steps_per_group,
        config.audio_weight > 0.0,
        device,
        config.noise_trim_db,
    )


@torch.no_grad()
def encode_all(encoder: Encoder, bank: NoteBank) -> Latents:
    """Posterior means of all notes of a bank."""
    means = [encoder(bank.log_mels(rows))[0] for rows in torch.arange(len(bank), device=bank.device).split(64)]
    return Latents(
        z=torch.cat(means).cpu().numpy(),
        instrument=bank.instrument.cpu().numpy(),
        instruments=bank.instruments,
        pitch=bank.pitch.cpu().numpy(),
        velocity=bank.velocity.cpu().numpy(),
    )


def _train_judges(
    trainee: Trainee, real: tuple[Frames, ...], fake: tuple[Frames, ...], config: TrainConfig
) -> tuple[Tensor, Tensor]:
    """One step of the discriminators; their loss and gradient penalty."""
    judges, device = trainee.discriminators, trainee.rng.device
    with torch.no_grad():
        real_views, fake_views = judges.views(*real), judges.views(*fake)
    for view in (*real_views, *fake_views):
        view.requires_grad_()
    with half_precision(device, config.bfloat16 > 0):
        real_scores, fake_scores = judges(real_views, *real).float(), judges(fake_views, *fake).float()
    loss = relativistic_loss(real_scores, fake_scores)
    penalty = gradient_penalty(real_scores, real_views) + gradient_penalty(fake_scores, fake_views)
    trainee.d_optimizer.zero_grad()
    (loss + 0.5 * config.gradient_penalty * penalty).backward()
    processes.average_gradients(judges.parameters())
    nn.utils.clip_grad_norm_(judges.parameters(), config.gradient_clip)
    trainee.d_optimizer.step()
    return loss.detach(), penalty.detach()


def _decay_loss(coordinate: Tensor, bank: NoteBank, rows: Tensor) -> Tensor:
    known = bank.hold_decay_known[rows]
    error = smooth_l1_loss(coordinate, bank.hold_decay[rows], reduction="none", beta=0.3)
    return processes.masked_mean(error, known)


def _vibrato_loss(coordinates: Tensor, bank: NoteBank, rows: Tensor) -> Tensor:
    known = bank.vibrato_known[rows]
    wanted = bank.vibrato[rows]
    error = smooth_l1_loss(coordinates, wanted, reduction="none", beta=0.1)
    present = known & (wanted[:, 0] > 0.0)
    return processes.masked_mean(error[:, 0], known) + processes.masked_mean(error[:, 1], present)


def _shimmer_loss(generator: Generator, modulation: Tensor, bank: NoteBank, rows: Tensor) -> Tensor:
    told = generator.shimmer.log_depth(modulation)
    error = smooth_l1_loss(told, bank.shimmer[rows], reduction="none", beta=0.5)
    return processes.masked_mean(error, bank.shimmer_known[rows])


def _learning_rate_factor(step: int, progress: float) -> float:
    """Up over the first steps, level for half of the run, then down along half a cosine."""
    falling = max(0.0, 2.0 * min(progress, 1.0) - 1.0)
    cosine = 0.5 * (1.0 + math.cos(math.pi * falling))
    return min(1.0, (step + 1) / _RAMP_STEPS) * (_FINAL_LEARNING_RATE + (1.0 - _FINAL_LEARNING_RATE) * cosine)


def _set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _write_settings(run_dir: Path, config: TrainConfig, spec: SynthSpec) -> None:
    write_json(run_dir / "config.json", config.to_json())
    write_json(run_dir / "spec.json", spec.to_json())


def _claim(run_dir: Path) -> None:
    if processes.from_first(bool(checkpoint_paths(run_dir))):
        raise UserError(f"{run_dir} already holds a run; go on with --resume, or choose another folder")
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {run_dir}: {error}") from error


def _find_checkpoint(run_dir: Path, quiet: bool) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that can be read, and its state; None for a run that was killed before it wrote one."""
    found = None
    if processes.rank() == 0:
        found, damaged = newest_checkpoint(run_dir)
        if found is None and (damaged or not (run_dir / "config.json").is_file()):
            raise UserError("; ".join(damaged) or f"{run_dir} has no checkpoint to resume from; start without --resume")
        if not quiet:
            for problem in damaged:
                print(f"{problem}; going on from the one before")
            if found is None:
                print(f"{run_dir} was stopped before its first checkpoint; starting from the beginning")
    return processes.from_first(found)


def _resume(
    trainee: Trainee, path: Path, state: dict[str, Any], described: dict[str, str], data: TrainingData, quiet: bool
) -> Path:
    run_dir = path.parent.parent
    for what, text in described.items():
        was = json.loads(state[what])
        if what == "config":  # a run of an older version lacks what has been added since
            was = OLDER_RUNS | was
            added = [f"{key} {value}" for key, value in json.loads(text).items() if key not in was]
            if added and not quiet:
                print(f"{run_dir} is of an older version; from here on it is trained with {', '.join(added)} as well")
            was = TrainConfig.from_json(was).to_json()
        if was != json.loads(text):
            raise UserError(f"{run_dir} was trained with another {what}; resume with that, or choose another folder")
    trained_on = json.loads(state["training"])
    if trained_on.get("dataset") != data.description.get("dataset"):
        raise UserError(f"{run_dir} was trained on another data set, {trained_on.get('dataset')}")
    try:
        trainee.load(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} is of another version ({type(error).__name__}); begin a new run with what it has learned: "
            f"--from {run_dir}"
        ) from error
    return path


def _begin_with(trainee: Trainee, run_dir: Path, spec: SynthSpec) -> None:
    found, damaged = newest_checkpoint(run_dir)
    if found is None:
        raise UserError("; ".join(damaged) or f"{run_dir} has no checkpoint to begin with")
    path, state = found
    try:
        told = json.loads(state["spec"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{run_dir} is no run of playable notes; begin with one that is") from error
    if told != spec.to_json():
        raise UserError(f"{run_dir} learned from data of other sizes; prepare these with the settings of its own")
    try:
        trainee.begin_with(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} has networks of other sizes; take the widths and layers of {run_dir / 'config.json'}"
        ) from error


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
    off = ", ".join(
        f"{name} {metrics[f'{name}_db']:.2f} ({metrics[f'learned_{name}_db']:.2f})"
        for name in ("harmonics", "noise", "level")
    )
    drawn, rebuilt, real = (metrics.get(name, math.nan) for name in ("frechet", "frechet_rebuilt", "frechet_floor"))
    return (
        f"step {step}: held-out (learned) notes {off} dB off; "
        f"Frechet prior {drawn:.0f}, rebuilt {rebuilt:.0f}, real {real:.0f}; "
        f"diversity {metrics.get('diversity', math.nan):.2f}; prior within {metrics['prior_cents']:.1f} cents"
    )
