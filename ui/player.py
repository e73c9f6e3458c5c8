"""Player: what is loaded and how it is set; the only part of the window that talks to the engine."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from noisysynth.effects import EFFECTS
from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice, AudioDevice, EngineStatus
from noisysynth.errors import UserError
from noisysynth.events import EventKind
from noisysynth.instrument import Instrument, Preset, read_instrument
from noisysynth.parameters import KEPT_BY_PRESETS, N_INSERTS, PARAMETER_INDEX, PARAMETERS, default_values
from noisysynth.ui.corners import Corners, Pin
from noisysynth.ui.held_notes import HeldNotes
from noisysynth.ui.history import Change, History
from noisysynth.ui.latent_map import LatentMap, Vector
from noisysynth.ui.requests import Requests
from noisysynth.ui.trial import Trial
from noisysynth.ui.user_presets import UserPreset, UserPresets

# What a preset does not touch: it belongs to the player, the mix and the rack, not to the sound.
NOT_OF_THE_SOUND = KEPT_BY_PRESETS | {row.id for row in PARAMETERS if row.rack}
INSERTS = tuple(f"insert_{number}" for number in range(1, N_INSERTS + 1))
# The engine may still report the old value for a moment after the window sent a new one.
ECHO_S = 0.3
AUDITION_MS = 700
AUDITION_SOURCE = "audition"
SUSTAIN_CONTROLLER, MODULATION_CONTROLLER = 64, 1
START_TIMEOUT_S = 300.0  # the first start of all compiles the kernels


class Player(QObject):
    """Views call its methods and listen to its signals; they never see the client.

    The client replaces an engine that dies by itself; `client_factory` makes a new client once that was given up.
    """

    instrument_changed = Signal()
    presets_changed = Signal()  # one was saved, renamed, deleted
    preset_changed = Signal(int)
    parameter_changed = Signal(str, float)
    blend_changed = Signal(object)  # share of each point of the pad in what sounds: presets, or pinned corners
    pins_changed = Signal()  # what the corners of the pad hold
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
        self.requests = Requests(self)
        self.notes = HeldNotes(self._note_on, self._note_off, self)
        self.instrument: Instrument | None = None
        self.instrument_path: Path | None = None
        self.preset = -1  # index in `presets`; -1: none
        self.presets_folder: Path | None = None  # where presets of the player's own are kept
        self.mine: UserPresets | None = None
        self.values = default_values()
        self.audio = AudioChoice()
        self.muted_midi_inputs: set[str] = set()
        self.osc_port: int | None = None
        self.starting = False
        self.failure = ""  # why there is no engine
        self.last_status: EngineStatus | None = None  # peaks are since the last read, so only one may read
        self._history = History()
        self._before: dict[str, float] | None = None  # during an edit: what it changed, as it was
        self.side = "A"
        self._other_side: tuple[Change, History] | None = None  # how the other one was left
        self._map: LatentMap | None = None
        self.corners = Corners()
        self._trial: Trial | None = None
        self._preset_stands = False  # until the pad moves, the preset chosen last is heard, whatever is pinned
        self._touched: dict[str, float] = {}
        self.learning = ""  # parameter that waits for a MIDI controller
        self.learned: dict[str, str] = {}  # what moves a parameter, in words
        self._preset_changes = 0  # of the engine, as far as we followed
        self._audition_note = -1
        self._audition = QTimer(self, singleShot=True, interval=AUDITION_MS)
        self._audition.timeout.connect(self._end_audition)

    # the engine's life

    @property
    def running(self) -> bool:
        return self._client is not None

    def start(self) -> None:
        """Start an engine for the loaded instrument; `engine_changed` tells how it went."""
        path = self.instrument_path
        if path is None or self.starting or self.running:
            return
        self.starting, self.failure = True, ""
        self.engine_changed.emit()
        client, audio = self._client_factory(), self.audio
        muted, osc_port = frozenset(self.muted_midi_inputs), self.osc_port

        def work() -> EngineClient:
            try:
                client.start(path, audio, timeout_s=START_TIMEOUT_S)
                for port, heard in client.midi_inputs():
                    if heard and port in muted:
                        client.listen_midi(port, False)
                if osc_port is not None:
                    client.start_osc(osc_port)
            except BaseException:
                client.stop()
                raise
            return client

        self.requests.ask(work, self._started, self._not_started)

    def _started(self, client: EngineClient) -> None:
        self._client, self.starting = client, False
        self._preset_changes = client.preset()[1]
        self._send_everything()
        self.engine_changed.emit()

    def _not_started(self, line: str) -> None:
        self.starting, self.failure = False, line
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
        self.notes.forget()
        self.failure = "the engine stopped"
        if client is not None:
            for line in client.notices():
                self.noticed.emit(line)
            self.requests.ask(client.stop)
        self.noticed.emit("the engine stopped and does not come back; press Restart")
        self.engine_changed.emit()

    # instrument and presets

    def open_instrument(self, path: Path, preset: str | None = None, fallback: Path | None = None) -> None:
        """Read and check an instrument, then hand it to the engine; on a bad file nothing changes.

        preset: the name to select, the first one by default. fallback: what to open when `path` cannot be used.
        """
        client = self._client

        def work() -> Instrument:
            instrument = read_instrument(path)
            if client is not None:
                client.load_instrument(path)
            return instrument

        def failed(line: str) -> None:
            self.noticed.emit(line)
            if fallback is not None and fallback != path:
                self.open_instrument(fallback)

        self.requests.ask(work, lambda instrument: self._opened(instrument, path, preset), failed)

    def _opened(self, instrument: Instrument, path: Path, preset: str | None) -> None:
        self.instrument, self.instrument_path = instrument, path
        self._map, self._trial = LatentMap(instrument), None
        self.mine = UserPresets(self.presets_folder, instrument.name) if self.presets_folder is not None else None
        self._forget_history()
        self.corners.pins.clear()
        self.instrument_changed.emit()
        if self.mine is not None and self.mine.problem:
            self.noticed.emit(self.mine.problem)
        names = [row.name for row in self.presets]
        if preset is not None and preset not in names:
            self.noticed.emit(f"{instrument.name} has no preset {preset!r}; playing {names[0]!r}")
        self.select_preset(names.index(preset) if preset in names else 0)
        if self.running:
            self._send_everything()
        elif not self.starting and not self.failure:
            self.start()

    @property
    def places(self) -> tuple[tuple[str, float, float], ...]:
        """Name and pad place of every preset, in the presets' order."""
        if self._map is None or self.instrument is None:
            return ()
        return tuple((self.instrument.presets[p.preset].name, p.x, p.y) for p in self._map.places)

    @property
    def presets(self) -> tuple[Preset | UserPreset, ...]:
        """The instrument's, then the player's own."""
        if self.instrument is None:
            return ()
        return (*self.instrument.presets, *(self.mine.presets if self.mine is not None else ()))

    @property
    def preset_name(self) -> str:
        return self.presets[self.preset].name if 0 <= self.preset < len(self.presets) else ""

    def mine_at(self, index: int) -> int | None:
        """Which of the player's own presets this is of all; None for one of the instrument's."""
        at = index - (len(self.instrument.presets) if self.instrument is not None else 0)
        return at if self.mine is not None and 0 <= at < len(self.mine.presets) else None

    def save_preset(self, name: str) -> None:
        """Keep the sound as it is under this name; one of the player's own with that name is replaced."""
        if self.mine is None or self.instrument is None or self._map is None:
            self.noticed.emit("open an instrument first: a preset belongs to one")
            return
        if name.strip() in (preset.name for preset in self.instrument.presets):
            self.noticed.emit(f"{name.strip()!r} belongs to the instrument; choose another name")
            return
        mine, base = self.mine, self._blend(self._map)[0]

        def save() -> int:
            preset = UserPreset.of_data({"name": name, "values": self._sound(), "base": base.astype(float).tolist()})
            if preset is None:
                raise UserError("a preset needs a name")
            return mine.save(preset)

        self._change_presets(save, "saved {}")

    def rename_preset(self, index: int, name: str) -> None:
        at, mine = self.mine_at(index), self.mine
        if at is None or mine is None:
            return
        try:
            mine.rename(at, name)
        except UserError as error:
            self.noticed.emit(str(error))
            return
        self.presets_changed.emit()
        self.preset_changed.emit(self.preset)
        self.edited.emit()  # the session knows the chosen one by its name
        self.noticed.emit(f"it is {mine.presets[at].name!r} now")

    def delete_preset(self, index: int) -> None:
        """`restore_preset` brings it back."""
        at, mine = self.mine_at(index), self.mine
        if at is None or mine is None:
            return
        name = mine.presets[at].name
        try:
            mine.delete(at)
        except UserError as error:
            self.noticed.emit(str(error))
            return
        self.preset = -1 if self.preset == index else self.preset - (self.preset > index)
        self._forget_history()  # its presets are counted otherwise
        self.presets_changed.emit()
        self.preset_changed.emit(self.preset)
        self.noticed.emit(f"deleted {name!r}; the menu of the presets brings it back")

    def restore_preset(self) -> None:
        """Bring back the one deleted last, and play it."""
        mine = self.mine
        if mine is not None and mine.deleted is not None:
            self._change_presets(mine.restore, "{} is back", play=True)

    def export_preset(self, index: int, path: Path) -> None:
        at, mine = self.mine_at(index), self.mine
        if at is not None and mine is not None:
            try:
                mine.write_to(at, path)
                self.noticed.emit(f"wrote {path}")
            except UserError as error:
                self.noticed.emit(str(error))

    def import_preset(self, path: Path) -> None:
        mine = self.mine
        if mine is None:
            self.noticed.emit("open an instrument first: a preset belongs to one")
            return
        self._change_presets(lambda: mine.read_from(path), "{} is one of yours now", play=True)

    def _change_presets(self, work: Callable[[], int | None], done: str, play: bool = False) -> None:
        """Do it, and make the preset it returns the present one."""
        assert self.instrument is not None
        try:
            at = work()
        except UserError as error:
            self.noticed.emit(str(error))
            return
        if at is None:
            return
        index = len(self.instrument.presets) + at
        self.presets_changed.emit()
        if play:
            self.choose_preset(index)
        else:
            self.preset = index
            self.preset_changed.emit(index)
            self.edited.emit()
        self.noticed.emit(done.format(repr(self.presets[index].name)))

    def select_preset(self, index: int) -> None:
        """Set the preset's latent, its place on the pad and its parameters; others of the sound to default.

        The engine is told what changes, and the place always. Not an edit that can be undone, as `choose_preset` is.
        """
        if self.instrument is None or self._map is None or not 0 <= index < len(self.presets):
            return
        self.preset, self._trial = index, None
        preset = self.presets[index]
        parameters = preset.values if isinstance(preset, UserPreset) else preset.parameters
        values = {row.id: row.default for row in PARAMETERS if row.id not in NOT_OF_THE_SOUND}
        for parameter_id, value in parameters.items():
            values |= insert_defaults(parameter_id, value)
        values |= {key: value for key, value in parameters.items() if key in PARAMETER_INDEX}
        if not isinstance(preset, UserPreset):
            place = self._map.places[index]
            values |= {"pad_x": place.x, "pad_y": place.y}
        for parameter_id, value in values.items():
            if self.values[parameter_id] != value and parameter_id not in ("pad_x", "pad_y"):
                self._put(parameter_id, value)
        self._put_place(values["pad_x"], values["pad_y"])
        self._preset_stands = True
        self.preset_changed.emit(index)
        self._send_place()
        self.edited.emit()

    # a sound on trial

    @property
    def trying(self) -> bool:
        return self._trial is not None

    def try_sound(self, latent: Vector, parameters: Mapping[str, float]) -> None:
        """Let a latent [Z] sound with these parameters until it is kept or discarded, or another sound is chosen."""
        if self._map is None:
            return
        before = self._trial or Trial(latent, 0.0, 0.0, Change("recording", self.preset, self._sound()),
                                      self._preset_stands, copy.deepcopy(self._history))  # fmt: skip
        x, y = self._map.place_of(latent)
        self._trial = dataclasses.replace(before, base=self._map.base_of(latent, x, y), x=x, y=y)
        values = {row.id: row.default for row in PARAMETERS if row.id not in NOT_OF_THE_SOUND} | dict(parameters)
        for parameter_id, value in values.items():
            if self.values[parameter_id] != value and parameter_id not in ("pad_x", "pad_y"):
                self._put(parameter_id, value)
        self.preset = -1
        self._put_place(x, y)
        self.preset_changed.emit(-1)
        self._send_place()

    def keep_trial(self, name: str) -> str:
        """Make a preset of the player's own of it; what went wrong, or "" when all is well. One edit for undo."""
        trial, heard = self._trial, list[str]()
        if trial is None:
            return "nothing is on trial"
        self.noticed.connect(heard.append)
        self.save_preset(name)
        self.noticed.disconnect(heard.append)
        if self.preset < 0:
            return heard[-1] if heard else "the preset cannot be kept"
        self._trial, self._history = None, trial.history
        self._history.add(trial.before.what, trial.before.preset, trial.before.values, time.monotonic())
        self._preset_stands = True
        self._send_place()
        self.history_changed.emit()
        return ""

    def discard_trial(self) -> None:
        """The sound is what it was before the trial."""
        trial = self._trial
        if trial is None:
            return
        self._history = trial.history
        self._go_to(trial.before, "the sound of before plays again", "")
        self._preset_stands = trial.preset_stood
        self._send_place()

    def choose_preset(self, index: int) -> None:
        """A gesture of the player."""
        with self._edit("preset"):
            self.select_preset(index)

    def step_preset(self, step: int) -> None:
        """Next or previous, around the end."""
        if self.instrument is not None:
            self.choose_preset((self.preset + step) % len(self.presets))

    def audition(self, index: int) -> None:
        """Select, and let it be heard when nothing is being played."""
        self._end_audition()
        quiet = not self.notes.notes
        self.choose_preset(index)
        if quiet and self.instrument is not None:
            low, high = self.instrument.pitch_range
            self._audition_note = 60 if low <= 60 <= high else (low + high) // 2
            self.notes.press(AUDITION_SOURCE, self._audition_note, 0.75)
            self._audition.start()

    def _end_audition(self) -> None:
        self._audition.stop()
        if self._audition_note >= 0:
            self.notes.release(AUDITION_SOURCE, self._audition_note)
            self._audition_note = -1

    # parameters and pad

    def set_parameter(self, parameter_id: str, value: float) -> None:
        """A gesture of the player on one knob."""
        with self._edit(PARAMETERS[PARAMETER_INDEX[parameter_id]].label):
            self._put(parameter_id, value)
            if parameter_id in ("pad_x", "pad_y"):
                self._preset_stands = False
                self._send_place()
        self.edited.emit()

    def move_pad(self, x: float, y: float, edited: bool = True) -> None:
        """Go to a place. `edited`: to be kept and undone; a motion would have that done without end."""
        with self._edit("pad") if edited else contextlib.nullcontext():
            self._put_place(x, y)
            self._preset_stands = False
            self._send_place()
        if edited:
            self.edited.emit()

    def _put_place(self, x: float, y: float) -> None:
        place = {"pad_x": x, "pad_y": y}
        if self._before is not None:
            for each in place:
                self._before.setdefault(each, self.values[each])
        self.values |= place  # both before either is told: nobody may see a place in between
        for parameter_id, value in place.items():
            self._put(parameter_id, value)

    def apply_values(self, values: Mapping[str, float]) -> None:
        """Values of a session, over the preset's."""
        for parameter_id, value in values.items():
            if parameter_id in PARAMETER_INDEX:
                self._put(parameter_id, value)
        self._send_place()

    def _put(self, parameter_id: str, value: float) -> None:
        value = PARAMETERS[PARAMETER_INDEX[parameter_id]].clip(value)
        if self._before is not None:
            for each in (parameter_id, *insert_defaults(parameter_id, value)):
                self._before.setdefault(each, self.values[each])
        self.values[parameter_id] = value
        self._touched[parameter_id] = time.monotonic()
        if self._client is not None:
            self._client.set_parameter(parameter_id, value)
        self.parameter_changed.emit(parameter_id, value)
        for value_id, default in insert_defaults(parameter_id, value).items():  # the engine does so by itself
            self.values[value_id] = default
            self._touched[value_id] = self._touched[parameter_id]
            self.parameter_changed.emit(value_id, default)

    def _at_preset_place(self) -> bool:
        if self._map is None or not 0 <= self.preset < len(self.presets):
            return False
        preset = self.presets[self.preset]
        if isinstance(preset, UserPreset):
            x, y = (preset.values.get(axis, 0.0) for axis in ("pad_x", "pad_y"))
        else:
            x, y = self._map.places[self.preset].x, self._map.places[self.preset].y
        return abs(self.values["pad_x"] - x) < 1e-4 and abs(self.values["pad_y"] - y) < 1e-4

    def _preset_base(self, latent_map: LatentMap) -> Vector | None:
        """The base latent of the present preset at its own place; None where it has none that fits."""
        preset = self.presets[self.preset]
        if not isinstance(preset, UserPreset):
            return latent_map.preset_base(self.preset)
        # An instrument of the same name may have another latent space.
        fits = self.instrument is not None and len(preset.base) == self.instrument.spec.latent_size
        return np.array(preset.base, np.float32) if fits else None

    def _send_place(self) -> None:
        """Give the engine the base latent of the pad's place, and the views the blend."""
        if self._map is None:
            return
        base, weights = self._blend(self._map)
        if self._client is not None:
            self._client.set_latent(base)
        self.blend_changed.emit(weights)

    def _blend(self, latent_map: LatentMap) -> tuple[Vector, Vector]:
        """The base latent of the pad's place, and the share in it of each point that the pad shows."""
        x, y = self.values["pad_x"], self.values["pad_y"]
        if self._trial is not None and self._trial.is_at(x, y):
            return self._trial.base, latent_map.weights(x, y)[: 0 if self.corners.blending else None]
        at_preset, blending = self._at_preset_place(), self.corners.blending
        if blending and not (at_preset and self._preset_stands):
            weights = self.corners.weights(x, y)
            return latent_map.base_of(self.corners.latent(weights), x, y), weights
        weights = latent_map.weights(x, y)
        base = self._preset_base(latent_map) if at_preset else None
        if base is None:
            base = latent_map.base_latent(weights)
        return base, weights[:0] if blending else weights

    # corners

    def pin(self, corner: int, preset: int | None = None) -> None:
        """Hold in a corner of the pad what sounds there now, or a preset. Corners are forgotten with the instrument."""
        if self._map is None or self.instrument is None:
            return
        if preset is not None:
            pin = Pin(self.instrument.presets[preset].name, self._map.places[preset].latent)
        else:
            latent = self._map.sounding(self._blend(self._map)[0], self.values["pad_x"], self.values["pad_y"])
            pin = Pin(self.preset_name if self._at_preset_place() else "Blend", latent)
        self.corners.pins[corner] = pin
        self.pins_changed.emit()
        self._send_place()

    def unpin(self, *corners: int) -> None:
        """Free corners; with fewer than two pinned, the pad is the map again."""
        for corner in corners:
            self.corners.pins.pop(corner, None)
        if corners:
            self.pins_changed.emit()
            self._send_place()

    def _send_everything(self) -> None:
        """An engine that just started or changed its instrument knows nothing of our settings."""
        for parameter_id, value in dict(self.values).items():  # a copy: an insert resets its values, which come next
            self._put(parameter_id, value)
        self._send_place()

    # undo, redo, A and B

    @contextlib.contextmanager
    def _edit(self, what: str) -> Iterator[None]:
        """Remember what is changed inside, as one edit."""
        if self._before is not None:
            yield
            return
        preset, self._before = self.preset, {}
        try:
            yield
        finally:
            before, self._before = self._before, None
            if preset != self.preset or any(self.values[each] != value for each, value in before.items()):
                self._history.add(what, preset, before, time.monotonic())
                self.history_changed.emit()

    @property
    def can_undo(self) -> bool:
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        return self._history.can_redo

    def undo(self) -> None:
        self._go_to(self._history.undo(self.preset, self.values), "undone: {}", "nothing to undo")

    def redo(self) -> None:
        self._go_to(self._history.redo(self.preset, self.values), "done again: {}", "nothing to do again")

    def compare(self) -> None:
        """Play the other one of two settings of the sound, A and B; B begins as A is. Each has its own history."""
        if self.instrument is None:
            return
        here = Change(self.side, self.preset, self._sound())
        other, history = self._other_side or (here, History())
        self._other_side = (here, self._history)
        self._history = history
        self.side = "B" if self.side == "A" else "A"
        self._go_to(other, f"{self.side} plays", "")

    def _sound(self) -> dict[str, float]:
        return {each: value for each, value in self.values.items() if each not in NOT_OF_THE_SOUND}

    def _go_to(self, change: Change | None, done: str, nothing: str) -> None:
        if change is None:
            self.noticed.emit(nothing)
            return
        self._trial = None
        if change.preset != self.preset:
            self.preset = change.preset
            self.preset_changed.emit(change.preset)
        # In the table's order: what an insert is comes before its values, which it resets.
        for parameter_id in sorted(change.values, key=PARAMETER_INDEX.__getitem__):
            if self.values[parameter_id] != change.values[parameter_id]:
                self._put(parameter_id, change.values[parameter_id])
        self._preset_stands = self._at_preset_place()
        self._send_place()
        self.noticed.emit(done.format(change.what))
        self.history_changed.emit()
        self.edited.emit()

    def _forget_history(self) -> None:
        self._history, self._other_side, self.side = History(), None, "A"
        self.history_changed.emit()

    # playing

    def _note_on(self, pitch: int, velocity: float) -> None:
        if self._client is not None:
            self._client.note_on(pitch, velocity)

    def _note_off(self, pitch: int) -> None:
        if self._client is not None:
            self._client.note_off(pitch)

    def send_events(self, events: NDArray[np.void]) -> None:
        """Rows of EVENT_DTYPE, with times of the engine's clock."""
        if self._client is not None:
            self._client.send_events(events)

    def bend(self, value: float) -> None:
        """-1..1 of the bend range."""
        if self._client is not None:
            self._client.send(EventKind.PITCH_BEND, value=value)

    def modulate(self, value: float) -> None:
        """Mod wheel, 0..1."""
        if self._client is not None:
            self._client.send(EventKind.CONTROL_CHANGE, MODULATION_CONTROLLER, value)

    def sustain(self, down: bool) -> None:
        if self._client is not None:
            self._client.send(EventKind.CONTROL_CHANGE, SUSTAIN_CONTROLLER, 1.0 if down else 0.0)

    def panic(self) -> None:
        self._audition.stop()
        self._audition_note = -1
        if self._client is not None:
            self._client.panic()
        self.notes.forget()
        self.panicked.emit()

    # what the window polls

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

    def poll_notices(self) -> None:
        if self._client is not None:
            for line in self._client.notices():
                self.noticed.emit(line)

    def poll_parameters(self) -> None:
        """Take over what MIDI moved in the engine: presets by program changes, parameters by controllers."""
        if self._client is None:
            return
        self._follow_program(self._client)
        settled = time.monotonic() - ECHO_S
        moved: dict[str, float] = {}
        for parameter_id, value in self._client.parameter_values().items():
            index = PARAMETER_INDEX.get(parameter_id)
            if index is None or self._touched.get(parameter_id, 0.0) > settled:
                continue
            if value == self.values[parameter_id]:
                continue
            row = PARAMETERS[index]
            if abs(row.to_position(value) - row.to_position(self.values[parameter_id])) < 1e-5:
                continue
            moved[parameter_id] = row.clip(value)
        self.values |= moved  # all before any is told: the pad would pass a place where it never was
        for parameter_id, value in moved.items():
            self.parameter_changed.emit(parameter_id, value)
        if moved.keys() & {"pad_x", "pad_y"}:
            self._preset_stands = False
            self._send_place()
        if moved:
            self.edited.emit()

    def _follow_program(self, client: EngineClient) -> None:
        preset, changes = client.preset()
        if changes != self._preset_changes:
            self._preset_changes = changes
            self.select_preset(preset)

    # MIDI learn

    def learn(self, parameter_id: str) -> None:
        """Let the next controller that moves move this parameter."""
        label = PARAMETERS[PARAMETER_INDEX[parameter_id]].label
        self._teach(
            lambda client: client.learn(parameter_id),
            f"{label}: move a knob, fader or wheel of your MIDI controller",
        )

    def stop_learning(self) -> None:
        self._teach(lambda client: client.cancel_learning())

    def forget_controller(self, parameter_id: str) -> None:
        self._teach(lambda client: client.forget_learned(parameter_id))

    def _teach(self, ask: Callable[[EngineClient], None], told: str = "") -> None:
        client = self._client
        if client is None:
            self.noticed.emit(self.failure or "the engine is still starting")
            return
        self.requests.ask(lambda: ask(client), lambda _: self.noticed.emit(told) if told else None, self.noticed.emit)

    def poll_learned(self) -> None:
        """See what the engine's controllers were taught."""
        if self._client is None:
            return
        waiting = self._client.learning()
        learning = waiting[1] if waiting is not None else ""
        learned = {
            parameter_id: f"controller {controller} of MIDI channel {channel + 1}"
            for (channel, controller), (part, parameter_id) in self._client.learned().items()
            if part == 0
        }
        if (learning, learned) == (self.learning, self.learned):
            return
        for parameter_id in learned.keys() - self.learned.keys():
            label = PARAMETERS[PARAMETER_INDEX[parameter_id]].label
            self.noticed.emit(f"{label} is moved by {learned[parameter_id]}")
        self.learning, self.learned = learning, learned
        self.learned_changed.emit()

    # audio and MIDI settings

    def ask_devices(
        self,
        done: Callable[[list[AudioDevice], list[tuple[str, bool]]], None],
        failed: Callable[[str], None],
    ) -> None:
        client = self._client
        if client is None:
            failed(self.failure or "the engine is still starting")
            return
        self.requests.ask(lambda: (client.audio_devices(), client.midi_inputs()), lambda r: done(*r), failed)

    def open_audio(self, choice: AudioChoice, done: Callable[[], None], failed: Callable[[str], None]) -> None:
        client = self._client
        if client is None:
            failed(self.failure or "the engine is still starting")
            return

        def opened(_: object) -> None:
            self.audio = choice
            self.edited.emit()
            done()

        self.requests.ask(lambda: client.open_audio(choice), opened, failed)

    def listen_midi(self, port: str, enabled: bool, failed: Callable[[str], None]) -> None:
        client = self._client
        if client is None:
            return

        def heard(_: object) -> None:
            (self.muted_midi_inputs.discard if enabled else self.muted_midi_inputs.add)(port)
            self.edited.emit()

        self.requests.ask(lambda: client.listen_midi(port, enabled), heard, failed)

    # the recorder

    def start_recording(
        self, choose: Callable[[], Path], done: Callable[[Path], None], failed: Callable[[str], None]
    ) -> None:
        """Record what is heard into the file that `choose` names, which may take its time."""
        client = self._client
        if client is None:
            failed(self.failure or "the engine is still starting")
            return

        def work() -> Path:
            path = choose()
            client.start_recording(path)
            return path

        self.requests.ask(work, done, failed)

    def stop_recording(self, done: Callable[[float], None], failed: Callable[[str], None]) -> None:
        """`done` is told the length in seconds; 0 when it had ended already."""
        client = self._client
        if client is None:
            failed(self.failure or "the engine is still starting")
            return
        self.requests.ask(client.stop_recording, done, failed)


def insert_defaults(parameter_id: str, kind: float) -> dict[str, float]:
    """Knob positions that the effect of an insert begins with; nothing for other parameters and for no effect."""
    if parameter_id not in INSERTS or kind < 1.0:
        return {}
    positions = EFFECTS[round(kind) - 1].default_positions()
    return {f"{parameter_id}_{i}": position for i, position in enumerate(positions, 1)}


def _nothing() -> None:
    return None
