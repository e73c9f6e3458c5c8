"""Random clicking, dragging, typing, dropping and quitting: nothing breaks, and nothing that was kept is lost.

Ten seconds here; NOISYSYNTH_MONKEY_S=600 for the long one (`make monkey`, which says what it did). pytest-qt fails a
test in which a slot or an event handler raises.
"""

from __future__ import annotations

import collections
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from make_instrument import SPEC, write_test_instrument
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from noisysynth.factory import DEMO_SONG
from noisysynth.ui import manual
from noisysynth.ui.pages import pages
from noisysynth.ui.part_data import PartData, RackData
from noisysynth.ui.rack_file import write_rack
from noisysynth.ui.session import load_session
from noisysynth.ui.user_presets import UserPreset, UserPresets, write_preset
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

Counts = collections.Counter[str]
RACK = "kept.noisyrack"
SECONDS = float(os.environ.get("NOISYSYNTH_MONKEY_S", "10"))
SEED = int(os.environ.get("NOISYSYNTH_MONKEY_SEED", "5"))
KEYS = [
    *(getattr(Qt.Key, f"Key_{letter}") for letter in "ASDFGHJKZXWE"),
    Qt.Key.Key_Space, Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Return, Qt.Key.Key_Up, Qt.Key.Key_Down,
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_PageUp, Qt.Key.Key_Home, Qt.Key.Key_Delete, Qt.Key.Key_F1,
]  # fmt: skip
SHORTCUTS = [Qt.Key.Key_Z, Qt.Key.Key_Y, Qt.Key.Key_B, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_F,
             Qt.Key.Key_PageDown, Qt.Key.Key_1]  # fmt: skip
MODIFIERS = [Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier]


class Monkey:
    """One random act after the other on an open window."""

    def __init__(
        self, rng: np.random.Generator, window: Window, engine: FakeEngine, files: list[Path], done: Counts
    ) -> None:
        """done: how often each act was done; it is added to."""
        self._rng, self._window, self._engine, self._files = rng, window, engine, files
        self._done = done

    def act(self) -> None:
        acts = [self._click, self._click, self._drag, self._drag, self._wheel, self._type, self._type, self._shortcut,
                self._drop, self._resize, self._page, self._choose, self._rack_file, self._meters, self._preset,
                self._part, self._double_click]  # fmt: skip
        act = acts[self._rng.integers(len(acts))]
        self._done[act.__name__.strip("_").replace("_", " ")] += 1
        act()

    def _somewhere(self) -> tuple[QWidget, QPoint]:
        widgets = [each for each in self._window.findChildren(QWidget) if each.isVisible() and each.width() > 2]
        widget = widgets[self._rng.integers(len(widgets))]
        return widget, QPoint(int(self._rng.integers(widget.width())), int(self._rng.integers(max(widget.height(), 1))))

    def _button(self) -> Qt.MouseButton:
        return Qt.MouseButton.RightButton if self._rng.uniform() < 0.1 else Qt.MouseButton.LeftButton

    def _click(self) -> None:
        widget, place = self._somewhere()
        QTest.mouseClick(widget, self._button(), MODIFIERS[self._rng.integers(3)], place)

    def _double_click(self) -> None:
        widget, place = self._somewhere()
        QTest.mouseDClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def _drag(self) -> None:
        widget, place = self._somewhere()
        QTest.mousePress(widget, Qt.MouseButton.LeftButton, MODIFIERS[self._rng.integers(3)], place)
        for _ in range(int(self._rng.integers(1, 12))):
            place += QPoint(*map(int, self._rng.integers(-40, 41, 2)))
            QTest.mouseMove(widget, place)
        if self._rng.uniform() < 0.95 and _lives(widget):
            QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def _wheel(self) -> None:
        widget, place = self._somewhere()
        step = QPoint(0, int(self._rng.choice([-120, -15, 15, 120])))
        QApplication.sendEvent(widget, QWheelEvent(
            QPointF(place), QPointF(widget.mapToGlobal(place)), QPoint(), step, Qt.MouseButton.NoButton,
            MODIFIERS[self._rng.integers(3)], Qt.ScrollPhase.NoScrollPhase, False,
        ))  # fmt: skip

    def _type(self) -> None:
        widget = QApplication.focusWidget() or self._window
        key = KEYS[self._rng.integers(len(KEYS))]
        QTest.keyPress(widget, key)
        if self._rng.uniform() < 0.9 and _lives(widget):
            QTest.keyRelease(widget, key)

    def _shortcut(self) -> None:
        key = SHORTCUTS[self._rng.integers(len(SHORTCUTS))]
        QTest.keyClick(self._window, key, Qt.KeyboardModifier.ControlModifier)

    def _drop(self) -> None:
        data = QMimeData()
        count = int(self._rng.integers(1, 3))
        data.setUrls(
            [QUrl.fromLocalFile(str(self._files[i])) for i in self._rng.integers(len(self._files), size=count)]
        )
        for url in data.urls():
            self._done[f"dropped {Path(url.toLocalFile()).name}"] += 1
        self._window.drop.take(data)

    def _resize(self) -> None:
        kind = self._rng.integers(3)
        if kind == 0:
            self._window.resize(int(self._rng.integers(400, 2000)), int(self._rng.integers(300, 1200)))
        elif kind == 1:
            self._window.hide()
        self._window.show()

    def _page(self) -> None:
        titles = [page.title for page in pages()]
        self._window.knobs.turn_to(titles[self._rng.integers(len(titles))])

    def _choose(self) -> None:
        """A preset, one of the player's own among them."""
        count = len(self._window.player.presets)
        if count:
            self._window.player.audition(int(self._rng.integers(count)))

    def _rack_file(self) -> None:
        """Keep the rack, which is then one of the files, or play it."""
        path = next(file for file in self._files if file.name == RACK)
        if self._rng.uniform() < 0.5:
            self._window.player.rack.write_file(path)
        else:
            self._window.player.rack.read_file(path)

    def _meters(self) -> None:
        self._engine.refuse = "the engine says no" if self._rng.uniform() < 0.3 else ""
        self._engine.meters = {"position": int(self._rng.integers(0, 1 << 40)), "underruns": int(self._rng.integers(9))}

    def _part(self) -> None:
        """Another part in, or one out."""
        rack, used = self._window.player.rack, self._window.player.used
        if self._rng.uniform() < 0.6 or len(used) < 2:
            rack.add(self._files[self._rng.integers(len(self._files))])
        else:
            rack.remove(used[self._rng.integers(len(used))])

    def _preset(self) -> None:
        """Save one, and remember that it has to be there."""
        player = self._window.player
        if self._rng.uniform() < 0.2 and player.instrument is not None:
            self._done["presets saved"] += 1
            player.save_preset(f"kept {self._done['presets saved']}")


def _files(folder: Path, instrument: Path, rng: np.random.Generator) -> list[Path]:
    """Of each kind one that is whole where that is cheap, one of random bytes, and one that breaks off."""
    other = write_test_instrument(folder / "Other.noisy")
    rack = folder / RACK
    write_rack(rack, RackData({0: PartData(str(instrument)), 3: PartData(str(other))}, {}, 3))
    preset = folder / "whole.noisypreset"
    write_preset(preset, "Test Organ", UserPreset("Dropped", {"brightness": 3.0}, (0.5,) * SPEC.latent_size))
    scale = folder / "whole.scl"
    scale.write_text("! whole.scl\nFive equal steps\n 5\n" + "".join(f" {240.0 * i}\n" for i in range(1, 6)))
    song = Path(shutil.copy(DEMO_SONG, folder / "whole.mid"))
    files = [instrument, other, rack, preset, scale, song]
    for whole in files[1:]:
        broken = folder / f"broken off{whole.suffix}"
        broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        files.append(broken)
    for suffix in (".noisy", ".mid", ".noisypreset", ".jpg", ".wav", ".noisyrack", ".scl", ".kbm", ""):
        noise = folder / f"noise{suffix}"
        noise.write_bytes(rng.bytes(300))
        files.append(noise)
    return [*files, folder / "gone.noisy", folder]


def _lives(widget: QWidget) -> bool:
    try:
        return widget.isVisible()
    except RuntimeError:  # the act has deleted it
        return False


def _close_what_waits() -> None:
    """A person would answer a dialog or close a menu."""
    for waiting in (QApplication.activePopupWidget(), QApplication.activeModalWidget()):
        if waiting is not None:
            waiting.close()


def test_a_monkey_breaks_nothing_and_loses_nothing(
    open_window: Callable[..., Window], engine: FakeEngine, instrument_file: Path, session_file: Path, tmp_path: Path,
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(manual.QDesktopServices, "openUrl", lambda url: False)  # no other program is to come up
    rng = np.random.default_rng(SEED)
    files = _files(tmp_path, instrument_file, rng)
    done: Counts = collections.Counter()
    answering = QTimer(interval=20)
    answering.timeout.connect(_close_what_waits)
    answering.start()
    kept: set[str] = set()
    ends = time.monotonic() + SECONDS
    instrument: Path | None = instrument_file
    while time.monotonic() < ends:
        engine.refuse, engine.meters = "", {}
        window = open_window(instrument=instrument)
        instrument = None  # from now on what the session says
        done["starts"] += 1
        monkey = Monkey(rng, window, engine, files, done)
        for _ in range(int(rng.integers(20, 300))):
            monkey.act()
            if rng.uniform() < 0.3:
                QApplication.processEvents()
        player = window.player
        at_odds = bool(rng.uniform() < 0.4)  # quit while files are read, notes are held and dialogs are open
        if not at_odds:
            qtbot.waitUntil(lambda player=player: not player.requests.busy, timeout=20_000)
            qtbot.wait(50)  # answers arrive
        done["quits while busy"] += at_odds and player.requests.busy
        assert player.instrument is not None
        kept = {preset.name for preset in player.mine.presets} if player.mine is not None else set()
        name, values = player.instrument.name, dict(player.values)
        window.close()
        session, complaint = load_session(session_file)
        assert complaint == ""
        here = session.rack.parts[session.rack.chosen]
        assert {**here.values, **session.rack.values} == values
        mine = UserPresets(session_file.parent / "presets", name)
        assert mine.problem == ""
        assert {preset.name for preset in mine.presets} == kept
    answering.stop()
    print("\nthe monkey:", ", ".join(f"{count} {what}" for what, count in done.most_common()))
