"""noisysynth-render: a MIDI song through the live engine into a sound file, faster than real time."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from noisysynth.cli.command import run_command
from noisysynth.errors import UserError

_FORMATS = {".wav": "WAV", ".flac": "FLAC"}
_LONGEST_TAIL_S = 20.0
_QUIET = 1e-4  # -80 dB: where a tail may be cut


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("noisysynth-render", description=__doc__.split(": ", 1)[1])
    song = parser.add_argument("song", type=Path, metavar="SONG.mid")
    out = parser.add_argument("out", type=Path, metavar="OUT.wav", help="24-bit WAV, or FLAC by its ending")
    parser.add_argument("--instrument", type=Path, metavar="FILE.noisy", help="default: the factory instrument")
    parser.add_argument("--preset", metavar="NAME", help="default: the instrument's first; '--preset list' lists them")
    parser.add_argument("--sample-rate", type=int, default=48_000, metavar="HZ", help="default: 48000")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    listing = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    listing.add_argument("--preset")
    try:
        if listing.parse_known_args(arguments)[0].preset == "list":
            song.nargs = out.nargs = "?"  # nothing will be rendered
    except argparse.ArgumentError:
        pass  # the real parser says what is wrong
    options = parser.parse_args(arguments)

    def run() -> None:
        if options.preset == "list":
            list_presets(options.instrument)
            return
        render_song(
            options.song,
            options.out,
            options.instrument,
            progress=not options.no_progress,
            preset=options.preset,
            sample_rate=options.sample_rate,
        )

    return run_command(parser.prog, run)


def list_presets(instrument: Path | None = None) -> None:
    """Print the names that `preset` may be. UserError on bad input."""
    from noisysynth.factory import default_instrument
    from noisysynth.instrument import read_instrument

    print("\n".join(each.name for each in read_instrument(instrument or default_instrument()).presets))


def render_song(
    song: Path,
    out: Path,
    instrument: Path | None = None,
    progress: bool = True,
    preset: str | None = None,
    sample_rate: int = 48_000,
) -> None:
    """Write `out` with the song and its ring-out. The file appears whole or not at all. UserError on bad input."""
    if out.suffix.lower() not in _FORMATS:
        raise UserError(f"{out}: must end in {' or '.join(_FORMATS)}")
    if not out.parent.is_dir():
        raise UserError(f"{out}: cannot be written: there is no folder {out.parent}")
    if not 8_000 <= sample_rate <= 192_000:
        raise UserError(f"sample rate {sample_rate} is not between 8000 and 192000 Hz")

    import numpy as np
    import soundfile
    from tqdm import tqdm

    from noisysynth.engine.general_midi import channels_of_song, tell_parts
    from noisysynth.engine.offline import OfflineEngine
    from noisysynth.events import EventKind, make_event
    from noisysynth.factory import default_instrument
    from noisysynth.instrument import read_instrument
    from noisysynth.midi.song import read_song
    from noisysynth.parameters import PARAMETER_INDEX

    chosen = read_instrument(instrument or default_instrument())
    events, length_s = read_song(song, sample_rate)
    if preset is not None:
        found = next((each for each in chosen.presets if each.name.lower() == preset.lower()), None)
        if found is None:
            raise UserError(f"no preset {preset!r} in {chosen.name}; '--preset list' lists them")
        settings = [make_event(EventKind.LATENT, latent=found.latent, time=0)]
        settings += [
            make_event(EventKind.PARAMETER, PARAMETER_INDEX[each], value, time=0)
            for each, value in found.parameters.items()
        ]
        events = np.concatenate([*settings, events])
    engine = OfflineEngine(chosen, sample_rate)
    if preset is None and (channels := channels_of_song(chosen, events)):
        for part in range(1, len(channels)):
            engine.load(part, chosen)
        events = np.concatenate([tell_parts(channels), events])
    n_samples = round(length_s * sample_rate)
    part = out.with_name(f".{out.name}.part")
    bar = tqdm(
        total=n_samples, desc=song.name, disable=not progress, file=sys.stderr,
        bar_format="{desc}: {percentage:3.0f}% |{bar}| {remaining} left",
    )  # fmt: skip
    try:
        with (
            soundfile.SoundFile(part, "w", sample_rate, 2, "PCM_24", format=_FORMATS[out.suffix.lower()]) as file,
            bar,
        ):
            for block in engine.blocks(events, n_samples):
                file.write(block)
                bar.update(len(block))
            # Let the last notes ring until they are inaudible.
            end = make_event(EventKind.ALL_NOTES_OFF, time=int(engine.state["position"][0]))
            loudest = 0.0
            for index, block in enumerate(engine.blocks(end, round(_LONGEST_TAIL_S * sample_rate))):
                file.write(block)
                loudest = max(loudest, float(np.abs(block).max()))
                if (index + 1) % 64 == 0:
                    if loudest < _QUIET:
                        break
                    loudest = 0.0
        os.replace(part, out)
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"{out}: cannot be written ({error}); check the folder and the free space") from None
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
