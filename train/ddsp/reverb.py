"""A room that is learned along: convolution by FFT, with a response that is a parameter."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def _fast_length(least: int) -> int:
    """The least 2^a * 3^b * 5^c that is not below `least`."""
    best = 1
    while best < least:
        best *= 2
    five = 1
    while five < best:
        three = five
        while three < best:
            length = three
            while length < least:
                length *= 2
            best = min(best, length)
            three *= 3
        five *= 5
    return best


def convolve(audio: Tensor, response: Tensor) -> Tensor:
    """The first T samples of audio [B, T] convolved with response [L]; differentiable by both, on any device."""
    n_samples = audio.shape[-1]
    if n_samples == 0 or response.shape[-1] == 0:
        return 0.0 * audio
    heard = response[:n_samples]
    n = _fast_length(n_samples + heard.shape[-1] - 1)
    product = torch.fft.rfft(audio, n) * torch.fft.rfft(heard, n)
    return torch.fft.irfft(product, n)[..., :n_samples]


class Reverb(nn.Module):
    """Audio [B, T] and what a learned room answers to it: the dry sound passes as it is, the answer begins after it.

    seconds: length of the response. It begins as silence, no room at all: the gradient of a response does not depend
    on it. Crops of notes should begin before the loss does, for a room answers to what was heard before.
    """

    def __init__(self, sample_rate: int, seconds: float = 1.0) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.response = nn.Parameter(torch.zeros(max(round(seconds * sample_rate), 1)))

    def forward(self, audio: Tensor) -> Tensor:
        late = nn.functional.pad(audio, (1, 0))[..., : audio.shape[-1]]
        return audio + convolve(late, self.response)

    def room(self) -> NDArray[np.float32]:
        """The wet response as an instrument's room wants it, float32 [1 + samples, 1]."""
        wet = nn.functional.pad(self.response.detach(), (1, 0))
        return wet.to("cpu", torch.float32).numpy()[:, None]
