"""The rack: sixteen parts on one engine state. Events in, control frames out, the same live and offline.

A rack knows nothing of clocks or threads: `handle` takes an event with its sample time, `advance` sees to it that
every voice has frames for the next milliseconds. Given the same events at the same times, it does the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from noisysynth.effects import EFFECT_INDEX, EFFECT_VALUES, EFFECTS, SENDS
from noisysynth.engine.arena import Arena
from noisysynth.engine.channels import (
    CC_ALL_NOTES_OFF,
    CC_ALL_SOUND_OFF,
    CC_BANK,
    CC_BANK_LOW,
    CC_DATA,
    CC_DATA_LOW,
    CC_NRPN_HIGH,
    CC_NRPN_LOW,
    CC_OMNI_OFF,
    CC_POLY_ON,
    CC_RESET,
    CC_RPN_HIGH,
    CC_RPN_LOW,
    CC_SLIDE,
    CC_SOFT,
    CC_SOSTENUTO,
    CC_SUSTAIN,
    CHANNELS,
    RPN_BEND_RANGE,
    RPN_COARSE_TUNE,
    RPN_FINE_TUNE,
    RPN_MPE,
    SOURCE_CONTROLLERS,
    Channel,
    MpeZones,
)
from noisysynth.engine.control_net import ControlNet
from noisysynth.engine.learn import ControllerMap
from noisysynth.engine.part import Part, follow_tempo
from noisysynth.engine.queues import (
    push_command,
    push_setting,
    rendered_samples,
)
from noisysynth.engine.sound import Sound, prepared_room
from noisysynth.engine.state import (
    NO_TIME,
    PARTS,
    RACK,
    SETTINGS,
    Command,
    RackSetting,
    frame_samples,
)
from noisysynth.engine.supply import FrameSupply
from noisysynth.engine.tracks import Steps
from noisysynth.engine.voices import VoicePool
from noisysynth.errors import UserError
from noisysynth.events import EventKind, Transport
from noisysynth.instrument import Instrument
from noisysynth.midi.clock import ClockFollower
from noisysynth.midi.tuning import EQUAL, Tuning
from noisysynth.parameters import PARAMETER_INDEX, PARAMETER_OF_CC, PARAMETERS, db_to_gain

_DATA_CONTROLLERS = (CC_DATA, CC_DATA_LOW, CC_NRPN_LOW, CC_NRPN_HIGH, CC_RPN_LOW, CC_RPN_HIGH)
_ALL_ROWS = range(PARTS + 1)  # of the settings
_WHO_IS_HEARD = ("mute", "solo")
_PEDALS = {CC_SUSTAIN: "sustain", CC_SOSTENUTO: "sostenuto", CC_SOFT: "soft"}


class Rack:
    """Plays on a state [1], STATE_DTYPE, prepared; what should outlive it is kept in a row of MEMORY_DTYPE."""

    def __init__(self, state: NDArray[np.void], memory: np.void, arena: Arena, block_size: int) -> None:
        """block_size: the most samples rendered without `advance` in between. UserError when it is too large.

        Parameters, latents, bends and wheels are taken from `memory`; instruments are to be loaded.
        """
        self._queues, self._state = state, state[0]
        self._memory, self._arena = memory, arena
        self._sample_rate = float(self._state["sample_rate"])
        self._hop = frame_samples(self._sample_rate)
        self.voices = VoicePool()
        self.channels = [Channel() for _ in range(CHANNELS)]
        self._supply = FrameSupply(state, self.voices, self.channels)
        if block_size > self._supply.largest_block:
            raise UserError(f"block size {block_size} is too large; choose {self._supply.largest_block} or less")
        self.keep_ahead(block_size)
        self.tuning = EQUAL
        self.zones = MpeZones()
        self.learned = ControllerMap(memory)
        self._clock = ClockFollower()
        self._next_sound = 1
        self._values = np.array(memory["parameters"][:, : len(PARAMETERS)], np.float64)
        written = memory["parameters"]
        self.parts = [
            Part(i, self.voices, self.channels, self._supply.let_go, self._sample_rate, self._values[i], written[i])
            for i in range(PARTS)
        ]
        self._used: list[Part] = []  # parts that ever had an instrument: most racks leave most parts empty
        self._supply.serve(self.parts)
        for number, channel in enumerate(self.channels):
            channel.bend.set(0, float(memory["bend"][number]))
            channel.controllers[1].set(0, float(memory["mod_wheel"][number]))
            channel.sustain = bool(memory["pedal"][number] >= 0.5)
        self._settings = np.full((PARTS + 1, SETTINGS), np.nan)
        self._unsent = False
        self._moved_until = 0
        self._take_rack_values(0)
        self._find_audible()
        self._update_settings(0)
        # Nothing has sounded yet, so nothing needs to be smooth.
        state["setting_target"] = self._settings
        state["setting_now"] = self._settings

    # instruments

    def load(self, part: int, instrument: Instrument, net: ControlNet, room: NDArray[np.float32] | None = None) -> None:
        """Play another instrument from the next note on; notes that sound end as they began.

        room: what `prepared_room` gave for it, where that must not be worked out here.
        """
        sound, here = Sound(instrument, net), self.parts[part]
        if here not in self._used:
            self._used.append(here)
        if self._memory["latent_known"][part] and here.sound is None:
            sound.base = np.array(self._memory["latent"][part][: sound.latent_size], np.float64)
        here.sound, here.sound_id = sound, self._next_sound
        self._supply.sounds[self._next_sound] = sound
        self._next_sound += 1
        now = self.now()
        sound.glide.head_for(here.latent_goal(), now, 1.0)
        here.modulation.refresh(now, here.tempo_bpm)
        room = prepared_room(instrument, self._arena) if room is None else room
        half = 1 - int(self._state["room_half"][part])  # the one that does not play
        self._arena.put(part, half, room)
        push_command(self._queues, int(Command.ROOM), part, 0, half, part, 0)
        self._find_audible()
        self._update_settings(now)

    def unload(self, part: int) -> None:
        """Leave the part empty; notes that sound are released."""
        self.parts[part].release_all(self.now())
        self.parts[part].sound = None
        self._memory["latent_known"][part] = 0
        self._memory["preset"][part] = -1
        self._find_audible()
        self._update_settings(self.now())

    def set_tuning(self, tuning: Tuning) -> None:
        """From the next note on."""
        self.tuning = tuning

    def resume_held(self) -> None:
        """Start the notes whose keys are down, as `memory` has it: after the engine began anew."""
        now = self.now()
        for channel, key in np.argwhere(self._memory["held"] > 0.0):
            self._note_on(int(channel), int(key), float(self._memory["held"][channel, key]), None, now)

    def keep_ahead(self, samples: int) -> None:
        """Have frames for so many samples to be rendered in a row, as far as a voice can hold them."""
        self._burst = samples
        self._supply.keep_ahead(samples)

    def now(self) -> int:
        """The engine's clock: samples rendered so far."""
        return int(rendered_samples(self._queues))

    # events

    def handle(self, event: np.void, time: int) -> None:
        """Take in one event (a row of EVENT_DTYPE) as happening at sample `time`, or now when that has passed."""
        time = max(time, self.now())
        kind, value = int(event["kind"]), float(event["value"])
        index, channel, part = int(event["index"]), int(event["channel"]), int(event["part"])
        if not np.isfinite(value) or not 0 <= channel < CHANNELS or part >= PARTS:
            return
        if kind == EventKind.NOTE_ON:
            self._note_on(channel, index, min(max(value, 0.0), 1.0), part if part >= 0 else None, time)
        elif kind == EventKind.NOTE_OFF:
            self._note_off(channel, index, min(max(value, 0.0), 1.0), time)
        elif kind == EventKind.PITCH_BEND:
            self._memory["bend"][channel] = min(max(value, -1.0), 1.0)
            self.channels[channel].bend.set(time, min(max(value, -1.0), 1.0))
            self._retell(channel)
        elif kind == EventKind.CHANNEL_PRESSURE:
            self.channels[channel].pressure.set(time, min(max(value, 0.0), 1.0))
            self._retell(channel)
        elif kind == EventKind.POLY_PRESSURE:
            self._poly_pressure(channel, index, min(max(value, 0.0), 1.0), time)
        elif kind == EventKind.CONTROL_CHANGE:
            self._control_change(channel, index, min(max(value, 0.0), 1.0), time)
        elif kind == EventKind.PARAMETER and 0 <= index < len(PARAMETERS):
            self.set_parameter(max(part, 0), index, value, time)
        elif kind == EventKind.LATENT and part >= 0:
            self._set_latent(part, event["latent"], time)
        elif kind == EventKind.PROGRAM_CHANGE:
            for each in self._used:
                if each.listens(channel) and each.sound is not None:
                    preset = each.sound.instrument.preset_of_program(self.channels[channel].bank, index)
                    if preset is not None:
                        self._select_preset(each.number, preset, time)
        elif kind == EventKind.PRESET and part >= 0:
            self._select_preset(part, index, time)
        elif kind == EventKind.ALL_NOTES_OFF:
            self._release_all(time)
        elif kind == EventKind.PANIC:
            self.silence()
        elif kind == EventKind.CLOCK:
            self._tick(time)
        elif kind == EventKind.TRANSPORT:
            self._transport(index, time)

    def _note_on(self, channel: int, key: int, velocity: float, part: int | None, time: int) -> None:
        if not 0 <= key <= 127:
            return
        if velocity <= 0.0:
            self._note_off(channel, key, 0.0, time)
            return
        self._memory["held"][channel, key] = velocity
        pitch = float(self.tuning.pitches[key])
        if math.isnan(pitch):
            return
        for each in self._used:
            if (each.number == part and each.sound) or (part is None and each.listens(channel, key, velocity)):
                each.note_on(channel, key, pitch, velocity, time)

    def _note_off(self, channel: int, key: int, velocity: float, time: int) -> None:
        if not 0 <= key <= 127:
            return
        self._memory["held"][channel, key] = 0.0
        for each in self._used:
            each.note_off(channel, key, velocity, time, lambda other: float(self.tuning.pitches[other]))

    def _playing(self, channel: int) -> NDArray[np.int64]:
        """Parts with voices that this channel (or, being a zone's master, one of its members) reaches."""
        voices = self.voices.indices()
        of_channel = self.voices.channel[voices] == channel
        if self.zones != MpeZones():
            of_channel |= np.array(
                [self.zones.master(int(each)) == channel for each in self.voices.channel[voices]], bool
            )
        return np.unique(self.voices.part[voices[of_channel]])

    def _retell(self, channel: int) -> None:
        """What this channel says changed: voices hear of it from the frame they head for on."""
        for number in self._playing(channel):
            self._retell_part(int(number))

    def _retell_part(self, number: int) -> None:
        self._supply.stale_controls[number] = True
        if self.parts[number].modulation.moves_network:
            self._supply.stale[number] = True

    def _poly_pressure(self, channel: int, key: int, value: float, time: int) -> None:
        pool = self.voices
        for voice in pool.indices():
            if pool.channel[voice] == channel and pool.key[voice] == key and pool.off[voice] == NO_TIME:
                pool.pressure.setdefault(int(voice), Steps()).set(time, value)
        self._retell(channel)

    def _control_change(self, channel: int, controller: int, value: float, time: int) -> None:
        if not 0 <= controller <= 127:
            return
        state = self.channels[channel]
        byte = round(value * 127)
        if controller in _PEDALS:
            self._pedal(channel, _PEDALS[controller], value >= 0.5, time)
        elif controller in _DATA_CONTROLLERS:
            entered = state.data(controller, byte)
            if entered is not None:
                self._rpn(channel, *entered, time)
        elif controller in (CC_BANK, CC_BANK_LOW):
            state.choose_bank(controller, byte)
        elif controller == CC_ALL_SOUND_OFF:
            self._silence_channel(channel, time)
        elif controller == CC_RESET:
            self._reset(channel, time)
        elif controller == CC_ALL_NOTES_OFF or CC_OMNI_OFF <= controller <= CC_POLY_ON:
            self._release_all(time, channel)
        else:
            if controller in SOURCE_CONTROLLERS:
                state.controllers[controller].set(time, value)
                if controller == 1:
                    self._memory["mod_wheel"][channel] = value
                self._retell(channel)
            self._move_parameter(channel, controller, value, time)

    def _move_parameter(self, channel: int, controller: int, value: float, time: int) -> None:
        """What the player taught this controller, else what it moves by the table."""
        if self.learned.takes(channel, controller):
            found = self.learned.resolve(channel, controller, value, self._position)
            if found is not None:
                part, index, position = found
                self.set_parameter(part, index, PARAMETERS[index].from_position(position), time)
            return
        in_zone = self.zones.master(channel) is not None
        if controller in PARAMETER_OF_CC and not (in_zone and controller == CC_SLIDE):
            index = PARAMETER_OF_CC[controller]
            for each in self._used:
                if each.listens(channel):
                    self.set_parameter(each.number, index, PARAMETERS[index].from_position(value), time)

    def _position(self, part: int, index: int) -> float:
        return PARAMETERS[index].to_position(float(self._values[0 if PARAMETERS[index].rack else part, index]))

    def _rpn(self, channel: int, number: int, high: int, low: int, time: int) -> None:
        if number == RPN_MPE and channel in (0, 15):
            self._set_zones(self.zones.configure(channel, high))
            index = PARAMETER_INDEX["mpe"]
            self._values[0, index] = self._memory["parameters"][0, index] = self.zones.choice
        elif number == RPN_BEND_RANGE and self.zones.master(channel) is not None:
            self.set_parameter(0, PARAMETER_INDEX["mpe_bend_range"], high + low / 100.0, time)
        else:
            name, value = {
                RPN_BEND_RANGE: ("bend_range", high + low / 100.0),
                RPN_FINE_TUNE: ("tune", (high * 128 + low - 8192) / 81.92),
                RPN_COARSE_TUNE: ("transpose", high - 64.0),
            }.get(number, ("", 0.0))
            for each in self._used:
                if name and each.listens(channel):
                    self.set_parameter(each.number, PARAMETER_INDEX[name], value, time)

    def _pedal(self, channel: int, name: str, down: bool, time: int) -> None:
        was = getattr(self.channels[channel], name)
        setattr(self.channels[channel], name, down)
        if name == "sustain":
            self._memory["pedal"][channel] = float(down)
        for each in self._used:
            if name == "sostenuto" and down and not was:
                each.hold_sostenuto(channel)
            elif not down:
                each.pedal_up(channel, time)

    def _reset(self, channel: int, time: int) -> None:
        self.channels[channel].reset(time)
        self._memory["bend"][channel] = self._memory["mod_wheel"][channel] = self._memory["pedal"][channel] = 0.0
        for each in self._used:
            each.pedal_up(channel, time)
        self._retell(channel)

    def _release_all(self, time: int, channel: int | None = None) -> None:
        channels = range(CHANNELS) if channel is None else (channel,)
        for number in channels:
            state = self.channels[number]
            state.sustain = state.sostenuto = False
        self._memory["held"][list(channels)] = 0.0
        self._memory["pedal"][list(channels)] = 0.0
        for each in self._used:
            each.release_all(time, channel)

    def _silence_channel(self, channel: int, time: int) -> None:
        self._release_all(time, channel)
        for voice in self.voices.indices():
            if self.voices.channel[voice] == channel:
                self._supply.let_go(int(voice))

    def silence(self) -> None:
        """Fade everything out in milliseconds and forget notes, pedals, bends and wheels."""
        push_command(self._queues, int(Command.SILENCE), 0, 0, 0, 0, 0)
        now = self.now()
        for voice in self.voices.indices():
            self._supply.let_go(int(voice))
        for channel in self.channels:
            channel.reset(now)
        for each in self._used:
            each.forget_keys()
        for name in ("held", "pedal", "bend", "mod_wheel"):
            self._memory[name] = 0.0

    # parameters

    def set_parameter(self, part: int, index: int, value: float, time: int) -> None:
        row = PARAMETERS[index]
        if row.rack:
            self._values[0, index] = self._memory["parameters"][0, index] = row.clip(value)
            self._take_rack_values(time, row.id)
            # The tempo belongs to delays of every part.
            self._update_settings(time, _ALL_ROWS if row.id == "tempo" else (RACK,))
        else:
            self.parts[part].set_value(index, value, time)
            if row.id in _WHO_IS_HEARD:
                self._find_audible()
                self._update_settings(time)
                return
            self._heed(part, row.target, row.id)
            self._update_settings(time, (part,))

    def _find_audible(self) -> None:
        """A solo counts only where there is an instrument: an empty part must not silence the others."""
        solo = [part for part in self.parts if part.sound is not None and part.value("solo")]
        for part in self.parts:
            part.audible = not part.value("mute") and (not solo or part in solo)

    def _heed(self, part: int, target: str, parameter_id: str) -> None:
        if target == "latent":
            self._supply.stale[part] = True
        elif target == "voice" or not parameter_id.startswith(("insert_", "send_", "room")):
            self._retell_part(part)

    def _take_rack_values(self, time: int, only: str | None = None) -> None:
        def value(name: str) -> float:
            return float(self._values[0, PARAMETER_INDEX[name]])

        if only in (None, "mpe") and int(value("mpe")) != self.zones.choice:
            self._set_zones(MpeZones.of_choice(int(value("mpe"))))
        for part in self.parts:
            part.mpe_bend_range = value("mpe_bend_range")
            if only in (None, "tempo"):
                part.set_tempo(time, value("tempo"))
        if only == "mpe_bend_range":
            self._supply.stale_controls[:] = True
        if only == "tempo":
            self._supply.stale[:] = True

    def _set_zones(self, zones: MpeZones) -> None:
        self.zones = zones
        for part in self.parts:
            part.zones = zones

    def _set_latent(self, part: int, latent: NDArray[np.float32], time: int) -> None:
        here = self.parts[part]
        if not np.isfinite(latent).all():
            return
        self._memory["latent"][part] = latent
        self._memory["latent_known"][part] = 1
        if here.sound is not None:
            here.sound.base = np.array(latent[: here.sound.latent_size], np.float64)
            here.head_for_latent(time)
            self._supply.stale[part] = True

    def _select_preset(self, part: int, index: int, time: int) -> None:
        here = self.parts[part]
        if not here.select_preset(index, time):
            return
        assert here.sound is not None
        self._memory["latent"][part, : here.sound.latent_size] = here.sound.base
        self._memory["latent_known"][part] = 1
        self._memory["preset"][part] = index
        self._memory["preset_changes"][part] += 1
        self._supply.stale[part] = True
        self._update_settings(time, (part,))

    # time

    def _tick(self, time: int) -> None:
        before = self._clock.tempo
        self._clock.tick(time / self._sample_rate)
        tempo = self._clock.tempo
        if tempo is not None and (before is None or abs(tempo - self._values[0, PARAMETER_INDEX["tempo"]]) > 0.05):
            self.set_parameter(0, PARAMETER_INDEX["tempo"], tempo, time)

    def _transport(self, index: int, time: int) -> None:
        if index == Transport.START:
            self._clock.start()
            for part in self.parts:
                part.modulation.restart(time)
            self._supply.stale[:] = True

    # settings

    def _update_settings(self, time: int, rows: Iterable[int] = _ALL_ROWS) -> None:
        """Send what the callback follows of these rows, as far as it changed."""
        for row in rows:
            if row == RACK:
                wanted = self._rack_settings()
            elif self.parts[row].sound is None and not np.isnan(self._settings[row, 0]):
                continue
            else:
                wanted = self.parts[row].settings()
            for index in np.flatnonzero(wanted != self._settings[row]):
                if push_setting(self._queues, row, int(index), time, wanted[index]):
                    self._settings[row, index] = wanted[index]
                else:
                    # A full queue means thousands of moves in one block; `advance` sends what they came to.
                    self._unsent = True

    def _rack_settings(self) -> NDArray[np.float64]:
        out = np.zeros(SETTINGS)
        out[RackSetting.VOLUME] = db_to_gain(float(self._values[0, PARAMETER_INDEX["master_volume"]]))
        for bus, effect_id in enumerate(SENDS):
            values = np.ones(EFFECT_VALUES)
            rows = EFFECTS[EFFECT_INDEX[effect_id]].parameters
            for i, row in enumerate(rows):
                if row.id != "mix":
                    values[i] = self._values[0, PARAMETER_INDEX[f"{effect_id}_{row.id}"]]
            kind = 1 + EFFECT_INDEX[effect_id]
            at = RackSetting.BUSES + bus * EFFECT_VALUES
            out[at : at + EFFECT_VALUES] = follow_tempo(kind, values, float(self._values[0, PARAMETER_INDEX["tempo"]]))
        return out

    def _move_parts(self, position: int) -> None:
        """What the matrix does to values that belong to no voice: looked at once a frame."""
        while self._moved_until <= position + self._burst:
            time = max(self._moved_until, position)
            moved = [part.number for part in self._used if part.sound is not None and part.move(time)]
            if moved:
                self._update_settings(time, moved)
            self._moved_until = time + self._hop

    # frames

    def advance(self) -> bool:
        """See to it that voices have frames, about a millisecond's work. True: more are missing, call again."""
        position = self.now()
        if self._unsent:
            self._unsent = False
            self._update_settings(position)
        self._move_parts(position)
        return self._supply.advance(position)
