"""The live engine without a device: events in, audio out, as fast as the machine can."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.arena import Arena
from noisysynth.engine.control_net import ControlNet
from noisysynth.engine.rack import Rack
from noisysynth.engine.render import render_block
from noisysynth.engine.state import MEMORY_DTYPE, STATE_DTYPE, forget_all, frame_samples, prepare
from noisysynth.instrument import Instrument


class OfflineEngine:
    """A rack and a clock that moves when `render` is called; `instrument` plays in the first part.

    `state` and `memory` are the engine's rows, for those who want to look inside.
    """

    def __init__(self, instrument: Instrument, sample_rate: int = 48_000, block_size: int | None = None) -> None:
        """block_size: samples per rendered block; any size gives the same sound."""
        self.sample_rate = sample_rate
        self._step = frame_samples(sample_rate)
        self._block_size = block_size or self._step
        self._record = np.zeros(1, STATE_DTYPE)
        prepare(self._record, sample_rate)
        self.state = self._record[0]
        self.state["start_gain"] = 1.0  # nobody hears it switched on
        self.arena = Arena(sample_rate)
        memory = np.zeros(1, MEMORY_DTYPE)
        forget_all(memory)
        self.memory = memory[0]
        self.rack = Rack(self._record, self.memory, self.arena, self._block_size)
        self.load(0, instrument)

    def load(self, part: int, instrument: Instrument) -> None:
        """Play `instrument` in this part from the next note on."""
        self.rack.load(part, instrument, ControlNet(instrument))

    def blocks(self, events: NDArray[np.void], n_samples: int) -> Iterator[NDArray[np.float32]]:
        """Yield stereo blocks [<= block_size, 2] until n_samples have come; events: rows of EVENT_DTYPE by time."""
        start = int(self.state["position"][0])
        done = 0
        waiting = 0
        while done < n_samples:
            size = min(self._block_size, n_samples - done)
            # Two frames beyond the block, so that no frame is computed without knowing what happens before it.
            horizon = start + done + size + 2 * self._step
            while waiting < len(events) and events["time"][waiting] < horizon:
                event = events[waiting]
                self.rack.handle(event, int(event["time"]))
                waiting += 1
            while self.rack.advance():
                pass
            out = np.empty((size, 2), np.float32)
            render_block(self.state, *self.arena.arrays, out)
            yield out
            done += size

    def render(self, events: NDArray[np.void], n_samples: int) -> NDArray[np.float32]:
        """The next n_samples as one array [n_samples, 2]."""
        return np.concatenate([*self.blocks(events, n_samples), np.empty((0, 2), np.float32)])


class SilentStream:
    """Stands in for a device where there is none: keeps the engine's clock, meters and scope going, unheard."""

    name = ""
    latency_s = 0.0
    load = 0.0
    active = True

    def __init__(self, state: NDArray[np.void], arena: Arena, block_size: int) -> None:
        """state: shape [1], STATE_DTYPE, prepared for the arena's sample rate."""
        self._row = state[0]
        self._arrays = arena.arrays
        self.sample_rate = float(self._row["sample_rate"])
        self._block_size = block_size
        self._running = threading.Event()
        self._running.set()
        self._thread = threading.Thread(target=self._run, name="silent stream", daemon=True)
        self._thread.start()

    @property
    def time(self) -> float:
        return time.perf_counter()

    def close(self) -> None:
        self._running.clear()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        out = np.zeros((self._block_size, 2), np.float32)
        period_s = self._block_size / self.sample_rate
        due = self.time
        while self._running.is_set():
            self._row["stream_time_zero"] = due - float(self._row["position"][0]) / self.sample_rate
            render_block(self._row, *self._arrays, out)
            due += period_s
            wait_s = due - self.time
            if wait_s > 0:
                time.sleep(wait_s)
            else:
                due = self.time
