"""Instruments that were read, with their networks: one of each, however many parts play it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from noisysynth.engine.control_net import CPU, ControlNet, choose_provider
from noisysynth.errors import UserError
from noisysynth.instrument import Instrument, read_instrument


class Shelf:
    """Remembers by path, for as long as the file stays as it is."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[tuple[int, int], Instrument, ControlNet]] = {}

    def take(self, path: Path) -> tuple[Instrument, ControlNet]:
        """An instrument and its network, ready to play. UserError when the file is bad."""
        try:
            status = path.stat()
        except OSError:
            read_instrument(path)  # tells what is wrong
            raise
        stamp = (status.st_mtime_ns, status.st_size)
        if path not in self._kept or self._kept[path][0] != stamp:
            instrument = read_instrument(path)
            # A dict keeps the order and drops the second mention of the CPU.
            net = ControlNet(instrument, list(dict.fromkeys((choose_provider(instrument), CPU))))
            self._kept[path] = stamp, instrument, net
        _, instrument, net = self._kept[path]
        return instrument, net

    def keep_only(self, paths: Iterable[Path | None]) -> None:
        wanted = set(paths)
        self._kept = {path: kept for path, kept in self._kept.items() if path in wanted}

    def stock(self, paths: Iterable[Path | None]) -> None:
        """Have these, as far as they can be read, and no others."""
        self.keep_only(paths)
        for path in paths:
            with contextlib.suppress(UserError, OSError):
                if path is not None:
                    self.take(path)
