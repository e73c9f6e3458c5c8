"""What a good instrument must reach, and whether this one does."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from noisysynth.export.evaluation.embedding import SIZE
from noisysynth.export.evaluation.playability import CLICK_DB, DRIFT_CENTS

FRECHET_RATIO = 1.25
COVERAGE = 0.7
IN_TUNE = 0.98
KID_TIMES_LOWER = 10.0
# A Gaussian in 64 dimensions fitted to fewer notes than this says little; such a bar is printed, with a remark.
FEW_NOTES = 2 * SIZE


@dataclasses.dataclass(frozen=True)
class Bar:
    """One demand. passed: None where it was not measured."""

    name: str
    wanted: str
    value: str
    passed: bool | None
    remark: str = ""


def judge(results: dict[str, Any]) -> list[Bar]:
    """The bars, of whatever was measured."""
    bars: list[Bar] = []
    for key, where in (("model", "held-out notes"), ("model_foreign", "held-out instruments")):
        row = results.get("sets", {}).get(key)
        if row is None:
            bars.append(Bar(f"Frechet distance, {where}", f"<= {FRECHET_RATIO} x floor", "-", None))
            bars.append(Bar(f"coverage, {where}", f">= {COVERAGE}", "-", None))
            continue
        n = row["n"]
        remark = f"N = {n}" + (f": too few for {SIZE} dimensions" if n < FEW_NOTES else "")
        ratio, spread = row["trained"]["ratio"], row["trained"]["spread"]["frechet"]
        floor = row["trained"]["floor"]
        value = f"{ratio:.2f} ({row['trained']['frechet']:.1f} +- {spread:.1f} over {floor:.1f})"
        bars.append(Bar(f"Frechet distance, {where}", f"<= {FRECHET_RATIO} x floor", value,
                        at_most(ratio, FRECHET_RATIO), remark))  # fmt: skip
        coverage = row["trained"]["coverage"]
        real = results["sets"]["floor" if key == "model" else "floor_foreign"]["trained"]["coverage"]
        bars.append(Bar(f"coverage, {where}", f">= {COVERAGE}", f"{coverage:.2f}", at_least(coverage, COVERAGE),
                        f"N = {n}; real notes reach {real:.2f}"))  # fmt: skip
    bars += _played(results)
    paper = results.get("sets", {}).get("paper")
    if paper is None:
        bars.append(Bar("KID under the paper's model's", f">= {KID_TIMES_LOWER:.0f} times", "-", None,
                        "give its checkpoint with --paper"))  # fmt: skip
    else:
        ours, theirs = results["sets"]["model"]["trained"]["kid"], paper["trained"]["kid"]
        times = theirs / ours if ours > 0.0 else math.inf
        bars.append(Bar("KID under the paper's model's", f">= {KID_TIMES_LOWER:.0f} times", f"{times:.1f} times",
                        at_least(times, KID_TIMES_LOWER), f"{ours:.4f} against {theirs:.4f}"))  # fmt: skip
    return bars


def _played(results: dict[str, Any]) -> list[Bar]:
    bars = []
    keys = results.get("keyboard")
    wanted = f">= {IN_TUNE:.0%}"
    if keys is None:
        bars.append(Bar("within 10 cents, keys 36 to 96", wanted, "-", None))
    else:
        remark = f"N = {keys['n']}, {keys['audible']:.1%} audible; wrong octave {keys['octave_errors']:.1%}"
        bars.append(Bar("within 10 cents, keys 36 to 96", wanted, f"{keys['within_10']:.1%}",
                        at_least(keys["within_10"], IN_TUNE), remark))  # fmt: skip
    ladders = results.get("velocity")
    if ladders is None:
        bars.append(Bar("louder when struck harder", "every ladder", "-", None))
    else:
        bars.append(Bar("louder when struck harder", "every ladder", f"{ladders['monotonic']:.0%}",
                        at_least(ladders["monotonic"], 1.0),
                        f"N = {ladders['n']}; largest step down {ladders['largest_fall_db']:.1f} dB, "
                        f"with shimmer {ladders['played_fall_db']:.1f}"))  # fmt: skip
    gates = results.get("gates")
    if gates is None:
        bars.append(Bar("gates 0.05 to 10 s", "no click, hang or drift", "-", None))
    else:
        faults = gates["clicks"] + gates["hanging"] + gates["again"] + gates["silent"]
        bars.append(Bar("gates 0.05 to 10 s: faults", "none", f"{faults} of {gates['n']}",
                        faults == 0,
                        f"{gates['clicks']} clicks over {CLICK_DB:.0f} dB (worst {gates['worst_click_db']:.1f}), "
                        f"{gates['hanging']} hang, {gates['again']} again, {gates['silent']} silent"))  # fmt: skip
        if gates["held"]:
            bars.append(Bar("pitch drift of a 10 s note", f"<= {DRIFT_CENTS:.0f} cents",
                            f"{gates['drift_cents']:.1f} cents", at_most(gates["drift_cents"], DRIFT_CENTS),
                            f"N = {gates['held']}"))  # fmt: skip
    rebuilt = results.get("paired", {})
    if rebuilt:
        again, n = (sum(row[key] for row in rebuilt.values()) for key in ("again", "released"))
        most_db = max(row["again_db"] for row in rebuilt.values())
        bars.append(Bar("released notes that sound again", "none", f"{again} of {n}", again == 0 if n else None,
                        f"rebuilt ones; by {most_db:.1f} dB at most"))  # fmt: skip
    else:
        bars.append(Bar("released notes that sound again", "none", "-", None))
    held = results.get("sustain")
    if held is None or not held["n"]:
        bars.append(Bar("sustained notes live for 10 s", "all", "-", None))
    else:
        bars.append(Bar("sustained notes live for 10 s", "all", f"{held['n'] - held['dead']} of {held['n']}",
                        held["dead"] == 0, f"median loss {held['loss_db']:.1f} dB"))  # fmt: skip
    return bars


def at_most(value: float, bar: float) -> bool | None:
    return None if math.isnan(value) else value <= bar


def at_least(value: float, bar: float) -> bool | None:
    return None if math.isnan(value) else value >= bar
