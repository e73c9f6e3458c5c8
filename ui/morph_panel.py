"""The latent pad over its transport and the views of the sound: where it is, what moves it, what it looks like."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from noisysynth.ui import theme
from noisysynth.ui.controls.pad import NamedPoint, Pad
from noisysynth.ui.corner_buttons import CornerButtons
from noisysynth.ui.corners import LETTERS, PLACES
from noisysynth.ui.motion_bar import MotionBar
from noisysynth.ui.player import Player
from noisysynth.ui.scope_panel import ScopePanel


class MorphPanel(QWidget):
    """Connects pad and player."""

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.pad = Pad()
        self.corners = CornerButtons(self.pad, player)
        self.motion = MotionBar(self.pad, player)
        self.scope = ScopePanel(player)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.UNIT)
        column.addWidget(self.pad, 1)
        column.addWidget(self.motion)
        column.addWidget(self.scope)

        self.pad.moved.connect(player.move_pad)
        self.pad.point_chosen.connect(self._choose)
        player.part_chosen.connect(self._leave)
        player.instrument_changed.connect(self._show_map)
        player.pins_changed.connect(self._show_map)
        player.preset_changed.connect(self._show_preset)
        player.blend_changed.connect(self._show_blend)
        player.parameter_changed.connect(self._show_place)
        self._show_map()

    @property
    def controls(self) -> tuple[QWidget, ...]:
        """What Tab leads to after the pad, in this order."""
        motion = self.motion
        return (*self.corners.buttons, motion.record, motion.play, motion.walk, motion.speed)

    def _leave(self) -> None:
        """Another part's pad is shown: neither hand nor motion goes on there."""
        self.pad.let_go()
        self.motion.rest()

    def _show_map(self) -> None:
        corners = self._player.corners
        if corners.blending:
            points = [NamedPoint(f"{LETTERS[i]}  {corners.pins[i].name}", *PLACES[i]) for i in corners.order]
        else:
            points = [NamedPoint(*place) for place in self._player.places]
        self.pad.set_points(points)
        self._show_preset(self._player.preset)

    def _show_preset(self, index: int) -> None:
        self.pad.set_chosen(-1 if self._player.corners.blending else index)

    def _choose(self, index: int) -> None:
        """A name on the pad was clicked."""
        corners = self._player.corners
        if corners.blending:
            self._player.move_pad(*PLACES[corners.order[index]])
        else:
            self._player.audition(index)

    def _show_place(self, parameter_id: str, _: float) -> None:
        if parameter_id in ("pad_x", "pad_y") and not self.pad.held:
            self.pad.set_position(self._player.values["pad_x"], self._player.values["pad_y"])

    def _show_blend(self, weights: Sequence[float]) -> None:
        self.pad.set_weights(weights)
