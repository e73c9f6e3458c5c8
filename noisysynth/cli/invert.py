"""noisysynth-invert: which sound of an instrument comes nearest to a recorded note; as preset, WAV and spectrograms."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from noisysynth.cli.command import run_command
from noisysynth.errors import UserError

if TYPE_CHECKING:
    from noisysynth.instrument import Instrument
    from noisysynth.inversion.note import RecordedNote
    from noisysynth.inversion.search import Inversion


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("noisysynth-invert", description=__doc__.split(": ", 1)[1])
    parser.add_argument("instrument", type=Path, metavar="INSTRUMENT.noisy")
    parser.add_argument("recordings", type=Path, nargs="+", metavar="RECORDING", help="WAV, FLAC or MP3 of one note")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: print only")
    parser.add_argument("--pitch", type=float, metavar="MIDI", help="of the recordings; default: it is found")
    parser.add_argument("--latent-only", action="store_true", help="leave Tilt, Noise, Attack, Release, Shimmer alone")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return run_command(parser.prog, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    """1 when some of several recordings could not be used."""
    if options.pitch is not None and not 12.0 <= options.pitch <= 120.0:
        raise UserError(f"--pitch {options.pitch:g} is not between 12 and 120")
    from noisysynth.instrument import read_instrument

    instrument = read_instrument(options.instrument)
    if options.out is not None:
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{options.out}: cannot be made ({error.strerror}); choose another folder") from None
    failed = 0
    for recording in options.recordings:
        try:
            _invert(instrument, recording, options)
        except UserError as error:
            if len(options.recordings) == 1:
                raise
            failed += 1
            print(f"noisysynth-invert: {error}", file=sys.stderr)
    if failed == len(options.recordings):
        raise UserError("none of the recordings could be used")
    return 1 if failed else 0


def _invert(instrument: Instrument, recording: Path, options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from noisysynth.inversion.note import read_recorded_note
    from noisysynth.inversion.search import Progress, Search
    from noisysynth.listening.pitch_names import pitch_text

    note = read_recorded_note(recording, instrument.spec.sample_rate, options.pitch)
    with tqdm(
        total=100, desc=recording.name, disable=options.no_progress, file=sys.stderr, leave=False,
        bar_format="{desc}: {percentage:3.0f}% |{bar}| {postfix}",
    ) as bar:  # fmt: skip

        def told(news: Progress) -> None:
            bar.update(100.0 * news.share - bar.n)
            bar.set_postfix_str(news.what)

        found = Search(instrument, note, knobs=not options.latent_only).run(told)
    point = found.point
    knobs = "" if options.latent_only else (
        f", tilt {point.tilt_db:+.1f} dB/oct, noise {point.noise_db:+.1f} dB, attack x{point.attack:.2f}, "
        f"release x{point.release:.2f}, shimmer x{point.shimmer:.2f}"
    )  # fmt: skip
    encoder = "" if found.encoder_distance is None else f", of the encoder's answer {found.encoder_distance:.2f}"
    print(
        f"{recording.name}: {pitch_text(note.pitch)}, velocity {round(127 * point.velocity)}{knobs}; "
        f"spectral distance {found.distance:.2f}, before: of the nearest preset ({found.preset}) "
        f"{found.preset_distance:.2f}{encoder}"
    )
    if options.out is not None:
        _write(options.out, recording.stem, instrument, note, found)


def _write(folder: Path, stem: str, instrument: Instrument, note: RecordedNote, found: Inversion) -> None:
    """STEM.noisypreset, which can be dropped on the window, STEM.wav and STEM.png."""
    import soundfile

    from noisysynth.inversion.picture import spectrogram, write_pair
    from noisysynth.inversion.played import play
    from noisysynth.ui.user_presets import LONGEST_NAME, UserPreset, write_preset

    base = tuple(map(float, found.point.z))
    preset = UserPreset(stem[:LONGEST_NAME].strip() or "recording", found.point.parameters, base)
    write_preset(folder / f"{stem}.noisypreset", instrument.name, preset)
    audio = play(instrument, found.point, note.pitch, note.seconds, note.rate)
    try:
        soundfile.write(folder / f"{stem}.wav", audio, note.rate, "PCM_24")
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{folder / stem}: cannot be written ({reason}); choose another folder") from None
    pictures = (spectrogram(note.audio, note.rate), spectrogram(audio, note.rate))
    write_pair(folder / f"{stem}.png", *pictures)


if __name__ == "__main__":
    sys.exit(main())
