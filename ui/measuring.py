"""Measuring which block sizes this machine holds, on the engine that plays: unheard, and beside the window's work."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from PySide6.QtCore import QObject, Signal

from noisysynth.engine.checkup import BLOCK_SIZES, SETTLE_S, Finding, Measured, measure_blocks, recommended
from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice
from noisysynth.errors import UserError
from noisysynth.ui.player import Player
from noisysynth.ui.requests import Requests

SECONDS = 1.0  # for each size, with a chord and without
ABOUT_S = len(BLOCK_SIZES) * (2 * SECONDS + 2 * SETTLE_S + 0.3)


class Measuring(QObject):
    """One measurement at a time. The device is then as it was before, and heard again, however it ended."""

    changed = Signal()  # began or ended
    found = Signal(object)  # a Finding, or a Measured
    progressed = Signal(float)  # 0..1
    failed = Signal(str)  # one line

    def __init__(self, player: Player, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self._hands = Requests(self)  # its own: nobody else is to wait for so long
        self._stopping = threading.Event()
        self.running = False
        self.best: Measured | None = None  # what is recommended

    def start(self) -> None:
        if self.running:
            return
        choice = self._player.audio
        self._stopping.clear()
        self.running, self.best = True, None
        self.changed.emit()
        self._player.ask(lambda client: self._measure(client, choice), self._ended, self._not_done, self._hands)

    def stop(self) -> None:
        """Soon: what is under way is brought to its end."""
        self._stopping.set()

    def close(self) -> None:
        """For good; what is under way is not waited for."""
        self.stop()
        self._hands.close(lambda: None, 0.0)

    def _measure(self, client: EngineClient, choice: AudioChoice) -> list[Measured]:
        """In the worker."""
        for finding in client.checkup():
            self.found.emit(finding)
        results: list[Measured] = []
        with _unheard(client, choice):
            steps = measure_blocks(client, choice, SECONDS, wanted=lambda: not self._stopping.is_set())
            for number, each in enumerate(steps, 1):
                if isinstance(each, Measured):
                    results.append(each)
                self.found.emit(each)
                self.progressed.emit(number / len(BLOCK_SIZES))
        return results

    def _ended(self, results: list[Measured]) -> None:
        self.running = False
        self.best = None if self._stopping.is_set() else recommended(results)
        self.changed.emit()

    def _not_done(self, line: str) -> None:
        self.running = False
        self.failed.emit(line)
        self.changed.emit()


@contextlib.contextmanager
def _unheard(client: EngineClient, choice: AudioChoice) -> Iterator[None]:
    """Nothing is heard inside; after it, the device is as it was chosen."""
    client.hush(True)
    try:
        yield
    finally:
        # Of an engine that is gone, or a device, the window tells.
        with contextlib.suppress(UserError):
            client.open_audio(choice)
        with contextlib.suppress(UserError):
            client.hush(False)


def in_words(each: Measured) -> str:
    """What was measured, in one line."""
    lost = max(each.underruns - each.idle_underruns, 0)
    if each.held:
        how = "held"
    elif lost:
        how = f"{lost} dropout{'s' * (lost != 1)}"
    else:
        how = "the notes came late"
    return f"{each.block_size} samples, {each.latency_ms:.1f} ms: {how}, load {100.0 * each.load:.0f} %"


TOPICS = {"processor": "Processor", "priority": "Priority", "network": "Network", "engine": "Device"}


def finding_in_words(finding: Finding) -> str:
    """What was found, in one line; what to do about it stands in `todo`."""
    return f"{TOPICS.get(finding.topic, finding.topic.capitalize())}: {finding.text}"
