"""The paper's discriminator: MFCCs of the sound, and three convolutions over them."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from noisysynth.spec import hz_to_mel
from noisysynth.train.noisygan.synth import HOP, N_SAMPLES, SAMPLE_RATE

N_MFCC = 30
N_MELS = 128
FFT_SIZE = 256
CHANNELS = 16

_LOWEST_HZ, _HIGHEST_HZ = 20.0, 8_000.0
_FLOOR = 1e-5


class Mfcc(nn.Module):
    """30 coefficients of 128 mel bands, a frame every 64 samples, of audio [B, N]: [B, N / 64, 30].

    As DDSP computes them: magnitudes, natural logarithm, orthonormal cosine transform but for the first coefficient,
    which is the square root of two larger.
    """

    window: Tensor
    mel: Tensor
    cosines: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(FFT_SIZE), persistent=False)
        self.register_buffer("mel", torch.from_numpy(_mel_matrix()), persistent=False)
        band = torch.arange(N_MELS) + 0.5
        cosines = torch.cos(math.pi / N_MELS * band.unsqueeze(-1) * torch.arange(N_MFCC)) * math.sqrt(2.0 / N_MELS)
        self.register_buffer("cosines", cosines, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        padded = nn.functional.pad(audio, (0, FFT_SIZE - HOP))
        spectrum = torch.stft(padded, FFT_SIZE, HOP, window=self.window, center=False, return_complex=True)
        # Squared with a floor under it: the slope of a magnitude is infinite at zero.
        magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-12).transpose(1, 2)
        return torch.log(magnitude @ self.mel + _FLOOR) @ self.cosines


class Discriminator(nn.Module):
    """Is this 4 s of sound real? It hears nothing but the sound."""

    def __init__(self) -> None:
        super().__init__()
        self.mfcc = Mfcc()
        layers: list[nn.Module] = []
        frames, coefficients, channels = N_SAMPLES // HOP, N_MFCC, 1
        for _ in range(3):
            layers += [nn.Conv2d(channels, CHANNELS, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
            frames, coefficients, channels = -(-frames // 2), -(-coefficients // 2), CHANNELS
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS * frames * coefficients, 1))

    def forward(self, audio: Tensor) -> Tensor:
        """Logits [B] of audio [B, N_SAMPLES]; their sigmoid is the paper's output."""
        return self.score(self.mfcc(audio))

    def score(self, mfcc: Tensor) -> Tensor:
        """Logits [B] of coefficients [B, F, 30]."""
        return self.layers(mfcc.unsqueeze(1)).squeeze(-1)


def _mel_matrix() -> NDArray[np.float32]:
    """[bins, mels], triangles that are linear in mel; the lowest bands are narrower than a bin, and some are empty."""
    edges = np.linspace(hz_to_mel(_LOWEST_HZ), hz_to_mel(_HIGHEST_HZ), N_MELS + 2)
    bins = np.array([hz_to_mel(hz) for hz in np.arange(FFT_SIZE // 2 + 1) * (SAMPLE_RATE / FFT_SIZE)])[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    matrix = np.clip(np.minimum(rising, falling), 0.0, None)
    matrix[0] = 0.0  # no direct current
    return matrix.astype(np.float32)
