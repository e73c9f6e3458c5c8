"""The first start of all, which compiles the sound for the machine: how far it is, in words."""

from __future__ import annotations

import time

_ENOUGH = 0.08  # of the work, to tell from how long the rest will take


class FirstStart:
    """Fed with what the engine says of it. `line` is "" while there is nothing to wait for but a moment."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None  # time and share of the first news
        self.line = ""
        self.share: float | None = None

    def take(self, progress: tuple[float, str] | None, now_s: float | None = None) -> None:
        """progress: share 0..1 and what is being compiled; None: nothing is."""
        if progress is None:
            self._began, self.line, self.share = None, "", None
            return
        now_s = time.monotonic() if now_s is None else now_s
        share, what = progress
        self._began = self._began or (now_s, share)
        self.share = share
        self.line = f"preparing the sound for this machine, only this once: {what}, {100 * share:.0f} %"
        since_s, gained = now_s - self._began[0], share - self._began[1]
        if gained > _ENOUGH:
            left_s = since_s / gained * (1.0 - share)
            self.line += f", about {max(round(left_s / 5.0) * 5, 5)} s left"
