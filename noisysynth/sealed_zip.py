"""Small zip files from strangers: bounded reading, and writing that gives the same bytes every time."""

from __future__ import annotations

import ast
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_NAME_LENGTH = 100
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
_MAX_NPY_HEADER = 1_000
_MAX_DIMENSIONS = 8
_ARRAY_DTYPES = ("<f4", "<f8", "<i4", "<i8")
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)

# What zipfile raises on damaged input, found by fuzzing; it promises only BadZipFile.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
               ValueError, OverflowError, OSError, IndexError)  # fmt: skip


class BadFile(Exception):
    """What is wrong with some bytes (`str`) and what a player can do about it (`remedy`)."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy


def pack_zip(members: Mapping[str, bytes]) -> bytes:
    """A zip of `members` in their order. Stored: weights barely shrink, and reading is faster."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _FIXED_DATE)
            info.create_system = 3  # zipfile writes the system it runs on otherwise
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def unpack_zip(
    data: bytes, limits: Mapping[str, int] | int, total_limit: int, member_limit: int = 64
) -> dict[str, bytes]:
    """Members of a zip, by name.

    limits: the only names allowed and the most bytes each may unpack to; or one limit for any plain name.
    total_limit: most bytes of all members together.
    Raises BadFile for anything else: declared sizes are checked before a byte is unpacked, real ones while.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check_members(infos, limits, total_limit, member_limit)
            return {info.filename: _read_member(archive, info) for info in infos}
    except _ZIP_ERRORS as error:
        raise BadFile("it is damaged or not complete", "copy or download it again") from error


def read_member(path: Path, name: str, limit: int) -> bytes:
    """One member of a zip file, of at most `limit` bytes; the others are not looked at. BadFile when it is missing."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(name)
            if info.file_size > limit:
                raise BadFile(f"its member {quoted(name)} is too large ({info.file_size} bytes, limit {limit})")
            return _read_member(archive, info)
    except KeyError:
        raise BadFile(f"it has no {name}") from None
    except _ZIP_ERRORS as error:
        raise BadFile("it is damaged or not complete", "copy or download it again") from error


def _check_members(
    infos: list[zipfile.ZipInfo], limits: Mapping[str, int] | int, total_limit: int, member_limit: int
) -> None:
    if len(infos) > member_limit:
        raise BadFile(f"it holds {len(infos)} members where at most {member_limit} belong")
    seen: set[str] = set()
    for info in infos:
        name = info.filename
        shown = quoted(name)
        # orig_filename: zipfile cuts a name at a zero byte, which could hide what follows.
        if info.orig_filename != name or not _is_plain_name(name):
            raise BadFile(f"it holds a member with a forbidden name, {shown}")
        if name in seen:
            raise BadFile(f"it holds the member {shown} twice")
        seen.add(name)
        if isinstance(limits, int):
            limit = limits
        elif name in limits:
            limit = limits[name]
        else:
            raise BadFile(f"it holds an unknown member, {shown}")
        if info.file_size > limit:
            raise BadFile(f"its member {shown} is too large ({info.file_size} bytes, limit {limit})")
    total = sum(info.file_size for info in infos)
    if total > total_limit:
        raise BadFile(f"it unpacks to {total} bytes, limit {total_limit}")


def _is_plain_name(name: str) -> bool:
    return (
        0 < len(name) <= _MAX_NAME_LENGTH
        and name.isascii()
        and name.isprintable()
        and not any(character in name for character in '/\\:*?"<>|')
        and name not in (".", "..")
    )


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.flag_bits & 0x1:
        raise BadFile("it is encrypted", "unpack it with its password and pack it again without")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadFile("it is packed with an unusual compression", "pack it again as a plain zip")
    with archive.open(info) as member:
        data = member.read(info.file_size + 1)
    if len(data) != info.file_size:
        raise BadFile(f"its member {quoted(info.filename)} does not have the size it declares")
    return data


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An `.npz` of the arrays that always has the same bytes (np.savez promises nothing)."""
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        contiguous = np.ascontiguousarray(array)
        np.lib.format.write_array(buffer, contiguous, version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = buffer.getvalue()
    return pack_zip(members)


def unpack_arrays(data: bytes, total_limit: int) -> dict[str, NDArray[Any]]:
    """Arrays of an `.npz`, read-only. Raises BadFile for pickles, odd types and sizes that do not fit.

    np.load is not used: it allocates what a header claims before it looks at how much data there is.
    """
    members = unpack_zip(data, total_limit, total_limit)
    arrays = {}
    for name, member in members.items():
        if not name.endswith(".npy"):
            raise BadFile(f"its array file holds {quoted(name)}, which is not an array")
        arrays[name.removesuffix(".npy")] = _unpack_array(name, member)
    return arrays


def _unpack_array(name: str, data: bytes) -> NDArray[Any]:
    shown = quoted(name)
    if not data.startswith(_NPY_MAGIC) or len(data) < 10:
        raise BadFile(f"its array {shown} is not in the npy format, version 1")
    header_end = 10 + struct.unpack("<H", data[8:10])[0]
    if header_end - 10 > _MAX_NPY_HEADER or header_end > len(data):
        raise BadFile(f"its array {shown} has a damaged header")
    try:
        header = ast.literal_eval(data[10:header_end].decode("ascii").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise BadFile(f"its array {shown} has a damaged header") from error
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise BadFile(f"its array {shown} has a damaged header")
    if header["descr"] not in _ARRAY_DTYPES or header["fortran_order"] is not False:
        raise BadFile(f"its array {shown} is not a plain array of numbers")
    shape = header["shape"]
    if (
        not isinstance(shape, tuple)
        or len(shape) > _MAX_DIMENSIONS
        or not all(type(size) is int and 0 <= size < 2**31 for size in shape)
    ):
        raise BadFile(f"its array {shown} has an impossible shape")
    dtype = np.dtype(header["descr"])
    if math.prod(shape) * dtype.itemsize != len(data) - header_end:
        raise BadFile(f"its array {shown} does not have the size it declares")
    return np.frombuffer(data, dtype, offset=header_end).reshape(shape)


def quoted(value: object, length: int = 60) -> str:
    """A value from a stranger for one line of a message: quoted, printable, short."""
    text = ascii(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= length else text[: length - 3] + "..."
