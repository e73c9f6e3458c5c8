"""The phrase instrument's network: contours over four seconds that close into a loop, and a decoder without memory.

The paper's generator with two changes that playing asks for. Time is an angle, so the end meets the beginning and a
held key loops without a seam. The decoder is not recurrent: a control network is asked for any instant, in any order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from noisysynth.spec import SynthSpec, noise_band_centers_hz
from noisysynth.train.networks.generator import Controls
from noisysynth.train.noisygan.synth import N_HARMONICS, N_NOISE_BANDS, NOISE_BIAS, SAMPLE_RATE, exp_sigmoid
from noisysynth.train.phrases.config import PhrasesConfig
from noisysynth.train.units import DB_TO_NEPER

PHRASE_S = 4.0
MAX_SEMITONES = 24
TEXTURE_CHANNELS = 8
# Nothing above was learned, as the recordings end at 8 kHz.
HIGHEST_HZ = 7_900.0
NATURAL_VELOCITY = 0.75
VELOCITY_DB = 24.0  # from the softest to the hardest
RELEASE_DB_PER_S = 200.0
MIN_DB = -160.0

_N_ANGLES = 40  # 0.25 to 10 Hz: a note's beginning takes about 30 ms
_FADE_HZ = 900.0
# A network that is fairly sure of a note plays that note, not the mean with others.
_SHARPENING = 4.0
_LOUDNESS_SPAN_DB = 80.0


class Contour(nn.Module):
    """A CPPN over the angle of time; the latent reaches every layer."""

    def __init__(self, latent_size: int, nodes: int, outputs: int) -> None:
        super().__init__()
        self.from_time = nn.Linear(2 * _N_ANGLES, nodes)
        self.from_latent = nn.ModuleList(nn.Linear(latent_size, 2 * nodes) for _ in range(3))
        self.hidden = nn.ModuleList(nn.Linear(nodes, nodes) for _ in range(2))
        self.out = nn.Linear(nodes, outputs)

    def forward(self, angles: Tensor, z: Tensor) -> Tensor:
        """[V, F, outputs] from angles [V, F, 2 * _N_ANGLES] and z [V, Z]."""
        x = self._shaped(self.from_time(angles), z, 0)
        for number, layer in enumerate(self.hidden, start=1):
            x = x + self._shaped(layer(x), z, number)
        return self.out(x)

    def _shaped(self, x: Tensor, z: Tensor, layer: int) -> Tensor:
        scale, shift = self.from_latent[layer](z).unsqueeze(1).chunk(2, dim=-1)
        return torch.tanh(x * (1.0 + scale) + shift)


class PhraseGenerator(nn.Module):
    """Latent, key, velocity and time to controls; the first note of the phrase sounds at the key."""

    multiples: Tensor
    semitones: Tensor
    partial_numbers: Tensor
    band_gain: Tensor

    def __init__(self, config: PhrasesConfig) -> None:
        super().__init__()
        self.spec = phrase_spec(config)
        nodes, units = config.contour_nodes, config.decoder_units
        self.pitch = Contour(config.latent_size, nodes, 2 * MAX_SEMITONES + 2)
        self.loudness = Contour(config.latent_size, nodes, 1)
        self.texture = Contour(config.latent_size, nodes, TEXTURE_CHANNELS)
        self.inputs = nn.ModuleList(_stack(size, units) for size in (3, 2, TEXTURE_CHANNELS))
        self.outputs = nn.Sequential(_stack(3 * units, units), _stack(units, units))
        self.out = nn.Linear(units, 1 + N_HARMONICS + N_NOISE_BANDS)
        self.register_buffer("multiples", torch.arange(1, _N_ANGLES + 1).float(), persistent=False)
        self.register_buffer("semitones", torch.arange(-MAX_SEMITONES, MAX_SEMITONES + 1).float(), persistent=False)
        self.register_buffer("partial_numbers", torch.arange(1, N_HARMONICS + 1).float(), persistent=False)
        heard = torch.from_numpy(noise_band_centers_hz(N_NOISE_BANDS)) < HIGHEST_HZ
        self.register_buffer("band_gain", heard.float(), persistent=False)

    def angles(self, time_s: Tensor) -> Tensor:
        """[V, F, 2 * _N_ANGLES], sines and cosines of the time [V, F] in the loop."""
        turns = time_s / PHRASE_S
        turns = turns - torch.floor(turns)
        radians = (2.0 * math.pi) * turns.unsqueeze(-1) * self.multiples
        return torch.cat([torch.sin(radians), torch.cos(radians)], dim=-1)

    def melody(self, angles: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [V, F, 49] of the semitones from -24 to 24, and cents [V, F] beside the semitone, within +-50."""
        out = self.pitch(angles, z)
        return out[..., :-1], 50.0 * torch.tanh(out[..., -1])

    def semitone_offset(self, logits: Tensor, cents: Tensor) -> Tensor:
        """[V, F] from the key: the expected semitone of the sharpened probabilities, and the cents."""
        return (torch.softmax(_SHARPENING * logits, dim=-1) * self.semitones).sum(-1) + cents / 100.0

    def loudness_db(self, angles: Tensor, z: Tensor) -> Tensor:
        """[V, F] between -80 and 0 dB."""
        return -_LOUDNESS_SPAN_DB * torch.sigmoid(self.loudness(angles, z).squeeze(-1))

    def decode(
        self, angles: Tensor, z: Tensor, key: Tensor, offset: Tensor, loudness_db: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Amplitude [V, F], shares [V, F, 45] of the partials and noise [V, F, 45] of a melody at any pitch."""
        pitch = (key.unsqueeze(-1) + offset - 60.0) / 24.0
        level = loudness_db / 40.0 + 1.0
        known = (
            torch.stack([pitch, pitch * pitch, offset / 12.0], dim=-1),
            torch.stack([level, level * level], dim=-1),
            self.texture(angles, z),
        )
        x = torch.cat([stack(value) for stack, value in zip(self.inputs, known, strict=True)], dim=-1)
        amplitude, weights, bands = self.out(self.outputs(x)).split([1, N_HARMONICS, N_NOISE_BANDS], dim=-1)
        f0_hz = 440.0 * torch.exp((key.unsqueeze(-1) + offset - 69.0) * (math.log(2.0) / 12.0))
        partial_hz = f0_hz.unsqueeze(-1) * self.partial_numbers
        audible = ((HIGHEST_HZ - partial_hz) / _FADE_HZ).clamp(0.0, 1.0)
        weights = exp_sigmoid(weights) * audible
        total = weights.sum(-1, keepdim=True)
        # A fundamental beyond the highest frequency leaves nothing to share.
        shares = weights / total.clamp(min=1e-9)
        loud = exp_sigmoid(amplitude.squeeze(-1)) * torch.exp(loudness_db * (0.5 * DB_TO_NEPER))
        return loud, shares, exp_sigmoid(bands + 0.5 * NOISE_BIAS) * self.band_gain

    def forward(self, z: Tensor, pitch: Tensor, velocity: Tensor, time_on: Tensor, time_off: Tensor) -> Controls:
        """Controls of V voices at F instants each, by the contract in docs/architecture.md."""
        on = time_on.clamp(min=0.0)
        angles = self.angles(on)
        offset = self.semitone_offset(*self.melody(angles, z))
        amplitude, shares, noise = self.decode(angles, z, pitch, offset, self.loudness_db(angles, z))
        gain_db = VELOCITY_DB * (velocity - NATURAL_VELOCITY).unsqueeze(-1)
        gain_db = (gain_db - RELEASE_DB_PER_S * time_off.clamp(min=0.0)).clamp(min=MIN_DB)
        gain = torch.exp(gain_db * DB_TO_NEPER)
        ratio = torch.exp(offset * (math.log(2.0) / 12.0))
        return Controls(ratio, amplitude * gain, shares, noise * gain.unsqueeze(-1))


def phrase_spec(config: PhrasesConfig) -> SynthSpec:
    return SynthSpec(N_HARMONICS, N_NOISE_BANDS, config.latent_size, SAMPLE_RATE, 250)


def _stack(inputs: int, units: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, units), nn.LayerNorm(units), nn.LeakyReLU(0.2))
