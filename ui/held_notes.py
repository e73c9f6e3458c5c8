"""Which notes the window holds, and who holds them: mouse, computer keyboard, audition."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal


class HeldNotes(QObject):
    """A note ends when the last one who holds it lets go, so two sources never cut each other's notes."""

    changed = Signal(object)  # frozenset of MIDI notes

    def __init__(
        self, note_on: Callable[[int, float], None], note_off: Callable[[int], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._note_on = note_on
        self._note_off = note_off
        self._holders: dict[int, set[str]] = {}

    @property
    def notes(self) -> frozenset[int]:
        return frozenset(self._holders)

    def press(self, source: str, pitch: int, velocity: float) -> None:
        if not 0 <= pitch <= 127:
            return
        self._holders.setdefault(pitch, set()).add(source)
        self._note_on(pitch, velocity)
        self.changed.emit(self.notes)

    def release(self, source: str, pitch: int) -> None:
        holders = self._holders.get(pitch)
        if holders is None or source not in holders:
            return
        holders.discard(source)
        if not holders:
            del self._holders[pitch]
            self._note_off(pitch)
            self.changed.emit(self.notes)

    def release_all(self) -> None:
        for pitch in tuple(self._holders):
            del self._holders[pitch]
            self._note_off(pitch)
        self.changed.emit(self.notes)

    def forget(self) -> None:
        """After panic: the engine has already ended them."""
        self._holders.clear()
        self.changed.emit(self.notes)
