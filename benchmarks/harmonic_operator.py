"""Times the compiled harmonic operator against eager torch, in one run: `python benchmarks/harmonic_operator.py`.

8 clips of 2 s at 32 kHz with 100 harmonics. Only the ratios mean something on another machine; the medians are of
interleaved rounds, so that a machine busy with something else slows both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from noisysynth.train.ddsp import eager, operators

BATCH, SECONDS, SAMPLE_RATE, HARMONICS = 8, 2, 32_000, 100
Synth = Callable[[Tensor, Tensor, float, int], Tensor]


def measure(synth: Synth, f0_hz: Tensor, amplitudes: Tensor, hop: int) -> tuple[float, float, Tensor]:
    """Seconds forward and backward of one call, and the audio."""
    f = f0_hz.clone().requires_grad_()
    a = amplitudes.clone().requires_grad_()
    start = time.perf_counter()
    audio = synth(f, a, SAMPLE_RATE, hop)
    middle = time.perf_counter()
    audio.backward(torch.ones_like(audio))
    return middle - start, time.perf_counter() - middle, audio.detach()


def compare(hop: int, rounds: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    frames = SECONDS * SAMPLE_RATE // hop + 1
    f0_hz = 100.0 + 40.0 * torch.rand(BATCH, frames, generator=generator)
    amplitudes = torch.rand(BATCH, frames, HARMONICS, generator=generator) / HARMONICS
    synths: dict[str, Synth] = {"eager": eager.harmonic_synth, "compiled": operators.harmonic_synth}
    times: dict[str, list[float]] = {f"{name}_{way}_s": [] for name in synths for way in ("forward", "backward")}
    audio: dict[str, Tensor] = {}
    measure(synths["compiled"], f0_hz, amplitudes, hop)  # compiles
    for _ in range(rounds):
        for name, synth in synths.items():
            repeats = 1 if name == "eager" else 5
            for _ in range(repeats):
                forward_s, backward_s, audio[name] = measure(synth, f0_hz, amplitudes, hop)
                times[f"{name}_forward_s"].append(forward_s)
                times[f"{name}_backward_s"].append(backward_s)
    row: dict[str, float] = {"hop": hop} | {name: statistics.median(values) for name, values in times.items()}
    for way in ("forward", "backward"):
        row[f"{way}_ratio"] = row[f"eager_{way}_s"] / row[f"compiled_{way}_s"]
    row["largest_difference"] = float((audio["eager"] - audio["compiled"]).abs().max())
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description="Compiled harmonic operator against eager torch.")
    parser.add_argument("--hop", type=int, nargs="+", default=[128, 256], help="samples between frames")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; the median counts")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    rows = [compare(hop, arguments.rounds) for hop in arguments.hop]
    if arguments.json:
        print(json.dumps({"threads": torch.get_num_threads(), "rows": rows}, indent=2))
        return
    print(f"{BATCH} clips x {SECONDS} s, {HARMONICS} harmonics, {SAMPLE_RATE} Hz, {torch.get_num_threads()} threads")
    print(f"{'hop':>4} {'way':>9} {'eager ms':>10} {'compiled ms':>12} {'ratio':>7}")
    for row in rows:
        for way in ("forward", "backward"):
            eager_ms, compiled_ms = 1e3 * row[f"eager_{way}_s"], 1e3 * row[f"compiled_{way}_s"]
            print(f"{row['hop']:>4} {way:>9} {eager_ms:>10.1f} {compiled_ms:>12.2f} {row[f'{way}_ratio']:>6.0f}x")
        print(f"{'':>4} largest difference {row['largest_difference']:.1e}")


if __name__ == "__main__":
    main()
