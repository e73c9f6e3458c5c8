"""Three views of the output under the pad: its wave, its spectrum, and the spectrum as it went by."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.icon_tabs import IconTabs
from noisysynth.ui.controls.scope import Scope
from noisysynth.ui.controls.spectrogram import Spectrogram
from noisysynth.ui.controls.spectrum import Spectrum
from noisysynth.ui.player import Player

VIEWS = ("oscilloscope", "spectrum", "spectrogram")  # as the session names them; also the icons' names


class ScopePanel(QWidget):
    """Only the view that is shown is fed."""

    view_changed = Signal()

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.wave, self.spectrum, self.spectrogram = Scope(), Spectrum(), Spectrogram()
        self.tabs = IconTabs("View of the sound", [(name, name.capitalize()) for name in VIEWS])
        self.stack = QStackedWidget()
        for view in (self.wave, self.spectrum, self.spectrogram):
            self.stack.addWidget(view)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.HALF)
        row.addWidget(self.tabs)
        row.addWidget(self.stack, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.tabs.chosen.connect(self._turn_to)

    @property
    def view(self) -> str:
        return VIEWS[self.tabs.index]

    def show_view(self, name: str) -> None:
        """Nothing happens when there is no such view."""
        if name in VIEWS:
            self.tabs.choose(VIEWS.index(name))

    def _turn_to(self, index: int) -> None:
        self.stack.setCurrentIndex(index)
        self.view_changed.emit()

    def feed(self, sample_rate: int, ticks: int = 1) -> None:
        """Once per screen frame. `sample_rate`: of the output, in Hz; 0 when nothing is open."""
        samples = self._player.scope()
        if samples is None:
            return
        view = self.stack.currentWidget()
        if view is self.wave:
            self.wave.feed(samples)
        elif sample_rate > 0:
            if view is self.spectrum:
                self.spectrum.feed(samples, sample_rate, self._player.sounding_hz())
            else:
                self.spectrogram.feed(samples, sample_rate, ticks)
