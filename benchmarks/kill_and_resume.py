"""Kills a small training run ten times at random moments, and compares its weights with those of one left alone.

python benchmarks/kill_and_resume.py [--kills 10] [--steps 120] [--seed 0]

Prints JSON: at which steps it was killed, how many tensors of the last checkpoint differ, by how much.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from killed_run import train_and_kill

from noisysynth.train.checkpoint import checkpoint_paths, load_checkpoint
from noisysynth.train.trainer import Trainee


def main() -> int:
    """Exit code 0 when every tensor is the same, bit by bit, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / name for name in ("killed", "alone")]
        killed_at = train_and_kill(runs[0], options.steps, options.kills, options.seed)
        train_and_kill(runs[1], options.steps, 0, options.seed)
        killed, alone = (load_checkpoint(checkpoint_paths(run)[-1]) for run in runs)
    pairs = [(killed[part][name], value) for part in Trainee.NETWORKS for name, value in alone[part].items()]
    differing = [(a.double() - b.double()).abs().max().item() for a, b in pairs if not torch.equal(a, b)]
    print(
        json.dumps(
            {
                "steps": [killed["step"], alone["step"]],
                "killed_at": killed_at,
                "tensors": len(pairs),
                "tensors_that_differ": len(differing),
                "largest_difference": max(differing, default=0.0),
                "random_numbers_agree": torch.equal(killed["rng"], alone["rng"]),
            }
        )
    )
    return 1 if differing or len(killed_at) != options.kills else 0


if __name__ == "__main__":
    raise SystemExit(main())
