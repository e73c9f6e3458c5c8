"""Fast operators against eager torch, forward and backward: `python benchmarks/harmonic_operator.py`.

8 clips of 3 s at 44.1 kHz with 100 partials, gradients by amplitudes, frequencies and ratios. Eager torch is the
definition in train/ddsp/eager.py: float32 sines of phases wrapped in float64. All use the same number of threads; a
GPU is measured too where there is one. Times are the best of interleaved rounds: on the CPU the processor's own, which
other programs on the machine disturb least, on a GPU those of the clock. Memory is what a call takes at its peak
beyond what was there before, each in a process of its own. Only the ratios mean something on another machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import torch
from torch import Tensor

from noisysynth.train.ddsp import eager, operators

RATE, HOP, PARTIALS, STRETCH = 44_100, 256, 100, 1e-4
OPERATORS = ("harmonic", "inharmonic")
Synth = Callable[..., Tensor]
Row = dict[str, Any]


def variants(gpu_only: bool) -> list[str]:
    """What can be measured here."""
    if not torch.cuda.is_available():
        if gpu_only:
            raise SystemExit("torch sees no NVIDIA GPU")
        return ["eager", "compiled"]
    if importlib.util.find_spec("triton") is None:
        raise SystemExit("there is a GPU, but no Triton: pip install triton, the version in constraints.txt")
    return [*([] if gpu_only else ["eager", "compiled"]), "eager on the GPU", "fused on the GPU"]


def synth_of(operator: str, variant: str) -> Synth:
    return getattr(eager if variant.startswith("eager") else operators, f"{operator}_synth")


def inputs_of(operator: str, variant: str, batch: int, seconds: float) -> list[Tensor]:
    """Notes that move a little, all of whose partials are below Nyquist."""
    generator = torch.Generator().manual_seed(0)
    frames = int(seconds * RATE) // HOP + 1
    f0_hz = 100.0 + 40.0 * torch.rand(batch, frames, generator=generator)
    tensors = [f0_hz, torch.rand(batch, frames, PARTIALS, generator=generator) / PARTIALS]
    if operator == "inharmonic":
        tensors.append(eager.stretched_ratios(torch.full((batch,), STRETCH), PARTIALS))
    device = "cuda" if variant.endswith("GPU") else "cpu"
    return [tensor.to(device).requires_grad_() for tensor in tensors]


def call(synth: Synth, inputs: list[Tensor]) -> tuple[Row, list[Tensor]]:
    """Times of one call forward and backward; the audio, and the gradients of its sum weighted with noise."""
    on_gpu = inputs[0].is_cuda
    shape = (inputs[0].shape[0], (inputs[0].shape[1] - 1) * HOP)
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(inputs[0].device)

    def now() -> tuple[float, float]:
        if on_gpu:
            torch.cuda.synchronize()
        return time.process_time(), time.perf_counter()

    for tensor in inputs:
        tensor.grad = None
    start = now()
    audio = synth(*inputs, RATE, HOP)
    middle = now()
    audio.backward(weight)
    end = now()
    clock = 1 if on_gpu else 0
    times = {
        "forward_s": middle[clock] - start[clock],
        "backward_s": end[clock] - middle[clock],
        "total_s": end[clock] - start[clock],
        "by_the_clock_s": end[1] - start[1],
    }
    results = [audio.detach()]
    for tensor in inputs:
        assert tensor.grad is not None
        results.append(tensor.grad)
    return times, results


def resident(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {name}")


def peak_bytes(operator: str, variant: str, batch: int, seconds: float) -> int:
    """What one call takes at its peak, beyond what was there before it, in this process."""
    synth = synth_of(operator, variant)
    call(synth, inputs_of(operator, variant, 1, 0.1))  # compiles, and fills the libraries' own buffers
    inputs = inputs_of(operator, variant, batch, seconds)
    if inputs[0].is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call(synth, inputs)
        return torch.cuda.max_memory_allocated() - before
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew
    before = resident("VmRSS")
    call(synth, inputs)
    return resident("VmHWM") - before


def peak_apart(operator: str, variant: str, options: argparse.Namespace) -> int | None:
    """The same in a process of its own; None where a system does not tell."""
    if not variant.endswith("GPU") and not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, __file__, "--peak", operator, variant]
    command += ["--batch", str(options.batch), "--seconds", str(options.seconds), "--threads", str(options.threads)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(operator: str, options: argparse.Namespace) -> list[Row]:
    """A row for each variant; each is compared with eager torch on the same device."""
    names = variants(options.gpu)
    for variant in names:
        call(synth_of(operator, variant), inputs_of(operator, variant, 1, 0.1))
    inputs = {variant: inputs_of(operator, variant, options.batch, options.seconds) for variant in names}
    best: dict[str, Row] = {}
    results: dict[str, list[Tensor]] = {}
    for _ in range(options.rounds):
        for variant in names:
            for _ in range(1 if variant == "eager" else 5):
                times, results[variant] = call(synth_of(operator, variant), inputs[variant])
                if variant not in best or times["total_s"] < best[variant]["total_s"]:
                    best[variant] = times
    rows = []
    for variant in names:
        rival = "eager on the GPU" if variant.endswith("GPU") else "eager"
        row: Row = {"operator": operator, "variant": variant} | best[variant]
        row["peak_bytes"] = peak_apart(operator, variant, options)
        row["times_faster"] = best[rival]["total_s"] / best[variant]["total_s"]
        differences = [
            float(torch.linalg.norm(one.cpu() - other.cpu()) / torch.linalg.norm(other.cpu()))
            for one, other in zip(results[variant], results[names[0]], strict=True)
        ]
        row["difference"] = max(differences)
        rows.append(row)
    for row in rows:
        rival = "eager on the GPU" if row["variant"].endswith("GPU") else "eager"
        (peak,) = [other["peak_bytes"] for other in rows if other["variant"] == rival]
        row["times_less_memory"] = peak / row["peak_bytes"] if peak and row["peak_bytes"] else None
    return rows


def report(rows: list[Row]) -> None:
    print(f"{'':28}{'forward':>12}{'backward':>12}{'faster':>9}{'peak':>12}{'less':>8}{'difference':>12}")
    for row in rows:
        name = f"{row['operator']}, {row['variant']}"
        times = f"{1e3 * row['forward_s']:9.2f} ms{1e3 * row['backward_s']:9.2f} ms{row['times_faster']:8.0f}x"
        memory = (
            f"{row['peak_bytes'] / 2**20:9.1f} MiB{row['times_less_memory']:6.0f}x" if row["peak_bytes"] else 20 * " "
        )
        print(f"{name:28}{times}{memory}{row['difference']:12.1e}")


def plot(rows: list[Row], size: str, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 0.9 + 0.45 * len(rows)), sharey=True, layout="constrained")
    names = [f"{row['operator']}, {row['variant']}" for row in rows]
    colors = ["0.75" if row["variant"].startswith("eager") else "tab:blue" for row in rows]
    for axis, key, ratio, scale, unit in (
        (axes[0], "total_s", "times_faster", 1e3, "ms forward and backward"),
        (axes[1], "peak_bytes", "times_less_memory", 2.0**-20, "MiB at the peak"),
    ):
        bars = axis.barh(names, [scale * (row[key] or 0.0) for row in rows], color=colors)
        labels = [f"{scale * row[key]:,.4g}  ({row[ratio]:,.0f}x)" if row[key] else "" for row in rows]
        axis.bar_label(bars, labels, padding=3)
        axis.set_xscale("log")
        axis.margins(x=0.3)
        axis.set_xlabel(unit)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    figure.suptitle(size, fontsize="medium")
    figure.savefig(file, dpi=120)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--operators", nargs="+", choices=OPERATORS, default=list(OPERATORS))
    parser.add_argument("--gpu", action="store_true", help="measure on the GPU only")
    parser.add_argument("--batch", type=int, default=8, help="clips (default 8)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a clip (default 3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and of the kernels (default 1)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="interleaved rounds, of which the best counts (default 3)"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw them here")
    parser.add_argument("--peak", nargs=2, metavar=("OPERATOR", "VARIANT"), help="only print its peak memory in bytes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    numba.set_num_threads(options.threads)
    if options.peak:
        print(peak_bytes(*options.peak, options.batch, options.seconds))
        return
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    rows = [row for operator in options.operators for row in compare(operator, options)]
    size = (
        f"{options.batch} clips of {options.seconds:g} s, {PARTIALS} partials, {RATE} Hz, hop {HOP}, "
        f"{options.threads} thread{'s' if options.threads > 1 else ''}"
    )
    print(size)
    report(rows)
    if options.json:
        facts = {"size": size, "processor": processor(), "torch": torch.__version__, "load_average": load, "rows": rows}
        facts["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    if options.plot:
        plot(rows, size, options.plot)


if __name__ == "__main__":
    main()
