"""Notes rendered from a SoundFont by the `fluidsynth` command: every pitch, velocity and length."""

from __future__ import annotations

import hashlib
import math
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile

from noisysynth.errors import UserError
from noisysynth.train.clip import Clip, Rejected

SAMPLE_RATE = 44_100
# FluidSynth plays events at the start of its next block of 64 samples.
BLOCK = 64
# 640 ms is the shortest time that is whole in milliseconds (ticks) and in blocks at 44.1 kHz.
SLOT_UNIT_MS = 640
RELEASE_S = 1.5
GATE_RANGE_S = (0.05, 3.5)
VELOCITY_RANGE = (30, 127)
PITCH_RANGE = (33, 93)
# The loudest notes of FluidR3 come near full scale; samples are float, so louder ones do not clip.
GAIN = 1.5
SILENT_PEAK = 1e-4

DEBIAN_SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")

GM_FAMILIES = (
    "piano", "mallet", "organ", "guitar", "bass", "string", "ensemble", "brass",
    "reed", "flute", "lead", "pad", "effect", "ethnic", "percussion", "sound effect",
)  # fmt: skip

# Lowest and highest note of each default program: its register, a little widened.
DEFAULT_PROGRAMS: dict[int, tuple[int, int]] = {
    0: (28, 100), 2: (28, 96), 4: (33, 93), 5: (33, 93), 6: (33, 89), 7: (33, 86), 8: (60, 96), 11: (48, 89),
    12: (41, 89), 13: (60, 96), 16: (36, 93), 19: (36, 96), 21: (48, 93), 22: (55, 93), 24: (40, 84),
    25: (40, 84), 26: (40, 84), 27: (40, 84), 32: (28, 62), 33: (28, 62), 36: (28, 62), 40: (55, 96),
    41: (48, 84), 42: (36, 76), 43: (28, 60), 45: (40, 88), 46: (33, 96), 48: (36, 93), 52: (43, 84), 53: (43, 84),
    56: (52, 86), 57: (38, 74), 58: (29, 62), 60: (40, 77), 61: (40, 84), 64: (54, 88), 65: (48, 81),
    66: (42, 76), 68: (57, 91), 70: (34, 72), 71: (50, 91), 73: (60, 96), 75: (57, 93), 79: (60, 91), 104: (45, 81),
    108: (57, 89),
}  # fmt: skip


class SoundFontSource:
    """Clips of the chosen programs, one program a batch, the same for the same seed.

    Pitches walk through each program's register in steps of `pitch_step` with a random offset below one step, so
    every pitch class occurs; velocities are uniform in 30..127; gates log-uniform in 0.05..3.5 s.
    Raises UserError when the SoundFont or the fluidsynth command is missing.
    """

    def __init__(
        self,
        soundfont: Path,
        programs: Sequence[int] | None = None,
        notes_per_program: int = 120,
        pitch_step: int = 3,
        seed: int = 0,
        licence: str | None = None,
    ) -> None:
        if shutil.which("fluidsynth") is None:
            raise UserError(
                "the fluidsynth command is not installed; install it (Debian, Ubuntu: apt install fluidsynth)"
            )
        if not soundfont.is_file():
            raise UserError(f"no SoundFont at {soundfont}; give a .sf2 file{_hint()}")
        names = preset_names(soundfont)
        wanted = list(programs) if programs is not None else [p for p in DEFAULT_PROGRAMS if p in names]
        missing = [program for program in wanted if program not in names]
        if missing or not wanted:
            listed = ", ".join(map(str, missing)) or "any"
            raise UserError(f"{soundfont.name} has no program {listed} in bank 0")
        if notes_per_program < 1 or not 1 <= pitch_step <= 24:
            raise UserError("notes per program must be at least 1 and the pitch step 1 to 24")
        self.soundfont = soundfont
        self.programs = wanted
        self.names = {program: names[program] for program in wanted}
        self.notes_per_program = notes_per_program
        self.pitch_step = pitch_step
        self.seed = seed
        fluid = soundfont.resolve().name.startswith("FluidR3")
        self.licence = licence or ("MIT" if fluid else "unknown")
        self.n_batches = len(wanted)
        self.n_notes = len(wanted) * notes_per_program
        credit = " (Frank Wen and contributors)" if fluid else ""
        self.attribution = [f"Notes rendered from {soundfont.resolve().name}{credit}, {self.licence}"]

    def arguments(self) -> dict[str, Any]:
        stat = self.soundfont.stat()
        return {
            "source": "soundfont",
            "file": self.soundfont.resolve().name,
            "bytes": stat.st_size,
            "programs": self.programs,
            "notes_per_program": self.notes_per_program,
            "pitch_step": self.pitch_step,
            "seed": self.seed,
            "licence": self.licence,
        }

    def batch(self, index: int) -> Iterator[Clip | Rejected]:
        program = self.programs[index]
        name = self.names[program]
        notes = self._plan(program)
        with tempfile.TemporaryDirectory(prefix="noisysynth-") as folder:
            starts = _write_midi(Path(folder) / "notes.mid", program, notes)
            wav = Path(folder) / "notes.wav"
            render_midi(self.soundfont, Path(folder) / "notes.mid", wav)
            with soundfile.SoundFile(wav) as rendered:
                for number, (pitch, velocity, gate_s) in enumerate(notes):
                    note_id = f"{program:03d}-{number:03d}-{pitch:03d}-{velocity:03d}"
                    rendered.seek(min(starts[number] + BLOCK, rendered.frames))
                    length = starts[number + 1] - starts[number] - 8 * BLOCK
                    stereo = rendered.read(length, dtype="float32", always_2d=True)
                    audio = stereo.mean(axis=1)
                    if len(audio) < length // 2 or float(np.abs(audio).max()) < SILENT_PEAK:
                        yield Rejected(note_id, "silent")
                        continue
                    yield Clip(
                        audio=audio,
                        sample_rate=SAMPLE_RATE,
                        pitch=float(pitch),
                        velocity=velocity / 127.0,
                        gate_s=gate_s,
                        note_id=note_id,
                        instrument=name,
                        family=GM_FAMILIES[program // 8],
                        tags=(f"program {program}",),
                        source=self.soundfont.resolve().name,
                        licence=self.licence,
                    )

    def _plan(self, program: int) -> list[tuple[int, int, float]]:
        """Pitch, velocity (1..127) and gate in seconds (whole milliseconds) of each note."""
        digest = hashlib.sha256(f"{self.seed}/{program}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        low, high = DEFAULT_PROGRAMS.get(program, PITCH_RANGE)
        steps = list(range(low, high + 1, self.pitch_step))
        notes = []
        for number in range(self.notes_per_program):
            # the fraction of a register is walked evenly however few notes are asked for
            place = steps[(number * len(steps) // self.notes_per_program + number) % len(steps)]
            if self.notes_per_program < len(steps):
                place = steps[number * len(steps) // self.notes_per_program]
            pitch = min(place + int(rng.integers(self.pitch_step)), high)
            velocity = int(rng.integers(VELOCITY_RANGE[0], VELOCITY_RANGE[1] + 1))
            gate_s = math.exp(rng.uniform(math.log(GATE_RANGE_S[0]), math.log(GATE_RANGE_S[1])))
            notes.append((pitch, velocity, round(gate_s, 3)))
        return notes


def preset_names(soundfont: Path) -> dict[int, str]:
    """Program number to name of the presets in bank 0. UserError when it is no SoundFont 2 file.

    Layout: SoundFont 2.04 specification, section 7.2 (phdr, records of 38 bytes).
    """
    try:
        with soundfont.open("rb") as file:
            riff, _, form = struct.unpack("<4sI4s", file.read(12))
            if riff != b"RIFF" or form != b"sfbk":
                raise UserError(f"{soundfont} is not a SoundFont 2 (.sf2) file")
            while header := file.read(8):
                kind, size = struct.unpack("<4sI", header)
                if kind != b"LIST" or file.read(4) != b"pdta":
                    file.seek(size + size % 2 - (4 if kind == b"LIST" else 0), 1)
                    continue
                kind, size = struct.unpack("<4sI", file.read(8))
                if kind != b"phdr":
                    break
                names = {}
                for record in struct.iter_unpack("<20sHH14x", file.read(size)):
                    name = record[0].split(b"\0")[0].decode("latin-1").strip()
                    if record[2] == 0 and record[1] < 128 and name != "EOP":
                        names[record[1]] = name
                return names
    except struct.error:
        pass
    except OSError as error:
        raise UserError(f"cannot read {soundfont}: {error.strerror}") from error
    raise UserError(f"{soundfont} is not a whole SoundFont 2 (.sf2) file")


def _hint() -> str:
    if DEBIAN_SOUNDFONT.is_file():
        return f", for example {DEBIAN_SOUNDFONT}"
    return ", for example FluidR3_GM.sf2 (Debian, Ubuntu: apt install fluid-soundfont-gm)"


def _write_midi(path: Path, program: int, notes: Sequence[tuple[int, int, float]]) -> list[int]:
    """Write the notes one after another; start sample of each note's slot, and of the end."""
    midi = mido.MidiFile(ticks_per_beat=500)
    track = mido.MidiTrack()
    midi.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))  # so a tick is a millisecond
    track.append(mido.Message("program_change", program=program))
    now_ms = 0
    slot_ms = SLOT_UNIT_MS
    starts = []
    for pitch, velocity, gate_s in notes:
        starts.append(slot_ms * SAMPLE_RATE // 1000)
        gate_ms = round(1000 * gate_s)
        units = math.ceil((gate_s + RELEASE_S + 0.02) * 1000 / SLOT_UNIT_MS)
        end_ms = slot_ms + units * SLOT_UNIT_MS
        track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=slot_ms - now_ms))
        track.append(mido.Message("note_off", note=pitch, time=gate_ms))
        # all sound off, lest a long release sound into the next note
        until_ms = end_ms - slot_ms - gate_ms - 8
        track.append(mido.Message("control_change", control=120, value=0, time=until_ms))
        now_ms = end_ms - 8
        slot_ms = end_ms
    starts.append(slot_ms * SAMPLE_RATE // 1000)
    track.append(mido.Message("control_change", control=120, value=0, time=100))
    midi.save(path)
    return starts


def render_midi(soundfont: Path, midi: Path, wav: Path) -> None:
    """Run fluidsynth without reverb or chorus, to float samples that cannot clip."""
    command = [
        "fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", str(GAIN), "-r", str(SAMPLE_RATE),
        "-T", "wav", "-O", "float", "-F", str(wav), str(soundfont), str(midi),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not wav.is_file():
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise UserError(f"fluidsynth failed: {lines[-1] if lines else f'exit code {done.returncode}'}")
