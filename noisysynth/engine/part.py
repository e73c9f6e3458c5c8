"""One part of the rack: an instrument with its parameters, how keys become voices, and what its voices are told."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from noisysynth.effects import EFFECT_VALUES, EFFECTS
from noisysynth.engine.channels import CC_EXPRESSION, CC_MOD_WHEEL, CHANNELS, Channel, MpeZones
from noisysynth.engine.modulation import BEND, PRESSURE, Modulation, Notes, Number, moved_value
from noisysynth.engine.sound import LATENT_PARAMETERS, Sound
from noisysynth.engine.state import (
    CONTROLS,
    INSERT_SETTINGS,
    NO_TIME,
    SETTINGS,
    Control,
    PartSetting,
)
from noisysynth.engine.tracks import Glide, Steps
from noisysynth.engine.voices import NEVER, NO_KEY, VoicePool
from noisysynth.parameters import (
    KEPT_BY_PRESETS,
    MORPH_MODES,
    N_INSERTS,
    PARAMETER_INDEX,
    PARAMETERS,
    VOICE_MODES,
    db_to_gain,
)

POLY, MONO, LEGATO = range(len(VOICE_MODES))
ALL_NOTES, HELD_NOTES, NEW_NOTES = range(len(MORPH_MODES))
_SOFT_PEDAL = 0.6  # of the velocity
_OPEN_HZ = 20_000.0
_LOWEST_Q, _Q_OCTAVES = math.sqrt(0.5), 4.5
_MOST_STRETCH = 0.02

_SHIMMER_S = 30.0  # half of the stretch of shimmer that notes begin on, anywhere

VOICE_DESTINATIONS = frozenset(
    ("pitch", "volume", "filter_key", *(row.id for row in PARAMETERS if row.target == "voice"))
)
LATENT_DESTINATIONS = frozenset(LATENT_PARAMETERS)
TOLD_DESTINATIONS = frozenset(("attack", "release", "shimmer"))  # what the network is told besides its latent
PART_DESTINATIONS = (
    frozenset(row.id for row in PARAMETERS) - VOICE_DESTINATIONS - LATENT_DESTINATIONS - TOLD_DESTINATIONS
)

_TRACKED = tuple(row for row in PARAMETERS if row.target == "voice" or row.id in TOLD_DESTINATIONS)

LetGo = Callable[[int], None]


class Part:
    """Times are in samples. The rack owns the pool and the channels; a part reads them and begins voices."""

    def __init__(
        self, number: int, pool: VoicePool, channels: Sequence[Channel], let_go: LetGo, sample_rate: float,
        values: NDArray[np.float64], written: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """values: [len(PARAMETERS)], the part's own. written: where they are kept for others to see.

        let_go: fades a voice at once.
        """
        self.number = number
        self._pool = pool
        self._channels = channels
        self._let_go = let_go
        self._sample_rate = sample_rate
        self._values = values
        self._written = written
        # What voices are told is looked up by time: offline, and with large blocks, knobs move ahead of what sounds.
        self._tracks = {row.id: Steps(float(values[PARAMETER_INDEX[row.id]])) for row in _TRACKED}
        self._moved: dict[str, float] = {}  # what the matrix makes of values that belong to no voice
        self._random = np.random.default_rng(number)
        self._stack: list[tuple[int, int, float]] = []  # keys down: channel, key, velocity; the newest last
        self._last_pitch: float | None = None
        self.zones = MpeZones()
        self.mpe_bend_range = 48.0
        self.tempo_bpm = 120.0
        self.sound: Sound | None = None
        self.sound_id = 0
        self.audible = True  # neither muted nor made room for another part's solo
        self.modulation = Modulation(self.value, self.tempo_bpm, sample_rate)

    # values

    def value(self, parameter_id: str) -> float:
        moved = self._moved.get(parameter_id)
        return float(self._values[PARAMETER_INDEX[parameter_id]]) if moved is None else moved

    def set_value(self, index: int, value: float, time: int) -> None:
        """Take over a parameter's value, from sample `time` on."""
        row = PARAMETERS[index]
        self._put(index, value, time)
        if row.target == "latent" and row.id in LATENT_DESTINATIONS:
            self.head_for_latent(time)
        elif row.id.startswith(("lfo_", "mod_", "vibrato_rate")):
            self.modulation.refresh(time, self.tempo_bpm)
            self.move(time)
        elif row.id in _KIND_OF_INSERT:
            self._insert_defaults(_KIND_OF_INSERT[row.id])

    def _put(self, index: int, value: float, time: float) -> None:
        row = PARAMETERS[index]
        self._values[index] = self._written[index] = row.clip(value)
        if row.id in self._tracks:
            self._tracks[row.id].set(time, row.clip(value))

    def forget_before(self, time: float) -> None:
        """Nobody will ask for times before `time`, but for the onsets of notes: LFOs that begin with each do."""
        voices = self._pool.indices(self.number)
        self.modulation.forget_before(min(time, float(self._pool.onset[voices].min(initial=NEVER))))
        for track in self._tracks.values():
            track.forget_before(time)

    def _insert_defaults(self, number: int) -> None:
        """Another effect begins with its own defaults."""
        kind = int(self._values[PARAMETER_INDEX[f"insert_{number}"]])
        if kind:
            for i, position in enumerate(EFFECTS[kind - 1].default_positions(), 1):
                index = PARAMETER_INDEX[f"insert_{number}_{i}"]
                self._values[index] = self._written[index] = position

    def set_tempo(self, time: int, tempo_bpm: float) -> None:
        self.tempo_bpm = tempo_bpm
        self.modulation.refresh(time, tempo_bpm)

    def select_preset(self, index: int, time: int) -> bool:
        """What a program change does; False when the instrument has no such preset."""
        if self.sound is None or not 0 <= index < len(self.sound.instrument.presets):
            return False
        preset = self.sound.instrument.presets[index]
        for i, row in enumerate(PARAMETERS):
            if not row.rack and row.id not in KEPT_BY_PRESETS:
                self._put(i, row.default, time)
        for parameter_id, value in preset.parameters.items():
            if parameter_id in _KIND_OF_INSERT:
                self._put(PARAMETER_INDEX[parameter_id], value, time)
                self._insert_defaults(_KIND_OF_INSERT[parameter_id])
        for parameter_id, value in preset.parameters.items():
            self._put(PARAMETER_INDEX[parameter_id], value, time)
        self.sound.base = np.asarray(preset.latent, np.float64)
        self.head_for_latent(time)
        self.modulation.refresh(time, self.tempo_bpm)
        self.move(time)
        return True

    # the latent

    def latent_goal(self) -> NDArray[np.float64]:
        assert self.sound is not None
        knobs = np.array([self.value(name) for name in LATENT_PARAMETERS])
        return self.sound.base + knobs @ self.sound.axes

    def head_for_latent(self, time: int) -> None:
        if self.sound is None:
            return
        mode = int(self.value("morph_mode"))
        if mode == NEW_NOTES:
            self._freeze(self._voices_of_sound(), time)
        elif mode == HELD_NOTES:
            voices = self._voices_of_sound()
            self._freeze(voices[self._pool.off[voices] != NO_TIME], time)
        length = 1.0 if mode == NEW_NOTES else self.value("morph_time") * self._sample_rate
        self.sound.glide.head_for(self.latent_goal(), time, length)

    def _voices_of_sound(self) -> NDArray[np.int64]:
        voices = self._pool.indices(self.number)
        return voices[self._pool.sound[voices] == self.sound_id]

    def _freeze(self, voices: NDArray[np.int64], time: int) -> None:
        """Let these voices stay at the latent they have at sample `time`."""
        assert self.sound is not None
        pool = self._pool
        voices = voices[pool.frozen_from[voices] == NEVER]
        if voices.size:
            when = np.maximum(pool.onset[voices], 0) if int(self.value("morph_mode")) == NEW_NOTES else time
            when = np.minimum(when, time)
            at = self.sound.glide.at(np.broadcast_to(when, voices.shape).astype(np.float64))
            pool.frozen_latent[voices, : self.sound.latent_size] = at
            pool.frozen_from[voices] = when

    def latents(self, sound: Sound, notes: Notes) -> tuple[NDArray[np.float64], bool]:
        """Where each voice is in the latent space: [n, F, Z], or [n, 1, Z] and False when it rests."""
        pool, voices, times = self._pool, notes.voices, notes.times
        n, frames = times.shape
        offset = pool.latent_offset[voices, : sound.latent_size][:, None]
        moving = sound.glide.moves_after(float(times.min()))
        if moving:
            z = sound.glide.at(times.ravel()).reshape(n, frames, -1)
        else:
            z = np.broadcast_to(sound.glide.goal, (n, 1, sound.latent_size)).copy()
        frozen = pool.frozen_from[voices] != NEVER
        if frozen.any():
            rests = frozen[:, None] & (times[:, : z.shape[1]] >= pool.frozen_from[voices][:, None])
            z = np.where(rests[..., None], pool.frozen_latent[voices, : sound.latent_size][:, None], z)
        z = z + offset
        for name, shift in self.modulation.shifts(notes, LATENT_DESTINATIONS).items():
            value = self.value(name)
            by = np.asarray(moved_value(name, value, shift)) - value
            by = np.broadcast_to(by, (n, by.shape[1] if by.ndim == 2 else 1))
            z = z + by[..., None] * sound.axes[LATENT_PARAMETERS.index(name)]
        return z, z.shape[1] > 1

    def told(self, notes: Notes) -> tuple[NDArray[np.float64], ...]:
        """What the network is told of each frame, [n, F] each.

        Seconds since note-on and since note-off, stretched by the two knobs; how much shimmer is wanted, and where on
        its way it is, in s: in no two voices at the same place, and never stretched, or an LFO on Attack would rattle.
        """
        shifts = self.modulation.shifts(notes, TOLD_DESTINATIONS)
        attack, release, shimmer = (
            moved_value(name, self._tracks[name].at(notes.times), shifts[name])
            if name in shifts
            else self._tracks[name].at(notes.times)
            for name in ("attack", "release", "shimmer")
        )
        on, off = notes.time_on(), notes.time_off()
        wanted = np.broadcast_to(shimmer, notes.times.shape)
        clock = on + _SHIMMER_S * (1.0 + self._pool.random[notes.voices][:, None])
        return on / attack, np.where(off < 0.0, off, off / release), wanted, clock

    # keys to voices

    def listens(self, channel: int, key: int | None = None, velocity: float | None = None) -> bool:
        """Whether the part plays from this channel (and this key, struck so hard)."""
        wanted = int(self.value("channel"))
        if not self.sound or not self.value("enabled"):
            return False
        if wanted and wanted - 1 not in (channel, self.zones.master(channel)):
            return False
        if key is not None and not self.value("key_low") <= key <= self.value("key_high"):
            return False
        return velocity is None or self.value("velocity_low") <= velocity <= self.value("velocity_high")

    def pedal(self, channel: int, name: str) -> bool:
        master = self.zones.master(channel)
        return bool(
            getattr(self._channels[channel], name) or (master is not None and getattr(self._channels[master], name))
        )

    def note_on(self, channel: int, key: int, pitch: float, velocity: float, time: int) -> None:
        """pitch: of the key in the rack's tuning, MIDI note, fractional. velocity: 0..1."""
        pool = self._pool
        held = [entry for entry in self._stack if entry[:2] != (channel, key)]
        mode = int(self.value("voice_mode"))
        if mode == POLY:
            self._stack = held
            pool.release(pool.held_by(self.number, channel, key), time)
            self._begin(channel, key, pitch, velocity, time)
            return
        self._stack = [*held, (channel, key, velocity)]
        sounding = self._held_voices()
        if mode == LEGATO and held and sounding.size:
            self._slide(sounding, channel, key, pitch, time)
        else:
            self._replace(sounding)
            self._begin(channel, key, pitch, velocity, time)

    def note_off(self, channel: int, key: int, velocity: float, time: int, pitch_of: Callable[[int], float]) -> None:
        pool = self._pool
        self._stack = [entry for entry in self._stack if entry[:2] != (channel, key)]
        voices = pool.held_by(self.number, channel, key)
        if not voices.size:
            return
        if int(self.value("voice_mode")) != POLY and self._stack:
            # Back to the key that is still down.
            other_channel, other_key, other_velocity = self._stack[-1]
            if int(self.value("voice_mode")) == LEGATO:
                self._slide(voices, other_channel, other_key, pitch_of(other_key), time)
            else:
                self._replace(voices)
                self._begin(other_channel, other_key, pitch_of(other_key), other_velocity, time)
            return
        pool.release_velocity[voices] = velocity
        kept = pool.sostenuto[voices] | self.pedal(channel, "sustain")
        pool.sustained[voices[kept]] = True
        self._release(voices[~kept], time)

    def pedal_up(self, channel: int, time: int) -> None:
        """A pedal of this channel went up: let go of what no other pedal holds."""
        pool = self._pool
        voices = pool.indices(self.number)
        masters = np.array([self.zones.master(int(each)) == channel for each in pool.channel[voices]], bool)
        voices = voices[(pool.channel[voices] == channel) | masters]
        if not self.pedal(channel, "sostenuto"):
            pool.sostenuto[voices] = False
        if not self.pedal(channel, "sustain"):
            self._release(voices[pool.sustained[voices] & ~pool.sostenuto[voices]], time)

    def hold_sostenuto(self, channel: int) -> None:
        """The middle pedal goes down: it holds the keys that are down now."""
        pool = self._pool
        voices = pool.indices(self.number)
        down = (pool.channel[voices] == channel) & (pool.off[voices] == NO_TIME) & ~pool.sustained[voices]
        pool.sostenuto[voices[down]] = True

    def release_all(self, time: int, channel: int | None = None) -> None:
        """Release every note (of one channel), pedal or not."""
        self._stack = [entry for entry in self._stack if channel is not None and entry[0] != channel]
        voices = self._pool.indices(self.number)
        if channel is not None:
            voices = voices[self._pool.channel[voices] == channel]
        self._release(voices, time)

    def forget_keys(self) -> None:
        self._stack.clear()
        self._last_pitch = None

    def _release(self, voices: NDArray[np.int64], time: int) -> None:
        if voices.size and int(self.value("morph_mode")) == HELD_NOTES and self.sound is not None:
            self._freeze(voices[self._pool.sound[voices] == self.sound_id], time)
        self._pool.release(voices, time)

    def _held_voices(self) -> NDArray[np.int64]:
        voices = self._pool.indices(self.number)
        return voices[(self._pool.off[voices] == NO_TIME) & (self._pool.key[voices] != NO_KEY)]

    def _replace(self, voices: NDArray[np.int64]) -> None:
        for voice in voices:
            self._let_go(int(voice))

    def _slide(self, voices: NDArray[np.int64], channel: int, key: int, pitch: float, time: int) -> None:
        """Legato: the same voices go on at another pitch."""
        pool = self._pool
        pitch += self.value("transpose")
        length = max(self.value("portamento") * self._sample_rate, 1.0)
        for voice in voices:
            glide = pool.glides.setdefault(int(voice), Glide(np.array([pool.pitch[voice]])))
            glide.head_for(np.array([pitch]), time, length)
        pool.channel[voices], pool.key[voices] = channel, key
        pool.timbre_pitch[voices] = pitch
        pool.sustained[voices] = False
        pool.stale[voices] = True
        self._last_pitch = pitch

    def _begin(self, channel: int, key: int, pitch: float, velocity: float, time: int) -> None:
        pool, count = self._pool, int(self.value("unison"))
        pitch += self.value("transpose")
        if not 0.0 <= pitch <= 127.5:
            return
        velocity = velocity ** (4.0 ** -self.value("velocity_curve"))
        if self.pedal(channel, "soft"):
            velocity *= _SOFT_PEDAL
        for i in range(count):
            stolen = pool.to_steal(self.number, max(int(self.value("polyphony")), count))
            if stolen is not None:
                self._let_go(stolen)
            voice = pool.begin(self.number, self.sound_id, channel, key, pitch, velocity, time)
            if voice is None:
                break
            place = 2.0 * i / (count - 1) - 1.0 if count > 1 else 0.0
            pool.random[voice] = self._random.uniform(-1.0, 1.0)
            pool.detune[voice] = 0.005 * place * self.value("unison_detune")
            pool.pan[voice] = place * self.value("unison_width")
            pool.gain[voice] = 1.0 / math.sqrt(count)
            self._scatter(voice, self.value("latent_random") + (self.value("unison_latent") if count > 1 else 0.0))
            if self.value("portamento") > 0.0 and self._last_pitch is not None:
                glide = Glide(np.array([self._last_pitch]))
                glide.head_for(np.array([pitch]), time, self.value("portamento") * self._sample_rate)
                pool.glides[voice] = glide
        self._last_pitch = pitch

    def _scatter(self, voice: int, amount: float) -> None:
        if amount > 0.0 and self.sound is not None:
            size = self.sound.latent_size
            self._pool.latent_offset[voice, :size] = amount * self._random.standard_normal(size)

    # what the voices are told

    def notes(self, voices: NDArray[np.int64], times: NDArray[np.float64]) -> Notes:
        """These voices at these instants [n, F]."""

        def controller(number: int) -> Number:
            return self._by_channel(voices, times, lambda channel, when: self._controller(number, channel, when))

        def with_touch(number: int) -> Number:
            value = controller(number)
            pressed = [i for i, voice in enumerate(voices) if int(voice) in self._pool.pressure]
            if number == PRESSURE and pressed:
                value = np.array(np.broadcast_to(value, times.shape))
                for i in pressed:
                    value[i] = np.maximum(value[i], self._pool.pressure[int(voices[i])].at(times[i]))
            return value

        return Notes(self._pool, voices, times, self._sample_rate, with_touch)

    def _by_channel(
        self, voices: NDArray[np.int64], times: NDArray[np.float64], read: Callable[[int, NDArray[np.float64]], Number]
    ) -> Number:
        channels = self._pool.channel[voices]
        first = int(channels[0])
        if (channels == first).all():
            return read(first, times)
        out = np.empty(times.shape)
        for channel in range(CHANNELS):
            rows = channels == channel
            if rows.any():
                out[rows] = read(channel, times[rows])
        return out

    def _controller(self, number: int, channel: int, times: NDArray[np.float64]) -> Number:
        """A member channel of an MPE zone adds to what its master says."""
        master = self.zones.master(channel)
        of = [self._channels[each] for each in (channel, master) if each is not None]
        if number == BEND:
            return of[0].bend.at(times)
        if number == PRESSURE:
            values = [each.pressure.at(times) for each in of]
        elif number == CC_EXPRESSION:
            values = [each.controllers[number].at(times) for each in of]
            return values[0] * values[1] if len(values) == 2 else values[0]
        else:
            # What a note's own channel has to say of slide counts alone.
            values = [each.controllers[number].at(times) for each in (of[:1] if number == 74 else of)]
        return np.maximum(values[0], values[1]) if len(values) == 2 else values[0]

    def _bend(self, channel: int, times: NDArray[np.float64]) -> Number:
        """Semitones."""
        own, master = self._channels[channel].bend.at(times), self.zones.master(channel)
        if master is None:
            return own * self.value("bend_range")
        return own * self.mpe_bend_range + self._channels[master].bend.at(times) * self.value("bend_range")

    def controls(self, notes: Notes) -> NDArray[np.float32]:
        """The control columns [n, F, CONTROLS]."""
        pool, voices, times = self._pool, notes.voices, notes.times
        shifts = self.modulation.shifts(notes, VOICE_DESTINATIONS) if self.modulation.routes else {}

        def moved(parameter_id: str) -> Number:
            track = self._tracks.get(parameter_id)
            value = track.at(times) if track is not None else self.value(parameter_id)
            return moved_value(parameter_id, value, shifts[parameter_id]) if parameter_id in shifts else value

        out = np.empty((*times.shape, CONTROLS), np.float32)

        semitones = pool.detune[voices][:, None] + moved("tune") / 100.0 + shifts.get("pitch", 0.0)
        semitones = semitones + self._by_channel(voices, times, self._bend)
        wheel = notes.controller(CC_MOD_WHEEL)
        if np.any(wheel):
            swing = np.sin(2.0 * np.pi * self.modulation.vibrato.at(times))
            semitones = semitones + wheel * moved("vibrato_depth") / 100.0 * swing
        if pool.glides:
            semitones = np.array(np.broadcast_to(semitones, times.shape))
            for row in (i for i, voice in enumerate(voices) if int(voice) in pool.glides):
                way = pool.glides[int(voices[row])].at(times[row])[:, 0]
                semitones[row] += way - pool.pitch[voices[row]]
        out[..., Control.RATIO] = 2.0 ** (semitones / 12.0)

        gain = pool.gain[voices][:, None] * np.square(notes.controller(CC_EXPRESSION))
        if "volume" in shifts:
            gain = gain * 10.0 ** ((moved("volume") - self.value("volume")) / 20.0)
        if not self.modulation.amp_is_flat:
            gain = gain * self.modulation.amp(notes)
        pan = np.clip(moved("pan") + pool.pan[voices][:, None], -1.0, 1.0)
        angle = (pan + 1.0) * (math.pi / 4.0)
        out[..., Control.LEFT] = gain * (math.sqrt(2.0) * np.cos(angle))
        out[..., Control.RIGHT] = gain * (math.sqrt(2.0) * np.sin(angle))

        out[..., Control.TONE] = _gain(moved("tone_level"))
        out[..., Control.NOISE] = _gain(moved("noise_level"))
        out[..., Control.TILT] = moved("brightness")
        out[..., Control.CUTOFF] = math.log2(_OPEN_HZ)
        out[..., Control.RESONANCE] = _LOWEST_Q
        if self.value("filter_mode"):
            cutoff = (
                np.log2(moved("filter_cutoff")) + moved("filter_key") * (pool.timbre_pitch[voices][:, None] - 60) / 12
            )
            by_envelope = moved("filter_envelope")
            if np.any(by_envelope):
                cutoff = cutoff + by_envelope * self.modulation.envelope(1, notes)
            out[..., Control.CUTOFF] = np.clip(cutoff, math.log2(20.0), math.log2(_OPEN_HZ))
            out[..., Control.RESONANCE] = _LOWEST_Q * 2.0 ** (_Q_OCTAVES * np.asarray(moved("filter_resonance")))
        out[..., Control.STRETCH] = _MOST_STRETCH * np.square(moved("inharmonicity"))
        return out

    # what the callback follows

    def move(self, time: int) -> bool:
        """Work out anew what the matrix does to values that belong to no voice; True when something changed.

        The newest voice stands for all where a source belongs to voices.
        """
        if not self._moved and not self.modulation.moves(PART_DESTINATIONS):
            return False
        before, self._moved = self._moved, {}
        voices = self._pool.indices(self.number)
        if voices.size:
            newest = voices[np.argmax(self._pool.onset[voices])][None]
            notes = self.notes(newest, np.array([[float(time)]]))
            for name, shift in self.modulation.shifts(notes, PART_DESTINATIONS).items():
                value = float(self._values[PARAMETER_INDEX[name]])
                self._moved[name] = float(np.ravel(moved_value(name, value, shift))[0])
        if self._moved == before:
            return False
        self.modulation.refresh(time, self.tempo_bpm)
        return True

    def settings(self) -> NDArray[np.float64]:
        """Targets of the part's settings, [SETTINGS], by PartSetting."""
        out = np.zeros(SETTINGS)
        out[PartSetting.VOLUME] = db_to_gain(self.value("volume")) if self.audible else 0.0
        out[PartSetting.SEND_CHORUS] = db_to_gain(self.value("send_chorus"))
        out[PartSetting.SEND_DELAY] = db_to_gain(self.value("send_delay"))
        out[PartSetting.SEND_REVERB] = db_to_gain(self.value("send_reverb"))
        out[PartSetting.ROOM] = self.value("room")
        out[PartSetting.FILTER_MODE] = self.value("filter_mode")
        for number in range(1, N_INSERTS + 1):
            at = PartSetting.INSERTS + (number - 1) * INSERT_SETTINGS
            kind = int(self.value(f"insert_{number}"))
            out[at] = kind
            if kind:
                positions = [self.value(f"insert_{number}_{i}") for i in range(1, EFFECT_VALUES + 1)]
                out[at + 1 : at + INSERT_SETTINGS] = effect_values(kind, positions, self.tempo_bpm)
        return out


_KIND_OF_INSERT = {f"insert_{number}": number for number in range(1, N_INSERTS + 1)}


def effect_values(kind: int, positions: Sequence[float], tempo_bpm: float) -> NDArray[np.float64]:
    """What an effect is told, [EFFECT_VALUES], from knob positions; kind: 1 + index in EFFECTS."""
    out = np.zeros(EFFECT_VALUES)
    rows = EFFECTS[kind - 1].parameters
    for i, row in enumerate(rows):
        out[i] = row.from_position(positions[i])
    return follow_tempo(kind, out, tempo_bpm)


def follow_tempo(kind: int, values: NDArray[np.float64], tempo_bpm: float) -> NDArray[np.float64]:
    """A delay that is told a length in beats gets the time that this is."""
    names = [row.id for row in EFFECTS[kind - 1].parameters]
    if "sync" in names and "time" in names and values[names.index("sync")] > 0.0:
        row = EFFECTS[kind - 1].parameters[names.index("time")]
        values[names.index("time")] = row.clip(values[names.index("sync")] * 60.0 / tempo_bpm)
    return values


def _gain(level_db: Number) -> Number:
    if not isinstance(level_db, np.ndarray):
        return db_to_gain(level_db)
    return np.where(level_db <= -60.0, 0.0, 10.0 ** (level_db / 20.0))
