"""Reads what the engine gave to the device, sample by sample, whether or not the server was in time to take it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.client import EngineClient
from noisysynth.engine.state import TAPE_LENGTH


class TapeReader:
    """From now on; to be read at least every few seconds. Survives that an engine begins anew: its clock is at 0."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._at = self._newest()

    def _newest(self) -> int:
        shared = self._client._shared
        return int(shared["state"][0]["tape_position"][0]) if shared is not None else 0

    def read(self) -> NDArray[np.float32]:
        """All that came since the last call, [n, 2]."""
        newest, shared = self._newest(), self._client._shared
        if newest < self._at:
            self._at = 0
        if shared is None or newest == self._at:
            return np.zeros((0, 2), np.float32)
        assert newest - self._at < TAPE_LENGTH, "read too late"
        tape: NDArray[np.float32] = shared["state"][0]["tape"]
        audio = tape[np.arange(self._at, newest) % TAPE_LENGTH]
        self._at = newest
        return audio
