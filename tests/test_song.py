"""MIDI files as events; noisysynth-render from a song to a file."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from make_instrument import make_test_instrument, write_test_instrument

from noisysynth.cli.render import main
from noisysynth.errors import UserError
from noisysynth.events import EventKind
from noisysynth.instrument import Preset, write_instrument
from noisysynth.midi.song import read_song


def write_song(path: Path, *messages: mido.Message | mido.MetaMessage) -> Path:
    song = mido.MidiFile(ticks_per_beat=480)
    song.tracks.append(mido.MidiTrack(messages))
    song.save(path)
    return path


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    return write_song(
        tmp_path / "tune.mid",
        mido.MetaMessage("set_tempo", tempo=500_000),
        mido.Message("note_on", note=60, velocity=100),
        mido.Message("note_on", note=38, velocity=100, channel=9),
        mido.Message("note_off", note=60, time=480),
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        mido.Message("note_on", note=64, velocity=80, time=480),
        mido.Message("note_on", note=64, velocity=0, time=240),
    )


@pytest.fixture
def instrument(tmp_path: Path) -> Path:
    path = tmp_path / "test.noisy"
    write_test_instrument(path)
    return path


def test_a_song_keeps_its_tempo_and_leaves_drums_out(tune: Path) -> None:
    events, length_s = read_song(tune, 48_000)
    on, off = EventKind.NOTE_ON, EventKind.NOTE_OFF
    assert events["kind"].tolist() == [on, off, on, off]
    assert events["time"].tolist() == [0, 24_000, 24_000 + 48_000, 24_000 + 72_000]
    assert length_s == pytest.approx(2.0)


def test_a_song_brings_programs_and_pressure(tmp_path: Path) -> None:
    messages = [
        mido.Message("program_change", program=5, channel=2),
        mido.Message("program_change", program=7, channel=9),  # of the drums
        mido.Message("note_on", note=60, velocity=100, channel=2),
        mido.Message("aftertouch", value=127, channel=2, time=10),
        mido.Message("polytouch", note=60, value=127, channel=2, time=10),
        mido.Message("sysex", data=(1, 2, 3)),
        mido.Message("note_off", note=60, channel=2, time=10),
    ]
    events, _ = read_song(write_song(tmp_path / "song.mid", *messages), 48_000)
    assert events["kind"].tolist() == [
        EventKind.PROGRAM_CHANGE, EventKind.NOTE_ON, EventKind.CHANNEL_PRESSURE, EventKind.POLY_PRESSURE,
        EventKind.NOTE_OFF,
    ]  # fmt: skip
    assert set(events["channel"].tolist()) == {2}


def test_a_song_without_notes_is_told_of(tmp_path: Path) -> None:
    song = write_song(
        tmp_path / "song.mid", mido.Message("program_change", program=5), mido.Message("note_on", note=38, channel=9)
    )
    with pytest.raises(UserError, match="no notes in it"):
        read_song(song, 48_000)


@pytest.mark.parametrize("cut", [0, 3, 10, 20, 40, 60])
def test_broken_songs_get_one_line(tune: Path, cut: int) -> None:
    tune.write_bytes(tune.read_bytes()[:cut])
    with pytest.raises(UserError) as caught:
        read_song(tune, 48_000)
    assert "\n" not in str(caught.value)
    assert "tune.mid" in str(caught.value)


def test_a_song_becomes_a_sound_file(tune: Path, instrument: Path, tmp_path: Path) -> None:
    for name in ("out.wav", "out.flac"):
        out = tmp_path / name
        assert main([str(tune), str(out), "--instrument", str(instrument), "--no-progress"]) == 0
        audio, rate = soundfile.read(out)
        assert rate == 48_000
        assert 2.0 < len(audio) / rate < 10.0
        assert np.abs(audio[: rate // 2]).max() > 0.01
        assert np.abs(audio[-100:]).max() < 1e-3
        assert not list(tmp_path.glob(".*.part"))


def test_a_preset_is_found_by_name(tune: Path, instrument: Path, tmp_path: Path) -> None:
    plain, bright = tmp_path / "plain.wav", tmp_path / "bright.wav"
    common = ["--instrument", str(instrument), "--no-progress"]
    assert main([str(tune), str(plain), *common]) == 0
    assert main([str(tune), str(bright), "--preset", "bright", *common]) == 0
    first, second = soundfile.read(plain)[0][:48_000], soundfile.read(bright)[0][:48_000]
    assert np.abs(first - second).max() > 0.01


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"song": "missing.mid"}, "missing.mid"),
        ({"out": "out.mp3"}, "must end in .wav or .flac"),
        ({"out": "no/such/folder/out.wav"}, "cannot be written"),
        ({"--instrument": "missing.noisy"}, "missing.noisy"),
        ({"--preset": "nothing like it"}, "no preset 'nothing like it'"),
        ({"--sample-rate": "12"}, "sample rate 12"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    change: dict[str, str], says: str, tune: Path, instrument: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"song": str(tune), "out": "out.wav", "--instrument": str(instrument)} | change
    arguments = [options.pop("song"), str(tmp_path / options.pop("out"))]
    for name, value in options.items():
        arguments += [name, value]
    assert main([*arguments, "--no-progress"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("noisysynth-render: error: ")
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("files", [(), ("song.mid", "out.wav")])
@pytest.mark.parametrize("wish", [["--preset", "list"], ["--preset=list"]])
def test_presets_are_listed_with_and_without_a_song(
    files: tuple[str, ...], wish: list[str], instrument: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files, *wish, "--instrument", str(instrument)]) == 0
    names = capsys.readouterr().out.splitlines()
    assert "bright" in [name.lower() for name in names]


@pytest.mark.parametrize("arguments", [[], ["--preset"], ["--preset", "bright"]])
def test_all_else_needs_a_song(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "noisysynth-render: error: " in capsys.readouterr().err


def test_a_missing_folder_is_noticed_before_anything_is_shown(
    tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tune), str(tmp_path / "no" / "out.wav")]) == 2
    assert capsys.readouterr().err.startswith("noisysynth-render: error: ")


def test_each_channel_plays_its_own_general_midi_program(tmp_path: Path) -> None:
    """With one part for all, the violin of the first channel would play the second channel's piano, too."""
    dark, bright = (np.array([z, *[0.0] * 7], np.float32) for z in (-3.0, 3.0))
    presets = (Preset("Piano", dark, program=0), Preset("Violin", bright, program=40))
    path = tmp_path / "gm.noisy"
    write_instrument(path, make_test_instrument(presets=presets, pad_points=()))
    tune = write_song(
        tmp_path / "two.mid",
        mido.Message("program_change", program=40, channel=0),
        mido.Message("note_on", note=57, velocity=100, channel=0),
        mido.Message("note_off", note=57, time=480, channel=0),
        mido.Message("note_on", note=57, velocity=100, time=480, channel=1),
        mido.Message("note_off", note=57, time=480, channel=1),
    )
    out = tmp_path / "two.wav"
    assert main([str(tune), str(out), "--instrument", str(path), "--no-progress"]) == 0
    audio, rate = soundfile.read(out)

    def share_above_2_khz(start_s: float) -> float:
        power = np.abs(np.fft.rfft(audio[int(start_s * rate) : int((start_s + 0.3) * rate), 0])) ** 2
        return float(power[np.fft.rfftfreq(int(0.3 * rate), 1 / rate) > 2000.0].sum() / power.sum())

    assert share_above_2_khz(0.1) > 10.0 * share_above_2_khz(1.1)
