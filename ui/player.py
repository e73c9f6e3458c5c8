"""Player: the parts and how they are set; what of the window talks to the engine belongs to it."""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice, EngineStatus, MidiMessage
from noisysynth.instrument import Instrument, Preset
from noisysynth.parameters import N_PARTS, PARAMETER_INDEX, PARAMETERS
from noisysynth.ui.corners import Corners
from noisysynth.ui.engine_requests import EngineRequests
from noisysynth.ui.hands import Hands
from noisysynth.ui.history import RACK
from noisysynth.ui.new_timbre import NewTimbres
from noisysynth.ui.own_presets import OwnPresets
from noisysynth.ui.part import PLACE, Part, insert_defaults, values_of_sound
from noisysynth.ui.part_data import RackData
from noisysynth.ui.rack_editor import RackEditor
from noisysynth.ui.requests import Requests
from noisysynth.ui.teaching import Teaching
from noisysynth.ui.trial import Trial
from noisysynth.ui.undo import Undo
from noisysynth.ui.user_presets import UserPreset, UserPresets

# The engine may still report the old value for a moment after the window sent a new one.
ECHO_S = 0.3
_OF_RACK = [index for index, row in enumerate(PARAMETERS) if row.rack]
START_TIMEOUT_S = 300.0  # the first start of all compiles the kernels


class Player(QObject):
    """Views call its methods and listen to its signals; they never see the client.

    One part is edited: `instrument`, `preset`, `values` and the signals without a part's number are about that one.
    The client replaces an engine that dies by itself; `client_factory` makes a new client once that was given up.
    """

    instrument_changed = Signal()  # another instrument, or another part, is edited
    presets_changed = Signal()  # one was saved, renamed, deleted
    preset_changed = Signal(int)
    parameter_changed = Signal(str, float)
    blend_changed = Signal(object)  # share of each point of the pad in what sounds: presets, or pinned corners
    pins_changed = Signal()  # what the corners of the pad hold
    part_chosen = Signal(int)  # to be edited; before the signals that tell of its settings
    part_changed = Signal(int)  # instrument or preset of any part
    part_parameter_changed = Signal(int, str, float)  # of any part; RACK: of all
    engine_changed = Signal()  # starting, running, stopped
    learned_changed = Signal()  # which controllers move which parameters, or which parameter waits for one
    noticed = Signal(str)  # one line for the player
    edited = Signal()  # something that the session keeps
    panicked = Signal()
    history_changed = Signal()  # what can be undone, or which of A and B plays

    def __init__(self, client_factory: Callable[[], EngineClient], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client_factory = client_factory
        self._client: EngineClient | None = None  # only while it answers
        self._coming: EngineClient | None = None  # while it starts
        self.requests = Requests(self)
        self.parts = [Part() for _ in range(N_PARTS)]
        self.chosen = 0  # the part that is edited
        self.rack_values = {row.id: row.default for row in PARAMETERS if row.rack}
        self.presets_folder: Path | None = None  # where presets of the player's own are kept
        self.audio = AudioChoice()
        self.muted_midi_inputs: set[str] = set()
        self.osc_port: int | None = None
        self.starting = False
        self.failure = ""  # why there is no engine
        self.last_status: EngineStatus | None = None  # peaks are since the last read, so only one may read
        # By part and parameter: when the window set it, and what was seen of the engine's values.
        self._touched = np.full((N_PARTS, len(PARAMETERS)), -np.inf)
        self._seen = np.full((N_PARTS, len(PARAMETERS)), np.nan, np.float32)
        self._told: set[int] = set()  # parts whose settings the engine knows
        self._preset_changes = [0] * N_PARTS  # of the engine, as far as we followed

        self.changes = changes = Undo(self)
        self.history = changes.history
        self.undo, self.redo, self.compare = changes.undo, changes.redo, changes.compare
        self.rack = RackEditor(self)
        self.open_instrument = self.rack.open
        self.teaching = Teaching(self)
        self.own = own = OwnPresets(self)
        self.mine_at, self.save_preset, self.rename_preset = own.at, own.save, own.rename
        self.delete_preset, self.restore_preset = own.delete, own.restore
        self.export_preset, self.import_preset = own.export, own.take_in
        self.trial = Trial(self)
        self.new_timbres = NewTimbres(self)
        self.hands = hands = Hands(self)
        self.notes, self.bend, self.modulate = hands.notes, hands.bend, hands.modulate
        self.sustain, self.panic = hands.sustain, hands.panic
        asking = EngineRequests(self)
        self.ask_devices, self.open_audio, self.listen_midi = asking.ask_devices, asking.open_audio, asking.listen_midi
        self.start_recording, self.stop_recording = asking.start_recording, asking.stop_recording
        self.ask = asking.ask

    # the part that is edited

    @property
    def part(self) -> Part:
        return self.parts[self.chosen]

    @property
    def instrument(self) -> Instrument | None:
        return self.part.instrument

    @property
    def instrument_path(self) -> Path | None:
        return self.part.path

    @property
    def mine(self) -> UserPresets | None:
        return self.part.mine

    @property
    def preset(self) -> int:
        """Index in `presets`; -1: none."""
        return self.part.preset

    @property
    def presets(self) -> tuple[Preset | UserPreset, ...]:
        """The instrument's, then the player's own."""
        return self.part.presets

    @property
    def preset_name(self) -> str:
        return self.part.preset_name

    @property
    def places(self) -> tuple[tuple[str, float, float], ...]:
        """Name and pad place of every preset of the instrument, in their order."""
        return self.part.places

    @property
    def corners(self) -> Corners:
        return self.part.corners

    @property
    def values(self) -> Mapping[str, float]:
        """Every parameter: the part's and the rack's."""
        return collections.ChainMap(self.part.values, self.rack_values)

    @property
    def side(self) -> str:
        """Which of the two settings of the part plays: A or B."""
        return self.history.side(self.chosen)

    @property
    def can_undo(self) -> bool:
        return self.history.can_undo

    @property
    def can_redo(self) -> bool:
        return self.history.can_redo

    @property
    def used(self) -> list[int]:
        """Parts that have an instrument, or whose instrument is missing."""
        return [number for number, part in enumerate(self.parts) if part.used]

    def choose_part(self, number: int) -> None:
        """Edit another part; an empty one cannot be."""
        if number == self.chosen or not 0 <= number < N_PARTS or not self.parts[number].used:
            return
        self.hands.end_audition()
        shown = dict(self.values)
        self.chosen = number
        self.show(shown)
        self.edited.emit()

    def step_part(self, step: int) -> None:
        """Edit the next or previous part, around the end."""
        used = self.used
        if self.chosen in used:
            self.choose_part(used[(used.index(self.chosen) + step) % len(used)])

    def show(self, shown: Mapping[str, float]) -> None:
        """Have the views show the part that is edited; `shown`: the values that they show so far."""
        self.part_chosen.emit(self.chosen)
        for parameter_id, value in dict(self.values).items():
            if shown[parameter_id] != value:
                self.parameter_changed.emit(parameter_id, value)
        self.instrument_changed.emit()  # now, for the pad forgets its trail: it led from another part's place
        self.preset_changed.emit(self.preset)
        self._tell_blend(self.chosen)
        self.history_changed.emit()
        self.learned_changed.emit()

    # the engine's life

    @property
    def client(self) -> EngineClient | None:
        """For the classes that belong to the player; None while no engine answers."""
        return self._client

    @property
    def running(self) -> bool:
        return self._client is not None

    def start(self) -> None:
        """Start an engine for what is loaded; `engine_changed` tells how it went."""
        first = next((number for number in self.used if self.parts[number].path is not None), None)
        path = self.parts[first].path if first is not None else None
        if first is None or path is None or self.starting or self.running:
            return
        self.starting, self.failure = True, ""
        self.engine_changed.emit()
        client, audio, number = self._client_factory(), self.audio, first
        self._coming = client
        muted, osc_port = frozenset(self.muted_midi_inputs), self.osc_port

        def work() -> EngineClient:
            try:
                client.start(path, audio, timeout_s=START_TIMEOUT_S, part=number)
                for port, heard in client.midi_inputs():
                    if heard and port in muted:
                        client.listen_midi(port, False)
                if osc_port is not None:
                    client.start_osc(osc_port)
            except BaseException:
                client.stop()
                raise
            return client

        self.requests.ask(work, lambda client: self._started(client, number, path), self._not_started)

    def _started(self, client: EngineClient, number: int, path: Path) -> None:
        self._client, self._coming, self.starting = client, None, False
        self._preset_changes = [client.preset(each)[1] for each in range(N_PARTS)]
        self._seen[:] = np.nan
        self._told.clear()
        self.send_rack()
        self.rack.bring_up(self.used, {number: path})
        self.engine_changed.emit()

    def _not_started(self, line: str) -> None:
        self._coming, self.starting, self.failure = None, False, line
        self.noticed.emit(line)
        self.engine_changed.emit()

    def restart(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            self.requests.ask(client.stop)
        self.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """End the engine; safe to call twice."""
        self.notes.release_all()
        client, self._client = self._client, None
        self.requests.close(client.stop if client is not None else _nothing, timeout_s)

    def _lost(self) -> None:
        client, self._client = self._client, None
        self.hands.forget()
        self.failure = "the engine stopped"
        if client is not None:
            for line in client.notices():
                self.noticed.emit(line)
            self.requests.ask(client.stop)
        self.noticed.emit("the engine stopped and does not come back; press Restart")
        self.engine_changed.emit()

    # presets

    def select_preset(self, index: int, number: int | None = None) -> None:
        """Set the preset's latent, its place on the pad and its parameters; others of the sound to default.

        The engine is told what changes, and the place always. Not an edit that can be undone, as `choose_preset` is.
        number: of the part; the one that is edited by default.
        """
        number = self.chosen if number is None else number
        part = self.parts[number]
        if not 0 <= index < len(part.presets):
            return
        part.preset, part.stray = index, None
        self._become(number, part.values_of_preset(index))

    def select_stray(self, preset: UserPreset, number: int) -> None:
        """As `select_preset`, with one that is in no list."""
        part = self.parts[number]
        part.preset, part.stray = -1, preset
        self._become(number, values_of_sound(preset.values))

    def _become(self, number: int, values: Mapping[str, float]) -> None:
        """Set all that belongs to the sound."""
        part = self.parts[number]
        for parameter_id, value in values.items():
            if part.values[parameter_id] != value and parameter_id not in PLACE:
                self.put(number, parameter_id, value)
        self._put_place(number, values["pad_x"], values["pad_y"])
        part.preset_stands = True
        self.tell_preset(number)
        self.send_place(number)
        self.edited.emit()

    def tell_preset(self, number: int) -> None:
        """Have the views told that another preset of a part is chosen."""
        if number == self.chosen:
            self.preset_changed.emit(self.preset)
        self.part_changed.emit(number)

    def choose_preset(self, index: int, number: int | None = None) -> None:
        """A gesture of the player. number: of the part; the one that is edited by default."""
        number = self.chosen if number is None else number
        with self.changes.edit("preset", number):
            self.select_preset(index, number)

    def step_preset(self, step: int) -> None:
        """Next or previous, around the end."""
        if self.instrument is not None:
            self.choose_preset((self.preset + step) % len(self.presets))

    def audition(self, index: int) -> None:
        """Select, and let it be heard when nothing is being played."""
        self.hands.end_audition()
        quiet = not self.notes.notes
        self.choose_preset(index)
        if quiet:
            self.hands.audition()

    # parameters and pad

    def set_parameter(self, parameter_id: str, value: float, number: int | None = None) -> None:
        """A gesture of the player on one knob. number: of the part; the one that is edited by default."""
        row = PARAMETERS[PARAMETER_INDEX[parameter_id]]
        number = self.chosen if number is None else number
        with self.changes.edit(row.label, RACK if row.rack else number):
            self.put(number, parameter_id, value)
            if parameter_id in PLACE:
                self.parts[number].preset_stands = False
                self.send_place(number)
        self.edited.emit()

    def move_pad(self, x: float, y: float, edited: bool = True) -> None:
        """Go to a place. `edited`: to be kept and undone; a motion would have that done without end."""
        with self.changes.edit("pad", self.chosen) if edited else contextlib.nullcontext():
            self._put_place(self.chosen, x, y)
            self.part.preset_stands = False
            self.send_place(self.chosen)
        if edited:
            self.edited.emit()

    def _put_place(self, number: int, x: float, y: float) -> None:
        place, values = {"pad_x": float(x), "pad_y": float(y)}, self.parts[number].values
        self.changes.note(values, *place)
        values |= place  # both before either is told: nobody may see a place in between
        for parameter_id, value in place.items():
            self.put(number, parameter_id, value)

    def put(self, number: int, parameter_id: str, value: float) -> None:
        """Set one parameter, and have engine and views told; what it resets, too."""
        row = PARAMETERS[PARAMETER_INDEX[parameter_id]]
        value = float(row.clip(value))  # PySide loses count of references to numpy's
        if row.rack:
            number, values = 0, self.rack_values
        else:
            values = self.parts[number].values
        self.changes.note(values, parameter_id, *insert_defaults(parameter_id, value))
        if self._client is not None:
            self._client.set_parameter(parameter_id, value, number)
        self._keep(number, parameter_id, value)
        for value_id, default in insert_defaults(parameter_id, value).items():  # the engine does so by itself
            self._keep(number, value_id, default)

    def _keep(self, number: int, parameter_id: str, value: float) -> None:
        """Remember a value that the engine is told, and tell the views."""
        index = PARAMETER_INDEX[parameter_id]
        rack = PARAMETERS[index].rack
        (self.rack_values if rack else self.parts[number].values)[parameter_id] = value
        self._touched[number, index] = time.monotonic()
        self._seen[number, index] = np.nan
        self._tell(number, parameter_id, value)

    def _tell(self, number: int, parameter_id: str, value: float) -> None:
        rack = PARAMETERS[PARAMETER_INDEX[parameter_id]].rack
        if rack or number == self.chosen:
            self.parameter_changed.emit(parameter_id, value)
        self.part_parameter_changed.emit(RACK if rack else number, parameter_id, value)

    def send_place(self, number: int) -> None:
        """Give the engine the base latent of the pad's place, and the views the blend."""
        blend = self.parts[number].blend()
        if blend is not None and self._client is not None:
            self._client.set_latent(blend[0], number)
        self._tell_blend(number)

    def _tell_blend(self, number: int) -> None:
        blend = self.parts[number].blend()
        if blend is not None and number == self.chosen:
            self.blend_changed.emit(blend[1])

    def send_rack(self) -> None:
        """Tell an engine that just started the values of the whole rack."""
        for parameter_id, value in dict(self.rack_values).items():
            self.put(0, parameter_id, value)

    def send_part(self, number: int) -> None:
        """Tell the engine all of a part: of an instrument that was just opened it knows no settings."""
        for parameter_id, value in dict(self.parts[number].values).items():  # a copy: an insert resets its values,
            self.put(number, parameter_id, value)  # which come next
        self._told.add(number)
        self.send_place(number)

    # corners

    def pin(self, corner: int, preset: int | None = None) -> None:
        """Hold in a corner of the pad what sounds there now, or a preset. Corners are forgotten with the instrument."""
        if self.instrument is not None:
            self.part.pin(corner, preset)
            self._pins_changed()

    def unpin(self, *corners: int) -> None:
        """Free corners; with fewer than two pinned, the pad is the map again."""
        for corner in corners:
            self.corners.pins.pop(corner, None)
        if corners:
            self._pins_changed()

    def _pins_changed(self) -> None:
        self.pins_changed.emit()
        self.send_place(self.chosen)
        self.edited.emit()

    # the whole rack as data

    def rack_data(self) -> RackData:
        parts = {number: data for number, part in enumerate(self.parts) if (data := part.data()) is not None}
        return RackData(parts, dict(self.rack_values), self.chosen)

    def set_rack_values(self, values: Mapping[str, float]) -> None:
        for parameter_id, value in values.items():
            if parameter_id in self.rack_values:
                self.put(0, parameter_id, value)

    # what the window polls

    def send_events(self, events: NDArray[np.void]) -> None:
        """Rows of EVENT_DTYPE, with times of the engine's clock."""
        if self._client is not None:
            self._client.send_events(events)

    def status(self) -> EngineStatus | None:
        """The engine's meters; None without an engine."""
        status = self._client.status() if self._client is not None else None
        if status is not None and not status.alive:
            self._lost()
            status = None
        self.last_status = status
        return status

    def scope(self) -> NDArray[np.float32] | None:
        return self._client.scope() if self._client is not None else None

    def sounding_hz(self) -> float:
        """Fundamental of the newest note that sounds; 0 in silence."""
        return self._client.sounding_hz() if self._client is not None else 0.0

    def start_progress(self) -> tuple[float, str] | None:
        """While the first start compiles the sound: the share that is done, and of what."""
        return self._coming.progress() if self._coming is not None else None

    def watch_midi(self, on: bool) -> None:
        """Have incoming MIDI messages kept for `midi_messages`."""
        if self._client is not None:
            self._client.watch_midi(on)

    def midi_messages(self, since: int) -> tuple[list[MidiMessage], int]:
        """From number `since` on, and the number to ask with next."""
        return self._client.midi_messages(since) if self._client is not None else ([], since)

    def poll_notices(self) -> None:
        if self._client is not None:
            for line in self._client.notices():
                self.noticed.emit(line)

    def poll_learned(self) -> None:
        self.teaching.poll()

    def poll_parameters(self) -> None:
        """Take over what MIDI moved in the engine: presets by program changes, parameters by controllers."""
        if self._client is None:
            return
        self._follow_programs(self._client)
        settled = time.monotonic() - ECHO_S
        table = self._client.parameter_table()
        news = (table != self._seen) & (self._touched <= settled)
        rack_news = news[0, _OF_RACK]
        # An engine that just started has defaults where it was told nothing yet, and an empty part is nobody's.
        news[[number for number in range(N_PARTS) if number not in self._told or not self.parts[number].used]] = False
        news[:, _OF_RACK], news[0, _OF_RACK] = False, rack_news
        self._seen[news] = table[news]
        moved: dict[int, dict[str, float]] = {}
        for number, index in np.argwhere(news):
            row, value = PARAMETERS[index], float(table[number, index])
            own = (self.rack_values if row.rack else self.parts[number].values)[row.id]
            if value != own and abs(row.to_position(value) - row.to_position(own)) >= 1e-5:
                moved.setdefault(int(number), {})[row.id] = row.clip(value)
        for number, values in moved.items():
            self._take_moved(number, values)
        if moved:
            self.edited.emit()

    def _take_moved(self, number: int, moved: Mapping[str, float]) -> None:
        part = self.parts[number]
        for parameter_id, value in moved.items():  # all before any is told: the pad would pass where it never was
            (self.rack_values if parameter_id in self.rack_values else part.values)[parameter_id] = value
        for parameter_id, value in moved.items():
            self._tell(number, parameter_id, value)
        if moved.keys() & set(PLACE):
            part.preset_stands = False
            self.send_place(number)

    def _follow_programs(self, client: EngineClient) -> None:
        for number in self.used:
            preset, changes = client.preset(number)
            if changes != self._preset_changes[number]:
                self._preset_changes[number] = changes
                self.select_preset(preset, number)


def _nothing() -> None:
    return None
