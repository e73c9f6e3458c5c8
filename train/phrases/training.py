"""Training on phrases: `train` is the whole of it, to be read from top to bottom.

noisysynth-train --config phrases --data FluidR3_GM.sf2 --out RUN    melodies in the public domain by seven instruments
noisysynth-train --config phrases --data RECORDINGS --out RUN        four-second windows of a folder of recordings
noisysynth-export RUN OUT.noisy                                      an instrument whose keys play phrases
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, smooth_l1_loss
from tqdm import tqdm

import noisysynth
from noisysynth.errors import UserError
from noisysynth.train.audio_loss import spectral_distance
from noisysynth.train.checkpoint import save_checkpoint, write_json
from noisysynth.train.ddsp.operators import harmonic_synth, noise_synth
from noisysynth.train.interrupt import interrupt_flag
from noisysynth.train.losses import gradient_penalty, kl_divergence, relativistic_loss
from noisysynth.train.noisygan.discriminator import Discriminator
from noisysynth.train.noisygan.run_folder import claim, newest_state, not_finite
from noisysynth.train.noisygan.synth import HOP, N_FRAMES, SAMPLE_RATE
from noisysynth.train.phrases.config import PhrasesConfig
from noisysynth.train.phrases.data import PhraseBank
from noisysynth.train.phrases.generator import MAX_SEMITONES, PhraseGenerator
from noisysynth.train.report import Report
from noisysynth.train.units import midi_to_hz

_FINAL_LEARNING_RATE = 0.05
_LOOPS = 10_000_000  # samples of noise from which each rendering takes its own stretch


class Trainee(nn.Module):
    """Everything that a checkpoint holds. Each phrase has its own latent, a mean and a log variance."""

    def __init__(self, config: PhrasesConfig, n_phrases: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.generator = PhraseGenerator(config)
            self.discriminator = Discriminator()
            self.means = nn.Parameter(torch.randn(n_phrases, config.latent_size))
        self.log_variances = nn.Parameter(torch.full((n_phrases, config.latent_size), -3.0))
        self.makers = [*self.generator.parameters(), self.means, self.log_variances]
        self.g_optimizer = torch.optim.Adam(self.makers, config.learning_rate, betas=(0.9, 0.99))
        self.d_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), config.discriminator_learning_rate, betas=(0.0, 0.99)
        )
        self.rng = torch.Generator().manual_seed(config.seed)
        self.step = 0
        self.elapsed_s = 0.0

    def state(self) -> dict[str, Any]:
        return {
            "networks": self.state_dict(),
            "g_optimizer": self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
            "rng": self.rng.get_state(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.load_state_dict(state["networks"])
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])
        self.rng.set_state(state["rng"])
        self.step, self.elapsed_s = int(state["step"]), float(state["elapsed_s"])


def train(
    bank: PhraseBank,
    config: PhrasesConfig,
    run_dir: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = False,
    quiet: bool = False,
    stop: Callable[[int], bool] = lambda step: False,
) -> int:
    """Train into run_dir; the number of steps done so far.

    minutes: wall time, over all resumptions; steps: instead, a number of steps. stop: asked after each step whether
    to leave early, as Ctrl-C does. Raise UserError on a run that does not fit, a full disk, or NaN.
    """
    minutes = config.minutes if minutes is None else minutes
    trainee = Trainee(config, len(bank))
    described = {"config": json.dumps(config.to_json()), "phrases": json.dumps(bank.names)}
    last_checkpoint: Path | None = None
    if resume:
        last_checkpoint, state = newest_state(run_dir, described, bank.description.get("dataset"))
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
        if not all(bool(torch.isfinite(p).all()) for p in trainee.parameters()):
            raise not_finite("a weight", trainee.step, last_checkpoint)
        metrics = measure(trainee, bank)
        report.metrics(trainee.step, metrics)
        training = {
            **bank.description,
            "steps": trainee.step,
            "minutes": round(trainee.elapsed_s / 60.0, 2),
            "phrases": len(bank),
            "metrics": metrics,
            "version": noisysynth.__version__,
        }
        known = described | {"training": json.dumps(training), "keys": bank.key}
        path = save_checkpoint(run_dir, trainee.state() | known, best=False)
        write_json(run_dir / "run.json", training)
        return path

    generator, rng = trainee.generator, trainee.rng
    time_s = torch.arange(N_FRAMES) * (HOP / SAMPLE_RATE)
    started = time.monotonic() - trainee.elapsed_s
    interrupted = False
    saved_step = trainee.step
    newest: dict[str, float] = {}  # adversarial losses too, although not every step has them
    with interrupt_flag() as pressed, tqdm(total=steps, initial=trainee.step, disable=quiet, unit="step") as bar:
        while progress() < 1.0:
            falling = max(0.0, 2.0 * min(progress(), 1.0) - 1.0)
            cosine = 0.5 * (1.0 + math.cos(math.pi * falling))
            rate = config.learning_rate * (_FINAL_LEARNING_RATE + (1.0 - _FINAL_LEARNING_RATE) * cosine)
            for group in trainee.g_optimizer.param_groups:
                group["lr"] = rate

            # Contours: the phrase's own melody and level, from a latent near its own.
            rows = torch.randint(len(bank), (config.batch,), generator=rng)
            mean, log_variance = trainee.means[rows], trainee.log_variances[rows]
            z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=rng)
            at = torch.randint(N_FRAMES, (config.instants,), generator=rng)
            angles = generator.angles(time_s[at].expand(len(rows), -1))
            logits, cents = generator.melody(angles, z)
            loudness = generator.loudness_db(angles, z)
            weight = bank.weight[rows][:, at]
            target = bank.semitones[rows][:, at] + MAX_SEMITONES
            missed = cross_entropy(logits.transpose(1, 2), target, reduction="none")
            # Where nothing is heard the held pitch is still wanted, but hardly: a rest should not glide.
            melody = (missed * (0.05 + weight)).sum() / (0.05 + weight).sum()
            tuning = (smooth_l1_loss(cents, bank.cents[rows][:, at], reduction="none", beta=5.0) * weight).sum()
            tuning = tuning / weight.sum().clamp(min=1.0)
            level = (loudness - bank.level_db[rows][:, at]).abs().mean()
            kl = kl_divergence(mean, log_variance)

            # Sound: a stretch of it, decoded from the melody and level as they were played.
            n_frames = round(config.crop_seconds * SAMPLE_RATE / HOP) + 1
            first = int(torch.randint(N_FRAMES - n_frames + 1, (), generator=rng))
            few, some = rows[: config.crops], slice(first, first + n_frames)
            offset = (bank.semitones[few] + bank.cents[few] / 100.0)[:, some]
            stretch = generator.angles(time_s[some].expand(len(few), -1))
            known = bank.key[few], offset, bank.level_db[few][:, some]
            rebuilt = render(generator, stretch, z[: len(few)], *known, rng)
            real = bank.audio[few, first * HOP : first * HOP + rebuilt.shape[1]]
            sound = spectral_distance(rebuilt, real)

            loss = melody + tuning / 20.0 + level / 10.0 + sound + config.kl_weight * kl
            losses = {"melody": melody, "cents": tuning, "level_db": level, "sound": sound, "kl": kl}

            # The paper's discriminator: whole phrases from nothing but the prior, as against real ones.
            if trainee.step >= config.warmup_steps and trainee.step % config.adversarial_every == 0:
                judged = torch.randint(len(bank), (config.adversarial_phrases,), generator=rng)
                drawn = draw(
                    generator, torch.randn(len(judged), config.latent_size, generator=rng), bank.key[judged], rng
                )
                heard = bank.audio[judged, : drawn.shape[1]]
                losses["discriminator"] = _train_discriminator(trainee, heard, drawn.detach(), config)
                trainee.discriminator.requires_grad_(False)
                losses["generator"] = relativistic_loss(trainee.discriminator(drawn), trainee.discriminator(heard))
                trainee.discriminator.requires_grad_(True)
                loss = loss + config.adversarial_weight * losses["generator"]

            trainee.g_optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(trainee.makers, config.gradient_clip)
            figures = {name: value.item() for name, value in losses.items()} | {"gradient": norm.item()}
            if not all(math.isfinite(value) for value in figures.values()):
                bad = next(name for name, value in figures.items() if not math.isfinite(value))
                raise not_finite(f"loss {bad}", trainee.step, last_checkpoint)
            trainee.g_optimizer.step()
            trainee.step += 1
            trainee.elapsed_s = time.monotonic() - started

            bar.update()
            newest |= figures
            if trainee.step % 10 == 0:
                report.losses(trainee.step, newest)
                bar.set_postfix_str(" ".join(f"{name} {newest[name]:.2f}" for name in ("melody", "level_db", "sound")))
            if trainee.step % config.checkpoint_steps == 0:
                last_checkpoint, saved_step = save(), trainee.step
            interrupted = stop(trainee.step) or pressed.is_set()
            if interrupted:
                break

    if trainee.step > saved_step:
        save()
    report.close()
    if not quiet:
        metrics = measure(trainee, bank)
        print(
            f"step {trainee.step}: {metrics['notes_right']:.1%} of the melodies' frames on their semitone, "
            f"{metrics['cents']:.1f} cents off there; level within {metrics['level_db']:.1f} dB"
        )
        if interrupted:
            print(f"Stopped at step {trainee.step}; go on with the same command and --resume.")
    return trainee.step


def render(
    generator: PhraseGenerator,
    angles: Tensor,
    z: Tensor,
    key: Tensor,
    offset: Tensor,
    loudness_db: Tensor,
    rng: torch.Generator,
) -> Tensor:
    """Audio [B, (F - 1) * HOP] at 16 kHz of a melody: offset [B, F] in semitones from key [B], at loudness_db."""
    amplitude, shares, noise = generator.decode(angles, z, key, offset, loudness_db)
    f0_hz = midi_to_hz(key.unsqueeze(-1) + offset)
    position = np.asarray(torch.randint(_LOOPS, (len(z),), generator=rng))
    tone = harmonic_synth(f0_hz, amplitude.unsqueeze(-1) * shares, SAMPLE_RATE, HOP)
    return tone + noise_synth(noise, SAMPLE_RATE, HOP, position)


def draw(generator: PhraseGenerator, z: Tensor, key: Tensor, rng: torch.Generator) -> Tensor:
    """Whole phrases [B, (F - 1) * HOP] with the generator's own contours.

    No gradient goes through the pitch: what a spectrum says of it leads to wrong multiples.
    """
    time_s = torch.arange(N_FRAMES).expand(len(z), -1) * (HOP / SAMPLE_RATE)
    angles = generator.angles(time_s)
    offset = generator.semitone_offset(*generator.melody(angles, z)).detach()
    return render(generator, angles, z, key, offset, generator.loudness_db(angles, z), rng)


@torch.no_grad()
def measure(trainee: Trainee, bank: PhraseBank) -> dict[str, float]:
    """How well each phrase is played from its own latent.

    notes_right: share of voiced frames within half a semitone. cents: mean difference there. level_db: mean difference.
    """
    generator = trainee.generator
    right = weight = cents = level = 0.0
    for rows in torch.arange(len(bank)).split(32):
        z = trainee.means[rows]
        angles = generator.angles(torch.arange(N_FRAMES).expand(len(rows), -1) * (HOP / SAMPLE_RATE))
        offset = generator.semitone_offset(*generator.melody(angles, z))
        wrong = (offset - bank.semitones[rows] - bank.cents[rows] / 100.0).abs()
        hit = (wrong < 0.5) * bank.weight[rows]
        right += float(hit.sum())
        weight += float(bank.weight[rows].sum())
        cents += float((100.0 * wrong * hit).sum())
        level += float((generator.loudness_db(angles, z) - bank.level_db[rows]).abs().mean(dim=1).sum())
    return {
        "notes_right": right / max(weight, 1.0),
        "cents": cents / max(right, 1.0),
        "level_db": level / len(bank),
    }


def _train_discriminator(trainee: Trainee, real: Tensor, fake: Tensor, config: PhrasesConfig) -> Tensor:
    """One step; its loss. Penalised by the slopes on what it hears (R1 and R2), for a plain one ends in NaN."""
    judge = trainee.discriminator
    views = [judge.mfcc(audio).detach().requires_grad_() for audio in (real, fake)]
    real_scores, fake_scores = (judge.score(view) for view in views)
    loss = relativistic_loss(real_scores, fake_scores)
    penalty = gradient_penalty(real_scores, (views[0],)) + gradient_penalty(fake_scores, (views[1],))
    trainee.d_optimizer.zero_grad()
    (loss + 0.5 * config.gradient_penalty * penalty).backward()
    nn.utils.clip_grad_norm_(judge.parameters(), config.gradient_clip)
    trainee.d_optimizer.step()
    return loss.detach()
