"""On-screen keyboard: velocity by how low on the key it is struck, glissando by dragging."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QHideEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.base import Control
from noisysynth.ui.controls.values import note_name

WHITE_SHAPE = 6.0  # height over width of a white key
NARROWEST, WIDEST = 24.0, 36.0  # px of a white key
SOFTEST, LOUDEST = 0.25, 1.0
LOWEST_NOTE, HIGHEST_NOTE = 0, 127
BLACK_CLASSES = frozenset((1, 3, 6, 8, 10))
# Where the middle of each black key stands, in white keys from the C below it: not evenly, as on a piano.
BLACK_CENTRES = {1: 0.92, 3: 2.08, 6: 3.9, 8: 5.0, 10: 6.1}
WHITE_INDEX = {0: 0, 2: 1, 4: 2, 5: 3, 7: 4, 9: 5, 11: 6}


@dataclasses.dataclass(frozen=True)
class _Key:
    pitch: int
    black: bool
    rect: QRectF


class Keyboard(Control):
    """Shows any set of notes as held; only its own mouse notes are emitted."""

    note_pressed = Signal(int, float)
    note_released = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Keyboard", "Strike a key low for loud, high for soft; drag for a glissando.", parent)
        self._lowest = 36
        self._keys: tuple[_Key, ...] = ()
        self._held: frozenset[int] = frozenset()
        self._letters: Mapping[int, str] = {}
        self._mouse_note: int | None = None
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(10 * theme.UNIT)

    def sizeHint(self) -> QSize:
        return QSize(100 * theme.UNIT, 16 * theme.UNIT)

    # what is shown

    @property
    def lowest(self) -> int:
        return self._lowest

    @property
    def highest(self) -> int:
        return max((key.pitch for key in self._keys), default=self._lowest)

    def set_lowest(self, pitch: int) -> None:
        """Move the range; always starts on a C."""
        highest_start = (HIGHEST_NOTE + 1 - 12) // 12 * 12
        pitch = min(max(pitch // 12 * 12, LOWEST_NOTE), highest_start)
        if pitch != self._lowest:
            self._lowest = pitch
            self._lay_out()
            self.update()

    def set_held(self, pitches: Iterable[int]) -> None:
        held = frozenset(pitches)
        changed = held ^ self._held
        self._held = held
        for key in self._keys:
            if key.pitch in changed:
                self.update(key.rect.toAlignedRect().adjusted(-1, -1, 1, 1))

    def set_letters(self, letters: Mapping[int, str]) -> None:
        """Computer keys printed on the keys they play."""
        if letters != self._letters:
            self._letters = dict(letters)
            self.update()

    # geometry

    def whites(self) -> int:
        """White keys shown at this size: whole octaves, and the C that closes them when it fits."""
        key_width = min(max(self.height() / WHITE_SHAPE, NARROWEST), WIDEST)
        octaves, rest = divmod(max(7, int(self.width() / key_width)), 7)
        return octaves * 7 + (1 if rest else 0)

    def _lay_out(self) -> None:
        width, height = float(self.width()), float(self.height())
        whites = self.whites()
        pitches: list[int] = []
        pitch = self._lowest
        while len(pitches) < whites and pitch <= HIGHEST_NOTE:
            if pitch % 12 not in BLACK_CLASSES:
                pitches.append(pitch)
            pitch += 1
        key_width = width / max(len(pitches), 1)
        keys = [_Key(note, False, QRectF(i * key_width, 0.0, key_width, height)) for i, note in enumerate(pitches)]
        black_width, black_height = key_width * 0.62, height * 0.62
        last = pitches[-1] if pitches else self._lowest
        for note in range(self._lowest, last):
            if note % 12 in BLACK_CLASSES:
                octave = (note - self._lowest) // 12
                centre = (octave * 7 + BLACK_CENTRES[note % 12]) * key_width
                keys.append(_Key(note, True, QRectF(centre - black_width / 2, 0.0, black_width, black_height)))
        self._keys = tuple(keys)

    def key_rect(self, pitch: int) -> QRectF:
        """Where a key is, for tests and tooltips; empty when it is out of the range shown."""
        return next((key.rect for key in self._keys if key.pitch == pitch), QRectF())

    def _key_at(self, position: QPointF) -> _Key | None:
        hits = [key for key in self._keys if key.rect.contains(position)]
        return max(hits, key=lambda key: key.black, default=None)

    @staticmethod
    def _velocity(key: _Key, position: QPointF) -> float:
        depth = (position.y() - key.rect.top()) / max(key.rect.height(), 1.0)
        return SOFTEST + (LOUDEST - SOFTEST) * min(max(depth / 0.9, 0.0), 1.0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._lay_out()

    # gestures

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._play(event.position())

    # Fast repeated strikes arrive as double clicks.
    mouseDoubleClickEvent = mousePressEvent

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._mouse_note is not None:
            self._play(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.let_go()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.let_go()

    def hideEvent(self, event: QHideEvent) -> None:
        self.let_go()

    def let_go(self) -> None:
        note, self._mouse_note = self._mouse_note, None
        if note is not None:
            self.note_released.emit(note)

    def _play(self, position: QPointF) -> None:
        # Dragging above or below the keys still plays them: only the column counts.
        inside = QPointF(position.x(), min(max(position.y(), 0.0), self.height() - 1.0))
        key = self._key_at(inside)
        if key is None or key.pitch == self._mouse_note:
            return
        previous, self._mouse_note = self._mouse_note, key.pitch
        velocity = self._velocity(key, inside)
        self.note_pressed.emit(key.pitch, velocity)
        if previous is not None:  # after the new note, so that a mono patch may slide
            self.note_released.emit(previous)
        self.hinted.emit(f"{note_name(key.pitch)}  velocity {round(velocity * 127)}")

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        dirty = QRectF(event.rect())
        for key in self._keys:
            if key.rect.intersects(dirty):
                self._paint_key(painter, key)
        painter.end()

    def _paint_key(self, painter: QPainter, key: _Key) -> None:
        held = key.pitch in self._held
        if key.black:
            rect = key.rect.adjusted(0, -theme.HALF, 0, 0)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.qcolor(theme.BACKGROUND))
            painter.drawRoundedRect(rect, 3, 3)
            painter.setBrush(theme.qcolor(theme.KEY_BLACK))
            painter.drawRoundedRect(rect.adjusted(1.5, 0, -1.5, -1.5), 2.5, 2.5)
            painter.setBrush(theme.qcolor(theme.ACCENT if held else theme.KEY_BLACK_FACE))
            painter.drawRoundedRect(rect.adjusted(3.5, 0, -3.5, -3.5 if held else -7), 2.5, 2.5)
        else:
            face = theme.ACCENT if held else theme.KEY_WHITE
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.qcolor(face))
            painter.drawRoundedRect(key.rect.adjusted(0.75, -theme.HALF, -0.75, 0), 4, 4)
        self._paint_labels(painter, key, held)

    def _paint_labels(self, painter: QPainter, key: _Key, held: bool) -> None:
        centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
        letter = self._letters.get(key.pitch, "")
        on_key = theme.TEXT_ON_ACCENT if held else (theme.TEXT_QUIET if key.black else theme.KEY_TEXT)
        if not key.black and key.pitch % 12 == 0:
            painter.setFont(theme.font(theme.SMALL, QFont.Weight.DemiBold))
            painter.setPen(theme.qcolor(theme.TEXT_ON_ACCENT if held else theme.KEY_TEXT))
            painter.drawText(key.rect.adjusted(0, 0, 0, -5), centre, note_name(key.pitch))
        if letter:
            painter.setFont(theme.font(theme.SMALL, QFont.Weight.Medium))
            painter.setPen(theme.qcolor(on_key))
            lift = -12 if key.black else -5 - 2 * theme.UNIT
            painter.drawText(key.rect.adjusted(0, 0, 0, lift), centre, letter)
