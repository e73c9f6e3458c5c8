"""From a sound file to a note that begins at its onset: reading, refusing, trimming, gate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Audio = npt.NDArray[np.float32]

ONSET_BELOW_PEAK_DB = -40.0
ONSET_ABOVE_FLOOR_DB = 12.0
KEPT_BEFORE_ONSET_S = 0.002
HIGHEST_RUMBLE_HZ = 80.0
SILENT_PEAK = 1e-3
LONGEST_READ_S = 12.0
# This many samples in a row at the very same peak are a clipped wave, not a loud one.
CLIPPED_RUN, CLIPPED_RUNS = 4, 8
# A sustained note has ended when it has fallen this far under its middle.
DECAYED_DB = 6.0
RINGING_FALL_DB = 10.0


def read_note(path: Path) -> tuple[Audio, int]:
    """Mono audio float32 [samples] and sample rate; at most 12 s are read. ValueError says why it is of no use."""
    audio, rate = read_sound(path)
    refuse_useless(audio)
    return audio, rate


def read_sound(path: Path) -> tuple[Audio, int]:
    """As `read_note`, but only what is no sound at all is refused."""
    if not path.is_file():
        raise ValueError("file is missing")
    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            audio = file.read(round(LONGEST_READ_S * rate), dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(f"unreadable: {str(error).rsplit(': ', 1)[-1]}") from None
    refuse_silence(audio)
    return audio, rate


def refuse_useless(audio: Audio) -> None:
    """ValueError says why nothing can be learned from this recording [samples]."""
    refuse_silence(audio)
    if _is_clipped(audio, float(np.abs(audio).max())):
        raise ValueError("clipped")


def refuse_silence(audio: Audio) -> None:
    """ValueError says why this [samples] is no sound."""
    if len(audio) == 0:
        raise ValueError("empty")
    if not np.isfinite(audio).all():
        raise ValueError("non-finite samples")
    if float(np.abs(audio).max()) < SILENT_PEAK:
        raise ValueError("silent")


def without_rumble(audio: Audio, rate: int, f0_hz: float) -> Audio:
    """Audio high-passed below half of f0, 80 Hz at most: microphones hear lorries, and noise bands would learn them."""
    cutoff_hz = min(0.5 * f0_hz, HIGHEST_RUMBLE_HZ)
    # mirrored ends: rumble that is cut off at full swing would click
    edge = min(rate // 8, len(audio) - 1)
    padded = np.pad(audio, edge, mode="reflect", reflect_type="odd")
    hz = np.fft.rfftfreq(len(padded), 1.0 / rate)
    # Butterworth's fourth-order magnitude without its phase: onsets stay where they are
    gain = 1.0 / np.sqrt(1.0 + (cutoff_hz / np.maximum(hz, 1e-3)) ** 8)
    filtered = np.fft.irfft(np.fft.rfft(padded) * gain, n=len(padded))[edge : edge + len(audio)]
    return np.asarray(filtered, dtype=np.float32)


def onset_sample(audio: Audio, rate: int) -> int:
    """Where the note begins: 2 ms before its level first stands 12 dB above the start's noise and -40 dB re peak."""
    size = max(1, round(0.002 * rate))
    n_blocks = len(audio) // size
    if n_blocks < 2:
        return 0
    level = np.sqrt(np.square(audio[: n_blocks * size].reshape(n_blocks, size)).mean(axis=1))
    threshold = level.max() * 10.0 ** (ONSET_BELOW_PEAK_DB / 20.0)
    # noise before the onset: the quietest tenth of the first half second
    floor = float(np.quantile(level[: max(2, round(0.5 / 0.002))], 0.1))
    louder = floor * 10.0 ** (ONSET_ABOVE_FLOOR_DB / 20.0)
    # a start louder than this is the beginning of a swell, not noise
    if louder < 0.1 * level.max():
        threshold = max(threshold, louder)
    first = int(np.argmax(level >= threshold))
    return max(0, first * size - round(KEPT_BEFORE_ONSET_S * rate))


def estimate_gate_s(audio: Audio, rate: int, rings: bool | None = None) -> float:
    """Seconds from onset to note-off, guessed from the level.

    Struck and plucked notes (rings) sound to the end of the clip: the gate is the clip. A sustained note ends where
    its last fall by 6 dB under the level of its middle begins, or with the clip. rings=None decides by the
    level: a note that has fallen by 10 dB from its first to its second third rings.
    """
    seconds = len(audio) / rate
    size = max(1, round(0.01 * rate))
    n_blocks = len(audio) // size
    if rings or n_blocks < 12:
        return seconds
    power = np.square(audio[: n_blocks * size].reshape(n_blocks, size)).mean(axis=1)
    smooth = np.convolve(np.pad(power, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    level_db = 10.0 * np.log10(smooth + 1e-12)
    thirds = np.array_split(level_db, 3)
    if rings is None and np.median(thirds[0]) - np.median(thirds[1]) > RINGING_FALL_DB:
        return seconds
    sounding = level_db[level_db > level_db.max() - 30.0]
    sustained = np.flatnonzero(level_db > np.median(sounding) - DECAYED_DB)
    gate_s = (sustained[-1] + 1) * size / rate
    return seconds if gate_s > seconds - 0.06 else max(gate_s, 0.05)


def _is_clipped(audio: Audio, peak: float) -> bool:
    if peak < 0.5:
        return False
    flat = np.abs(audio) >= peak * (1.0 - 1e-5)
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate(([False], flat, [False])).astype(np.int8))))[::2]
    return int((runs >= CLIPPED_RUN).sum()) >= CLIPPED_RUNS
