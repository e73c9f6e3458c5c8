"""Audio and MIDI settings: device, block size, sample rate, inputs; what is wrong is said in one line here."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFont, QHideEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from noisysynth.engine.messages import AudioChoice, AudioDevice
from noisysynth.ui import theme
from noisysynth.ui.checkup_panel import CheckupPanel
from noisysynth.ui.controls.standard import Button, CheckBox, Combo, ElidedLabel
from noisysynth.ui.player import Player
from noisysynth.ui.test_tone import TestToneButton

BLOCK_SIZES = (32, 64, 128, 256, 512, 1024, 2048)
SAMPLE_RATES = (44_100, 48_000, 88_200, 96_000)
DEFAULT = "System default"
ALL_HOSTS = "Any"
REFRESH_MS = 500


class AudioDialog(QDialog):
    """Every choice is tried at once; one that fails is told and the shown state goes back to what is true."""

    monitor_asked = Signal()

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._devices: list[AudioDevice] = []
        self._filling = False
        self.setWindowTitle("Audio and MIDI")
        self.setMinimumSize(104 * theme.UNIT, 56 * theme.UNIT)
        self.resize(118 * theme.UNIT, 64 * theme.UNIT)

        self.host = Combo("Host API")
        self.device = Combo("Output device")
        self.block = Combo("Block size")
        self.rate = Combo("Sample rate")
        self.latency = QLabel("\u2013")
        self.latency.setFont(theme.font(theme.BODY, QFont.Weight.DemiBold))
        self.tone = TestToneButton(player)
        self.checkup = CheckupPanel(player)
        self.checkup.measuring.changed.connect(self._show_measuring)
        self.checkup.chosen.connect(self._take_block)
        self.detail = ElidedLabel(theme.SMALL, theme.TEXT_QUIET)
        self.output = ElidedLabel(theme.SMALL, theme.TEXT_QUIET)
        self.error = QLabel()
        self.error.setWordWrap(True)
        self.error.setTextFormat(Qt.TextFormat.PlainText)
        self.error.setStyleSheet(f"color: {theme.DANGER};")
        self.error.setMinimumHeight(3 * theme.UNIT)
        self.error.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.inputs: dict[str, CheckBox] = {}
        self._input_column = QVBoxLayout()
        self._input_column.setSpacing(0)
        self._input_column.setContentsMargins(0, 0, 0, 0)
        self._lay_out()

        for combo in (self.device, self.block, self.rate):
            combo.activated.connect(self._chosen)
        self.host.activated.connect(self._host_chosen)
        self._refresh = QTimer(self, interval=REFRESH_MS)
        self._refresh.timeout.connect(self._show_latency)

    def _lay_out(self) -> None:
        audio = QGridLayout()
        audio.setHorizontalSpacing(2 * theme.UNIT)
        audio.setVerticalSpacing(theme.UNIT)
        audio.setColumnMinimumWidth(0, 14 * theme.UNIT)
        audio.setColumnStretch(1, 1)
        rows = (
            ("Host API", self.host),
            ("Output device", self.device),
            ("Block size", self.block),
            ("Sample rate", self.rate),
        )
        for row, (caption, widget) in enumerate(rows):
            label = QLabel(caption)
            label.setProperty("quiet", True)
            audio.addWidget(label, row, 0)
            audio.addWidget(widget, row, 1)
        label = QLabel("Latency")
        label.setProperty("quiet", True)
        latency = QVBoxLayout()
        latency.setSpacing(0)
        latency.addWidget(self.latency)
        latency.addWidget(self.detail)
        latency.addWidget(self.output)
        last = QHBoxLayout()
        last.setSpacing(theme.UNIT)
        last.addLayout(latency, 1)
        last.addWidget(self.tone)
        audio.addWidget(label, len(rows), 0)
        audio.addLayout(last, len(rows), 1)

        holder = QWidget()
        holder_column = QVBoxLayout(holder)
        holder_column.setContentsMargins(0, 0, 0, 0)
        holder_column.addLayout(self._input_column)
        holder_column.addStretch()
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(holder)
        scroll.viewport().setAutoFillBackground(False)
        holder.setAutoFillBackground(False)

        again = Button("Look again")
        again.setToolTip("List devices and inputs again, after plugging something in")
        again.setAutoDefault(False)
        again.clicked.connect(self.refresh)
        monitor = Button("MIDI monitor\u2026")
        monitor.setToolTip("See what comes in (Ctrl+M)")
        monitor.setAutoDefault(False)
        monitor.clicked.connect(self.monitor_asked)
        close = Button("Close")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.UNIT)
        buttons.addWidget(again)
        buttons.addWidget(monitor)
        buttons.addStretch()
        buttons.addWidget(close)

        left = QVBoxLayout()
        left.setSpacing(theme.UNIT)
        left.addWidget(_panel("Audio", audio))
        left.addWidget(_panel("MIDI inputs", scroll), 1)
        panels = QHBoxLayout()
        panels.setSpacing(theme.UNIT)
        panels.addLayout(left, 1)
        panels.addWidget(_panel("What this machine can do", self.checkup), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT, 2 * theme.UNIT)
        column.setSpacing(theme.UNIT)
        column.addLayout(panels, 1)
        column.addWidget(self.error)
        column.addLayout(buttons)

    # the engine's answers

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.error.clear()
        self.refresh()
        self._refresh.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._refresh.stop()
        self.checkup.measuring.stop()

    def close_for_good(self) -> None:
        """With the window: nothing is measured any more."""
        self.hide()
        self.checkup.measuring.close()

    def refresh(self) -> None:
        """Ask for devices and inputs; the answer comes later."""
        self._show_latency()
        self._player.ask_devices(self._fill, self._fail)

    def _fill(self, devices: list[AudioDevice], inputs: list[tuple[str, bool]]) -> None:
        self._devices = devices
        hosts = sorted({device.host_api for device in devices})
        self.host.clear()
        self.host.addItem(ALL_HOSTS, None)
        for host in hosts:
            self.host.addItem(host, host)
        self._select_host()
        self._fill_devices()
        self._fill_numbers()
        self._fill_inputs(inputs)
        if not devices:
            self._fail("no sound device: plug one in or start the sound server, then look again")

    def _fill_devices(self) -> None:
        host = self.host.currentData()
        self.device.clear()
        self.device.addItem(DEFAULT, None)
        for device in self._devices:
            if host is None or device.host_api == host:
                label = device.name if host is not None else f"{device.name}  \u00b7  {device.host_api}"
                self.device.addItem(label, device)
        audio = self._player.audio
        for row in range(1, self.device.count()):
            device = self.device.itemData(row)
            if device.name == audio.device and host in (None, device.host_api):
                self.device.setCurrentIndex(row)
                break

    def _fill_numbers(self) -> None:
        audio = self._player.audio
        self.block.clear()
        for size in sorted({*BLOCK_SIZES, audio.block_size}):
            self.block.addItem(f"{size} samples", size)
        self._select(self.block, audio.block_size)
        self.rate.clear()
        self.rate.addItem("Device default", None)
        for rate in sorted({*SAMPLE_RATES, *([audio.sample_rate] if audio.sample_rate else [])}):
            self.rate.addItem(f"{rate / 1000:g} kHz", rate)
        self._select(self.rate, audio.sample_rate)

    def _select_host(self) -> None:
        """The one that plays; the command line may have named it in part, such as JACK."""
        wanted = (self._player.audio.host_api or "").casefold()
        hosts = (row for row in range(1, self.host.count()) if wanted in self.host.itemText(row).casefold())
        self.host.setCurrentIndex(next(hosts, 0) if wanted else 0)

    @staticmethod
    def _select(combo: Combo, data: object) -> None:
        combo.setCurrentIndex(max(combo.findData(data), 0))

    def _fill_inputs(self, inputs: list[tuple[str, bool]]) -> None:
        while (item := self._input_column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self.inputs = {}
        for port, heard in inputs:
            box = CheckBox(port)
            box.setChecked(heard)
            box.toggled.connect(lambda on, p=port: self._input_toggled(p, on))
            self.inputs[port] = box
            self._input_column.addWidget(box)
        if not inputs:
            nothing = QLabel("No MIDI input found. The on-screen and the computer keyboard play.")
            nothing.setProperty("quiet", True)
            nothing.setWordWrap(True)
            self._input_column.addWidget(nothing)

    def _show_latency(self) -> None:
        status = self._player.last_status
        if status is None:
            self.latency.setText("\u2013")
        elif status.audio_running:
            self.latency.setText(f"{status.output_latency_s * 1e3:.1f} ms")
            block_ms = status.block_size / max(status.sample_rate, 1) * 1e3
            rate = f"{status.sample_rate / 1000:g} kHz"
            self.detail.set_text(f"{rate}  \u00b7  {status.block_size} samples = {block_ms:.1f} ms")
            self.output.set_text(status.audio_name)
        else:
            self.latency.setText("no sound device is open")
            self.detail.set_text("")
            self.output.set_text("")

    # the player's choices

    def _host_chosen(self) -> None:
        self._fill_devices()
        self.device.setCurrentIndex(0)
        self._chosen()

    def _chosen(self) -> None:
        device: AudioDevice | None = self.device.currentData()
        choice = AudioChoice(
            device=device.name if device is not None else None,
            host_api=device.host_api if device is not None else self.host.currentData(),
            sample_rate=self.rate.currentData(),
            block_size=self.block.currentData() or AudioChoice().block_size,
        )
        self.error.clear()
        self._player.open_audio(choice, self._opened, self._failed_choice)

    def _take_block(self, size: int) -> None:
        """What was recommended."""
        at = self.block.findData(size)
        if at < 0:
            self.block.addItem(f"{size} samples", size)
            at = self.block.count() - 1
        self.block.setCurrentIndex(at)
        self._chosen()

    def _show_measuring(self) -> None:
        """The device is in use while something is measured."""
        measuring = self.checkup.measuring.running
        for widget in (self.host, self.device, self.block, self.rate, self.tone):
            widget.setEnabled(not measuring)

    def _opened(self) -> None:
        self.error.clear()
        self._show_latency()

    def _failed_choice(self, line: str) -> None:
        self._fail(line)
        self._select_host()
        self._fill_devices()
        self._fill_numbers()

    def _input_toggled(self, port: str, on: bool) -> None:
        def failed(line: str) -> None:
            self._fail(line)
            box = self.inputs.get(port)
            if box is not None:
                box.blockSignals(True)
                box.setChecked(not on)
                box.blockSignals(False)

        self.error.clear()
        self._player.listen_midi(port, on, failed)

    def _fail(self, line: str) -> None:
        self.error.setText(line)
        self.error.setAccessibleName(line)


def _panel(title: str, content: QGridLayout | QWidget) -> QFrame:
    frame = QFrame()
    frame.setProperty("panel", True)
    heading = QLabel(title)
    heading.setProperty("heading", True)
    column = QVBoxLayout(frame)
    column.setContentsMargins(2 * theme.UNIT, theme.UNIT + theme.HALF, 2 * theme.UNIT, 2 * theme.UNIT)
    column.setSpacing(theme.UNIT)
    column.addWidget(heading)
    if isinstance(content, QWidget):
        column.addWidget(content, 1)
    else:
        column.addLayout(content)
    return frame
