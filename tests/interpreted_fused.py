"""Run by test_fused.py in a process of its own, with TRITON_INTERPRET=1: `interpreted_fused.py IN.npz OUT.npz`.

For each case in IN, the audio of the fused kernel and the gradients of its sum weighted with `weight`; and once
gradcheck, in float64, by the kernel's own forward pass.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from noisysynth.train.ddsp import fused
from noisysynth.train.ddsp.fused import FusedPartials

INPUTS = ("f0_hz", "amplitudes", "ratios")


def main() -> None:
    fused._FRAMES = 16  # so that a row has several blocks of frames
    cases = np.load(sys.argv[1])
    results: dict[str, np.ndarray] = {}
    for case in sorted({key.split("/")[0] for key in cases.files}):
        inputs = [torch.from_numpy(cases[f"{case}/{name}"]).requires_grad_() for name in INPUTS]
        audio = FusedPartials.apply(*inputs, float(cases[f"{case}/sample_rate"]), int(cases[f"{case}/hop"]))
        (audio * torch.from_numpy(cases[f"{case}/weight"])).sum().backward()
        results[f"{case}/audio"] = audio.detach().numpy()
        for name, tensor in zip(INPUTS, inputs, strict=True):
            results[f"{case}/{name}"] = tensor.grad.numpy()
    generator = torch.Generator().manual_seed(9)
    f0_hz = 500.0 + 300.0 * torch.rand(2, 3, generator=generator, dtype=torch.float64)
    amplitudes = torch.rand(2, 3, 3, generator=generator, dtype=torch.float64)
    ratios = torch.tensor([[1.0, 2.03, 3.1], [1.0, 2.0, 3.0]], dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (f0_hz, amplitudes, ratios)]
    passed = torch.autograd.gradcheck(lambda *x: FusedPartials.apply(*x, 8_000.0, 5), inputs)
    np.savez(sys.argv[2], gradcheck=passed, **results)


if __name__ == "__main__":
    main()
