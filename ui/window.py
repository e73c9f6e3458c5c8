"""The main window: panels on one grid, the clock that polls the engine, and the session."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QPoint, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QHideEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from noisysynth.engine.messages import AudioChoice
from noisysynth.errors import UserError
from noisysynth.factory import default_instrument
from noisysynth.ui import theme
from noisysynth.ui.audio_dialog import AudioDialog
from noisysynth.ui.computer_keyboard import ComputerKeyboard
from noisysynth.ui.controls.base import Control
from noisysynth.ui.drop import Drop
from noisysynth.ui.favourites import Favourites
from noisysynth.ui.first_start import FirstStart
from noisysynth.ui.inversion_dialog import InversionDialog
from noisysynth.ui.keyboard_panel import KeyboardPanel
from noisysynth.ui.knob_panel import KnobPanel
from noisysynth.ui.manual import Manual
from noisysynth.ui.midi_monitor import MidiMonitor
from noisysynth.ui.missing_instrument import PresetOpener
from noisysynth.ui.morph_panel import MorphPanel
from noisysynth.ui.pages import RACK_PAGE
from noisysynth.ui.part_data import PartData, RackData
from noisysynth.ui.part_menu import WITH_KEY
from noisysynth.ui.player import Player
from noisysynth.ui.preset_panel import PresetPanel
from noisysynth.ui.rack_panel import RackPanel
from noisysynth.ui.recording import finish_cut_short
from noisysynth.ui.references import instrument_reference, resolve_instrument
from noisysynth.ui.session import Session, bindings_of, controllers_of, load_session, save_session
from noisysynth.ui.shedding import Shedding
from noisysynth.ui.song_player import SongPlayer
from noisysynth.ui.status_line import StatusLine
from noisysynth.ui.top_bar import TopBar
from noisysynth.ui.tunings import Tunings
from noisysynth.ui.welcome import Step, Welcome

MINIMUM_SIZE = (960, 600)
DEFAULT_SIZE = (1280, 800)
FASTEST_CLOCK_HZ = 60.0
PARAMETER_TICKS = 2  # clock ticks per look at the parameters
READOUT_TICKS = 8  # between readouts, a multiple of every step's `meters`
IDLE_MS = 250  # notices are read even while the window is hidden
AUTOSAVE_MS = 1500
LONG_START_MS = 5000
NO_DEVICE = "There is no sound: no sound device is open. Choose one with Audio & MIDI, at the top right."


class Window(QMainWindow):
    """`player` and the panels are public: tests and later pages reach everything through here."""

    def __init__(self, player: Player, session_file: Path) -> None:
        super().__init__()
        self.player = player
        player.presets_folder = session_file.parent / "presets"
        self._session_file = session_file
        self._ticks = 0
        self.shedding = Shedding()
        self._restoring = True
        self._gone: PartData | None = None  # what the session had, whose instrument is not there
        self._closed = False
        self.setWindowTitle("noisysynth")
        self.setMinimumSize(*MINIMUM_SIZE)
        self.resize(*DEFAULT_SIZE)

        self.computer = ComputerKeyboard(self, player.notes)
        self.top = TopBar(player)
        self.presets = PresetPanel(player, Favourites(session_file.parent / "favourites.json", self))
        self.morph = MorphPanel(player)
        self.knobs = KnobPanel(player)
        self.rack = RackPanel(player)
        self.keyboard = KeyboardPanel(player, self.computer)
        self.status_line = StatusLine()
        self.settings = AudioDialog(player, self)
        self.monitor = MidiMonitor(player, self)
        self.songs = SongPlayer(player, self)
        self.tunings = Tunings(player, self)
        self.opener = PresetOpener(player, self)
        self.inversion = InversionDialog(player, self)
        self.drop = Drop(player, self.songs, self.opener, self.tunings, self.inversion)
        self.setAcceptDrops(True)
        self.manual = Manual(self)
        self._first_start = FirstStart()
        self._lay_out()
        self.welcome = self._make_welcome()
        self.welcomed = False
        self._connect()

        self._clock = QTimer(self)
        self._clock.setTimerType(Qt.TimerType.PreciseTimer)
        self._clock.timeout.connect(self._tick)
        self._idle = QTimer(self, interval=IDLE_MS)
        self._idle.timeout.connect(self._look)
        self._idle.start()
        self._autosave = QTimer(self, singleShot=True, interval=AUTOSAVE_MS)
        self._autosave.timeout.connect(self.save)

    def _lay_out(self) -> None:
        self._body = QHBoxLayout()
        self._body.setContentsMargins(2 * theme.UNIT, 0, 2 * theme.UNIT, 0)
        self._body.setSpacing(theme.UNIT)
        sound = QWidget()
        beside = QHBoxLayout(sound)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(theme.UNIT)
        beside.addWidget(self.presets)
        beside.addWidget(self.morph, 1)
        self.left = QStackedWidget()  # one part's sound, or all parts
        self.left.addWidget(sound)
        self.left.addWidget(self.rack)
        self._body.addWidget(self.left, 1)
        self._body.addWidget(self.knobs)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(2 * theme.UNIT, theme.UNIT, 2 * theme.UNIT, 0)
        bottom.addWidget(self.keyboard)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.top)
        column.addLayout(self._body, 1)
        column.addLayout(bottom)
        column.addWidget(self.status_line)
        central = QWidget()
        central.setLayout(column)
        self.setCentralWidget(central)
        self.morph.pad.setFocus()
        # Left to right, top to bottom; the pad first, because it is what one plays with.
        order: list[QWidget] = [
            self.morph.pad,
            *self.morph.controls,
            self.morph.scope.tabs,
            self.knobs.tabs,
            *self.knobs.knobs.values(),
            self.presets.search,
            self.presets.list,
            self.rack.add,
            self.rack.read,
            self.rack.write,
        ]
        for before, after in itertools.pairwise(order):
            QWidget.setTabOrder(before, after)

    def _connect(self) -> None:
        player = self.player
        self.computer.pedal_changed.connect(player.sustain)
        self.computer.panic_asked.connect(player.panic)
        self.computer.base_changed.connect(self._edited)
        self.morph.scope.view_changed.connect(self._edited)
        self.top.settings_asked.connect(self.settings.show)
        self.top.presets_asked.connect(self._search)
        self.top.manual_asked.connect(self.manual.read)
        self.top.rack_asked.connect(lambda: self.knobs.turn_to(RACK_PAGE))
        self.knobs.page_turned.connect(self._page_turned)
        self.rack.hinted.connect(self.status_line.show_hint)
        self.top.step_asked.connect(self.presets.step)
        self.top.tuning_asked.connect(self.tunings.ask_file)
        self.settings.monitor_asked.connect(self.show_monitor)
        self.presets.import_asked.connect(self.opener.take)
        self.presets.edited.connect(self._edited)
        self.presets.favourites.failed.connect(self.status_line.show_notice)
        self.tunings.changed.connect(lambda: self.status_line.show_tuning(self.tunings.name))
        self.status_line.tuning_asked.connect(lambda: self._pop_up(self.tunings.menu(), self.status_line.tuning))
        self.status_line.help_asked.connect(lambda: self._pop_up(self.help_menu(), self.status_line.help))
        self.status_line.restart_asked.connect(player.restart)
        player.noticed.connect(self.status_line.show_notice)
        player.engine_changed.connect(self._engine_changed)
        player.instrument_changed.connect(self._instrument_changed)
        player.edited.connect(self._edited)
        self.morph.motion.edited.connect(self._edited)
        for control in self.findChildren(Control):
            control.hinted.connect(self.status_line.show_hint)
        for keys, action in (
            ("Ctrl+F", self._search),
            ("Ctrl+,", self.settings.show),
            ("Ctrl+O", self.top.ask_file),
            ("Ctrl+R", self.top.recording.toggle),
            ("Ctrl+M", self.show_monitor),
            ("Ctrl+T", self.keyboard.tempo.tapped),
            ("Ctrl+D", self.presets.toggle_favourite),
            ("F1", self.manual.read),
            ("Ctrl+Q", self.close),
            ("Ctrl+S", self.presets.ask_save),
            ("Ctrl+N", self.presets.draw_timbre),
            ("Ctrl+Z", player.undo),
            ("Ctrl+Shift+Z", player.redo),
            ("Ctrl+Y", player.redo),
            ("Ctrl+B", player.compare),
            ("Ctrl+Up", lambda: self.presets.step(-1)),
            ("Ctrl+Down", lambda: self.presets.step(1)),
            ("Ctrl+PgUp", lambda: player.step_part(-1)),
            ("Ctrl+PgDown", lambda: player.step_part(1)),
        ):
            QShortcut(QKeySequence(keys), self, action)
        for number in range(WITH_KEY):
            QShortcut(QKeySequence(f"Ctrl+{number + 1}"), self, lambda number=number: player.choose_part(number))

    # help

    def _make_welcome(self) -> Welcome:
        player, letters = self.player, " ".join("ASDFGHJ")
        steps = (
            Step(
                "Play",
                f"The keys {letters} of your computer play these keys; click them, or plug in a MIDI keyboard.",
                self.keyboard.keys,
                "That was a note.",
            ),
            Step(
                "Move the sound",
                "Hold a note and drag the orange ring: what sounds goes over to what is near.",
                self.morph.pad,
                "So it changes while it sounds.",
            ),
            Step(
                "Choose a preset",
                "Click a name to play it. The star beside it marks a favourite. "
                "All there is stands in the manual: F1, or Help at the bottom right.",
                self.presets.list,
                "It plays now.",
            ),
        )
        welcome = Welcome(self, steps)
        player.notes.changed.connect(lambda notes: welcome.done(0) if notes else None)
        self.morph.pad.moved.connect(lambda *_: welcome.done(1))
        player.preset_changed.connect(lambda _: welcome.done(2))
        welcome.ended.connect(self._welcome_ended)
        return welcome

    def welcome_if_new(self) -> None:
        """At the very first start, and until it was seen to the end or waved away."""
        if not self.welcomed:
            self.begin_welcome()

    def begin_welcome(self) -> None:
        """On the page where all that it speaks of is seen."""
        self.knobs.tabs.setCurrentIndex(0)
        self.welcome.begin()

    def _welcome_ended(self) -> None:
        self.welcomed = True
        self._edited()

    def help_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Manual\tF1", self.manual.read)
        menu.addAction("Welcome, in three steps", self.begin_welcome)
        menu.addAction("MIDI monitor\tCtrl+M", self.show_monitor)
        return menu

    def _pop_up(self, menu: QMenu, above: QWidget) -> None:
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(above.mapToGlobal(above.rect().topLeft()) - QPoint(0, menu.sizeHint().height()))

    def show_monitor(self) -> None:
        self.monitor.show()
        self.monitor.raise_()
        self.monitor.activateWindow()

    # the session

    def restore(
        self,
        instrument: Path | None = None,
        audio: Mapping[str, Any] | None = None,
        factory: Path | None = None,
    ) -> None:
        """Open what was open last. What the command line names wins over the session.

        audio: fields of AudioChoice. factory: what to play when neither names an instrument that can be used.
        """
        session, complaint = load_session(self._session_file)
        if complaint:
            self.status_line.show_notice(complaint)
        if session.geometry:
            self.restoreGeometry(QByteArray.fromHex(session.geometry.encode("ascii", "replace")))
        self.computer.set_base(session.keyboard_base)
        self.morph.scope.show_view(session.view)
        self.morph.motion.restore(session.pad_loop, session.walk_speed_hz)
        self.presets.audition.setChecked(session.audition)
        self.tunings.restore(session.tuning_scale, session.tuning_mapping)
        self.welcomed = session.welcomed
        self.player.teaching.remember(bindings_of(session.controllers))
        if self.presets.favourites.problem:
            self.status_line.show_notice(self.presets.favourites.problem)
        for path in finish_cut_short(time.time()):
            self.status_line.show_notice(f"a recording that was cut short is kept, as far as it goes: {path}")
        self.player.audio = _audio_choice(session, audio or {})
        self.player.muted_midi_inputs = set(session.muted_midi_inputs)
        if factory is None:
            with contextlib.suppress(UserError):  # there is none: told below
                factory = default_instrument()
        rack = session.rack
        self._gone = None if instrument is not None else _gone(rack)
        if instrument is not None:
            rack = _with_instrument(rack, instrument)
        if not rack.parts and factory is not None:
            rack = _with_instrument(rack, factory)
        if not rack.parts:
            self._restoring = False
            self.status_line.show_notice("no instrument yet: open one with the button at the top left (Ctrl+O)")
            return
        self.player.rack.load(rack, fallback=factory, done=self._restored)
        self.top.show_status(None)  # starting

    def _restored(self, _: bool) -> None:
        self._restoring = False
        self.top.show_status(self.player.last_status)
        gone, self._gone = self._gone, None
        if gone is not None:
            self.opener.last_one_gone(gone)

    def _instrument_changed(self) -> None:
        instrument = self.player.instrument
        self.setWindowTitle(f"{instrument.name} \u2013 noisysynth" if instrument is not None else "noisysynth")

    def session(self) -> Session:
        """What is worth remembering now."""
        player, audio = self.player, self.player.audio
        return Session(
            rack=player.rack_data(),
            audio_device=audio.device or "",
            host_api=audio.host_api or "",
            sample_rate=audio.sample_rate or 0,
            block_size=audio.block_size,
            muted_midi_inputs=sorted(player.muted_midi_inputs),
            keyboard_base=self.computer.base,
            pad_loop=self.morph.motion.loop_text(),
            walk_speed_hz=self.morph.motion.speed.value,
            geometry=bytes(self.saveGeometry().toHex().data()).decode("ascii"),
            view=self.morph.scope.view,
            audition=self.presets.audition.isChecked(),
            tuning_scale=str(self.tunings.scale or ""),
            tuning_mapping=str(self.tunings.mapping or ""),
            controllers=controllers_of(player.teaching.bindings),
            welcomed=self.welcomed,
        )

    def _edited(self) -> None:
        if not self._restoring:
            self._autosave.start()

    def save(self) -> None:
        """Keep the session now."""
        self._autosave.stop()
        if self._restoring or not self.player.used:  # nothing is there yet: the last good session is worth more
            return
        complaint = save_session(self._session_file, self.session())
        if complaint:
            self.status_line.show_notice(complaint)

    # the clock

    def _clock_interval_ms(self) -> int:
        screen = self.screen()
        rate = screen.refreshRate() if screen is not None else FASTEST_CLOCK_HZ
        return round(1000.0 / min(max(rate, 24.0), FASTEST_CLOCK_HZ))

    def _run_clock(self) -> None:
        """Poll only while somebody can see it."""
        if self.isVisible() and not self.isMinimized():
            if not self._clock.isActive():
                self._clock.start(self._clock_interval_ms())
        else:
            self._clock.stop()

    @property
    def polling(self) -> bool:
        return self._clock.isActive()

    def _tick(self) -> None:
        self._ticks += 1
        self._measure()
        step = self.shedding.step
        if self._ticks % PARAMETER_TICKS == 0:
            self.player.poll_parameters()
        if self._ticks % step.meters == 0:  # between, the engine gathers the peaks
            self._show_meters()
        status = self.player.last_status
        if status is not None and self._ticks % step.views == 0 and not self.rack.isVisible():
            self.morph.scope.feed(status.sample_rate, step.views)

    def _measure(self) -> None:
        """Leave undrawn what the machine has no time for."""
        status = self.player.last_status
        self.shedding.tick(
            time.monotonic(), time.thread_time(), status.load if status is not None else 0.0,
            self._clock.interval() / 1000.0,
        )  # fmt: skip
        self.morph.pad.set_trail(self.shedding.step.trail)

    def _show_meters(self) -> None:
        status = self.player.status()
        if status is None:
            return
        self.top.meter.feed(status.peak, status.limiter_gain_db)
        if self.rack.isVisible():
            self.rack.feed(status)
        if self._ticks % READOUT_TICKS == 0:
            self.top.show_status(status)
            self.top.show_shedding(self.shedding.level > 0)

    def _look(self) -> None:
        """Also gives Python a turn to see Ctrl-C while nothing else happens."""
        if not self._clock.isActive():
            self.player.status()
        if self.player.starting or self._first_start.share is not None:
            self._show_first_start()
        elif self.player.last_status is not None:
            self.welcome.wait("" if self.player.last_status.audio_running else NO_DEVICE)
        self.player.poll_notices()
        self.player.poll_learned()

    # events

    def _engine_changed(self) -> None:
        player = self.player
        self.status_line.restart.setVisible(not player.running and not player.starting and bool(player.failure))
        if player.starting:
            self.status_line.show_notice("starting the audio engine\u2026")
            QTimer.singleShot(LONG_START_MS, self._explain_long_start)
        elif player.running:
            self.status_line.show_notice("ready: play with the keys A to P, the mouse or MIDI")
        player.poll_notices()  # what the start had to say comes after "ready"

    def _show_first_start(self) -> None:
        self._first_start.take(self.player.start_progress())
        self.status_line.show_progress(self._first_start.share, self._first_start.line)
        self.welcome.wait(f"There is no sound yet: {self._first_start.line}." if self._first_start.line else "")

    def _explain_long_start(self) -> None:
        if self.player.starting and self._first_start.share is None:
            self.status_line.show_notice(
                "still starting: the sound is compiled for this machine, which only the first start does"
            )

    def _page_turned(self, title: str) -> None:
        """The parts stand beside what they share; elsewhere it is about one of them."""
        focus = QApplication.focusWidget()
        lost = focus is not None and self.left.isAncestorOf(focus)
        page = 1 if title == RACK_PAGE else 0
        if page == self.left.currentIndex():
            return
        self.left.setCurrentIndex(page)
        if lost and page:
            self.rack.take_focus()
        elif lost:
            self.morph.pad.setFocus()

    def _search(self) -> None:
        if self.rack.isVisible():
            self.knobs.tabs.setCurrentIndex(0)
        self.presets.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.presets.search.selectAll()

    def let_go(self) -> None:
        """Release every note, wheel and pedal that the window holds."""
        self.computer.let_go()
        self.keyboard.let_go()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self.drop.accepts(event.mimeData()):
            event.acceptProposedAction()
            self.status_line.show_hint("let go to open it")

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.drop.take(event.mimeData())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self._run_clock()
        elif event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.let_go()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._run_clock()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._clock.stop()
        self.let_go()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Side columns and the keyboard take a share of the window, within what is comfortable."""
        super().resizeEvent(event)
        width, height = self.width(), self.height()
        left = _share(width, 0.18, 22 * theme.UNIT, 36 * theme.UNIT)
        right = _share(width, 0.38, 48 * theme.UNIT, 76 * theme.UNIT)
        self.presets.setFixedWidth(left)
        self.knobs.setFixedWidth(right)
        self.top.set_columns(width, left, right)
        self.keyboard.setFixedHeight(_share(height, 0.21, 17 * theme.UNIT, 26 * theme.UNIT))
        self.morph.scope.setFixedHeight(_share(height, 0.13, 9 * theme.UNIT, 18 * theme.UNIT))

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._closed:
            self._closed = True
            self.inversion.reject()  # before the session is kept: what was on trial is none of it
            self.save()
            self.settings.close_for_good()
            self.monitor.hide()
            self.opener.dialog.hide()
            self.manual.hide()
            self.hide()
            self._idle.stop()
            self._clock.stop()
            self.player.close()
        event.accept()
        QApplication.quit()


def _share(total: int, share: float, smallest: int, largest: int) -> int:
    """A share of a length, on the grid."""
    return int(min(max(round(total * share / theme.UNIT) * theme.UNIT, smallest), largest))


def _audio_choice(session: Session, wanted: Mapping[str, Any]) -> AudioChoice:
    default = AudioChoice()
    # A device of another host API than the one that was remembered must not be looked for there, and the reverse.
    named = "device" in wanted or "host_api" in wanted
    remembered = AudioChoice(
        device=None if named else session.audio_device or None,
        host_api=None if named else session.host_api or None,
        sample_rate=session.sample_rate or None,
        block_size=session.block_size if 16 <= session.block_size <= 8192 else default.block_size,
    )
    return dataclasses.replace(remembered, **wanted)


def _gone(rack: RackData) -> PartData | None:
    """What was played last, where no instrument of the rack is there any more."""
    if not rack.parts or any(resolve_instrument(part.instrument) is not None for part in rack.parts.values()):
        return None
    return rack.parts.get(rack.chosen) or next(iter(rack.parts.values()))


def _with_instrument(rack: RackData, path: Path) -> RackData:
    """Have the rack's chosen part play this instrument; of another one only what does not belong to the sound stays."""
    here = rack.parts.get(rack.chosen)
    if here is not None and resolve_instrument(here.instrument) == path:
        return rack
    part = PartData(instrument_reference(path), values=here.values if here is not None else {})
    return dataclasses.replace(rack, parts={**rack.parts, rack.chosen: part})
