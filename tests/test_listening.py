"""What is heard in a recorded note: its pitch, and how far it is from another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_notes import tone

from noisysynth.listening.distance import FFT_SIZES, SpectralDistance, multi_scale_spectral_distance
from noisysynth.listening.pitch import find_pitch
from noisysynth.listening.pitch_names import pitch_text
from noisysynth.listening.recording import onset_sample, read_sound

RATE = 22_050
GUITAR = Path(__file__).parent / "data" / "guitar.flac"  # G3


@pytest.mark.parametrize("pitch", [24.0, 33.3, 45.1, 57.0, 60.45, 72.9, 84.0, 98.6])
def test_pitch_of_tones_all_over_the_keyboard(pitch: float) -> None:
    found = find_pitch(tone(pitch), RATE)
    assert found.pitch == pytest.approx(pitch, abs=0.03)
    assert found.clarity > 0.8


@pytest.mark.parametrize("rate", [11_025, 44_100, 96_000])
def test_pitch_at_other_rates_and_levels(rate: int) -> None:
    assert find_pitch(0.01 * tone(64.2, rate=rate), rate).pitch == pytest.approx(64.2, abs=0.03)


def test_pitch_with_a_missing_fundamental() -> None:
    time_s = np.arange(RATE) / RATE
    partials = [np.sin(2 * np.pi * 110.0 * k * time_s) / k for k in (2, 3, 4, 5, 6, 7)]
    assert find_pitch(np.sum(partials, axis=0).astype(np.float32), RATE).pitch == pytest.approx(45.0, abs=0.05)


def test_pitch_of_vibrato_is_its_middle() -> None:
    time_s = np.arange(2 * RATE) / RATE
    cycles = 440.0 * np.cumsum(2.0 ** (0.3 / 12 * np.sin(2 * np.pi * 5.5 * time_s))) / RATE
    audio = sum(np.sin(2 * np.pi * k * cycles) / k for k in range(1, 6))
    assert find_pitch(np.asarray(audio, np.float32), RATE).pitch == pytest.approx(69.0, abs=0.1)


def test_pitch_of_a_recorded_note() -> None:
    audio, rate = read_sound(GUITAR)
    found = find_pitch(audio[onset_sample(audio, rate) :], rate)
    assert found.pitch == pytest.approx(55.02, abs=0.05)
    assert found.clarity > 0.5


def test_noise_has_no_clear_pitch() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert find_pitch(noise, RATE).clarity < 0.2


@pytest.mark.parametrize("n", [0, 10, 3000])
def test_nothing_to_listen_to(n: int) -> None:
    with pytest.raises(ValueError, match="nothing to listen to"):
        find_pitch(np.zeros(n, np.float32), RATE)


@pytest.mark.parametrize(
    ("pitch", "text"), [(69.0, "A4"), (60.126, "C4 +13 ct"), (59.87, "C4 -13 ct"), (-1.0, "B-2"), (69.0049, "A4")]
)
def test_pitches_have_names(pitch: float, text: str) -> None:
    assert pitch_text(pitch) == text


class TestDistance:
    def test_is_the_definition(self) -> None:
        """Engel et al. 2020, equation 3, frame by frame."""
        rng = np.random.default_rng(1)
        first, second = rng.standard_normal((2, 5000)) * 0.1
        total = 0.0
        for size in FFT_SIZES:
            window = np.hanning(size)
            terms = []
            for start in range(-(size // 2), 5000 + 1, size // 4):
                spectra = []
                for audio in (first, second):
                    index = np.arange(start, start + size)
                    inside = (index >= 0) & (index < len(audio))
                    frame = np.where(inside, audio[np.clip(index, 0, len(audio) - 1)], 0.0)
                    spectra.append(np.abs(np.fft.rfft(frame * window)) / window.sum())
                magnitude = 100.0 * np.abs(spectra[0] - spectra[1])
                log = np.abs(np.log(spectra[0] + 1e-5) - np.log(spectra[1] + 1e-5))
                terms.append((magnitude + log).mean())
            total += float(np.mean(terms))
        assert multi_scale_spectral_distance(first, second) == pytest.approx(total / len(FFT_SIZES), rel=1e-4)

    def test_of_a_sound_to_itself_is_nothing(self) -> None:
        audio = tone(60)
        assert SpectralDistance(audio)(audio) == 0.0

    def test_pads_the_shorter(self) -> None:
        audio = tone(60)
        longer = np.pad(audio, (0, 4000))
        assert SpectralDistance(audio)(longer) == pytest.approx(0.0, abs=1e-6)
        assert SpectralDistance(longer)(audio) == pytest.approx(0.0, abs=1e-6)
        assert SpectralDistance(audio)(audio[:9000]) > 0.1
