"""SynthSpec: the shape of what a control network drives; the contract between training and playing."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.errors import UserError

# The engine's record of a voice is laid out once for these sizes, so no instrument may exceed them.
MAX_HARMONICS = 128
MAX_NOISE_BANDS = 80
MAX_LATENT = 64

NOISE_LOWEST_HZ = 40.0
NOISE_HIGHEST_HZ = 20_000.0


@dataclasses.dataclass(frozen=True)
class SynthSpec:
    """Sizes of a control network's inputs and outputs.

    n_harmonics: partials of the harmonic synth, at k * f0 for k = 1..n_harmonics.
    n_noise_bands: bands of the noise synth, centred at `noise_band_centers_hz`.
    latent_size: length of the latent vector z.
    sample_rate: Hz, of the recordings that were learned from. Playing may use another rate.
    frame_rate: control frames per second of the training data. The network is continuous in time,
        so playing may ask for other times.
    """

    n_harmonics: int = 100
    n_noise_bands: int = 64
    latent_size: int = 32
    sample_rate: int = 44_100
    frame_rate: int = 250

    def __post_init__(self) -> None:
        limits = {
            "n_harmonics": (1, MAX_HARMONICS),
            "n_noise_bands": (2, MAX_NOISE_BANDS),
            "latent_size": (1, MAX_LATENT),
            "sample_rate": (8_000, 192_000),
            "frame_rate": (20, 2_000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise UserError(f"synth spec: {name} must be a whole number from {low} to {high}, not {value!r}")

    def to_json(self) -> dict[str, int]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> SynthSpec:
        """Raise UserError when `data` is not exactly the fields of a SynthSpec."""
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(data, dict) or set(data) != names:
            raise UserError(f"synth spec must have exactly the fields {', '.join(sorted(names))}")
        return cls(**data)


def midi_to_hz(pitch: Any) -> Any:
    """Frequency in Hz of a (fractional) MIDI note number or array of them, A4 = 69 = 440 Hz."""
    return 440.0 * 2.0 ** ((np.asarray(pitch, dtype=np.float64) - 69.0) / 12.0)


def hz_to_mel(hz: float) -> float:
    """O'Shaughnessy's mel scale (Speech Communication, 1987)."""
    return 2595.0 * math.log10(1.0 + hz / 700.0)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `hz_to_mel`."""
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def noise_band_centers_hz(n_bands: int) -> NDArray[np.float64]:
    """Centre frequencies [n_bands] of the noise bands, evenly spaced in mel.

    Band b responds in power as a triangle (linear in Hz) that is 1 at its own centre and 0 at its
    neighbours' centres, so equal band densities add up to a flat power spectrum between the outer centres.
    """
    return mel_to_hz(np.linspace(hz_to_mel(NOISE_LOWEST_HZ), hz_to_mel(NOISE_HIGHEST_HZ), n_bands))


def noise_band_edges_hz(n_bands: int) -> NDArray[np.float64]:
    """Where the triangles of the noise bands begin and end, [n_bands + 2]: band b spans edges b to b + 2.

    The outermost bands fall to zero over their own inner width, mirrored.
    """
    centers = noise_band_centers_hz(n_bands)
    return np.concatenate(([2 * centers[0] - centers[1]], centers, [2 * centers[-1] - centers[-2]]))


def noise_band_responses(frequencies_hz: NDArray[np.float64], n_bands: int) -> NDArray[np.float64]:
    """Power response [n_bands, len(frequencies_hz)] of the noise bands, triangles of height 1."""
    edges = noise_band_edges_hz(n_bands)
    f = np.asarray(frequencies_hz, dtype=np.float64)[None, :]
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (f - low) / (mid - low)
    falling = (high - f) / (high - mid)
    return np.clip(np.minimum(rising, falling), 0.0, None)
