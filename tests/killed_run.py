"""A training run that is killed with SIGKILL again and again, and resumed to its end; run as a script, the run itself.

killed_run.py RUN STEPS             train on invented notes; each step is printed
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from synthetic_notes import INSTRUMENTS, SPEC, synthetic_notes


def train_here(run: Path, steps: int) -> None:
    """Train the tiny network in this process, going on with what is in `run`; under torchrun, its share of it."""
    from noisysynth.train.config import PRESETS
    from noisysynth.train.trainer import TrainingData, train

    notes = synthetic_notes(20)
    data = TrainingData(SPEC, notes[:14], notes[14:], INSTRUMENTS, {"dataset": "synthetic"})

    def tell(step: int) -> bool:
        print(step, flush=True)
        return False

    resume = (run / "config.json").is_file()
    train(data, PRESETS["tiny"], run, steps=steps, resume=resume, quiet=True, stop=tell)


def child_environment() -> dict[str, str]:
    """One thread, so that a busy machine does not make it slow."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def train_and_kill(run: Path, steps: int, kills: int, seed: int) -> list[int]:
    """Train to `steps` in processes of their own, `kills` of which are killed; the steps they had come to.

    Each is killed a random moment after a random step: within a step, an evaluation or the writing of a file.
    """
    rng = random.Random(seed)
    command = [sys.executable, __file__, str(run), str(steps)]
    reached = []
    while True:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment())
        assert process.stdout is not None
        wait_steps = rng.randint(0, 5) if len(reached) < kills else steps + 1
        step, began = 0, time.monotonic()
        for count, line in enumerate(process.stdout):
            step = int(line)
            if count >= wait_steps and step < steps:
                step_s = (time.monotonic() - began) if count == 0 else 0.3
                time.sleep(rng.uniform(0.0, min(step_s, 0.5)))
                process.send_signal(signal.SIGKILL)
                break
        code = process.wait(timeout=300)
        process.stdout.close()
        if code == 0:
            return reached
        assert code == -signal.SIGKILL, f"the run ended with {code} by itself"
        reached.append(step)


if __name__ == "__main__":
    train_here(Path(sys.argv[1]), int(sys.argv[2]))
