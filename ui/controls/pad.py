"""Latent pad: a map of named points; dragging morphs what sounds, a trail shows the way."""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
import time
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QRadialGradient,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.base import FINE, Control, RelativeDrag, is_fine, wheel_notches
from noisysynth.ui.controls.values import MINUS

MARGIN = 3 * theme.UNIT  # so that a point on the rim keeps its ring and label inside
POINT_RADIUS = 4.0
CURSOR_RADIUS = 7.0
SNAP_PX = 12.0
TRAIL_S = 2.0
TRAIL_FRAME_MS = 33
TRAIL_STEP_PX = 5.0
DOT_PX = 8
TRAIL_SHADES = 10
PAINT_GAP_MS = 15  # a mouse may report far more often than any screen shows
KEY_STEP = 0.04
SPOKE_FLOOR = 0.02  # weights below this are not worth a line


@dataclasses.dataclass(frozen=True)
class NamedPoint:
    """A name on the map; x and y in -1..1."""

    name: str
    x: float
    y: float


class Pad(Control):
    """Two values in -1..1. `moved` is only emitted when the player moves the point."""

    moved = Signal(float, float)
    point_chosen = Signal(int)  # clicked without dragging: the point's index
    released = Signal()  # the mouse let go of the point

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Latent pad", "Drag to morph. Click a name to go there.", parent)
        self.x_value = 0.0
        self.y_value = 0.0
        self._home = (0.0, 0.0)
        self._points: tuple[NamedPoint, ...] = ()
        self._labels: dict[int, QRectF] = {}  # where names are painted, by index
        self._weights: Sequence[float] = ()
        self._chosen = -1
        self._under_pointer = -1
        self._drag: RelativeDrag | None = None
        self._dragged = False
        self._free = QPointF()
        self._trail: collections.deque[tuple[float, float, float]] = collections.deque(maxlen=256)
        self._leaves_trail = True
        self._map: QPixmap | None = None
        self._fade = QTimer(self, interval=TRAIL_FRAME_MS)
        self._fade.timeout.connect(self._fade_trail)
        self._paced = QTimer(self, singleShot=True)
        self._paced.timeout.connect(self.update)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(30 * theme.UNIT, 22 * theme.UNIT)
        self.describe()

    def sizeHint(self) -> QSize:
        return QSize(60 * theme.UNIT, 48 * theme.UNIT)

    # what is shown

    @property
    def held(self) -> bool:
        return self._drag is not None

    def set_points(self, points: Sequence[NamedPoint]) -> None:
        self._points = tuple(points)
        self._chosen = self._under_pointer = -1
        self._weights = ()
        self._labels = {}
        self._map = None
        self._trail.clear()
        self.update()

    def set_chosen(self, index: int) -> None:
        """Mark the point of the current preset; double-click comes back to it."""
        if index != self._chosen:
            self._chosen = index
            self._map = None
            self.update()
        self._home = (self._points[index].x, self._points[index].y) if 0 <= index < len(self._points) else (0, 0)

    def set_trail(self, on: bool) -> None:
        """Whether the way that it came is drawn."""
        self._leaves_trail = on
        if not on and self._trail:
            self._trail.clear()
            self._update_soon()

    def set_weights(self, weights: Sequence[float]) -> None:
        """Share of each point in what sounds; drawn as spokes, and told while the pointer is here."""
        self._weights = weights
        if self.held or (self.hovered and self._under_pointer < 0):
            self.hinted.emit(self.hint())
        self._update_soon()

    def set_position(self, x: float, y: float) -> None:
        """Show a place that came from elsewhere."""
        x, y = _clip(x), _clip(y)
        if (x, y) != (self.x_value, self.y_value):
            self._leave_trail()
            self.x_value, self.y_value = x, y
            if self.hasFocus():
                self.describe()
            self._update_soon()

    def change_position(self, x: float, y: float) -> None:
        """Go somewhere and tell, as every gesture of the player does."""
        x, y = _clip(x), _clip(y)
        if (x, y) != (self.x_value, self.y_value):
            self.set_position(x, y)
            self.hinted.emit(self.hint())
            self.moved.emit(x, y)

    def let_go(self) -> None:
        """Take the point out of the player's hand, and drop what is being typed."""
        self.end_edit()
        self._drag = None
        self.update()

    def hint(self) -> str:
        place = f"X {self.x_value:+.2f}  Y {self.y_value:+.2f}".replace("-", MINUS)
        mix = sorted(zip(self._weights, self._points, strict=False), key=lambda pair: -pair[0])[:3]
        shares = ", ".join(f"{point.name} {weight * 100:.0f} %" for weight, point in mix if weight >= 0.05)
        return f"{place}  \u00b7  {shares or self.help_text}"

    def describe(self) -> None:
        self.setAccessibleDescription(f"X {self.x_value:+.2f}, Y {self.y_value:+.2f}. {self.help_text}")

    # the typed value: "x, y"

    def editor_rect(self) -> QRectF:
        return QRectF(self.width() / 2 - 64, self.height() - 36, 128, 28)

    def editor_text(self) -> str:
        return f"{self.x_value:+.2f}, {self.y_value:+.2f}"

    def take_text(self, text: str) -> None:
        parts = text.replace(";", ",").split(",")
        if len(parts) != 2:
            raise ValueError("type two numbers from -1 to 1: x, y")
        x, y = float(parts[0]), float(parts[1])
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError("type two numbers from -1 to 1: x, y")
        self.change_position(x, y)

    # geometry

    def field_rect(self) -> QRectF:
        return QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)

    def to_pixel(self, x: float, y: float) -> QPointF:
        field = self.field_rect()
        return QPointF(
            field.left() + (x + 1.0) / 2.0 * field.width(), field.bottom() - (y + 1.0) / 2.0 * field.height()
        )

    def from_pixel(self, point: QPointF) -> tuple[float, float]:
        field = self.field_rect()
        x = (point.x() - field.left()) / max(field.width(), 1.0) * 2.0 - 1.0
        y = (field.bottom() - point.y()) / max(field.height(), 1.0) * 2.0 - 1.0
        return x, y

    def point_at(self, position: QPointF) -> int:
        """Index of the named point within reach of the pointer, or whose name is under it, or -1."""
        best, nearest = -1, SNAP_PX
        for index, point in enumerate(self._points):
            distance = _length(self.to_pixel(point.x, point.y) - position)
            if distance <= nearest:
                best, nearest = index, distance
        if best >= 0:
            return best
        return next((index for index, label in self._labels.items() if label.contains(position)), -1)

    # gestures

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._drag = RelativeDrag(event.position())
        self._dragged = False
        self._under_pointer = self.point_at(event.position())
        if self._under_pointer < 0 and not is_fine(event):
            self.change_position(*self.from_pixel(event.position()))
        self._free = self.to_pixel(self.x_value, self.y_value)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is None:
            self._hover(event.position())
            return
        fine = is_fine(event)
        right, up = self._drag.moved(event.position(), fine)
        if not self._dragged and abs(right) + abs(up) == 0.0:
            return
        self._dragged = True
        self._free = self._free + QPointF(right, -up) if fine else event.position()
        self.change_position(*self.from_pixel(self._free))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._drag is None:
            return
        self._drag = None
        if self._under_pointer >= 0 and not self._dragged:
            self.point_chosen.emit(self._under_pointer)
        self.released.emit()
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.change_position(*self._home)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Vertical moves y, horizontal moves x: a touch pad's two-finger drag then steers the point.
        step = 0.02 * (FINE if is_fine(event) else 1.0)
        if is_fine(event):
            self.change_position(self.x_value, self.y_value + wheel_notches(event) * step)
        else:
            delta = event.angleDelta()
            self.change_position(self.x_value - delta.x() / 120.0 * step, self.y_value + delta.y() / 120.0 * step)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = KEY_STEP * (FINE if is_fine(event) else 1.0)
        moves = {
            Qt.Key.Key_Left: (-step, 0.0),
            Qt.Key.Key_Right: (step, 0.0),
            Qt.Key.Key_Up: (0.0, step),
            Qt.Key.Key_Down: (0.0, -step),
        }
        key = Qt.Key(event.key())
        if key in moves:
            dx, dy = moves[key]
            self.change_position(self.x_value + dx, self.y_value + dy)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_Home):
            self.change_position(*self._home)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.begin_edit()
        else:
            super().keyPressEvent(event)

    def _hover(self, position: QPointF) -> None:
        index = self.point_at(position)
        if index != self._under_pointer:
            self._under_pointer = index
            pointing, cross = Qt.CursorShape.PointingHandCursor, Qt.CursorShape.CrossCursor
            self.setCursor(pointing if index >= 0 else cross)
            self.hinted.emit(f"{self._points[index].name}: click to go there" if index >= 0 else self.hint())
            self.update()

    # the trail

    def _leave_trail(self) -> None:
        if not self.isVisible() or not self._leaves_trail:
            return
        here = (self.x_value, self.y_value)
        if self._trail:
            _, x, y = self._trail[-1]
            if _length(self.to_pixel(x, y) - self.to_pixel(*here)) < TRAIL_STEP_PX:
                return
        self._trail.append((time.monotonic(), *here))
        if not self._fade.isActive():
            self._fade.start()

    def _fade_trail(self) -> None:
        oldest = time.monotonic() - TRAIL_S
        while self._trail and self._trail[0][0] < oldest:
            self._trail.popleft()
        if not self._trail or not self.isVisible():
            self._trail.clear()
            self._fade.stop()
        self._update_soon()

    def _update_soon(self) -> None:
        """Repaint, but no more than once per screen frame."""
        if not self._paced.isActive():
            self._paced.start(PAINT_GAP_MS)

    # painting

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._map = None

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        if self._map is None or self._map.devicePixelRatioF() != ratio:
            self._map = self._paint_map(ratio)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._map)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        here = self.to_pixel(self.x_value, self.y_value)
        self._paint_spokes(painter, here)
        self._paint_trail(painter)
        if self._under_pointer >= 0:
            point = self._points[self._under_pointer]
            painter.setPen(QPen(theme.qcolor(theme.TEXT), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(self.to_pixel(point.x, point.y), 8.0, 8.0)
        self._paint_cursor(painter, here)
        self.paint_focus_ring(painter, QRectF(self.rect()))
        painter.end()

    def _paint_map(self, ratio: float) -> QPixmap:
        """Everything that only changes with the instrument or the size."""
        pixmap = QPixmap(self.size() * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.WELL))
        painter.drawRoundedRect(QRectF(self.rect()), theme.RADIUS, theme.RADIUS)
        clip = QPainterPath()
        clip.addRoundedRect(QRectF(self.rect()), theme.RADIUS, theme.RADIUS)
        painter.setClipPath(clip)
        self._paint_grid(painter)
        # Where many meet it is no brighter than one: names must be readable there, too.
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Lighten)
        for point in self._points:
            centre = self.to_pixel(point.x, point.y)
            glow = QRadialGradient(centre, 9.0 * theme.UNIT)
            glow.setColorAt(0.0, theme.qcolor(theme.GLOW))
            glow.setColorAt(1.0, theme.qcolor(theme.WELL))
            painter.setBrush(glow)
            painter.drawEllipse(centre, 9.0 * theme.UNIT, 9.0 * theme.UNIT)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        self._paint_points(painter)
        painter.end()
        return pixmap

    def _paint_grid(self, painter: QPainter) -> None:
        field = self.field_rect()
        painter.setPen(QPen(theme.qcolor(theme.LINE, 0.55), 1.0))
        middle = self.to_pixel(0.0, 0.0)
        painter.drawLine(QPointF(field.left(), middle.y()), QPointF(field.right(), middle.y()))
        painter.drawLine(QPointF(middle.x(), field.top()), QPointF(middle.x(), field.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.LINE))
        for column in range(-4, 5):
            for row in range(-4, 5):
                painter.drawEllipse(self.to_pixel(column / 4, row / 4), 1.0, 1.0)

    def _paint_points(self, painter: QPainter) -> None:
        """Points and their names. A name that would cover another is left out; hovering tells it."""
        metrics = QFontMetricsF(theme.font(theme.SMALL + 1))
        taken = [self._point_rect(point) for point in self._points]
        self._labels = {}
        order = sorted(range(len(self._points)), key=lambda i: i != self._chosen)
        for index in order:
            point = self._points[index]
            centre = self.to_pixel(point.x, point.y)
            chosen = index == self._chosen
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.qcolor(theme.ACCENT if chosen else theme.TIMBRE))
            painter.drawEllipse(centre, POINT_RADIUS, POINT_RADIUS)
            # The chosen one often lies under the cursor, which needs more room.
            gap = CURSOR_RADIUS + 5.0 if chosen else POINT_RADIUS + 4.0
            label = self._free_label(point, centre, metrics, taken, gap)
            if label is None:
                continue
            taken.append(label)
            self._labels[index] = label
            painter.setFont(theme.font(theme.SMALL + 1, QFont.Weight.DemiBold if chosen else QFont.Weight.Normal))
            painter.setPen(theme.qcolor(theme.TEXT if chosen else theme.TEXT_QUIET))
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, point.name)

    def _point_rect(self, point: NamedPoint) -> QRectF:
        centre = self.to_pixel(point.x, point.y)
        radius = POINT_RADIUS + 2
        return QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)

    def _free_label(
        self, point: NamedPoint, centre: QPointF, metrics: QFontMetricsF, taken: Sequence[QRectF], gap: float
    ) -> QRectF | None:
        """The first free place for a name: right, left, above, below its point."""
        width = metrics.horizontalAdvance(point.name) * 1.08 + 4.0  # the chosen name is bolder
        height = metrics.height()
        inside = QRectF(self.rect()).adjusted(theme.HALF, theme.HALF, -theme.HALF, -theme.HALF)
        for left, top in (
            (centre.x() + gap, centre.y() - height / 2),
            (centre.x() - gap - width, centre.y() - height / 2),
            (centre.x() - width / 2, centre.y() - gap - height),
            (centre.x() - width / 2, centre.y() + gap),
        ):
            rect = QRectF(left, top, width, height)
            if inside.contains(rect) and not any(rect.intersects(other) for other in taken):
                return rect
        return None

    def _paint_spokes(self, painter: QPainter, here: QPointF) -> None:
        for weight, point in zip(self._weights, self._points, strict=False):
            if weight >= SPOKE_FLOOR:
                colour = QColor(theme.TIMBRE)
                colour.setAlphaF(0.35 + 0.6 * min(float(weight), 1.0))
                painter.setPen(QPen(colour, 0.75 + 2.5 * float(weight)))
                painter.drawLine(self.to_pixel(point.x, point.y), here)

    def _paint_trail(self, painter: QPainter) -> None:
        """Dots that fade and shrink; their spacing shows the speed. Wide smooth lines cost twenty times as much."""
        now = time.monotonic()
        dots = _trail_dots(self.devicePixelRatioF())
        for stamp, x, y in self._trail:
            shade = int((now - stamp) / TRAIL_S * TRAIL_SHADES)
            if shade < TRAIL_SHADES:
                painter.drawPixmap(self.to_pixel(x, y) - QPointF(DOT_PX / 2, DOT_PX / 2), dots[shade])

    def _paint_cursor(self, painter: QPainter, here: QPointF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.ACCENT, 0.22 if not self.held else 0.35))
        painter.drawEllipse(here, 14.0, 14.0)
        painter.setPen(QPen(theme.qcolor(theme.ACCENT), 2.0))
        painter.setBrush(theme.qcolor(theme.WELL))
        painter.drawEllipse(here, CURSOR_RADIUS, CURSOR_RADIUS)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.ACCENT))
        painter.drawEllipse(here, 2.5, 2.5)


@functools.cache
def _trail_dots(ratio: float) -> tuple[QPixmap, ...]:
    """A dot for each age, fresh to faded."""
    dots = []
    for shade in range(TRAIL_SHADES):
        freshness = 1.0 - shade / TRAIL_SHADES
        pixmap = QPixmap(round(DOT_PX * ratio), round(DOT_PX * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.qcolor(theme.ACCENT, 0.8 * freshness))
        radius = 1.0 + 1.75 * freshness
        painter.drawEllipse(QPointF(DOT_PX / 2, DOT_PX / 2), radius, radius)
        painter.end()
        dots.append(pixmap)
    return tuple(dots)


def _clip(value: float) -> float:
    return min(max(value, -1.0), 1.0)


def _length(point: QPointF) -> float:
    return math.hypot(point.x(), point.y())
