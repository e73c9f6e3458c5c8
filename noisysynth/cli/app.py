"""noisysynth: play the synthesizer; headless without a display, and without a sound card it renders the demo song."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import Any

from noisysynth.cli.command import run_command
from noisysynth.errors import UserError

POLL_S = 0.1
START_TIMEOUT_S = 300.0  # the first start of all compiles the kernels
BLOCK_SIZES = (16, 8192)
SAMPLE_RATES = (8_000, 192_000)
OSC_PORTS = (1024, 65_535)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("noisysynth", description=__doc__.split(": ", 1)[1])
    parser.add_argument(
        "instrument",
        nargs="?",
        type=Path,
        metavar="INSTRUMENT.noisy",
        help="default: what was open last, or the factory instrument",
    )
    parser.add_argument("--headless", action="store_true", help="play from MIDI without a window, until Ctrl-C")
    parser.add_argument("--audio-device", metavar="NAME", help="default: the one chosen last, or the system's")
    parser.add_argument("--host-api", metavar="NAME", help="such as ALSA, JACK or WASAPI")
    parser.add_argument("--block-size", type=int, metavar="N", help="samples per block; smaller answers sooner")
    parser.add_argument("--sample-rate", type=int, metavar="HZ", help="default: the device's own")
    parser.add_argument(
        "--osc-port",
        type=int,
        metavar="PORT",
        help="listen to OSC messages on this port of this machine (docs/osc.md); default: do not",
    )
    headless = parser.add_argument_group("with --headless")
    headless.add_argument("--part", type=Path, action="append", default=[], metavar="FILE.noisy",
                          help="one more instrument, in the next part of the rack; may be given 15 times")  # fmt: skip
    headless.add_argument("--tuning", type=Path, metavar="FILE.scl", help="a Scala scale")
    headless.add_argument("--keyboard-map", type=Path, metavar="FILE.kbm", help="how the scale lies on the keys")
    headless.add_argument("--record", type=Path, metavar="FILE", help="record what is played, as WAV or FLAC")
    parser.add_argument("--demo-out", type=Path, metavar="WAV", default=Path("noisysynth-demo.wav"),
                        help="where the demo song goes when nothing can be heard (default: %(default)s)")  # fmt: skip
    options = parser.parse_args(arguments)
    return run_command(parser.prog, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    audio = _audio_options(options)
    if options.instrument is not None:
        from noisysynth.instrument import read_instrument

        read_instrument(options.instrument)  # a bad file is told here, before anything opens
    if len(options.part) > 15:
        raise UserError("a rack has 16 parts: --part may be given 15 times")
    for part in options.part:
        from noisysynth.instrument import read_instrument

        read_instrument(part)
    from noisysynth.engine.client import EngineClient

    client = EngineClient()
    if not options.headless:
        for name in ("part", "tuning", "keyboard_map", "record"):
            if getattr(options, name):
                raise UserError(f"--{name.replace('_', '-')} goes with --headless")
        client.prepare()  # before Qt is imported: both take their time, and now they take it at once
        from noisysynth.ui.display import display_problem

        problem = display_problem()
        if not problem:
            from noisysynth.ui.application import run_window

            osc = {} if options.osc_port is None else {"osc_port": options.osc_port}
            clients = iter((client,))
            try:
                return run_window(options.instrument, audio, lambda: next(clients, None) or EngineClient(), **osc)
            finally:
                client.stop()
        _say(f"no window: {problem}")
    return _without_window(options, audio, client)


def _audio_options(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of AudioChoice that were named."""
    for name, value, (low, high) in (
        ("--block-size", options.block_size, BLOCK_SIZES),
        ("--osc-port", options.osc_port, OSC_PORTS),
        ("--sample-rate", options.sample_rate, SAMPLE_RATES),
    ):
        if value is not None and not low <= value <= high:
            raise UserError(f"{name} {value} is not between {low} and {high}")
    fields = {
        "device": options.audio_device,
        "host_api": options.host_api,
        "block_size": options.block_size,
        "sample_rate": options.sample_rate,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _without_window(options: argparse.Namespace, audio: dict[str, Any], client: Any) -> int:
    """Play from MIDI where there is a sound device, else render the demo song."""
    from noisysynth.engine.messages import AudioChoice
    from noisysynth.factory import default_instrument

    instrument = options.instrument or default_instrument()
    _say("starting the audio engine (the first start on a machine takes a while)")
    try:
        client.start(instrument, AudioChoice(**audio), timeout_s=START_TIMEOUT_S)
        running = client.status().audio_running
        notices = client.notices()
        unheard = ("sound device", "the sound device", "no sound")
        reason = next((line for line in notices if line.startswith(unheard)), None)
        if ("device" in audio or "host_api" in audio) and (reason is not None or not running):
            # It was asked for by name: playing something else would hide the mistake.
            raise UserError(reason or "no sound device")
        if running:
            if options.osc_port is not None:
                client.start_osc(options.osc_port)
            for number, part in enumerate(options.part, 1):
                client.load_instrument(part, number)
            if options.tuning is not None:
                client.load_tuning(options.tuning, options.keyboard_map)
            for line in notices:
                _say(line)
            if options.record is not None:
                client.start_recording(options.record)
            _play(client, instrument)
            if options.record is not None:
                _say(f"recorded {client.stop_recording():.1f} s to {options.record}")
            return 0
    finally:
        client.stop()
    reason = reason or "no sound device"
    _say(reason)
    _render_demo(instrument, options.demo_out)
    return 0


def _play(client: Any, instrument: Path) -> None:
    """Until Ctrl-C or the end of the engine."""
    status = client.status()
    heard = [port for port, on in client.midi_inputs() if on]
    _say(
        f"playing {instrument.stem} on {status.audio_name}, {status.sample_rate} Hz, "
        f"latency {status.output_latency_s * 1e3:.1f} ms; Ctrl-C ends"
    )
    _say(f"listening to {', '.join(heard)}" if heard else "no MIDI input yet; plug one in")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        while client.status().alive:
            for line in client.notices():
                _say(line)
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        _say("stopped")
        return
    raise UserError(next(iter(client.notices()), "the engine ended unexpectedly; start noisysynth again"))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _render_demo(instrument: Path, out: Path) -> None:
    from noisysynth.cli.render import render_song
    from noisysynth.factory import DEMO_SONG

    _say(f"rendering the demo song to {out}")
    render_song(DEMO_SONG, out, instrument)
    _say(f"wrote {out}")


def _say(line: str) -> None:
    print(f"noisysynth: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
