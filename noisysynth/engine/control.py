"""The control thread: takes events as they come, keeps the voices supplied with frames; it alone touches the rack."""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDoneError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.audio import OutputStream
from noisysynth.engine.offline import SilentStream
from noisysynth.engine.priority import raise_thread_priority
from noisysynth.engine.rack import Rack
from noisysynth.engine.state import frame_samples
from noisysynth.engine.supply import LOOKAHEAD
from noisysynth.errors import UserError
from noisysynth.events import NOW, EventKind, make_event

# How long a note may take from its arrival to the queue; with it, all notes are late by the same time and keep rhythm.
COMPUTE_ALLOWANCE_S = 0.00125
# A key whose release may have been missed, while the engine was replaced, sounds no longer than this.
DOUBTFUL_S = 10.0
_TICK_S = 0.002
# Kinds that say where something is, whatever was said of it before. (A controller may be a step, 96 and 97: those come
# from buttons, not in floods.)
_POSITIONS = (
    EventKind.PITCH_BEND,
    EventKind.CONTROL_CHANGE,
    EventKind.PARAMETER,
    EventKind.LATENT,
    EventKind.CHANNEL_PRESSURE,
)
_LONGEST_WITHOUT_FRAMES_S = 0.004
_JOB_S = 10.0

Stream = OutputStream | SilentStream
Job = tuple[Callable[[], Any], "Future[Any]"]


class Inbox:
    """Events and jobs from any thread, with the moment they came. `put` never blocks."""

    def __init__(self) -> None:
        self._waiting: collections.deque[tuple[float, NDArray[np.void] | Job]] = collections.deque()
        self.arrived = threading.Event()

    def put(self, event: NDArray[np.void], came_s: float | None = None) -> None:
        """event: [1] of EVENT_DTYPE. came_s: when it came by time.perf_counter, if not now."""
        self._waiting.append((time.perf_counter() if came_s is None else came_s, event))
        self.arrived.set()

    def do(self, work: Callable[[], Any]) -> Any:
        """Have the control thread do something between two events; returns or raises what it does."""
        done: Future[Any] = Future()
        self._waiting.append((time.perf_counter(), (work, done)))
        self.arrived.set()
        try:
            return done.result(_JOB_S)
        except NotDoneError:
            done.cancel()
            raise UserError("the engine is too busy; try again") from None

    def supersedes(self, event: NDArray[np.void]) -> bool:
        """Whether what comes next says anew what `event` says: of a flood of moves only the last counts."""
        if event["kind"][0] not in _POSITIONS or not self._waiting:
            return False
        other = self._waiting[0][1]
        return not isinstance(other, tuple) and all(
            event[name][0] == other[name][0] for name in ("time", "kind", "channel", "part", "index")
        )

    def take(self) -> tuple[float, NDArray[np.void] | Job] | None:
        """The oldest, or None when there is nothing."""
        return self._waiting.popleft() if self._waiting else None


class ControlThread:
    """Runs a rack against a stream's clock until `stop`.

    doubtful: (channel, key) of keys that are held as far as is known, but whose release may have been missed.
    """

    def __init__(
        self,
        rack: Rack,
        state: np.void,
        memory: np.void,
        stream: Stream,
        block_size: int,
        inbox: Inbox,
        doubtful: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self._rack = rack
        self._state = state
        self._memory = memory
        self._stream = stream
        self._block_size = block_size
        # A device whose buffer holds several blocks asks for them in a row.
        self._burst = max(block_size, round(stream.latency_s * stream.sample_rate))
        rack.keep_ahead(self._burst)
        self._inbox = inbox
        self._scheduled: list[tuple[int, int, NDArray[np.void]]] = []
        self._order = itertools.count()
        self._doubtful = set(doubtful)
        self._doubt_ends = time.monotonic() + DOUBTFUL_S
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
                more = True
                # A note waits for one chunk of frames at most, and frames for one handful of events.
                while more and self._running:
                    more = self._take_events()
                    more |= self._rack.advance()
                    self._memory["heartbeat"][0] += 1
                self._state["load"] = self._stream.load
                if self._doubtful and time.monotonic() > self._doubt_ends:
                    self._release_doubtful()
        except BaseException as error:  # told to the player by the process, which looks at it
            self.error = error

    def _take_events(self) -> bool:
        """True when some had to be left for later."""
        began_s = time.perf_counter()
        more = False
        while (item := self._inbox.take()) is not None:
            came_s, what = item
            if isinstance(what, tuple):
                _do(*what)
            elif what["time"][0] != NOW:
                heapq.heappush(self._scheduled, (int(what["time"][0]), next(self._order), what))
            elif not self._inbox.supersedes(what):
                if self._doubtful and what["kind"][0] in (EventKind.NOTE_ON, EventKind.NOTE_OFF):
                    self._doubtful.discard((int(what["channel"][0]), int(what["index"][0])))
                self._rack.handle(what[0], self._sample_of(came_s))
            if time.perf_counter() - began_s > _LONGEST_WITHOUT_FRAMES_S:
                more = True
                break
        horizon = self._rack.now() + self._burst + LOOKAHEAD * frame_samples(float(self._state["sample_rate"]))
        while self._scheduled and self._scheduled[0][0] <= horizon:
            sample, _, event = heapq.heappop(self._scheduled)
            self._rack.handle(event[0], sample)
        return more

    def _release_doubtful(self) -> None:
        for channel, key in self._doubtful:
            self._rack.handle(make_event(EventKind.NOTE_OFF, key, channel=channel)[0], 0)
        self._doubtful.clear()

    def _sample_of(self, came_s: float) -> int:
        """The sample at which something that came at perf_counter time `came_s` should happen.

        The block being rendered then is lost already; the next one begins a block later.
        """
        sample_rate = float(self._state["sample_rate"])
        device_s = self._stream.time - (time.perf_counter() - came_s)
        sample = (device_s - float(self._state["stream_time_zero"])) * sample_rate
        earliest = self._rack.now()
        latest = earliest + self._burst + self._block_size + int(2 * COMPUTE_ALLOWANCE_S * sample_rate)
        wanted = sample + self._block_size + COMPUTE_ALLOWANCE_S * sample_rate
        # A clock that jumps (a device that was suspended) must not make notes wait.
        return int(min(max(wanted, earliest), latest)) if np.isfinite(wanted) else earliest


def _do(work: Callable[[], Any], done: Future[Any]) -> None:
    if not done.set_running_or_notify_cancel():
        return  # nobody waits any longer
    try:
        done.set_result(work())
    except Exception as error:
        with contextlib.suppress(Exception):
            done.set_exception(error)
