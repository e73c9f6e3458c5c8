"""Spectrograms of short sounds as shades, and two of them as a PNG file; the frequency axis is the window's own."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from noisysynth.errors import UserError
from noisysynth.listening.log_spectrum import FLOOR_DB, LABELS, TOP_DB, LogSpectrum, place

Shades = npt.NDArray[np.uint8]

ROWS, COLUMNS = 160, 280
WINDOW_S = 0.06
_SCALE, _GAP, _MARGIN, _TICK = 2, 24, 16, 6
_GROUND, _INK = 24, 170
# The colour map inferno as polynomials of the level (Zucker, 2019), red, green and blue; largest error 9 of 255.
_INFERNO = np.array([
    [0.0002189403691192265, 0.001651004631001012, -0.01948089843709184],
    [0.1065134194856116, 0.5639564367884091, 3.932712388889277],
    [11.60249308247187, -3.972853965665698, -15.9423941062914],
    [-41.70399613139459, 17.43639888205313, 44.35414519872813],
    [77.162935699427, -33.40235894210092, -81.80730925738993],
    [-71.31942824499214, 32.62606426397723, 73.20951985803202],
    [25.13112622477341, -12.24266895238567, -23.07032500287172],
])  # fmt: skip


def spectrogram(audio: npt.NDArray[np.float32], rate: int, rows: int = ROWS, columns: int = COLUMNS) -> Shades:
    """Levels [rows, columns] of audio [samples] from end to end, highest first, 0 to 255 for FLOOR_DB to TOP_DB."""
    size = 2 * round(0.5 * WINDOW_S * rate)
    spectrum = LogSpectrum(size, rate, rows)
    padded = np.pad(np.asarray(audio, np.float32), (size // 2, size))
    centers = ((np.arange(columns) + 0.5) / columns * len(audio)).astype(int)
    levels = np.stack([spectrum.levels_db(frame) for frame in sliding_window_view(padded, size)[centers]], axis=1)
    return np.clip((levels[::-1] - FLOOR_DB) * (255.0 / (TOP_DB - FLOOR_DB)), 0.0, 255.0).astype(np.uint8)


def write_pair(path: Path, recording: Shades, result: Shades) -> None:
    """Both side by side, the recording at the left, with ticks at 100, 1,000 and 10,000 Hz. UserError when it fails."""
    panels = []
    for shades in (recording, result):
        image = _inferno()[np.repeat(np.repeat(shades, _SCALE, axis=0), _SCALE, axis=1)]
        framed = np.full((image.shape[0], image.shape[1] + _TICK, 3), _GROUND, np.uint8)
        framed[:, _TICK:] = image
        for hz in LABELS:
            framed[round((1.0 - place(hz)) * (image.shape[0] - 1)), : _TICK - 1] = _INK
        panels.append(framed)
    gap = np.full((panels[0].shape[0], _GAP, 3), _GROUND, np.uint8)
    whole = np.concatenate((panels[0], gap, panels[1]), axis=1)
    picture = np.pad(whole, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), constant_values=_GROUND)
    try:
        path.write_bytes(png(picture))
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG file of a picture [height, width, 3] (ISO/IEC 15948)."""
    height, width, _ = picture.shape
    lines = np.concatenate((np.zeros((height, 1), np.uint8), picture.reshape(height, -1)), axis=1)  # unfiltered

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _inferno() -> npt.NDArray[Any]:
    """Colours [256, 3]."""
    level = np.linspace(0.0, 1.0, 256)[:, None] ** np.arange(len(_INFERNO))
    return np.clip(np.round(255.0 * level @ _INFERNO), 0, 255).astype(np.uint8)
