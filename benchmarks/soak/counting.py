"""What is counted while a soak runs: blocks of the server, of the engine and of an empty client, load and memory."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
from jack_probe import Probe

from noisysynth.engine.client import EngineClient


@dataclasses.dataclass
class Result:
    """One scenario: totals by name, seconds-by-seconds series, and what was asked of it with whether it held."""

    name: str
    title: str
    asked_s: float
    block_size: int
    totals: dict[str, Any] = dataclasses.field(default_factory=dict)
    series: list[dict[str, float]] = dataclasses.field(default_factory=list)
    bars: list[tuple[str, bool]] = dataclasses.field(default_factory=list)
    complete: bool = False


class Counter:
    """Looks at the empty client and, if there is one, the engine; `look` may be called as often as one likes.

    A block that the server ran and a client did not play is missed. The empty client plays silence in the same server
    at the same time. An ear hears each of them: JACK runs it when the other is done, so a block that came too late is
    missed by the ear, though the other counts it; and waking a second client costs blocks of its own, so both have one.
    An xrun is the server's own complaint, about whichever client.
    """

    def __init__(
        self, result: Result, probe: Probe, probe_ear: Probe, ear: Probe | None, client: EngineClient | None
    ) -> None:
        self._result, self._probe, self._probe_ear, self._ear, self._client = result, probe, probe_ear, ear, client
        self._began = time.perf_counter()
        self._next = 0.0
        self._first = self._snapshot()

    def _snapshot(self) -> dict[str, float]:
        row = self._probe.row
        counts: dict[str, float] = {
            "cycles": int(row["cycles"]),
            "skipped": int(row["skipped"]),
            "unheard": int(self._probe_ear.row["skipped"]),
            "xruns": int(row["xruns"]),
        }
        if self._client is not None:
            assert self._ear is not None
            status = self._client.status()
            counts |= {
                "ear": int(self._ear.row["skipped"]),
                "position": status.position, "late_frames": status.late_frames, "underruns": status.underruns,
                "load": status.load, "voices": status.voices, "rss_mb": self.rss_mb(),
            }  # fmt: skip
        counts["elapsed_s"] = time.perf_counter() - self._began
        return counts

    def rss_mb(self) -> float:
        """Resident memory of the engine's process, in MB; 0 while there is none."""
        assert self._client is not None
        keeper = self._client._keeper
        try:
            assert keeper is not None
            pages = int(Path(f"/proc/{keeper.pid}/statm").read_text().split()[1])
        except (OSError, AssertionError):
            return 0.0
        return pages * 4096 / 1e6

    def look(self) -> float:
        """Take a row of the series once a second; returns the seconds so far."""
        elapsed = time.perf_counter() - self._began
        if elapsed >= self._next:
            self._next = elapsed + 1.0
            self._result.series.append(self._since(self._snapshot()))
        return elapsed

    def _since(self, now: dict[str, float]) -> dict[str, float]:
        """A snapshot with its counts reckoned from the beginning."""
        block, first = self._probe.block_size, self._first
        server = now["cycles"] + now["skipped"] - first["cycles"] - first["skipped"]
        row = {
            "seconds": round(now["elapsed_s"], 2),
            "blocks": server,
            "missed by the empty client": max(now[name] - first[name] for name in ("skipped", "unheard")),
            "xruns": now["xruns"] - first["xruns"],
        }
        if self._client is not None:
            played = (now["position"] - first["position"]) / self._result.block_size
            # The two counts are read one after the other: a block or two between them is no miss.
            unplayed = server * block / self._result.block_size - played
            row |= {
                "not rendered by the engine": round(unplayed) if unplayed > 2 else 0,
                "missed by the engine": max(round(unplayed) if unplayed > 2 else 0, now["ear"] - first["ear"]),
                "late frames": now["late_frames"] - first["late_frames"],
                "load": round(now["load"], 4),
                "voices": now["voices"],
                "rss_mb": round(now["rss_mb"], 1),
            }
        return row

    def finish(self) -> dict[str, float]:
        """Totals into the result; returns them."""
        last = self._since(self._snapshot())
        self._result.series.append(last)
        totals: dict[str, Any] = {
            name: value for name, value in last.items() if name not in ("load", "voices", "rss_mb")
        }
        due = last["seconds"] * self._probe.sample_rate / self._probe.block_size
        totals["blocks due by the clock"] = round(due)
        if self._client is not None:
            rows = self._result.series[1:]
            for name, ear in (("engine", self._ear), ("empty client", self._probe_ear)):
                assert ear is not None
                totals[f"{name}'s listener called after 50, 99, 99.9, 99.99 % of blocks, samples"] = _quantiles(ear)
            totals["load, mean"] = round(sum(row["load"] for row in rows) / len(rows), 3)
            totals["load, highest second"] = round(max(row["load"] for row in rows), 3)
            totals["engine's memory at the end, MB"] = last["rss_mb"]
            totals["voices, mean"] = round(sum(row["voices"] for row in rows) / len(rows), 1)
        self._result.totals |= totals
        return last


def _quantiles(ear: Probe) -> str:
    """How long after the cycle's start the ear was called, at these shares of all cycles."""
    shares = np.cumsum(ear.row["woken"]) / max(int(ear.row["woken"].sum()), 1)
    return ", ".join(str(int(np.searchsorted(shares, share))) for share in (0.5, 0.99, 0.999, 0.9999))
