"""The session file: what was open and how it was set, restored at the next start."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import platformdirs

from noisysynth import factory
from noisysynth.parameters import PARAMETER_INDEX, PARAMETERS
from noisysynth.ui.json_file import read_json, reason, write_json
from noisysynth.ui.motion import USUAL_HZ

VERSION = 1
FACTORY_PREFIX = "factory:"  # factory instruments by name: their folder moves with every installation


@dataclasses.dataclass
class Session:
    """Everything the window remembers. Missing or wrong fields of a file fall back to these defaults."""

    instrument: str = ""  # a path, or FACTORY_PREFIX and a file name; "": the first factory instrument
    preset: str = ""
    parameters: dict[str, float] = dataclasses.field(default_factory=dict)
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
    session.parameters = _sound_parameters(session.parameters)
    session.muted_midi_inputs = [port for port in session.muted_midi_inputs if isinstance(port, str)]
    return session, ""


def save_session(path: Path, session: Session) -> str:
    """Write atomically; returns one line when that failed ("" when it did not)."""
    try:
        write_json(path, {"version": VERSION, **dataclasses.asdict(session)})
    except OSError as error:
        return f"the session cannot be kept: {path} ({error.strerror})"
    return ""


def resolve_instrument(reference: str) -> Path | None:
    """The file that a session's reference means; None when there is none."""
    if reference.startswith(FACTORY_PREFIX):
        path = factory.FOLDER / Path(reference.removeprefix(FACTORY_PREFIX)).name
    elif reference:
        path = Path(reference)
    else:
        return None
    return path if path.is_file() else None


def instrument_reference(path: Path) -> str:
    """What a session stores for a file."""
    if path.absolute().parent == factory.FOLDER.absolute():
        return FACTORY_PREFIX + path.name
    return str(path.absolute())


def _sound_parameters(values: dict[str, Any]) -> dict[str, float]:
    """Known ids with finite numbers, clipped to their ranges."""
    return {
        key: PARAMETERS[PARAMETER_INDEX[key]].clip(float(value))
        for key, value in values.items()
        if key in PARAMETER_INDEX
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max  # not so for a NaN, nor for an integer that no float can hold
    }
