"""noisysynth-export: a training run to an instrument file, measured against the network it came from."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisysynth.cli.command import run_command
from noisysynth.errors import UserError

if TYPE_CHECKING:
    from noisysynth.export.source import Source
    from noisysynth.instrument import Instrument, Training


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on standard error."""
    options = _parser().parse_args(arguments)
    return run_command("noisysynth-export", lambda: _export(options), stopped="stopped; nothing was written")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="noisysynth-export", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a training run (noisysynth-train --out RUN)")
    parser.add_argument("out", type=Path, metavar="OUT.noisy", help="instrument file to write")
    parser.add_argument("--name", help="what players will see (default: the file's name)")
    parser.add_argument("--description", default="", help="a sentence or two about the sound")
    parser.add_argument("--first", metavar="PRESET", help="the preset it opens with (default: the first by name)")
    parser.add_argument(
        "--credit", action="append", default=[], metavar="LINE", help="whom to name besides; may be given several times"
    )
    parser.add_argument("--which", choices=("last", "best"), default="last", help="checkpoint (default: last)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")
    return parser


def _export(options: argparse.Namespace) -> None:
    if options.out.suffix != ".noisy":
        raise UserError(f"{options.out}: instrument files end in .noisy; give the file such a name")
    if options.out.is_dir():
        raise UserError(f"{options.out}: is a folder; choose another name")
    # Torch takes seconds to import: not for --help, and not before what can be wrong without it.
    from noisysynth.export.build import WARN_BYTES, build_instrument, write_checked
    from noisysynth.export.families import readable_name
    from noisysynth.export.parity import format_table

    def say(text: str) -> None:
        print(f"{text} ...", file=sys.stderr, flush=True)

    say(f"reading {options.run}")
    source = read_source(options.run, options.which)
    credit = tuple(dict.fromkeys((*source.training.attribution, *_lines(options.credit))))
    source = dataclasses.replace(source, training=dataclasses.replace(source.training, attribution=credit))
    name = readable_name(options.name or options.out.stem)
    instrument, rows = build_instrument(source, name, options.description, say)
    if options.first is not None:
        instrument = opening_with(instrument, options.first)
    size = write_checked(options.out, instrument)
    if size > WARN_BYTES:
        print(
            f"noisysynth-export: warning: {options.out} is {size / 2**20:.1f} MiB; "
            "a narrower generator would load and play faster",
            file=sys.stderr,
        )
    if options.json:
        print(json.dumps(report(options.out, size, instrument), indent=2))
    else:
        print(format_table(rows))
        for direction in instrument.directions:
            print(f"{direction.name:<10} {direction.effect}")
        print(f"{options.out}: {len(instrument.presets)} presets, {size / 2**20:.1f} MiB")


def opening_with(instrument: Instrument, first: str) -> Instrument:
    """The instrument with a preset of that name in front. UserError when there is none."""
    chosen = [preset for preset in instrument.presets if preset.name.lower() == first.lower()]
    if not chosen:
        raise UserError(f"no preset {first!r}; there are {', '.join(preset.name for preset in instrument.presets)}")
    others = [preset for preset in instrument.presets if preset is not chosen[0]]
    return dataclasses.replace(instrument, presets=(chosen[0], *others))


def read_source(run_dir: Path, which: str = "last") -> Source:
    """The training run in a folder, as an export's source. Raises UserError."""
    import numpy as np

    from noisysynth.export.source import Source, TrainingNotes
    from noisysynth.train.checkpoint import load_run
    from noisysynth.train.noisygan.config import find_config as find_noisygan
    from noisysynth.train.phrases.config import find_config as find_phrases
    from noisysynth.train.phrases.generator import NATURAL_VELOCITY
    from noisysynth.train.phrases.run import load_phrase_run

    settings = str(run_dir / "config.json")
    if find_noisygan(settings) is not None:
        raise UserError(f"{run_dir}: the paper's model knows no keys, so it cannot be played; train another config")
    if find_phrases(settings) is not None:
        phrases = load_phrase_run(run_dir)
        names = tuple(phrases.names)  # every phrase is a preset of its own: a mean of melodies is none
        velocity = np.full(len(names), NATURAL_VELOCITY, np.float32)
        notes = TrainingNotes(phrases.z, np.arange(len(names)), names, phrases.key, velocity)
        generator = phrases.generator
        return Source(str(run_dir), generator.spec, generator, None, notes, training_of(phrases.training))
    run = load_run(run_dir, which)
    notes = TrainingNotes(
        z=np.asarray(run.latents.z, np.float32),
        instrument=np.asarray(run.latents.instrument, np.int64),
        instrument_names=tuple(str(name) for name in run.latents.instruments),
        pitch=np.asarray(run.latents.pitch, np.float32),
        velocity=np.asarray(run.latents.velocity, np.float32),
        programs={str(name): int(program) for name, program in (run.training.get("programs") or {}).items()},
        families={str(name): _plain(family) for name, family in (run.training.get("families") or {}).items()},
    )
    return Source(str(run_dir), run.spec, run.generator, run.encoder, notes, training_of(run.training))


def training_of(data: Mapping[str, Any]) -> Training:
    """What the file will say of its origin, from a run's own record; what that leaves out stays empty."""
    from noisysynth.instrument import MAX_LINES, MAX_TEXT, Training

    metrics = data.get("metrics") or {}
    return Training(
        data=_plain(data.get("dataset", "")),
        licence="; ".join(_lines(data.get("licence")))[:MAX_TEXT],
        attribution=tuple(line[:MAX_TEXT] for line in _lines(data.get("attribution")))[:MAX_LINES],
        hours=float(data.get("minutes", 0.0)) / 60.0,
        steps=int(data.get("steps", 0)) + int(data.get("earlier_steps", 0)),
        metrics={str(key): float(value) for key, value in metrics.items() if _is_finite(value)},
    )


def report(path: Path, size: int, instrument: Instrument) -> dict[str, Any]:
    """What was written, for a script."""
    return {
        "file": str(path),
        "bytes": size,
        "name": instrument.name,
        "presets": [preset.name for preset in instrument.presets],
        "directions": {d.name: {"effect": d.effect, **d.measured} for d in instrument.directions},
        "pitch_range": list(instrument.pitch_range),
        "metrics": dict(instrument.training.metrics),
    }


def _lines(value: str | Sequence[object] | None) -> list[str]:
    lines = value.splitlines() if isinstance(value, str) else value or ()
    return [plain for line in lines if (plain := _plain(line))]


def _plain(value: object) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


if __name__ == "__main__":
    sys.exit(main())
