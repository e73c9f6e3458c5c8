"""The paper's generator: noise to f0, loudness and texture, and these by a recurrent DDSP decoder to sound."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from noisysynth.train.noisygan.config import NoisyganConfig
from noisysynth.train.noisygan.synth import (
    N_FRAMES,
    N_HARMONICS,
    N_NOISE_BANDS,
    NOISE_BIAS,
    Reverb,
    additive,
    exp_sigmoid,
    filtered_noise,
)
from noisysynth.train.units import midi_to_hz

TEXTURE_CHANNELS = 8
HIGHEST_MIDI = 127.0
LOUDNESS_RANGE_DB = 120.0
TIME_SCALE, LATENT_SCALE = 0.2, 0.5
HIDDEN_LAYERS = 2

_TEXTURE_START = N_FRAMES // 8  # doubled three times


class Contours(NamedTuple):
    """What the generator makes of its noise.

    pitch [B, F]: MIDI. loudness_db [B, F]. texture [B, F, 8].
    """

    pitch: Tensor
    loudness_db: Tensor
    texture: Tensor


class Sound(NamedTuple):
    """audio [B, N_SAMPLES] at 16 kHz, and the contours that it was made from."""

    audio: Tensor
    contours: Contours


class Cppn(nn.Module):
    """A compositional pattern producing network over time: one value per frame, between 0.5 and 0.731.

    Its last two steps are both sigmoids, which is what bounds the paper's pitch and loudness.
    """

    time: Tensor

    def __init__(self, latent_size: int, nodes: int) -> None:
        super().__init__()
        self.from_time = nn.Linear(1, nodes, bias=False)
        self.from_latent = nn.Linear(latent_size, nodes)
        self.hidden = nn.ModuleList(nn.Linear(nodes, nodes) for _ in range(HIDDEN_LAYERS))
        self.out = nn.Linear(nodes, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        time = TIME_SCALE * (2.0 * torch.arange(N_FRAMES) / N_FRAMES - 1.0)
        self.register_buffer("time", time.reshape(1, N_FRAMES, 1), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """[B, F] from z [B, Z]."""
        x = torch.tanh(self.from_time(self.time) + self.from_latent(LATENT_SCALE * z).unsqueeze(1))
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return torch.sigmoid(torch.sigmoid(self.out(x))).squeeze(-1)


class Texture(nn.Module):
    """Transposed convolutions from noise to eight channels over time."""

    def __init__(self, latent_size: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        sizes = [channels, max(channels // 2, TEXTURE_CHANNELS), max(channels // 4, TEXTURE_CHANNELS), TEXTURE_CHANNELS]
        self.start = nn.Linear(latent_size, channels * _TEXTURE_START)
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(before, after, kernel_size=4, stride=2, padding=1)
            for before, after in itertools.pairwise(sizes)
        )

    def forward(self, z: Tensor) -> Tensor:
        """[B, F, 8] from z [B, Z]."""
        x = self.start(z).reshape(len(z), self.channels, _TEXTURE_START)
        for layer in self.layers:
            x = layer(nn.functional.leaky_relu(x, 0.2))
        return x.transpose(1, 2)


class Decoder(nn.Module):
    """DDSP's recurrent decoder: a layer for each input, a GRU over them, a layer over all of it.

    DDSP's RnnFcDecoder with one layer per stack, as in its tutorial on training (which has 45 harmonics and bands).
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(_stack(size, units) for size in (1, 1, TEXTURE_CHANNELS))
        self.recurrent = nn.GRU(3 * units, units, batch_first=True)
        self.outputs = _stack(4 * units, units)
        self.out = nn.Linear(units, 1 + N_HARMONICS + N_NOISE_BANDS)

    def forward(self, pitch: Tensor, loudness: Tensor, texture: Tensor) -> Tensor:
        """[B, F, 1 + 45 + 45] from pitch and loudness [B, F], scaled to order one, and texture [B, F, 8]."""
        known = (pitch.unsqueeze(-1), loudness.unsqueeze(-1), texture)
        x = torch.cat([stack(value) for stack, value in zip(self.inputs, known, strict=True)], dim=-1)
        remembered, _ = self.recurrent(x)
        return self.out(self.outputs(torch.cat([x, remembered], dim=-1)))


class Generator(nn.Module):
    """Noise z [B, Z] to 4 s of sound; pitch is not asked for, it comes out of the noise like everything else."""

    def __init__(self, config: NoisyganConfig) -> None:
        super().__init__()
        self.latent_size = config.latent_size
        self.pitch = Cppn(config.latent_size, config.cppn_nodes)
        self.loudness = Cppn(config.latent_size, config.cppn_nodes)
        self.texture = Texture(config.latent_size, config.texture_channels)
        self.decoder = Decoder(config.decoder_units)
        self.reverb = Reverb()

    def contours(self, z: Tensor) -> Contours:
        return Contours(HIGHEST_MIDI * self.pitch(z), LOUDNESS_RANGE_DB * (self.loudness(z) - 1.0), self.texture(z))

    def forward(self, z: Tensor, rng: torch.Generator) -> Sound:
        """rng, on the device of z, draws the white noise that is filtered."""
        contours = self.contours(z)
        scaled = contours.loudness_db / LOUDNESS_RANGE_DB + 1.0
        out = self.decoder(contours.pitch / HIGHEST_MIDI, scaled, contours.texture)
        amplitude, weights, magnitudes = out.split([1, N_HARMONICS, N_NOISE_BANDS], dim=-1)
        tone = additive(midi_to_hz(contours.pitch), exp_sigmoid(amplitude.squeeze(-1)), exp_sigmoid(weights))
        noise = filtered_noise(exp_sigmoid(magnitudes + NOISE_BIAS), rng)
        return Sound(self.reverb(tone + noise), contours)


def _stack(inputs: int, units: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, units), nn.LayerNorm(units), nn.LeakyReLU(0.2))
