"""Adapters: every data set becomes clips that begin at the onset, and says what it left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_notes import tone

from noisysynth.errors import UserError
from noisysynth.listening.recording import estimate_gate_s, onset_sample, without_rumble
from noisysynth.spec import SynthSpec
from noisysynth.train.clip import Clip, Rejected
from noisysynth.train.datasets.folder import FolderSource, pitch_of_name
from noisysynth.train.datasets.nsynth import GATE_S, Chosen, NSynthSource
from noisysynth.train.datasets.soundfont import DEBIAN_SOUNDFONT, SoundFontSource, preset_names
from noisysynth.train.prepared import prepare

RATE = 22_050
needs_fluidsynth = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not DEBIAN_SOUNDFONT.is_file(),
    reason=f"needs the fluidsynth command and {DEBIAN_SOUNDFONT}",
)


def everything(source: FolderSource | NSynthSource) -> tuple[list[Clip], dict[str, str]]:
    clips, rejected = [], {}
    for index in range(source.n_batches):
        for item in source.batch(index):
            if isinstance(item, Rejected):
                rejected[item.note_id] = item.reason
            else:
                clips.append(item)
    return clips, rejected


@pytest.mark.parametrize(
    ("stem", "pitch", "velocity", "before"),
    [
        ("violin-060-sustain", 60, None, "violin"),
        ("cello_C#4", 61, None, "cello"),
        ("A4", 69, None, ""),
        ("guitar_acoustic_010-060-100", 60, 100 / 127, "guitar_acoustic_010"),
        ("flute Bb5 p", 82, None, "flute"),
        ("take-12-072", 72, None, "take-12"),
        ("bass_C-1", 0, None, "bass"),
    ],
)
def test_pitch_is_read_from_names(stem: str, pitch: int, velocity: float | None, before: str) -> None:
    found = pitch_of_name(stem)
    assert found is not None
    assert found[0] == pitch
    assert found[1] == velocity
    assert found[2] == before


@pytest.mark.parametrize("stem", ["violin", "note-9", "kick-1999", "H4"])
def test_names_without_a_pitch_have_none(stem: str) -> None:
    assert pitch_of_name(stem) is None


def test_folder_of_named_notes(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "violin-060-sustain.wav", tone(60, lead_s=0.3), RATE)
    (tmp_path / "oboe").mkdir()
    soundfile.write(tmp_path / "oboe" / "A4.flac", np.stack([tone(69), tone(69)], axis=1), RATE)
    clips, rejected = everything(FolderSource(tmp_path, licence="CC0-1.0"))
    assert rejected == {}
    assert [(clip.instrument, clip.pitch, clip.licence) for clip in clips] == [
        ("oboe", 69.0, "CC0-1.0"),
        ("violin", 60.0, "CC0-1.0"),
    ]
    violin = clips[1]
    assert violin.audio.ndim == 1
    assert violin.seconds == pytest.approx(0.8, abs=0.01)
    assert "sustain" in violin.tags


def test_bad_notes_are_left_out_with_the_reason(tmp_path: Path) -> None:
    good = tone(60)
    with_nan = good.copy()
    with_nan[500] = np.nan
    audio = {
        "good-060.wav": good,
        "wrong-064.wav": tone(62),
        "silent-060.wav": np.zeros(RATE, np.float32),
        "clipped-060.wav": np.clip(20 * good, -1, 1),
        "nan-060.wav": with_nan,
        "empty-060.wav": np.zeros(0, np.float32),
        "nopitch.wav": good,
    }
    for name, samples in audio.items():
        soundfile.write(tmp_path / name, samples, RATE, subtype="FLOAT")
    (tmp_path / "broken-060.flac").write_bytes(b"fLaC but not really")
    clips, rejected = everything(FolderSource(tmp_path))
    assert [clip.note_id for clip in clips] == ["good-060.wav", "nopitch.wav"]
    assert clips[1].pitch == pytest.approx(60.0, abs=0.05), "found by ear"
    words = {
        "wrong-064.wav": "mislabelled",
        "silent-060.wav": "silent",
        "clipped-060.wav": "clipped",
        "nan-060.wav": "non-finite",
        "empty-060.wav": "empty",
        "broken-060.flac": "unreadable",
    }
    assert rejected.keys() == words.keys()
    for name, word in words.items():
        assert word in rejected[name]


def test_numbers_that_count_takes_are_no_pitches(tmp_path: Path) -> None:
    for name, pitch in (("take-48.wav", 60), ("take-60.wav", 60), ("take-064.wav", 62)):
        soundfile.write(tmp_path / name, tone(pitch), RATE)
    clips, rejected = everything(FolderSource(tmp_path))
    counted, named = clips
    assert counted.pitch == pytest.approx(60.0, abs=0.05), "an octave above the label, by ear"
    assert "pitch found" in counted.tags
    assert named.pitch == 60.0
    assert "pitch found" not in named.tags
    assert rejected.keys() == {"take-064.wav"}, "three digits are a label, and this one is wrong"
    labelled, _ = everything(FolderSource(tmp_path, check_pitch=False))
    assert [clip.pitch for clip in labelled] == [64.0, 48.0, 60.0]


def test_names_without_a_pitch_say_the_rest_all_the_same(tmp_path: Path) -> None:
    names = ("violin-07.wav", "violin-13.wav", "viola_sustain_ff 3.wav", "mine.wav", "07.wav")
    for name in names:
        soundfile.write(tmp_path / name, tone(60), RATE)
    clips, rejected = everything(FolderSource(tmp_path))
    assert rejected == {}
    found = {clip.note_id: clip for clip in clips}
    folder = tmp_path.name
    assert [found[name].instrument for name in names] == ["violin", "violin", "viola", folder, folder]
    viola = found["viola_sustain_ff 3.wav"]
    assert viola.velocity == 0.95
    assert "sustain" in viola.tags


def test_a_table_says_what_files_are(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", tone(57), RATE)
    (tmp_path / "notes.csv").write_text(
        "file,instrument,family,articulation,midi_pitch,velocity,dynamic,gate,licence,source\n"
        "one.wav,viola,string,arco,57,,ff,0.6,CC0-1.0,somebody\n"
        "gone.wav,viola,string,arco,58,64,,,CC0-1.0,somebody\n"
        "../one.wav,viola,string,arco,58,64,,,CC0-1.0,somebody\n"
        "one.wav,viola,string,arco,high,64,,,CC0-1.0,somebody\n",
        encoding="utf-8",
    )
    source = FolderSource(tmp_path)
    clips, rejected = everything(source)
    (clip,) = clips
    assert (clip.instrument, clip.family, clip.pitch, clip.velocity) == ("viola", "string", 57.0, 0.95)
    assert clip.gate_s == pytest.approx(0.6, abs=0.01)
    assert rejected["gone.wav"] == "file is missing"
    assert rejected["../one.wav"] == "file is outside the folder"
    assert rejected["one.wav"].startswith("no MIDI pitch")
    assert source.attribution == ["somebody, CC0-1.0"]


def test_onset_and_gate_of_a_sustained_note() -> None:
    rng = np.random.default_rng(0)
    note = tone(60, 1.5, lead_s=0.2)
    fall = np.clip((np.arange(len(note)) / RATE - 1.2) / 0.05, 0.0, None)
    audio = (note * np.exp(-fall) + 1e-4 * rng.standard_normal(len(note))).astype(np.float32)
    onset = onset_sample(audio, RATE)
    assert onset / RATE == pytest.approx(0.2, abs=0.006)
    assert estimate_gate_s(audio[onset:], RATE, rings=False) == pytest.approx(1.0, abs=0.08)


def test_a_ringing_note_is_held_to_its_end() -> None:
    note = tone(60, 1.5)
    ringing = (note * np.exp(-np.arange(len(note)) / RATE / 0.3)).astype(np.float32)
    assert estimate_gate_s(ringing, RATE, rings=True) == pytest.approx(1.5)
    assert estimate_gate_s(ringing, RATE) == pytest.approx(1.5)


def test_rumble_goes_and_the_onset_stays() -> None:
    note = tone(69, 1.0, lead_s=0.25)
    rumble = 0.05 * np.sin(2 * np.pi * 20 * np.arange(len(note)) / RATE)
    cleaned = without_rumble((note + rumble).astype(np.float32), RATE, 440.0)
    assert np.sqrt(np.square(cleaned - note)[2000:-2000].mean()) < 0.002
    assert onset_sample(cleaned, RATE) / RATE == pytest.approx(0.25, abs=0.006)


def test_missing_or_empty_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder at"):
        FolderSource(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no WAV or FLAC"):
        FolderSource(tmp_path)


def nsynth_folder(path: Path) -> Path:
    (path / "audio").mkdir(parents=True)
    examples = {}
    for pitch in (50, 62):
        name = f"organ_electronic_001-{pitch:03d}-100"
        examples[name] = {
            "pitch": pitch,
            "velocity": 100,
            "instrument_str": "organ_electronic_001",
            "instrument_family_str": "organ",
            "instrument_source_str": "electronic",
            "qualities_str": ["bright"],
        }
        soundfile.write(path / "audio" / f"{name}.wav", tone(pitch, 4.0, rate=16_000), 16_000)
    examples["lost-060-100"] = {**examples[name], "pitch": 60}
    examples["halved"] = {"pitch": 60}
    (path / "examples.json").write_text(json.dumps(examples))
    return path


def test_nsynth_layout(tmp_path: Path) -> None:
    source = NSynthSource(nsynth_folder(tmp_path / "nsynth"))
    clips, rejected = everything(source)
    assert [clip.pitch for clip in clips] == [50.0, 62.0]
    assert clips[0].sample_rate == 16_000
    assert clips[0].gate_s == pytest.approx(GATE_S, abs=0.05)
    assert clips[0].velocity == pytest.approx(100 / 127)
    assert clips[0].tags == ("electronic", "bright")
    assert "CC BY 4.0" in source.attribution[0]
    assert rejected == {
        "lost-060-100": "file is missing",
        "halved": "incomplete entry in examples.json",
    }


def test_only_the_chosen_notes_of_nsynth_are_taken(tmp_path: Path) -> None:
    folder = nsynth_folder(tmp_path / "nsynth")
    clips, rejected = everything(NSynthSource(folder, chosen=Chosen(lowest=60, highest=84)))
    assert [clip.pitch for clip in clips] == [62.0]
    assert rejected["organ_electronic_001-050-100"] == ""
    clips, rejected = everything(NSynthSource(folder, chosen=Chosen(acoustic=True)))
    assert clips == []
    index = prepare(NSynthSource(folder, chosen=Chosen(lowest=60)), tmp_path / "out", SynthSpec(), split_by="notes")
    assert [note["pitch"] for note in index["notes"]] == [62.0]
    assert {each["id"] for each in index["rejected"]} == {"lost-060-100", "halved"}, "nobody asked for the others"


def test_a_folder_that_is_not_nsynth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"examples\.json"):
        NSynthSource(tmp_path)
    (tmp_path / "audio").mkdir()
    (tmp_path / "examples.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        NSynthSource(tmp_path)


@needs_fluidsynth
def test_soundfont_notes_begin_at_note_on() -> None:
    source = SoundFontSource(DEBIAN_SOUNDFONT, [6, 12], notes_per_program=4, seed=3)
    clips = [clip for clip in source.batch(1) if isinstance(clip, Clip)]
    assert len(clips) == 4
    for clip in clips:
        peak = np.abs(clip.audio).max()
        assert np.abs(clip.audio[:64]).max() > 0.0  # the very first block sounds
        assert np.argmax(np.abs(clip.audio) > 0.02 * peak) < 0.006 * clip.sample_rate
        assert clip.gate_s is not None
        assert clip.seconds > clip.gate_s + 1.4
    again = [clip for clip in source.batch(1) if isinstance(clip, Clip)]
    for first, second in zip(clips, again, strict=True):
        np.testing.assert_array_equal(first.audio, second.audio)
    assert clips[0].instrument == preset_names(DEBIAN_SOUNDFONT)[12]


@needs_fluidsynth
def test_a_soundfont_plan_covers_pitch_classes_velocities_and_gates() -> None:
    source = SoundFontSource(DEBIAN_SOUNDFONT, [0, 4, 24], notes_per_program=48)
    notes = [note for program in source.programs for note in source._plan(program)]
    assert {pitch % 12 for pitch, _, _ in notes} == set(range(12))
    velocities = [velocity for _, velocity, _ in notes]
    gates_s = [gate_s for _, _, gate_s in notes]
    assert min(velocities) >= 30
    assert max(velocities) <= 127
    assert max(velocities) - min(velocities) > 80
    assert 0.05 <= min(gates_s) < 0.15
    assert 1.5 < max(gates_s) <= 3.5


def test_soundfont_mistakes_are_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_soundfont = tmp_path / "no.sf2"
    no_soundfont.write_bytes(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(UserError, match="not a SoundFont"):
        preset_names(no_soundfont)
    no_soundfont.write_bytes(b"RIFF\0\0\0\0sfbk")
    with pytest.raises(UserError, match="not a whole SoundFont"):
        preset_names(no_soundfont)
    monkeypatch.setattr(shutil, "which", lambda name: "/somewhere/fluidsynth")
    with pytest.raises(UserError, match="no SoundFont at"):
        SoundFontSource(tmp_path / "missing.sf2")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="fluidsynth command is not installed"):
        SoundFontSource(tmp_path / "missing.sf2")
