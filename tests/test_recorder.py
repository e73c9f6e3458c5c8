"""The recorder, against a tape that a thread writes as the callback would."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from noisysynth.engine import recorder as module
from noisysynth.engine.recorder import Recorder
from noisysynth.engine.state import STATE_DTYPE, TAPE_LENGTH
from noisysynth.errors import UserError

RATE = 48_000
STEP = 1.0 / (1 << 23)  # of 24 bits


class Tape:
    """Stands in for the callback: sample n of the music is sound(n)."""

    def __init__(self) -> None:
        self.states = np.zeros(1, STATE_DTYPE)
        self.states["sample_rate"] = RATE
        self.wind(1234)

    @staticmethod
    def sound(samples: np.ndarray) -> np.ndarray:
        left = np.float32(0.9) * np.sin(samples * 0.01).astype(np.float32)
        return np.stack([left, -0.5 * left], axis=1)

    @property
    def position(self) -> int:
        return int(self.states["tape_position"][0, 0])

    def wind(self, n: int) -> None:
        """Play n samples."""
        samples = np.arange(self.position, self.position + n)
        self.states["tape"][0, samples % TAPE_LENGTH] = self.sound(samples)
        self.states["tape_position"][0, 0] += n

    def play(self, seconds: float) -> None:
        """The same at four times the speed of music, a block at a time."""
        for _ in range(round(seconds * RATE / 1024)):
            self.wind(1024)
            time.sleep(1024 / RATE / 4)


@pytest.fixture
def tape() -> Tape:
    return Tape()


def wait_for(condition: object, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["take.wav", "take.FLAC"])
def test_every_sample_is_in_the_file(tape: Tape, tmp_path: Path, name: str) -> None:
    recorder = Recorder(tape.states[0])
    begin = tape.position
    recorder.start(tmp_path / name)
    tape.play(2.0)
    assert 0.0 < recorder.seconds <= 2.0
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.part"]
    assert recorder.stop() == pytest.approx((tape.position - begin) / RATE)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    audio, rate = soundfile.read(tmp_path / name, dtype="float32")
    assert (rate, soundfile.info(tmp_path / name).subtype) == (RATE, "PCM_24")
    np.testing.assert_allclose(audio, tape.sound(np.arange(begin, tape.position)), atol=STEP)
    assert recorder.stop() == recorder.seconds
    assert (recorder.dropped, recorder.error) == (0, "")


def test_the_tape_goes_round(tape: Tape, tmp_path: Path) -> None:
    tape.wind(TAPE_LENGTH - 5000 - tape.position % TAPE_LENGTH)
    begin = tape.position
    recorder = Recorder(tape.states[0])
    recorder.start(tmp_path / "take.wav")
    tape.wind(10_000)
    recorder.stop()
    audio, _ = soundfile.read(tmp_path / "take.wav", dtype="float32")
    np.testing.assert_allclose(audio, tape.sound(np.arange(begin, begin + 10_000)), atol=STEP)


def test_a_disk_that_is_too_slow_costs_silence_and_keeps_time(
    tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = threading.Event()
    may_go_on = threading.Event()
    write = soundfile.SoundFile.write

    def slow_write(self: soundfile.SoundFile, block: np.ndarray) -> None:
        writing.set()
        may_go_on.wait(10.0)
        write(self, block)

    monkeypatch.setattr(soundfile.SoundFile, "write", slow_write)
    recorder = Recorder(tape.states[0])
    begin = tape.position
    recorder.start(tmp_path / "take.wav")
    tape.wind(1000)
    assert writing.wait(5.0)
    for _ in range(10):
        tape.wind(TAPE_LENGTH // 8)
    may_go_on.set()
    recorder.stop()
    audio, _ = soundfile.read(tmp_path / "take.wav", dtype="float32")
    assert len(audio) == tape.position - begin
    assert recorder.dropped > 0
    heard = tape.sound(np.arange(begin, tape.position))
    heard[1000 : 1000 + recorder.dropped] = 0.0
    np.testing.assert_allclose(audio, heard, atol=STEP)


def test_over_full_scale_is_clipped(tape: Tape, tmp_path: Path) -> None:
    recorder = Recorder(tape.states[0])
    recorder.start(tmp_path / "take.wav")
    at = tape.position % TAPE_LENGTH
    tape.wind(4)
    tape.states["tape"][0, at : at + 4] = [[1.0, -1.0], [2.0, -2.0], [1e9, -1e9], [0.5, -0.5]]
    recorder.stop()
    audio, _ = soundfile.read(tmp_path / "take.wav")
    np.testing.assert_allclose(audio, [[1.0, -1.0]] * 3 + [[0.5, -0.5]], atol=2 * STEP)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_it_ends_well_before_the_disk_is_full(
    tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    free = 1 << 40
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    recorder = Recorder(tape.states[0])
    path = tmp_path / f"take{suffix}"
    recorder.start(path)
    tape.wind(50_000)
    wait_for(lambda: recorder.seconds > 1.0)
    assert not recorder.error
    free = 1 << 20
    wait_for(lambda: recorder.error and path.exists())
    assert "the disk is full" in recorder.error
    assert "\n" not in recorder.error
    assert recorder.stop() == pytest.approx(50_000 / RATE)
    assert len(soundfile.read(path)[0]) == 50_000
    with pytest.raises(UserError, match="the disk is full"):
        Recorder(tape.states[0]).start(path)
    assert path.exists()


# Writes to a file that the system does not let grow over 60 kB.
FULL = """
    import resource, sys, time
    from pathlib import Path
    from test_recorder import Tape, wait_for
    from noisysynth.engine.recorder import Recorder
    tape = Tape()
    recorder = Recorder(tape.states[0])
    recorder.start(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    tape.wind(100_000)
    wait_for(lambda: recorder.error)
    print(recorder.error)
    recorder.stop()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of this kind")
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_write_that_fails_keeps_what_there_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"take{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(path)], cwd=Path(__file__).parent, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "the recording ended" in done.stdout
    assert done.stdout.count("\n") == 1
    with soundfile.SoundFile(path) as file:
        audio = file.read(5_000, dtype="float32")
    np.testing.assert_allclose(audio, Tape.sound(np.arange(1234, 6234)), atol=STEP)


def test_a_wav_file_ends_before_its_sizes_overflow(tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 6 * module._LONGEST_WAV + 6 * TAPE_LENGTH < 1 << 32
    monkeypatch.setattr(module, "_LONGEST_WAV", 1000)
    recorder = Recorder(tape.states[0])
    recorder.start(tmp_path / "take.wav")
    tape.wind(2000)
    wait_for(lambda: recorder.error)
    assert "FLAC" in recorder.error
    assert recorder.stop() == pytest.approx(2000 / RATE)


@pytest.mark.parametrize(("name", "says"), [("take.mp3", "must end in"), ("none/take.wav", "cannot be written")])
def test_what_cannot_be_recorded_to(tape: Tape, tmp_path: Path, name: str, says: str) -> None:
    recorder = Recorder(tape.states[0])
    with pytest.raises(UserError, match=says):
        recorder.start(tmp_path / name)
    assert recorder.stop() == 0.0
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_opened(tape: Tape, tmp_path: Path) -> None:
    (tmp_path / "take.wav.part").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        Recorder(tape.states[0]).start(tmp_path / "take.wav")


def test_a_clock_that_begins_anew(tape: Tape, tmp_path: Path) -> None:
    recorder = Recorder(tape.states[0])
    recorder.start(tmp_path / "take.wav")
    tape.wind(1000)
    wait_for(lambda: recorder.seconds > 0.0)
    tape.states["tape_position"] = 0
    wait_for(lambda: recorder.error or time.sleep(0.25) is None)
    tape.wind(500)
    recorder.stop()
    assert len(soundfile.read(tmp_path / "take.wav")[0]) == 1500
