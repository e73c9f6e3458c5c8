"""The paper's processor group: additive synth, filtered noise and trainable reverb, as DDSP defines them.

Engel, Hantrakul, Gu, Roberts: DDSP: Differentiable Digital Signal Processing (ICLR 2020), section 3 and appendix B.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from noisysynth.train.ddsp.operators import harmonic_synth

SAMPLE_RATE = 16_000
N_FRAMES = 1_000
HOP = 64
N_SAMPLES = N_FRAMES * HOP
N_HARMONICS = 45
N_NOISE_BANDS = 45
NOISE_BIAS = -10.0
REVERB_SAMPLES = 48_000  # DDSP's own default; the paper gives no length

_LN_10 = math.log(10.0)
_RESPONSE = 2 * (N_NOISE_BANDS - 1)
# A frame's noise and what its filter adds, rounded up to a length that transforms quickly.
_FILTERED = 160


def exp_sigmoid(x: Tensor) -> Tensor:
    """2 sigmoid(x) ** ln 10 + 1e-7: always positive, at most 2 (DDSP, equation 5)."""
    return 2.0 * torch.exp(_LN_10 * nn.functional.logsigmoid(x)) + 1e-7


def additive(f0_hz: Tensor, amplitude: Tensor, weights: Tensor) -> Tensor:
    """Audio [B, N_SAMPLES] from f0_hz [B, F], amplitude [B, F] and weights [B, F, N_HARMONICS], all positive.

    Weights below Nyquist are scaled to a sum of one. The last frame is held to the end.
    """
    number = torch.arange(1, weights.shape[-1] + 1, device=weights.device)
    audible = f0_hz.detach().unsqueeze(-1) * number < 0.5 * SAMPLE_RATE
    weights = weights * audible
    partials = amplitude.unsqueeze(-1) * weights / weights.sum(-1, keepdim=True).clamp(min=1e-7)
    return harmonic_synth(_held(f0_hz), _held(partials), SAMPLE_RATE, HOP)


def filtered_noise(magnitudes: Tensor, rng: torch.Generator) -> Tensor:
    """Audio [B, N_SAMPLES]: uniform noise, each frame of it filtered by its magnitudes [B, F, N_NOISE_BANDS].

    rng is on the device of the magnitudes.

    Frequency sampling with a Hann window: linear phase, its delay taken out (DDSP, appendix B.5).
    """
    batch, frames = magnitudes.shape[:2]
    noise = 2.0 * torch.rand(batch, frames, HOP, generator=rng, device=magnitudes.device) - 1.0
    window = torch.hann_window(_RESPONSE, device=magnitudes.device)
    response = torch.fft.irfft(magnitudes.to(torch.complex64), n=_RESPONSE).roll(_RESPONSE // 2, dims=-1) * window
    spectrum = torch.fft.rfft(noise, n=_FILTERED) * torch.fft.rfft(response, n=_FILTERED)
    pieces = torch.fft.irfft(spectrum, n=_FILTERED).transpose(1, 2)
    length = (frames - 1) * HOP + _FILTERED
    added = nn.functional.fold(pieces, (1, length), (1, _FILTERED), stride=(1, HOP))
    return added[:, 0, 0, _RESPONSE // 2 : _RESPONSE // 2 + frames * HOP]


class Reverb(nn.Module):
    """The dry sound plus its convolution with a trained response, that is next to nothing at first."""

    def __init__(self, n_samples: int = REVERB_SAMPLES) -> None:
        super().__init__()
        self.response = nn.Parameter(1e-6 * torch.randn(n_samples))

    def forward(self, audio: Tensor) -> Tensor:
        """Audio [B, N] of the same length: what rings on after it is cut off."""
        n_samples = audio.shape[-1]
        size = n_samples + len(self.response)
        # The direct sound is added apart, so the response begins one sample later.
        response = nn.functional.pad(self.response[1:], (1, 0))
        wet = torch.fft.irfft(torch.fft.rfft(audio, n=size) * torch.fft.rfft(response, n=size), n=size)
        return audio + wet[..., :n_samples]


def _held(frames: Tensor) -> Tensor:
    return torch.cat([frames, frames[:, -1:]], dim=1)
