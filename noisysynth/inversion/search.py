"""Inversion: which latent of an instrument sounds like a recorded note.

Starts (the encoder's answer, the instrument's presets, draws from the prior) are compared by the spectra that their
controls lead to; the best go downhill there, where a step costs milliseconds; the best of these goes on by audio. Each
stage minimises absolute differences of spectra plus a prior, which keeps the latent where the instrument was trained:
what is reached far outside may fit this note, and its neighbours on the keyboard would be anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from noisysynth.engine.control_net import ControlNet
from noisysynth.instrument import Instrument
from noisysynth.inversion.encoder import encode
from noisysynth.inversion.expected import ExpectedSpectra
from noisysynth.inversion.heard import HeardSpectra
from noisysynth.inversion.least_squares import Descent, Problem, Residuals
from noisysynth.inversion.movement import movement_db
from noisysynth.inversion.note import RecordedNote
from noisysynth.inversion.point import KNOBS, Layout, Point, Vector
from noisysynth.inversion.voices import Voices
from noisysynth.listening.distance import SpectralDistance
from noisysynth.listening.resampling import resample

# What a root mean square of z of one (a usual latent) costs, in nepers of mean spectral difference.
PRIOR = 0.03
MOST_NORM = 2.0  # of z, root mean square; or the furthest preset's, if that is further
N_PRIOR_DRAWS = 48
N_STARTS = 6
N_FINALISTS = 2
FIRST_STEPS, MORE_STEPS, AUDIO_STEPS = 6, 24, 8
PLAYED_STEPS = 8
AUDIO_STEP_SHARE = 16  # of the way, in steps by controls
DIFFERENCE_STEP = 0.02
# The same of a step of everything else, in the layout's units.
PRECISION = {
    "velocity": 0.01,
    "level": 0.005,
    "gate": 0.0,
    "tuning": 0.01,
    "tilt": 0.01,
    "noise": 0.005,
    "attack": 0.01,
    "release": 0.01,
}
NOISE_FROM = 12_345
LEAST_MOVE_DB = 0.15
SHIMMERS = (0.0, 0.5, 1.0, 1.5)  # that are tried; what a latent moves too little has reasons that shimmer is not


@dataclasses.dataclass(frozen=True)
class Progress:
    """share: 0..1 of the way. what: in a few words. point: the best so far, where there is a new one."""

    share: float
    what: str
    point: Point | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Inversion:
    """What was found. Distances are `SpectralDistance`s of audio rendered without shimmer, level and gate fitted in
    each.

    encoder_distance: of the encoder's own answer; None without one. preset: the nearest, and its distance.
    audio: [samples] of the result at the note's rate.
    """

    point: Point
    distance: float
    encoder_distance: float | None
    preset: str
    preset_distance: float
    audio: npt.NDArray[np.float32]


class Search:
    """One instrument and one recorded note; `run` does it all, the rest is for those who measure."""

    def __init__(self, instrument: Instrument, note: RecordedNote, knobs: bool = True, seed: int = 0) -> None:
        """knobs: whether Tilt, Noise, Attack, Release and Shimmer may be turned, too."""
        spec = instrument.spec
        self.instrument = instrument
        self.note = note
        if note.rate != spec.sample_rate:
            audio = resample(note.audio, note.rate, spec.sample_rate)
            self.note = dataclasses.replace(note, audio=audio, rate=spec.sample_rate)
        self._knobs = knobs
        self._rng = np.random.default_rng(seed)
        self.layout = Layout(spec.latent_size, gated=bool(np.isfinite(note.gate_s)))
        self.voices = Voices(ControlNet(instrument), self.layout, note.pitch)
        self._expected = ExpectedSpectra(self.note, spec)
        self._heard = HeardSpectra(self.note)
        self._measure = SpectralDistance(self.note.audio)
        self.presets = np.stack([preset.latent for preset in instrument.presets])
        norms = np.sqrt(np.mean(np.square(self.presets, dtype=np.float64), axis=1))
        self._radius = max(MOST_NORM, float(norms.max())) * np.sqrt(spec.latent_size)

    # starts

    def encoded(self) -> npt.NDArray[np.float32] | None:
        """The encoder's latent [Z]."""
        return encode(self.instrument, self.note)

    def drawn(self, count: int) -> npt.NDArray[np.float32]:
        """Latents [count, Z] from the prior, for the note's key."""
        pitch, velocity = np.full(count, self.note.pitch), self._rng.uniform(0.4, 1.0, count)
        return self.instrument.draw_latents_for(pitch, velocity, self._rng)

    def vectors(self, latents: npt.NDArray[np.float32]) -> Vector:
        """Latents [B, Z] as vectors [B, size], with what else is guessed."""
        return np.stack([self.layout.vector(Point(z, gate_s=self.note.gate_s)) for z in latents])

    # the two measures

    def by_controls(self) -> Problem:
        def residuals(vectors: Vector) -> Residuals:
            return self._expected.residuals(self.voices.controls(vectors, self._expected.times_s))

        return self._problem(residuals, self._expected.weights, tuned=False)

    def by_audio(self) -> Problem:
        def residuals(vectors: Vector) -> Residuals:
            return self._heard.residuals(self.render(vectors))

        return self._problem(residuals, self._heard.weights, tuned=True)

    def played_only(self, problem: Problem) -> Problem:
        """The same with the latent where it is: what is left of a start that is played as well as it can be."""
        steps = problem.steps.copy()
        steps[: self.layout.latent_size] = 0.0
        steps[[self.layout.at[name] for name in KNOBS]] = 0.0
        return dataclasses.replace(problem, steps=steps)

    def _problem(self, residuals: Callable[[Vector], Residuals], weights: Residuals, tuned: bool) -> Problem:
        layout = self.layout
        precision = np.full(layout.size, PRIOR / layout.latent_size)
        steps = np.full(layout.size, DIFFERENCE_STEP)
        mean = layout.vector(Point(np.zeros(layout.latent_size, np.float32), gate_s=self.note.gate_s))
        for name, value in PRECISION.items():
            precision[layout.at[name]] = value
        still = () if self._knobs else KNOBS
        for name in (*still, *(() if layout.gated else ("gate", "release")), *(() if tuned else ("tuning",))):
            steps[layout.at[name]] = 0.0
        return Problem(residuals, weights, precision, mean, steps, self._radius, layout.latent_size)

    def render(self, vectors: Vector, noise_from: int = NOISE_FROM, shimmer: float = 0.0) -> npt.NDArray[np.float32]:
        """Audio [B, samples], as long as the note."""
        return self.voices.audio(vectors, len(self.note.audio), self.note.rate, noise_from, shimmer)

    def shimmer(self, vector: Vector) -> float:
        """How much of it makes the sound move as the recording does: its distance alone would always ask for none."""
        if not (self._knobs and self.voices.net.shimmers):
            return 1.0
        note = self.note
        gate_s = min(self.layout.point(vector).gate_s, note.seconds)
        sounds = [note.audio, *(self.render(vector[None, :], shimmer=each)[0] for each in SHIMMERS)]
        wanted, *moves = (movement_db(sound, note.rate, gate_s, note.highest_hz) for sound in sounds)
        # Of a sound that hardly trembles, however much it is told to, the noise would decide.
        if not moves[-1] - moves[0] > LEAST_MOVE_DB or not np.isfinite(wanted):
            return 1.0
        return float(np.interp(wanted, np.maximum.accumulate(moves), SHIMMERS))

    def distance(self, vector: Vector) -> float:
        """The spectral distance of what it sounds like, with a noise that no stage of the search has heard."""
        return self._measure(self.render(vector[None, :], noise_from=10 * NOISE_FROM)[0])

    def played(self, latents: npt.NDArray[np.float32], keep: int | None = None) -> list[Descent]:
        """Latents [B, Z], each with velocity, level and gate fitted, the nearest first.

        keep: only so many that are nearest with the level alone fitted.
        """
        problem = self.played_only(self.by_controls())
        descents = Descent.starts(problem, self.levelled(self.vectors(latents)))[:keep]
        for descent in descents:
            for _ in range(PLAYED_STEPS):
                if not descent.done:
                    descent.step()
        return sorted(descents, key=lambda descent: descent.cost)

    def levelled(self, vectors: Vector) -> Vector:
        """With the level that makes the median difference nothing: starts differ in loudness first of all."""
        residuals = self._expected.residuals(self.voices.controls(vectors, self._expected.times_s))
        out = vectors.copy()
        strong = self._expected.strong
        neper = np.median(residuals[:, strong], axis=1)
        out[:, self.layout.at["level"]] -= neper * (20.0 / np.log(10.0)) / 6.0
        return out

    # all of it

    def run(self, told: Callable[[Progress], None] = lambda _: None) -> Inversion:
        problem = self.by_controls()
        encoded = self.encoded()
        latents = [self.presets, self.drawn(N_PRIOR_DRAWS)] + ([encoded[None]] if encoded is not None else [])
        crowd = self.levelled(self.vectors(np.concatenate(latents)))
        descents = Descent.starts(problem, crowd)
        first = descents[:N_STARTS]
        if encoded is not None:  # never left out: it has heard many recordings
            first = [*Descent.starts(problem, crowd[-1:]), *first[: N_STARTS - 1]]
        total = len(first) * FIRST_STEPS + N_FINALISTS * MORE_STEPS + AUDIO_STEP_SHARE * (AUDIO_STEPS + 1)
        steps = self._counted(total, told)
        for descent in first:
            for _ in range(FIRST_STEPS):
                descent.step()
                next(steps)("comparing starts", None)
        finalists = sorted(first, key=lambda descent: descent.cost)[:N_FINALISTS]
        for descent in finalists:
            for _ in range(MORE_STEPS):
                if not descent.done:
                    descent.step()
                next(steps)("searching", None)
        audible = Descent.starts(self.by_audio(), np.stack([descent.x for descent in finalists]))[0]
        for number in range(AUDIO_STEPS + 1):
            if number and not audible.done:
                audible.step()
            for _ in range(AUDIO_STEP_SHARE):
                next(steps)("refining by ear", self.layout.point(audible.x))
        return self._found(audible.x, encoded)

    def _found(self, vector: Vector, encoded: npt.NDArray[np.float32] | None) -> Inversion:
        nearest = self.played(self.presets, keep=4)[0]
        index = int(np.argmin(np.square(self.presets - nearest.x[: self.layout.latent_size]).sum(axis=1)))
        shimmer = self.shimmer(vector)
        return Inversion(
            point=dataclasses.replace(self.layout.point(vector), shimmer=shimmer),
            distance=self.distance(vector),
            encoder_distance=None if encoded is None else self.distance(self.played(encoded[None])[0].x),
            preset=self.instrument.presets[index].name,
            preset_distance=self.distance(nearest.x),
            audio=self.render(vector[None, :], shimmer=shimmer)[0],
        )

    @staticmethod
    def _counted(total: int, told: Callable[[Progress], None]) -> Iterator[Callable[[str, Point | None], None]]:
        for count in range(1, total + 1):
            yield lambda what, point, count=count: told(Progress(count / total, what, point))  # type: ignore[misc]
        while True:
            yield lambda what, point: None
