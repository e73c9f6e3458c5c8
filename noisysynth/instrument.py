"""The instrument file (`NAME.noisy`): read, check, write. Nothing from a file is ever executed here.

`manifest.json` holds `format`, `version`, `content_sha256` and the fields of `Instrument` that are not
members of their own; `content_sha256` covers every other member and the rest of the manifest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.graph_check import SHIMMER, check_graph, control_ports, encoder_ports
from noisysynth.latent_prior import LatentPrior, prior_of
from noisysynth.parameters import N_KNOBS, PARAMETER_INDEX, PARAMETERS
from noisysynth.sealed_zip import BadFile, pack_arrays, pack_zip, quoted, read_member, unpack_arrays, unpack_zip
from noisysynth.spec import SynthSpec

FORMAT = "noisysynth-instrument"
VERSION = 2  # since control networks may be told of shimmer
MIB = 1024 * 1024
MAX_FILE_BYTES = 64 * MIB
MEMBER_LIMITS = {
    "manifest.json": 1 * MIB,
    "control.onnx": 32 * MIB,
    "encoder.onnx": 32 * MIB,
    "presets.json": 4 * MIB,
    "golden.npz": 16 * MIB,
    "room.npz": 4 * MIB,
    "prior.npz": 8 * MIB,
}
REQUIRED_MEMBERS = ("manifest.json", "control.onnx", "presets.json", "golden.npz")

MAX_PRESETS = 2_000
MAX_LATENT_VALUE = 100.0  # of a unit Gaussian: anything near this is a mistake
MAX_NAME = 80
MAX_TEXT = 4_000
MAX_LINES = 2_000

GOLDEN_INPUTS = ("z", "pitch", "velocity", "time_on", "time_off")
GOLDEN_OUTPUTS = ("f0_ratio", "amplitude", "harmonics", "noise")
GOLDEN_AUDIO = ("audio", "audio_sample_rate")
MAX_ROOM_S = 2.0
MAX_ROOM_ENERGY = 100.0  # of each channel: 20 dB louder than what goes in is a mistake

Latent = NDArray[np.float32]
Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True, eq=False)
class Direction:
    """A named way through the latent space, for one knob: at +1 the latent moves by `vector` [Z].

    effect: what was measured, for people. measured: the same as numbers (at -1, 0 and +1, correlation).
    """

    name: str
    vector: Latent
    effect: str = ""
    measured: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class PadPoint:
    """Where a name stands on the pad, x and y in -1..1 (outside: beyond the edge)."""

    name: str
    x: float
    y: float


@dataclasses.dataclass(frozen=True, eq=False)
class Preset:
    """A latent [Z], the parameters it sets by id (others keep their defaults), and words to find it by.

    program: the General MIDI program (0 to 127) whose sound it is, or None.
    """

    name: str
    latent: Latent
    parameters: Mapping[str, float] = dataclasses.field(default_factory=dict)
    tags: tuple[str, ...] = ()
    program: int | None = None


@dataclasses.dataclass(frozen=True)
class Training:
    """Where the sound comes from. `metrics` are figures measured at export or evaluation, by name."""

    data: str = ""
    licence: str = ""
    attribution: tuple[str, ...] = ()
    hours: float = 0.0
    steps: int = 0
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Room:
    """The reverb that was trained with the instrument: its response [L, 1 or 2], without the direct sound."""

    response: NDArray[np.float32]
    sample_rate: int


@dataclasses.dataclass(frozen=True, eq=False)
class Instrument:
    """Everything in an instrument file. Arrays are read-only float32.

    pad_axes: two latent vectors [Z]; pad x = +1 moves the latent by the first.
    pitch_range: lowest and highest MIDI note it was made for; others play, but nobody listened to them.
    prior: where its latents are, to draw new ones; without one they are drawn from a standard normal.
    control_onnx, encoder_onnx: the serialized networks, checked but not loaded.
    golden: inputs and the outputs they must give, by the contract's names; {} in a file without;
        optionally `audio` [n, samples] with `audio_sample_rate` [1]: the first n golden voices, rendered.
    """

    name: str
    spec: SynthSpec
    control_onnx: bytes
    presets: tuple[Preset, ...]
    pad_axes: tuple[Latent, Latent]
    description: str = ""
    directions: tuple[Direction, ...] = ()
    pad_points: tuple[PadPoint, ...] = ()
    pitch_range: tuple[int, int] = (0, 127)
    training: Training = dataclasses.field(default_factory=Training)
    encoder_onnx: bytes | None = None
    room: Room | None = None
    prior: LatentPrior | None = None
    golden: Mapping[str, NDArray[Any]] = dataclasses.field(default_factory=dict)
    content_sha256: str = ""  # as read; writing works it out anew

    def draw_latents(self, n: int, rng: np.random.Generator) -> Latent:
        """New timbres, latents [n, Z]."""
        if self.prior is not None:
            return self.prior.draw_any(n, rng)
        return rng.normal(size=(n, self.spec.latent_size)).astype(np.float32)

    def draw_latents_for(
        self, pitch: NDArray[np.floating], velocity: NDArray[np.floating], rng: np.random.Generator
    ) -> Latent:
        """A new timbre for each note, latents [n, Z]; pitch [n] MIDI, velocity [n] 0..1."""
        if self.prior is not None:
            return self.prior.draw(pitch, velocity, rng)
        return rng.normal(size=(len(pitch), self.spec.latent_size)).astype(np.float32)

    def preset_of_program(self, bank: int, program: int) -> int | None:
        """Which preset a program change asks for; None when there is no such one.

        Where presets say which General MIDI program they are, the nearest one in number (programs are in families of
        eight), whatever the bank: a song never meets silence. Else presets are counted, 128 to a bank.
        """
        known = [
            (abs(preset.program - program), i) for i, preset in enumerate(self.presets) if preset.program is not None
        ]
        if known:
            return min(known)[1]
        index = bank * 128 + program
        return index if 0 <= index < len(self.presets) else None


def read_instrument(path: str | os.PathLike[str]) -> Instrument:
    """The instrument in a file. Raises UserError, one line, for anything else than a sound file."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a usable path"
        raise UserError(f"{path}: cannot be read ({reason}); choose an instrument file (.noisy)") from None
    return parse_instrument(data, str(path))


def instrument_name(path: Path) -> str | None:
    """What an instrument file calls itself, quickly and without checking the rest; None when it is none."""
    try:
        manifest = _load_json(read_member(path, "manifest.json", MEMBER_LIMITS["manifest.json"]), "manifest.json")
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            return None
        return _text(manifest.get("name"), "name", MAX_NAME, empty=False)
    except (BadFile, OSError):
        return None


def parse_instrument(data: bytes, label: str) -> Instrument:
    """The instrument in the bytes of a file; `label` is what messages call the file. Raises UserError."""
    try:
        return _parse(data)
    except BadFile as error:
        remedy = error.remedy or "download or export the instrument again"
        raise UserError(f"{label}: {error}; {remedy}") from None


def write_instrument(path: str | os.PathLike[str], instrument: Instrument) -> Path:
    """Write atomically: the file appears whole or not at all. The same instrument gives the same bytes.

    What is about to be written is read back first, so UserError here means the instrument itself is unsound.
    """
    path = Path(path)
    data = instrument_bytes(instrument)
    parse_instrument(data, str(path))
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp gives 0600, which nobody else could play
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    return path


# ---- writing


def instrument_bytes(instrument: Instrument) -> bytes:
    """The bytes of an instrument's file, unchecked."""
    members = {"control.onnx": instrument.control_onnx}
    if instrument.encoder_onnx is not None:
        members["encoder.onnx"] = instrument.encoder_onnx
    members["presets.json"] = _dump([_preset_json(preset) for preset in instrument.presets])
    members["golden.npz"] = pack_arrays(instrument.golden)
    if instrument.room is not None:
        rate = np.array([instrument.room.sample_rate], np.float32)
        members["room.npz"] = pack_arrays({"response": instrument.room.response, "sample_rate": rate})
    if instrument.prior is not None:
        members["prior.npz"] = pack_arrays(instrument.prior.arrays())
    manifest = _manifest_json(instrument)
    manifest["content_sha256"] = content_hash(manifest, members)
    return pack_zip({"manifest.json": _dump(manifest), **members})


def content_hash(manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> str:
    """SHA-256 over the manifest (without its `content_sha256`) and every other member, in hexadecimal."""
    rest = {key: value for key, value in manifest.items() if key != "content_sha256"}
    digest = hashlib.sha256()
    for name, data in [("manifest.json", _dump(rest)), *sorted(members.items())]:
        if name == "manifest.json" or name in MEMBER_LIMITS:
            digest.update(f"{name}\0{len(data)}\0".encode())
            digest.update(data)
    return digest.hexdigest()


def _dump(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _manifest_json(instrument: Instrument) -> dict[str, Any]:
    training = dataclasses.asdict(instrument.training)
    training["metrics"] = _numbers(instrument.training.metrics)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": instrument.name,
        "description": instrument.description,
        "spec": instrument.spec.to_json(),
        "directions": [
            {
                "name": direction.name,
                "vector": _vector(direction.vector),
                "effect": direction.effect,
                "measured": _numbers(direction.measured),
            }
            for direction in instrument.directions
        ],
        "pad_axes": [_vector(axis) for axis in instrument.pad_axes],
        "pad_points": [
            {"name": point.name, "x": float(point.x), "y": float(point.y)} for point in instrument.pad_points
        ],
        "pitch_range": [int(pitch) for pitch in instrument.pitch_range],
        "training": training,
    }


def _preset_json(preset: Preset) -> dict[str, Any]:
    data = {
        "name": preset.name,
        "latent": _vector(preset.latent),
        "parameters": _numbers(preset.parameters),
        "tags": list(preset.tags),
    }
    return data if preset.program is None else {**data, "program": preset.program}


def _vector(values: NDArray[Any]) -> list[float]:
    return [float(value) for value in np.asarray(values, np.float32)]


def _numbers(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


# ---- reading: every helper raises BadFile


def _parse(data: bytes) -> Instrument:
    if len(data) > MAX_FILE_BYTES:
        raise BadFile(f"it is larger than {MAX_FILE_BYTES // MIB} MiB")
    if not data:
        raise BadFile("it is empty")
    if not data.startswith(b"PK\x03\x04"):
        raise BadFile("it is not an instrument file", "choose a file ending in .noisy")
    members = unpack_zip(data, MEMBER_LIMITS, MAX_FILE_BYTES)
    for name in REQUIRED_MEMBERS:
        if name not in members:
            raise BadFile(f"it has no {name}")
    manifest = _load_json(members.pop("manifest.json"), "manifest.json")
    _check_identity(manifest, members)
    spec = _spec(_field(manifest, "spec", "manifest"))
    _check_keys(manifest, "manifest", _MANIFEST_KEYS)
    check_graph(members["control.onnx"], "control.onnx", *control_ports(spec), optional=SHIMMER)
    if "encoder.onnx" in members:
        check_graph(members["encoder.onnx"], "encoder.onnx", *encoder_ports(spec))
    axes = _items(manifest["pad_axes"], "pad_axes", 2, lambda axis, what: _latent(axis, what, spec))
    if len(axes) != 2:
        raise BadFile(f"its pad_axes are {len(axes)}, not 2")
    presets = _load_json(members["presets.json"], "presets.json")
    return Instrument(
        name=_text(manifest["name"], "name", MAX_NAME, empty=False),
        description=_text(manifest["description"], "description", lines=True),
        spec=spec,
        directions=_items(
            manifest["directions"], "directions", N_KNOBS, lambda item, what: _direction(item, what, spec)
        ),
        pad_axes=(axes[0], axes[1]),
        pad_points=_items(manifest["pad_points"], "pad_points", MAX_PRESETS, _pad_point),
        pitch_range=_pitch_range(manifest["pitch_range"]),
        training=_training(manifest["training"]),
        control_onnx=members["control.onnx"],
        encoder_onnx=members.get("encoder.onnx"),
        room=_room(members["room.npz"]) if "room.npz" in members else None,
        prior=_prior(members["prior.npz"], spec) if "prior.npz" in members else None,
        presets=_presets(presets, spec),
        golden=_golden(members["golden.npz"], spec),
        content_sha256=manifest["content_sha256"],
    )


_MANIFEST_KEYS = (
    "format", "version", "content_sha256", "name", "description", "spec", "directions", "pad_axes",
    "pad_points", "pitch_range", "training",
)  # fmt: skip


def _load_json(data: bytes, name: str) -> Any:
    def refuse_constant(text: str) -> NoReturn:
        raise ValueError(f"{text} is not JSON")

    def refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key stands twice")
        return result

    try:
        return json.loads(data.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=refuse_repeats)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"its {name} is not valid JSON") from error


def _check_identity(manifest: Any, members: Mapping[str, bytes]) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BadFile("it is not a noisysynth instrument", "choose a file ending in .noisy")
    version = manifest.get("version")
    if type(version) is not int or version < 1:
        raise BadFile("its format version is missing or not a whole number")
    if version > VERSION:
        raise BadFile(f"its format version {quoted(version)} is newer than this program's", "update noisysynth")
    if manifest.get("content_sha256") != content_hash(manifest, members):
        raise BadFile("its content does not match its checksum", "copy or download it again")


def _check_keys(data: Any, what: str, keys: Sequence[str], optional: Sequence[str] = ()) -> None:
    if not isinstance(data, dict):
        raise BadFile(f"its {what} is not an object")
    for key in keys:
        _field(data, key, what)
    for key in data:
        if key not in keys and key not in optional:
            raise BadFile(f"its {what} has an unknown field, {quoted(key)}")


def _field(data: Mapping[str, Any], key: str, what: str) -> Any:
    if key not in data:
        raise BadFile(f"its {what} has no field {key}")
    return data[key]


def _spec(data: Any) -> SynthSpec:
    try:
        return SynthSpec.from_json(data)
    except UserError as error:
        raise BadFile(f"its {_one_line(error)}", "update noisysynth or export the instrument again") from error


def _one_line(error: Exception) -> str:
    """An error's text on one short line."""
    return " ".join(str(error).split())[:200]


def _text(value: Any, what: str, limit: int = MAX_TEXT, *, empty: bool = True, lines: bool = False) -> str:
    if not isinstance(value, str):
        raise BadFile(f"its {what} is not text")
    if len(value) > limit:
        raise BadFile(f"its {what} is longer than {limit} characters")
    if not empty and not value.strip():
        raise BadFile(f"its {what} is empty")
    printable = value.replace("\n", "") if lines else value
    if not printable.isprintable():
        raise BadFile(f"its {what} holds characters that cannot be shown")
    return value


def _number(value: Any, what: str, low: float, high: float) -> float:
    # Compared before float(): an integer of many digits would overflow there.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadFile(f"its {what} is {quoted(value)}, not a number from {low:g} to {high:g}")
    return float(value)


def _number_table(value: Any, what: str) -> dict[str, float]:
    if not isinstance(value, dict) or len(value) > MAX_LINES:
        raise BadFile(f"its {what} is not a table of numbers")
    return {
        _text(name, f"{what} name", MAX_NAME): _number(number, f"{what} {quoted(name)}", -1e12, 1e12)
        for name, number in value.items()
    }


def _items(value: Any, what: str, limit: int, parse: Callable[[Any, str], Item]) -> tuple[Item, ...]:
    if not isinstance(value, list):
        raise BadFile(f"its {what} are not a list")
    if len(value) > limit:
        raise BadFile(f"its {what} are {len(value)}, limit {limit}")
    return tuple(parse(item, f"{what} {number}") for number, item in enumerate(value, 1))


def _latent(value: Any, what: str, spec: SynthSpec) -> Latent:
    if not isinstance(value, list) or len(value) != spec.latent_size:
        raise BadFile(f"its {what}: the latent does not have {spec.latent_size} numbers")
    for number in value:
        _number(number, what, -MAX_LATENT_VALUE, MAX_LATENT_VALUE)
    latent = np.array(value, np.float32)
    latent.flags.writeable = False
    return latent


def _direction(item: Any, what: str, spec: SynthSpec) -> Direction:
    _check_keys(item, what, ("name", "vector", "effect", "measured"))
    return Direction(
        name=_text(item["name"], f"{what} name", MAX_NAME, empty=False),
        vector=_latent(item["vector"], what, spec),
        effect=_text(item["effect"], f"{what} effect"),
        measured=_number_table(item["measured"], f"{what} measured"),
    )


def _pad_point(item: Any, what: str) -> PadPoint:
    _check_keys(item, what, ("name", "x", "y"))
    return PadPoint(
        name=_text(item["name"], f"{what} name", MAX_NAME, empty=False),
        x=_number(item["x"], f"{what} x", -100.0, 100.0),
        y=_number(item["y"], f"{what} y", -100.0, 100.0),
    )


def _pitch_range(value: Any) -> tuple[int, int]:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(pitch) is int and 0 <= pitch <= 127 for pitch in value)
        or value[0] > value[1]
    ):
        raise BadFile("its pitch_range is not two MIDI notes, low and high")
    return value[0], value[1]


def _training(data: Any) -> Training:
    _check_keys(data, "training", ("data", "licence", "attribution", "hours", "steps", "metrics"))
    return Training(
        data=_text(data["data"], "training data", lines=True),
        licence=_text(data["licence"], "training licence", lines=True),
        attribution=_items(data["attribution"], "attribution lines", MAX_LINES, _text),
        hours=_number(data["hours"], "training hours", 0.0, 1e6),
        steps=int(_number(data["steps"], "training steps", 0, 1e12)),
        metrics=_number_table(data["metrics"], "metrics"),
    )


def _presets(data: Any, spec: SynthSpec) -> tuple[Preset, ...]:
    presets = _items(data, "presets", MAX_PRESETS, lambda item, what: _preset(item, what, spec))
    if not presets:
        raise BadFile("it has no preset")
    names: set[str] = set()
    for preset in presets:
        if preset.name in names:
            raise BadFile(f"two of its presets are called {quoted(preset.name)}")
        names.add(preset.name)
    return presets


def _preset(item: Any, what: str, spec: SynthSpec) -> Preset:
    _check_keys(item, what, ("name", "latent", "parameters", "tags"), ("program",))
    program = item.get("program")
    if program is not None:
        _number(program, f"{what} program", 0, 127)
        if not isinstance(program, int):
            raise BadFile(f"its {what} program is {quoted(program)}, not a whole number")
    parameters = _number_table(item["parameters"], f"{what} parameters")
    for parameter_id, value in parameters.items():
        if parameter_id not in PARAMETER_INDEX:
            raise BadFile(f"its {what} sets an unknown parameter, {quoted(parameter_id)}", "update noisysynth")
        row = PARAMETERS[PARAMETER_INDEX[parameter_id]]
        _number(value, f"{what} {parameter_id}", row.minimum, row.maximum)
    return Preset(
        name=_text(item["name"], f"{what} name", MAX_NAME, empty=False),
        latent=_latent(item["latent"], what, spec),
        parameters=parameters,
        tags=_items(item["tags"], f"{what} tags", 64, lambda tag, name: _text(tag, name, MAX_NAME, empty=False)),
        program=program,
    )


def _room(data: bytes) -> Room:
    arrays = unpack_arrays(data, MEMBER_LIMITS["room.npz"])
    if set(arrays) != {"response", "sample_rate"}:
        raise BadFile("its room is not a response and its sample rate")
    response, rate = arrays["response"], arrays["sample_rate"]
    if rate.shape != (1,) or not 8_000 <= float(rate[0]) <= 192_000:
        raise BadFile("its room has no usable sample rate")
    if response.dtype != np.float32 or response.ndim != 2 or response.shape[1] not in (1, 2):
        raise BadFile(f"its room response is {response.dtype} {response.shape}, not float32 [samples, 1 or 2]")
    if not 1 <= len(response) <= MAX_ROOM_S * float(rate[0]):
        raise BadFile(f"its room response is longer than {MAX_ROOM_S:g} s, or empty")
    # A NaN fails the comparison as well.
    if not np.square(response, dtype=np.float64).sum(0).max() <= MAX_ROOM_ENERGY:
        raise BadFile("its room response is far too loud, or not finite")
    response.flags.writeable = False
    return Room(response, int(rate[0]))


def _prior(data: bytes, spec: SynthSpec) -> LatentPrior:
    return prior_of(unpack_arrays(data, MEMBER_LIMITS["prior.npz"]), spec.latent_size)


def _golden(data: bytes, spec: SynthSpec) -> dict[str, NDArray[Any]]:
    arrays = unpack_arrays(data, MEMBER_LIMITS["golden.npz"])
    if not arrays:
        return arrays
    names = set(arrays)
    if names - set(GOLDEN_AUDIO) != {*GOLDEN_INPUTS, *GOLDEN_OUTPUTS} or names & set(GOLDEN_AUDIO) not in (
        set(),
        set(GOLDEN_AUDIO),
    ):
        raise BadFile("its golden vectors are not the ones a control network has")
    voices, frames = (*arrays["time_on"].shape, 0, 0)[:2]
    shapes = {
        "z": (voices, spec.latent_size),
        "pitch": (voices,),
        "velocity": (voices,),
        "time_on": (voices, frames),
        "time_off": (voices, frames),
        "f0_ratio": (voices, frames),
        "amplitude": (voices, frames),
        "harmonics": (voices, frames, spec.n_harmonics),
        "noise": (voices, frames, spec.n_noise_bands),
    }
    if "audio" in names:
        audio_shape = arrays["audio"].shape
        if len(audio_shape) != 2 or not 1 <= audio_shape[0] <= max(voices, 1) or audio_shape[1] < 1:
            raise BadFile(f"its golden audio has the shape {audio_shape}")
        shapes |= {"audio": audio_shape, "audio_sample_rate": (1,)}
    for name, shape in shapes.items():
        array = arrays[name]
        if array.dtype != np.float32 or array.shape != shape or not math.prod(shape):
            raise BadFile(f"its golden {name} is {array.dtype} {array.shape}, not float32 {shape}")
        if not np.isfinite(array).all():
            raise BadFile(f"its golden {name} holds numbers that are not finite")
    return arrays
