"""Multi-scale spectral distance between short crops of recordings and of the notes rendered from controls."""

from __future__ import annotations

import torch
from torch import Tensor

from noisysynth.train.ddsp.operators import harmonic_synth, noise_synth
from noisysynth.train.dice import Dice
from noisysynth.train.networks.generator import Generator
from noisysynth.train.note_bank import NoteBank
from noisysynth.train.units import midi_to_hz

FFT_SIZES = (2048, 1024, 512, 256, 128, 64)
_HOP = 128
_LOG_FLOOR = 1e-5


def spectral_distance(first: Tensor, second: Tensor) -> Tensor:
    """Of audio [B, samples]: mean over FFT sizes of L1 of magnitude times 100 plus L1 of log magnitude.

    DDSP's loss (Engel et al. 2020, equation 3), with magnitudes of which a full-scale sinusoid's is one half.
    """
    total = first.new_zeros(())
    for size in FFT_SIZES:
        window = torch.hann_window(size, device=first.device)
        spectra = [
            torch.stft(audio, size, size // 4, window=window, return_complex=True).abs() / window.sum()
            for audio in (first, second)
        ]
        total = total + 100.0 * (spectra[0] - spectra[1]).abs().mean()
        total = total + (torch.log(spectra[0] + _LOG_FLOOR) - torch.log(spectra[1] + _LOG_FLOOR)).abs().mean()
    return total / len(FFT_SIZES)


def audio_loss(generator: Generator, z: Tensor, bank: NoteBank, rows: Tensor, seconds: float, rng: Dice) -> Tensor:
    """`spectral_distance` of a crop of each note, from a random start: half of the crops begin at note-on.

    z: [V, Z] of the notes rows [V]. The bank must have kept its audio.
    """
    rate = bank.spec.sample_rate
    n_frames = max(int(seconds * rate / _HOP), FFT_SIZES[0] // _HOP) + 1
    room = (bank.audio_length[rows] - (n_frames - 1) * _HOP).clamp(min=0)
    share = (2.0 * rng.rand(len(rows)) - 1.0).clamp(min=0.0)
    start = (share * room).long()
    real = bank.audio_crops(rows, start, (n_frames - 1) * _HOP)

    time_on = (start.unsqueeze(-1) + _HOP * torch.arange(n_frames, device=bank.device)) / rate
    gate_s = bank.gate[rows].unsqueeze(-1) / bank.spec.frame_rate
    pitch = bank.pitch[rows]
    modulation = generator.modulation(z, pitch, bank.velocity[rows])
    controls = generator.still(modulation, pitch, time_on, time_on - gate_s)  # the recording's shimmer is another
    f0_hz = midi_to_hz(pitch.unsqueeze(-1)) * controls.f0_ratio
    partials = controls.amplitude.unsqueeze(-1) * controls.harmonics
    position = rng.randint(10_000_000, len(rows)).cpu().numpy()
    audio = harmonic_synth(f0_hz, partials, rate, _HOP) + noise_synth(controls.noise, rate, _HOP, position)
    return spectral_distance(audio, real)
