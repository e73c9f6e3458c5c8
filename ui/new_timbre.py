"""A timbre that nobody has: drawn from where the instrument's sounds are, and set in the part that is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from noisysynth.parameters import N_KNOBS
from noisysynth.ui.part import PLACE

if TYPE_CHECKING:
    from noisysynth.ui.player import Player

WHAT = "new timbre"
_ITS_OWN = {*PLACE, *(f"knob_{number}" for number in range(1, N_KNOBS + 1))}


class NewTimbres:
    """Each differs from all before it; undo goes back through them, and saving one makes it a preset."""

    def __init__(self, player: Player, seed: int | None = None) -> None:
        """seed: to draw the same ones again."""
        self._player = player
        self._rng = np.random.default_rng(seed)

    def draw(self, heard: bool = True) -> None:
        """Draw one, and let it be heard where nothing is played.

        Level, envelopes and effects stay; the latent knobs go to their middle.
        """
        player, part = self._player, self._player.part
        if part.instrument is None:
            return
        player.hands.end_audition()
        quiet = not player.notes.notes
        latent = part.instrument.draw_latents(1, self._rng)[0]
        kept = {key: value for key, value in part.sound().items() if key not in _ITS_OWN}
        nearest = min(part.instrument.presets, key=lambda preset: float(np.square(preset.latent - latent).sum()))
        preset = part.preset_of(f"Near {nearest.name}", latent, kept)
        if preset is None:
            return
        with player.changes.edit(WHAT, player.chosen):
            player.select_stray(preset, player.chosen)
        player.noticed.emit(f"a new timbre, near {nearest.name}; save it (Ctrl+S) or draw another (Ctrl+N)")
        if quiet and heard:
            player.hands.audition()
