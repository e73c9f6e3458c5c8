"""Invented notes: in control space, of a sustained and a plucked instrument, to train on in seconds; and as audio."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.spec import SynthSpec, midi_to_hz

SPEC = SynthSpec(n_harmonics=12, n_noise_bands=16, latent_size=4, sample_rate=16_000)
INSTRUMENTS = ["organ", "pluck"]


@dataclasses.dataclass(frozen=True)
class SyntheticNote:
    cents: NDArray[np.float32]
    harmonics: NDArray[np.float32]
    noise: NDArray[np.float32]
    log_mel: NDArray[np.float32]
    pitch: float
    velocity: float
    gate_s: float | None
    instrument: str
    audio: NDArray[np.float32] | None = None


def synthetic_note(
    instrument: str, pitch: float, gate_s: float | None, seconds: float = 1.6, decay_db_per_s: float = 40.0
) -> SyntheticNote:
    """decay_db_per_s: of the pluck while held. Both end 200 dB/s after note-off; the whole is 7 cents sharp."""
    frames = round(seconds * SPEC.frame_rate)
    t = np.arange(frames) / SPEC.frame_rate
    level_db = np.full(frames, -12.0) if instrument == "organ" else -6.0 - decay_db_per_s * t
    if gate_s is not None:
        level_db = level_db - 200.0 * np.maximum(t - gate_s, 0.0)
    level = 10.0 ** (level_db / 20.0)
    k = np.arange(1, SPEC.n_harmonics + 1)
    shape = (k % 2) / k if instrument == "organ" else 1.0 / k**2
    noise = 10.0 ** (-70.0 / 20.0) * level[:, None] * np.ones(SPEC.n_noise_bands)
    mel = np.full((round(seconds * 50), 80), -11.5)
    mel[:, 10:20] = np.maximum(np.log(level[:: SPEC.frame_rate // 50, None]), -11.5)
    if instrument == "organ":
        mel[:, 30:40] = mel[:, 10:20] - 1.0
    arrays: dict[str, Any] = {
        "cents": np.full(frames, 7.0) + 5.0 * np.exp(-t / 0.02),
        "harmonics": level[:, None] * (shape / shape.sum()),
        "noise": noise,
        "log_mel": mel,
    }
    arrays = {name: values.astype(np.float32) for name, values in arrays.items()}
    samples = np.arange(round(seconds * SPEC.sample_rate))
    sine = np.sin(2 * np.pi * 440.0 * 2 ** ((pitch - 69) / 12) * samples / SPEC.sample_rate)
    audio = (np.interp(samples / SPEC.sample_rate, t, level) * sine).astype(np.float32)
    return SyntheticNote(**arrays, pitch=pitch, velocity=0.8, gate_s=gate_s, instrument=instrument, audio=audio)


def synthetic_notes(n: int = 12) -> list[SyntheticNote]:
    return [synthetic_note(INSTRUMENTS[i % 2], 48.0 + 2.0 * i, 0.4 + 0.1 * (i % 5)) for i in range(n)]


def tone(pitch: float, seconds: float = 0.8, lead_s: float = 0.0, rate: int = 22_050) -> np.ndarray:
    """A note of eight partials with a 5 ms attack after lead_s of silence."""
    time_s = np.arange(round(seconds * rate)) / rate
    attack = np.clip(time_s / 0.005, 0.0, 1.0)
    partial = np.arange(1, 9)[:, None]
    phase = 2 * np.pi * midi_to_hz(pitch) * partial * time_s
    note = 0.3 * attack * (np.sin(phase) / partial).sum(axis=0)
    return np.concatenate((np.zeros(round(lead_s * rate)), note)).astype(np.float32)
