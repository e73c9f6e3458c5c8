"""The control network: latent, pitch, velocity and time in, controls of the synth out."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from noisysynth.spec import SynthSpec
from noisysynth.train.networks.shimmer import Shimmer
from noisysynth.train.networks.time_features import (
    N_FIXED_TIME_FEATURES,
    fixed_time_features,
    pitch_features,
)
from noisysynth.train.units import DB_TO_NEPER

HIGHEST_PARTIAL_HZ = 20_000.0
MAX_CENTS = 60.0
MAX_LEVEL_DB = 6.0
MIN_LEVEL_DB = -160.0
SUSTAINED_DB_PER_S = 0.5
VIBRATO_CENTS, VIBRATO_HZ = 12.0, 5.0

N_SINGLE_HARMONICS = 32
N_ENVELOPE_BANDS = 64
_ENVELOPE_LOWEST_HZ = 25.0

_N_PITCH_FEATURES = 6
_N_RATES = 4  # of tremolo and vibrato, between 1.5 and 14 Hz
_N_LEARNED_DECAYS_ON = 4
_N_LEARNED_DECAYS_OFF = 2
# The notes of a chord struck at once do not sway together.
_VIBRATO_RADIANS_PER_SEMITONE = 2.4

# A held note's course is learned so far: longer recordings are few, and what they leave open dies away. After it only
# the rate of its decay, tremolo, vibrato and shimmer go on.
COURSE_S = 3.0
# After two seconds of release a fade sets in that reaches -100 dB before the fourth, whatever was learned.
_FADE_START_S = 2.0
_FADE_DB_PER_S2 = 40.0
_MIN_RELEASE_DB_PER_S = 4.0


class Controls(NamedTuple):
    """What the network says about V voices at F instants each; see docs/architecture.md.

    f0_ratio [V, F]: f0 over the nominal frequency of the pitch.
    amplitude [V, F]: sum of partial amplitudes, linear.
    harmonics [V, F, H]: share of each partial, >= 0, sums to one; 0 where k * f0 >= 20 kHz.
    noise [V, F, N]: RMS amplitude of each noise band.
    """

    f0_ratio: Tensor
    amplitude: Tensor
    harmonics: Tensor
    noise: Tensor


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
    """Sizes. 256 x 3 costs about 5 us per voice and frame on one CPU core."""

    width: int = 256
    n_layers: int = 3
    mapping_width: int = 192


def _product_over_time(per_second: Tensor, seconds: Tensor) -> Tensor:
    """per_second * seconds, whose gradient stops growing after two seconds.

    A note held for an hour in training would else move a rate 3,600 times as much as its first second does.
    """
    known = seconds.clamp(max=2.0)
    return per_second * known + per_second.detach() * (seconds - known)


def _between_bands(envelope: Tensor, position: Tensor) -> Tensor:
    """Linear between the bands of envelope [V, F, N] at position [V, H], in bands: [V, F, H], as a product."""
    bands = torch.arange(envelope.shape[-1], device=position.device)
    return envelope @ torch.relu(1.0 - (position.unsqueeze(1) - bands.unsqueeze(-1)).abs())


class MixedUnits(nn.Module):
    """Half SiLU, a quarter sine, a quarter Gaussian units: the CPPN's palette of shapes over time."""

    def forward(self, x: Tensor) -> Tensor:
        quarter = int(x.shape[-1]) // 4  # a number, not a node of the exported graph
        smooth, wave, bump = x.split([int(x.shape[-1]) - 2 * quarter, quarter, quarter], dim=-1)
        return torch.cat([nn.functional.silu(smooth), torch.sin(wave), torch.exp(-bump * bump)], dim=-1)


class Generator(nn.Module):
    """Stateless control network (a CPPN over time, its layers modulated by latent, pitch and velocity).

    Level is attack and sustain (a function of time_on) times release (a function of time_off). Two parts of
    it are explicit, so that they hold where there was no data: a rate in dB/s at which a held note
    dies away (exactly 0 for a sustained one) and one at which a released note does.
    """

    partial_numbers: Tensor

    def __init__(self, spec: SynthSpec, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        config = config or GeneratorConfig()
        self.spec = spec
        self.config = config
        width, mapping = config.width, config.mapping_width
        self.mapping = nn.Sequential(
            nn.Linear(spec.latent_size + _N_PITCH_FEATURES + 2, mapping),
            nn.SiLU(),
            nn.Linear(mapping, mapping),
            nn.SiLU(),
            nn.Linear(mapping, mapping),
            nn.SiLU(),
        )
        self.rates = nn.Linear(mapping, _N_RATES)
        self.decay_times = nn.Linear(mapping, _N_LEARNED_DECAYS_ON + _N_LEARNED_DECAYS_OFF)
        self.vibrato = nn.Linear(mapping, 2)
        self.hold_decay = nn.Linear(mapping, 1)
        self.release = nn.Linear(mapping, 2)
        n_time = N_FIXED_TIME_FEATURES + _N_LEARNED_DECAYS_ON + _N_LEARNED_DECAYS_OFF + 2 * _N_RATES
        self.time_in = nn.Linear(n_time, width)
        self.film = nn.ModuleList(nn.Linear(mapping, 2 * width) for _ in range(config.n_layers))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(config.n_layers))
        self.units = MixedUnits()
        self.n_single = min(N_SINGLE_HARMONICS, spec.n_harmonics)
        self.out = nn.Linear(width, 2 + self.n_single + N_ENVELOPE_BANDS + spec.n_noise_bands)
        self.shimmer = Shimmer(mapping, spec.n_harmonics)
        self.register_buffer("partial_numbers", torch.arange(1, spec.n_harmonics + 1).float(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        with torch.no_grad():
            self.out.weight.mul_(0.5)
            self.out.bias.zero_()
            # A falling spectrum, about -9 dB per octave, is nearer to any instrument than a flat one.
            first = 2 + self.n_single
            self.out.bias[first : first + N_ENVELOPE_BANDS] = torch.linspace(2.0, -8.0, N_ENVELOPE_BANDS)
            for layer in (self.vibrato, self.hold_decay):
                layer.weight.mul_(0.1)
                layer.bias.zero_()
            self.release.bias.fill_(3.5)

    def modulation(self, z: Tensor, pitch: Tensor, velocity: Tensor) -> Tensor:
        """[V, mapping_width] from z [V, Z], pitch [V] (MIDI) and velocity [V] (0..1)."""
        v = velocity.unsqueeze(-1)
        return self.mapping(torch.cat([z, pitch_features(pitch), v, v * v], dim=-1))

    def vibrato_coordinates(self, modulation: Tensor) -> Tensor:
        """[V, 2]: depth in units of 12 cents, negative for none, and rate; see `vibrato_controls`."""
        return self.vibrato(modulation)

    def vibrato_controls(self, modulation: Tensor) -> tuple[Tensor, Tensor]:
        """Depth [V] in cents and rate [V] in Hz, between 3 and 8."""
        depth, rate = self.vibrato_coordinates(modulation).unbind(-1)
        return VIBRATO_CENTS * torch.relu(depth).clamp(max=3.0), VIBRATO_HZ * torch.exp(0.5 * torch.tanh(rate))

    def hold_decay_coordinate(self, modulation: Tensor) -> Tensor:
        """[V], a third of the root of SUSTAINED_DB_PER_S + the held note's late decay in dB/s.

        Under it the note is sustained and does not decay at all: in an hour the smallest rate would silence it.
        """
        return self.hold_decay(modulation).squeeze(-1)

    def forward(
        self,
        z: Tensor,
        pitch: Tensor,
        velocity: Tensor,
        time_on: Tensor,
        time_off: Tensor,
        shimmer: Tensor | None = None,
        shimmer_clock: Tensor | None = None,
    ) -> Controls:
        """Controls of V voices at F instants each.

        z [V, Z]; pitch [V] MIDI note, fractional; velocity [V] 0..1; time_on [V, F] s since note-on, >= 0;
        time_off [V, F] s since note-off, negative while held.
        shimmer [V, F]: how much partials tremble, 1 for as much as recordings do, the default. shimmer_clock [V, F]:
        where on the way of their trembling they are, in s; time_on by default.
        """
        modulation = self.modulation(z, pitch, velocity)
        return self.moving(modulation, pitch, time_on, time_off, shimmer, shimmer_clock)

    def moving(
        self,
        modulation: Tensor,
        pitch: Tensor,
        time_on: Tensor,
        time_off: Tensor,
        shimmer: Tensor | None = None,
        shimmer_clock: Tensor | None = None,
    ) -> Controls:
        """As `forward`, with the modulation [V, mapping_width] already known."""
        still = self.still(modulation, pitch, time_on, time_off)
        gain_db = self.shimmer(modulation, pitch, time_on.clamp(min=0.0), shimmer, shimmer_clock)
        shares = still.harmonics * torch.exp(DB_TO_NEPER * gain_db)
        gain = shares.sum(-1)
        # Nothing is left of a note beyond 20 kHz, and nothing is to be divided by it.
        harmonics = shares / gain.clamp(min=1e-6).unsqueeze(-1)
        return still._replace(amplitude=still.amplitude * gain, harmonics=harmonics)

    def still(self, modulation: Tensor, pitch: Tensor, time_on: Tensor, time_off: Tensor) -> Controls:
        """As `moving`, without shimmer: what recordings of the note would be on average."""
        on = time_on.clamp(min=0.0)
        off = time_off.clamp(min=0.0)
        per_voice = modulation.unsqueeze(1)

        rates_hz = 4.6 * torch.exp(1.1 * torch.tanh(self.rates(per_voice)))
        angle = (2.0 * math.pi) * _product_over_time(rates_hz, on.unsqueeze(-1))
        sine, cosine = torch.sin(angle), torch.cos(angle)
        # Times of 5 ms to 1.6 s.
        speeds = torch.exp(2.4 + 2.9 * torch.tanh(self.decay_times(per_voice)))
        decays_on, decays_off = speeds.split([_N_LEARNED_DECAYS_ON, _N_LEARNED_DECAYS_OFF], dim=-1)
        course = on.clamp(max=COURSE_S)
        features = torch.cat(
            [
                fixed_time_features(course, off),
                torch.exp(-decays_on * course.unsqueeze(-1)),
                torch.exp(-decays_off * off.unsqueeze(-1)),
                sine,
                cosine,
            ],
            dim=-1,
        )

        hidden = self.time_in(features)
        for film, layer in zip(self.film, self.layers, strict=True):
            scale, shift = film(per_voice).chunk(2, dim=-1)
            hidden = hidden + layer(self.units(hidden * (1.0 + scale) + shift))
        out = self.out(hidden)
        level, glide, single, envelope, bands = out.split(
            [1, 1, self.n_single, N_ENVELOPE_BANDS, self.spec.n_noise_bands], dim=-1
        )

        # Around the nominal pitch by construction: a glide dies away, and vibrato has no mean.
        depth_cents, vibrato_hz = self.vibrato_controls(modulation)
        angle = 2.0 * math.pi * vibrato_hz.unsqueeze(-1) * on + _VIBRATO_RADIANS_PER_SEMITONE * pitch.unsqueeze(-1)
        fade_in = torch.square(1.0 - torch.exp(-on / 0.25))
        cents = 10.0 * glide.squeeze(-1) * torch.exp(-on / 0.05)
        cents = cents + depth_cents.unsqueeze(-1) * fade_in * torch.sin(angle)
        cents = MAX_CENTS * torch.tanh(cents / MAX_CENTS)
        f0_ratio = torch.exp(cents * (math.log(2.0) / 1200.0))

        nominal_hz = 440.0 * torch.exp((pitch - 69.0) * (math.log(2.0) / 12.0))
        harmonics = self._harmonics(single, envelope, nominal_hz, f0_ratio)

        decay_db_per_s = torch.square(3.0 * torch.relu(self.hold_decay(modulation)))
        hold_db = _product_over_time(torch.relu(decay_db_per_s - SUSTAINED_DB_PER_S), on)
        late = torch.relu(off - _FADE_START_S)
        fade_db = hold_db + _FADE_DB_PER_S2 * late * late
        release_db_per_s = _MIN_RELEASE_DB_PER_S + torch.exp(self.release(modulation).clamp(max=7.5))
        tone_release, noise_release = release_db_per_s.split(1, dim=-1)
        level_db = (20.0 * level.squeeze(-1) - 35.0).clamp(max=MAX_LEVEL_DB)
        level_db = (level_db - fade_db - tone_release * off).clamp(min=MIN_LEVEL_DB)
        noise_db = (20.0 * bands - 85.0).clamp(max=MAX_LEVEL_DB)
        noise_db = (noise_db - (fade_db + noise_release * off).unsqueeze(-1)).clamp(min=MIN_LEVEL_DB)
        amplitude = torch.exp(level_db * DB_TO_NEPER)
        noise = torch.exp(noise_db * DB_TO_NEPER)
        return Controls(f0_ratio, amplitude, harmonics, noise)

    def _harmonics(self, single: Tensor, envelope: Tensor, nominal_hz: Tensor, f0_ratio: Tensor) -> Tensor:
        """Shares [V, F, H]: single weights of the first partials plus an envelope over log frequency."""
        n_voices, n_frames = f0_ratio.shape
        partial_hz = nominal_hz.unsqueeze(-1) * self.partial_numbers
        span = math.log(HIGHEST_PARTIAL_HZ / _ENVELOPE_LOWEST_HZ)
        position = torch.log(partial_hz / _ENVELOPE_LOWEST_HZ) * ((N_ENVELOPE_BANDS - 1) / span)
        position = position.clamp(0.0, N_ENVELOPE_BANDS - 1.001)
        below = position.floor()
        fraction = (position - below).unsqueeze(1)
        if envelope.is_cuda:  # there the gradient of `gather` is slow, or another every time
            logits = _between_bands(envelope, position)
        else:
            index = below.long().unsqueeze(1).expand(n_voices, n_frames, self.spec.n_harmonics)
            logits = envelope.gather(-1, index) * (1.0 - fraction) + envelope.gather(-1, index + 1) * fraction
        logits = logits + nn.functional.pad(single, (0, self.spec.n_harmonics - self.n_single))
        audible = partial_hz.unsqueeze(1) * f0_ratio.unsqueeze(-1) < HIGHEST_PARTIAL_HZ
        logits = torch.where(audible, logits, torch.full_like(logits, -1e4))
        # The product matters for a fundamental beyond 20 kHz, where a softmax of equals would be flat.
        return torch.softmax(logits, dim=-1) * audible
