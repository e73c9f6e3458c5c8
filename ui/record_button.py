"""The record button: a circle to start, a square and the time while it runs."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.standard import TallButton
from noisysynth.ui.recording import Recording, clock, recordings_folder

MARK = 6.0  # half the size of circle and square


class RecordButton(TallButton):
    """Shows its recording and switches it."""

    def __init__(self, recording: Recording, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recording = recording
        self.setFixedWidth(5 * theme.UNIT)
        self.clicked.connect(recording.toggle)
        recording.changed.connect(self._show)
        self._show()

    @property
    def caption(self) -> str:
        return clock(self._recording.seconds) if self._recording.active else "Rec"

    def _show(self) -> None:
        active = self._recording.active
        self.setAccessibleName("Stop recording" if active else "Record")
        self.setAccessibleDescription(self.caption if active else "")
        self.setToolTip(
            "Stop recording (Ctrl+R)"
            if active
            else f"Record what is heard (Ctrl+R)\nFLAC, 24 bit, into {recordings_folder()}"
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        active = self._recording.active
        painter = QPainter(self)
        rect = self.paint_ground(painter, theme.DANGER if active else None)
        painter.setPen(Qt.PenStyle.NoPen)
        centre = rect.center() - QPointF(0.0, theme.UNIT)
        if active:
            painter.setBrush(theme.qcolor(theme.TEXT_ON_ACCENT))
            painter.drawRect(QRectF(centre.x() - MARK, centre.y() - MARK, 2 * MARK, 2 * MARK))
        else:
            painter.setBrush(theme.qcolor(theme.DANGER))
            painter.drawEllipse(centre, MARK, MARK)
        painter.setPen(theme.qcolor(theme.TEXT_ON_ACCENT if active else theme.TEXT_QUIET))
        painter.setFont(theme.font(theme.SMALL, QFont.Weight.DemiBold if active else QFont.Weight.Normal))
        line = QRectF(0.0, centre.y() + MARK, self.width(), 3 * theme.UNIT)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, self.caption)
        painter.end()
