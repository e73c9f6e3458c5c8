"""Start Qt, the theme and the window; Ctrl-C in the terminal closes it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from noisysynth.engine.client import EngineClient
from noisysynth.ui import theme
from noisysynth.ui.player import Player
from noisysynth.ui.session import session_path
from noisysynth.ui.window import Window


def make_application(arguments: list[str] | None = None) -> QApplication:
    """The one QApplication, in our clothes."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(arguments or sys.argv[:1])
    application.setApplicationName("noisysynth")
    application.setApplicationDisplayName("noisysynth")
    application.setDesktopFileName("noisysynth")
    application.setStyle("Fusion")
    application.setPalette(theme.palette())
    application.setFont(theme.font())
    application.setStyleSheet(theme.style_sheet())
    return application


def run_window(
    instrument: Path | None = None,
    audio: Mapping[str, Any] | None = None,
    client_factory: Callable[[], EngineClient] = EngineClient,
    session_file: Path | None = None,
    osc_port: int | None = None,
) -> int:
    """Open the window and stay until it is closed; returns the exit code. `audio`: fields of AudioChoice."""
    application = make_application()
    player = Player(client_factory)
    player.osc_port = osc_port
    window = Window(player, session_file or session_path())

    def interrupted(*_: object) -> None:
        # From a signal handler only to the event loop: a handler may run in the middle of a repaint.
        QTimer.singleShot(0, window.close)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    window.restore(instrument, audio)
    window.show()
    window.welcome_if_new()
    return application.exec()
