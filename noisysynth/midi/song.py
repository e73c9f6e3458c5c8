"""A standard MIDI file as events."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.events import EVENT_DTYPE, EventKind
from noisysynth.midi.messages import event_of

_DRUM_CHANNEL = 9  # channel 10: keys are drums there, not pitches
_LONGEST_S = 4 * 3600.0


def read_song(path: Path, sample_rate: int) -> tuple[NDArray[np.void], float]:
    """Events [n] of EVENT_DTYPE in order of time, in samples from the start, and the song's length in seconds.

    Tempo changes are followed; the General MIDI drum channel is left out. UserError when the file is not a MIDI file,
    is cut short, has no notes or would last hours.
    """
    try:
        song = mido.MidiFile(path)
        rows = []
        now_s = 0.0
        for message in song:
            now_s += message.time
            if now_s > _LONGEST_S:
                raise UserError(f"{path}: longer than {_LONGEST_S / 3600:.0f} hours; is it a song?")
            if message.is_meta or getattr(message, "channel", None) == _DRUM_CHANNEL:
                continue
            event = event_of(message.bytes())
            if event is not None:
                event["time"] = round(now_s * sample_rate)
                rows.append(event)
    except OSError as error:
        # mido reports a broken file as an OSError without a number, the system with one.
        reason = error.strerror if error.errno else "not a complete MIDI file"
        raise UserError(f"{path}: {reason}; choose a standard MIDI file (.mid)") from None
    except UserError:
        raise
    except Exception:  # mido lets errors of many kinds out of broken files
        raise UserError(f"{path}: not a complete MIDI file; choose a standard MIDI file (.mid)") from None
    if not any(row["kind"][0] == EventKind.NOTE_ON for row in rows):
        raise UserError(f"{path}: no notes in it; choose a song with notes outside the drum channel")
    return np.concatenate(rows).astype(EVENT_DTYPE), now_s
