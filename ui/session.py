"""The session file: what was open and how it was set, restored at the next start."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs

from noisysynth.engine.learn import RESERVED
from noisysynth.parameters import N_PARTS, PARAMETER_INDEX
from noisysynth.ui.json_file import read_json, reason, write_json
from noisysynth.ui.motion import USUAL_HZ
from noisysynth.ui.part_data import PartData, RackData
from noisysynth.ui.stored_values import stored_values
from noisysynth.ui.teaching import Controller, Place

VERSION = 1


@dataclasses.dataclass
class Session:
    """Everything the window remembers. Missing or wrong fields of a file fall back to these defaults."""

    rack: RackData = dataclasses.field(default_factory=RackData)  # empty: the first factory instrument
    audio_device: str = ""
    host_api: str = ""
    sample_rate: int = 0
    block_size: int = 0
    muted_midi_inputs: list[str] = dataclasses.field(default_factory=list)
    keyboard_base: int = 60
    geometry: str = ""  # hexadecimal of QWidget.saveGeometry
    view: str = ""  # of the sound: a name of scope_panel.VIEWS
    pad_loop: str = ""  # Loop.to_text of ui/motion.py
    walk_speed_hz: float = USUAL_HZ  # of the pad's random walk
    audition: bool = True  # presets are heard when they are clicked
    tuning_scale: str = ""  # paths of Scala files
    tuning_mapping: str = ""
    controllers: list[list[int | str]] = dataclasses.field(default_factory=list)  # see `controllers_of`
    welcomed: bool = False  # the welcome was seen, or waved away


def session_path() -> Path:
    return Path(platformdirs.user_config_dir("noisysynth", appauthor=False)) / "session.json"


def load_session(path: Path) -> tuple[Session, str]:
    """The session, and one line about what was wrong with the file ("" when nothing was)."""
    try:
        data = read_json(path)
    except FileNotFoundError:
        return Session(), ""
    except (OSError, ValueError) as error:
        return Session(), f"the last session was not restored: {path.name} cannot be read ({reason(error)})"
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return Session(), f"the last session was not restored: {path.name} is of another version"
    session = Session()
    for field in dataclasses.fields(Session):
        value = data.get(field.name)
        if type(value) is type(getattr(session, field.name)):
            setattr(session, field.name, value)
    session.rack = _rack(data)
    session.muted_midi_inputs = [port for port in session.muted_midi_inputs if isinstance(port, str)]
    session.controllers = [each for each in session.controllers if _is_controller(each)]
    return session, ""


def save_session(path: Path, session: Session) -> str:
    """Write atomically; returns one line when that failed ("" when it did not)."""
    try:
        fields = {field.name: getattr(session, field.name) for field in dataclasses.fields(Session)}
        write_json(path, {"version": VERSION, **fields, "rack": session.rack.data()})
    except OSError as error:
        return f"the session cannot be kept: {path} ({error.strerror})"
    return ""


def controllers_of(bindings: Mapping[Controller, Place]) -> list[list[int | str]]:
    """[MIDI channel, controller, part, parameter] of each that was taught, all numbers from 0."""
    return [[*controller, *place] for controller, place in sorted(bindings.items())]


def bindings_of(controllers: Iterable[Sequence[Any]]) -> dict[Controller, Place]:
    """The same back again."""
    return {(channel, controller): (part, id_) for channel, controller, part, id_ in controllers}


def _is_controller(each: Any) -> bool:
    if not isinstance(each, list) or [type(value) for value in each] != [int, int, int, str]:
        return False
    channel, controller, part, parameter_id = each
    in_range = 0 <= channel < 16 and 0 <= controller < 128 and 0 <= part < N_PARTS
    return in_range and controller not in RESERVED and parameter_id in PARAMETER_INDEX


def _rack(data: dict[str, Any]) -> RackData:
    """The session's rack; of a file of before there were racks its one instrument."""
    if "rack" in data:
        return RackData.of_data(data["rack"]) or RackData()
    values = data.get("parameters")
    part = PartData.of_data({**data, "values": values})
    return RackData({0: part} if part is not None else {}, stored_values(values, rack=True))
