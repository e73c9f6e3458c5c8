"""Audio settings: the test tone, and measuring what this machine can do without holding up the window."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine
from pytestqt.qtbot import QtBot

from noisysynth.engine import checkup
from noisysynth.engine.checkup import BLOCK_SIZES, Measured
from noisysynth.engine.messages import AudioChoice
from noisysynth.errors import UserError
from noisysynth.events import EventKind
from noisysynth.ui import test_tone
from noisysynth.ui.audio_dialog import AudioDialog
from noisysynth.ui.measuring import in_words
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)


class DroppingEngine(FakeEngine):
    """Drops blocks while it plays at small block sizes, and tells what was heard meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[tuple[int, bool]] = []  # block size, and whether it was hushed then

    def open_audio(self, choice: AudioChoice) -> None:
        super().open_audio(choice)
        self.opened.append((choice.block_size, self.hushed))
        if choice.block_size == 1024:
            raise UserError("block size 1024 is too large; choose 512 or less")

    def status(self):  # type: ignore[no-untyped-def]
        self.meters["output_latency_s"] = self.audio.block_size / 48_000
        if self.held and self.audio.block_size < 128:
            self.meters["underruns"] = self.meters.get("underruns", 0) + 1
        return super().status()


@pytest.fixture
def engine() -> DroppingEngine:
    return DroppingEngine()


@pytest.fixture
def dialog(window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> AudioDialog:
    monkeypatch.setattr(checkup, "SETTLE_S", 0.01)
    monkeypatch.setattr("noisysynth.ui.measuring.SECONDS", 0.02)
    window.settings.show()
    qtbot.waitUntil(lambda: window.settings.block.count() > 0)
    window.player.status()
    return window.settings


def test_it_measures_and_recommends(window: Window, engine: DroppingEngine, dialog: AudioDialog, qtbot: QtBot) -> None:
    panel = dialog.checkup
    before = window.player.audio.block_size
    panel.start.click()
    assert panel.measuring.running
    assert (panel.start.text(), panel.bar.isVisible()) == ("Stop", True)
    assert not dialog.block.isEnabled()
    qtbot.waitUntil(lambda: not panel.measuring.running, timeout=10_000)
    assert engine.opened[: len(BLOCK_SIZES)] == [(size, True) for size in BLOCK_SIZES]  # unheard
    assert engine.opened[-1] == (before, True)
    assert not engine.hushed
    assert engine.audio.block_size == before
    assert not engine.held
    assert "Recommended: 128 samples" in panel.verdict.text()
    texts = panel.texts()
    assert "Priority: real-time priority is not allowed" in texts
    assert "ask for it" in texts
    assert any(text.startswith("64 samples") and "dropout" in text for text in texts)
    assert any(text.startswith("256 samples") and "held" in text for text in texts)
    assert any("1024 is too large" in text for text in texts)
    assert dialog.block.isEnabled()


def test_what_is_recommended_is_one_click_away(
    window: Window, engine: DroppingEngine, dialog: AudioDialog, qtbot: QtBot
) -> None:
    window.player.open_audio(AudioChoice(block_size=512), lambda: None, pytest.fail)
    qtbot.waitUntil(lambda: window.player.audio.block_size == 512)
    panel = dialog.checkup
    panel.start.click()
    qtbot.waitUntil(lambda: not panel.measuring.running, timeout=10_000)
    assert engine.audio.block_size == 512
    assert panel.use.text() == "Use 128 samples"
    panel.use.click()
    qtbot.waitUntil(lambda: window.player.audio.block_size == 128)
    assert engine.audio.block_size == 128
    assert not panel.use.isVisible()


def test_it_can_be_stopped_and_all_is_as_before(
    window: Window, engine: DroppingEngine, dialog: AudioDialog, qtbot: QtBot
) -> None:
    panel = dialog.checkup
    panel.start.click()
    qtbot.waitUntil(lambda: len(engine.opened) > 0)
    panel.start.click()
    qtbot.waitUntil(lambda: not panel.measuring.running, timeout=10_000)
    assert panel.measuring.best is None
    assert not engine.hushed
    assert engine.audio.block_size == window.player.audio.block_size
    panel.start.click()
    qtbot.waitUntil(lambda: engine.hushed)
    dialog.hide()
    qtbot.waitUntil(lambda: not panel.measuring.running, timeout=10_000)
    assert not engine.hushed


def test_other_questions_are_answered_meanwhile(
    window: Window, engine: DroppingEngine, dialog: AudioDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noisysynth.ui.measuring.SECONDS", 0.3)
    panel = dialog.checkup
    panel.start.click()
    qtbot.waitUntil(lambda: len(engine.opened) > 0)
    answers: list[object] = []
    window.player.ask_devices(lambda devices, inputs: answers.append(devices), pytest.fail)
    qtbot.waitUntil(lambda: len(answers) == 1, timeout=1000)
    assert panel.measuring.running
    panel.measuring.stop()
    qtbot.waitUntil(lambda: not panel.measuring.running, timeout=10_000)


def test_a_recording_is_not_ended_by_measuring(window: Window, engine: DroppingEngine, dialog: AudioDialog) -> None:
    engine.recorded_s = 3.0
    window.player.status()
    dialog.checkup.start.click()
    assert not dialog.checkup.measuring.running
    assert "recording" in dialog.checkup.verdict.text()
    assert engine.opened == []


def test_an_engine_that_refuses_is_told_in_a_line(
    window: Window, engine: DroppingEngine, dialog: AudioDialog, qtbot: QtBot
) -> None:
    engine.refuse = "the engine is too busy; try again"
    dialog.checkup.start.click()
    qtbot.waitUntil(lambda: not dialog.checkup.measuring.running)
    assert dialog.checkup.verdict.text() == "the engine is too busy; try again"
    assert not engine.hushed


def test_words_of_a_measurement() -> None:
    assert in_words(Measured(64, 1.333, 1.0, 0, 2, 0, 0.25, False)) == "64 samples, 1.3 ms: 2 dropouts, load 25 %"
    assert in_words(Measured(64, 1.333, 1.0, 1, 2, 0, 0.25, False)) == "64 samples, 1.3 ms: 1 dropout, load 25 %"
    assert in_words(Measured(64, 1.333, 1.0, 0, 0, 900, 0.25, False)).endswith("the notes came late, load 25 %")
    assert in_words(Measured(128, 2.7, 1.0, 0, 0, 0, 0.1, True)) == "128 samples, 2.7 ms: held, load 10 %"


def test_the_tone_is_asked_for_and_can_be_ended(
    engine: DroppingEngine, dialog: AudioDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog.tone._timer.setInterval(40)
    dialog.tone.click()
    qtbot.waitUntil(lambda: dialog.tone.playing)
    assert engine.tones == [test_tone.PLACE_S * 3]
    seen = set()
    while dialog.tone.playing:
        seen.add(dialog.tone.text())
        qtbot.wait(10)
    assert seen == {"Stop (left)", "Stop (right)", "Stop (both sides)"}
    assert dialog.tone.text() == "Test tone"
    dialog.tone.click()
    qtbot.waitUntil(lambda: dialog.tone.playing)
    dialog.tone.click()
    qtbot.waitUntil(lambda: engine.tones[-1] == 0.0)
    dialog.tone.click()
    qtbot.waitUntil(lambda: dialog.tone.playing)
    dialog.hide()
    qtbot.waitUntil(lambda: len(engine.tones) == 5 and engine.tones[-1] == 0.0)
    assert engine.of_kind(EventKind.NOTE_ON) == []  # it is no note


def test_without_a_device_the_tone_says_why(
    window: Window, engine: DroppingEngine, dialog: AudioDialog, qtbot: QtBot
) -> None:
    engine.refuse = "no sound device is open: choose one that is there"
    with qtbot.waitSignal(window.player.noticed) as told:
        dialog.tone.click()
    assert told.args == ["no sound device is open: choose one that is there"]
    assert not dialog.tone.playing
