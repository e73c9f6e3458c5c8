"""Keeps every voice supplied with control frames: which ones to compute, when, and how many at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.channels import Channel
from noisysynth.engine.control_net import MOST_ROWS, ControlFrames
from noisysynth.engine.damper import damp, damper_lookback, damper_memory
from noisysynth.engine.part import Part
from noisysynth.engine.queues import consumed_frames, frame_room, push_command, push_controls, push_frames
from noisysynth.engine.sound import Sound
from noisysynth.engine.state import (
    CONTROLS,
    NO_TIME,
    NOISE_BANDS,
    PARTS,
    QUANTUM,
    RING,
    VOICES,
    Command,
    frame_samples,
)
from noisysynth.engine.voices import NEVER, NO_KEY, VoicePool
from noisysynth.spec import MAX_HARMONICS, midi_to_hz

# Frames a voice has at least beyond the one it heads for and beyond the device's block: 16 ms during which the control
# thread may be late unheard.
LOOKAHEAD = 4
# A crowd gets frames from the network less often, for notes change slowly once they have begun: up to so many voices,
# every n-th frame is computed and those between lie on straight lines. At 8 ms a vibrato of 5.5 Hz loses 1 % of its
# depth, at 16 ms 4 %, at 32 ms 15 %. Frames are computed a few at a time: a call of the network costs as much as 20.
_STRIDES = ((16, 1), (48, 2), (160, 4), (VOICES, 8))
_REFILL = np.array([0, 3, 4, 0, 8, 0, 0, 0, 8])  # by stride: frames missing before it is worth a call
_MOST_REFILL = int(_REFILL.max())
_NO_FRAME = -2
_SETTLED_S = 0.1  # since it began, or since its key went up
# A released note whose partials and bands are all below this (-100 dB) is over.
_SILENT = 1e-5


class FrameSupply:
    """Computes and queues what voices lack. Whoever changes what frames say sets `stale` or `stale_controls`."""

    def __init__(self, state: NDArray[np.void], voices: VoicePool, channels: Sequence[Channel]) -> None:
        """state: [1], STATE_DTYPE, prepared. Parts are to be given to `serve`."""
        self._queues, self._state = state, state[0]
        self._sample_rate = float(self._state["sample_rate"])
        self._hop = frame_samples(self._sample_rate)
        self.voices = voices
        self._channels = channels
        self._parts: Sequence[Part] = ()
        self.sounds: dict[int, Sound] = {}  # by number, as voices name them; also those that only ring out
        # What the network said last of each voice, and of which frame: where the next straight line begins.
        self._last_frame = np.full(VOICES, _NO_FRAME, np.int64)
        self._last = ControlFrames(
            np.zeros(VOICES, np.float32),
            np.zeros(VOICES, np.float32),
            np.zeros((VOICES, MAX_HARMONICS), np.float32),
            np.zeros((VOICES, NOISE_BANDS), np.float32),
        )
        self._damper = damper_memory()
        self.stale = np.zeros(PARTS, bool)  # frames already computed no longer tell the truth
        self.stale_controls = np.zeros(PARTS, bool)  # the same of their controls alone
        self._forget_at = 0
        self.keep_ahead(0)
        self._compile()

    def serve(self, parts: Sequence[Part]) -> None:
        """The parts that voices belong to."""
        self._parts = parts

    @property
    def largest_block(self) -> int:
        """The most samples that can be rendered between two calls of `advance`."""
        return self._hop * (RING - LOOKAHEAD - _MOST_REFILL - 1)

    def keep_ahead(self, samples: int) -> None:
        """Have frames for so many samples to be rendered in a row, as far as a voice can hold them."""
        self._lookahead = min(LOOKAHEAD + math.ceil(samples / self._hop), RING - _MOST_REFILL - 1)

    def _compile(self) -> None:
        """Call once what the first note calls: compiling takes a second, and loading from the cache takes a while."""
        none, nothing = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
        controls = np.zeros((0, 0, CONTROLS), np.float32)
        noise = np.zeros((0, 0, NOISE_BANDS), np.float32)
        hz = np.zeros((0, 0))
        push_frames(self._queues, none, none, none, hz, nothing, nothing, noise, noise, controls)
        damp(*self._damper, none, none, np.zeros((0, 0), np.int64), nothing, noise, noise)
        push_controls(self._queues, none, none, none, controls)
        push_command(self._queues, int(Command.SILENCE), 0, 0, 0, 0, 0)
        frame_room(self._queues)
        consumed_frames(self._queues)

    def advance(self, position: int) -> bool:
        """Compute the most urgent frames, about a millisecond's work. True: more are missing, call again.

        position: samples rendered so far.
        """
        self._free_voices()
        pool = self.voices
        self._retire(pool.indices(), position)
        voices = pool.indices()
        if len(voices) == 0:
            self.stale[:] = self.stale_controls[:] = False
            self._forget_before(position)
            return False
        # A note that came late began late, and its frames count from there.
        begun = pool.begins_at[voices] <= int(consumed_frames(self._queues))
        pool.onset[voices[begun]] = self._state["voice_onset"][voices[begun]]
        first_quantum = pool.onset[voices] // QUANTUM * QUANTUM
        heading_for = np.maximum((position - first_quantum) // self._hop + 1, 0)
        heading_for[~begun] = 0
        parts = pool.part[voices]
        stale = self.stale[parts] | pool.stale[voices]
        retell = self.stale_controls[parts] & ~stale
        self.stale[:] = self.stale_controls[:] = pool.stale[voices] = False
        self._retell_voices(voices, heading_for, retell)
        pool.next_frame[voices] = np.where(stale, heading_for, np.maximum(pool.next_frame[voices], heading_for))
        stride = self._stride(voices, position)
        missing = heading_for + self._lookahead + _REFILL[stride] + 1 - pool.next_frame[voices]
        # The nearer a voice is to its last frame, the sooner; one that has not begun comes first of all.
        more = False
        if (missing >= _REFILL[stride]).any() or not pool.started[voices].all():
            # Where all is to be computed anew, again and again, those that run dry first must not wait for others.
            dry_in = pool.sent[voices] - heading_for
            more = self._compute_chunk(voices, heading_for, missing, stride, dry_in)
        self._forget_before(position)
        return more

    def _stride(self, voices: NDArray[np.int64], position: int) -> NDArray[np.int64]:
        """Of how many frames one is computed, for each voice."""
        stride = next(stride for most, stride in _STRIDES if len(voices) <= most)
        if stride == 1:
            return np.ones(len(voices), np.int64)
        onset, off = self.voices.onset[voices], self.voices.off[voices]
        long_ago = position - int(_SETTLED_S * self._sample_rate)
        return np.where((onset < long_ago) & ((off == NO_TIME) | (off < long_ago)), stride, 1)

    def _compute_chunk(
        self,
        voices: NDArray[np.int64],
        heading_for: NDArray[np.int64],
        missing: NDArray[np.int64],
        stride: NDArray[np.int64],
        dry_in: NDArray[np.int64],
    ) -> bool:
        """The voices of one sound that run dry first get as many frames as the first lacks; True when others wait."""
        pool = self.voices
        new = ~pool.started[voices]
        goes_on = ~new & (stride > 1) & (self._last_frame[voices] == pool.next_frame[voices] - 1)
        patience = np.where(new, -1, np.where(missing >= _REFILL[stride], dry_in, NEVER))
        first = int(np.argmin(patience))
        lacks, step = int(missing[first]), int(stride[first])
        if goes_on[first]:
            rows = lacks // step
            count = rows * step
        else:
            # What it needs for now: the rest of a new note's comes with everybody's, and one that is computed anew
            # because a knob moves will be so again before long.
            now = self._lookahead if new[first] else self._lookahead + 1
            rows = math.ceil((min(lacks, now) - 1) / step) + 1
            count = (rows - 1) * step + 1
        like = (pool.sound[voices] == pool.sound[voices[first]]) & (pool.part[voices] == pool.part[voices[first]])
        like &= (new == new[first]) & (goes_on == goes_on[first]) & (stride == stride[first])
        # Who lacks less comes along, as far as it has room: then all come at once again the next time.
        like &= (missing > 0) & (pool.next_frame[voices] + count < heading_for + RING)
        room = int(frame_room(self._queues)) // (count + 1)
        chosen = np.flatnonzero(like)
        chosen = chosen[np.argsort(patience[chosen], kind="stable")][: min(room, max(MOST_ROWS // rows, 1))]
        if not chosen.size:
            return False  # the queue is full; the callback empties it within a block
        self._compute(voices[chosen], count, step, bool(goes_on[first]))
        missing[chosen] -= count
        return bool((missing >= _REFILL[stride]).any() or (~pool.started[voices]).any())

    def _frame_times(self, voices: NDArray[np.int64], first: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        """Samples [n, count] of frames from `first` [n] on."""
        first_quantum = self.voices.onset[voices] // QUANTUM * QUANTUM
        return (first_quantum[:, None] + (first[:, None] + np.arange(count)) * self._hop).astype(np.float64)

    def _compute(self, voices: NDArray[np.int64], count: int, stride: int, goes_on: bool) -> None:
        """Compute and queue the next `count` frames of these voices, all of one sound; start those that are new.

        The network is asked for every stride-th frame and the last. goes_on: the first of the straight lines between
        them begins at the frame before, which the network was asked for; else at the first of these.
        """
        pool = self.voices
        part, sound = self._parts[int(pool.part[voices[0]])], self.sounds[int(pool.sound[voices[0]])]
        times = self._frame_times(voices, pool.next_frame[voices], count)
        notes = part.notes(voices, times)
        controls, told = part.controls(notes), part.told(notes)
        asked = slice(stride - 1 if goes_on else 0, None, stride)
        rows = self._ask(part, sound, voices, times[:, asked], [each[:, asked] for each in told])
        frames = rows if stride == 1 else self._on_lines(rows, voices, stride, goes_on)
        for last, values in zip(self._last, rows, strict=True):
            _columns_of(last, values)[voices] = values[:, -1]
        lookback = damper_lookback(told[1], notes.time_off())
        damp(*self._damper, voices, pool.next_frame[voices], lookback, *frames[1:])
        hz = np.repeat(midi_to_hz(pool.pitch[voices])[:, None], count, 1)
        bad = push_frames(self._queues, voices, pool.note_id[voices], pool.next_frame[voices], hz, *frames, controls)
        self._state["frames_not_finite"] += bad
        pool.next_frame[voices] += count
        self._last_frame[voices] = pool.next_frame[voices] - 1
        pool.sent[voices] = np.maximum(pool.sent[voices], pool.next_frame[voices])
        loudness = np.maximum(controls[:, -1, 1], controls[:, -1, 2])
        pool.level[voices] = (frames.amplitude[:, -1] + frames.noise[:, -1].sum(-1)) * loudness
        # Not `< _SILENT`: a level that is not a number was silenced in the queue, so its note is over too.
        over = (pool.off[voices] != NO_TIME) & (times[:, -1] > pool.off[voices]) & ~(pool.level[voices] >= _SILENT)
        pool.silent_from[voices] = np.where(
            over, np.minimum(pool.silent_from[voices], times[:, -1].astype(np.int64)), NEVER
        )
        for voice in voices[~pool.started[voices]]:
            pool.begins_at[voice] = push_command(
                self._queues, int(Command.START), int(voice), int(pool.note_id[voice]), int(pool.onset[voice]),
                int(pool.part[voice]), sound.n_partials,
            )  # fmt: skip
            pool.started[voice] = True

    def _ask(
        self,
        part: Part,
        sound: Sound,
        voices: NDArray[np.int64],
        times: NDArray[np.float64],
        told: Sequence[NDArray[np.float64]],
    ) -> ControlFrames:
        """What the network says of these voices at sample times [n, R], told so much (`Part.told`); noise in the
        engine's bands."""
        pool = self.voices
        time_on, time_off, *shimmer = (each.astype(np.float32) for each in told)
        z, moving = part.latents(sound, part.notes(voices, times))
        pitch, velocity = (each[voices].astype(np.float32) for each in (pool.timbre_pitch, pool.velocity))
        if moving:
            # Every frame has a latent of its own: rows of one frame each.
            n, rows = times.shape
            frames = sound.net.run(
                z.reshape(-1, z.shape[-1]).astype(np.float32), np.repeat(pitch, rows), np.repeat(velocity, rows),
                time_on.reshape(-1, 1), time_off.reshape(-1, 1), *(each.reshape(-1, 1) for each in shimmer),
            )  # fmt: skip
            frames = ControlFrames(*(values.reshape(n, rows, *values.shape[2:]) for values in frames))
        else:
            frames = sound.net.run(z[:, 0].astype(np.float32), pitch, velocity, time_on, time_off, *shimmer)
        return frames._replace(noise=sound.to_engine_bands(frames.noise))

    def _on_lines(self, rows: ControlFrames, voices: NDArray[np.int64], stride: int, goes_on: bool) -> ControlFrames:
        """All frames on the straight lines through these rows, which are `stride` apart."""
        if goes_on:
            return ControlFrames(*(
                _lines(_columns_of(last, values)[voices][:, None], values, stride)
                for last, values in zip(self._last, rows, strict=True)
            ))  # fmt: skip
        return ControlFrames(*(
            np.concatenate([values[:, :1], _lines(values[:, :1], values[:, 1:], stride)], 1) for values in rows
        ))  # fmt: skip

    def _retell_voices(
        self, voices: NDArray[np.int64], heading_for: NDArray[np.int64], which: NDArray[np.bool_]
    ) -> None:
        """Send the controls of frames that are on their way already anew."""
        pool = self.voices
        which = which & pool.started[voices]
        if not which.any():
            return
        for number in np.unique(pool.part[voices[which]]):
            chosen = which & (pool.part[voices] == number)
            here, first = voices[chosen], heading_for[chosen]
            count = int((pool.next_frame[here] - first).max(initial=0))
            if count <= 0:
                continue
            part = self._parts[int(number)]
            controls = part.controls(part.notes(here, self._frame_times(here, first, count)))
            if push_controls(self._queues, here, pool.note_id[here], first, controls) < len(here) * count:
                self.stale_controls[number] = True  # the queue is full: again next time

    def _forget_before(self, position: int) -> None:
        """Drop what happened longer ago than any frame to come looks back; rarely, for it costs more than it saves."""
        if position < self._forget_at:
            return
        self._forget_at = position + int(0.05 * self._sample_rate)
        before = position - 4 * self._hop
        for channel in self._channels:
            channel.forget_before(before)
        for part in self._parts:
            part.forget_before(before)
        for steps in self.voices.pressure.values():
            steps.forget_before(before)
        for voice, glide in list(self.voices.glides.items()):
            glide.forget_before(before)
            if not self.voices.sounding[voice]:
                del self.voices.glides[voice]
        in_use = set(self.voices.sound[self.voices.indices()].tolist()) | {part.sound_id for part in self._parts}
        for sound_id in list(self.sounds):
            self.sounds[sound_id].glide.forget_before(before)
            if sound_id not in in_use:
                del self.sounds[sound_id]

    def _retire(self, voices: NDArray[np.int64], position: int) -> None:
        """Let go of released notes whose silent frames have been reached."""
        for voice in voices[self.voices.silent_from[voices] < position]:
            self.let_go(int(voice))

    def let_go(self, voice: int) -> None:
        """Fade the voice at once; it is free when the callback has done so."""
        pool = self.voices
        pool.sounding[voice] = False
        pool.key[voice] = NO_KEY
        if not pool.started[voice]:
            return  # the callback has never heard of it
        tail = push_command(self._queues, int(Command.FADE), voice, int(pool.note_id[voice]), 0, 0, 0)
        # Without room in the queue the voice is asked again later.
        pool.busy_until[voice] = tail if tail > 0 else NEVER

    def _free_voices(self) -> None:
        pool = self.voices
        read = int(consumed_frames(self._queues))
        for voice in np.flatnonzero(pool.busy_until):
            if pool.busy_until[voice] == NEVER:
                self.let_go(int(voice))
            elif pool.busy_until[voice] <= read and self._state["voice_active"][voice] == 0:
                pool.busy_until[voice] = 0


def _columns_of(last: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """As many partials or bands of `last` as `values` has."""
    return last[:, : values.shape[-1]] if last.ndim == 2 else last


def _lines(before: NDArray[np.float32], values: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """Frames [V, R * stride, ...] on straight lines from `before` [V, 1, ...] through `values` [V, R, ...]."""
    start = np.concatenate([before, values[:, :-1]], 1) if values.shape[1] else values
    out = np.empty((values.shape[0], values.shape[1] * stride, *values.shape[2:]), np.float32)
    for step in range(1, stride):
        out[:, step - 1 :: stride] = start + np.float32(step / stride) * (values - start)
    out[:, stride - 1 :: stride] = values
    return out
