"""Records what is heard: a thread that follows the callback's tape and writes it to a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from noisysynth.dsp.compiling import jit
from noisysynth.engine.atomics import load_acquire
from noisysynth.engine.state import TAPE_LENGTH
from noisysynth.errors import UserError

FORMATS = {".wav": "WAV", ".flac": "FLAC"}
_POLL_S = 0.1
_BEING_WRITTEN = 8192  # samples: the largest block, which the callback may be writing over while we read
_MOST_AT_ONCE = 1 << 15
# A FLAC file whose last write failed lacks its length, so writing ends before the disk is full.
_LEAST_FREE_BYTES = 32 << 20
_LONGEST_WAV = ((1 << 32) - (1 << 23)) // 6  # samples; its sizes have 32 bits
_STOP_TIMEOUT_S = 10.0


@jit
def _wound(position):  # type: ignore[no-untyped-def]
    """How far the tape is written."""
    return load_acquire(position, 0)


class Recorder:
    """One recording, from `start` to `stop`, of the tape in `state` (a row of STATE_DTYPE, which it only reads).

    error: one line once the recording ended by itself, else "". What was written until then is kept.
    dropped: samples that the disk was too slow for; there is silence in their place.
    """

    def __init__(self, state: np.void) -> None:
        self._position: NDArray[np.int64] = state["tape_position"]
        self._tape: NDArray[np.float32] = state["tape"]
        self._rate = round(float(state["sample_rate"]))
        self._written = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self.error = ""

    @property
    def seconds(self) -> float:
        """Length of what is written so far."""
        return self._written / self._rate

    def start(self, path: Path) -> None:
        """Record into a 24-bit file (.wav or .flac) that appears at the end. UserError when it cannot be written."""
        if self._thread is not None:
            raise RuntimeError("a Recorder makes one recording")
        if path.suffix.lower() not in FORMATS:
            raise UserError(f"{path}: must end in {' or '.join(FORMATS)}")
        part = path.with_name(f"{path.name}.part")
        try:
            if shutil.disk_usage(path.parent).free < _LEAST_FREE_BYTES:
                raise UserError(f"{path}: the disk is full; make room or choose another folder")
            file = soundfile.SoundFile(part, "w", self._rate, 2, "PCM_24", format=FORMATS[path.suffix.lower()])
        except (OSError, soundfile.LibsndfileError) as error:
            raise UserError(f"{path}: cannot be written ({_reason(error)}); choose another folder") from None
        at = int(_wound(self._position))
        self._thread = threading.Thread(target=self._run, args=(file, path, part, at), name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Finish the file; returns its length in seconds. May be called again."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)
        return self.seconds

    def _run(self, file: soundfile.SoundFile, path: Path, part: Path, at: int) -> None:
        longest = _LONGEST_WAV if path.suffix.lower() == ".wav" else None
        try:
            last = False
            while not last and not self.error:
                last = self._stopping.wait(_POLL_S)
                at = self._follow(file, at)
                if longest is not None and self._written > longest:
                    self.error = f"{path}: the recording ended, for a WAV file holds no more; FLAC does"
                elif shutil.disk_usage(path.parent).free < _LEAST_FREE_BYTES:
                    self.error = f"{path}: the recording ended, for the disk is full; what there is so far is kept"
        except (OSError, RuntimeError, AssertionError) as error:  # soundfile's own are RuntimeErrors, or it asserts
            self.error = f"{path}: the recording ended ({_reason(error)}); what there is so far is kept"
        with contextlib.suppress(OSError, RuntimeError):
            file.close()
        try:
            os.replace(part, path)
        except OSError as error:
            self.error = self.error or f"{path}: cannot be written ({_reason(error)}); the recording is in {part.name}"

    def _follow(self, file: soundfile.SoundFile, at: int) -> int:
        """Write the tape from sample `at` on; returns where it ends now."""
        end = int(_wound(self._position))
        at = min(at, end)  # a clock that began anew
        while at < end:
            block = self._tape[np.arange(at, min(at + _MOST_AT_ONCE, end)) % TAPE_LENGTH]
            # What the callback may have written over meanwhile.
            lost = min(max(int(_wound(self._position)) + _BEING_WRITTEN - TAPE_LENGTH - at, 0), len(block))
            block[:lost] = 0.0
            self.dropped += lost
            file.write(np.clip(block, -1.0, 1.0, out=block))  # libsndfile wraps what is over full scale
            self._written += len(block)
            at += len(block)
        return at


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:120] or type(error).__name__
