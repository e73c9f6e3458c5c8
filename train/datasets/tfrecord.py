"""TFRecord files of tf.train.Example, read without TensorFlow.

The layout is TensorFlow's record_writer.h: length (uint64, little endian), masked CRC-32C of the length, the data,
masked CRC-32C of the data. An Example is a protocol buffer, a map from names to lists of bytes, floats or integers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from noisysynth.dsp.compiling import jit

Feature = list[bytes] | npt.NDArray[np.float32] | npt.NDArray[np.int64]

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_LONGEST = 1 << 30  # bytes of a record: more is a damaged length
_MASK_DELTA = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reversed
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class DamagedError(ValueError):
    """A record or a file that is not what it was when it was written."""


def record_offsets(path: Path) -> list[int]:
    """Where each record of the file begins, from the lengths alone. DamagedError when the file is cut short."""
    size = path.stat().st_size
    offsets: list[int] = []
    with path.open("rb") as file:
        at = 0
        while at < size:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise DamagedError("cut short")
            length, crc = _HEADER.unpack(header)
            if crc != masked_crc32c(header[:8]) or length > _LONGEST:
                raise DamagedError("no TFRecord file, or damaged" if not offsets else f"damaged at byte {at}")
            offsets.append(at)
            at += _HEADER.size + length + _FOOTER.size
            if at > size:
                raise DamagedError("cut short")
            file.seek(at)
    return offsets


def read_record(path: Path, offset: int) -> bytes:
    """The data of the record that begins there. DamagedError when its checksum is wrong."""
    with path.open("rb") as file:
        file.seek(offset)
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise DamagedError("cut short")
        length, crc = _HEADER.unpack(header)
        if crc != masked_crc32c(header[:8]) or length > _LONGEST:
            raise DamagedError("damaged record")
        data = file.read(length)
        footer = file.read(_FOOTER.size)
    if len(data) < length or len(footer) < _FOOTER.size:
        raise DamagedError("cut short")
    if _FOOTER.unpack(footer)[0] != masked_crc32c(data):
        raise DamagedError("damaged record")
    return data


def parse_example(data: bytes) -> dict[str, Feature]:
    """The features of a tf.train.Example by name. DamagedError when it is none."""
    try:
        features: dict[str, Feature] = {}
        for number, example in _fields(data):
            if number == 1:  # Example.features
                for entry_number, entry in _fields(_bytes(example)):
                    if entry_number == 1:  # one entry of Features.feature
                        parts = dict(_fields(_bytes(entry)))
                        features[_bytes(parts[1]).decode("utf-8")] = _feature(_bytes(parts[2]))
        return features
    except (KeyError, IndexError, TypeError, ValueError, struct.error):
        raise DamagedError("no tf.train.Example") from None


def _feature(data: bytes) -> Feature:
    for number, value in _fields(data):
        if number == 1:
            return [_bytes(each) for kind, each in _fields(_bytes(value)) if kind == 1]
        if number == 2:
            # Packed (one run of bytes) or one by one: both are allowed.
            parts = [_bytes(each) for kind, each in _fields(_bytes(value)) if kind == 1]
            return np.frombuffer(b"".join(parts), "<f4").astype(np.float32)
        if number == 3:
            integers: list[int] = []
            for kind, each in _fields(_bytes(value)):
                if kind == 1:
                    integers += _varints(each) if isinstance(each, bytes) else [each]
            return np.array([_signed(each) for each in integers], np.int64)
    return []


def _bytes(value: bytes | int) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("not a run of bytes")
    return value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field of a message: a varint as int, all else as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(data, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError("unknown wire type")
        if at + length > len(data):
            raise ValueError("cut short")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), at
        shift += 7
        if shift > 63:
            raise ValueError("a varint without end")


def _varints(data: bytes) -> list[int]:
    values, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values


def masked_crc32c(data: bytes) -> int:
    """TensorFlow's mask over CRC-32C, so that a checksum of data with checksums in it is not degenerate."""
    crc = int(_crc32c(np.frombuffer(data, np.uint8), _TABLES))
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _tables() -> npt.NDArray[np.uint32]:
    """[8, 256]: what a byte, followed by 0 to 7 more, adds to the checksum."""
    tables = np.zeros((8, 256), np.uint32)
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = np.where(row & 1, (row >> 1) ^ np.uint32(_POLYNOMIAL), row >> 1).astype(np.uint32)
    tables[0] = row
    for i in range(1, 8):
        tables[i] = (tables[i - 1] >> 8) ^ tables[0][tables[i - 1] & 0xFF]
    return tables


_TABLES = _tables()


@jit
def _crc32c(data, tables):  # type: ignore[no-untyped-def]
    """Eight bytes at a time (Kounavis and Berry 2005)."""
    crc = np.uint32(0xFFFFFFFF)
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        low = crc ^ (
            np.uint32(data[at])
            | (np.uint32(data[at + 1]) << np.uint32(8))
            | (np.uint32(data[at + 2]) << np.uint32(16))
            | (np.uint32(data[at + 3]) << np.uint32(24))
        )
        crc = (
            tables[7, low & np.uint32(0xFF)]
            ^ tables[6, (low >> np.uint32(8)) & np.uint32(0xFF)]
            ^ tables[5, (low >> np.uint32(16)) & np.uint32(0xFF)]
            ^ tables[4, low >> np.uint32(24)]
            ^ tables[3, data[at + 4]]
            ^ tables[2, data[at + 5]]
            ^ tables[1, data[at + 6]]
            ^ tables[0, data[at + 7]]
        )
    for at in range(whole, len(data)):
        crc = tables[0, (crc ^ np.uint32(data[at])) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc ^ np.uint32(0xFFFFFFFF)
