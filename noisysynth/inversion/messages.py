"""What a search in a process of its own tells while it works."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from noisysynth.inversion.picture import Shades


@dataclasses.dataclass(frozen=True, eq=False)
class Heard:
    """The recording was read. pitch: MIDI, fractional. picture: its spectrogram."""

    pitch: float
    seconds: float
    picture: Shades


@dataclasses.dataclass(frozen=True, eq=False)
class Underway:
    """share: 0..1 of the way. picture: of the best so far, where there is a new one."""

    share: float
    what: str
    picture: Shades | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """The end. latent: [Z]. parameters: what a preset sets besides, by id. preset: the instrument's nearest.

    Distances are spectral distances to the recording.
    """

    latent: npt.NDArray[np.float32]
    parameters: dict[str, float]
    pitch: float
    velocity: float
    gate_s: float
    distance: float
    preset: str
    preset_distance: float
    picture: Shades


@dataclasses.dataclass(frozen=True)
class Failed:
    """The end, too: one line for the player."""

    line: str


Message = Heard | Underway | Found | Failed
