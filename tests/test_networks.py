"""Control network, encoder and discriminators: the contract of docs/architecture.md, and what must hold at any time."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from synthetic_notes import INSTRUMENTS, SPEC, synthetic_notes

from noisysynth.spec import SynthSpec
from noisysynth.train.dice import Dice
from noisysynth.train.networks.discriminators import Discriminators
from noisysynth.train.networks.encoder import Encoder
from noisysynth.train.networks.generator import COURSE_S, Controls, Generator, _between_bands
from noisysynth.train.note_bank import NoteBank

FULL = SynthSpec()


@pytest.fixture(scope="module")
def generator() -> Generator:
    """Untrained but lively: weights large enough for the outputs to move."""
    torch.manual_seed(0)
    network = Generator(FULL).eval().requires_grad_(False)
    for parameter in network.out.parameters():
        parameter.mul_(2.0)
    return network


def play(generator: Generator, pitch: torch.Tensor, time_on: torch.Tensor, time_off: torch.Tensor) -> Controls:
    z = torch.randn(len(pitch), generator.spec.latent_size, generator=torch.Generator().manual_seed(1))
    controls: Controls = generator(z, pitch, torch.full_like(pitch, 0.7), time_on, time_off)
    return controls


def held(n_voices: int, times_s: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    times = torch.tensor(times_s).expand(n_voices, -1)
    return times, torch.full_like(times, -1.0)


def test_controls_fit_the_contract(generator: Generator) -> None:
    pitch = torch.tensor([21.0, 60.5, 84.0, 127.0])
    controls = play(generator, pitch, *held(4, [0.0, 0.01, 0.3]))
    assert [tuple(c.shape) for c in controls] == [(4, 3), (4, 3), (4, 3, 100), (4, 3, 64)]
    for values in controls:
        assert torch.isfinite(values).all()
        assert (values >= 0).all()
    torch.testing.assert_close(controls.harmonics.sum(-1), torch.ones(4, 3))
    f0_hz = 440.0 * 2.0 ** ((pitch[:, None] - 69.0) / 12.0) * controls.f0_ratio
    beyond = f0_hz[..., None] * torch.arange(1, 101) >= 20_000.0
    assert beyond.any()
    assert not controls.harmonics[beyond].any()
    assert (controls.harmonics[~beyond] > 0).all()


def test_a_fundamental_beyond_hearing_is_silent(generator: Generator) -> None:
    assert not play(generator, torch.tensor([140.0]), *held(1, [0.1])).harmonics.any()


def test_pitch_stays_within_sixty_cents_and_settles_on_the_nominal(generator: Generator) -> None:
    wild = Generator(FULL).eval().requires_grad_(False)
    wild.out.weight.mul_(100.0)
    ratio = play(wild, torch.linspace(30.0, 90.0, 20), *held(20, [0.0, 0.01, 0.05])).f0_ratio
    assert (1200.0 * torch.log2(ratio)).abs().max() <= 60.01
    wild.vibrato.weight.zero_()
    wild.vibrato.bias.fill_(-1.0)  # none: nothing is left of a glide after a second
    ratio = play(wild, torch.linspace(30.0, 90.0, 20), *held(20, [1.0, 5.0])).f0_ratio
    assert (1200.0 * torch.log2(ratio)).abs().max() < 0.01
    wild.vibrato.bias.copy_(torch.tensor([1.0, 0.0]))  # 12 cents at 5 Hz, and in tune on average
    ratio = play(wild, torch.linspace(30.0, 90.0, 20), *held(20, np.arange(2.0, 4.0, 0.01).tolist())).f0_ratio
    cents = 1200.0 * torch.log2(ratio)
    assert cents.mean(1).abs().max() < 0.1
    assert float(cents.amax()) == pytest.approx(12.0, abs=0.3)


def test_a_note_may_begin_loud_and_moves_without_a_jump(generator: Generator) -> None:
    """Struck notes do, and four milliseconds of fading in are heard; the engine hides the step."""
    controls = play(generator, torch.full((8,), 60.0), *held(8, np.arange(0.0, 0.02, 1e-5).tolist()))
    assert controls.amplitude[:, 0].min() > 0.0
    assert controls.noise[:, 0].min() > 0.0
    assert controls.amplitude.diff(dim=1).abs().max() < 0.02 * controls.amplitude.max()


def test_note_off_makes_no_jump(generator: Generator) -> None:
    times = torch.tensor([[0.5 - 1e-6, 0.5, 0.5 + 1e-6]])
    controls = play(generator, torch.tensor([60.0]), times, times - 0.5)
    for values in controls:
        torch.testing.assert_close(values[:, 0], values[:, 2], rtol=1e-3, atol=1e-6)


def test_any_released_note_is_silent_after_four_seconds(generator: Generator) -> None:
    loud = Generator(FULL).eval().requires_grad_(False)
    loud.out.bias.fill_(1e3)
    for network in (generator, loud):
        times = torch.tensor([[5.0, 20.0, 3600.0]]).expand(4, -1)
        controls = play(network, torch.full((4,), 60.0), times, times - 1.0)
        assert controls.amplitude.max() < 1e-5
        assert controls.noise.max() < 1e-5


def test_a_sustained_note_holds_for_an_hour_and_a_struck_one_dies(generator: Generator) -> None:
    sustained = Generator(FULL).eval().requires_grad_(False)
    sustained.load_state_dict(generator.state_dict())
    sustained.hold_decay.bias.fill_(0.1)  # all but sustained is sustained
    sustained.rates.weight.zero_()
    sustained.rates.bias.zero_()
    sustained.shimmer.depth.bias.fill_(-30.0)
    period_s = 1.0 / 4.6  # of all tremolos, now alike: compare at equal phases
    times_s = [math.ceil(t / period_s) * period_s for t in (COURSE_S, 10.0, 60.0, 3600.0)]
    controls = play(sustained, torch.full((4,), 60.0), *held(4, times_s))
    for values in controls:
        torch.testing.assert_close(values[:, 1:], values[:, :1].expand_as(values[:, 1:]), rtol=0.02, atol=1e-4)
    struck = sustained
    struck.hold_decay.bias.fill_(1.0)
    assert play(struck, torch.full((4,), 60.0), *held(4, [60.0])).amplitude.max() < 1e-5


def test_exported_control_network_equals_torch(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "control.onnx"
    names = ["z", "pitch", "velocity", "time_on", "time_off"]
    axes = {name: {0: "V"} for name in names[:3]} | {name: {0: "V", 1: "F"} for name in names[3:]}
    example = (torch.zeros(2, 32), torch.full((2,), 60.0), torch.ones(2), torch.rand(2, 3), torch.rand(2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            generator, example, str(path), dynamo=False, opset_version=17, input_names=names, dynamic_axes=axes
        )
    assert path.stat().st_size < 4_000_000
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    inputs = {
        "z": rng.standard_normal((5, 32)),
        "pitch": rng.uniform(20, 110, 5),
        "velocity": rng.uniform(0, 1, 5),
        "time_on": rng.uniform(0, 4, (5, 7)),
        "time_off": rng.uniform(-2, 2, (5, 7)),
    }
    inputs = {name: values.astype(np.float32) for name, values in inputs.items()}
    expected = generator(*(torch.from_numpy(inputs[name]) for name in names))
    for ours, theirs in zip(expected, session.run(None, inputs), strict=True):
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-4, atol=1e-5)


def test_encoder_hears_the_same_at_any_level_and_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = Encoder(SPEC, width=16).eval().requires_grad_(False)
    log_mel = torch.randn(2, 77, 80).clamp(-3.0, 3.0)
    mean, log_variance = encoder(log_mel)
    assert mean.shape == log_variance.shape == (2, SPEC.latent_size)
    torch.testing.assert_close(encoder(log_mel - 2.0)[0], mean, rtol=1e-4, atol=1e-5)
    path = tmp_path / "encoder.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder, (log_mel,), str(path), dynamo=False, opset_version=17, input_names=["log_mel"],
            dynamic_axes={"log_mel": {0: "B", 1: "T"}},
        )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for length in (1, 20, 333):
        other = torch.randn(1, length, 80)
        exported = session.run(None, {"log_mel": other.numpy()})[0]
        np.testing.assert_allclose(exported, encoder(other)[0].numpy(), rtol=1e-4, atol=1e-5)


def test_judges_score_notes_and_see_a_batch_of_equals() -> None:
    torch.manual_seed(0)
    bank = NoteBank(synthetic_notes(), SPEC, INSTRUMENTS)
    rng = Dice(0)
    judges = Discriminators(SPEC, width=16)
    rows = torch.arange(6)
    pair = bank.whole(rows, 18), bank.window(rows, 12, 2, rng)
    views = judges.views(*pair)
    scores = judges(views, *pair)
    assert scores.shape == (3, 6)
    # The same note, alone among its copies and among others: only the spread across the batch differs.
    copies = torch.zeros(6, dtype=torch.long)
    alike = bank.whole(copies, 18), bank.window(rows, 12, 2, rng)
    alone = judges(judges.views(*alike), *alike)
    assert abs(float((alone[0, 0] - scores[0, 0]).detach())) > 1e-4


def test_envelope_between_bands_is_linear() -> None:
    """As a product, which a GPU takes, and as two gathered bands, which a CPU does."""
    rng = torch.Generator().manual_seed(3)
    envelope = torch.randn(2, 3, 64, generator=rng)
    position = 62.999 * torch.rand(2, 10, generator=rng)
    below = position.floor()
    index = below.long().unsqueeze(1).expand(2, 3, 10)
    share = (position - below).unsqueeze(1)
    expected = envelope.gather(-1, index) * (1.0 - share) + envelope.gather(-1, index + 1) * share
    torch.testing.assert_close(_between_bands(envelope, position), expected, rtol=1e-5, atol=1e-5)
