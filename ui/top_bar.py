"""Top bar: what plays (instrument, preset), how it is doing (level and readouts), and the two ways out of trouble."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QSizePolicy, QWidget

from noisysynth.engine.messages import EngineStatus
from noisysynth.factory import factory_instruments
from noisysynth.ui import theme
from noisysynth.ui.controls.meter import Meter
from noisysynth.ui.controls.standard import Button, IconButton, TallButton, paint_icon
from noisysynth.ui.part_menu import add_parts
from noisysynth.ui.player import Player
from noisysynth.ui.record_button import RecordButton
from noisysynth.ui.recording import Recording

ALARM_UPDATES = 24  # how long a new dropout stays red, in readout updates (8 per second)
COMPACT_BELOW = 1120
PART_WIDTH = 7 * theme.UNIT


class Readout(QWidget):
    """A small caption over a value; repaints only when the text changes."""

    def __init__(self, caption: str, width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._caption = caption
        self._text = ""
        self._alarm = False
        self.setMinimumWidth(width)
        self.setFixedHeight(5 * theme.UNIT)
        self.setAccessibleName(caption)

    @property
    def text(self) -> str:
        return self._text

    def set_text(self, text: str, alarm: bool = False) -> None:
        if (text, alarm) != (self._text, self._alarm):
            self._text, self._alarm = text, alarm
            self.setAccessibleDescription(text)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_captioned(
            painter,
            QRectF(self.rect()),
            self._caption,
            self._text,
            theme.font(theme.BODY, QFont.Weight.DemiBold if self._alarm else QFont.Weight.Normal),
            theme.DANGER if self._alarm else theme.TEXT,
        )
        painter.end()


def paint_captioned(
    painter: QPainter, rect: QRectF, caption: str, text: str, font: QFont, colour: str = theme.TEXT
) -> None:
    """A caption over a value: the one text layout of the top bar."""
    top = rect.center().y() - 2.25 * theme.UNIT
    left, width = rect.left(), rect.width()
    align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    painter.setFont(theme.font(theme.SMALL))
    painter.setPen(theme.qcolor(theme.TEXT_QUIET))
    painter.drawText(QRectF(left, top, width, 2 * theme.UNIT), align, caption)
    painter.setFont(font)
    painter.setPen(theme.qcolor(colour))
    line = QRectF(left, top + 2 * theme.UNIT, width, 2.75 * theme.UNIT)
    painter.drawText(line, align, painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(width)))


class NameButton(TallButton):
    """A flat button with a caption over a large name."""

    def __init__(self, caption: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._caption = caption
        self._name = ""
        self.setAccessibleName(caption)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_name(self, name: str) -> None:
        if name != self._name:
            self._name = name
            self.setAccessibleDescription(name)
            self.update()

    @property
    def name(self) -> str:
        return self._name

    def sizeHint(self) -> QSize:
        return QSize(22 * theme.UNIT, 6 * theme.UNIT)

    def minimumSizeHint(self) -> QSize:
        return QSize(12 * theme.UNIT, 6 * theme.UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rect = self.paint_ground(painter)
        text = rect.adjusted(theme.UNIT, 0, -3 * theme.UNIT, 0)
        paint_captioned(painter, text, self._caption, self._name, theme.font(theme.LARGE, QFont.Weight.DemiBold))
        arrow = QRectF(rect.right() - 3 * theme.UNIT, rect.top() + theme.HALF, 3 * theme.UNIT, rect.height())
        paint_icon(painter, "down", arrow, theme.TEXT_QUIET)
        painter.end()


def _row(parent: QWidget | None = None) -> QHBoxLayout:
    row = QHBoxLayout() if parent is None else QHBoxLayout(parent)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(theme.UNIT)
    return row


class TopBar(QWidget):
    """Shows the player's state; `show_status` is called by the window's clock."""

    settings_asked = Signal()
    presets_asked = Signal()  # the preset name was clicked
    manual_asked = Signal()
    step_asked = Signal(int)  # to the next preset (1), or the one before (-1)
    tuning_asked = Signal()
    rack_asked = Signal()

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._dropouts_seen = 0
        self._alarm_left = 0
        self.setFixedHeight(theme.BAR_HEIGHT)

        self.part = NameButton("Part")
        self.part.setFixedWidth(PART_WIDTH)
        self.part.setToolTip("Choose the part to edit (Ctrl+PgUp, Ctrl+PgDown)")
        self._parts = QMenu(self)
        self._parts.aboutToShow.connect(self._fill_parts)
        self.part.clicked.connect(lambda: self._parts.popup(self.part.mapToGlobal(self.part.rect().bottomLeft())))
        self.instrument = NameButton("Instrument")
        self.instrument.setToolTip("Choose or open an instrument")
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        self.instrument.clicked.connect(self._show_menu)
        self.previous = IconButton("left", "Previous preset")
        self.previous.clicked.connect(lambda: self.step_asked.emit(-1))
        self.next = IconButton("right", "Next preset")
        self.next.clicked.connect(lambda: self.step_asked.emit(1))
        self.preset = NameButton("Preset")
        self.preset.setToolTip("Search the presets")
        self.preset.clicked.connect(self.presets_asked)
        self.meter = Meter()
        self.recording = Recording(player, self)
        self.record = RecordButton(self.recording)
        self.voices = Readout("Voices", 6 * theme.UNIT)
        self.voices.setToolTip("Voices sounding now")
        self.load = Readout("Load", 6 * theme.UNIT)
        self.show_shedding(False)
        self.latency = Readout("Latency", 7 * theme.UNIT)
        self.dropouts = Readout("Dropouts", 7 * theme.UNIT)
        self.panic = Button("Panic")
        self.panic.setProperty("danger", True)
        self.panic.setToolTip("Silence everything at once (Esc)")
        self.panic.clicked.connect(player.panic)
        self.settings = Button("Audio && MIDI")
        self.settings.setToolTip("Sound device, block size and MIDI inputs (Ctrl+,)")
        self.settings.clicked.connect(self.settings_asked)

        self._left, self._right = QWidget(), QWidget()
        left = _row(self._left)
        left.setSpacing(0)
        left.addWidget(self.part)
        left.addWidget(self.instrument)
        middle = _row()
        middle.addWidget(self.previous)
        middle.addWidget(self.preset, 1)
        middle.addWidget(self.next)
        middle.addSpacing(theme.UNIT)
        middle.addWidget(self.meter)
        middle.addWidget(self.record)
        middle.addSpacing(theme.UNIT)
        right = _row(self._right)
        for readout in (self.voices, self.load, self.latency, self.dropouts):
            right.addWidget(readout, 1)
        right.addWidget(self.panic)
        right.addWidget(self.settings)
        row = _row(self)
        # The buttons' text, not their invisible frame, lines up with the panels below.
        row.setContentsMargins(theme.UNIT, 0, 2 * theme.UNIT, 0)
        row.addWidget(self._left)
        row.addLayout(middle, 1)
        row.addWidget(self._right)

        player.part_chosen.connect(lambda _: self._show_chosen_part())
        player.instrument_changed.connect(self._show_instrument)
        player.preset_changed.connect(lambda _: self.preset.set_name(player.preset_name))
        player.engine_changed.connect(lambda: self.show_status(None))
        self._show_chosen_part()
        self._show_instrument()
        self.show_status(None)

    def set_columns(self, width: int, left: int, right: int) -> None:
        """Line up with the columns of the window (of this width) below: presets, pad, knobs."""
        self._left.setFixedWidth(left + theme.UNIT)
        self._right.setFixedWidth(right)
        compact = width < COMPACT_BELOW
        self.settings.setText("Audio" if compact else "Audio && MIDI")
        self.settings.setAccessibleName("Audio and MIDI")
        self.meter.setFixedWidth((11 if compact else 24) * theme.UNIT)

    # what is shown

    def show_shedding(self, on: bool) -> None:
        """Say that the window draws less than it would."""
        less = "\nThis machine is short of time: the window draws less, so that the sound goes on" if on else ""
        self.load.setToolTip(f"Share of its time that the audio engine needs; near 100 % it drops out{less}")

    def show_status(self, status: EngineStatus | None) -> None:
        """The readouts; a few times a second is enough to be read."""
        if status is None:
            waiting = "\u2013"
            for readout in (self.voices, self.load, self.dropouts):
                readout.set_text(waiting)
            coming = self._player.starting or bool(self._player.rack.loading)
            self.latency.set_text("starting" if coming else "off", alarm=not coming)
            self._dropouts_seen = 0
            return
        self.voices.set_text(str(status.voices))
        self.load.set_text(f"{status.load:.0%}".replace("%", " %"), alarm=status.load > 0.9)
        if status.audio_running:
            latency_ms = status.output_latency_s * 1e3
            self.latency.set_text(f"{latency_ms:.{1 if latency_ms < 100.0 else 0}f} ms")
            self.latency.setToolTip(
                f"{status.audio_name}: {status.sample_rate} Hz, blocks of {status.block_size} samples"
            )
        else:
            self.latency.set_text("off", alarm=True)
            self.latency.setToolTip("No sound device is open: see Audio & MIDI")
        self._show_dropouts(status)

    def _show_dropouts(self, status: EngineStatus) -> None:
        if status.underruns > self._dropouts_seen:
            self._alarm_left = ALARM_UPDATES
        elif status.underruns < self._dropouts_seen:  # another stream counts from nothing
            self._alarm_left = 0
        self._dropouts_seen = status.underruns
        self._alarm_left = max(self._alarm_left - 1, 0)
        self.dropouts.set_text(str(status.underruns), alarm=self._alarm_left > 0)
        self.dropouts.setToolTip(
            f"Blocks that came too late: {status.underruns}\nControl frames that came too late: "
            f"{status.late_frames}\nBroken samples silenced: {status.non_finite}"
        )

    def _show_instrument(self) -> None:
        instrument = self._player.instrument
        self.instrument.set_name(instrument.name if instrument is not None else "Open an instrument")
        self.preset.set_name(self._player.preset_name or "\u2013")
        for button in (self.previous, self.next):
            button.setEnabled(instrument is not None)

    # choosing a part

    def _show_chosen_part(self) -> None:
        self.part.set_name(str(self._player.chosen + 1))

    def _fill_parts(self) -> None:
        self._parts.clear()
        add_parts(self._parts, self._player)
        self._parts.addSeparator()
        self._parts.addAction("All parts\u2026", self.rack_asked.emit)

    # choosing an instrument

    def _fill_menu(self) -> None:
        self._menu.clear()
        for path in factory_instruments():
            action = self._menu.addAction(path.stem.replace("_", " ").replace("-", " ").title())
            action.triggered.connect(lambda _=False, p=path: self._player.open_instrument(p))
        if not self._menu.isEmpty():
            self._menu.addSeparator()
        self._menu.addAction("Open instrument file\u2026\tCtrl+O", self.ask_file)
        self._menu.addAction("Open Scala tuning\u2026", self.tuning_asked.emit)
        self._menu.addSeparator()
        self._menu.addAction("Manual\tF1", self.manual_asked.emit)

    def _show_menu(self) -> None:
        self._menu.popup(self.instrument.mapToGlobal(self.instrument.rect().bottomLeft()))

    def ask_file(self) -> None:
        start = self._player.instrument_path
        name, _ = QFileDialog.getOpenFileName(
            self, "Open instrument", str(start.parent if start else Path.home()), "Instruments (*.noisy)"
        )
        if name:
            self._player.open_instrument(Path(name))
