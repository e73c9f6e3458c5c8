"""noisysynth-evaluate: an instrument measured against real notes, as figures, a page and a picture."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisysynth.cli.command import run_command
from noisysynth.errors import UserError

if TYPE_CHECKING:
    from noisysynth.export.evaluation.evaluate import Evaluation

FORMAT = "noisysynth-evaluation"
VERSION = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 with one line on standard error, or 130 on Ctrl-C with what was measured until then."""
    options = _parser().parse_args(arguments)
    return run_command(
        "noisysynth-evaluate", lambda: _run(options), stopped=f"stopped; {options.out} has what was measured until then"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="noisysynth-evaluate",
        description=__doc__.split(": ", 1)[1],
        epilog="Writes metrics.json, index.html (one page with everything inside) and summary.png. "
        "docs/evaluation.md says how to read them.",
    )
    parser.add_argument("instrument", type=Path, metavar="INSTRUMENT.noisy", help="the instrument to measure")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the prepared data it was trained on")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--seeds", type=_whole, metavar="N", help="draws of the prior (default: 3; quick: 1)")
    parser.add_argument(
        "--notes", type=_whole, metavar="N", help="most notes in a comparison (default: 500; quick: 150)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer notes of everything: minutes instead of a quarter hour"
    )
    parser.add_argument("--paper", type=Path, metavar="CHECKPOINT", help="a run of the paper's model, to compare with")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")
    return parser


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _run(options: argparse.Namespace) -> None:
    if options.paper is not None and not options.paper.exists():
        raise UserError(f"{options.paper}: there is no such checkpoint")
    # Torch takes seconds to import: not for --help.
    from noisysynth.export.evaluation.embedding import FILE_NAME
    from noisysynth.export.evaluation.evaluate import QUICK, Evaluation, Settings
    from noisysynth.export.evaluation.notes import choose_sets
    from noisysynth.instrument import read_instrument

    instrument = read_instrument(options.instrument)
    settings = QUICK if options.quick else Settings()
    changes = {name: getattr(options, name) for name in ("seeds", "notes") if getattr(options, name) is not None}
    settings = dataclasses.replace(settings, **changes)
    sets = choose_sets(options.data, settings.notes)
    _make_folder(options.out)
    beside_data = os.access(options.data, os.W_OK) or (options.data / FILE_NAME).exists()
    keep = (options.data if beside_data else options.out) / FILE_NAME
    evaluation = Evaluation(instrument, sets, settings, keep, options.paper, show_progress=not options.no_progress)
    about = {
        "Instrument": instrument.name,
        "File": f"{options.instrument.name}, SHA-256 {instrument.content_sha256[:16]}",
        "Data": f"{options.data.absolute().name}: {len(sets.held_out)} held-out notes of trained instruments, "
        f"{len(sets.foreign)} of {len(set(sets.foreign.instruments))} held-out instruments",
        "Attribution": "; ".join(sets.attribution),
        "Trained": f"{instrument.training.steps} steps, {instrument.training.hours:.1f} hours",
        "Draws of the prior": f"{settings.seeds} x {len(sets.held_out)} notes",
        "Sound": f"the instrument file through the live renderer, {sets.sample_rate} Hz",
    }
    head = {
        "format": FORMAT,
        "version": VERSION,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "instrument": {"name": instrument.name, "content_sha256": instrument.content_sha256},
        "data": options.data.absolute().name,
        "settings": dataclasses.asdict(settings),
    }
    try:
        evaluation.run(lambda: _write_metrics(options.out, head, evaluation))
        evaluation.results["complete"] = True
    finally:  # also on Ctrl-C
        if evaluation.results["seconds"]:
            _write_metrics(options.out, head, evaluation)
            _write_page(options.out, about, evaluation)
    print(report(evaluation.results))
    print(f"{options.out / 'index.html'}")


def report(results: dict[str, Any]) -> str:
    """The bars as text, one a line."""
    from noisysynth.export.evaluation.bars import judge

    said = {True: "pass", False: "MISS", None: "-"}
    return "\n".join(
        f"{said[bar.passed]:<5}{bar.name:<46}{bar.wanted:<24}{bar.value:<34}{bar.remark}".rstrip()
        for bar in judge(results)
    )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f".{os.getpid()}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); choose another folder") from None


def _write_metrics(out: Path, head: dict[str, Any], evaluation: Evaluation) -> None:
    from noisysynth.export.evaluation.bars import judge
    from noisysynth.export.evaluation.evaluate import plain_json

    results = evaluation.results
    bars = [dataclasses.asdict(bar) for bar in judge(results)]
    data = plain_json({**head, "complete": False, **results, "bars": bars})
    _write(out / "metrics.json", (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def _write_page(out: Path, about: dict[str, Any], evaluation: Evaluation) -> None:
    from noisysynth.export.evaluation.figures import summary_picture
    from noisysynth.export.evaluation.page import make_page

    rate = evaluation.sets.sample_rate
    page = make_page(about, evaluation.results, evaluation.gallery, rate)
    _write(out / "index.html", page.encode())
    if evaluation.results["sets"]:
        summary = summary_picture(str(about["Instrument"]), evaluation.results, evaluation.gallery, rate)
        _write(out / "summary.png", summary)


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
