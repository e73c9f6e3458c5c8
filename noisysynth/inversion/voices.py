"""Points made to sound: the control network's frames of many candidates at once, and audio from the kernels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from noisysynth.dsp.harmonic import render_harmonics
from noisysynth.dsp.noise import render_noise
from noisysynth.engine.control_net import ControlFrames, ControlNet
from noisysynth.inversion.point import Layout, Vector
from noisysynth.spec import midi_to_hz

FRAME_S = 0.004  # as the engine's


class Voices:
    """Candidates [B, size] of one note, all at its pitch."""

    def __init__(self, net: ControlNet, layout: Layout, pitch: float) -> None:
        self.net = net
        self.layout = layout
        self.pitch = pitch

    def controls(self, vectors: Vector, times_s: npt.NDArray[np.float32], shimmer: float = 0.0) -> ControlFrames:
        """At times_s [F] since note-on, with the fitted level and knobs: so harmonics need not sum to one.

        shimmer: none while one searches, for the recording trembles with phases of its own: what comes nearest is
        what does not.
        """
        points = self.layout.columns(vectors)
        time_on = np.repeat(np.maximum(times_s, 0.0)[None, :], len(vectors), axis=0).astype(np.float32)
        time_off = time_on - points["gate_s"][:, None]
        frames = self.net.run(
            points["z"],
            np.full(len(vectors), self.pitch, np.float32),
            points["velocity"],
            time_on / points["attack"][:, None],
            np.where(time_off > 0.0, time_off / points["release"][:, None], time_off),
            np.full_like(time_on, shimmer),
            time_on,  # never stretched
        )
        gain = (10.0 ** (points["level_db"] / 20.0)).astype(np.float32)
        tuning = (2.0 ** (points["cents"] / 1200.0)).astype(np.float32)
        octaves = np.log2(np.arange(1, frames.harmonics.shape[2] + 1, dtype=np.float32))
        tilt = (10.0 ** (points["tilt_db"][:, None] * octaves / 20.0)).astype(np.float32)
        noise_gain = gain * (10.0 ** (points["noise_db"] / 20.0)).astype(np.float32)
        return ControlFrames(
            frames.f0_ratio * tuning[:, None],
            frames.amplitude * gain[:, None],
            frames.harmonics * tilt[:, None, :],
            frames.noise * noise_gain[:, None, None],
        )

    def audio(
        self, vectors: Vector, n_samples: int, rate: int, noise_from: int = 0, shimmer: float = 0.0
    ) -> npt.NDArray[np.float32]:
        """[B, n_samples]; every candidate hears the same noise, so that they differ only by what they say.

        noise_from: where in the endless noise it begins.
        """
        hop = round(FRAME_S * rate)
        n_frames = -(-n_samples // hop) + 1
        times_s = (np.arange(n_frames) * (hop / rate)).astype(np.float32)
        frames = self.controls(vectors, times_s, shimmer)
        f0_hz = (float(midi_to_hz(self.pitch)) * frames.f0_ratio).astype(np.float32)
        partials = frames.amplitude[..., None] * frames.harmonics
        position = np.full(len(vectors), noise_from, np.int64)
        out = render_harmonics(f0_hz, partials, rate, hop)
        out += render_noise(frames.noise, rate, hop, position)
        return out[:, :n_samples]
