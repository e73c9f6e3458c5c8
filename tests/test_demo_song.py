"""The demo song is what its script writes, and shows what it is there to show."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import mido

from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS

ROOT = Path(__file__).resolve().parent.parent
SONG = ROOT / "noisysynth" / "factory" / "demo.mid"


def test_committed_song_is_what_the_script_writes(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "write_demo_song.py"
    subprocess.run([sys.executable, str(script), str(tmp_path / "demo.mid")], check=True, timeout=60)
    assert SONG.read_bytes() == (tmp_path / "demo.mid").read_bytes(), "run `make demo` and commit the result"


def test_song_plays_sustains_and_morphs() -> None:
    now, held, sounding, polyphony = 0.0, 0, set[int](), 0
    last_note_off = 0.0
    controllers: dict[int, list[int]] = {}
    velocities = []
    for message in mido.MidiFile(SONG):
        now += message.time
        if message.type == "note_on":
            assert message.note not in sounding, f"note {message.note} struck twice at {now:.2f} s"
            assert 36 <= message.note <= 84
            sounding.add(message.note)
            velocities.append(message.velocity)
            polyphony = max(polyphony, len(sounding))
        elif message.type == "note_off":
            sounding.remove(message.note)
            last_note_off = now
        elif message.type == "control_change":
            controllers.setdefault(message.control, []).append(message.value)
            held = message.value if message.control == 64 else held
    assert not sounding
    assert held == 0, "the pedal must be up at the end"
    assert 40 <= now <= 65
    assert now - last_note_off >= 2.0, "the last chord needs time to ring out"
    assert 4 <= polyphony <= 8
    assert max(velocities) - min(velocities) >= 40
    for axis in ("pad_x", "pad_y"):
        controller = PARAMETERS[PARAMETER_INDEX[axis]].midi_cc
        assert controller is not None
        values = controllers[controller]
        assert max(values) - min(values) >= 80, f"{axis} hardly moves"
        steps = [abs(b - a) for a, b in itertools.pairwise(values)]
        assert max(steps) <= 6, f"{axis} jumps"
        assert values[-1] == 64
