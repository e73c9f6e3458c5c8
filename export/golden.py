"""Golden vectors: inputs, and the controls and audio that every player of the file must reproduce."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from noisysynth.dsp.harmonic import render_harmonics
from noisysynth.graph_check import SHIMMER
from noisysynth.instrument import GOLDEN_INPUTS, GOLDEN_OUTPUTS, Preset
from noisysynth.spec import midi_to_hz

AUDIO_RATE = 48_000
AUDIO_HOP = 192  # 4 ms
N_FRAMES = 121
NOTE_OFF_S = 0.36
_NOTES = ((60.0, 0.8), (45.5, 0.35))  # pitch, velocity

Arrays = dict[str, NDArray[np.float32]]


def make_golden(generator: nn.Module, presets: Sequence[Preset], pitch_range: tuple[int, int]) -> Arrays:
    """Two notes of 0.48 s, released after 0.36 s, from the first and last preset.

    `audio` is their harmonic part at 48 kHz, phase 0 at note-on, `AUDIO_HOP` samples from frame to frame.
    """
    low, high = pitch_range
    time_on = np.arange(N_FRAMES, dtype=np.float32) * np.float32(AUDIO_HOP / AUDIO_RATE)
    inputs = {
        "z": np.stack([presets[0].latent, presets[-1].latent]),
        "pitch": np.array([min(max(pitch, low), high) for pitch, _ in _NOTES], np.float32),
        "velocity": np.array([velocity for _, velocity in _NOTES], np.float32),
        "time_on": np.tile(time_on, (2, 1)),
        "time_off": np.tile(time_on - np.float32(NOTE_OFF_S), (2, 1)),
    }
    arrays = {**inputs, **torch_controls(generator, inputs)}
    arrays["audio"] = harmonic_audio(arrays)
    arrays["audio_sample_rate"] = np.array([AUDIO_RATE], np.float32)
    return arrays


def torch_controls(generator: nn.Module, inputs: Arrays) -> Arrays:
    """The controls that torch computes for inputs by the contract's names, on the CPU; SHIMMER's may be there."""
    names = [*GOLDEN_INPUTS, *(port.name for port in SHIMMER if port.name in inputs)]
    with torch.no_grad():
        outputs = generator(*(torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in names))
    return {name: values.float().contiguous().numpy() for name, values in zip(GOLDEN_OUTPUTS, outputs, strict=True)}


def kernel_inputs(arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """f0_hz [V, F] and partial amplitudes [V, F, H] of controls with their pitch."""
    f0_hz = arrays["f0_ratio"] * midi_to_hz(arrays["pitch"])[:, None]
    amplitudes = arrays["amplitude"][..., None] * arrays["harmonics"]
    return f0_hz.astype(np.float32), amplitudes.astype(np.float32)


def harmonic_audio(arrays: Arrays) -> NDArray[np.float32]:
    """Audio [V, (F - 1) * AUDIO_HOP] of the harmonic part, by the kernel that plays live."""
    f0_hz, amplitudes = kernel_inputs(arrays)
    return render_harmonics(f0_hz, amplitudes, AUDIO_RATE, AUDIO_HOP)
