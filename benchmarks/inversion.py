"""How near inversion comes to recorded notes: `python benchmarks/inversion.py NOTES [--instrument FILE.noisy]`.

NOTES is a folder of recordings with a table `notes.csv` (columns file, instrument, midi_pitch), of instruments that the
synthesizer's instrument was never trained on. A few notes of each are inverted, their pitch found by the program. Every
figure is a spectral distance of audio to the recording (`noisysynth.listening.distance`), with level, velocity and gate
fitted alike. The free fit is the recording analysed into control space and rendered again, which no latent can beat by
much. The inversion is rendered by the live engine.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from noisysynth.errors import UserError
from noisysynth.factory import default_instrument
from noisysynth.instrument import Instrument, read_instrument
from noisysynth.inversion.note import RecordedNote, read_recorded_note
from noisysynth.inversion.played import play
from noisysynth.inversion.point import Point
from noisysynth.inversion.search import Search
from noisysynth.listening.distance import SpectralDistance
from noisysynth.train.analysis import analyse, resynthesise
from noisysynth.train.clip import Clip

BAR = 1.5
N_RANDOM = 5
METHODS = ("inversion", "latent_alone", "encoder", "nearest_preset", "random_latent")


def choose(table: Path, per_instrument: int, most: int) -> list[dict[str, str]]:
    """Notes spread evenly over the compass of each instrument, instruments in an order of chance, always the same."""
    by_instrument: dict[str, list[dict[str, str]]] = defaultdict(list)
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_instrument[row["instrument"]].append(row)
    chosen = []
    for number, rows in enumerate(by_instrument.values()):
        rows.sort(key=lambda row: float(row["midi_pitch"]))
        shift = (number * 0.618) % 1.0  # with few notes of each, not always the middle
        places = (np.arange(per_instrument) + 0.15 + 0.7 * shift) / per_instrument * len(rows)
        chosen += [rows[i] for i in sorted(set(places.astype(int)))]
    order = np.random.default_rng(1).permutation(len(chosen))
    return [chosen[i] for i in order[:most]]


def free_fit(note: RecordedNote, instrument: Instrument) -> float:
    """The distance of the recording's own analysis, rendered."""
    clip = Clip(note.audio, note.rate, note.pitch, 1.0, None, note.name, "")
    return SpectralDistance(note.audio)(resynthesise(analyse(clip, instrument.spec), note.rate)[: len(note.audio)])


def measure(note: RecordedNote, instrument: Instrument) -> dict[str, Any]:
    """Distances of one note."""
    start = time.perf_counter(), time.process_time()
    search = Search(instrument, note)
    found = search.run()
    seconds, cpu_s = time.perf_counter() - start[0], time.process_time() - start[1]
    latent_only = Search(instrument, note, knobs=False).run()
    drawn = search.played(search.drawn(N_RANDOM))

    def live(point: Point) -> float:
        return SpectralDistance(note.audio)(play(instrument, point, note.pitch, note.seconds, note.rate))

    return {
        "fit": free_fit(note, instrument),
        "inversion": live(found.point),
        "latent_alone": live(latent_only.point),
        "encoder": found.encoder_distance,
        "nearest_preset": found.preset_distance,
        "random_latent": statistics.fmean(search.distance(each.x) for each in drawn),
        "in_search": found.distance,
        "preset": found.preset,
        "norm": found.point.norm,
        "velocity": found.point.velocity,
        "seconds": seconds,
        "cpu_s": cpu_s,
    }


def report(rows: list[dict[str, Any]]) -> str:
    """The table of docs/inversion.md."""
    lines = ["| | distance, mean | over the free fit: mean | median | 90 % below | notes within the bar |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    lines.append(f"| free fit | {statistics.fmean(row['fit'] for row in rows):.2f} | 1 | 1 | | |")
    for method in METHODS:
        known = [row for row in rows if row[method] is not None]
        if known:
            ratios = [row[method] / row["fit"] for row in known]
            within = sum(ratio <= BAR for ratio in ratios)
            lines.append(
                f"| {method.replace('_', ' ')} | {statistics.fmean(row[method] for row in known):.2f} "
                f"| {statistics.fmean(ratios):.2f} | {statistics.median(ratios):.2f} "
                f"| {np.quantile(ratios, 0.9):.2f} | {within} of {len(ratios)} |"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Inversion of recorded notes against a free DDSP fit.")
    parser.add_argument("notes", nargs="?", type=Path, help="folder with notes.csv")
    parser.add_argument("--instrument", type=Path, help="default: the factory instrument")
    parser.add_argument("--per-instrument", type=int, default=1, help="notes of each (default: %(default)s)")
    parser.add_argument("--most", type=int, default=1000, help="notes at most (default: all)")
    parser.add_argument("--json", type=Path, help="write every note's figures there, as they come")
    options = parser.parse_args()
    if options.notes is None:
        print("inversion: nothing measured; name a folder of recorded notes with a notes.csv")
        return 0
    path = options.instrument or default_instrument()
    instrument = read_instrument(path)
    rows: list[dict[str, Any]] = []
    for row in choose(options.notes / "notes.csv", options.per_instrument, options.most):
        try:
            note = read_recorded_note(options.notes / row["file"], instrument.spec.sample_rate)
        except UserError as error:
            print(f"left out: {error}")
            continue
        figures = measure(note, instrument)
        off = round(note.pitch - float(row["midi_pitch"]))
        named = {"note": row["file"], "instrument": row["instrument"], "pitch": note.pitch, "semitones_off": off}
        rows.append(named | figures)
        ratios = ", ".join(f"{method} {figures[method] / figures['fit']:.2f}" for method in METHODS if figures[method])
        print(f"{row['file']}: fit {figures['fit']:.2f}; over it: {ratios}; {figures['cpu_s']:.1f} s", flush=True)
        if options.json is not None:
            rounded = [{key: round(v, 4) if isinstance(v, float) else v for key, v in each.items()} for each in rows]
            content = {"instrument": path.name, "content_sha256": instrument.content_sha256, "notes": rounded}
            options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    wrong = sum(row["semitones_off"] != 0 for row in rows)
    seconds = sorted(row["cpu_s"] for row in rows)
    print(report(rows))
    print(
        f"{len(rows)} notes of {len({row['instrument'] for row in rows})} instruments; pitch wrong by a semitone or "
        f"more: {wrong}; processor seconds a note: median {statistics.median(seconds):.1f}, most {seconds[-1]:.1f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
