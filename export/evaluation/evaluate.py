"""The whole evaluation, step by step; every step leaves its figures in `results`, whatever becomes of the next."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from noisysynth.engine.control_net import ControlNet
from noisysynth.export.evaluation import embedding as ears
from noisysynth.export.evaluation import latent, playability
from noisysynth.export.evaluation.candidates import (
    Encoder,
    ddsp_resynthesis,
    narrowed,
    noise_like,
    paper_notes,
    prior_latents,
    prior_notes,
    rebuilt,
)
from noisysynth.export.evaluation.envelopes import sounds_again_db
from noisysynth.export.evaluation.listening import NOTHING, Heard, Listener, compare, over_seeds, with_floor
from noisysynth.export.evaluation.metrics import memorised
from noisysynth.export.evaluation.notes import Audio, NoteSet, RealNote, Sets, Told, drawn
from noisysynth.export.evaluation.pitch import pitch_figures
from noisysynth.export.evaluation.playability import Timbre
from noisysynth.export.evaluation.rendering import Player
from noisysynth.instrument import Instrument
from noisysynth.listening.distance import multi_scale_spectral_distance
from noisysynth.spec import SynthSpec

_HALVINGS = 5
_RELEASED_S = 0.5  # so long a note must be heard after its release, to say whether it sounds again
_FIRST_SEED = 100
_SHUFFLES = 4  # of the training notes that real ones are compared with: one says too little of the floor


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured. notes: N of every comparison. seeds: draws of the prior.

    paired: notes whose spectral distances are measured. per_key: notes of each of 61 keys. timbres: places in the
    latent space that are played. lines, ladders: of the latent space. sustained: recordings that are held for 10 s.
    shown: notes of each kind on the page.
    """

    notes: int = 500
    seeds: int = 3
    paired: int = 120
    per_key: int = 8
    timbres: int = 20
    lines: int = 100
    ladders: int = 16
    sustained: int = 24
    shown: int = 8
    embedding_steps: int = ears.STEPS


QUICK = Settings(notes=150, seeds=1, paired=40, per_key=2, timbres=8, lines=24, ladders=4, sustained=8, shown=4)


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """A note for the page. sounds: by who plays it, the first as the standard."""

    title: str
    told: Told
    sounds: dict[str, Audio]


@dataclasses.dataclass
class Gallery:
    """What the page lets one see and hear."""

    pairs: list[Shown] = dataclasses.field(default_factory=list)
    foreign: list[Shown] = dataclasses.field(default_factory=list)
    prior: list[Shown] = dataclasses.field(default_factory=list)
    paper: list[Shown] = dataclasses.field(default_factory=list)
    ladders: list[tuple[str, list[Audio]]] = dataclasses.field(default_factory=list)


class Evaluation:
    """results: figures as plain numbers, lists and names. gallery: sounds. `steps` is what `run` goes through."""

    def __init__(
        self,
        instrument: Instrument,
        sets: Sets,
        settings: Settings,
        keep_embedding: Path,
        paper: Path | None = None,
        show_progress: bool = True,
    ) -> None:
        """keep_embedding: the file in which the embedding is looked for and kept.

        UserError: the instrument has no encoder, or a broken network.
        """
        self.instrument, self.sets, self.settings = instrument, sets, settings
        self.results: dict[str, Any] = {"sets": {}, "pitch": {}, "paired": {}, "seconds": {}}
        self.gallery = Gallery()
        self._keep_embedding, self._paper, self._show = keep_embedding, paper, show_progress
        self._spec: SynthSpec = sets.spec
        self._encoder = Encoder(instrument)
        self._player = Player(instrument, sets.sample_rate)
        self._run = ControlNet(instrument).run
        self._listener: Listener | None = None
        self._fresh: list[Heard] = []
        self._disjoint = 0  # so many of them, the first, have no note in common
        self._held_out = self._foreign = NOTHING
        self.steps: list[tuple[str, Callable[[], None]]] = [
            ("embedding", self._embedding),
            ("real notes", self._real),
            ("model", self._model),
            ("rebuilt notes", self._rebuilt),
            ("noise", self._noise),
            ("keyboard", self._keyboard),
            ("velocity", self._velocity),
            ("gates", self._gates),
            ("sustain", self._sustain),
            ("path length", self._path_length),
            ("ladders", self._ladders),
        ]
        if paper is not None:
            self.steps.insert(3, ("paper's model", self._paper_model))

    def run(self, after_each: Callable[[], None]) -> None:
        """Every step in turn; after_each is called when one is done."""
        for name, step in self.steps:
            start_s = time.perf_counter()
            step()
            self.results["seconds"][name] = round(time.perf_counter() - start_s, 2)
            after_each()

    # --- sets of notes

    def _embedding(self) -> None:
        learned, steps = self.sets.learned, self.settings.embedding_steps
        wanted = ears.fingerprint(learned, steps)
        found = ears.load_embedding(self._keep_embedding, wanted)
        if found is None:
            with self._bar("training the embedding", ears.effort(learned, steps)) as progress:
                found = ears.train_embedding(learned, steps, progress)
            ears.save_embedding(self._keep_embedding, found, wanted)
        self._listener = Listener(found, self.sets.sample_rate)

    def _real(self) -> None:
        sets = self.sets
        total = len(sets.held_out) + len(sets.fresh) + len(sets.foreign)
        with self._bar("hearing real notes", total) as progress:
            fresh = self.listener.hear(((real.audio, real.told) for real in sets.fresh), progress)
            fresh = self.listener.calibrate(fresh)
            n = len(sets.held_out)
            shuffles = _SHUFFLES if len(fresh) > n else 1
            self._fresh = [part for seed in range(shuffles) for part in fresh.parts(n, seed)]
            self._disjoint = len(self._fresh) // shuffles
            held_out = self.listener.hear(((real.audio, real.told) for real in sets.held_out), progress)
            foreign = self.listener.hear(((real.audio, real.told) for real in sets.foreign), progress)
        self._held_out, self._foreign = held_out, foreign
        self.results["embedding"] = self.listener.embedding.accuracy(held_out.levels, sets.held_out)
        rows = self.results["sets"]
        rows["floor"] = self._against_fresh(held_out)
        rows["floor_halves"] = over_seeds([compare(*_halves(held_out, seed)) for seed in range(_HALVINGS)])
        if len(foreign) > 1:
            rows["floor_foreign"] = over_seeds([compare(part, foreign) for part in self._fresh], self._disjoint)
            rows["floor_foreign_halves"] = over_seeds([compare(*_halves(foreign, seed)) for seed in range(_HALVINGS)])
            # Unseen instruments as a model of the seen ones, at the floor of as many notes.
            floor = self._against_fresh(held_out.some(len(foreign)))
            rows["foreign"] = with_floor(over_seeds([compare(foreign, held_out)]), floor)
        self.results["pitch"]["real"] = pitch_figures(fresh.readings + held_out.readings)

    def _model(self) -> None:
        n, seeds = len(self.sets.held_out), self.settings.seeds
        against, against_foreign, near, readings = [], [], [], []
        with self._bar("playing the prior", n * seeds) as progress:
            for seed in range(_FIRST_SEED, _FIRST_SEED + seeds):
                conditions = self.sets.conditions(n, seed)
                played = prior_notes(self._player, conditions, seed)
                if seed == _FIRST_SEED:
                    played = self._show_some(played, self.gallery.prior, "drawn from the prior")
                samples = self.listener.hear(played, progress)
                against.append(compare(samples, self._held_out))
                if len(self._foreign) > 1:
                    against_foreign.append(compare(samples, self._foreign))
                near += [memorised(samples.trained, part.trained, self._held_out.trained) for part in self._fresh]
                readings += samples.readings
        rows = self.results["sets"]
        rows["model"] = with_floor(over_seeds(against), rows["floor"])
        if against_foreign:
            rows["model_foreign"] = with_floor(over_seeds(against_foreign), rows["floor_foreign"])
        self.results["pitch"]["model"] = pitch_figures(readings)
        self.results["memorisation"] = {
            "n": n,
            "share": float(np.mean([each.share for each in near])),
            "z": float(np.mean([each.z for each in near])),
            "ratio": float(np.mean([each.ratio for each in near])),
        }

    def _paper_model(self) -> None:
        assert self._paper is not None
        n, seeds = len(self.sets.held_out), self.settings.seeds
        rows = self.results["sets"]
        with self._bar("the paper's model", n * (seeds + 1)) as progress:
            against = []
            for seed in range(_FIRST_SEED, _FIRST_SEED + seeds):
                conditions = self.sets.conditions(n, seed)
                played = paper_notes(self._paper, conditions, seed, self.sets.sample_rate)
                if seed == _FIRST_SEED:
                    played = self._show_some(played, self.gallery.paper, "the paper's model")
                samples = self.listener.hear(played, progress, with_pitch=False)
                against.append(compare(samples, self._held_out))
            rows["paper"] = with_floor(over_seeds(against), rows["floor"])
            # How much of its distance is the missing octave above 8 kHz.
            narrow = ((narrowed(real.audio, self.sets.sample_rate), real.told) for real in self.sets.held_out)
            samples = self.listener.hear(narrow, progress, with_pitch=False)
            rows["real_16k"] = with_floor(self._against_fresh(samples), rows["floor"])

    def _rebuilt(self) -> None:
        """Held-out notes through the encoder, and by their own analysis: compared with the training notes, so that no
        note is compared with itself, and with themselves by spectral distance."""
        held_out, foreign = self.sets.held_out, self.sets.foreign
        with self._bar("rebuilding held-out notes", 2 * len(held_out)) as progress:
            rows = self.results["sets"]
            by_model = self.listener.hear(
                ((rebuilt(self._player, self._encoder, real), real.told) for real in held_out), progress
            )
            by_analysis = self.listener.hear(
                ((ddsp_resynthesis(real, self._spec), real.told) for real in held_out), progress
            )
        for name, samples in (("rebuilt", by_model), ("ddsp", by_analysis)):
            rows[name] = with_floor(self._against_fresh(samples), rows["floor"])
            self.results["pitch"][name] = pitch_figures(samples.readings)
        for name, notes, shown in (
            ("held_out", held_out, self.gallery.pairs),
            ("foreign", foreign, self.gallery.foreign),
        ):
            if len(notes):
                self.results["paired"][name] = self._paired(notes, shown)

    def _paired(self, notes: NoteSet, shown: list[Shown]) -> dict[str, float]:
        """Spectral distances from the notes themselves, and how far rebuilt ones rise again once they are let go."""
        some = notes.some(self.settings.paired, seed=1)
        picked = set(drawn(range(len(some)), self.settings.shown, seed=3))
        rate = self.sets.sample_rate
        distances, again_db = [], []
        with self._bar(f"comparing {notes.name}", len(some)) as progress:
            for i, real in enumerate(some):
                sounds = {
                    "recorded": real.audio,
                    "rebuilt": rebuilt(self._player, self._encoder, real),
                    "DDSP fit": ddsp_resynthesis(real, self._spec),
                }
                distances.append(
                    [multi_scale_spectral_distance(sounds[who], real.audio) for who in ("rebuilt", "DDSP fit")]
                )
                if real.told.heard_s - real.told.gate_s >= _RELEASED_S:
                    again_db.append(sounds_again_db(sounds["rebuilt"], rate, real.told.gate_s))
                if i in picked:
                    shown.append(
                        Shown(_title(real), real.told, {who: audio[: 4 * rate] for who, audio in sounds.items()})
                    )
                progress(1)
        rebuilds, fits = np.array(distances).T
        return {
            "n": len(some),
            "rebuilt": float(rebuilds.mean()),
            "ddsp": float(fits.mean()),
            "ratio": float(rebuilds.mean() / fits.mean()),
            "released": len(again_db),
            "again": int(np.count_nonzero(np.array(again_db) > playability.AGAIN_DB)),
            "again_db": max(again_db, default=0.0),
        }

    def _noise(self) -> None:
        held_out = self.sets.held_out
        rate = self.sets.sample_rate
        with self._bar("noise", len(held_out)) as progress:
            samples = self.listener.hear(
                ((noise_like(real.audio, real.told, rate, i), real.told) for i, real in enumerate(held_out)),
                progress,
                with_pitch=False,
            )
        rows = self.results["sets"]
        rows["noise"] = with_floor(self._against_fresh(samples), rows["floor"])

    # --- playing

    def timbres(self, n: int) -> list[Timbre]:
        """Presets, spread over their list, and as many draws of the prior."""
        presets = self.instrument.presets
        places = np.unique(np.linspace(0, len(presets) - 1, min(len(presets), n // 2)).round().astype(int))
        chosen = [Timbre(presets[i].name, presets[i].latent) for i in places]
        prior = prior_latents(self.instrument, n - len(chosen), _FIRST_SEED)
        return chosen + [Timbre(f"prior {i + 1}", z) for i, z in enumerate(prior)]

    def _keyboard(self) -> None:
        keys, per_key = len(playability.KEYS), self.settings.per_key
        with self._bar("every key", keys * per_key) as progress:
            timbres = self.timbres(self.settings.timbres)
            self.results["keyboard"] = playability.keyboard(self._player, timbres, per_key, progress)

    def _velocity(self) -> None:
        timbres = self.timbres(self.settings.timbres)
        with self._bar("velocities", len(timbres) * len(playability.VELOCITIES)) as progress:
            self.results["velocity"] = playability.velocity(self._player, timbres, progress)

    def _gates(self) -> None:
        timbres = self.timbres(self.settings.timbres)
        with self._bar("gates", len(timbres) * len(playability.GATES_S)) as progress:
            self.results["gates"] = playability.gates(self._player, timbres, progress)

    def _sustain(self) -> None:
        sustained = []
        for real in self.sets.held_out:
            if playability.is_sustained(real, self._spec.frame_rate):
                sustained.append((self._encoder.latent(real.note.log_mel), real.told, real.audio))
            if len(sustained) == self.settings.sustained:
                break
        with self._bar("long notes", len(sustained)) as progress:
            self.results["sustain"] = playability.sustain(self._player, sustained, progress)

    # --- latent space

    def _path_length(self) -> None:
        n = self.settings.lines
        with self._bar("path length", 3 * n) as progress:
            self.results["path"] = latent.path_length(self._player, self.listener.embed, n, _FIRST_SEED, progress)

    def _ladders(self) -> None:
        timbres, n = self.timbres(self.settings.timbres), self.settings.ladders
        with self._bar("ladders", n * latent.RUNGS) as progress:
            figures, played = latent.ladders(
                self._player, self._run, self.listener.embed, timbres, n, _FIRST_SEED, progress
            )
        self.results["ladders"] = figures
        self.gallery.ladders = played[:3]

    # --- small things

    def _against_fresh(self, samples: Heard) -> dict[str, Any]:
        """The samples compared with each part of the training notes that are new to the embedding."""
        return over_seeds([compare(samples, part) for part in self._fresh], self._disjoint)

    @property
    def listener(self) -> Listener:
        assert self._listener is not None, "the embedding comes first"
        return self._listener

    def _show_some(
        self, notes: Iterator[tuple[Audio, Told]], shown: list[Shown], title: str
    ) -> Iterator[tuple[Audio, Told]]:
        """The same notes; the first few are kept for the page."""
        for audio, told in notes:
            if len(shown) < self.settings.shown:
                shown.append(Shown(f"{title}, {_conditions(told)}", told, {title: audio}))
            yield audio, told

    @contextlib.contextmanager
    def _bar(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        with tqdm(total=total, desc=what, unit="note", leave=False, disable=None if self._show else True) as bar:

            def progress(count: int) -> None:
                bar.update(count)

            yield progress


def _halves(heard: Heard, seed: int) -> tuple[Heard, Heard]:
    order = np.random.default_rng(seed).permutation(len(heard))
    half = len(heard) // 2
    return heard.rows(order[:half]), heard.rows(order[half : 2 * half])


def _title(real: RealNote) -> str:
    return f"{real.note.instrument}, {_conditions(real.told)}"


def _conditions(told: Told) -> str:
    return f"key {told.pitch:g}, velocity {told.velocity:.2f}, gate {told.gate_s:.2f} s"


def plain_json(value: Any) -> Any:
    """Numbers that JSON has not (NaN, infinity) become null, at any depth."""
    if isinstance(value, dict):
        return {str(key): plain_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
