"""The control thread: takes events as they come, keeps the voices supplied with frames, watches the device."""

from __future__ import annotations

import collections
import heapq
import itertools
import threading
import time

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.audio import OutputStream
from noisysynth.engine.offline import SilentStream
from noisysynth.engine.performer import LOOKAHEAD, Performer
from noisysynth.engine.priority import raise_thread_priority
from noisysynth.engine.queues import rendered_samples
from noisysynth.engine.state import frame_samples
from noisysynth.events import NOW

# How long a note may take from its arrival to the queue; with it, all notes are late by the same time and keep rhythm.
COMPUTE_ALLOWANCE_S = 0.0015
_TICK_S = 0.002
_LONGEST_WITHOUT_FRAMES_S = 0.004

Stream = OutputStream | SilentStream


class Inbox:
    """Events from any thread, with the moment they came. Never blocks."""

    def __init__(self) -> None:
        self._events: collections.deque[tuple[float, NDArray[np.void]]] = collections.deque()
        self.arrived = threading.Event()

    def put(self, event: NDArray[np.void], wake: bool = True) -> None:
        """event: [1] of EVENT_DTYPE."""
        self._events.append((time.perf_counter(), event))
        if wake:
            self.arrived.set()

    def take(self) -> list[tuple[float, NDArray[np.void]]]:
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events


class ControlThread:
    """Runs a Performer against a stream's clock until `stop`."""

    def __init__(self, performer: Performer, state: np.void, stream: Stream, block_size: int, inbox: Inbox) -> None:
        self._performer = performer
        self._state = state
        self._stream = stream
        self._block_size = block_size
        # A device whose buffer holds several blocks asks for them in a row.
        self._burst = max(block_size, round(stream.latency_s * stream.sample_rate))
        performer.keep_ahead(self._burst)
        self._inbox = inbox
        self._scheduled: list[tuple[int, int, NDArray[np.void]]] = []
        self._order = itertools.count()
        self._running = True
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._running = False
        self._inbox.arrived.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        raise_thread_priority()
        try:
            while self._running:
                self._inbox.arrived.wait(_TICK_S)
                self._inbox.arrived.clear()
                self._tick()
        except BaseException as error:  # told to the player by the process, which looks at it
            self.error = error

    def _tick(self) -> None:
        advanced_s = time.perf_counter()
        for came_s, event in self._inbox.take():
            if time.perf_counter() - advanced_s > _LONGEST_WITHOUT_FRAMES_S:
                self._performer.advance()
                advanced_s = time.perf_counter()
            if event["time"][0] == NOW:
                self._performer.handle(event[0], self._sample_of(came_s))
            else:
                heapq.heappush(self._scheduled, (int(event["time"][0]), next(self._order), event))
        horizon = (
            int(rendered_samples(self._state))
            + self._burst
            + LOOKAHEAD * frame_samples(float(self._state["sample_rate"]))
        )
        while self._scheduled and self._scheduled[0][0] <= horizon:
            sample, _, event = heapq.heappop(self._scheduled)
            self._performer.handle(event[0], sample)
        self._performer.advance()
        values = self._performer.values()
        self._state["parameters"][: len(values)] = values
        self._state["load"] = self._stream.load

    def _sample_of(self, came_s: float) -> int:
        """The sample at which something that came at perf_counter time `came_s` should happen.

        The block being rendered then is lost already; the next one begins a block later.
        """
        sample_rate = float(self._state["sample_rate"])
        device_s = self._stream.time - (time.perf_counter() - came_s)
        sample = (device_s - float(self._state["stream_time_zero"])) * sample_rate
        earliest = int(rendered_samples(self._state))
        latest = earliest + self._burst + self._block_size + int(2 * COMPUTE_ALLOWANCE_S * sample_rate)
        wanted = sample + self._block_size + COMPUTE_ALLOWANCE_S * sample_rate
        # A clock that jumps (a device that was suspended) must not make notes wait.
        return int(min(max(wanted, earliest), latest)) if np.isfinite(wanted) else earliest
