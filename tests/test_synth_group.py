"""Synths that sound together, and what they need to do so."""

from __future__ import annotations

import pytest
import torch

from noisysynth.train.ddsp import operators
from noisysynth.train.ddsp.group import (
    Controls,
    HarmonicSynth,
    InharmonicSynth,
    NoiseSynth,
    SynthGroup,
    WavetableSynth,
)
from noisysynth.train.ddsp.reverb import Reverb

RATE, HOP, FRAMES = 16_000, 64, 9


def all_controls() -> Controls:
    generator = torch.Generator().manual_seed(0)
    return {
        "f0_hz": 300.0 + 20.0 * torch.rand(2, FRAMES, generator=generator),
        "harmonics": torch.rand(2, FRAMES, 12, generator=generator) / 12,
        "stretch": torch.tensor([0.0, 3e-4]),
        "noise": 0.1 * torch.rand(2, FRAMES, 8, generator=generator),
        "noise_position": torch.tensor([5, 70_000]),
        "tables": torch.rand(2, FRAMES, 4, generator=generator),
    }


def everything() -> SynthGroup:
    synths = [HarmonicSynth(RATE, HOP), InharmonicSynth(RATE, HOP), NoiseSynth(RATE, HOP), WavetableSynth(RATE, HOP, 4)]
    return SynthGroup(synths, Reverb(RATE, 0.01))


def test_group_is_the_sum_of_its_synths_in_its_room() -> None:
    group, controls = everything(), all_controls()
    with torch.no_grad():
        group.reverb.response[10] = 0.5
        dry = sum(synth(controls) for synth in group.synths)
        audio = group(controls)
    expected = dry.clone()
    expected[:, 11:] += 0.5 * dry[:, :-11]
    assert audio.shape == (2, (FRAMES - 1) * HOP)
    assert torch.allclose(audio, expected, atol=1e-5)
    assert all(synth(controls).abs().max() > 0.01 for synth in group.synths)


def test_everything_in_a_group_learns() -> None:
    group, controls = everything(), dict(all_controls())
    learned = [name for name in group.needs if name != "noise_position"]
    for name in learned:
        controls[name] = controls[name].requires_grad_()
    group(controls).square().sum().backward()
    assert [name for name, _ in group.named_parameters()] == ["synths.3.waves", "reverb.response"]
    for tensor in [*(controls[name] for name in learned), *group.parameters()]:
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.any()


def test_tables_begin_as_harmonics() -> None:
    controls = all_controls()
    tables = WavetableSynth(RATE, HOP, n_tables=4, length=2_048)(controls)
    harmonics = operators.harmonic_synth(controls["f0_hz"], controls["tables"], RATE, HOP)
    assert (tables - harmonics).abs().max() < 1e-3 * harmonics.abs().max()


def test_no_stretch_is_harmonic() -> None:
    controls = dict(all_controls()) | {"stretch": torch.zeros(2)}
    difference = InharmonicSynth(RATE, HOP)(controls) - HarmonicSynth(RATE, HOP)(controls)
    assert difference.abs().max() < 1e-5


def test_what_a_group_cannot_do_is_said() -> None:
    controls = dict(all_controls())
    del controls["stretch"], controls["tables"]
    with pytest.raises(ValueError, match="stretch, tables"):
        everything()(controls)
    with pytest.raises(ValueError, match="one sample rate and hop"):
        SynthGroup([HarmonicSynth(RATE, HOP), NoiseSynth(RATE, 32)])
    with pytest.raises(ValueError, match="at least one"):
        SynthGroup([])
    with pytest.raises(ValueError, match="no room for 8"):
        WavetableSynth(RATE, HOP, n_tables=8, length=16)
