"""Log-mel features against a slow reference."""

import numpy as np
import pytest

from noisysynth.features import FFT_SIZE, FLOOR, N_MELS, SAMPLE_RATE, log_mel
from noisysynth.spec import hz_to_mel, mel_to_hz


def test_one_frame_equals_the_definition() -> None:
    rng = np.random.default_rng(1)
    audio = (0.1 * rng.standard_normal(8000)).astype(np.float32)
    frame = 3
    n = np.arange(FFT_SIZE)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / FFT_SIZE)
    window /= window.sum()
    piece = audio[frame * 882 - 1024 : frame * 882 + 1024] * window
    power = np.abs(np.fft.rfft(piece.astype(np.float64))) ** 2
    edges = mel_to_hz(np.linspace(hz_to_mel(30.0), hz_to_mel(16_000.0), N_MELS + 2))
    hz = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE / FFT_SIZE
    expected = []
    for low, mid, high in zip(edges, edges[1:], edges[2:], strict=False):
        response = np.clip(np.minimum((hz - low) / (mid - low), (high - hz) / (high - mid)), 0, None)
        expected.append(np.log(max(np.sqrt((power * response).sum()), FLOOR)))
    np.testing.assert_allclose(log_mel(audio, SAMPLE_RATE)[frame], expected, atol=2e-3)


def test_shape_and_floor_of_silence() -> None:
    features = log_mel(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE)
    assert features.shape == (51, N_MELS)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, np.log(FLOOR), rtol=1e-6)


def test_a_louder_sound_shifts_the_features_by_its_gain() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(20_000) / SAMPLE_RATE)
    quiet, loud = log_mel(0.05 * tone, SAMPLE_RATE), log_mel(0.5 * tone, SAMPLE_RATE)
    band = int(quiet[10].argmax())
    assert loud[10, band] - quiet[10, band] == pytest.approx(np.log(10.0), abs=1e-3)


def test_empty_audio_gives_one_frame() -> None:
    assert log_mel(np.zeros(0, np.float32), SAMPLE_RATE).shape == (1, N_MELS)


@pytest.mark.parametrize(("audio", "rate"), [(np.zeros(100), 48_000), (np.zeros((2, 100)), SAMPLE_RATE)])
def test_wrong_rate_or_shape_is_refused(audio: np.ndarray, rate: int) -> None:
    with pytest.raises(ValueError, match="log_mel wants"):
        log_mel(audio, rate)
