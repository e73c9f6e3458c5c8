"""A recording dropped on the window: its search followed, the result on trial, kept or discarded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from make_instrument import SPEC, write_test_instrument
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from noisysynth.events import EventKind
from noisysynth.inversion.client import SUFFIXES
from noisysynth.inversion.messages import Failed, Found, Heard, Message, Underway
from noisysynth.ui.inversion_dialog import InversionDialog
from noisysynth.ui.session import load_session
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)

SHADES = np.tile(np.arange(256, dtype=np.uint8), (160, 1))
LATENT = np.linspace(-1.0, 1.0, SPEC.latent_size).astype(np.float32)
FOUND = Found(
    LATENT, {"brightness": 2.0, "noise_level": -3.0, "attack": 1.5}, 57.2, 0.6, 0.1, 0.8, "Plain", 1.6, SHADES
)


class FakeSearch:
    """Tells what a test puts into `news`."""

    def __init__(self, instrument: Path, recording: Path) -> None:
        self.instrument, self.recording = instrument, recording
        self.news: list[Message] = []
        self.cancelled = False

    def poll(self) -> list[Message]:
        news, self.news = self.news, []
        return news

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[FakeSearch]:
    """Every search that was started."""
    started: list[FakeSearch] = []

    def start(instrument: Path, recording: Path) -> FakeSearch:
        started.append(FakeSearch(instrument, recording))
        return started[-1]

    monkeypatch.setattr(InversionDialog, "start_search", staticmethod(start))
    return started


@pytest.fixture
def dialog(window: Window, searches: list[FakeSearch]) -> InversionDialog:
    """A search under way whose recording was heard."""
    drop(window, Path("/music/Old viola.wav"))
    tell(window.inversion, searches[0], Heard(57.2, 1.3, SHADES))
    return window.inversion


def drop(window: Window, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    window.drop.take(data)


def tell(dialog: InversionDialog, search: FakeSearch, *news: Message) -> None:
    search.news = list(news)
    dialog._look()


def sounding(window: Window, engine: FakeEngine) -> np.ndarray:
    """The latent that the engine makes of what it was told."""
    assert window.player.instrument is not None
    axes = np.stack(window.player.instrument.pad_axes)
    return engine.latents[-1] + np.array([engine.engine_values["pad_x"], engine.engine_values["pad_y"]]) @ axes


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_sound_files_are_recordings(window: Window, searches: list[FakeSearch], suffix: str) -> None:
    drop(window, Path(f"/music/note{suffix.upper()}"))
    assert searches[0].recording.name == f"note{suffix.upper()}"
    assert searches[0].instrument == window.player.instrument_path
    assert "listening to note" in window.status_line.notice.text
    assert not window.inversion.isVisible()  # until it was heard


def test_progress_and_both_spectrograms(dialog: InversionDialog, searches: list[FakeSearch]) -> None:
    assert dialog.isVisible()
    assert dialog.title.text == "Old viola.wav"
    assert dialog.heard.text == "A3 +20 ct  \u00b7  1.3 s"
    assert not dialog.recording.empty
    assert dialog.outcome.empty
    assert not dialog.keep.isEnabled()
    tell(dialog, searches[0], Underway(0.25, "searching"))
    assert dialog.progress.value() == 250
    assert dialog.state.text() == "searching\u2026"
    tell(dialog, searches[0], Underway(0.75, "refining by ear", SHADES))
    assert not dialog.outcome.empty
    left, right = dialog.recording, dialog.outcome
    assert left.width() == right.width()
    assert left.mapToGlobal(left.rect().topLeft()).y() == right.mapToGlobal(right.rect().topLeft()).y()
    picture = dialog.grab().toImage()
    place = right.mapTo(dialog, right.rect().center() + right.rect().topRight() / 3)
    assert picture.pixelColor(place).lightness() > 80  # loud at the right of this spectrogram


def test_the_result_plays_and_is_on_trial(
    dialog: InversionDialog, window: Window, engine: FakeEngine, searches: list[FakeSearch], qtbot: QtBot
) -> None:
    engine.forget()
    tell(dialog, searches[0], FOUND)
    assert searches[0].cancelled
    assert sounding(window, engine) == pytest.approx(LATENT, abs=1e-5)
    assert engine.engine_values["brightness"] == 2.0
    assert engine.engine_values["attack"] == 1.5
    assert engine.of_kind(EventKind.NOTE_ON) == [(57, pytest.approx(0.6))]
    qtbot.waitUntil(lambda: engine.of_kind(EventKind.NOTE_OFF) == [(57, 0.0)])  # held for 0.1 s
    assert window.player.preset == -1
    assert "50 % nearer than the preset Plain" in dialog.state.text()
    dialog.again.click()
    assert len(engine.of_kind(EventKind.NOTE_ON)) == 2


def test_kept_it_is_a_preset_of_ones_own(
    dialog: InversionDialog, window: Window, engine: FakeEngine, searches: list[FakeSearch]
) -> None:
    player = window.player
    player.choose_preset(1)
    values = dict(player.values)
    tell(dialog, searches[0], FOUND)
    player.set_parameter("tone_level", -6.0)  # what was turned meanwhile is kept as well
    dialog.name.setText("Viola")
    dialog.keep.click()
    assert not dialog.isVisible()
    assert player.preset_name == "Viola"
    mine = player.presets[-1]
    assert "mine" in mine.tags
    player.undo()  # all of it at once
    assert player.preset == 1
    assert player.values == values
    player.redo()
    assert player.preset_name == "Viola"
    assert sounding(window, engine) == pytest.approx(LATENT, abs=1e-5)
    player.choose_preset(0)
    player.choose_preset(len(player.presets) - 1)
    assert sounding(window, engine) == pytest.approx(LATENT, abs=1e-5)
    assert player.values["noise_level"] == -3.0
    assert player.values["tone_level"] == -6.0


def test_discarded_all_is_as_before(
    dialog: InversionDialog, window: Window, engine: FakeEngine, searches: list[FakeSearch]
) -> None:
    player = window.player
    player.choose_preset(2)
    player.set_parameter("knob_1", 0.4)
    before = dict(player.values), player.preset, sounding(window, engine)
    tell(dialog, searches[0], FOUND)
    player.set_parameter("tone_level", -6.0)
    player.move_pad(0.1, 0.1)
    dialog.discard.click()
    assert (dict(player.values), player.preset) == before[:2]
    assert sounding(window, engine) == pytest.approx(before[2], abs=1e-6)
    assert dict(engine.engine_values) == pytest.approx(before[0])
    player.undo()
    assert player.values["knob_1"] == 0.0  # the edit before the trial, not one of it
    assert not player.trial.going_on
    assert len(player.presets) == 3


def test_a_place_between_presets_comes_back(
    dialog: InversionDialog, window: Window, engine: FakeEngine, searches: list[FakeSearch]
) -> None:
    window.player.move_pad(-0.3, 0.2)
    before = sounding(window, engine)
    tell(dialog, searches[0], FOUND)
    assert sounding(window, engine) != pytest.approx(before, abs=1e-3)
    dialog.reject()
    assert sounding(window, engine) == pytest.approx(before, abs=1e-6)


def test_another_sound_ends_the_trial_and_the_result_can_still_be_kept(
    dialog: InversionDialog, window: Window, engine: FakeEngine, searches: list[FakeSearch]
) -> None:
    tell(dialog, searches[0], FOUND)
    window.player.choose_preset(1)
    assert not window.player.trial.going_on
    dialog.keep.click()
    assert window.player.preset_name == "Old viola"
    assert sounding(window, engine) == pytest.approx(LATENT, abs=1e-5)


def test_another_sound_is_not_taken_away_by_discarding(
    dialog: InversionDialog, window: Window, searches: list[FakeSearch]
) -> None:
    tell(dialog, searches[0], FOUND)
    window.player.choose_preset(1)
    dialog.discard.click()
    assert window.player.preset == 1


def test_a_name_of_the_instruments_is_refused(
    dialog: InversionDialog, window: Window, searches: list[FakeSearch]
) -> None:
    tell(dialog, searches[0], FOUND)
    dialog.name.setText("Plain")
    dialog.keep.click()
    assert dialog.isVisible()
    assert "belongs to the instrument" in dialog.state.text()
    assert window.player.trial.going_on
    dialog.name.setText("  ")
    assert not dialog.keep.isEnabled()


def test_cancelled(dialog: InversionDialog, window: Window, engine: FakeEngine, searches: list[FakeSearch]) -> None:
    engine.forget()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert searches[0].cancelled
    assert not dialog.isVisible()
    assert not dialog.searching
    assert engine.latents == []
    assert "cancelled" in window.status_line.notice.text


def test_a_file_that_is_no_note_is_told_in_a_line(window: Window, searches: list[FakeSearch]) -> None:
    drop(window, Path("/music/rain.wav"))
    tell(window.inversion, searches[0], Failed("rain.wav has no clear pitch"))
    assert not window.inversion.isVisible()
    assert window.status_line.notice.text == "rain.wav has no clear pitch"


def test_a_search_that_breaks_off(dialog: InversionDialog, window: Window, searches: list[FakeSearch]) -> None:
    tell(dialog, searches[0], Failed("Old viola.wav: the search ended unexpectedly"))
    assert dialog.isVisible()
    assert "unexpectedly" in dialog.state.text()
    assert not dialog.keep.isEnabled()
    assert dialog.discard.text() == "Close"
    dialog.discard.click()
    assert not dialog.isVisible()


def test_another_recording_and_another_instrument_end_it(
    dialog: InversionDialog, window: Window, searches: list[FakeSearch], tmp_path: Path, qtbot: QtBot
) -> None:
    drop(window, Path("/music/flute.mp3"))
    assert searches[0].cancelled
    tell(dialog, searches[1], Heard(60.0, 1.0, SHADES), FOUND)
    drop(window, Path("/music/horn.flac"))
    assert not window.player.trial.going_on
    assert dialog.found is None
    other = write_test_instrument(tmp_path / "Other.noisy")
    window.drop.take_file(other)
    qtbot.waitUntil(lambda: window.player.instrument_path == other)
    assert searches[2].cancelled
    assert not dialog.isVisible()


def test_closing_the_window_keeps_the_session_of_before(
    dialog: InversionDialog, window: Window, searches: list[FakeSearch], session_file: Path
) -> None:
    window.player.choose_preset(1)
    tell(dialog, searches[0], FOUND)
    window.close()
    session, _ = load_session(session_file)
    assert session.rack.parts[0].preset == "Bright"
    assert session.rack.parts[0].values["attack"] == 1.0


def test_the_keyboard_reaches_everything_and_a_screen_reader_names_it(
    dialog: InversionDialog, searches: list[FakeSearch]
) -> None:
    tell(dialog, searches[0], FOUND)
    dialog.activateWindow()
    dialog.name.setFocus()
    reached: list[QWidget | None] = []
    for _ in range(4):
        reached.append(dialog.focusWidget())
        QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
    assert set(reached) == {dialog.name, dialog.again, dialog.discard, dialog.keep}
    for widget in (*dialog.findChildren(QPushButton), *dialog.findChildren(QLineEdit)):
        assert widget.accessibleName() or (isinstance(widget, QPushButton) and widget.text())
    for view in (dialog.recording, dialog.outcome, dialog.progress):
        assert view.accessibleName()
    dialog.name.setFocus()
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)  # keeps it
    assert not dialog.isVisible()
