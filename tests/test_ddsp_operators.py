"""The compiled differentiable synths against the oracle, eager torch and finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import pytest
import reference
import torch
from torch import Tensor

from noisysynth.dsp.noise import MAX_SEGMENT, band_noise_loops
from noisysynth.dsp.stretched import add_stretched_partials, seed_rotator
from noisysynth.spec import MAX_HARMONICS
from noisysynth.train.ddsp import eager, operators, reverb
from noisysynth.train.ddsp.wavetables import level_harmonics

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


Synth = Callable[..., Tensor]
POSITION = np.array([3, 18_900, 77])


def family(kind: str, frames: int = 5, size: int = 9, hop: int = 24) -> tuple[Synth, Synth, list[Tensor]]:
    """An operator, its definition, and float64 inputs of three rows by which both are differentiable."""
    f0_hz, amplitudes = (tensor.double() for tensor in controls(3, frames, size, seed=11))
    generator = torch.Generator().manual_seed(12)
    if kind == "harmonic":
        inputs = [f0_hz, amplitudes]
    elif kind == "inharmonic":
        stretch = torch.tensor([0.0, 1e-4, 3e-3], dtype=torch.float64)
        inputs = [f0_hz, amplitudes, eager.stretched_ratios(stretch, size)]
    elif kind == "wavetable":
        inputs = [f0_hz, amplitudes, torch.randn(size, 32, generator=generator, dtype=torch.float64)]
    elif kind == "noise":
        inputs = [amplitudes]
    else:
        audio = torch.randn(3, frames * hop, generator=generator, dtype=torch.float64)
        inputs = [audio, torch.randn(size, generator=generator, dtype=torch.float64)]
        return reverb.convolve, eager.convolve, inputs
    name = f"{kind}_synth"
    more = (SAMPLE_RATE, hop, POSITION) if kind == "noise" else (SAMPLE_RATE, hop)
    fast, plain = getattr(operators, name), getattr(eager, name)
    return lambda *x: fast(*x, *more), lambda *x: plain(*x, *more), inputs


def audio_and_gradients(synth: Synth, inputs: list[Tensor], seed: int = 13) -> list[Tensor]:
    """Audio, and the gradients of its sum weighted with the same noise each time."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    audio = synth(*leaves)
    weight = torch.randn(audio.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    (audio * weight.to(audio.dtype)).sum().backward()
    return [audio.detach(), *(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves)]


def assert_alike(got: list[Tensor], expected: list[Tensor], bar: float) -> None:
    for number, (one, other) in enumerate(zip(got, expected, strict=True)):
        assert one.shape == other.shape
        difference = torch.linalg.norm(one.double() - other.double())
        assert difference <= bar * torch.linalg.norm(other.double()), f"{number} differs by {difference}"


KINDS = ("harmonic", "inharmonic", "wavetable", "noise", "reverb")


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(kind: str) -> None:
    """Finite differences of each operator's own forward pass, in float64."""
    synth, _, inputs = family(kind, frames=3, size=2, hop=5)
    if kind == "wavetable":
        inputs[2] = inputs[2][:, :11]
    leaves = [tensor.requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(synth, leaves)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("frames", "size", "hop"), [(5, 9, 24), (3, 20, 65), (7, 2, 1), (4, 3, 130), (2, 5, 3)])
def test_operators_are_their_definitions(kind: str, frames: int, size: int, hop: int) -> None:
    synth, plain, inputs = family(kind, frames, size, hop)
    if kind == "wavetable" and size > 15:
        inputs[2] = inputs[2].repeat(1, 4)
    assert_alike(audio_and_gradients(synth, inputs), audio_and_gradients(plain, inputs), 1e-11)
    single = [tensor.float() for tensor in inputs]
    expected = audio_and_gradients(plain, [tensor.double() for tensor in single])
    got = audio_and_gradients(synth, single)
    assert all(tensor.dtype == torch.float32 for tensor in got)
    assert_alike(got, expected, 3e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_nothing_out(kind: str) -> None:
    """One frame is no segment; the reverb of no audio is none."""
    synth, _, inputs = family(kind, frames=1)
    if kind == "reverb":
        inputs[0] = inputs[0][:, :0]
    results = audio_and_gradients(synth, inputs)
    assert results[0].shape == (3, 0)
    assert not any(gradient.any() for gradient in results[1:])


@pytest.mark.parametrize("kind", ["harmonic", "inharmonic", "wavetable"])
@pytest.mark.parametrize("real", [torch.float32, torch.float64])
@pytest.mark.parametrize("f0_hz", [9_000.0, 8_000.0, 0.0, -50.0])
def test_what_nobody_hears_is_silent_and_learns_nothing(kind: str, real: torch.dtype, f0_hz: float) -> None:
    for synth in family(kind)[:2]:
        inputs = [tensor.to(real) for tensor in family(kind)[2]]
        inputs[0] = torch.full_like(inputs[0], f0_hz)
        for result in audio_and_gradients(synth, inputs):
            assert not result.any()


def test_a_table_s_harmonics_above_nyquist_are_silent_and_learn_nothing() -> None:
    """At 1.5 kHz five harmonics of the table are below 8 kHz; the gradient has none of the others."""
    f0_hz = torch.full((1, 9), 1_500.0, dtype=torch.float64)
    weights = torch.ones(1, 9, 1, dtype=torch.float64)
    table = torch.randn(1, 512, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    audio, _, _, d_table = audio_and_gradients(
        lambda *x: operators.wavetable_synth(*x, SAMPLE_RATE, 128), [f0_hz, weights, table]
    )
    learned = torch.fft.rfft(d_table[0]).abs()
    assert (learned[1:6] > 1e-3 * learned.max()).all()
    assert (learned[6:] < 1e-9 * learned.max()).all()
    assert learned[0] < 1e-9 * learned.max()
    spectrum = torch.fft.rfft(audio[0] * torch.hann_window(1024, dtype=torch.float64)).abs()
    heard = torch.arange(513) * SAMPLE_RATE / 1024
    near = (heard.unsqueeze(-1) - 1_500.0 * torch.arange(1, 6)).abs().min(-1).values < 40.0
    # What is left between the harmonics is that values between two entries are linear.
    assert spectrum[~near].max() < 2e-3 * spectrum.max()


def test_levels_are_half_an_octave_apart() -> None:
    assert level_harmonics(512) == [1, 2, 4, 5, 8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 255]
    assert level_harmonics(3) == [1]


def test_more_partials_than_the_player_has() -> None:
    f0_hz, amplitudes = controls(2, 4, MAX_HARMONICS + 30)
    f0_hz = 0.1 * f0_hz
    expected = audio_and_gradients(
        lambda *x: eager.harmonic_synth(*x, SAMPLE_RATE, 32), [f0_hz.double(), amplitudes.double()]
    )
    got = audio_and_gradients(lambda *x: operators.harmonic_synth(*x, SAMPLE_RATE, 32), [f0_hz, amplitudes])
    assert_alike(got, expected, 3e-6)


@pytest.mark.parametrize("kind", ["harmonic", "inharmonic"])
def test_phase_is_exact_after_an_hour(kind: str) -> None:
    """437 Hz for 3,600 s at 11 kHz: no binary fraction holds its turns, but whole numbers tell the last samples."""
    rate, hop, hz = 11_000, 1_000, 437
    frames = 3_600 * rate // hop + 1
    f0_hz = torch.full((1, frames), float(hz))
    amplitudes = torch.zeros(1, frames, 12)
    amplitudes[:, :, 11] = 1.0
    if kind == "harmonic":
        audio = operators.harmonic_synth(f0_hz, amplitudes, rate, hop)
    else:
        ratios = torch.arange(1, 13, dtype=torch.float64)[None]
        audio = operators.inharmonic_synth(f0_hz, amplitudes, ratios, rate, hop)
    sample = torch.arange((frames - 1) * hop)[-hop:]
    expected = torch.sin(2.0 * torch.pi * ((sample * 12 * hz) % rate).double() / rate)
    assert (audio[0, -hop:] - expected).abs().max() < 5e-6


def test_stretched_partials_are_the_player_s() -> None:
    """The player holds frequencies for 16 samples, so its partials are not quite the same."""
    rate, hop, stretch = 44_100, 192, 4e-4
    f0_hz = torch.tensor([[220.0, 221.0, 219.5, 220.5]])
    amplitudes = torch.full((1, 4, 30), 0.03)
    ratios = eager.stretched_ratios(torch.tensor([stretch]), 30)
    audio = operators.inharmonic_synth(f0_hz, amplitudes, ratios, rate, hop)[0].numpy()
    rotator = np.zeros((2, 64), np.float32)
    seed_rotator(rotator, 0.0, 30)
    ramp = (np.arange(hop) / hop).astype(np.float32)
    played = np.zeros(3 * hop, np.float32)
    for f in range(3):
        start, end = float(f0_hz[0, f]), float(f0_hz[0, f + 1])
        amps = amplitudes[0].numpy()
        segment = played[f * hop : (f + 1) * hop]
        add_stretched_partials(segment, hop, rotator, start, end, stretch, rate, ramp, amps[f], amps[f + 1], 30)
    assert decibels(audio - played, played) < -50


def test_a_room_answers_after_the_dry_sound() -> None:
    room = reverb.Reverb(8_000, seconds=0.01)
    audio = torch.randn(2, 300, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(room(audio), audio, atol=1e-6)
    with torch.no_grad():
        room.response[0], room.response[79] = 0.5, -0.25
    expected = audio.clone()
    expected[:, 1:] += 0.5 * audio[:, :-1]
    expected[:, 80:] -= 0.25 * audio[:, :-80]
    assert torch.allclose(room(audio), expected, atol=1e-5)
    wet = room.room()
    assert wet.shape == (81, 1)
    assert wet.dtype == np.float32
    assert (wet[0, 0], wet[1, 0], wet[80, 0]) == (0.0, 0.5, -0.25)


def test_a_room_is_learned() -> None:
    generator = torch.Generator().manual_seed(5)
    dry = torch.randn(4, 400, generator=generator)
    true = 0.1 * torch.randn(20, generator=generator)
    wanted = dry + reverb.convolve(torch.nn.functional.pad(dry, (1, 0))[:, :-1], true)
    room = reverb.Reverb(1_000, seconds=0.02)
    optimizer = torch.optim.SGD(room.parameters(), 0.4)
    for _ in range(30):
        optimizer.zero_grad()
        (room(dry) - wanted).square().mean().backward()
        optimizer.step()
    assert torch.linalg.norm(room.response.detach() - true) < 0.01 * torch.linalg.norm(true)


def test_gradients_do_not_depend_on_the_threads() -> None:
    """Bit for bit: a run must go on the same on another machine."""
    results = []
    before = numba.get_num_threads()
    for count in (before, 1):
        numba.set_num_threads(count)
        for kind in ("harmonic", "inharmonic", "wavetable", "noise"):
            synth, _, inputs = family(kind)
            results.append(audio_and_gradients(synth, [tensor.float() for tensor in inputs]))
    numba.set_num_threads(before)
    for one, other in zip(results[:4], results[4:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_shapes_that_do_not_fit_are_refused() -> None:
    f0_hz, amplitudes = controls(2, 4, 5)
    with pytest.raises(ValueError, match=r"f0_hz \[2, 4\] and amplitudes \[2, 3, 5\]"):
        operators.harmonic_synth(f0_hz, amplitudes[:, :3], SAMPLE_RATE, 32)
    operators.harmonic_synth(f0_hz, amplitudes[:, :, :1], SAMPLE_RATE, 32)  # one partial is enough
    with pytest.raises(ValueError, match=r"ratios \[1, 5\]"):
        operators.inharmonic_synth(f0_hz, amplitudes, torch.ones(1, 5), SAMPLE_RATE, 32)
    with pytest.raises(ValueError, match=r"tables \[4, 64\]"):
        operators.wavetable_synth(f0_hz, amplitudes, torch.ones(4, 64), SAMPLE_RATE, 32)
    with pytest.raises(ValueError, match=f"above {MAX_SEGMENT}"):
        operators.noise_synth(amplitudes, SAMPLE_RATE, MAX_SEGMENT + 1, POSITION[:2])


def test_second_derivatives_are_refused() -> None:
    f0_hz, amplitudes = controls(1, 3, 4)
    amplitudes.requires_grad_()
    audio = operators.harmonic_synth(f0_hz, amplitudes, SAMPLE_RATE, 32)
    (first,) = torch.autograd.grad(audio.square().sum(), amplitudes, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.square().sum().backward()
