"""noisysynth-train: prepared data -> a training run."""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisysynth.errors import UserError
from noisysynth.train.config import PRESETS, TrainConfig, load_config
from noisysynth.train.noisygan import config as noisygan
from noisysynth.train.phrases import config as phrases

if TYPE_CHECKING:  # torch takes seconds to load: not before the command line is known to be good
    from noisysynth.train.note_bank import Note
    from noisysynth.train.note_stream import NoteGroups
    from noisysynth.train.prepared import PreparedDataset
    from noisysynth.train.trainer import TrainingData

SAMPLE = 2_000  # notes of a stream that are kept to measure with, and to name the places of the latent space
_CACHE_BYTES = 128 << 20  # notes are read shard by shard


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
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="folders of prepared data; of phrases: a .sf2 or recordings",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--config",
        metavar="NAME|FILE",
        help=f"{', '.join((*PRESETS, *noisygan.PRESETS, *phrases.PRESETS))}, or a JSON file of settings that differ "
        "from quick's (default: quick)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting of that config; repeatable"
    )
    parser.add_argument(
        "--all-instruments", action="store_true", help="learn the held-out instruments, too: to play, not to judge"
    )
    parser.add_argument("--minutes", type=_positive, help="wall time, counted over all resumptions")
    parser.add_argument("--steps", type=_whole, help="number of steps, instead of a time")
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="auto (default): an NVIDIA GPU if there is one",
    )
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    begin.add_argument(
        "--from", dest="begin", type=Path, metavar="OTHER", help="begin with the networks of another run"
    )
    parser.add_argument("--figures", action="store_true", help="of noisygan: write figures and sounds only")
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
    for folder in options.data:
        if not folder.exists():
            raise UserError(f"no prepared data at {folder}; make it with noisysynth-dataset")
    if options.begin is not None and not isinstance(config, TrainConfig):
        raise UserError("--from is for runs of playable notes, not for this config")
    if isinstance(config, noisygan.NoisyganConfig):
        return _run_noisygan(options, config)
    if options.figures:
        raise UserError("--figures are of the paper's model; see --config noisygan")
    if isinstance(config, phrases.PhrasesConfig):
        if options.device == "cuda":
            raise UserError("phrases learn on the CPU only, in minutes; leave --device out")
        return _run_phrases(options, config)
    from noisysynth.train.trainer import train

    data = read_data(options.data, config, options.all_instruments)
    train(
        data,
        config,
        options.out,
        minutes=options.minutes,
        steps=options.steps,
        resume=options.resume,
        device=options.device,
        begin=options.begin,
    )
    return 0


def _run_noisygan(options: argparse.Namespace, config: noisygan.NoisyganConfig) -> int:
    from noisysynth.train.noisygan.data import read_notes
    from noisysynth.train.noisygan.figures import write_figures
    from noisysynth.train.noisygan.training import train as train_noisygan

    notes = read_notes(_only_folder(options), config)
    if not options.figures:
        train_noisygan(
            notes,
            config,
            options.out,
            minutes=options.minutes,
            steps=options.steps,
            resume=options.resume,
            device=options.device,
        )
    written = write_figures(options.out, notes)
    print(f"{len(written)} figures and sounds in {options.out / 'figures'} and {options.out / 'sounds'}")
    return 0


def _run_phrases(options: argparse.Namespace, config: phrases.PhrasesConfig) -> int:
    from noisysynth.train.phrases.data import read_phrases
    from noisysynth.train.phrases.training import train as train_phrases

    bank = read_phrases(_only_folder(options), config)
    train_phrases(bank, config, options.out, minutes=options.minutes, steps=options.steps, resume=options.resume)
    return 0


def _only_folder(options: argparse.Namespace) -> Path:
    if len(options.data) > 1 or options.all_instruments:
        raise UserError("this config learns from one --data, and --all-instruments means nothing to it")
    folder: Path = options.data[0]
    return folder


def _config(options: argparse.Namespace) -> TrainConfig | noisygan.NoisyganConfig | phrases.PhrasesConfig:
    """As asked for; when going on with a run without a word, the run's own."""
    name = options.config or "quick"
    if options.config is None and (options.resume or options.figures) and (options.out / "config.json").is_file():
        name = str(options.out / "config.json")
    of_another_model = noisygan.find_config(name) or phrases.find_config(name)
    if of_another_model is None:
        return load_config(name, name != options.config).changed(options.set)
    if options.set:
        raise UserError("--set is for runs of playable notes; change a copy of this config as a JSON file")
    return of_another_model


def read_data(paths: Sequence[Path], config: TrainConfig, all_instruments: bool = False) -> TrainingData:
    """TrainingData of folders of prepared data, of one spec; of more than config.max_notes notes a stream."""
    from noisysynth.train.prepared import PreparedDataset
    from noisysynth.train.trainer import TrainingData

    splits = ("train", "test_instruments") if all_instruments else ("train",)
    learned = [PreparedDataset(path, split, _CACHE_BYTES) for path in paths for split in splits]
    held_out = [PreparedDataset(path, "test_notes") for path in paths]
    apart = [] if all_instruments else [PreparedDataset(path, "test_instruments") for path in paths]
    _leave_out_what_is_held_out(learned, held_out, apart)
    spec = learned[0].spec
    for path, dataset in zip(paths, held_out, strict=True):
        if dataset.spec != spec:
            raise UserError(f"{path} was prepared with other sizes than {paths[0]}; prepare it again like that one")
    if not any(len(dataset) for dataset in held_out):
        held_out = learned
    entries = [entry for dataset in learned + held_out for entry in dataset.entries]
    with_audio = config.audio_weight > 0.0

    def notes(datasets: Sequence[PreparedDataset], most: int) -> Iterator[Note]:
        places = [(dataset, i) for dataset in datasets for i in range(len(dataset))]
        if len(places) > most:
            chosen = sorted(random.Random(config.seed).sample(range(len(places)), most))
            places = [places[i] for i in chosen]
        for dataset, i in places:
            yield dataset.note(i, with_audio=with_audio and datasets is learned)

    description = {
        "dataset": ", ".join(path.absolute().name for path in paths),
        "attribution": [line for dataset in held_out for line in dataset.attribution],
        "all_instruments": all_instruments,
        "licence": sorted({str(entry.get("licence", "unknown")) for entry in entries}),
        "families": {entry["instrument"]: entry["family"] for entry in entries if entry.get("family")},
        "programs": {
            entry["instrument"]: int(tag.removeprefix("program "))
            for entry in entries
            for tag in entry.get("tags", ())
            if re.fullmatch(r"program \d+", tag)
        },
    }
    groups = note_groups(learned, config, with_audio)
    return TrainingData(
        spec=spec,
        train=notes(learned, config.max_notes if groups is None else min(config.max_notes, SAMPLE)),
        groups=groups,
        n_instruments=len({entry["instrument"] for dataset in learned for entry in dataset.entries}),
        held_out=notes(held_out, max(config.evaluation_notes, 2)),
        instruments=sorted({entry["instrument"] for entry in entries}),
        description=description,
    )


def _leave_out_what_is_held_out(
    learned: Sequence[PreparedDataset], notes: Sequence[PreparedDataset], instruments: Sequence[PreparedDataset]
) -> None:
    """What one folder holds out is not learned from another: a SoundFont's note may be there at another length."""

    def played(entry: dict[str, Any]) -> tuple[Any, ...]:
        return entry["instrument"], entry["pitch"], entry["velocity"]

    for dataset in learned:
        keys = {played(entry) for other in notes if other.path != dataset.path for entry in other.entries}
        names = {entry["instrument"] for other in instruments if other.path != dataset.path for entry in other.entries}
        kept = [each for each in dataset.entries if played(each) not in keys and each["instrument"] not in names]
        if len(kept) < len(dataset.entries):
            print(f"{dataset.path}: {len(dataset.entries) - len(kept)} notes are held out elsewhere and not learned")
            dataset.entries = kept


def note_groups(datasets: Sequence[PreparedDataset], config: TrainConfig, with_audio: bool) -> NoteGroups | None:
    """All notes in groups of mixed shards, a quarter of config.max_notes each; None when memory holds them all.

    A shard is read as a whole, so notes are mixed by shards: those of one shard are often of one instrument.
    """
    from noisysynth.train.note_stream import GROUPS_AT_ONCE, NoteGroups

    shards: dict[tuple[int, int], list[int]] = {}
    for number, dataset in enumerate(datasets):
        for i, entry in enumerate(dataset.entries):
            shards.setdefault((number, int(entry["shard"])), []).append(i)
    n_notes = sum(map(len, shards.values()))
    if n_notes <= config.max_notes:
        return None
    order = sorted(shards)
    random.Random(config.seed).shuffle(order)
    size = max(1, config.max_notes // GROUPS_AT_ONCE)
    groups: list[list[tuple[int, int]]] = [[]]
    for place in order:
        if sum(len(shards[each]) for each in groups[-1]) >= size:
            groups.append([])
        groups[-1].append(place)

    def read(number: int) -> list[Note]:
        return [datasets[place[0]].note(i, with_audio=with_audio) for place in groups[number] for i in shards[place]]

    return NoteGroups(len(groups), n_notes, read)


if __name__ == "__main__":
    sys.exit(main())
