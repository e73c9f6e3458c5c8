"""Player: what is loaded and how it is set; the only part of the window that talks to the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from noisysynth.effects import EFFECTS
from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice, AudioDevice, EngineStatus
from noisysynth.events import EventKind
from noisysynth.instrument import Instrument, read_instrument
from noisysynth.parameters import KEPT_BY_PRESETS, N_INSERTS, PARAMETER_INDEX, PARAMETERS, default_values
from noisysynth.ui.corners import Corners, Pin
from noisysynth.ui.held_notes import HeldNotes
from noisysynth.ui.latent_map import LatentMap, Vector
from noisysynth.ui.requests import Requests

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
    preset_changed = Signal(int)
    parameter_changed = Signal(str, float)
    blend_changed = Signal(object)  # share of each point of the pad in what sounds: presets, or pinned corners
    pins_changed = Signal()  # what the corners of the pad hold
    engine_changed = Signal()  # starting, running, stopped
    learned_changed = Signal()  # which controllers move which parameters, or which parameter waits for one
    noticed = Signal(str)  # one line for the player
    edited = Signal()  # something that the session keeps

    def __init__(self, client_factory: Callable[[], EngineClient], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client_factory = client_factory
        self._client: EngineClient | None = None  # only while it answers
        self.requests = Requests(self)
        self.notes = HeldNotes(self._note_on, self._note_off, self)
        self.instrument: Instrument | None = None
        self.instrument_path: Path | None = None
        self.preset = -1
        self.values = default_values()
        self.audio = AudioChoice()
        self.muted_midi_inputs: set[str] = set()
        self.osc_port: int | None = None
        self.starting = False
        self.failure = ""  # why there is no engine
        self.last_status: EngineStatus | None = None  # peaks are since the last read, so only one may read
        self._map: LatentMap | None = None
        self.corners = Corners()
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
        self._map = LatentMap(instrument)
        self.corners.pins.clear()
        self.instrument_changed.emit()
        names = [row.name for row in instrument.presets]
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
    def preset_name(self) -> str:
        if self.instrument is None or self.preset < 0:
            return ""
        return self.instrument.presets[self.preset].name

    def select_preset(self, index: int) -> None:
        """Set the preset's latent, its place on the pad and its parameters; others of the sound to default.

        The engine is told what changes, and the place always.
        """
        if self.instrument is None or self._map is None or not 0 <= index < len(self.instrument.presets):
            return
        self.preset = index
        preset, place = self.instrument.presets[index], self._map.places[index]
        values = {row.id: row.default for row in PARAMETERS if row.id not in NOT_OF_THE_SOUND}
        for parameter_id, value in preset.parameters.items():
            values |= insert_defaults(parameter_id, value)
        values |= {key: value for key, value in preset.parameters.items() if key in PARAMETER_INDEX}
        for parameter_id, value in values.items():
            if self.values[parameter_id] != value and parameter_id not in ("pad_x", "pad_y"):
                self._put(parameter_id, value)
        self._put_place(place.x, place.y)
        self._preset_stands = True
        self.preset_changed.emit(index)
        self._send_place()
        self.edited.emit()

    def step_preset(self, step: int) -> None:
        """Next or previous, around the end."""
        if self.instrument is not None:
            self.select_preset((self.preset + step) % len(self.instrument.presets))

    def audition(self, index: int) -> None:
        """Select, and let it be heard when nothing is being played."""
        self._end_audition()
        quiet = not self.notes.notes
        self.select_preset(index)
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
        self._put(parameter_id, value)
        if parameter_id in ("pad_x", "pad_y"):
            self._preset_stands = False
            self._send_place()
        self.edited.emit()

    def move_pad(self, x: float, y: float, edited: bool = True) -> None:
        """Go to a place. `edited`: the session is to keep it; a motion would have it written without end."""
        self._put_place(x, y)
        self._preset_stands = False
        self._send_place()
        if edited:
            self.edited.emit()

    def _put_place(self, x: float, y: float) -> None:
        place = {"pad_x": x, "pad_y": y}
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
        if self._map is None or self.preset < 0:
            return False
        place = self._map.places[self.preset]
        return abs(self.values["pad_x"] - place.x) < 1e-4 and abs(self.values["pad_y"] - place.y) < 1e-4

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
        at_preset, blending = self._at_preset_place(), self.corners.blending
        if blending and not (at_preset and self._preset_stands):
            weights = self.corners.weights(x, y)
            return latent_map.base_of(self.corners.latent(weights), x, y), weights
        weights = latent_map.weights(x, y)
        base = latent_map.preset_base(self.preset) if at_preset else latent_map.base_latent(weights)
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

    # playing

    def _note_on(self, pitch: int, velocity: float) -> None:
        if self._client is not None:
            self._client.note_on(pitch, velocity)

    def _note_off(self, pitch: int) -> None:
        if self._client is not None:
            self._client.note_off(pitch)

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

    # what the window polls

    def status(self) -> EngineStatus | None:
        """The engine's meters; None without an engine."""
        status = self._client.status() if self._client is not None else None
        if status is not None and not status.alive:
            self._lost()
            status = None
        self.last_status = status
        return status

    def scope(self) -> object | None:
        return self._client.scope() if self._client is not None else None

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


def insert_defaults(parameter_id: str, kind: float) -> dict[str, float]:
    """Knob positions that the effect of an insert begins with; nothing for other parameters and for no effect."""
    if parameter_id not in INSERTS or kind < 1.0:
        return {}
    positions = EFFECTS[round(kind) - 1].default_positions()
    return {f"{parameter_id}_{i}": position for i, position in enumerate(positions, 1)}


def _nothing() -> None:
    return None
