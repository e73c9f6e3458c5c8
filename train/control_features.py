"""What is heard of controls, without audio: levels in dB, mel bands and MFCCs, from partials and noise bands."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from noisysynth.spec import SynthSpec, hz_to_mel, mel_to_hz, noise_band_edges_hz
from noisysynth.train.units import midi_to_hz

FLOOR_DB = -84.0
N_MEL_BANDS = 48
N_MFCC = 20
_MEL_LOWEST_HZ, _MEL_HIGHEST_HZ = 30.0, 16_000.0
_MEL_FLOOR_DB = -80.0


def power_db(power: Tensor, floor_db: float = FLOOR_DB) -> Tensor:
    """10 log10 of power, levelling out smoothly at the floor."""
    return 10.0 * torch.log10(power + 10.0 ** (floor_db / 10.0))


class ControlFeatures(nn.Module):
    """Mel spectra and MFCCs of notes in control space, differentiable and cheap: no audio is made.

    A partial of peak amplitude a has power a^2 / 2, spread over the two mel triangles around its frequency; a
    noise band has power g^2, spread as its own triangle overlaps them.
    """

    noise_to_mel: Tensor
    cosines: Tensor
    partial_numbers: Tensor

    def __init__(self, spec: SynthSpec) -> None:
        super().__init__()
        self.register_buffer("noise_to_mel", torch.from_numpy(_noise_to_mel(spec.n_noise_bands)))
        band = np.arange(N_MEL_BANDS) + 0.5
        basis = np.cos(np.pi / N_MEL_BANDS * band[None, :] * np.arange(N_MFCC)[:, None]) * math.sqrt(2.0 / N_MEL_BANDS)
        self.register_buffer("cosines", torch.from_numpy(basis.T.astype(np.float32)))
        self.register_buffer("partial_numbers", torch.arange(1, spec.n_harmonics + 1).float())

    def mel_db(self, partials: Tensor, noise: Tensor, pitch: Tensor) -> Tensor:
        """Mel band levels [V, F, N_MEL_BANDS] in dB.

        partials: [V, F, H], peak amplitudes; noise: [V, F, N], band RMS; pitch: [V], MIDI.
        """
        f0_hz = midi_to_hz(pitch)
        partial_hz = f0_hz.unsqueeze(-1) * self.partial_numbers
        mel = 2595.0 * torch.log10(1.0 + partial_hz / 700.0)
        low, high = hz_to_mel(_MEL_LOWEST_HZ), hz_to_mel(_MEL_HIGHEST_HZ)
        position = (mel - low) * ((N_MEL_BANDS - 1) / (high - low))
        bands = torch.arange(N_MEL_BANDS, device=pitch.device)
        spread = (1.0 - (position.unsqueeze(-1) - bands).abs()).clamp(min=0.0)
        power = 0.5 * partials.square() @ spread + noise.square() @ self.noise_to_mel
        return power_db(power, _MEL_FLOOR_DB)

    def mfcc(self, mel_db: Tensor) -> Tensor:
        """Cepstrum [V, F, N_MFCC] (orthonormal DCT-II, dB) of mel band levels."""
        return mel_db @ self.cosines


def _noise_to_mel(n_bands: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Share [n_bands, N_MEL_BANDS] of each noise band's power that falls in each mel triangle."""
    edges_hz = noise_band_edges_hz(n_bands)
    mel_hz = mel_to_hz(np.linspace(hz_to_mel(_MEL_LOWEST_HZ), hz_to_mel(_MEL_HIGHEST_HZ), N_MEL_BANDS))
    shares = np.zeros((n_bands, N_MEL_BANDS), np.float32)
    for band in range(n_bands):
        hz = np.linspace(max(edges_hz[band], 0.0), edges_hz[band + 2], 400)
        response = np.interp(hz, edges_hz[band : band + 3], (0.0, 1.0, 0.0))
        for mel in range(N_MEL_BANDS):
            left = mel_hz[mel - 1] if mel > 0 else 0.0
            right = mel_hz[mel + 1] if mel + 1 < N_MEL_BANDS else 2.0 * mel_hz[-1] - mel_hz[-2]
            triangle = np.interp(hz, (left, mel_hz[mel], right), (0.0, 1.0, 0.0))
            shares[band, mel] = (response * triangle).sum() / response.sum()
    return shares
