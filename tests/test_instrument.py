"""Instrument files: what is written is read back, and whatever else comes gives one clear line."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import re
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from make_instrument import (
    SPEC,
    control_onnx,
    encoder_onnx,
    golden_vectors,
    make_test_instrument,
    write_test_instrument,
)
from onnx import TensorProto, helper, numpy_helper

from noisysynth import sealed_zip
from noisysynth.errors import UserError
from noisysynth.instrument import (
    MAX_FILE_BYTES,
    Direction,
    Preset,
    Room,
    content_hash,
    instrument_bytes,
    parse_instrument,
    read_instrument,
    write_instrument,
)
from noisysynth.parameters import PARAMETERS
from noisysynth.sealed_zip import BadFile, pack_arrays, unpack_arrays
from noisysynth.spec import SynthSpec

VALID = instrument_bytes(make_test_instrument())


def members_of(data: bytes = VALID) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def sealed(members: dict[str, bytes]) -> bytes:
    """A zip whose content hash is right, as an attacker would make it."""
    try:
        manifest = json.loads(members["manifest.json"])
        others = {name: data for name, data in members.items() if name != "manifest.json"}
        manifest["content_sha256"] = content_hash(manifest, others)
        members = {**members, "manifest.json": json.dumps(manifest).encode()}
    except (ValueError, TypeError):
        pass
    return zipped(members)


def with_member(name: str, data: bytes | None) -> bytes:
    members = members_of()
    if data is None:
        del members[name]
    else:
        members[name] = data
    return sealed(members)


def with_manifest(change: Callable[[dict[str, Any]], Any]) -> bytes:
    members = members_of()
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    members["manifest.json"] = json.dumps(manifest).encode()
    return sealed(members)


def with_presets(change: Callable[[list[Any]], Any]) -> bytes:
    presets = json.loads(members_of()["presets.json"])
    change(presets)
    return with_member("presets.json", json.dumps(presets).encode())


def with_graph(change: Callable[[onnx.ModelProto], Any], name: str = "control.onnx") -> bytes:
    model = onnx.load_model_from_string(members_of()[name])
    change(model)
    return with_member(name, model.SerializeToString())


def with_golden(**changes: Any) -> bytes:
    arrays = golden_vectors() | changes
    return with_member("golden.npz", pack_arrays({k: v for k, v in arrays.items() if v is not None}))


def refused(data: bytes) -> str:
    """The one line with which the bytes are refused."""
    with pytest.raises(UserError) as caught:
        parse_instrument(data, "FILE")
    line = str(caught.value)
    assert line.isprintable(), line
    assert re.fullmatch(r"FILE: .+; .+", line), line
    assert len(line) < 400, line
    return line


# ---- round trips


def test_round_trip_keeps_everything(tmp_path: Path) -> None:
    written = make_test_instrument()
    read = read_instrument(write_instrument(tmp_path / "a.noisy", written))
    for name in (
        "name",
        "description",
        "spec",
        "pad_points",
        "pitch_range",
        "training",
        "control_onnx",
        "encoder_onnx",
    ):
        assert getattr(read, name) == getattr(written, name), name
    np.testing.assert_array_equal(read.pad_axes, written.pad_axes)
    assert list(read.golden) == list(written.golden)
    for name, array in written.golden.items():
        np.testing.assert_array_equal(read.golden[name], array)
        assert not read.golden[name].flags.writeable
    for mine, theirs in zip(written.presets, read.presets, strict=True):
        assert (mine.name, dict(mine.parameters), mine.tags) == (theirs.name, dict(theirs.parameters), theirs.tags)
        np.testing.assert_array_equal(mine.latent, theirs.latent)
        assert theirs.latent.dtype == np.float32
        assert not theirs.latent.flags.writeable
    for way, same in zip(written.directions, read.directions, strict=True):
        assert (way.name, way.effect, dict(way.measured)) == (same.name, same.effect, dict(same.measured))
        np.testing.assert_array_equal(way.vector, same.vector)
    assert len(read.content_sha256) == 64


def test_writing_twice_gives_the_same_bytes_and_rereading_the_same_hash(tmp_path: Path) -> None:
    first = write_test_instrument(tmp_path / "a.noisy")
    again = write_instrument(tmp_path / "b.noisy", read_instrument(first))
    assert first.read_bytes() == again.read_bytes()


def test_optional_parts_may_be_missing(tmp_path: Path) -> None:
    path = write_test_instrument(tmp_path / "a.noisy", encoder_onnx=None, directions=(), pad_points=(), golden={})
    read = read_instrument(path)
    assert read.encoder_onnx is None
    assert read.directions == ()
    assert read.golden == {}


def test_a_repacked_deflated_zip_is_still_read() -> None:
    assert parse_instrument(zipped(members_of(), zipfile.ZIP_DEFLATED), "FILE").name == "Test Organ"


def test_any_spec_makes_a_valid_instrument(tmp_path: Path) -> None:
    spec = SynthSpec(n_harmonics=1, n_noise_bands=2, latent_size=2)
    assert read_instrument(write_test_instrument(tmp_path / "a.noisy", spec)).spec == spec


def test_golden_audio_is_kept() -> None:
    audio = {"audio": np.ones((1, 10), np.float32), "audio_sample_rate": np.array([48_000.0], np.float32)}
    read = parse_instrument(with_golden(**audio), "FILE")
    np.testing.assert_array_equal(read.golden["audio"], audio["audio"])


def test_text_in_any_script_survives(tmp_path: Path) -> None:
    path = write_test_instrument(tmp_path / "ä.noisy", name="Flöte 笛 🎶")
    assert read_instrument(path).name == "Flöte 笛 🎶"


# ---- writing


def test_writing_leaves_no_other_file(tmp_path: Path) -> None:
    write_test_instrument(tmp_path / "sub" / "a.noisy")
    assert [entry.name for entry in (tmp_path / "sub").iterdir()] == ["a.noisy"]


def test_an_unsound_instrument_is_not_written_and_the_old_file_stays(tmp_path: Path) -> None:
    path = write_test_instrument(tmp_path / "a.noisy")
    before = path.read_bytes()
    with pytest.raises(UserError, match="latent"):
        write_test_instrument(path, presets=(Preset("short", np.zeros(3, np.float32)),))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_while_renaming_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*paths: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="No space left on device"):
        write_test_instrument(tmp_path / "a.noisy")
    assert list(tmp_path.iterdir()) == []


# ---- paths that cannot be read


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.noisy", tmp_path, Path("a\0b")):
        with pytest.raises(UserError, match="cannot be read") as caught:
            read_instrument(path)
        assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_too_large_is_refused_by_size(tmp_path: Path) -> None:
    path = tmp_path / "large.noisy"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(MAX_FILE_BYTES + 10)
    with pytest.raises(UserError, match="larger than 64 MiB"):
        read_instrument(path)


# ---- hostile zips


def bomb() -> bytes:
    """Declares 40 MB in a few kB."""
    return zipped({**members_of(), "control.onnx": bytes(40 * 2**20)}, zipfile.ZIP_DEFLATED)


def lying_bomb() -> bytes:
    """Unpacks to far more than the size that its directory declares."""
    data = bytearray(zipped({"manifest.json": bytes(2**20), "control.onnx": bytes(20 * 2**20)}, zipfile.ZIP_DEFLATED))
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[entry + 24 : entry + 28] = struct.pack("<I", 100)
    return bytes(data)


def duplicate_member() -> bytes:
    members = members_of()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr("control2onnx", members["control.onnx"])
    return buffer.getvalue().replace(b"control2onnx", b"control.onnx")


def encrypted_flag() -> bytes:
    data = bytearray(VALID)
    entry = data.index(b"PK\x01\x02")
    data[entry + 8] |= 1
    data[6] |= 1
    return bytes(data)


def zero_byte_name() -> bytes:
    name = b"manifest.json"
    return zipped({**members_of(), "control.onnx": b"x"}).replace(name, name[:-2] + b"\0n")


HOSTILE_ZIPS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "text": (b"hello", "not an instrument"),
    "only the magic": (b"PK\x03\x04", "damaged"),
    "empty zip": (zipped({}), "not an instrument"),
    "bomb": (bomb(), "too large"),
    "lying bomb": (lying_bomb(), "damaged|size it declares"),
    "traversal": (zipped({**members_of(), "../../evil": b"x"}), "forbidden name"),
    "absolute": (zipped({**members_of(), "/etc/passwd": b"x"}), "forbidden name"),
    "backslash": (zipped({**members_of(), "a\\b": b"x"}), "forbidden name"),
    "drive": (zipped({**members_of(), "C:x": b"x"}), "forbidden name"),
    "newline in name": (zipped({**members_of(), "a\nb": b"x"}), "forbidden name|members"),
    "zero byte in name": (zero_byte_name(), "forbidden name|damaged"),
    "unknown member": (
        zipped({**{k: v for k, v in members_of().items() if k != "encoder.onnx"}, "extra.py": b"x"}), "unknown member",
    ),
    "many members": (zipped({f"m{i}": b"" for i in range(1000)}), "members"),
    "duplicate": (duplicate_member(), "members|twice"),
    "encrypted": (encrypted_flag(), "encrypted|damaged"),
    "lzma": (zipped(members_of(), zipfile.ZIP_LZMA), "unusual compression"),
    **{f"no {name}": (with_member(name, None), name) for name in ("control.onnx", "presets.json", "golden.npz")},
    "no manifest": (zipped({k: v for k, v in members_of().items() if k != "manifest.json"}), "no manifest.json"),
    "cut in half": (VALID[: len(VALID) // 2], "damaged"),
    "end overwritten": (VALID[:-30] + bytes(30), "damaged|unknown member"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE_ZIPS)
def test_hostile_zips_give_one_line(case: str) -> None:
    data, expected = HOSTILE_ZIPS[case]
    assert re.search(expected, refused(data))


# ---- hostile manifests


def raw_manifest(text: str) -> bytes:
    return zipped({**members_of(), "manifest.json": text.encode()})


MANIFESTS: dict[str, tuple[bytes, str]] = {
    "not json": (raw_manifest("{"), "not valid JSON"),
    "not utf-8": (zipped({**members_of(), "manifest.json": b"\xff\xfe{}"}), "not valid JSON"),
    "deeply nested": (raw_manifest("[" * 200_000), "not valid JSON"),
    "deeply nested, closed": (raw_manifest("[" * 100_000 + "]" * 100_000), "not valid JSON|not a noisysynth"),
    "a list": (raw_manifest("[]"), "not a noisysynth instrument"),
    "nan": (raw_manifest('{"format": NaN}'), "not valid JSON"),
    "huge integer": (raw_manifest('{"format": ' + "9" * 10_000 + "}"), "not valid JSON|not a noisysynth"),
    "repeated key": (raw_manifest('{"format": 1, "format": 1}'), "not valid JSON"),
    "other format": (with_manifest(lambda m: m.update(format="zip")), "not a noisysynth instrument"),
    "newer version": (with_manifest(lambda m: m.update(version=3)), "newer than this program's; update noisysynth"),
    "version true": (with_manifest(lambda m: m.update(version=True)), "format version"),
    "version text": (with_manifest(lambda m: m.update(version="1")), "format version"),
    "version zero": (with_manifest(lambda m: m.update(version=0)), "format version"),
    "wrong hash": (zipped({**members_of(), "presets.json": b"[]"}), "checksum"),
    "unknown field": (with_manifest(lambda m: m.update(run="import os")), "unknown field"),
    "no spec": (with_manifest(lambda m: m.pop("spec")), "spec"),
    "spec with too many partials": (with_manifest(lambda m: m["spec"].update(n_harmonics=10**9)), "n_harmonics"),
    "spec of text": (with_manifest(lambda m: m.update(spec="big")), "spec"),
    "spec with a float": (with_manifest(lambda m: m["spec"].update(latent_size=8.0)), "latent_size"),
    "spec of another size": (with_manifest(lambda m: m["spec"].update(latent_size=9)), "spec says 9"),
    "name missing": (with_manifest(lambda m: m.pop("name")), "no field name"),
    "name empty": (with_manifest(lambda m: m.update(name=" ")), "name is empty"),
    "name a number": (with_manifest(lambda m: m.update(name=3)), "name is not text"),
    "name too long": (with_manifest(lambda m: m.update(name="x" * 5000)), "longer than"),
    "name with control characters": (with_manifest(lambda m: m.update(name="a\x1b[31m")), "cannot be shown"),
    "name with a lone surrogate": (with_manifest(lambda m: m.update(name="\ud800")), "cannot be shown|checksum"),
    "directions a table": (with_manifest(lambda m: m.update(directions={})), "not a list"),
    "directions too many": (with_manifest(lambda m: m.update(directions=m["directions"] * 20)), "limit"),
    "direction not an object": (with_manifest(lambda m: m["directions"].append(1)), "not an object"),
    "direction vector short": (with_manifest(lambda m: m["directions"][0]["vector"].pop()), "8 numbers"),
    "direction vector of text": (with_manifest(lambda m: m["directions"][0].update(vector=["1"] * 8)), "not a number"),
    "direction infinite": (raw_manifest("{}"), "not a noisysynth"),
    "measured a list": (with_manifest(lambda m: m["directions"][0].update(measured=[1])), "table of numbers"),
    "one pad axis": (with_manifest(lambda m: m["pad_axes"].pop()), "pad_axes"),
    "three pad axes": (with_manifest(lambda m: m["pad_axes"].append(m["pad_axes"][0])), "pad_axes"),
    "pad point without x": (with_manifest(lambda m: m["pad_points"][0].pop("x")), "no field x"),
    "pad point far away": (with_manifest(lambda m: m["pad_points"][0].update(x=1e9)), "not a number from"),
    "pitch range reversed": (with_manifest(lambda m: m.update(pitch_range=[90, 10])), "pitch_range"),
    "pitch range of floats": (with_manifest(lambda m: m.update(pitch_range=[1.5, 2.5])), "pitch_range"),
    "pitch range off the keyboard": (with_manifest(lambda m: m.update(pitch_range=[0, 128])), "pitch_range"),
    "training a list": (with_manifest(lambda m: m.update(training=[])), "training is not an object"),
    "attribution not text": (with_manifest(lambda m: m["training"].update(attribution=[None])), "not text"),
    "hours negative": (with_manifest(lambda m: m["training"].update(hours=-1)), "hours"),
    "hours beyond float": (with_manifest(lambda m: m["training"].update(hours=10**400)), "hours|checksum|JSON"),
    "metric of text": (with_manifest(lambda m: m["training"].update(metrics={"fid": "good"})), "not a number"),
}  # fmt: skip


@pytest.mark.parametrize("case", MANIFESTS)
def test_hostile_manifests_give_one_line(case: str) -> None:
    data, expected = MANIFESTS[case]
    assert re.search(expected, refused(data)), refused(data)


def test_infinity_from_an_overflowing_number_is_refused() -> None:
    manifest = json.loads(members_of()["manifest.json"])
    manifest["training"]["hours"] = 1.0
    infinite = {**manifest, "training": {**manifest["training"], "hours": float("inf")}}
    others = {name: data for name, data in members_of().items() if name != "manifest.json"}
    infinite["content_sha256"] = content_hash(infinite, others)
    text = json.dumps(infinite).replace("Infinity", "1e999")
    assert "hours" in refused(zipped({"manifest.json": text.encode(), **others}))


# ---- hostile presets

PRESETS: dict[str, tuple[bytes, str]] = {
    "none": (with_presets(list.clear), "no preset"),
    "a table": (with_member("presets.json", b"{}"), "not a list"),
    "not json": (with_member("presets.json", b"[1,]"), "presets.json is not valid JSON"),
    "latent short": (with_presets(lambda p: p[1]["latent"].pop()), "presets 2: the latent does not have 8 numbers"),
    "latent long": (with_presets(lambda p: p[0]["latent"].append(0.0)), "8 numbers"),
    "latent nested": (with_presets(lambda p: p[0].update(latent=[[0.0] * 8])), "8 numbers"),
    "latent null": (with_presets(lambda p: p[0].update(latent=[None] * 8)), "not a number"),
    "latent true": (with_presets(lambda p: p[0].update(latent=[True] * 8)), "not a number"),
    "latent huge": (with_presets(lambda p: p[0].update(latent=[1e30] * 8)), "not a number from"),
    "latent nan": (with_presets(lambda p: p[0].update(latent=[float("nan")] * 8)), "not valid JSON"),
    "unknown parameter": (with_presets(lambda p: p[0].update(parameters={"warp": 1})), "unknown parameter"),
    "parameter out of range": (with_presets(lambda p: p[0].update(parameters={"volume": 99})), "not a number from"),
    "parameter of text": (with_presets(lambda p: p[0].update(parameters={"volume": "1"})), "not a number"),
    "same name twice": (with_presets(lambda p: p.append(p[0])), "two of its presets"),
    "tag not text": (with_presets(lambda p: p[0].update(tags=[1])), "not text"),
    "extra field": (with_presets(lambda p: p[0].update(script="x")), "unknown field"),
    "program": (with_presets(lambda p: p[0].update(program=128)), "number from 0 to 127"),
    "half a program": (with_presets(lambda p: p[0].update(program=1.5)), "not a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("case", PRESETS)
def test_hostile_presets_give_one_line(case: str) -> None:
    data, expected = PRESETS[case]
    assert re.search(expected, refused(data)), refused(data)


@pytest.mark.parametrize("row", PARAMETERS, ids=lambda row: row.id)
def test_presets_may_set_every_parameter_within_its_range_only(row: Any) -> None:
    for value in (row.minimum, row.maximum):
        parse_instrument(with_presets(lambda p, v=value: p[0].update(parameters={row.id: v})), "FILE")
    for value in (row.minimum - 0.01, row.maximum + 0.01):
        assert row.id in refused(with_presets(lambda p, v=value: p[0].update(parameters={row.id: v})))


def test_presets_keep_their_program(tmp_path: Path) -> None:
    presets = tuple(
        dataclasses.replace(preset, program=program)
        for preset, program in zip(make_test_instrument().presets, (0, 127, None), strict=False)
    )
    path = tmp_path / "programs.noisy"
    write_instrument(path, dataclasses.replace(make_test_instrument(), presets=presets, pad_points=()))
    assert [preset.program for preset in read_instrument(path).presets] == [preset.program for preset in presets]


# ---- hostile graphs


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def _external_constant(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.zeros(1, np.float32))
    tensor.data_location = TensorProto.EXTERNAL
    model.graph.node.append(helper.make_node("Constant", [], ["x"], value=tensor))


def _subgraph(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["velocity"], ["x"], then_branch=inner, else_branch=inner))


def _hidden_subgraph(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(helper.make_node("Relu", ["velocity"], ["x"], body=inner))


def _node(op_type: str, domain: str = "") -> Callable[[onnx.ModelProto], Any]:
    return lambda model: model.graph.node.append(helper.make_node(op_type, ["velocity"], ["x"], domain=domain))


def _opset(domain: str, version: int) -> Callable[[onnx.ModelProto], Any]:
    def change(model: onnx.ModelProto) -> None:
        del model.opset_import[:]
        model.opset_import.append(helper.make_opsetid(domain, version))

    return change


def _shape(kind: str, index: int, shape: list[Any], element: int = TensorProto.FLOAT) -> Callable[[Any], Any]:
    def change(model: onnx.ModelProto) -> None:
        value = getattr(model.graph, kind)[index]
        value.CopyFrom(helper.make_tensor_value_info(value.name, element, shape))

    return change


def _rename(kind: str, index: int, name: str) -> Callable[[onnx.ModelProto], Any]:
    return lambda model: setattr(getattr(model.graph, kind)[index], "name", name)


GRAPHS: dict[str, tuple[bytes, str]] = {
    "garbage": (with_member("control.onnx", b"\xff" * 100), "not an ONNX model"),
    "empty": (with_member("control.onnx", b""), "control.onnx"),
    "encoder in its place": (with_member("control.onnx", encoder_onnx()), "control.onnx inputs"),
    "control as encoder": (with_member("encoder.onnx", control_onnx()), "encoder.onnx inputs"),
    "external data": (with_graph(_external), "another file"),
    "external data in a constant": (with_graph(_external_constant), "another file"),
    "custom domain": (with_graph(_opset("com.microsoft", 1)), "outside the ONNX standard"),
    "two domains": (
        with_graph(lambda m: m.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))), "outside the ONNX standard",
    ),
    "no opset": (with_graph(lambda m: m.ClearField("opset_import")), "outside the ONNX standard"),
    "old opset": (with_graph(_opset("", 5)), "opset 5"),
    "future opset": (with_graph(_opset("", 999)), "opset 999"),
    "operator of another domain": (with_graph(_node("Gelu", "com.microsoft")), "operator"),
    "loop": (with_graph(_node("Loop")), "operator 'Loop'"),
    "random": (with_graph(_node("RandomNormalLike")), "operator"),
    "if": (with_graph(_subgraph), "operator 'If'"),
    "graph in an attribute": (with_graph(_hidden_subgraph), "graph inside a graph"),
    "too many nodes": (
        with_graph(lambda m: m.graph.node.extend([helper.make_node("Relu", ["z"], ["x"])] * 6000)), "6\\d\\d\\d nodes",
    ),
    "function": (
        with_graph(lambda m: m.functions.append(
            helper.make_function("", "Relu", ["x"], ["y"], [], [helper.make_opsetid("", 17)]))), "functions",
    ),
    "string weights": (
        with_graph(lambda m: m.graph.initializer.append(helper.make_tensor("s", TensorProto.STRING, [1], [b"x"]))),
        "not numbers",
    ),
    "impossible weight shape": (with_graph(lambda m: m.graph.initializer[0].dims.append(2**40)), "impossible shape"),
    "input renamed": (with_graph(_rename("input", 0, "latent")), "inputs are"),
    "output renamed": (with_graph(_rename("output", 0, "x\ny")), "outputs are"),
    "input of doubles": (with_graph(_shape("input", 1, ["V"], TensorProto.DOUBLE)), "pitch is not float32"),
    "input of another rank": (with_graph(_shape("input", 1, ["V", 1])), "pitch has 2 dimensions"),
    "fixed voices": (with_graph(_shape("input", 0, [4, 8])), "fixed size"),
    "fixed frames": (with_graph(_shape("input", 3, ["V", 3])), "fixed size"),
    "shimmer of the voice alone": (with_graph(_shape("input", 5, ["V"])), "shimmer has 1 dimensions, not 2"),
    "an input too many": (
        with_graph(lambda m: m.graph.input.append(helper.make_tensor_value_info("x", 1, ["V"]))), "inputs are",
    ),
    "open latent size": (with_graph(_shape("input", 0, ["V", "Z"])), "leaves a size open"),
    "other latent size": (with_graph(_shape("input", 0, ["V", 16])), "spec says 8"),
    "other partial count": (with_graph(_shape("output", 2, ["V", "F", 41])), "spec says 40"),
    "an output too many": (
        with_graph(lambda m: m.graph.output.append(helper.make_tensor_value_info("x", 1, ["V"]))), "outputs are",
    ),
    "encoder with other bands": (with_graph(_shape("input", 0, ["B", "T", 64]), "encoder.onnx"), "spec says 80"),
}  # fmt: skip


@pytest.mark.parametrize("case", GRAPHS)
def test_hostile_graphs_give_one_line(case: str) -> None:
    data, expected = GRAPHS[case]
    assert re.search(expected, refused(data)), refused(data)


# ---- hostile golden arrays


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def with_npy(data: bytes) -> bytes:
    return with_member("golden.npz", zipped({"z.npy": data}))


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


GOLDEN: dict[str, tuple[bytes, str]] = {
    "not a zip": (with_member("golden.npz", b"PK nothing"), "damaged"),
    "bomb inside": (
        with_member("golden.npz", zipped({"z.npy": bytes(60 * 2**20)}, zipfile.ZIP_DEFLATED)), "too large",
    ),
    "a pickle": (with_npy(pickle.dumps([1])), "not in the npy format"),
    "array of objects": (with_npy(pickled()), "plain array of numbers"),
    "claims terabytes": (
        with_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}")), "size it declares",
    ),
    "negative shape": (with_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}")), "impossible shape"),
    "shape of text": (with_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': ('a',)}")), "impossible shape"),
    "header is code": (with_npy(npy("__import__('os').system('x')")), "damaged header"),
    "header deeply nested": (with_npy(npy("(" * 900)), "damaged header"),
    "header cut": (with_npy(b"\x93NUMPY\x01\x00\xff\xff{"), "damaged header"),
    "structured": (with_npy(npy("{'descr': [('a','<f4')], 'fortran_order': False, 'shape': ()}")), "plain array"),
    "not an array": (with_member("golden.npz", zipped({"z.txt": b"1"})), "not an array"),
    "one array missing": (with_golden(noise=None), "not the ones"),
    "one array too many": (with_golden(extra=np.zeros(1, np.float32)), "not the ones"),
    "audio without its rate": (with_golden(audio=np.zeros((1, 9), np.float32)), "not the ones"),
    "doubles": (with_golden(pitch=np.zeros(3)), "not float32"),
    "wrong partials": (with_golden(harmonics=np.zeros((3, 5, 41), np.float32)), "golden harmonics"),
    "scalar time": (with_golden(time_on=np.zeros((), np.float32)), "golden"),
    "not finite": (with_golden(amplitude=np.full((3, 5), np.nan, np.float32)), "not finite"),
}  # fmt: skip


@pytest.mark.parametrize("case", GOLDEN)
def test_hostile_golden_arrays_give_one_line(case: str) -> None:
    data, expected = GOLDEN[case]
    assert re.search(expected, refused(data)), refused(data)


def test_arrays_round_trip_and_are_deterministic() -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "b": np.zeros(0, np.int64),
        "c": np.float64(2) + np.zeros(()),
    }
    data = pack_arrays(arrays)
    assert data == pack_arrays(arrays)
    for name, array in unpack_arrays(data, 10_000).items():
        np.testing.assert_array_equal(array, arrays[name])


# ---- fuzz


def outcome(data: bytes) -> str:
    """Anything but a UserError fails the test that asks."""
    try:
        parse_instrument(data, "FILE")
        return "read"
    except UserError as error:
        return "refused" if str(error).isprintable() else f"unprintable: {error}"


def test_every_truncation_is_refused() -> None:
    for length in [*range(0, len(VALID), 211), *range(len(VALID) - 100, len(VALID))]:
        assert outcome(VALID[:length]) == "refused", length


def test_flipped_bytes_never_raise_anything_else() -> None:
    rng = np.random.default_rng(7)
    refusals = 0
    for _ in range(2000):
        data = bytearray(VALID)
        for position in rng.integers(len(data), size=rng.integers(1, 4)):
            data[position] ^= int(rng.integers(1, 256))
        refusals += outcome(bytes(data)) == "refused"
    assert refusals > 1800  # dates and the like in zip headers are not covered by the checksum


@pytest.mark.parametrize("member", ["control.onnx", "encoder.onnx", "golden.npz", "presets.json", "manifest.json"])
def test_flipped_bytes_under_a_right_checksum_never_raise_anything_else(member: str) -> None:
    rng = np.random.default_rng(8)
    original = members_of()
    for _ in range(250):
        data = bytearray(original[member])
        if rng.random() < 0.2:
            del data[int(rng.integers(len(data))) :]
        else:
            for position in rng.integers(len(data), size=rng.integers(1, 5)):
                data[position] = int(rng.integers(256))
        members = {**original, member: bytes(data)}
        assert outcome(sealed(members)) in ("read", "refused")


def test_checks_of_the_zip_reader_can_be_used_alone() -> None:
    with pytest.raises(BadFile, match="limit 10"):
        sealed_zip.unpack_zip(zipped({"a": bytes(6), "b": bytes(6)}), 8, 10)


# ---- speed


@pytest.mark.alone
def test_opening_is_fast(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=1_000_000).astype(np.float32)
    model = onnx.load_model_from_string(control_onnx())
    model.graph.initializer.append(numpy_helper.from_array(weights, "more"))
    path = write_test_instrument(tmp_path / "a.noisy", control_onnx=model.SerializeToString())
    assert path.stat().st_size > 4e6
    times_s = []
    for _ in range(5):
        start_s = time.perf_counter()
        read_instrument(path)
        times_s.append(time.perf_counter() - start_s)
    assert min(times_s) < 0.1


def test_the_helper_makes_what_it_says() -> None:
    instrument = make_test_instrument(name="Other", directions=(Direction("A", np.ones(8, np.float32)),))
    assert instrument.name == "Other"
    assert instrument.spec == SPEC
    assert dataclasses.replace(instrument).presets is instrument.presets


def test_a_room_comes_back_as_it_was(tmp_path: Path) -> None:
    response = np.random.default_rng(0).normal(0, 0.01, (2000, 2)).astype(np.float32)
    path = write_test_instrument(tmp_path / "room.noisy", room=Room(response, 44_100))
    room = read_instrument(path).room
    assert room is not None
    assert room.sample_rate == 44_100
    assert np.array_equal(room.response, response)
    assert read_instrument(write_test_instrument(tmp_path / "dry.noisy")).room is None


@pytest.mark.parametrize(
    ("room", "reason"),
    [
        (Room(np.zeros((0, 2), np.float32), 44_100), "empty"),
        (Room(np.zeros((100_000, 2), np.float32), 44_100), "longer than 2 s"),
        (Room(np.zeros((10, 3), np.float32), 44_100), "1 or 2"),
        (Room(np.full((10, 2), np.nan, np.float32), 44_100), "not finite"),
        (Room(np.full((1000, 1), 9.0, np.float32), 44_100), "too loud"),
        (Room(np.zeros((10, 2), np.float32), 7), "sample rate"),
    ],
)
def test_a_room_that_could_hurt_is_refused(room: Room, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason):
        write_test_instrument(tmp_path / "room.noisy", room=room)
