"""Takes pictures of the window, each page of it and its settings: `python scripts/take_screenshots.py 1280x800[@2]`.

The real window over the real engine, on a JACK server with its dummy driver and an X server without a screen, while a
chord is held. Writes docs/images/screens/PAGE-SIZE.png, and docs/images/window.png at its own size. @2: for screens
with twice as many pixels to the inch. Qt takes its scale at the start, so each size is a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from noisysynth.ui.window import Window

IMAGES = ROOT / "docs" / "images"
SCREENS = IMAGES / "screens"
README_SIZE = "1280x800"
MOST_BYTES = 5_000_000  # of all pictures together
COLOURS, PLAIN_COLOURS = 256, 24
PROGRAMS = {"Xvfb": "xvfb", "jackd": "jackd2", "jack_lsp": "jack-example-tools"}  # and their Debian packages

PRESET = "Strings"
CHORD = (48, 55, 64, 67, 71)  # keys, between and below those that the computer keyboard plays
PARTS: tuple[tuple[str, dict[str, float]], ...] = (
    ("Cello", {"key_high": 59.0, "volume": -12.0, "pan": -0.3}),
    ("Flute", {"key_low": 60.0, "velocity_low": 0.5, "volume": -15.0, "pan": 0.3}),
    ("Kalimba", {"channel": 2.0, "solo": 0.0, "mute": 1.0, "volume": -9.0}),
)  # of the rack, beside the first
PLACE = (-0.3, -0.62)  # on the pad
START_S = 300.0  # the first start of all compiles the kernels
SETTLE_S = 4.0  # until the spare engine has been started as well and steals no time
MEASURE_S = 60.0
MIDI = (
    (0x90, 48, 96), (0x90, 55, 88), (0x90, 64, 101), (0xB0, 1, 12), (0xB0, 1, 40), (0xB0, 74, 70), (0xE0, 0, 80),
    (0xE0, 0, 64), (0xD0, 33), (0xB0, 64, 127), (0x80, 64, 60), (0x80, 55, 61), (0x80, 48, 58), (0xB0, 64, 0),
    (0xC0, 4), (0xF0, 0x7E, 0x7F, 0xF7),
)  # fmt: skip
FAVOURITES = ("Cello", "Clarinet", "Strings")
SEARCH_S = 120.0
RECORDING = ROOT / "tests" / "data" / "guitar.flac"
PAGE_S = 0.7  # scope and meters are drawn 60 times in a second, the readouts 8 times


def main() -> int:
    parser = argparse.ArgumentParser("take_screenshots", description=__doc__.split(":")[0])
    parser.add_argument("size", metavar="WIDTHxHEIGHT[@SCALE]", type=_size)
    width, height, scale = parser.parse_args().size
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            print(f"screenshots: {program} is not installed (Debian: {package})", file=sys.stderr)
            return 2
    import servers

    label = f"{width}x{height}" + (f"-{scale}x" if scale > 1 else "")
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="noisysynth-screens-")))
        screen = (scale * width + 16, scale * height + 16)  # the pointer rests beside the window
        os.environ.update(stack.enter_context(servers.virtual_display(scratch / "xvfb.log", *screen)))
        os.environ["QT_SCALE_FACTOR"] = str(scale)
        stack.enter_context(servers.jack_dummy_server(scratch / "jackd.log", block_size=256))
        written = take_pictures(scratch, width, height, label)
    for old in set(SCREENS.glob(f"*-{label}.png")) - set(written):  # of a page that is no more
        old.unlink()
    total = sum(path.stat().st_size for path in (IMAGES / "window.png", *SCREENS.glob("*.png")) if path.exists())
    print(f"screenshots: {len(written)} at {label}; all take {total / 1e6:.2f} MB")
    if total > MOST_BYTES:
        print(f"screenshots: that is more than {MOST_BYTES / 1e6:.0f} MB", file=sys.stderr)
        return 1
    return 0


def _size(text: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"(\d{3,4})x(\d{3,4})(?:@([1-4]))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 1280x800 or 1280x800@2")
    return int(match[1]), int(match[2]), int(match[3] or 1)


def take_pictures(scratch: Path, width: int, height: int, label: str) -> list[Path]:
    """Open the window, play, and go through its pages; returns what was written."""
    from PySide6.QtCore import QPoint
    from PySide6.QtGui import QCursor

    from noisysynth.engine.client import EngineClient
    from noisysynth.factory import default_instrument
    from noisysynth.ui.application import make_application
    from noisysynth.ui.pages import RACK_PAGE, pages
    from noisysynth.ui.player import Player
    from noisysynth.ui.window import Window

    application = make_application(["noisysynth"])
    player = Player(EngineClient)
    window = Window(player, scratch / "session.json")

    def run(seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            application.processEvents()
            time.sleep(0.002)

    written: list[Path] = []

    def take(widget: QWidget, name: str) -> None:
        written.append(SCREENS / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{label}.png")
        save(widget, written[-1])

    try:
        window.resize(width, height)
        window.restore(default_instrument(), {"host_api": "JACK", "block_size": 256})
        window.show()
        QCursor.setPos(QPoint(width + 4, height + 4))
        run(START_S, lambda: player.running or bool(player.failure))
        if not player.running:
            raise RuntimeError(f"the engine does not play: {player.failure or 'it is still starting'}")
        run(SETTLE_S)
        set_up(window)
        player.open_audio(player.audio, lambda: None, lambda _: None)  # dropouts of the start are not counted any more
        run(PAGE_S)
        for pitch in CHORD:
            player.notes.press("screenshots", pitch, 0.7)
        for step in range(40):  # slowly, so that the pad shows a trail
            share = step / 39
            player.move_pad(PLACE[0] * share + 0.1 * (1 - share), PLACE[1] * share)
            run(0.02)
        if label == README_SIZE:
            save(window, IMAGES / "window.png")
        for page in pages():
            if page.title == RACK_PAGE:
                fill_rack(window, run)
            window.knobs.turn_to(page.title)
            run(PAGE_S)
            take(window, page.title)
        window.settings.show()
        run(10.0, lambda: window.settings.block.count() > 0)
        measuring = window.settings.checkup.measuring
        window.settings.checkup.start.click()
        run(MEASURE_S, lambda: not measuring.running)
        run(PAGE_S)
        take(window.settings, "audio-midi")
        window.settings.hide()
        window.show_monitor()
        play_midi(run)
        take(window.monitor, "midi-monitor")
        window.monitor.hide()
        window.tunings.take(write_scale(scratch))
        run(PAGE_S)
        for name in FAVOURITES:
            window.presets.toggle_favourite([preset.name for preset in player.presets].index(name))
        for step in range(3):
            if step:
                window.welcome.next.click()
            else:
                window.begin_welcome()
            run(PAGE_S)
            take(window, f"welcome-{step + 1}")
        window.welcome.end()
        player.save_preset("Bowed Fog")
        player.export_preset(len(player.presets) - 1, scratch / "fog.noisypreset")
        given = (scratch / "fog.noisypreset").read_text().replace(player.instrument.name, "Old Organ")
        (scratch / "fog.noisypreset").write_text(given)
        player.delete_preset(len(player.presets) - 1)
        player.select_preset([preset.name for preset in player.presets].index(PRESET))
        window.opener.take(scratch / "fog.noisypreset")
        run(10.0, window.opener.dialog.isVisible)
        run(PAGE_S)
        take(window.opener.dialog, "missing-instrument")
        window.drop.take_file(RECORDING)
        run(SEARCH_S, lambda: window.inversion.found is not None)
        run(PAGE_S)
        take(window.inversion, "recording")
        window.inversion.reject()
    finally:
        window.close()
        application.processEvents()
    return written


def play_midi(run: Callable[[float], None]) -> None:
    """What a hand does on a MIDI keyboard, into the engine's own port."""
    import servers
    from jack_probe import Probe

    keys = Probe("Stage 61")
    try:
        server = os.environ["JACK_DEFAULT_SERVER"]
        ports = servers.JackServer(server, 0, 0, 0, {}).ports()
        keys.play_to(next(port for port in ports if port.endswith("noisysynth:in")))
        for message in MIDI:
            keys.send(message)
            run(0.05)
        run(PAGE_S)
    finally:
        keys.close()


def write_scale(folder: Path) -> Path:
    """A Scala file with a name."""
    path = folder / "werckmeister.scl"
    path.write_text("! werckmeister.scl\n!\nWerckmeister III, well-tempered\n 12\n!\n" + "".join(
        f" {cents}\n" for cents in ("90.225", "192.18", "294.135", "390.225", "498.045", "588.27", "696.09", "792.18",
                                    "888.27", "996.09", "1092.18", "2/1")
    ))  # fmt: skip
    return path


def set_up(window: Window) -> None:
    """A sound that has something on every page."""
    from noisysynth.effects import EFFECT_INDEX
    from noisysynth.parameters import MOD_DESTINATIONS, MOD_SOURCES

    player = window.player
    assert player.instrument is not None
    player.select_preset([preset.name for preset in player.instrument.presets].index(PRESET))
    values = {
        "filter_mode": 2, "filter_cutoff": 6000.0, "filter_resonance": 0.2, "filter_envelope": 1.5,
        "lfo_2_rate": 0.3, "lfo_3_shape": 6, "unison": 2, "voice_mode": 0,
        "mod_1_source": MOD_SOURCES.index("LFO 2"), "mod_1_destination": MOD_DESTINATIONS.index("knob_1"),
        "mod_1_amount": 0.25, "mod_1_via": MOD_SOURCES.index("Mod wheel"),
        "mod_2_source": MOD_SOURCES.index("Pressure"), "mod_2_destination": MOD_DESTINATIONS.index("filter_cutoff"),
        "mod_2_amount": 0.4,
        "mod_3_source": MOD_SOURCES.index("Velocity"), "mod_3_destination": MOD_DESTINATIONS.index("brightness"),
        "mod_3_amount": -0.1,
        "insert_1": 1 + EFFECT_INDEX["chorus"], "insert_2": 1 + EFFECT_INDEX["equalizer"],
        "send_reverb": -14.0, "send_delay": -26.0, "volume": -9.0,
    }  # fmt: skip
    for parameter_id, value in values.items():
        player.set_parameter(parameter_id, float(value))


def fill_rack(window: Window, run: Callable[[float, Callable[[], bool]], None]) -> None:
    """More parts, the first edited again."""
    from noisysynth.factory import default_instrument

    player, path = window.player, default_instrument()
    for preset, values in PARTS:
        player.rack.add(path)
        run(PAGE_S, lambda: False)
        run(START_S, lambda: not player.rack.loading)
        player.select_preset([each.name for each in player.presets].index(preset))
        for parameter_id, value in values.items():
            player.set_parameter(parameter_id, value)
    player.choose_part(0)
    for pitch in CHORD:  # also on the new ones
        player.notes.release("screenshots", pitch)
        player.notes.press("screenshots", pitch, 0.7)


def save(widget: QWidget, path: Path) -> None:
    """Write what the widget shows now, in as many colours as a palette holds."""
    from PIL import Image
    from PySide6.QtGui import QImage

    picture = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    size = (picture.width(), picture.height())
    image = Image.frombytes("RGB", size, bytes(picture.constBits()), "raw", "RGB", picture.bytesPerLine())
    # The plain surfaces exactly; shades of text and glow share what is left of the palette.
    plain = sorted(image.getcolors(size[0] * size[1]), reverse=True)[:PLAIN_COLOURS]
    palette = [channel for _, colour in plain for channel in colour]
    shades = COLOURS - len(plain)
    palette += image.quantize(shades, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).getpalette()[: 3 * shades]
    holder = Image.new("P", (1, 1))
    holder.putpalette(palette)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(palette=holder, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
