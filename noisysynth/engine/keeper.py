"""Keeps an engine process running: replaces one that dies, hangs or lost its sound server, with the same rack.

Another process stands by, its kernels loaded and the instruments read, so that sound is back in a few tenths of a
second; it costs memory (about that of the engine) and no time. What both share stays in shared memory.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import threading
import time
from multiprocessing.connection import wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.launch import Launched
from noisysynth.engine.messages import SERVER_LOST, Begin, OpenedAudio, Setup
from noisysynth.errors import UserError
from noisysynth.events import NOW, EventKind

HANG_S = 5.0
REQUEST_S = 20.0
MOST_DEATHS, DEATHS_WITHIN_S = 3, 10.0
_LOOK_S = 0.2
_SPARE_AFTER_S = 0.5
_SPARE_AGAIN_S = 20.0
_RESTART_S = 60.0
_STOP_S = 3.0
_KEPT_EVENTS = 4096
# What was sent so shortly before an engine's end may not have been heard by it.
_UNSURE_S, _UNSURE_HANGING_S = 0.5, HANG_S + 2.0
_KEY_EVENTS = (EventKind.NOTE_ON, EventKind.NOTE_OFF, EventKind.ALL_NOTES_OFF, EventKind.PANIC)


class Keeper:
    """One engine after another over one shared memory (`memory`: a row of MEMORY_DTYPE, filled)."""

    def __init__(self, memory_name: str, memory: np.void, setup: Setup, prepared: Launched | None = None) -> None:
        """prepared: the process to begin with, where one was launched already."""
        self.setup = setup
        self.restarts = 0
        self.opened: OpenedAudio | None = None  # None while no engine is up
        self.given_up = False
        self.progress: tuple[float, str] | None = None  # share of the kernels that are compiled, and what is under way
        self._memory_name = memory_name
        self._memory: Any = memory
        self._link: Launched = prepared or Launched()
        self._spare: Launched | None = None
        self._spare_at = time.monotonic() + _SPARE_AFTER_S
        self._numbers = itertools.count()
        self._asking = False
        self._notices: collections.deque[str] = collections.deque(maxlen=200)
        # A request may take seconds; notes must not wait for it, so each pipe has a lock of its own.
        self._event_lock = threading.Lock()
        self._request_lock = threading.RLock()
        # What was sent of late, and keys pressed through us with the time they moved: an engine that hangs or is gone
        # neither hears of it nor writes it down.
        self._recent: collections.deque[tuple[float, NDArray[np.void]]] = collections.deque(maxlen=_KEPT_EVENTS)
        self._keys = np.zeros_like(memory["held"])
        self._moved_s = np.full(self._keys.shape, -np.inf)
        self._hanged = False
        self._deaths: collections.deque[float] = collections.deque(maxlen=MOST_DEATHS)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="engine keeper", daemon=True)

    @property
    def pid(self) -> int:
        """Of the engine that plays."""
        return self._link.pid

    @property
    def spare(self) -> Launched | None:
        """What stands by."""
        return self._spare

    # life

    def start(self, timeout_s: float) -> None:
        """Bring the first engine up. UserError, and nothing is left running, when it does not come up."""
        self._link.begin(Begin(self._memory_name, self.setup))
        try:
            kind, payload = self._wait_for({"ready", "failed"}, timeout_s)
            if kind == "failed":
                raise UserError(payload)
        except UserError:
            self.stop()
            raise
        self.opened = payload
        self._thread.start()

    def stop(self) -> None:
        """Fade out and end everything. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._request_lock:
            self.opened = None
            self._link.ask_to_stop()
            self._link.end(_STOP_S)
            if self._spare is not None:
                self._spare.kill()
                self._spare.end(_STOP_S)
                self._spare.close()
                self._spare = None
            # Not before: who sends to an engine that hangs holds this lock until the engine's end.
            with self._event_lock:
                self._link.close()
            self._memory = None  # a view would keep the shared memory from being closed

    def change(self, **changes: Any) -> None:
        """The engine was told something that its successor must know too: fields of Setup."""
        self.setup = dataclasses.replace(self.setup, **changes)
        spare = self._spare
        if spare is not None and "instruments" in changes:
            spare.prepare(self.setup)

    def kill(self) -> None:
        self._link.kill()

    # events

    def send(self, events: NDArray[np.void]) -> None:
        """Rows of EVENT_DTYPE, in order; the next engine gets them where this one has ended."""
        with self._event_lock:
            self._remember(events[events["time"] == NOW])
            with contextlib.suppress(OSError, ValueError):
                self._link.events.send_bytes(events.tobytes())

    def _remember(self, events: NDArray[np.void]) -> None:
        now = time.monotonic()
        while self._recent and self._recent[0][0] < now - _UNSURE_HANGING_S:
            self._recent.popleft()
        of_keys = np.isin(events["kind"], _KEY_EVENTS)
        if not of_keys.all():
            self._recent.append((now, events[~of_keys]))
        for event in events[of_keys]:
            kind, channel, key = int(event["kind"]), int(event["channel"]), int(event["index"])
            if kind in (EventKind.ALL_NOTES_OFF, EventKind.PANIC):
                self._keys[:] = 0.0
                self._moved_s[:] = now
            elif 0 <= channel < self._keys.shape[0] and 0 <= key < self._keys.shape[1]:
                self._keys[channel, key] = event["value"] if kind == EventKind.NOTE_ON else 0.0
                self._moved_s[channel, key] = now

    def _begin(self, link: Launched) -> None:
        """Let `link` go on from where the engine before it ended."""
        with self._event_lock:
            since = time.monotonic() - (_UNSURE_HANGING_S if self._hanged else _UNSURE_S)
            unsure = self._moved_s > since
            self._memory["held"][unsure] = self._keys[unsure]
            down = np.argwhere(self._keys > 0.0)
            keys = frozenset((int(each[0]), int(each[1])) for each in down)
            old, self._link, self._hanged = self._link, link, False
            link.begin(Begin(self._memory_name, self.setup, again=True, keys=keys))
            # That some are heard twice does no harm: they say where things are, not how they move.
            for sent_s, events in self._recent:
                if sent_s > since:
                    with contextlib.suppress(OSError, ValueError):
                        link.events.send_bytes(events.tobytes())
            old.close()

    # requests and notices

    def request(self, name: str, *arguments: Any) -> Any:
        """What the engine answers. UserError with one line when it refuses, or is not there."""
        with self._request_lock:
            if self.given_up or self._stopping.is_set():
                raise UserError("the engine is not running; start it again")
            number = next(self._numbers)
            self._asking = True
            try:
                self._link.requests.send((number, name, arguments))
                while True:
                    kind, payload = self._wait_for({"answer", "error"}, REQUEST_S)
                    answered, result = payload
                    if answered != number:
                        continue  # an answer we gave up waiting for
                    if kind == "error":
                        raise UserError(result)
                    return result
            except (OSError, ValueError):
                raise UserError("the engine has just ended; try again in a moment") from None
            finally:
                self._asking = False

    def notices(self) -> list[str]:
        """Lines for the player since the last call."""
        self._listen()
        lines = []
        while self._notices:
            lines.append(self._notices.popleft())
        return lines

    def _wait_for(self, kinds: set[str], timeout_s: float) -> tuple[str, Any]:
        deadline = time.monotonic() + timeout_s
        link = self._link
        while True:
            try:
                # In short turns: `stop` does not wait for an engine that takes its time.
                if link.requests.poll(_LOOK_S):
                    message = link.requests.recv()
                elif time.monotonic() > deadline:
                    link.kill()
                    raise UserError(f"the engine did not answer within {timeout_s:.0f} s; start noisysynth again")
                elif self._stopping.is_set():
                    raise UserError("the engine was stopped")
                else:
                    continue
            except (EOFError, OSError):
                raise UserError("the engine ended unexpectedly; try again") from None
            if message[0] in kinds:
                return message[0], message[1] if len(message) == 2 else message[1:]
            self._take(message)

    def _listen(self) -> None:
        """Take in what the engine said by itself; while a request waits for its answer, that takes it in."""
        if not self._request_lock.acquire(blocking=False):
            return
        try:
            while not self._stopping.is_set() and self._link.requests.poll():
                self._take(self._link.requests.recv())
        except (EOFError, OSError):
            pass  # its end is noticed by the thread that watches
        finally:
            self._request_lock.release()

    def _take(self, message: tuple[Any, ...]) -> None:
        if message[0] == "notice":
            self._notices.append(message[1])
        elif message[0] == "audio":
            self.opened = message[1]
        elif message[0] == "progress":
            self.progress = message[1:]
        elif message[0] == "wanted":
            self.change(audio=message[1])

    # watching

    def _watch(self) -> None:
        looked_s = time.monotonic()
        beats = np.zeros(2, np.int64)
        moved_s = [looked_s, looked_s]
        while not self._stopping.is_set() and not self.given_up:
            ended = wait([self._link.sentinel], _LOOK_S)
            if self._stopping.is_set():
                return
            now = time.monotonic()
            if ended:
                self._replace()
                now = time.monotonic()
                moved_s = [now, now]
            elif now - looked_s > 1.0:
                moved_s = [now, now]  # this process was held itself, and so maybe was the engine
            looked_s = now
            for i, beat in enumerate(self._memory["heartbeat"]):
                if beat != beats[i]:
                    beats[i], moved_s[i] = beat, now
            patience_s = REQUEST_S if self._asking else HANG_S
            if now - min(moved_s) > patience_s:
                self._notices.append("the engine hangs; it is ended and starts again by itself")
                self._hanged = True
                self._link.kill()
                moved_s = [now, now]
            self._keep_spare(now)

    def _keep_spare(self, now: float) -> None:
        if self._spare is not None and not self._spare.alive:
            self._spare.close()
            self._spare, self._spare_at = None, now + _SPARE_AGAIN_S
        if self._spare is None and now > self._spare_at and not self.given_up:
            self._spare = Launched(spare=True)
            self._spare.prepare(self.setup)

    def _replace(self) -> None:
        """Put a successor in the place of the engine that ended."""
        ended_s = time.monotonic()
        with self._request_lock:
            self._listen()  # its last words
            self.opened = None
        self.restarts += 1
        code = self._link.exit_code
        if code != SERVER_LOST:
            self._deaths.append(ended_s)
            if len(self._deaths) == MOST_DEATHS and ended_s - self._deaths[0] < DEATHS_WITHIN_S:
                self._notices.append(f"the engine ended {MOST_DEATHS} times in a row ({code}); start noisysynth again")
                self.given_up = True
                return
            self._notices.append(f"the engine ended unexpectedly ({code}); it starts again by itself")
        with self._request_lock:
            successor, self._spare = self._spare or Launched(), None
            self._spare_at = time.monotonic() + _SPARE_AFTER_S
            self._begin(successor)
            # That it fails to come up is seen by its sentinel.
            with contextlib.suppress(UserError):
                kind, payload = self._wait_for({"ready", "failed"}, _RESTART_S)
                if kind == "ready":
                    self.opened = payload
                    if code != SERVER_LOST:
                        self._notices.append(f"the engine is back after {time.monotonic() - ended_s:.1f} s")
                    elif payload.running:
                        self._notices.append(f"playing on {payload.name!r}")
                else:
                    self._notices.append(payload)
