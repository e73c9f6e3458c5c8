"""The latent pad over its transport and the oscilloscope: where the sound is, what moves it, and what it looks like."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.pad import NamedPoint, Pad
from noisysynth.ui.controls.scope import Scope
from noisysynth.ui.motion_bar import MotionBar
from noisysynth.ui.player import Player


class MorphPanel(QWidget):
    """Connects pad and player."""

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.pad = Pad()
        self.motion = MotionBar(self.pad, player)
        self.scope = Scope()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.UNIT)
        column.addWidget(self.pad, 1)
        column.addWidget(self.motion)
        column.addWidget(self.scope)

        self.pad.moved.connect(player.move_pad)
        self.pad.point_chosen.connect(player.audition)
        player.instrument_changed.connect(self._show_map)
        player.preset_changed.connect(self.pad.set_chosen)
        player.blend_changed.connect(self._show_blend)
        player.parameter_changed.connect(self._show_place)
        self._show_map()

    @property
    def controls(self) -> tuple[QWidget, ...]:
        """What Tab leads to after the pad, in this order."""
        return (self.motion.record, self.motion.play, self.motion.walk, self.motion.speed)

    def _show_map(self) -> None:
        self.pad.set_points([NamedPoint(name, x, y) for name, x, y in self._player.places])

    def _show_place(self, parameter_id: str, _: float) -> None:
        if parameter_id in ("pad_x", "pad_y") and not self.pad.held:
            self.pad.set_position(self._player.values["pad_x"], self._player.values["pad_y"])

    def _show_blend(self, weights: Sequence[float]) -> None:
        self.pad.set_weights(weights)
