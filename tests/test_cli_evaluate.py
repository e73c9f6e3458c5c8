"""noisysynth-evaluate on a tiny data set and a tiny instrument: figures, page, picture, and bad input."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import shutil
import sys
import types
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from make_instrument import write_test_instrument

from noisysynth.export.cli_evaluate import main
from noisysynth.export.evaluation import candidates, evaluate
from noisysynth.export.evaluation import embedding as ears
from noisysynth.export.evaluation.notes import LONGEST_S, Sets, Told, as_heard, choose_sets
from noisysynth.spec import SynthSpec
from noisysynth.train import prepared
from noisysynth.train.clip import Clip, Rejected
from noisysynth.train.prepared import prepare

RATE = 44_100
TINY = evaluate.Settings(
    notes=6, seeds=2, paired=2, per_key=1, timbres=3, lines=2, ladders=1, sustained=1, shown=1, embedding_steps=4
)


class Tones:
    """Short tones of twelve instruments, each with its own balance of two partials."""

    n_notes = 108
    n_batches = 1
    attribution: list[str] = ["Tones: made here, CC0"]  # noqa: RUF012

    def arguments(self) -> dict[str, Any]:
        return {"kind": "tones"}

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        for i in range(self.n_notes):
            instrument, pitch = i % 12, 60.0 + i // 6
            t = np.arange(RATE // 4) / RATE
            phase = 2 * np.pi * 440.0 * 2 ** ((pitch - 69) / 12) * t
            envelope = np.minimum(t / 0.005, 1.0) * np.exp(-np.maximum(t - 0.15, 0.0) / 0.02)
            audio = 0.3 * envelope * (np.sin(phase) + 0.08 * instrument * np.sin(2 * phase))
            yield Clip(
                audio.astype(np.float32), RATE, pitch, 0.4 + 0.2 * (i % 3), 0.15, f"tone{i}", f"tone{instrument}"
            )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "tones"
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # neighbouring instruments are so alike that they pass for one recording
        patch.setattr(prepared, "duplicates", lambda notes: [])
        prepare(Tones(), out, SynthSpec())
    return out


@pytest.fixture(scope="module")
def instrument(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_test_instrument(tmp_path_factory.mktemp("instrument") / "organ.noisy")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "QUICK", TINY)


@pytest.fixture(scope="module")
def evaluated(data: Path, instrument: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("evaluated")
    sampling = types.ModuleType("sampling")

    def samples(checkpoint: Path, n: int, seed: int) -> np.ndarray:
        return 0.1 * np.random.default_rng(seed).normal(size=(n, 64_000)).astype(np.float32)

    sampling.samples = samples  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "QUICK", TINY)
        patch.setitem(sys.modules, "noisysynth.train.noisygan.sampling", sampling)
        arguments = [str(instrument), "--data", str(data), "--out", str(out), "--quick", "--no-progress"]
        assert main([*arguments, "--paper", str(instrument)]) == 0
    return out, json.loads((out / "metrics.json").read_text())


def test_every_figure_is_there(evaluated: tuple[Path, dict[str, Any]]) -> None:
    _, metrics = evaluated
    assert metrics["complete"] is True
    assert metrics["instrument"]["name"] == "Test Organ"
    rows = metrics["sets"]
    assert set(rows) == {
        "floor", "floor_halves", "floor_foreign", "floor_foreign_halves", "foreign", "model", "model_foreign", "paper",
        "real_16k", "rebuilt", "ddsp", "noise",
    }  # fmt: skip
    for name, row in rows.items():
        assert row["n"] == (3 if "halves" in name else 6), name
        assert row["trained"]["frechet"] > 0.0, name
        assert row["plain"]["frechet"] > 0.0, name
    assert rows["model"]["times"] == TINY.seeds
    assert rows["model"]["trained"]["floor"] == rows["floor"]["trained"]["frechet"]
    for name in ("keyboard", "velocity", "gates", "sustain", "path", "ladders", "memorisation", "embedding", "paired"):
        assert name in metrics, name
    assert {bar["passed"] for bar in metrics["bars"]} <= {True, False, None}
    assert len(metrics["bars"]) >= 9


def test_the_test_organ_plays_as_it_was_built(evaluated: tuple[Path, dict[str, Any]]) -> None:
    """Its network is exactly in tune, louder with velocity, and releases by an exponential."""
    _, metrics = evaluated
    assert metrics["keyboard"]["within_10"] == 1.0
    assert metrics["keyboard"]["audible"] == 1.0
    assert metrics["velocity"]["monotonic"] == 1.0
    assert metrics["velocity"]["range_db"] == pytest.approx(20.0, abs=0.5)
    assert metrics["gates"]["hanging"] == metrics["gates"]["silent"] == metrics["gates"]["clicks"] == 0
    assert metrics["gates"]["drift_cents"] < 1.5  # heard through its noise


def test_noise_is_further_away_than_real_notes(evaluated: tuple[Path, dict[str, Any]]) -> None:
    _, metrics = evaluated
    for embedding in ("trained", "plain"):
        assert metrics["sets"]["noise"][embedding]["frechet"] > 2.0 * metrics["sets"]["floor"][embedding]["frechet"]
    assert metrics["sets"]["noise"]["plain"]["coverage"] is not None
    assert metrics["paired"]["held_out"]["ddsp"] < metrics["paired"]["held_out"]["rebuilt"]


class _Tags(HTMLParser):
    """Every tag closed in the order it was opened; collects sources and players."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.players = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.players += tag == "audio"
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_needs_nothing_beside_it(evaluated: tuple[Path, dict[str, Any]]) -> None:
    out, _ = evaluated
    page = (out / "index.html").read_text()
    tags = _Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    # Held-out note and foreign note with three sounds each, one of the prior, one of the paper's, nine rungs.
    assert tags.players == 3 + 3 + 1 + 1 + 9
    kinds = [re.match(r"data:([a-z]+/[a-z]+);base64,", source) for source in tags.sources]
    assert all(kinds), "something would be loaded from elsewhere"
    for source, kind in zip(tags.sources, kinds, strict=True):
        content = base64.b64decode(source.partition(",")[2], validate=True)
        assert kind is not None
        if kind.group(1) == "audio/flac":
            audio, rate = soundfile.read(io.BytesIO(content))
            assert rate == RATE
            assert np.abs(audio).max() > 0.01
        else:
            assert content.startswith(b"\x89PNG\r\n")
    for words in ("Test Organ", "Tones: made here, CC0", "Memorisation", "Velocity", "Ladders", "the paper's model"):
        assert words in page.replace("&#x27;", "'"), words
    assert "Not complete" not in page
    assert (out / "summary.png").read_bytes().startswith(b"\x89PNG")


def test_stopped_half_way_leaves_what_was_measured(
    data: Path,
    instrument: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(self: evaluate.Evaluation) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate.Evaluation, "_rebuilt", interrupt)
    arguments = [str(instrument), "--data", str(data), "--out", str(tmp_path), "--quick", "--no-progress"]
    assert main(arguments) == 130
    assert str(tmp_path) in capsys.readouterr().err
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["complete"] is False
    assert "model" in metrics["sets"]
    assert "keyboard" not in metrics
    page = (tmp_path / "index.html").read_text()
    assert "Not complete" in page
    assert "not measured" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/none.noisy", "--data", "{data}", "--out", "{tmp}/out"], "cannot be read"),
        (["{instrument}", "--data", "{tmp}/none", "--out", "{tmp}/out"], "no prepared data at"),
        (["{instrument}", "--data", "{data}", "--out", "{data}/index.json"], "cannot be written"),
        (["{instrument}", "--data", "{data}", "--out", "{tmp}/out", "--paper", "{tmp}/none"], "no such checkpoint"),
        (["{bare}", "--data", "{data}", "--out", "{tmp}/out"], "has no encoder"),
        (["{instrument}", "--data", "{short}", "--out", "{tmp}/out"], "held-out notes; an evaluation needs"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    data: Path,
    instrument: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bare = write_test_instrument(tmp_path / "bare.noisy", encoder_onnx=None)
    short = tmp_path / "short"
    shutil.copytree(data, short)
    index = json.loads((short / "index.json").read_text())
    index["notes"] = [note for note in index["notes"] if note["split"] == "train"]
    (short / "index.json").write_text(json.dumps(index))
    places = {"tmp": tmp_path, "data": data, "instrument": instrument, "bare": bare, "short": short}
    filled = [argument.format(**places) for argument in arguments]
    assert main([*filled, "--quick", "--no-progress"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("noisysynth-evaluate: error: ")
    assert message in error


def test_paper_without_the_papers_model_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from noisysynth.errors import UserError

    monkeypatch.setitem(sys.modules, "noisysynth.train.noisygan.sampling", None)
    with pytest.raises(UserError, match="does not have the paper's model"):
        list(candidates.paper_notes(Path("x"), [Told(60.0, 0.8, 1.0)], 0, RATE))


# --- the sets


def test_no_note_is_on_two_sides(data: Path) -> None:
    sets = choose_sets([data], 50)
    groups = [set(each.ids) for each in (sets.held_out, sets.fresh, sets.foreign, sets.learned)]
    assert all(groups)
    assert sum(len(group) for group in groups) == len(set.union(*groups))
    assert len(sets.held_out) <= len(sets.fresh) <= 3 * len(sets.held_out)
    assert not set(sets.foreign.instruments) & set(sets.learned.instruments)
    assert choose_sets([data], 50).fresh.ids == sets.fresh.ids


def test_unseen_data_are_held_out(data: Path, tmp_path: Path) -> None:
    """Of trained instruments as notes, of others as instruments; data prepared otherwise are refused."""
    from noisysynth.errors import UserError

    unseen = tmp_path / "unseen"
    shutil.copytree(data, unseen)
    index = json.loads((unseen / "index.json").read_text())
    for note in index["notes"]:
        if note["instrument"] == "tone3":
            note["instrument"] = "never heard"
    (unseen / "index.json").write_text(json.dumps(index))
    alone, both = choose_sets([data], 1_000), choose_sets([data], 1_000, [unseen])
    assert len(both.held_out) == len(both.fresh) > len(alone.held_out)
    assert "never heard" not in both.held_out.instruments
    assert "never heard" in both.foreign.instruments
    assert both.learned.ids == alone.learned.ids
    every = choose_sets([data], 1_000, all_instruments=True)
    assert not len(every.foreign)
    assert set(alone.foreign.instruments) <= set(every.learned.instruments)
    index["spec"]["frame_rate"] = 200
    (unseen / "index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="prepared with other settings"):
        choose_sets([data], 10, [unseen])


def test_conditions_are_those_of_training_notes(data: Path) -> None:
    sets = choose_sets([data], 50)
    known = {dataclasses.astuple(told) for told in sets.learned.told}
    drawn = [dataclasses.astuple(told) for told in sets.conditions(20, 1)]
    assert set(drawn) <= known
    assert drawn == [dataclasses.astuple(told) for told in sets.conditions(20, 1)]
    assert drawn != [dataclasses.astuple(told) for told in sets.conditions(20, 2)]


def test_what_is_heard_of_a_note_is_bounded(data: Path) -> None:
    real = next(iter(choose_sets([data], 5).held_out))
    assert len(real.audio) == round((0.15 + 1.0) * RATE)
    assert not real.audio[-RATE // 10 :].any(), "filled up with silence"
    assert Told(60.0, 0.5, 9.0).heard_s == LONGEST_S
    assert len(as_heard(np.ones(10 * RATE, np.float32), RATE, Told(60.0, 0.5, 9.0))) == LONGEST_S * RATE


def test_ddsp_fit_is_near_its_note(data: Path) -> None:
    real = next(iter(choose_sets([data], 5).held_out))
    fit = candidates.ddsp_resynthesis(real, SynthSpec())
    assert len(fit) == len(real.audio)
    held = slice(round(0.02 * RATE), round(0.14 * RATE))
    levels = [np.sqrt(np.mean(audio[held].astype(float) ** 2)) for audio in (fit, real.audio)]
    assert levels[0] == pytest.approx(levels[1], rel=0.05)


# --- the embedding


def test_the_ear_hears_level_and_place() -> None:
    time_s = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 1000.0 * time_s) * (time_s > 0.5)
    levels = ears.heard(tone.astype(np.float32), RATE).astype(float)
    assert levels.shape == (ears.N_FRAMES, ears.N_MELS)
    assert levels[32:45].max() == pytest.approx(0.0, abs=1.5)
    assert levels[:22].max() < -60.0
    assert levels[60:].max() == -90.0
    half = ears.heard(0.5 * tone.astype(np.float32), RATE).astype(float)
    assert levels[40].max() - half[40].max() == pytest.approx(6.02, abs=0.1)
    high = ears.heard(np.sin(2 * np.pi * 4000.0 * time_s).astype(np.float32), RATE)
    assert high[40].argmax() > levels[40].argmax()


@pytest.fixture(scope="module")
def sets(data: Path) -> Sets:
    return choose_sets([data], 50)


def test_the_embedding_learns_and_is_the_same_again(sets: Sets) -> None:
    levels = np.stack([ears.heard(real.audio, RATE) for real in sets.held_out])
    blank = ears.train_embedding(sets.learned, steps=1)
    first, again = (ears.train_embedding(sets.learned, steps=12) for _ in range(2))
    np.testing.assert_array_equal(first(levels), again(levels))
    assert first(levels).shape == (len(levels), ears.SIZE)
    before, after = (each.accuracy(levels, sets.held_out) for each in (blank, first))
    assert after["velocity_error"] < before["velocity_error"]
    assert after["pitch_accuracy"] >= before["pitch_accuracy"]


def test_the_embedding_is_kept_and_found_only_for_its_notes(sets: Sets, tmp_path: Path) -> None:
    trained = ears.train_embedding(sets.learned, steps=2)
    path, wanted = tmp_path / ears.FILE_NAME, ears.fingerprint(sets.learned, 2)
    assert ears.load_embedding(path, wanted) is None
    assert ears.save_embedding(path, trained, wanted)
    found = ears.load_embedding(path, wanted)
    assert found is not None
    levels = np.stack([ears.heard(real.audio, RATE) for real in sets.held_out])
    np.testing.assert_array_equal(found(levels), trained(levels))
    assert found.instruments == trained.instruments
    assert ears.fingerprint(sets.fresh, 2) != wanted != ears.fingerprint(sets.learned, 3)
    assert ears.load_embedding(path, ears.fingerprint(sets.fresh, 2)) is None
    path.write_bytes(path.read_bytes()[:-200])
    assert ears.load_embedding(path, wanted) is None
    assert not ears.save_embedding(tmp_path / "none" / "x.npz", trained, wanted)
    assert list(tmp_path.iterdir()) == [path]
