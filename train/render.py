"""Notes of a control network as audio, by the kernels that play live."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisysynth.dsp.harmonic import render_harmonics
from noisysynth.dsp.noise import render_noise
from noisysynth.train.networks.generator import Generator
from noisysynth.train.units import midi_to_hz

_HOP = 128


@torch.no_grad()
def render_notes(
    generator: Generator, z: Tensor, pitch: Tensor, velocity: Tensor, gate_s: Tensor, seconds: float
) -> NDArray[np.float32]:
    """Audio [V, samples] at the spec's sample rate of notes held for gate_s [V] seconds, each from silence."""
    rate = generator.spec.sample_rate
    n_frames = int(seconds * rate / _HOP) + 1
    time_on = (torch.arange(n_frames, device=z.device) * (_HOP / rate)).expand(len(pitch), -1)
    controls = generator(z, pitch, velocity, time_on, time_on - gate_s.unsqueeze(-1))
    f0_hz = midi_to_hz(pitch.unsqueeze(-1)) * controls.f0_ratio
    partials = controls.amplitude.unsqueeze(-1) * controls.harmonics
    audio = render_harmonics(f0_hz.cpu().numpy(), partials.cpu().numpy(), rate, _HOP)
    position = np.arange(len(pitch)) * 7_919
    return audio + render_noise(controls.noise.cpu().numpy(), rate, _HOP, position)
