"""From events to control frames: the musical half of the engine, the same live and offline.

A Performer knows nothing of clocks or threads: `handle` takes an event with its sample time, `advance` makes sure that
every voice has frames for the next few milliseconds. Given the same events at the same times, it does the same.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noisysynth.engine.control_net import ControlNet
from noisysynth.engine.glide import LatentGlide
from noisysynth.engine.queues import (
    consumed_frames,
    frame_room,
    push_command,
    push_frames,
    push_setting,
    rendered_samples,
)
from noisysynth.engine.state import NO_TIME, QUANTUM, RING, SETTINGS, Command, Setting, frame_samples
from noisysynth.engine.voices import NEVER, VoicePool
from noisysynth.errors import UserError
from noisysynth.events import EventKind
from noisysynth.instrument import Instrument
from noisysynth.parameters import N_KNOBS, PARAMETER_INDEX, PARAMETER_OF_CC, PARAMETERS, db_to_gain
from noisysynth.spec import midi_to_hz

# Frames computed beyond the one being headed for and beyond the device's block: 16 ms during which the control thread
# may be late unheard.
LOOKAHEAD = 4
# A released note whose partials and bands are all below this (-100 dB) is over.
_SILENT = 1e-5

_CC_MOD_WHEEL = 1
_CC_SUSTAIN = 64
_CC_ALL_SOUND_OFF = 120
_CC_RESET_CONTROLLERS = 121
_CC_ALL_NOTES_OFF = 123

_LATENT_PARAMETERS = {PARAMETER_INDEX[name] for name in ("pad_x", "pad_y")} | {
    PARAMETER_INDEX[f"knob_{number}"] for number in range(1, N_KNOBS + 1)
}
_TIME_PARAMETERS = {PARAMETER_INDEX["attack"], PARAMETER_INDEX["release"]}


class Performer:
    """Plays one instrument on one engine state (a row of STATE_DTYPE that was prepared)."""

    def __init__(
        self,
        instrument: Instrument,
        net: ControlNet,
        state: np.void,
        block_size: int,
        like: Performer | None = None,
    ) -> None:
        """block_size: the most samples rendered without `advance` in between. UserError when it is too large.

        like: one to take parameters, wheels and, when it has the same network, the latent from.
        """
        self._state = state
        self._hop = frame_samples(float(state["sample_rate"]))
        self.keep_ahead(block_size)
        if LOOKAHEAD + block_size / self._hop > RING - 1:
            raise UserError(
                f"block size {block_size} is too large; choose {self._hop * (RING - LOOKAHEAD - 1)} or less"
            )
        self._values = np.array([parameter.default for parameter in PARAMETERS], np.float64)
        self._settings = np.full(SETTINGS, np.nan)
        self._bend = 0.0
        self._mod_wheel = 0.0
        if like is not None:
            self._values = like._values.copy()
            self._bend, self._mod_wheel = like._bend, like._mod_wheel
        self.voices = VoicePool()
        self.non_finite = 0
        self._stale = False  # frames already computed no longer tell the truth
        self._unsent = False  # a setting found no room in its queue
        self.load(instrument, net, like._base if like is not None and like._net is net else None)
        self._compile()
        self._update_settings(0)
        # Nothing has sounded yet, so nothing needs to be smooth.
        state["setting_target"] = self._settings
        state["setting_now"] = self._settings

    def _compile(self) -> None:
        """Call once what the first note calls: compiling takes a second, and loading from the cache takes a while."""
        none, nothing = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
        frames = nothing[..., None]
        push_frames(
            self._state, none, none, none, midi_to_hz(np.zeros(0, np.float32)), nothing, nothing, frames, frames
        )
        push_command(self._state, int(Command.SILENCE), 0, 0, 0)
        frame_room(self._state)

    def load(self, instrument: Instrument, net: ControlNet, base: NDArray[np.float64] | None = None) -> None:
        """Play another instrument from now on. Call when no voice sounds. base: latent; the first preset's if None."""
        self._net = net
        self._spec = instrument.spec
        self._pad_axes = np.stack([np.asarray(axis, np.float64) for axis in instrument.pad_axes])
        directions = [np.asarray(d.vector, np.float64) for d in instrument.directions[:N_KNOBS]]
        nothing = np.zeros(self._spec.latent_size)
        self._directions = np.stack(directions + [nothing] * (N_KNOBS - len(directions)))
        self._base = nothing if base is None else base
        if base is None and instrument.presets:
            self._base = np.asarray(instrument.presets[0].latent, np.float64)
        self._glide = LatentGlide(self._latent_goal().astype(np.float32))

    def keep_ahead(self, samples: int) -> None:
        """Have frames for so many samples to be rendered in a row, as far as a voice can hold them."""
        self._lookahead = min(LOOKAHEAD + math.ceil(samples / self._hop), RING - 1)

    def values(self) -> NDArray[np.float64]:
        """Parameter values in table order."""
        return self._values

    # events

    def handle(self, event: np.void, time: int) -> None:
        """Take in one event (a row of EVENT_DTYPE) as happening at sample `time`, or now when that has passed."""
        time = max(time, int(rendered_samples(self._state)))
        kind = int(event["kind"])
        value = float(event["value"])
        index = int(event["index"])
        channel = int(event["channel"])
        if not np.isfinite(value):
            return
        if kind == EventKind.NOTE_ON:
            self._note_on(channel, index, min(max(value, 0.0), 1.0), time)
        elif kind == EventKind.NOTE_OFF:
            self.voices.end(channel, index, time)
            self._stale = True
        elif kind == EventKind.PITCH_BEND:
            self._bend = min(max(value, -1.0), 1.0)
            self._update_settings(time)
        elif kind == EventKind.CONTROL_CHANGE:
            self._control_change(channel, index, min(max(value, 0.0), 1.0), time)
        elif kind == EventKind.PARAMETER and 0 <= index < len(PARAMETERS):
            self._set_parameter(index, value, time)
        elif kind == EventKind.LATENT:
            latent = np.asarray(event["latent"], np.float64)[: self._spec.latent_size]
            if np.isfinite(latent).all():
                self._base = latent.copy()
                self._head_for_latent(time)
        elif kind == EventKind.ALL_NOTES_OFF:
            self.voices.pedal.clear()
            self.voices.release_all(time)
            self._stale = True
        elif kind == EventKind.PANIC:
            self.silence()

    def _note_on(self, channel: int, pitch: int, velocity: float, time: int) -> None:
        if not 0 <= pitch <= 127:
            return
        stolen = self.voices.to_steal()
        if stolen is not None:
            self._let_go(stolen)
        self.voices.begin(channel, pitch, velocity, time)

    def _control_change(self, channel: int, controller: int, value: float, time: int) -> None:
        if controller == _CC_SUSTAIN:
            self.voices.set_pedal(channel, value >= 0.5, time)
            self._stale = True
        elif controller == _CC_MOD_WHEEL:
            self._mod_wheel = value
            self._update_settings(time)
        elif controller == _CC_ALL_SOUND_OFF:
            self.silence()
        elif controller == _CC_ALL_NOTES_OFF:
            self.voices.release_all(time)
            self._stale = True
        elif controller == _CC_RESET_CONTROLLERS:
            self._bend = self._mod_wheel = 0.0
            self.voices.set_pedal(channel, False, time)
            self._stale = True
            self._update_settings(time)
        elif controller in PARAMETER_OF_CC:
            index = PARAMETER_OF_CC[controller]
            self._set_parameter(index, PARAMETERS[index].from_position(value), time)

    def _set_parameter(self, index: int, value: float, time: int) -> None:
        self._values[index] = PARAMETERS[index].clip(value)
        if index in _LATENT_PARAMETERS:
            self._head_for_latent(time)
        elif index in _TIME_PARAMETERS:
            self._stale = True
        else:
            self._update_settings(time)

    def _value(self, parameter_id: str) -> float:
        return float(self._values[PARAMETER_INDEX[parameter_id]])

    def _latent_goal(self) -> NDArray[np.float64]:
        pad = np.array([self._value("pad_x"), self._value("pad_y")])
        knobs = np.array([self._value(f"knob_{number}") for number in range(1, N_KNOBS + 1)])
        return self._base + pad @ self._pad_axes + knobs @ self._directions

    def _head_for_latent(self, time: int) -> None:
        length = self._value("morph_time") * float(self._state["sample_rate"])
        self._glide.head_for(self._latent_goal().astype(np.float32), time, length)
        self._stale = True

    def _update_settings(self, time: int) -> None:
        settings = np.zeros(SETTINGS)
        settings[Setting.VOLUME] = db_to_gain(self._value("volume"))
        settings[Setting.TONE] = db_to_gain(self._value("tone_level"))
        settings[Setting.NOISE] = db_to_gain(self._value("noise_level"))
        settings[Setting.BRIGHTNESS] = self._value("brightness")
        settings[Setting.BEND] = self._bend * self._value("bend_range") + self._value("tune") / 100.0
        settings[Setting.VIBRATO_DEPTH] = self._mod_wheel * self._value("vibrato_depth") / 100.0
        settings[Setting.VIBRATO_RATE] = self._value("vibrato_rate")
        for index in np.flatnonzero(settings != self._settings):
            if push_setting(self._state, int(index), time, settings[index]):
                self._settings[index] = settings[index]
        # A full queue means hundreds of moves in one block; `advance` sends what they came to.
        self._unsent = bool((settings != self._settings).any())

    def silence(self) -> None:
        """Fade everything out in milliseconds and forget notes, pedals, bend and wheel."""
        push_command(self._state, int(Command.SILENCE), 0, 0, 0)
        for voice in self.voices.indices():
            self._let_go(int(voice))
        self.voices.pedal.clear()
        self._bend = self._mod_wheel = 0.0
        self._update_settings(int(rendered_samples(self._state)))

    # frames

    def advance(self) -> None:
        """Send every voice the frames it lacks, new notes first, and let go of voices that have died away."""
        position = int(rendered_samples(self._state))
        if self._unsent:
            self._update_settings(position)
        self._free_voices()
        voices = self.voices.indices()
        if len(voices) == 0:
            self._stale = False
            return
        self._retire(voices, position)
        voices = self.voices.indices()
        pool = self.voices
        # A note that came late began late, and its frames count from there.
        begun = pool.begins_at[voices] <= int(consumed_frames(self._state))
        pool.onset[voices[begun]] = self._state["voice_onset"][voices[begun]]
        first_quantum = pool.onset[voices] // QUANTUM * QUANTUM
        heading_for = np.maximum((position - first_quantum) // self._hop + 1, 0)
        heading_for[~begun] = 0
        pool.next_frame[voices] = heading_for if self._stale else np.maximum(pool.next_frame[voices], heading_for)
        self._stale = False
        missing = heading_for + self._lookahead + 1 - pool.next_frame[voices]
        for count in np.unique(missing[missing > 0])[::-1]:
            # Each may need a row for its START too. Those that find no room are still missing at the next call.
            room = int(frame_room(self._state)) // (int(count) + 1)
            self._compute(voices[missing == count][:room], int(count))

    def _compute(self, voices: NDArray[np.int64], count: int) -> None:
        """Compute and queue the next `count` frames of each of these voices; start those that are new."""
        if len(voices) == 0:
            return
        pool = self.voices
        sample_rate = float(self._state["sample_rate"])
        first_quantum = pool.onset[voices] // QUANTUM * QUANTUM
        frames = pool.next_frame[voices][:, None] + np.arange(count)
        times = first_quantum[:, None] + frames * self._hop
        since_on = np.maximum(times - pool.onset[voices][:, None], 0) / sample_rate
        off = pool.off[voices][:, None]
        # The network wants "negative while held"; how long a held note will last is unknown.
        since_off = np.where(off == NO_TIME, -1.0, (times - off) / sample_rate)
        time_on = (since_on / self._value("attack")).astype(np.float32)
        time_off = (since_off / self._value("release")).astype(np.float32)
        pitch, velocity = pool.pitch[voices], pool.velocity[voices]
        if self._glide.moves_after(float(times.min())):
            # Every frame has a latent of its own: rows of one frame each.
            z = self._glide.at(times.ravel().astype(np.float64)).astype(np.float32)
            controls = self._net.run(
                z, np.repeat(pitch, count), np.repeat(velocity, count), time_on.reshape(-1, 1), time_off.reshape(-1, 1)
            )
            f0_ratio, amplitude, harmonics, noise = (
                values.reshape(len(voices), count, *values.shape[2:]) for values in controls
            )
        else:
            z = np.repeat(self._glide.goal[None].astype(np.float32), len(voices), 0)
            f0_ratio, amplitude, harmonics, noise = self._net.run(z, pitch, velocity, time_on, time_off)
        self.non_finite += push_frames(
            self._state, voices, pool.note_id[voices], pool.next_frame[voices], midi_to_hz(pitch),
            f0_ratio, amplitude, harmonics, noise,
        )  # fmt: skip
        pool.next_frame[voices] += count
        pool.level[voices] = amplitude[:, -1] + noise[:, -1].sum(-1)
        # Not `< _SILENT`: a level that is not a number was silenced in the queue, so its note is over too.
        over = (pool.off[voices] != NO_TIME) & (times[:, -1] > pool.off[voices]) & ~(pool.level[voices] >= _SILENT)
        pool.silent_from[voices] = np.where(over, np.minimum(pool.silent_from[voices], times[:, -1]), NEVER)
        for voice in voices[~pool.started[voices]]:
            note_id, onset = int(pool.note_id[voice]), int(pool.onset[voice])
            pool.begins_at[voice] = push_command(self._state, int(Command.START), int(voice), note_id, onset)
            pool.started[voice] = True

    def _retire(self, voices: NDArray[np.int64], position: int) -> None:
        """Let go of released notes whose silent frames have been reached."""
        for voice in voices[self.voices.silent_from[voices] < position]:
            self._let_go(int(voice))

    def _let_go(self, voice: int) -> None:
        pool = self.voices
        pool.sounding[voice] = False
        if not pool.started[voice]:
            return  # the callback has never heard of it
        tail = push_command(self._state, int(Command.FADE), voice, int(pool.note_id[voice]), 0)
        # Without room in the queue the voice is asked again later.
        pool.busy_until[voice] = tail if tail > 0 else NEVER

    def _free_voices(self) -> None:
        pool = self.voices
        read = int(consumed_frames(self._state))
        for voice in np.flatnonzero(pool.busy_until):
            if pool.busy_until[voice] == NEVER:
                self._let_go(int(voice))
            elif pool.busy_until[voice] <= read and self._state["voice_active"][voice] == 0:
                pool.busy_until[voice] = 0
