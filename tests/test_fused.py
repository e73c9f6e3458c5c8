"""The fused CUDA kernel against eager torch: in Triton's interpreter everywhere, and on the GPU where there is one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import servers
import torch

from noisysynth.train.ddsp import eager, operators

SCRIPT = Path(__file__).with_name("interpreted_fused.py")
INPUTS = ("f0_hz", "amplitudes", "ratios")
Case = dict[str, np.ndarray]


def case(batch: int, frames: int, partials: int, hop: int, stretch: float, seed: int, real: str = "float32") -> Case:
    """Random notes of up to 1.4 kHz at 16 kHz, so that many of more than five partials are above Nyquist."""
    rng = np.random.default_rng(seed)
    f0_hz = 200.0 * 2.0 ** rng.uniform(-1.0, 2.5, (batch, 1)) * 2.0 ** rng.uniform(-0.1, 0.1, (batch, frames))
    number = np.arange(1, partials + 1)
    ratios = np.broadcast_to(number * np.sqrt(1.0 + stretch * number**2), (batch, partials))
    arrays = {
        "f0_hz": f0_hz.astype(real),
        "amplitudes": (rng.uniform(0.0, 1.0, (batch, frames, partials)) / partials).astype(real),
        "ratios": ratios.astype("float64" if stretch == 0.0 else real),
        "weight": rng.standard_normal((batch, (frames - 1) * hop)).astype(real),
    }
    return arrays | {"sample_rate": np.array(16_000.0), "hop": np.array(hop)}


def silent_case() -> Case:
    """Nothing to hear: above Nyquist, at it, at no frequency, at a negative one."""
    arrays = case(4, 3, 3, 8, 0.0, 7)
    arrays["f0_hz"][:] = np.array([9_000.0, 8_000.0, 0.0, -50.0])[:, None]
    return arrays


def low_case() -> Case:
    """More partials than a program has threads for, all of them heard."""
    arrays = case(1, 3, 150, 20, 0.0, 9)
    arrays["f0_hz"][:] = np.array([[30.0, 41.0, 35.0]])
    return arrays


CASES: dict[str, Case] = {
    "harmonic": case(2, 4, 33, 70, 0.0, 1),
    "stretched": case(3, 3, 20, 64, 2e-4, 2),
    "one partial": case(1, 2, 1, 2, 0.0, 3),
    "many frames": case(1, 40, 17, 5, 1e-3, 4),
    "long": case(1, 9, 4, 1_000, 1e-3, 8),  # some 1,000 turns
    "float64": case(2, 3, 18, 67, 1e-4, 5, "float64"),
    "no segment": case(2, 1, 4, 16, 1e-4, 6),
    "silent": silent_case(),
    "low": low_case(),
}


def eager_results(arrays: Case) -> dict[str, np.ndarray]:
    """Audio and gradients by the definition, in float64 throughout."""
    inputs = [torch.from_numpy(arrays[name]).double().requires_grad_() for name in INPUTS]
    audio = eager.inharmonic_synth(*inputs, float(arrays["sample_rate"]), int(arrays["hop"]))
    (audio * torch.from_numpy(arrays["weight"])).sum().backward()
    results = {"audio": audio.detach().numpy()}
    for name, tensor in zip(INPUTS, inputs, strict=True):
        results[name] = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
    return results


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What the kernel gives in Triton's interpreter, by case/name."""
    if importlib.util.find_spec("triton") is None:
        servers.missing("Triton is not installed (it is for Linux only)")
    folder = tmp_path_factory.mktemp("fused")
    arrays = {f"{name}/{key}": value for name, values in CASES.items() for key, value in values.items()}
    np.savez(folder / "in.npz", **arrays)
    variables = os.environ | {"TRITON_INTERPRET": "1", "TRITON_CACHE_DIR": str(folder)}
    command = [sys.executable, str(SCRIPT), str(folder / "in.npz"), str(folder / "out.npz")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(folder / "out.npz"))


@pytest.mark.parametrize("name", CASES)
def test_fused_kernel_is_the_definition(name: str, interpreted: dict[str, np.ndarray]) -> None:
    arrays = CASES[name]
    bar = 1e-9 if arrays["f0_hz"].dtype == np.float64 else 3e-6
    for key, expected in eager_results(arrays).items():
        got = interpreted[f"{name}/{key}"]
        assert got.shape == expected.shape
        assert np.linalg.norm(got - expected) <= bar * np.linalg.norm(expected), f"{name}: {key}"
    if name == "silent":
        assert not any(interpreted[f"{name}/{key}"].any() for key in ("audio", *INPUTS))
    elif name != "no segment":
        assert all(interpreted[f"{name}/{key}"].any() for key in ("audio", *INPUTS))


def test_fused_kernel_passes_gradcheck(interpreted: dict[str, np.ndarray]) -> None:
    assert bool(interpreted["gradcheck"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("name", CASES)
def test_operators_on_cuda_are_the_definition(name: str) -> None:
    arrays = CASES[name]
    bar = 1e-9 if arrays["f0_hz"].dtype == np.float64 else 3e-6
    inputs = [torch.from_numpy(arrays[key]).cuda().requires_grad_() for key in INPUTS]
    audio = operators.inharmonic_synth(*inputs, float(arrays["sample_rate"]), int(arrays["hop"]))
    assert "FusedPartials" in type(audio.grad_fn).__name__
    (audio * torch.from_numpy(arrays["weight"]).cuda()).sum().backward()
    expected = eager_results(arrays)
    assert np.linalg.norm(audio.detach().cpu() - expected["audio"]) <= bar * np.linalg.norm(expected["audio"])
    for key, tensor in zip(INPUTS, inputs, strict=True):
        assert tensor.grad is not None
        assert np.linalg.norm(tensor.grad.cpu() - expected[key]) <= bar * np.linalg.norm(expected[key]), key
