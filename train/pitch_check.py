"""Does a note sound at the pitch its label says? Catches mislabelled files, forgives octaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from noisysynth.spec import midi_to_hz

FFT_SIZE = 32_768
ANALYSED_S = (0.03, 0.7)
HIGHEST_HZ = 8_000.0
N_PARTIALS = 12
# A label is refused only when it explains little of the sound and another pitch explains far more.
POOR, GOOD, TIMES_BETTER = 0.35, 0.5, 2.0


def better_pitch(audio: npt.NDArray[np.float32], sample_rate: int, pitch: float) -> float | None:
    """A MIDI pitch that fits the note much better than its label, or None when the label will do.

    audio: [samples] from the onset. The fit of a pitch is the share of spectral energy up to 8 kHz near its
    first 12 partials, less what chance would put there. Pitches whole octaves from the label count as the label:
    energy alone cannot tell which octave is heard.
    """
    start, stop = (round(seconds * sample_rate) for seconds in ANALYSED_S)
    segment = audio[start:stop] if len(audio) > stop // 2 else audio
    if len(segment) < 64 or not np.any(segment):
        return None
    power = np.abs(np.fft.rfft(segment * np.hanning(len(segment)), FFT_SIZE)) ** 2
    hz = np.fft.rfftfreq(FFT_SIZE, 1.0 / sample_rate)
    audible = (hz > 25.0) & (hz < min(HIGHEST_HZ, 0.49 * sample_rate))
    power = power * audible
    # root: a single loud partial must not decide alone
    power = np.sqrt(power / (power.max() + 1e-30))
    power[power < 1e-2] = 0.0
    cumulative = np.concatenate(([0.0], np.cumsum(power)))
    resolution_hz = 2.0 * sample_rate / len(segment)
    offsets = np.arange(-3, 4) * 0.2
    label = max(_fit(cumulative, hz, midi_to_hz(pitch + octave + offsets), resolution_hz) for octave in (-12, 0, 12))
    if label >= POOR:
        return None
    best_pitch, best = pitch, 0.0
    for semitones in range(-18, 19):
        if semitones % 12 in (0, 1, 11) and abs(semitones) not in (1, 11, 13):
            continue
        fit = _fit(cumulative, hz, midi_to_hz(pitch + semitones + offsets[1:-1]), resolution_hz)
        if fit > best:
            best_pitch, best = pitch + semitones, fit
    return best_pitch if best > max(GOOD, TIMES_BETTER * label) else None


def _fit(cumulative: npt.NDArray[Any], hz: npt.NDArray[Any], f0_hz: npt.NDArray[Any], resolution_hz: float) -> float:
    """Best fit over the candidates f0_hz: energy share near the partials above the share of the band they cover."""
    spacing = hz[1]
    highest = min(HIGHEST_HZ, hz[-1])
    best = 0.0
    for f0 in f0_hz:
        partials = f0 * np.arange(1, N_PARTIALS + 1)
        partials = partials[partials < highest]
        if len(partials) == 0:
            continue
        half_width = np.minimum(np.maximum(0.012 * partials, resolution_hz), 0.2 * f0)
        low = np.clip(np.round((partials - half_width) / spacing).astype(int), 0, len(hz))
        high = np.clip(np.round((partials + half_width) / spacing).astype(int) + 1, 0, len(hz))
        share = float((cumulative[high] - cumulative[low]).sum() / (cumulative[-1] + 1e-30))
        covered = float(2.0 * half_width.sum() / highest)
        best = max(best, (share - covered) / (1.0 - covered))
    return best
