"""noisysynth-train: prepared data -> a training run."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from noisysynth.errors import UserError
from noisysynth.train.config import PRESETS, TrainConfig, load_config

if TYPE_CHECKING:  # torch takes seconds to load: not before the command line is known to be good
    from noisysynth.train.note_bank import Note
    from noisysynth.train.trainer import TrainingData


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 2 on bad input, 130 when cut off by a second Ctrl-C."""
    options = _parser().parse_args(argv)
    try:
        return _run(options)
    except UserError as error:
        print(f"noisysynth-train: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("noisysynth-train: cut off; --resume goes on from the last checkpoint", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="noisysynth-train",
        description="Train a control network on data that noisysynth-dataset prepared.",
        epilog="Watch with: tensorboard --logdir RUN/tensorboard. Then: noisysynth-export RUN OUT.noisy",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of prepared data")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--config",
        metavar="NAME|FILE",
        help=f"{', '.join(PRESETS)}, or a JSON file of settings that differ from quick's (default: quick)",
    )
    parser.add_argument("--minutes", type=_positive, help="wall time, counted over all resumptions")
    parser.add_argument("--steps", type=_whole, help="number of steps, instead of a time")
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="auto (default): an NVIDIA GPU if there is one",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0.0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _run(options: argparse.Namespace) -> int:
    config = _config(options)
    if not options.data.exists():
        raise UserError(f"no prepared data at {options.data}; make it with noisysynth-dataset")
    from noisysynth.train.trainer import train

    data = read_data(options.data, config)
    train(
        data,
        config,
        options.out,
        minutes=options.minutes,
        steps=options.steps,
        resume=options.resume,
        device=options.device,
    )
    return 0


def _config(options: argparse.Namespace) -> TrainConfig:
    """As asked for; when resuming without a word, the run's own."""
    if options.config is None and options.resume and (options.out / "config.json").is_file():
        return load_config(str(options.out / "config.json"))
    return load_config(options.config or "quick")


def read_data(path: Path, config: TrainConfig) -> TrainingData:
    """TrainingData of a folder of prepared data; at most config.max_notes notes, drawn evenly."""
    from noisysynth.train.prepared import PreparedDataset, PreparedNote
    from noisysynth.train.trainer import TrainingData

    learned = PreparedDataset(path, "train")
    held_out = PreparedDataset(path, "test_notes")
    if not len(held_out):
        held_out = learned
    instruments = sorted({entry["instrument"] for entry in learned.entries + held_out.entries})

    def notes(dataset: PreparedDataset, most: int) -> Iterator[Note]:
        chosen = range(len(dataset))
        if len(dataset) > most:
            chosen = sorted(random.Random(config.seed).sample(chosen, most))  # type: ignore[assignment]
        for i in chosen:
            note: PreparedNote = dataset.note(i, with_audio=dataset is learned and config.audio_weight > 0.0)
            yield note

    description = {
        "dataset": path.absolute().name,
        "attribution": learned.attribution,
        "licence": sorted({str(entry.get("licence", "unknown")) for entry in learned.entries}),
    }
    return TrainingData(
        spec=learned.spec,
        train=notes(learned, config.max_notes),
        held_out=notes(held_out, max(config.evaluation_notes, 2)),
        instruments=instruments,
        description=description,
    )


if __name__ == "__main__":
    sys.exit(main())
