"""Status line: what the engine has to say on the left, what the pointer is on to the right."""

from __future__ import annotations

import time

from PySide6.QtCore import Signal, SignalInstance
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.standard import Button, ElidedLabel

KEPT = 50
LONGEST_TUNING = 28  # characters of a scale's name
KEYS_HELP = "  \u00b7  ".join(
    ("A \u2013 P play", "Z X octave", "C V velocity", "Space sustain", "Esc panic", "F1 manual")
)


class StatusLine(QWidget):
    """The newest notice stays until the next; earlier ones are in the tooltip."""

    restart_asked = Signal()
    tuning_asked = Signal()
    help_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(theme.STATUS_HEIGHT)
        self._lines: list[str] = []
        self.notice = ElidedLabel(theme.SMALL + 1)
        self.hint = ElidedLabel(theme.SMALL + 1, theme.TEXT_QUIET, right=True)
        self.restart: QPushButton = Button("Restart engine")
        self.restart.setProperty("chip", True)
        self.restart.clicked.connect(self.restart_asked)
        self.restart.hide()
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(20 * theme.UNIT)
        self.progress.setAccessibleName("Progress of the first start")
        self.progress.hide()
        self.tuning = _chip("", self.tuning_asked)
        self.tuning.hide()
        self.help = _chip("Help", self.help_asked)
        self.show_hint("")
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * theme.UNIT, 0, 2 * theme.UNIT, 0)
        row.setSpacing(2 * theme.UNIT)
        row.addWidget(self.restart)
        row.addWidget(self.progress)
        row.addWidget(self.notice, 1)
        row.addWidget(self.hint, 1)
        row.addWidget(self.tuning)
        row.addWidget(self.help)

    def show_progress(self, share: float | None, line: str = "") -> None:
        """A bar, and a line that is not kept; None: the work is over."""
        self.progress.setVisible(share is not None)
        self.hint.setVisible(share is None)  # the line needs its room
        if share is not None:
            self.progress.setValue(round(100 * share))
            self.notice.set_text(line)

    def show_tuning(self, name: str) -> None:
        """Name the tuning in a button; "" takes it away."""
        self.tuning.setVisible(bool(name))
        short = name if len(name) <= LONGEST_TUNING else f"{name[: LONGEST_TUNING - 1].rstrip()}\u2026"
        self.tuning.setText(f"Tuning: {short}".replace("&", "&&"))
        self.tuning.setAccessibleName(f"Tuning: {name}")
        self.tuning.setToolTip(f"{name}\nAnother scale, or back to 12 equal steps")

    def show_notice(self, line: str) -> None:
        self._lines = [*self._lines, f"{time.strftime('%H:%M:%S')}  {line}"][-KEPT:]
        self.notice.set_text(line)
        self.notice.setToolTip("\n".join(self._lines[-12:]))

    def show_hint(self, line: str) -> None:
        self.hint.set_text(line or KEYS_HELP)

    @property
    def lines(self) -> tuple[str, ...]:
        """Every notice kept, oldest first, with its time."""
        return tuple(self._lines)


def _chip(text: str, asked: SignalInstance) -> Button:
    chip = Button(text)
    chip.setProperty("chip", True)
    chip.clicked.connect(asked)
    return chip
