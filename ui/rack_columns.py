"""The columns of the rack page, in pixels: every strip and the heads over them share them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from noisysynth.ui import theme

GAP = theme.HALF
MARK = 3  # at the left of every strip, in colour where it is the one that is edited; theme.py draws it


@dataclasses.dataclass(frozen=True)
class Column:
    """head: over it; spans as many columns as `over`. optional: left out where the window is too narrow for all."""

    id: str
    narrowest: int
    widest: int
    head: str = ""
    over: int = 1
    optional: bool = False


_U = theme.UNIT
COLUMNS: tuple[Column, ...] = (
    Column("part", 15 * _U, 1 << 14, "Part"),
    Column("channel", 7 * _U, 9 * _U, "Channel"),
    Column("key_low", 6 * _U + theme.HALF, 10 * _U, "Keys", 2, optional=True),
    Column("key_high", 6 * _U + theme.HALF, 10 * _U, optional=True),
    Column("velocity_low", 6 * _U, 9 * _U, "Velocity", 2, optional=True),
    Column("velocity_high", 6 * _U, 9 * _U, optional=True),
    Column("volume", 9 * _U, 16 * _U, "Volume"),
    Column("pan", 7 * _U, 12 * _U, "Pan"),
    Column("mute", 4 * _U, 4 * _U),
    Column("solo", 4 * _U, 4 * _U),
    Column("meter", 8 * _U, 18 * _U, "Level"),
    Column("menu", 4 * _U, 4 * _U),
)


def column_widths(total: int) -> Mapping[str, int]:
    """Width of each column, by id, that together with gaps take `total`; columns that are not there have none."""
    columns = COLUMNS
    if total < _narrowest(columns):
        columns = tuple(column for column in columns if not column.optional)
    spare = max(total - _narrowest(columns), 0)
    growing = [column for column in columns[1:] if column.widest > column.narrowest]
    widths = {column.id: column.narrowest for column in columns}
    share = min(spare / 2.0 / max(sum(column.widest - column.narrowest for column in growing), 1), 1.0)
    for column in growing:
        widths[column.id] += int(share * (column.widest - column.narrowest) / theme.HALF) * theme.HALF
    first = columns[0].id
    widths[first] = max(total - (len(columns) - 1) * GAP - sum(widths.values()) + widths[first], widths[first])
    return widths


def _narrowest(columns: tuple[Column, ...]) -> int:
    return sum(column.narrowest for column in columns) + (len(columns) - 1) * GAP
