"""What is compared with real notes: real ones, rebuilt ones, generated ones, and noise."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.export.evaluation.notes import Audio, RealNote, Told, as_heard
from noisysynth.export.evaluation.rendering import Player
from noisysynth.instrument import Instrument
from noisysynth.listening.resampling import resample
from noisysynth.spec import SynthSpec
from noisysynth.train.analysis import Track, resynthesise

Latent = NDArray[np.float32]
PAPER_RATE = 16_000
_NOISE_RELEASE_S = 0.05


class Encoder:
    """The encoder in an instrument file: a recorded note -> the latent that should sound like it."""

    def __init__(self, instrument: Instrument) -> None:
        """UserError when the file has none or it does not load."""
        if instrument.encoder_onnx is None:
            raise UserError(f"{instrument.name} has no encoder; export the run again, with its encoder")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(instrument.encoder_onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors derive from Exception only
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"{instrument.name}: its encoder cannot be loaded ({reason}); export it again") from None

    def latent(self, log_mel: NDArray[np.float32]) -> Latent:
        """The mean [Z] for features [T, 80]."""
        (mean,) = self._session.run(["mean"], {"log_mel": np.ascontiguousarray(log_mel[None], np.float32)})
        return np.asarray(mean[0], np.float32)


def prior_latents(instrument: Instrument, n: int, seed: int) -> Latent:
    """Latents [n, Z] from the instrument's prior, for no key in particular."""
    return instrument.draw_latents(n, np.random.default_rng([seed, n]))


def prior_notes(player: Player, conditions: Sequence[Told], seed: int) -> Iterator[tuple[Audio, Told]]:
    """Each condition played with a latent of its own, drawn for its key and velocity."""
    pitch = np.array([told.pitch for told in conditions])
    velocity = np.array([told.velocity for told in conditions])
    latents = player.instrument.draw_latents_for(pitch, velocity, np.random.default_rng([seed, len(conditions)]))
    for z, told in zip(latents, conditions, strict=True):
        yield player.note(z, told), told


def rebuilt(player: Player, encoder: Encoder, real: RealNote) -> Audio:
    """The note through the encoder and the instrument."""
    return player.note(encoder.latent(real.note.log_mel), real.told)


def ddsp_resynthesis(real: RealNote, spec: SynthSpec, seed: int = 0) -> Audio:
    """The note's own analysis made sound again: as well as any control network could do, and never heard of latents."""
    note = real.note
    track = Track(
        pitch=note.pitch,
        frame_rate=spec.frame_rate,
        cents=note.cents,
        harmonics=note.harmonics,
        noise=note.noise,
        partial_ratios=np.arange(1, spec.n_harmonics + 1, dtype=np.float32),
        inharmonicity=0.0,
    )
    return as_heard(resynthesise(track, spec.sample_rate, seed), spec.sample_rate, real.told)


def noise_like(audio: Audio, told: Told, sample_rate: int, seed: int) -> Audio:
    """White noise as loud as the note while it is held."""
    held = audio[: max(1, round(told.gate_s * sample_rate))]
    level = float(np.sqrt(np.mean(np.square(held), dtype=np.float64)))
    time_s = np.arange(len(audio)) / sample_rate
    shape = np.exp(-np.maximum(time_s - told.gate_s, 0.0) / _NOISE_RELEASE_S)
    return (level * shape * np.random.default_rng(seed).normal(size=len(audio))).astype(np.float32)


def paper_notes(
    checkpoint: Path, conditions: Sequence[Told], seed: int, sample_rate: int
) -> Iterator[tuple[Audio, Told]]:
    """Samples of the paper's model, 4 s at 16 kHz, cut to the conditions' lengths. It knows no pitch to ask for.

    UserError when this installation cannot sample it.
    """
    try:
        sampling = importlib.import_module("noisysynth.train.noisygan.sampling")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("noisysynth"):
            raise
        raise UserError("--paper: this installation does not have the paper's model; leave --paper out") from None
    for audio, told in zip(sampling.samples(checkpoint, len(conditions), seed), conditions, strict=True):
        at_rate = resample(np.asarray(audio, np.float32), PAPER_RATE, sample_rate)
        yield as_heard(at_rate, sample_rate, told), told


def narrowed(audio: Audio, sample_rate: int) -> Audio:
    """The audio as it would have survived the paper's 16 kHz."""
    narrow = resample(resample(audio, sample_rate, PAPER_RATE), PAPER_RATE, sample_rate)
    return np.pad(narrow[: len(audio)], (0, max(0, len(audio) - len(narrow))))
