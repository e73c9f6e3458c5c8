"""Standard widgets with what a style sheet cannot draw: icons, ticks, arrows, elided text."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QFontMetricsF, QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QWidget,
)

from noisysynth.ui import theme

# Icons on a 16 px square, as polylines.
_ICONS: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "left": (((10, 3.5), (5.5, 8), (10, 12.5)),),
    "right": (((6, 3.5), (10.5, 8), (6, 12.5)),),
    "down": (((4, 6), (8, 10), (12, 6)),),
    "small down": (((5, 6.5), (8, 9.5), (11, 6.5)),),
    "plus": (((8, 3), (8, 13)), ((3, 8), (13, 8))),
    "minus": (((3, 8), (13, 8)),),
    "undo": (
        ((6.5, 3), (3.5, 6), (6.5, 9)),
        ((3.5, 6), (9.5, 6), (12, 7.4), (12.8, 9.5), (12, 11.6), (9.5, 13), (7, 13)),
    ),
    "redo": (
        ((9.5, 3), (12.5, 6), (9.5, 9)),
        ((12.5, 6), (6.5, 6), (4, 7.4), (3.2, 9.5), (4, 11.6), (6.5, 13), (9, 13)),
    ),
    "save": (((8, 3), (8, 10)), ((5, 7), (8, 10), (11, 7)), ((3.5, 10.5), (3.5, 13), (12.5, 13), (12.5, 10.5))),
    "more": (((8, 3.5), (8, 3.6)), ((8, 8), (8, 8.1)), ((8, 12.4), (8, 12.5))),
    "star": (
        ((8, 2.2), (9.8, 6), (13.9, 6.5), (10.9, 9.3), (11.7, 13.4), (8, 11.4), (4.3, 13.4), (5.1, 9.3), (2.1, 6.5),
         (6.2, 6), (8, 2.2)),
    ),
    "note": (
        ((6, 12), (6, 3.5), (12, 2.5), (12, 10.5)), ((6, 12), (4.7, 13), (3.6, 12), (4.7, 11), (6, 12)),
        ((12, 10.5), (10.7, 11.5), (9.6, 10.5), (10.7, 9.5), (12, 10.5)),
    ),
    "dice": (
        ((4, 2.5), (12, 2.5), (13.5, 4), (13.5, 12), (12, 13.5), (4, 13.5), (2.5, 12), (2.5, 4), (4, 2.5)),
        ((5.7, 5.7), (5.8, 5.7)), ((10.2, 5.7), (10.3, 5.7)), ((8, 8), (8.1, 8)), ((5.7, 10.3), (5.8, 10.3)),
        ((10.2, 10.3), (10.3, 10.3)),
    ),
    "tick": (((3.5, 8.5), (6.7, 11.5), (12.5, 4.5)),),
    "oscilloscope": (((1.5, 8), (3, 5), (5, 3.5), (7, 5.5), (9, 10.5), (11, 12.5), (13, 11), (14.5, 8)),),
    "spectrum": (((3, 13), (3, 3)), ((6.3, 13), (6.3, 6.5)), ((9.6, 13), (9.6, 9)), ((13, 13), (13, 11.5))),
    "spectrogram": (((2, 12.5), (14, 12.5)), ((2, 8), (6, 8)), ((9, 8), (14, 8)), ((5, 3.5), (12, 3.5))),
}  # fmt: skip


def paint_icon(
    painter: QPainter, name: str, rect: QRectF, colour: str, width: float = 1.75, filled: bool = False
) -> None:
    """Draw an icon centred in `rect`."""
    path = QPainterPath()
    origin = rect.center() - QPointF(8, 8)
    for line in _ICONS[name]:
        path.moveTo(origin + QPointF(*line[0]))
        for point in line[1:]:
            path.lineTo(origin + QPointF(*point))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(theme.qcolor(colour) if filled else Qt.BrushStyle.NoBrush)
    round_cap, round_join = Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
    painter.setPen(QPen(theme.qcolor(colour), width, Qt.PenStyle.SolidLine, round_cap, round_join))
    painter.drawPath(path)


class Button(QPushButton):
    """A push button that Enter presses: Space is the sustain pedal in this window. A click leaves the focus alone."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
        else:
            super().keyPressEvent(event)


class TallButton(Button):
    """A flat button of the top bar that draws itself; `hot`: the pointer is over it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setProperty("tall", True)
        self.hot = False
        self.setFixedHeight(6 * theme.UNIT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.hot = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.hot = False
        self.update()

    def paint_ground(self, painter: QPainter, colour: str | None = None) -> QRectF:
        """Fill it, in no colour only under the pointer; returns the rectangle that it fills."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        ground = colour or (theme.RAISED if self.hot else "")
        painter.setBrush(theme.qcolor(ground) if ground else Qt.BrushStyle.NoBrush)
        painter.setPen(theme.qcolor(theme.ACCENT) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.drawRoundedRect(rect, theme.RADIUS, theme.RADIUS)
        return rect


class IconButton(Button):
    """A square button with an icon; `name` is what a screen reader says."""

    def __init__(self, icon: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._icon = icon
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFixedSize(theme.BUTTON_HEIGHT, theme.BUTTON_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        colour = theme.TEXT if self.isEnabled() else theme.TEXT_QUIET
        if self.isChecked():
            colour = theme.TEXT_ON_ACCENT
        paint_icon(painter, self._icon, QRectF(self.rect()), colour)
        painter.end()


class Combo(QComboBox):
    """A combo box with its arrow."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        right = QRectF(self.width() - 3.5 * theme.UNIT, 0, 3 * theme.UNIT, self.height())
        paint_icon(painter, "down", right, theme.TEXT_QUIET)
        painter.end()


class CheckBox(QCheckBox):
    """A check box whose state is a tick, not only a colour."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.isChecked():
            option = QStyleOptionButton()
            self.initStyleOption(option)
            box = self.style().subElementRect(QStyle.SubElement.SE_CheckBoxIndicator, option, self)
            painter = QPainter(self)
            paint_icon(painter, "tick", QRectF(box), theme.TEXT_ON_ACCENT, 2.0)
            painter.end()


class ElidedLabel(QWidget):
    """One line that gives way: too long a text ends in an ellipsis and is whole in the tooltip.

    Not a QLabel: a QLabel lays out the whole window anew at every change of its text.
    """

    def __init__(self, size: int, colour: str = theme.TEXT, right: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._font = theme.font(size)
        self._colour = colour
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        self._align = side | Qt.AlignmentFlag.AlignVCenter
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        return self._text

    def set_text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self.setAccessibleName(text)
            self.setToolTip(text)
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(4 * theme.UNIT, math.ceil(QFontMetricsF(self._font).height()))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._font)
        painter.setPen(theme.qcolor(self._colour))
        line = " ".join(self._text.split())
        elided = painter.fontMetrics().elidedText(line, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRectF(self.rect()), self._align, elided)
        painter.end()
