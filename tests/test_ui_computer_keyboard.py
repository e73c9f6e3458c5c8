"""The computer keyboard plays, and never leaves a note behind."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from noisysynth.events import EventKind
from noisysynth.ui.computer_keyboard import KEYS
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

PLAIN = Qt.KeyboardModifier.NoModifier


def key(
    widget: QWidget,
    kind: QEvent.Type,
    letter: str | Qt.Key,
    modifiers: Qt.KeyboardModifier = PLAIN,
    repeat: bool = False,
    time_ms: int = 0,
) -> None:
    code = letter if isinstance(letter, Qt.Key) else getattr(Qt.Key, f"Key_{letter}")
    text = "" if isinstance(letter, Qt.Key) else letter.lower()
    event = QKeyEvent(kind, code, modifiers, text, repeat)
    event.setTimestamp(time_ms)
    QApplication.sendEvent(widget, event)


def down(widget: QWidget, letter: str | Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN, **more: object) -> None:
    key(widget, QEvent.Type.KeyPress, letter, modifiers, **more)  # type: ignore[arg-type]


def up(widget: QWidget, letter: str | Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN, **more: object) -> None:
    key(widget, QEvent.Type.KeyRelease, letter, modifiers, **more)  # type: ignore[arg-type]


def notes_on(engine: FakeEngine) -> list[int]:
    return [pitch for pitch, _ in engine.of_kind(EventKind.NOTE_ON)]


def notes_off(engine: FakeEngine) -> list[int]:
    return [pitch for pitch, _ in engine.of_kind(EventKind.NOTE_OFF)]


def test_two_rows_play_a_chromatic_scale_from_c4(window: Window, engine: FakeEngine) -> None:
    pad = window.morph.pad
    for letter in KEYS:
        down(pad, letter)
        up(pad, letter)
    assert notes_on(engine) == notes_off(engine) == list(range(60, 60 + len(KEYS)))


@pytest.mark.parametrize("focused", ["pad", "knob", "list", "window"])
def test_it_plays_whatever_has_the_focus(window: Window, engine: FakeEngine, focused: str) -> None:
    widget = {
        "pad": window.morph.pad,
        "knob": window.knobs.knobs["attack"],
        "list": window.presets.list,
        "window": window,
    }[focused]
    widget.setFocus()
    down(widget, "A")
    up(widget, "A")
    assert notes_on(engine) == notes_off(engine) == [60]


def test_held_notes_are_shown(window: Window) -> None:
    down(window, "A")
    assert window.keyboard.keys._held == {60}
    up(window, "A")
    assert not window.keyboard.keys._held


def test_auto_repeat_is_ignored(window: Window, engine: FakeEngine) -> None:
    down(window, "A")
    for _ in range(5):
        up(window, "A", repeat=True)
        down(window, "A", repeat=True)
    up(window, "A")
    assert notes_on(engine) == notes_off(engine) == [60]


def test_auto_repeat_that_qt_did_not_notice_is_ignored(window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    """An X server's release and press of one repeat carry the same time."""
    window.computer.await_repeats = True
    down(window, "A", time_ms=1000)
    for time_ms in (1500, 1530, 1560):
        up(window, "A", time_ms=time_ms)
        down(window, "A", time_ms=time_ms)
    assert notes_on(engine) == [60]
    assert notes_off(engine) == []
    up(window, "A", time_ms=1600)
    qtbot.waitUntil(lambda: notes_off(engine) == [60], timeout=500)
    down(window, "A", time_ms=1700)
    up(window, "A", time_ms=1740)
    down(window, "A", time_ms=1780)  # a fast hand is no repeat, even before the wait is over
    assert notes_on(engine) == [60, 60, 60]
    assert notes_off(engine) == [60, 60]


@pytest.mark.parametrize("modifier", [Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier])
def test_commands_do_not_play(window: Window, engine: FakeEngine, modifier: Qt.KeyboardModifier) -> None:
    down(window, "A", modifier)
    up(window, "A", modifier)
    assert notes_on(engine) == []


@pytest.mark.parametrize("modifier", [Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier])
def test_a_release_counts_whatever_is_held_with_it(
    window: Window, engine: FakeEngine, modifier: Qt.KeyboardModifier
) -> None:
    down(window, "D")
    up(window, "D", modifier)
    assert notes_off(engine) == [64]


def test_octave_shift_while_a_key_is_down_ends_the_right_note(window: Window, engine: FakeEngine) -> None:
    down(window, "A")
    down(window, "X")
    up(window, "X")
    up(window, "A")
    down(window, "A")
    up(window, "A")
    assert notes_on(engine) == notes_off(engine) == [60, 72]
    assert window.keyboard.octave.text() == "C5"
    assert window.keyboard.keys._letters[72] == "A"


def test_the_same_note_from_two_keys_ends_with_the_last(window: Window, engine: FakeEngine) -> None:
    down(window, "K")  # C5
    down(window, "X")
    up(window, "X")
    down(window, "A")  # C5 again
    up(window, "K")
    assert notes_off(engine) == []
    up(window, "A")
    assert notes_off(engine) == [72]


def test_mouse_and_keys_share_a_note(window: Window, engine: FakeEngine) -> None:
    down(window, "A")
    window.keyboard.keys.note_pressed.emit(60, 0.5)
    up(window, "A")
    assert notes_off(engine) == []
    window.keyboard.keys.note_released.emit(60)
    assert notes_off(engine) == [60]


def test_velocity_keys(window: Window, engine: FakeEngine) -> None:
    before = window.computer.velocity
    down(window, "C")
    up(window, "C")
    down(window, "A")
    assert engine.of_kind(EventKind.NOTE_ON) == [(60, window.computer.velocity)]
    assert window.computer.velocity < before
    for _ in range(20):
        down(window, "C")
        up(window, "C")
    assert window.computer.velocity > 0.0
    assert window.keyboard.velocity.text() == str(round(window.computer.velocity * 127))


def test_space_is_the_sustain_pedal_and_presses_no_button(window: Window, engine: FakeEngine) -> None:
    window.top.panic.setFocus()
    down(window.top.panic, Qt.Key.Key_Space)
    down(window.top.panic, Qt.Key.Key_Space, repeat=True)
    up(window.top.panic, Qt.Key.Key_Space)
    assert engine.of_kind(EventKind.CONTROL_CHANGE) == [(64, 1.0), (64, 0.0)]
    assert engine.of_kind(EventKind.PANIC) == []


def test_escape_is_panic(window: Window, engine: FakeEngine) -> None:
    down(window, "A")
    down(window, Qt.Key.Key_Escape)
    up(window, Qt.Key.Key_Escape)
    up(window, "A")
    assert len(engine.of_kind(EventKind.PANIC)) == 1
    assert not window.player.notes.notes
    assert not window.keyboard.keys._held


@pytest.mark.parametrize("how", ["other window", "hidden", "closed"])
def test_losing_the_keyboard_releases_everything(window: Window, engine: FakeEngine, qtbot: QtBot, how: str) -> None:
    down(window, "A")
    down(window, "D")
    down(window, Qt.Key.Key_Space)
    if how == "other window":
        QApplication.sendEvent(window, QEvent(QEvent.Type.WindowDeactivate))
    elif how == "hidden":
        window.hide()
    else:
        window.close()
    assert sorted(notes_off(engine)) == [60, 64]
    assert engine.of_kind(EventKind.CONTROL_CHANGE)[-1] == (64, 0.0)


def test_typing_does_not_play(window: Window, engine: FakeEngine, qtbot: QtBot) -> None:
    window.presets.search.setFocus()
    qtbot.keyClicks(window.presets.search, "asd fgh")
    assert window.presets.search.text() == "asd fgh"
    assert notes_on(engine) == []


def test_a_key_held_into_a_text_field_is_still_released(window: Window, engine: FakeEngine) -> None:
    down(window, "A")
    window.presets.search.setFocus()
    up(window.presets.search, "A")
    assert notes_off(engine) == [60]
