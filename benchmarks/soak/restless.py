"""The real window as nobody would use it: paged, resized, minimised, hidden, closed and opened again without pause."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from note_latency import Repainting

from noisysynth.engine.client import EngineClient
from noisysynth.factory import default_instrument

EVERY_S = 0.4
SIZES = ((960, 600), (1280, 800), (1100, 760), (1600, 900), (1920, 1080))


class Restless:
    """Does something to the window every EVERY_S seconds of `work`, in random order; `done` counts what."""

    def __init__(self, client: EngineClient, scratch: Path, seed: int = 5) -> None:
        self._client, self._scratch = client, scratch
        self._random = random.Random(seed)
        self._due = 0.0
        self._painter = Repainting(client, default_instrument(), scratch)
        self.done: dict[str, int] = {}
        self._deeds: tuple[tuple[str, Callable[[], None]], ...] = (
            ("paged", self._page), ("paged", self._page), ("paged", self._page), ("viewed", self._view),
            ("resized", self._resize), ("resized", self._resize), ("minimised", self._minimise),
            ("hidden", self._hide), ("closed and opened", self._reopen),
        )  # fmt: skip

    def work(self, elapsed: float) -> None:
        self._painter.work()
        if elapsed < self._due:
            return
        self._due = elapsed + EVERY_S
        if not self._painter.window.isVisible() or self._painter.window.isMinimized():
            self._painter.window.showNormal()
            return
        name, deed = self._random.choice(self._deeds)
        deed()
        self.done[name] = self.done.get(name, 0) + 1

    def close(self) -> None:
        self._painter.close()

    def _page(self) -> None:
        tabs = self._painter.window.knobs.tabs
        tabs.setCurrentIndex(self._random.randrange(tabs.count()))

    def _view(self) -> None:
        scope = self._painter.window.morph.scope
        scope.stack.setCurrentIndex(self._random.randrange(scope.stack.count()))

    def _resize(self) -> None:
        self._painter.window.resize(*self._random.choice(SIZES))

    def _minimise(self) -> None:
        self._painter.window.showMinimized()

    def _hide(self) -> None:
        self._painter.window.hide()

    def _reopen(self) -> None:
        self._painter.close()
        self._painter = Repainting(self._client, default_instrument(), self._scratch)
