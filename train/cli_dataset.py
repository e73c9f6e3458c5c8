"""noisysynth-dataset: recorded or rendered notes -> prepared training data."""

from __future__ import annotations

import argparse
import json
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from noisysynth.cli.command import run_command
from noisysynth.errors import UserError
from noisysynth.spec import SynthSpec
from noisysynth.train.clip import ClipSource
from noisysynth.train.data_report import PAGE
from noisysynth.train.prepared import prepare
from noisysynth.train.splits import BY


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 2 on bad input, 130 on Ctrl-C."""
    options = _parser().parse_args(argv)
    return run_command(
        "noisysynth-dataset", lambda: _run(options), stopped="interrupted; run the same command again to continue"
    )


def _run(options: argparse.Namespace) -> int:
    source = _source(options)
    spec = SynthSpec(sample_rate=options.sample_rate)
    lock = threading.Lock()
    with tqdm(total=source.n_notes, unit="note", disable=options.json or None, smoothing=0.05) as bar:

        def progress(count: int) -> None:
            with lock:
                bar.update(count)

        index = prepare(source, options.out, spec, options.jobs, progress, split_by=options.split)
    if options.json:
        print(json.dumps(_summary(index)))
    else:
        _report(index, options.out)
    return 0


def _summary(index: dict[str, Any]) -> dict[str, Any]:
    notes = index["notes"]
    return {
        "notes": len(notes),
        "instruments": len({note["instrument"] for note in notes}),
        "minutes": round(sum(note["n_frames"] for note in notes) / index["spec"]["frame_rate"] / 60, 2),
        "splits": dict(Counter(note["split"] for note in notes)),
        "rejected": index["rejected"],
    }


def _report(index: dict[str, Any], out: Path) -> None:
    summary = _summary(index)
    splits = ", ".join(f"{count} {name}" for name, count in sorted(summary["splits"].items()))
    print(
        f"{out}: {summary['notes']} notes of {summary['instruments']} instruments, "
        f"{summary['minutes']} minutes ({splits})"
    )
    if summary["rejected"]:
        reasons = Counter(note["reason"].split(":")[0] for note in summary["rejected"])
        print(f"left out {len(summary['rejected'])} notes (all listed in {out / 'index.json'}):")
        for reason, count in reasons.most_common():
            example = next(n for n in summary["rejected"] if n["reason"].startswith(reason))
            print(f"  {count} {reason}, for example {example['id']}: {example['reason']}")
    print(f"what is in it, what was left out and what is odd: {out / PAGE}")


def _source(options: argparse.Namespace) -> ClipSource:
    # Each adapter is imported only when used.
    if options.kind == "soundfont":
        from noisysynth.train.datasets.soundfont import SoundFontSource, preset_names

        programs = None if options.programs is None else parse_programs(options.programs)
        if options.all_programs and options.src.is_file():
            programs = sorted(preset_names(options.src))
        return SoundFontSource(
            options.src,
            programs,
            options.notes_per_program,
            options.pitch_step,
            options.seed,
            options.licence,
        )
    if options.kind == "nsynth":
        from noisysynth.train.datasets.nsynth import Chosen, nsynth_source

        return nsynth_source(
            options.src,
            check_pitch=not options.no_pitch_check,
            chosen=Chosen(options.acoustic, *parse_pitches(options.pitches)),
        )
    from noisysynth.train.datasets.folder import FolderSource

    return FolderSource(options.src, options.licence, check_pitch=not options.no_pitch_check, gain_db=options.gain_db)


def parse_programs(text: str) -> list[int]:
    """Program numbers of "0,4,40-42". UserError on anything else."""
    programs: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            run = range(int(first), int(last if dash else first) + 1)
            if not run:
                raise ValueError("a range that runs backwards")
            programs += run
    except ValueError:
        programs = []
    if not programs or not all(0 <= program <= 127 for program in programs):
        raise UserError(f"--programs wants numbers 0 to 127 such as 0,4,40-42, not {text!r}")
    return list(dict.fromkeys(programs))


def parse_pitches(text: str) -> tuple[int, int]:
    """Lowest and highest of "24-84". UserError on anything else."""
    low, dash, high = text.partition("-")
    try:
        pitches = int(low), int(high if dash else low)
    except ValueError:
        pitches = (1, 0)
    if not 0 <= pitches[0] <= pitches[1] <= 127:
        raise UserError(f"--pitches wants the lowest and the highest MIDI note, such as 24-84, not {text!r}")
    return pitches


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="noisysynth-dataset",
        description="Prepare training data: every note becomes harmonics, noise bands and a pitch track.",
        epilog="Ctrl-C is safe: run the same command again to continue.",
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="{nsynth,folder,soundfont}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("src", type=Path, metavar="SRC", help="where the notes are")
    common.add_argument("out", type=Path, metavar="OUT", help="folder for the prepared data")
    common.add_argument("--jobs", type=int, default=2, help="threads (default: %(default)s)")
    common.add_argument("--sample-rate", type=int, default=44_100, help="Hz (default: %(default)s)")
    common.add_argument(
        "--split",
        choices=BY,
        default=BY[0],
        help="what is held out: some instruments and notes, or a fifth of the notes",
    )
    common.add_argument("--json", action="store_true", help="print the summary as JSON, no progress bar")
    checked = argparse.ArgumentParser(add_help=False)
    checked.add_argument("--no-pitch-check", action="store_true", help="trust every pitch label")
    licensed = argparse.ArgumentParser(add_help=False)
    licensed.add_argument("--licence", help="licence of the notes, kept with each of them")

    nsynth = kinds.add_parser(
        "nsynth", parents=[common, checked], help="NSynth as published: a folder, or a .tfrecord file"
    )
    nsynth.add_argument("--acoustic", action="store_true", help="only the acoustic instruments")
    nsynth.add_argument("--pitches", default="0-127", metavar="LOW-HIGH", help="MIDI (default: all of %(default)s)")
    folder = kinds.add_parser(
        "folder",
        parents=[common, checked, licensed],
        help="a folder of WAV or FLAC notes, named by pitch or listed in a CSV",
    )
    folder.add_argument("--gain-db", type=float, default=0.0, metavar="DB", help="(default: %(default)s)")
    soundfont = kinds.add_parser("soundfont", parents=[common, licensed], help="notes rendered from a .sf2 file")
    soundfont.add_argument("--programs", help="program numbers such as 0,4,40-42 (default: about 45 pitched ones)")
    soundfont.add_argument("--all-programs", action="store_true", help="every program of the SoundFont")
    soundfont.add_argument("--notes-per-program", type=int, default=120, help="(default: %(default)s)")
    soundfont.add_argument("--pitch-step", type=int, default=3, help="semitones (default: %(default)s)")
    soundfont.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
