"""The discriminators: judges of notes in control space and of their MFCCs, told pitch, velocity and time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from noisysynth.spec import SynthSpec
from noisysynth.train.control_features import FLOOR_DB, N_MEL_BANDS, N_MFCC, ControlFeatures, power_db
from noisysynth.train.networks.time_features import N_FIXED_TIME_FEATURES, fixed_time_features, pitch_features
from noisysynth.train.note_bank import Frames
from noisysynth.train.processes import batch_mean

N_NOISE_GROUPS = 8
_MASKED_DB = -55.0
_SLOPE = 0.2


def control_view(frames: Frames) -> Tensor:
    """[V, F, H + N_NOISE_GROUPS + 2]: levels of partials, of groups of noise bands and of the whole, and cents.

    A single noise band of an analysed frame is random where the network's is smooth, which is no fault of the
    network's: groups of eight bands hide it.
    """
    power = frames.partials.square()
    floor = 10.0 ** (FLOOR_DB / 10.0) + power.sum(-1, keepdim=True) * 10.0 ** (_MASKED_DB / 10.0)
    harmonics_db = 10.0 * torch.log10(power + floor)
    level_db = power_db(frames.partials.sum(-1, keepdim=True).square())
    relative_db = harmonics_db - level_db
    groups = torch.stack([g.sum(-1) for g in frames.noise.square().tensor_split(N_NOISE_GROUPS, -1)], dim=-1)
    noise_db = power_db(groups, -76.0)
    heard = power.sum(-1, keepdim=True) > 1e-6
    cents = frames.cents.unsqueeze(-1) * heard
    return torch.cat(
        [(relative_db + 40.0) / 20.0, (noise_db + 60.0) / 15.0, (level_db + 40.0) / 20.0, cents / 10.0], dim=-1
    )


class MfccView(nn.Module):
    """[V, F, N_MFCC] from frames, by way of `ControlFeatures`, scaled to order one."""

    def __init__(self, spec: SynthSpec) -> None:
        super().__init__()
        self.features = ControlFeatures(spec)

    def forward(self, frames: Frames) -> Tensor:
        mel_db = self.features.mel_db(frames.partials, frames.noise, frames.pitch)
        scaled: Tensor = self.features.mfcc(mel_db + 50.0) / N_MEL_BANDS**0.5 / 5.0
        return scaled


class ConvolutionalDiscriminator(nn.Module):
    """Scores [V] of sequences [V, F, C]: strided residual convolutions over time.

    Conditioned by projection (Miyato and Koyama 2018) on pitch and velocity; the times are channels beside the
    view. The deviation across the batch is one more feature, so that a batch of equals looks odd.
    """

    def __init__(self, n_channels: int, width: int = 96, n_stages: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv1d(n_channels + N_FIXED_TIME_FEATURES + 7, width, 1)
        self.stages = nn.ModuleList(nn.Conv1d(width, width, 5, stride=2, padding=2) for _ in range(n_stages))
        self.mixers = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(n_stages))
        self.join = nn.Linear(2 * width + 1, width)
        self.score = nn.Linear(width, 1)
        self.condition = nn.Linear(7, width)

    def forward(self, view: Tensor, frames: Frames) -> Tensor:
        condition = torch.cat([pitch_features(frames.pitch), frames.velocity.unsqueeze(-1)], dim=-1)
        times = fixed_time_features(frames.time_on, frames.time_off.clamp(min=0.0))
        told = torch.cat([times, condition.unsqueeze(1).expand(-1, view.shape[1], -1)], dim=-1)
        x = self.first(torch.cat([view, told], dim=-1).transpose(1, 2))
        for stage, mixer in zip(self.stages, self.mixers, strict=True):
            x = leaky_relu(stage(x), _SLOPE)
            x = x + leaky_relu(mixer(x), _SLOPE)
        pooled = torch.cat([x.mean(-1), x.amax(-1)], dim=-1)
        spread = batch_mean((pooled - batch_mean(pooled)).square()).add(1e-6).sqrt().mean()
        pooled = torch.cat([pooled, spread.expand(len(pooled), 1)], dim=-1)
        h = leaky_relu(self.join(pooled), _SLOPE)
        score: Tensor = self.score(h).squeeze(-1) + (h * self.condition(condition)).mean(-1)
        return score


class Discriminators(nn.Module):
    """Three judges: the whole note's controls, a stretch of controls at full rate, the whole note's MFCCs."""

    NAMES = ("controls", "window", "mfcc")

    def __init__(self, spec: SynthSpec, width: int = 96) -> None:
        super().__init__()
        n_view = spec.n_harmonics + N_NOISE_GROUPS + 2
        self.mfcc_view = MfccView(spec)
        self.controls = ConvolutionalDiscriminator(n_view, width)
        self.window = ConvolutionalDiscriminator(n_view, width)
        self.mfcc = ConvolutionalDiscriminator(N_MFCC, width)

    def views(self, whole: Frames, window: Frames) -> tuple[Tensor, Tensor, Tensor]:
        """What each judge is shown, in the order of NAMES."""
        return control_view(whole), control_view(window), self.mfcc_view(whole)

    def forward(self, views: tuple[Tensor, ...], whole: Frames, window: Frames) -> Tensor:
        """Scores [3, V]."""
        judged = zip((self.controls, self.window, self.mfcc), views, (whole, window, whole), strict=True)
        return torch.stack([judge(view, frames) for judge, view, frames in judged])
