"""The compiled differentiable synths against the oracle, eager torch and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch

from noisysynth.dsp.noise import band_noise_loops
from noisysynth.train.ddsp import eager, operators

SAMPLE_RATE = 16_000


def controls(batch: int, frames: int, partials: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    f0_hz = 200.0 * 2.0 ** rng.uniform(-1.0, 2.5, (batch, 1)) * 2.0 ** rng.uniform(-0.1, 0.1, (batch, frames))
    amplitudes = rng.uniform(0.0, 1.0, (batch, frames, partials)) / partials
    return torch.tensor(f0_hz, dtype=torch.float32), torch.tensor(amplitudes, dtype=torch.float32)


def decibels(error: np.ndarray, reference_signal: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(error**2) / np.mean(reference_signal**2)))


@pytest.mark.parametrize("hop", [32, 65])
def test_harmonic_synth_is_the_oracle(hop: int) -> None:
    f0_hz, amplitudes = controls(3, 6, 30)
    audio = operators.harmonic_synth(f0_hz, amplitudes, SAMPLE_RATE, hop).numpy()
    for row in range(3):
        expected = reference.harmonics(f0_hz[row].double().numpy(), amplitudes[row].double().numpy(), SAMPLE_RATE, hop)
        assert decibels(audio[row] - expected, expected) < -90


def test_noise_synth_is_the_oracle() -> None:
    gains = torch.rand(2, 5, 20, generator=torch.Generator().manual_seed(1))
    position = np.array([3, 18_900])
    audio = operators.noise_synth(gains, SAMPLE_RATE, 48, position).numpy()
    loops, lengths = band_noise_loops(SAMPLE_RATE, 20)
    for row in range(2):
        expected = reference.noise(gains[row].double().numpy(), loops, lengths, 48, int(position[row]))
        assert decibels(audio[row] - expected, expected) < -90


def test_eager_definitions_are_the_oracle() -> None:
    f0_hz, amplitudes = controls(1, 6, 30)
    audio = eager.harmonic_synth(f0_hz, amplitudes.double(), SAMPLE_RATE, 32).numpy()
    expected = reference.harmonics(f0_hz[0].double().numpy(), amplitudes[0].double().numpy(), SAMPLE_RATE, 32)
    assert decibels(audio[0] - expected, expected) < -180
    gains = torch.rand(1, 5, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    audio = eager.noise_synth(gains, SAMPLE_RATE, 48, np.array([77])).numpy()
    loops, lengths = band_noise_loops(SAMPLE_RATE, 20)
    expected = reference.noise(gains[0].numpy(), loops, lengths, 48, 77)
    assert decibels(audio[0] - expected, expected) < -180


@pytest.mark.parametrize("n_partials", [1, 2, 31, 40])
def test_harmonic_gradients_are_autograd_s(n_partials: int) -> None:
    f0_hz, amplitudes = controls(3, 7, n_partials, seed=n_partials)
    weight = torch.randn(3, 6 * 64, generator=torch.Generator().manual_seed(2))
    gradients = []
    for synth in (operators.harmonic_synth, eager.harmonic_synth):
        f = f0_hz.clone().requires_grad_()
        a = amplitudes.clone().requires_grad_()
        (synth(f, a, SAMPLE_RATE, 64) * weight).sum().backward()
        gradients.append((f.grad, a.grad))
    for compiled, expected in zip(*gradients, strict=True):
        assert compiled is not None
        assert expected is not None
        assert torch.linalg.norm(compiled - expected) < 1e-4 * torch.linalg.norm(expected)


def test_harmonic_gradients_are_finite_differences() -> None:
    """Central differences of the oracle, which has no autograd to share a mistake with."""
    f0_hz, amplitudes = controls(1, 4, 8, seed=3)
    weight = np.random.default_rng(4).standard_normal(3 * 24)
    f = f0_hz.clone().requires_grad_()
    a = amplitudes.clone().requires_grad_()
    audio = operators.harmonic_synth(f, a, SAMPLE_RATE, 24)
    (audio[0] * torch.tensor(weight, dtype=torch.float32)).sum().backward()
    assert f.grad is not None
    assert a.grad is not None

    def objective(f0: np.ndarray, amplitude: np.ndarray) -> float:
        return float(reference.harmonics(f0, amplitude, SAMPLE_RATE, 24) @ weight)

    f0, amplitude = f0_hz[0].double().numpy(), amplitudes[0].double().numpy()
    for frame in range(4):
        step = np.zeros(4)
        step[frame] = 1e-3
        slope = (objective(f0 + step, amplitude) - objective(f0 - step, amplitude)) / 2e-3
        assert float(f.grad[0, frame]) == pytest.approx(slope, rel=1e-3, abs=1e-5)
        for k in (0, 3, 7):
            step_a = np.zeros_like(amplitude)
            step_a[frame, k] = 1e-4
            slope = (objective(f0, amplitude + step_a) - objective(f0, amplitude - step_a)) / 2e-4
            assert float(a.grad[0, frame, k]) == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_noise_gradients_are_autograd_s() -> None:
    gains = torch.rand(2, 5, 20, generator=torch.Generator().manual_seed(5))
    gains[:, :, 3] = 0.0  # a silent band costs nothing, but must still learn
    position = np.array([3, 18_900])
    weight = torch.randn(2, 4 * 48, generator=torch.Generator().manual_seed(6))
    gradients = []
    for synth in (operators.noise_synth, eager.noise_synth):
        g = gains.clone().requires_grad_()
        (synth(g, SAMPLE_RATE, 48, position) * weight).sum().backward()
        assert g.grad is not None
        gradients.append(g.grad)
    assert torch.linalg.norm(gradients[0] - gradients[1]) < 1e-5 * torch.linalg.norm(gradients[1])


def test_partials_above_nyquist_are_silent_and_learn_nothing() -> None:
    f0_hz = torch.full((1, 3), 3_000.0, requires_grad=True)
    amplitudes = torch.zeros(1, 3, 10)
    amplitudes[:, :, 2:] = 1.0  # 9 kHz and more, at 16 kHz
    amplitudes.requires_grad_()
    audio = operators.harmonic_synth(f0_hz, amplitudes, SAMPLE_RATE, 64)
    audio.square().sum().backward()
    assert not audio.any()
    assert amplitudes.grad is not None
    assert not amplitudes.grad.any()
