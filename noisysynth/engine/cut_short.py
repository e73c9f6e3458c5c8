"""A recording whose writer died: made a file that players know the length of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from noisysynth.errors import UserError

# FLAC: RFC 9639. The stream begins with `fLaC`, a block header and STREAMINFO.
_STREAMINFO_AT = 8
_TOTAL_AT = _STREAMINFO_AT + 13  # 36 bits, the last four of this byte and the next four bytes
_MOST_SAMPLES = (1 << 36) - 1
_FIXED_BLOCKS = b"\xff\xf8"
_LONGEST_HEADER = 16
_MOST_SEARCHED = 1 << 20  # bytes; a frame of 4,096 samples of 24-bit stereo has at most 24 KiB


def finish_flac(part: Path, path: Path) -> int:
    """Give a FLAC file whose writing broke off its length, and the name it was meant to have; how many samples it has.

    Its last frame may be half there and is cut off. UserError when there is nothing to be saved.
    """
    try:
        with part.open("r+b") as file:
            head = file.read(_STREAMINFO_AT + 34)
            if len(head) < _STREAMINFO_AT + 34 or head[:4] != b"fLaC":
                raise UserError(f"{part}: no FLAC recording")
            n_samples = int.from_bytes(head[_TOTAL_AT : _TOTAL_AT + 5], "big") & _MOST_SAMPLES
            if n_samples == 0:  # else it lacks nothing but its name
                block_size = int.from_bytes(head[_STREAMINFO_AT : _STREAMINFO_AT + 2], "big")
                start = max(len(head), file.seek(0, os.SEEK_END) - _MOST_SEARCHED)
                like = _first_header(file)
                file.seek(start)
                at, number = _last_frame(file.read(), like)
                if number == 0:
                    raise UserError(f"{part}: no whole block of the recording was written")
                n_samples = number * block_size
                file.truncate(start + at)
                file.seek(_TOTAL_AT)
                file.write((head[_TOTAL_AT] >> 4 << 36 | n_samples).to_bytes(5, "big"))
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{part}: cannot be finished ({error.strerror})") from None
    return n_samples


def _first_header(file: BinaryIO) -> bytes:
    """The beginning of the first frame, which follows the blocks of metadata."""
    at, last = 4, False
    while not last and len(block := _at(file, at, 4)) == 4:
        last, at = bool(block[0] & 0x80), at + 4 + int.from_bytes(block[1:], "big")
    return _at(file, at, 4)


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


def _last_frame(data: bytes, like: bytes) -> tuple[int, int]:
    """Where the last frame of a stream with blocks of one size begins, and its number; 0 and 0 if there is none.

    like: how the first frame begins. Chance alone makes headers in a long recording, but hardly of its size and rate.
    """
    at = data.rfind(_FIXED_BLOCKS)
    while at >= 0 and len(like) == 4:
        header = data[at : at + _LONGEST_HEADER]
        alike = header[2:3] == like[2:3] and len(header) > 3 and header[3] & 0xF == like[3] & 0xF
        number = _frame_number(header) if alike else None
        if number is not None:
            return at, number
        at = data.rfind(_FIXED_BLOCKS, 0, at)
    return 0, 0


def _frame_number(header: bytes) -> int | None:
    """What a frame's header says, its checksum proven; None for bytes that only look like one."""
    if len(header) < 6:
        return None
    lead = header[4]  # a number as in UTF-8, of up to seven bytes
    ones = 8 - (lead ^ 0xFF).bit_length()
    if ones in (1, 8):
        return None
    following = header[5 : 5 + max(ones - 1, 0)]
    number = lead & (0x7F >> ones)
    for each in following:
        number = number << 6 | each & 0x3F
    size_code, rate_code = header[2] >> 4, header[2] & 0xF
    end = 5 + len(following) + {6: 1, 7: 2}.get(size_code, 0) + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    return number if end < len(header) and _crc8(header[:end]) == header[end] else None


def _crc8(data: bytes) -> int:
    remainder = 0
    for each in data:
        remainder ^= each
        for _ in range(8):
            remainder = (remainder << 1 ^ 0x07 if remainder & 0x80 else remainder << 1) & 0xFF
    return remainder
