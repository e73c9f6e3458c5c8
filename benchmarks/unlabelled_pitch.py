"""How well are unlabelled notes named? Labelled ones as if they had no label: how many are taken, and how many rightly.

    python benchmarks/unlabelled_pitch.py NOTES [--most 400]

NOTES: a folder as `noisysynth-dataset folder` reads it, its labels right.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from noisysynth.listening.recording import read_note
from noisysynth.train.datasets.folder import CERTAIN, CLEAR, FolderSource, heard_pitch

RIGHT = 0.5  # semitones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notes", type=Path)
    parser.add_argument("--most", type=int, default=400, help="notes, drawn evenly (default: %(default)s)")
    options = parser.parse_args()
    rows = [row for row in FolderSource(options.notes).rows if row.pitch is not None and not row.problem]
    order = np.random.default_rng(0).permutation(len(rows))[: options.most]
    readings = []
    for i in tqdm(order, unit="note"):
        row = rows[i]
        assert row.pitch is not None
        try:
            found = heard_pitch(*read_note(row.path))
        except ValueError:
            continue
        readings.append((found.pitch - row.pitch, found.clarity, found.certainty))
    error, clarity, certainty = np.array(readings).T
    right = np.abs(error) <= RIGHT
    print(f"{len(error)} notes; {np.mean(right):.1%} within {RIGHT:g} semitones, whether certain or not")
    print("| clarity | certainty | taken | right among those | wrong by octaves |")
    print("|---|---|---|---|---|")
    for clear, certain in ((0.8, 0.0), (0.9, 0.0), (0.9, 0.05), (CLEAR, CERTAIN), (0.9, 0.2), (0.95, 0.2), (0.95, 0.3)):
        taken = (clarity >= clear) & (certainty >= certain)
        octaves = taken & ~right & (np.abs(error - 12.0 * np.round(error / 12.0)) <= RIGHT)
        mark = " (used)" if (clear, certain) == (CLEAR, CERTAIN) else ""
        share = np.mean(right[taken]) if taken.any() else float("nan")
        print(f"| {clear:g} | {certain:g}{mark} | {np.mean(taken):.1%} | {share:.2%} | {octaves.sum()} |")


if __name__ == "__main__":
    main()
