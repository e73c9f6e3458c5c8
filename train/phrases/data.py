"""Phrases to learn from: melodies through a SoundFont, or four-second windows of recordings."""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mido
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.listening.resampling import resample
from noisysynth.train.datasets import soundfont
from noisysynth.train.noisygan.synth import HOP, N_FRAMES, N_SAMPLES, SAMPLE_RATE
from noisysynth.train.phrases.config import PhrasesConfig
from noisysynth.train.phrases.contours import level_db, track_pitch
from noisysynth.train.phrases.generator import MAX_SEMITONES
from noisysynth.train.phrases.melodies import MelodyPhrase, phrases

SUFFIXES = {".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3"}
FEWEST_VOICED = 0.4
SILENT_DB = -50.0

# Notes end a little before the next one, as a player's do.
_ARTICULATION = 0.9
_VELOCITY, _ACCENT = 84, 12
_GAP_S = 4.0  # between phrases in one rendering, so that nothing rings into the next


class Phrase(NamedTuple):
    """One window. audio [N_SAMPLES] at 16 kHz; pitch [F] MIDI; voiced [F]; level [F] in dB."""

    name: str
    audio: NDArray[np.float32]
    pitch: NDArray[np.float32]
    voiced: NDArray[np.bool_]
    level_db: NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class PhraseBank:
    """Phrases in memory, and what must be said of their origin.

    audio [n, N_SAMPLES]. key [n]: MIDI note of the first pitch. semitones [n, F]: whole steps from the key, voiced or
    held. cents [n, F]: the rest. weight [n, F]: 0 where no pitch is heard. level_db [n, F].
    """

    names: list[str]
    audio: torch.Tensor
    key: torch.Tensor
    semitones: torch.Tensor
    cents: torch.Tensor
    weight: torch.Tensor
    level_db: torch.Tensor
    description: dict[str, Any]

    def __len__(self) -> int:
        return len(self.names)


def read_phrases(path: Path, config: PhrasesConfig) -> PhraseBank:
    """Of a .sf2 file: every phrase of `melodies` by every program. Of a folder or sound file: its recordings.

    UserError: no such thing, or no phrase in it.
    """
    if path.suffix.lower() == ".sf2":
        source = soundfont.SoundFontSource(path, config.programs, 1)
        found = list(_rendered(source))
        attribution, licence = source.attribution, [source.licence]
        attribution = [*attribution, "Melodies in the public domain, typed in for noisysynth"]
    else:
        found = list(_recorded(path))
        attribution, licence = [f"Recordings in {path.name}"], ["unknown"]
    if not found:
        raise UserError(
            f"{path} holds no phrase: give a SoundFont (.sf2), or recordings of one voice, 4 s or longer, between 60 "
            "and 1,600 Hz"
        )
    if len(found) > config.max_phrases:
        found = random.Random(config.seed).sample(found, config.max_phrases)
    return make_bank(found, {"dataset": path.absolute().name, "attribution": attribution, "licence": licence})


def make_bank(found: Sequence[Phrase], description: dict[str, Any]) -> PhraseBank:
    """The phrases as tensors, their pitch split into key, whole semitones and cents."""
    pitch = np.stack([phrase.pitch for phrase in found])
    voiced = np.stack([phrase.voiced for phrase in found])
    level = np.stack([phrase.level_db for phrase in found])
    first = voiced.argmax(axis=1)
    key = np.round(pitch[np.arange(len(found)), first])
    offset = pitch - key[:, None]
    whole = np.clip(np.round(offset), -MAX_SEMITONES, MAX_SEMITONES)
    heard = voiced & (np.abs(offset) <= MAX_SEMITONES)
    return PhraseBank(
        names=[phrase.name for phrase in found],
        audio=torch.from_numpy(np.stack([phrase.audio for phrase in found])),
        key=torch.from_numpy(key.astype(np.float32)),
        semitones=torch.from_numpy(whole.astype(np.int64)),
        cents=torch.from_numpy((100.0 * (offset - whole)).astype(np.float32)),
        weight=torch.from_numpy(heard.astype(np.float32)),
        level_db=torch.from_numpy(level),
        description=description,
    )


def _rendered(source: soundfont.SoundFontSource) -> Iterator[Phrase]:
    melodies = phrases()
    for program in source.programs:
        with tempfile.TemporaryDirectory(prefix="noisysynth-") as folder:
            midi, wav = Path(folder) / "phrases.mid", Path(folder) / "phrases.wav"
            _write_midi(midi, program, melodies)
            soundfont.render_midi(source.soundfont, midi, wav)
            audio, rate = soundfile.read(wav, dtype="float32", always_2d=True)
        sound = resample(np.ascontiguousarray(audio.mean(axis=1)), rate, SAMPLE_RATE)
        for number, melody in enumerate(melodies):
            start = round(_start_s(number) * SAMPLE_RATE)
            part = np.pad(sound[start : start + N_SAMPLES], (0, max(0, start + N_SAMPLES - len(sound))))
            pitch, voiced = _contour(melody)
            level = level_db(part, HOP)
            yield Phrase(f"{melody.name} {source.names[program]}", part, pitch, voiced & (level > SILENT_DB), level)


def _start_s(number: int) -> float:
    return 1.0 + number * (N_SAMPLES / SAMPLE_RATE + _GAP_S)


def _write_midi(path: Path, program: int, melodies: Sequence[MelodyPhrase]) -> None:
    song = mido.MidiFile(ticks_per_beat=500)
    track = mido.MidiTrack()
    song.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))  # so a tick is a millisecond
    track.append(mido.Message("program_change", program=program))
    events = []
    for number, melody in enumerate(melodies):
        for note in melody.notes:
            at_s = _start_s(number) + note.start_s
            accent = _ACCENT if note.start_s % 2.0 == 0.0 else 0
            events.append((at_s, mido.Message("note_on", note=note.pitch, velocity=_VELOCITY + accent)))
            events.append((at_s + _ARTICULATION * note.length_s, mido.Message("note_off", note=note.pitch)))
    now_ms = 0
    for at_s, message in sorted(events, key=lambda event: event[0]):
        at_ms = round(1_000 * at_s)
        track.append(message.copy(time=at_ms - now_ms))
        now_ms = at_ms
    track.append(mido.Message("control_change", control=120, value=0, time=2_000))
    song.save(path)


def _contour(melody: MelodyPhrase) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The written pitch at each frame, held through rests, where it is not voiced."""
    time_s = np.arange(N_FRAMES) * (HOP / SAMPLE_RATE)
    pitch = np.full(N_FRAMES, melody.notes[0].pitch, np.float32)
    voiced = np.zeros(N_FRAMES, bool)
    for note in melody.notes:
        pitch[time_s >= note.start_s] = note.pitch
        voiced |= (time_s >= note.start_s) & (time_s < note.start_s + note.length_s)
    return pitch, voiced


def _recorded(path: Path) -> Iterator[Phrase]:
    if not path.exists():
        raise UserError(f"no phrases at {path}; give a SoundFont (.sf2) or a folder of recordings")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    for file in files:
        try:
            audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise UserError(f"{file}: cannot be read ({error}); remove it, or convert it to WAV") from error
        if not np.isfinite(audio).all():
            raise UserError(f"{file}: holds numbers that are not finite; remove it")
        sound = resample(np.ascontiguousarray(audio.mean(axis=1)), rate, SAMPLE_RATE)
        for number in range(len(sound) // N_SAMPLES):
            part = sound[number * N_SAMPLES : (number + 1) * N_SAMPLES]
            level = level_db(part, HOP)
            track = track_pitch(part, SAMPLE_RATE, HOP)
            voiced = track.voiced & (level > SILENT_DB)
            if voiced.mean() >= FEWEST_VOICED:
                yield Phrase(f"{file.stem} {4 * number} s", part, track.pitch, voiced, level)
