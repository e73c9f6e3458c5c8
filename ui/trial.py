"""A sound on trial: it plays until it is kept or discarded, and then all is as it was before."""

from __future__ import annotations

import dataclasses

from noisysynth.ui.history import Change, History
from noisysynth.ui.latent_map import Vector


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """base: the base latent [Z] that sounds at the place x, y of the pad. The rest: how everything was before."""

    base: Vector
    x: float
    y: float
    before: Change
    preset_stood: bool
    history: History

    def is_at(self, x: float, y: float) -> bool:
        return abs(x - self.x) < 1e-4 and abs(y - self.y) < 1e-4
