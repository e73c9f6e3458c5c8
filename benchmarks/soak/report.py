"""The soak's report: JSON, a page and a picture."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
from pathlib import Path

from counting import Result


def machine() -> str:
    """Processor and cores, as the system calls them."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"


def write(results: list[Result], docs: Path) -> None:
    """docs/soak.json, docs/soak.md and, where matplotlib is, docs/images/soak.png."""
    day = datetime.date.today().isoformat()
    data = {"machine": machine(), "day": day, "scenarios": [dataclasses.asdict(result) for result in results]}
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "soak.json").write_text(json.dumps(data, indent=1) + "\n")
    picture = _draw(results, docs / "images" / "soak.png")
    (docs / "soak.md").write_text(_page(results, day, picture))


def _page(results: list[Result], day: str, picture: bool) -> str:
    lines = [
        "# Soak",
        "",
        f"The last report of `make soak`, {day}, on {machine()}. The figures second by second: [soak.json](soak.json).",
        "",
        "JACK's server runs its dummy driver at 48 kHz. An empty client (compiled, it plays silence) runs beside the"
        " engine all the time; so what the machine itself cannot keep is seen in its column. A block is missed when the"
        " server ran it and the client did not, or too late to be heard by a second client that listens to it: the"
        " engine and the empty client each have such a listener. Xruns are the server's complaints about any client,"
        " and its driver's.",
        "",
    ]
    for result in results:
        lines += [f"## {result.title}", ""]
        if not result.complete:
            lines += [f"Stopped before its {result.asked_s:.0f} s were over.", ""]
        lines += ["| | |", "|---|---|"]
        lines += [f"| {name} | {_number(value)} |" for name, value in result.totals.items()]
        lines.append("")
        lines += [f"- {'holds' if held else '**does not hold**'}: {bar}" for bar, held in result.bars]
        if result.bars:
            lines.append("")
    if picture:
        lines += ["![Load, missed blocks and memory over time](images/soak.png)", ""]
    return "\n".join(lines)


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _draw(results: list[Result], path: Path) -> bool:
    try:
        import matplotlib
    except ModuleNotFoundError:
        print("soak: no picture: matplotlib is missing; `make setup` installs it")
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 1, figsize=(8.0, 8.0), layout="constrained", sharex=True)
    for number, result in enumerate(results):
        color = f"C{number}"
        for name, axis, scale in (("load", 0, 100.0), ("missed by the engine", 1, 1.0), ("rss_mb", 2, 1.0)):
            rows = [row for row in result.series if name in row]
            if rows:
                axes[axis].plot([row["seconds"] for row in rows], [row[name] * scale for row in rows], color=color,
                                label=result.name)  # fmt: skip
        if "missed by the engine" not in (result.series[-1] if result.series else {}):
            empty = [row["missed by the empty client"] for row in result.series]
            axes[1].plot([row["seconds"] for row in result.series], empty, ":", color=color, label=result.name)
    for axis, label in zip(axes, ("callback's load, %", "blocks missed", "engine's memory, MB"), strict=True):
        axis.set_ylabel(label)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8)
    axes[-1].set_xlabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True
