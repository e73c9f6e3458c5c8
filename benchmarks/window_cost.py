"""What the window costs while music plays: screen updates a second, and the share of a core, view by view.

    python benchmarks/window_cost.py [--seconds 15] [--voices 32] [--at-once]

Starts an X server, a JACK server and the engine. 1280x800, every meter and the pad visible, the pad moving. The last
column says how many steps of its drawing the window shed meanwhile, for the machine was short (ui/shedding.py).
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import servers
from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer

SIZE = (1280, 800)
START_S, SETTLE_S = 120.0, 3.0
WARM_S = 20.0  # a spare engine imports and loads its kernels after the start, in what time others leave it


class Paints(QObject):
    """Counts how often a widget is painted."""

    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return super().eventFilter(watched, event)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="for each view (default: %(default)s)")
    parser.add_argument("--voices", type=int, default=32, help="default: %(default)s")
    parser.add_argument("--at-once", action="store_true", help="do not wait until the spare engine has warmed up")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="noisysynth-window-")))
        os.environ.update(stack.enter_context(servers.virtual_display(scratch / "xvfb.log", *SIZE)))
        os.environ.pop("QT_QPA_PLATFORM", None)
        stack.enter_context(servers.jack_dummy_server(scratch / "jackd.log", block_size=128))
        print("| view | updates a second | of one core | missed blocks | steps shed |")
        print("|---|---|---|---|---|")
        for row in measure(scratch, options.seconds, options.voices, 0.0 if options.at_once else WARM_S):
            print("| {} | {:.1f} | {:.0f} % | {} | {} |".format(*row), flush=True)
    return 0


def measure(scratch: Path, seconds: float, voices: int, warm_s: float) -> list[tuple[str, float, float, int, int]]:
    """View, updates a second while there is sound, percent of a core, blocks that the engine missed, most steps shed.

    The share is that of the window's process. warm_s: how long the notes sound before the first view is measured.
    """
    from noisysynth.engine.client import EngineClient
    from noisysynth.factory import default_instrument
    from noisysynth.ui.application import make_application
    from noisysynth.ui.player import Player
    from noisysynth.ui.scope_panel import VIEWS
    from noisysynth.ui.window import Window

    application = make_application(["noisysynth"])
    player = Player(EngineClient)
    window = Window(player, scratch / "session.json")

    def run(seconds: float) -> None:
        loop = QEventLoop()  # the application's own would take the player with it when it ends
        QTimer.singleShot(round(1000 * seconds), loop.quit)
        loop.exec()

    moving = QTimer(interval=16)
    moving.timeout.connect(
        lambda: player.move_pad(0.7 * math.sin(time.monotonic()), 0.7 * math.cos(0.7 * time.monotonic()))
    )
    rows = []
    try:
        window.resize(*SIZE)
        window.restore(default_instrument(), {"host_api": "JACK", "block_size": 128})
        window.show()
        end = time.monotonic() + START_S
        while not player.running and not player.failure and time.monotonic() < end:
            run(0.1)
        if not player.running or player.client is None:
            raise RuntimeError(player.failure or "the engine is still starting")
        for voice in range(voices):
            player.client.note_on(36 + 2 * (voice % 30), 0.5, voice // 30)
        moving.start()
        levels: list[int] = []
        heard: list[bool] = []
        scope = window.morph.scope
        window._clock.timeout.connect(lambda: levels.append(window.shedding.level))
        # The oscilloscope draws no silence, and the pad's way leads over sounds whose held notes have died away.
        window._clock.timeout.connect(
            lambda: heard.append(scope.stack.currentWidget() is not scope.wave or not scope.wave._silent)
        )
        run(warm_s)
        for name in VIEWS:
            window.morph.scope.show_view(name)
            run(SETTLE_S)
            paints = Paints()
            view = window.morph.scope.stack.currentWidget()
            assert view is not None
            watched = view.viewport() if hasattr(view, "viewport") else view
            watched.installEventFilter(paints)
            status = player.client.status()
            levels.clear()
            heard.clear()
            missed, cpu_s, began = status.underruns, time.process_time(), time.perf_counter()
            run(seconds)
            took = time.perf_counter() - began
            cpu = 100.0 * (time.process_time() - cpu_s) / took
            status = player.client.status()
            if status.voices < voices:
                raise RuntimeError(f"{status.voices} voices sound, not {voices}; choose an instrument that holds notes")
            sounding_s = took * max(sum(heard), 1) / max(len(heard), 1)
            shed = max(levels, default=0)
            rows.append((name, paints.count / sounding_s, cpu, status.underruns - missed, shed))
            watched.removeEventFilter(paints)
    finally:
        window.close()
        application.processEvents()
    return rows


if __name__ == "__main__":
    sys.exit(main())
