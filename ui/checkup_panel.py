"""In the audio settings: measure what this machine can do, and what the doctor advises, in words."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from noisysynth.engine.checkup import FINE, Finding, Measured
from noisysynth.ui import theme
from noisysynth.ui.controls.standard import Button
from noisysynth.ui.measuring import ABOUT_S, Measuring, finding_in_words, in_words
from noisysynth.ui.player import Player

EXPLAINED = (
    f"Plays a chord unheard at every block size, about {ABOUT_S:.0f} s, and says which one to choose. "
    "Nothing else is heard meanwhile."
)


class CheckupPanel(QWidget):
    """`chosen`: the player wants the block size that is recommended."""

    chosen = Signal(int)

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.measuring = Measuring(player, self)
        self.start = Button("Measure")
        self.start.setToolTip("Find the smallest block size that this machine holds")
        self.start.clicked.connect(self._pressed)
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the measurement")
        self.verdict = QLabel(EXPLAINED)
        self.verdict.setWordWrap(True)
        self.verdict.setTextFormat(Qt.TextFormat.PlainText)
        self.use = Button()
        self.use.clicked.connect(self._use)
        self.use.hide()
        for button in (self.start, self.use):
            button.setAutoDefault(False)
        self._lines = QGridLayout()
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setHorizontalSpacing(theme.UNIT)
        self._lines.setVerticalSpacing(theme.HALF)
        self._lines.setColumnStretch(1, 1)
        self._lay_out()
        self.measuring.found.connect(self._add)
        self.measuring.progressed.connect(lambda share: self.bar.setValue(round(100 * share)))
        self.measuring.changed.connect(self._show)
        self.measuring.failed.connect(self.verdict.setText)
        self._show()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(theme.UNIT)
        top.addWidget(self.start)
        top.addWidget(self.bar, 1)
        top.addStretch()
        verdict = QHBoxLayout()
        verdict.setSpacing(theme.UNIT)
        verdict.addWidget(self.verdict, 1)
        verdict.addWidget(self.use, 0, Qt.AlignmentFlag.AlignTop)
        holder = QWidget()
        inside = QVBoxLayout(holder)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(self._lines)
        inside.addStretch()
        self.list = QScrollArea()
        self.list.setWidgetResizable(True)
        self.list.setWidget(holder)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("What was found")
        self.list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.list.viewport().setAutoFillBackground(False)
        holder.setAutoFillBackground(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.UNIT)
        column.addLayout(top)
        column.addLayout(verdict)
        column.addWidget(self.list, 1)
        column.addStretch()

    # what happens

    def _pressed(self) -> None:
        if self.measuring.running:
            self.measuring.stop()
            self.verdict.setText("stopping\u2026")
            return
        status = self._player.last_status
        if status is not None and status.recorded_s > 0.0:
            self.verdict.setText("a recording is under way, and measuring would end it: stop it first (Ctrl+R)")
            return
        if status is not None and not status.audio_running:
            self.verdict.setText("no sound device is open: choose one that is there, then measure")
            return
        self._clear()
        self.bar.setValue(0)
        self.measuring.start()

    def _show(self) -> None:
        running, best = self.measuring.running, self.measuring.best
        self.start.setText("Stop" if running else "Measure")
        self.bar.setVisible(running)
        self.list.setVisible(self._lines.count() > 0)
        self.use.setVisible(best is not None and best.block_size != self._player.audio.block_size)
        if running:
            self.verdict.setText("measuring: nothing is heard for a while")
        elif best is not None:
            self.use.setText(f"Use {best.block_size} samples")
            self.verdict.setText(f"Recommended: {best.block_size} samples, {best.latency_ms:.1f} ms")
        elif self._lines.count():
            self.verdict.setText("No block size held without dropouts: close other programs and measure again")
        self.verdict.setAccessibleName(self.verdict.text())
        weight = QFont.Weight.DemiBold if best is not None else QFont.Weight.Normal
        self.verdict.setFont(theme.font(theme.BODY, weight))

    def _clear(self) -> None:
        while (item := self._lines.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()

    def _add(self, each: Finding | Measured) -> None:
        if isinstance(each, Measured):
            self._add_line(each.held, in_words(each))
        else:
            self._add_line(each.level == FINE, finding_in_words(each), each.todo)
        self.list.show()

    def _add_line(self, fine: bool, text: str, todo: str = "") -> None:
        row = self._lines.rowCount()
        mark = QLabel("\u2713" if fine else "!")
        mark.setFont(theme.font(theme.BODY, QFont.Weight.Bold))
        mark.setStyleSheet(f"color: {theme.METER if fine else theme.ACCENT};")
        mark.setAccessibleName("fine" if fine else "could be better")
        mark.setFixedWidth(2 * theme.UNIT)
        self._lines.addWidget(mark, row, 0, Qt.AlignmentFlag.AlignTop)
        self._lines.addWidget(_wrapped(text), row, 1)
        if todo:
            advice = _wrapped(todo)
            advice.setProperty("quiet", True)
            advice.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)  # commands are to be copied
            self._lines.addWidget(advice, row + 1, 1)

    def _use(self) -> None:
        if self.measuring.best is not None:
            self.use.hide()
            self.chosen.emit(self.measuring.best.block_size)

    def texts(self) -> list[str]:
        """Every line of what was found, for tests and for reading aloud."""
        items = (self._lines.itemAt(i) for i in range(self._lines.count()))
        labels = (item.widget() for item in items if item is not None)
        return [label.text() for label in labels if isinstance(label, QLabel) and len(label.text()) > 1]


def _wrapped(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
