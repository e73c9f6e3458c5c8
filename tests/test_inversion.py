"""From a recorded note to a latent: what is read, what is searched, in a process of its own and by a command."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pyqtgraph as pg
import pytest
import soundfile
from make_instrument import SPEC, make_test_instrument, write_test_instrument
from synthetic_notes import tone

from noisysynth.cli.invert import main
from noisysynth.engine.control_net import ControlFrames, ControlNet
from noisysynth.errors import UserError
from noisysynth.inversion import search as search_module
from noisysynth.inversion.client import SearchProcess
from noisysynth.inversion.expected import ExpectedSpectra
from noisysynth.inversion.least_squares import Descent, Problem
from noisysynth.inversion.messages import Failed, Found, Heard, Message, Underway
from noisysynth.inversion.movement import movement_db
from noisysynth.inversion.note import RecordedNote, read_recorded_note, recorded_note
from noisysynth.inversion.picture import COLUMNS, ROWS, _inferno, spectrogram, write_pair
from noisysynth.inversion.played import play
from noisysynth.inversion.point import Layout, Point
from noisysynth.inversion.search import Inversion, Progress, Search
from noisysynth.inversion.voices import Voices
from noisysynth.listening.distance import SpectralDistance
from noisysynth.ui.user_presets import UserPresets

GUITAR = Path(__file__).parent / "data" / "guitar.flac"
RATE = SPEC.sample_rate
PITCH = 57.3
LATENT = np.array([0.8, -0.9, 0, 0, 0, 0, 0, 0], np.float32)  # the other six do nothing in this instrument


def note_of(latent: np.ndarray = LATENT, gate_s: float = 0.45, seconds: float = 0.7) -> RecordedNote:
    """What the test instrument itself plays, as a recording."""
    instrument = make_test_instrument()
    layout = Layout(SPEC.latent_size, gated=True)
    vector = layout.vector(Point(latent, velocity=0.6, gate_s=gate_s))
    audio = Voices(ControlNet(instrument), layout, PITCH).audio(vector[None, :], round(seconds * RATE), RATE)[0]
    return recorded_note("organ.wav", np.pad(audio, (500, 0)), RATE, RATE)


@pytest.fixture(scope="module")
def note() -> RecordedNote:
    return note_of()


@pytest.fixture(scope="module")
def found(note: RecordedNote) -> tuple[Inversion, list[Progress]]:
    told: list[Progress] = []
    return Search(make_test_instrument(), note).run(told.append), told


class TestReading:
    def write(self, path: Path, audio: np.ndarray, rate: int = 22_050, subtype: str | None = None) -> Path:
        soundfile.write(path, audio, rate, subtype)
        return path

    @pytest.mark.parametrize(
        ("name", "subtype"),
        [
            ("a.wav", "PCM_16"),
            ("a.wav", "PCM_24"),
            ("a.wav", "FLOAT"),
            ("a.flac", "PCM_24"),
            ("a.mp3", None),
            ("a.ogg", None),
        ],
    )
    def test_formats(self, tmp_path: Path, name: str, subtype: str | None) -> None:
        read = read_recorded_note(self.write(tmp_path / name, tone(61.2, lead_s=0.3), subtype=subtype), RATE)
        assert read.pitch == pytest.approx(61.2, abs=0.05)
        assert read.rate == RATE
        assert read.seconds == pytest.approx(0.8, abs=0.06)  # MP3 pads
        assert np.abs(read.audio).max() == pytest.approx(0.9, abs=1e-3)
        assert np.abs(read.audio[: round(0.02 * RATE)]).max() > 0.1  # the onset is where it begins

    def test_stereo_is_mixed_down(self, tmp_path: Path) -> None:
        both = np.stack((tone(50), 0.3 * tone(50)), axis=1)
        assert read_recorded_note(self.write(tmp_path / "a.wav", both), RATE).pitch == pytest.approx(50.0, abs=0.05)

    def test_long_ones_are_cut_without_a_click(self, tmp_path: Path) -> None:
        read = read_recorded_note(self.write(tmp_path / "a.wav", tone(60, seconds=30.0)), RATE)
        assert read.seconds == 4.0
        assert read.gate_s == np.inf
        assert np.abs(read.audio[-20:]).max() < 0.01

    def test_low_rates_have_no_say_above(self, tmp_path: Path) -> None:
        assert read_recorded_note(self.write(tmp_path / "a.wav", tone(60, rate=8000), 8000), RATE).highest_hz < 4000.0

    def test_a_known_pitch_is_not_looked_for(self, tmp_path: Path) -> None:
        assert read_recorded_note(self.write(tmp_path / "a.wav", tone(60)), RATE, pitch=48.0).pitch == 48.0

    def test_a_recorded_guitar(self) -> None:
        read = read_recorded_note(GUITAR, RATE)
        assert read.pitch == pytest.approx(55.02, abs=0.05)
        assert read.highest_hz < 11_025

    @pytest.mark.parametrize("kind", ["missing", "empty", "text", "cut", "silent", "noise", "click", "no samples"])
    def test_what_is_no_note_is_told_in_a_line(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "a.wav"
        rng = np.random.default_rng(0)
        if kind in ("empty", "text"):
            path.write_bytes(b"" if kind == "empty" else b"this is no sound\n" * 9)
        elif kind == "cut":
            path.write_bytes(GUITAR.read_bytes()[:40])
        elif kind != "missing":
            audio = {
                "silent": np.zeros(9000), "noise": 0.2 * rng.standard_normal(20_000), "click": tone(60)[:400],
                "no samples": np.zeros(0),
            }  # fmt: skip
            self.write(path, audio[kind])
        with pytest.raises(UserError, match=r"a\.wav") as told:
            read_recorded_note(path, RATE)
        assert "\n" not in str(told.value)


class TestLeastSquares:
    def problem(self, target: np.ndarray, matrix: np.ndarray, **changes: object) -> Problem:
        size = matrix.shape[1]
        given = Problem(
            lambda x: (x @ matrix.T - target).astype(np.float32), np.ones(len(target), np.float32), np.zeros(size),
            np.zeros(size), np.full(size, 0.01), 100.0, size,
        )  # fmt: skip
        return dataclasses.replace(given, **changes)

    def run(self, problem: Problem, start: np.ndarray, steps: int = 60) -> np.ndarray:
        descent = Descent.starts(problem, start[None, :])[0]
        for _ in range(steps):
            if not descent.done:
                descent.step(least_gain=1e-9)
        return descent.x

    def test_outliers_do_not_pull(self) -> None:
        rng = np.random.default_rng(2)
        matrix, x = rng.standard_normal((200, 5)), np.array([1.0, -2.0, 0.5, 3.0, 0.0])
        target = matrix @ x
        target[::5] += 50.0
        assert self.run(self.problem(target, matrix), np.zeros(5)) == pytest.approx(x, abs=0.02)

    def test_prior_ball_and_fixed_values(self) -> None:
        rng = np.random.default_rng(3)
        matrix = rng.standard_normal((100, 3))
        target = matrix @ np.array([4.0, 0.0, 3.0])
        held = self.run(self.problem(target, matrix, radius=2.0), np.zeros(3))
        assert np.linalg.norm(held) == pytest.approx(2.0, abs=1e-6)
        near = self.run(self.problem(target, matrix, precision=np.full(3, 10.0)), np.zeros(3))
        assert np.linalg.norm(near) < 1.0
        fixed = self.run(self.problem(target, matrix, steps=np.array([0.01, 0.0, 0.01])), np.array([0.0, 1.0, 0.0]))
        assert fixed[1] == 1.0


def test_points_survive_the_layout() -> None:
    layout = Layout(3, gated=True)
    point = Point(np.array([0.1, -2.0, 3.0], np.float32), 0.3, -7.0, 0.4, 3.0, -2.5, 6.0, 0.5, 2.0)
    back = layout.point(layout.vector(point))
    for field in dataclasses.fields(Point):
        assert getattr(back, field.name) == pytest.approx(getattr(point, field.name), abs=1e-5), field.name
    assert Layout(3, gated=False).point(Layout(3, gated=False).vector(point)).gate_s == np.inf


def test_expected_spectra_are_those_of_the_audio(note: RecordedNote) -> None:
    """The quick measure agrees with the sound of the very controls: what is left is noise's own scatter."""
    layout = Layout(SPEC.latent_size, gated=True)
    voices = Voices(ControlNet(make_test_instrument()), layout, PITCH)
    expected = ExpectedSpectra(note, SPEC)

    def misfit(latent: np.ndarray) -> float:
        raw = layout.vector(Point(latent, 0.6, gate_s=0.45))[None, :]
        loud = 20.0 * np.log10(0.9 / np.abs(voices.audio(raw, len(note.audio), RATE)).max())
        vector = layout.vector(Point(latent, 0.6, loud, 0.45))[None, :]
        residuals = expected.residuals(voices.controls(vector, expected.times_s))[0]
        return float(np.mean(np.abs(residuals) * expected.weights))

    own, unit = misfit(LATENT), np.eye(8, dtype=np.float32)
    assert own < 0.3
    assert misfit(LATENT - 1.5 * unit[0]) > 1.5 * own
    assert misfit(LATENT + 1.5 * unit[1]) > 1.5 * own


class TestSearch:
    def test_finds_what_the_instrument_itself_played(self, found: tuple[Inversion, list[Progress]]) -> None:
        point = found[0].point
        assert found[0].distance < found[0].preset_distance
        assert found[0].encoder_distance is not None
        assert found[0].distance < found[0].encoder_distance
        heard_tilt = 0.5 * np.tanh(point.z[0]) + point.tilt_db / 6.02
        assert heard_tilt == pytest.approx(0.5 * np.tanh(LATENT[0]), abs=0.05)
        assert point.gate_s == pytest.approx(0.45, abs=0.02)

    def test_comes_to_nothing_where_the_noise_is_the_same(self) -> None:
        """The recording has the noise that distances are measured with, so only the true sound is at 0."""
        instrument, layout = make_test_instrument(), Layout(SPEC.latent_size, gated=True)
        true = layout.vector(Point(LATENT, velocity=0.6, level_db=15.0, gate_s=0.45))
        audio = Voices(ControlNet(instrument), layout, PITCH).audio(
            true[None, :], round(0.7 * RATE), RATE, noise_from=10 * search_module.NOISE_FROM
        )[0]
        search = Search(instrument, RecordedNote("organ", audio, RATE, PITCH, 1.0, 0.5, 20_000.0), knobs=False)
        assert search.distance(true) < 1e-3
        inversion = search.run()
        assert inversion.distance < 0.3 * inversion.preset_distance
        point = inversion.point
        assert np.tanh(point.z[0]) == pytest.approx(np.tanh(LATENT[0]), abs=0.06)
        assert np.tanh(point.z[1]) == pytest.approx(np.tanh(LATENT[1]), abs=0.06)
        level_db = 20.0 * np.log10(point.velocity) + point.level_db  # velocity is nothing but level here
        assert level_db == pytest.approx(20.0 * np.log10(0.6) + 15.0, abs=0.5)

    def trembling(self, monkeypatch: pytest.MonkeyPatch, depth: float, knobs: bool = True) -> Search:
        """For a second of an organ that trembles by `depth` times what it is told to."""
        instrument, run = make_test_instrument(), ControlNet.run
        silence = RecordedNote("", np.zeros(RATE, np.float32), RATE, PITCH, 1.0, np.inf, 2e4)
        search = Search(instrument, silence, knobs)

        def tremble(self: ControlNet, *told: np.ndarray) -> ControlFrames:
            frames = run(self, *told[:5])
            return frames._replace(amplitude=frames.amplitude * (1.0 + depth * told[5] * np.sin(44.0 * told[6])))

        monkeypatch.setattr(ControlNet, "run", tremble)
        return search

    @pytest.mark.parametrize("shimmer", [0.0, 0.3, 0.8, 1.4, 3.0])
    def test_moves_as_the_recording_does(self, monkeypatch: pytest.MonkeyPatch, shimmer: float) -> None:
        """Of more than is good for a sound there is no more."""
        search = self.trembling(monkeypatch, 0.2)
        plain, stretched = (search.layout.vector(Point(LATENT, 0.6, 6.0, noise_db=-12.0, attack=x)) for x in (1.0, 3.0))
        sound = search.render(plain[None, :], shimmer=shimmer)[0]
        search.note = dataclasses.replace(search.note, audio=sound)
        for vector in (plain, stretched):
            assert search.shimmer(vector) == pytest.approx(min(shimmer, 1.5), abs=0.15)

    def test_how_much_a_note_moves(self) -> None:
        """At any rate, also where its top is under that of the bands; and not told of what is too short."""
        for rate in (16_000, 22_050, 48_000):
            t = np.arange(rate) / rate
            still = np.sin(2.0 * np.pi * 440.0 * t).astype(np.float32)
            beating = (still * (1.0 + 0.5 * np.sin(2.0 * np.pi * 6.0 * t))).astype(np.float32)
            assert movement_db(still, rate, np.inf) < 0.01
            assert movement_db(beating, rate, np.inf) > 0.3
            assert np.isnan(movement_db(still, rate, 0.12))

    @pytest.mark.parametrize(
        ("depth", "knobs", "shimmers", "left_alone"),
        [(0.2, True, True, False), (0.2, False, True, True), (0.2, True, False, True), (0.002, True, True, True)],
    )
    def test_shimmer_is_left_alone_where_it_is_none_of_ours(
        self, monkeypatch: pytest.MonkeyPatch, depth: float, knobs: bool, shimmers: bool, left_alone: bool
    ) -> None:
        """The latent alone is looked for, the instrument has none, or it makes no difference."""
        search = self.trembling(monkeypatch, depth, knobs)
        vector = search.layout.vector(Point(LATENT, 0.6, 6.0, noise_db=-12.0))
        search.note = dataclasses.replace(search.note, audio=search.render(vector[None, :], shimmer=0.3)[0])
        search.voices.net.shimmers = shimmers
        assert (search.shimmer(vector) == 1.0) is left_alone

    def test_tells_how_far_it_is(self, found: tuple[Inversion, list[Progress]]) -> None:
        _, told = found
        shares = [each.share for each in told]
        assert shares == sorted(shares)
        assert shares[0] < 0.1
        assert shares[-1] == pytest.approx(1.0)
        assert told[-1].point is not None

    def test_stays_where_the_instrument_was_trained(self, found: tuple[Inversion, list[Progress]]) -> None:
        assert found[0].point.norm <= search_module.MOST_NORM + 1e-6

    def test_the_latent_alone(self, note: RecordedNote) -> None:
        inversion = Search(make_test_instrument(), note, knobs=False).run()
        untouched = {"brightness": 0.0, "noise_level": 0.0, "attack": 1.0, "release": 1.0, "shimmer": 1.0}
        assert inversion.point.parameters == untouched
        assert np.tanh(inversion.point.z[0]) == pytest.approx(np.tanh(LATENT[0]), abs=0.1)

    def test_without_an_encoder(self, note: RecordedNote, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search_module, "AUDIO_STEPS", 1)
        inversion = Search(make_test_instrument(encoder_onnx=None), note).run()
        assert inversion.encoder_distance is None
        assert inversion.distance < inversion.preset_distance

    def test_an_encoder_that_does_not_run(self, note: RecordedNote) -> None:
        broken = make_test_instrument(encoder_onnx=b"\x08\x08")
        with pytest.raises(UserError, match="its encoder does not run"):
            Search(broken, note).run()

    def test_the_live_engine_sounds_as_near(self, note: RecordedNote, found: tuple[Inversion, list[Progress]]) -> None:
        audio = play(make_test_instrument(), found[0].point, note.pitch, note.seconds, note.rate)
        assert SpectralDistance(note.audio)(audio[: len(note.audio)]) == pytest.approx(found[0].distance, rel=0.1)


class TestPicture:
    def test_a_tone_is_a_line_at_its_place(self) -> None:
        shades = spectrogram(np.sin(2 * np.pi * 1000.0 * np.arange(RATE) / RATE).astype(np.float32), RATE)
        assert shades.shape == (ROWS, COLUMNS)
        row = int(shades[:, COLUMNS // 2].argmax())
        assert (ROWS - 1 - row) / ROWS == pytest.approx(np.log(1000 / 20) / np.log(1000), abs=0.01)
        assert shades[row].min() > 180
        assert shades[10].max() < 60

    def test_colours_are_infernos(self) -> None:
        reference = pg.colormap.get("inferno").getLookupTable(nPts=256)[:, :3].astype(int)
        assert np.abs(_inferno().astype(int) - reference).max() <= 9

    def test_the_file_is_a_png(self, tmp_path: Path) -> None:
        left, right = np.zeros((ROWS, COLUMNS), np.uint8), np.full((ROWS, COLUMNS), 255, np.uint8)
        write_pair(tmp_path / "a.png", left, right)
        data = (tmp_path / "a.png").read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", data[16:24])
        length = struct.unpack(">I", data[33:37])[0]
        lines = np.frombuffer(zlib.decompress(data[41 : 41 + length]), np.uint8).reshape(height, 3 * width + 1)
        pixels = lines[:, 1:].reshape(height, width, 3).astype(int)
        assert (lines[:, 0] == 0).all()
        assert pixels[height // 2, width // 4].sum() < 30 < 600 < pixels[height // 2, 3 * width // 4].sum()

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="cannot be written"):
            write_pair(tmp_path / "none" / "a.png", *np.zeros((2, ROWS, COLUMNS), np.uint8))


@pytest.fixture(scope="module")
def organ(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_test_instrument(tmp_path_factory.mktemp("instrument") / "organ.noisy")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, note: RecordedNote) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "organ A3.wav"
    soundfile.write(path, note.audio, RATE, "PCM_24")
    return path


def messages_of(process: SearchProcess, until: type[Message] | None = None, timeout_s: float = 120.0) -> list[Message]:
    """What a search tells until its end, or until the first message of a kind."""
    messages: list[Message] = []
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and not process.done:
        new = process.poll()
        messages += new
        if until is not None and any(isinstance(each, until) for each in new):
            return messages
        time.sleep(0.01)
    assert process.done, "the search does not end"
    return messages


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class TestProcess:
    def test_the_whole_way(self, organ: Path, recording: Path) -> None:
        process = SearchProcess(organ, recording)
        messages = messages_of(process)
        assert isinstance(messages[0], Heard)
        assert messages[0].pitch == pytest.approx(PITCH, abs=0.05)
        assert messages[0].picture.shape == (ROWS, COLUMNS)
        underway = [each for each in messages if isinstance(each, Underway)]
        assert any(each.picture is not None for each in underway)
        result = messages[-1]
        assert isinstance(result, Found)
        assert result.distance < result.preset_distance
        assert set(result.parameters) == {"brightness", "noise_level", "attack", "release", "shimmer"}
        assert not runs(process.pid)
        assert process.poll() == []

    def test_cancelled(self, organ: Path, recording: Path) -> None:
        process = SearchProcess(organ, recording)
        messages_of(process, until=Heard)
        process.cancel()
        process.cancel()
        assert not runs(process.pid)
        assert process.poll() == []

    def test_killed_midway(self, organ: Path, recording: Path) -> None:
        process = SearchProcess(organ, recording)
        messages_of(process, until=Heard)
        os.kill(process.pid, signal.SIGKILL)
        result = messages_of(process)[-1]
        assert isinstance(result, Failed)
        assert result.line == f"{recording.name}: the search ended unexpectedly (signal 9); drop the file again"

    def test_broken_files(self, organ: Path, recording: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken.wav"
        broken.write_bytes(b"RIFF" + bytes(100))
        for instrument, path in ((organ, broken), (broken, recording)):
            (result,) = messages_of(SearchProcess(instrument, path))
            assert isinstance(result, Failed)
            assert "broken.wav" in result.line
            assert "\n" not in result.line


class TestCommand:
    def test_prints_and_writes(
        self, organ: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([str(organ), str(recording), "--out", str(tmp_path / "out"), "--no-progress"]) == 0
        line = capsys.readouterr().out
        assert line.startswith("organ A3.wav: A3 +30 ct, velocity ")
        assert "spectral distance" in line
        out = tmp_path / "out"
        assert sorted(path.name for path in out.iterdir()) == [
            "organ A3.noisypreset", "organ A3.png", "organ A3.wav",
        ]  # fmt: skip
        audio, rate = soundfile.read(out / "organ A3.wav")
        assert rate == RATE
        assert 0.3 < np.abs(audio).max() <= 1.0
        mine = UserPresets(tmp_path / "presets", "Test Organ")
        at = mine.read_from(out / "organ A3.noisypreset")
        preset = mine.presets[at]
        assert preset.name == "organ A3"
        assert len(preset.base) == SPEC.latent_size
        assert json.loads((out / "organ A3.noisypreset").read_text())["instrument"] == "Test Organ"

    def test_bad_input(self, organ: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        broken = tmp_path / "broken.wav"
        broken.write_bytes(b"nothing")
        for arguments in ([str(broken), str(GUITAR)], [str(organ), str(broken)], [str(organ), str(broken), str(broken)],
                          [str(organ), str(GUITAR), "--pitch", "300"]):  # fmt: skip
            assert main(arguments) == 2
            said = capsys.readouterr().err.strip().splitlines()
            assert said[-1].startswith("noisysynth-invert: error: ")
