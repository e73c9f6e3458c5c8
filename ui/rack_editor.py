"""What comes into the rack and goes: instruments of parts, racks from files and sessions."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from noisysynth.engine.client import EngineClient
from noisysynth.errors import UserError
from noisysynth.instrument import Instrument, read_instrument
from noisysynth.parameters import N_PARTS
from noisysynth.ui.history import RACK, Change
from noisysynth.ui.part import Part, missing_name, part_defaults
from noisysynth.ui.part_data import PartData, RackData
from noisysynth.ui.rack_file import read_rack, write_rack
from noisysynth.ui.references import instrument_reference, resolve_instrument

if TYPE_CHECKING:
    from noisysynth.ui.player import Player

Done = Callable[[bool], None]  # whether anything was loaded


@dataclasses.dataclass(frozen=True, eq=False)
class _Wanted:
    """What a part is to become. path: None when the instrument's file is nowhere.

    preset: the name of the one to take, the first by default, where `data` does not say. Without `data` what is not of
    the sound stays as it is.
    """

    path: Path | None
    data: PartData | None = None
    preset: str | None = None


class RackEditor:
    """Files are read and the engine loads them off the window's thread; only then anything changes in the window."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.loading: set[int] = set()  # parts that wait for an instrument
        self.opened: list[Path] = []  # instruments that were used in this session, the newest first

    # gestures

    def open(self, path: Path, preset: str | None = None, fallback: Path | None = None) -> None:
        """Read and check an instrument, then hand it to the engine, for the part that is edited.

        On a bad file nothing changes. preset: the name to select, the first one by default. fallback: what to open
        when `path` cannot be used.
        """
        self.replace(self._player.chosen, path, preset, fallback)

    def replace(self, number: int, path: Path, preset: str | None = None, fallback: Path | None = None) -> None:
        """Another instrument in a part; what is not of the sound stays as it is."""
        what = "another instrument" if self._player.parts[number].used else "a new part"
        self._swap({number: _Wanted(path, preset=preset)}, what, fallback=fallback)

    def add(self, path: Path) -> None:
        """An instrument in the first empty part, which is edited then."""
        taken = {*self._player.used, *self.loading}
        free = next((number for number in range(N_PARTS) if number not in taken), None)
        if free is None:
            self._player.noticed.emit(f"all {N_PARTS} parts are in use; replace or remove one")
        else:
            self._swap({free: _Wanted(path)}, "a new part", choose=free)

    def remove(self, number: int) -> None:
        """Empty a part; undo brings it back."""
        player = self._player
        if self.loading:
            player.noticed.emit("wait until the instrument is open")
        elif player.used == [number]:
            player.noticed.emit("a rack keeps one part; replace its instrument instead")
        elif player.parts[number].used:
            name = player.parts[number].title
            self._remember("a part less", {number: player.parts[number].data()})
            self._take_out([number])
            player.noticed.emit(f"part {number + 1}, {name}, is removed; undo brings it back")

    # racks as a whole

    def read_file(self, path: Path) -> None:
        """Play the rack of a file in place of the present one."""

        def read(rack: RackData) -> None:
            self.load(rack, beside=path.parent, what=f"the rack {path.stem}")

        self._player.requests.ask(lambda: read_rack(path), read, self._player.noticed.emit)

    def write_file(self, path: Path) -> None:
        try:
            write_rack(path, self._player.rack_data())
            self._player.noticed.emit(f"wrote {path}")
        except UserError as error:
            self._player.noticed.emit(str(error))

    def load(
        self,
        rack: RackData,
        beside: Path | None = None,
        what: str = "",
        fallback: Path | None = None,
        done: Done | None = None,
    ) -> None:
        """Become this rack; what cannot be had is told in one line, and the rest plays.

        beside: where instruments are looked for as well. what: the name of the edit; "" when it is none to be undone.
        fallback: the instrument to play when none of the rack's can be.
        """
        wanted = {
            number: _Wanted(resolve_instrument(part.instrument, beside), part) for number, part in rack.parts.items()
        }
        self._swap(wanted, what, fallback, rack, choose=rack.chosen, done=done)

    def change(self, parts: Mapping[int, PartData | None]) -> None:
        """Undo and redo: have these parts be as they were."""
        wanted = {
            number: _Wanted(resolve_instrument(data.instrument), data)
            for number, data in parts.items()
            if data is not None
        }
        gone = [number for number in parts if number not in wanted]

        def rest(worked: bool) -> None:
            if worked and set(gone) < set(self._player.used):
                self._take_out(gone)

        if wanted:
            self._swap(wanted, choose=min(wanted) if len(wanted) == 1 else None, done=rest)
        else:
            rest(True)

    # how it is done

    def _swap(
        self,
        wanted: Mapping[int, _Wanted],
        what: str = "",
        fallback: Path | None = None,
        rack: RackData | None = None,
        choose: int | None = None,
        done: Done | None = None,
    ) -> None:
        """Read, load, then change the window's parts. rack: it replaces all there is."""
        client, numbers = self._player.client, set(wanted)

        def work() -> tuple[dict[int, Instrument], list[str]]:
            found, problems = {}, []
            for number, each in wanted.items():
                try:
                    if each.path is None:
                        raise UserError(f"{missing_name(each.data) if each.data else 'an instrument'} is missing")
                    instrument = read_instrument(each.path)
                    if client is not None:
                        client.load_instrument(each.path, number)
                    found[number] = instrument
                except UserError as error:
                    problems.append(str(error))
            if not found:
                raise UserError("; ".join(problems) or "the rack is empty")
            return found, problems

        def read(result: tuple[dict[int, Instrument], list[str]]) -> None:
            self.loading -= numbers
            found, problems = result
            self._take(wanted, found, what, rack, choose)
            if self._player.client is client:
                for number in found if client is not None else ():
                    self._player.send_part(number)
            else:  # it came up meanwhile, and knows nothing of these
                self.bring_up(found)
            if not (self._player.running or self._player.starting or self._player.failure):
                self._player.start()
            if problems:
                self._player.noticed.emit(f"{'; '.join(problems)}; the rest is loaded")
            if done is not None:
                done(True)

        def failed(line: str) -> None:
            self.loading -= numbers
            self._player.noticed.emit(line)
            at = choose if choose is not None else min(numbers, default=0)
            if fallback is not None and all(each.path != fallback for each in wanted.values()):
                kept = wanted[at].data if at in wanted else None
                data = PartData(instrument_reference(fallback), values=kept.values if kept is not None else {})
                self._swap({at: _Wanted(fallback, data)}, rack=rack, choose=at, done=done)
            elif done is not None:
                done(False)

        self.loading |= numbers
        self._player.requests.ask(work, read, failed)

    def _take(
        self,
        wanted: Mapping[int, _Wanted],
        found: Mapping[int, Instrument],
        what: str,
        rack: RackData | None,
        choose: int | None,
    ) -> None:
        """Change the window's parts. With a `rack` nothing else stays."""
        player = self._player
        touched = range(N_PARTS) if rack is not None else wanted
        if what and player.used:
            before = {number: player.parts[number].data() for number in touched}
            self._remember(what, before, player.rack_values if rack is not None else {})
        shown = dict(player.values)
        for number, instrument in found.items():
            self._open(number, instrument, wanted[number])
        if rack is not None:
            self._empty(number for number in touched if number not in found)
            for number in wanted.keys() - found.keys():  # so that nothing is lost when its file comes back
                player.parts[number].missing = wanted[number].data
            player.set_rack_values(rack.values)
        self._show(shown, touched, choose)

    def _take_out(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        shown = dict(self._player.values)
        self._empty(numbers)
        self._show(shown, numbers, None)

    def _show(self, shown: Mapping[str, float], touched: Iterable[int], choose: int | None) -> None:
        """Have the views show what has become of the parts. choose: which is to be edited from now on."""
        player, touched = self._player, set(touched)
        player.history.settle(touched)
        playing = [number for number in player.used if player.parts[number].instrument is not None]
        before = player.chosen
        if choose is not None and choose in playing:
            player.chosen = choose
        elif player.chosen not in playing and playing:
            player.chosen = min(playing, key=lambda number: abs(number - before))
        if player.chosen != before or player.chosen in touched:
            player.hands.end_audition()
            player.show(shown)
        for number in touched:
            player.part_changed.emit(number)
        player.edited.emit()

    def _open(self, number: int, instrument: Instrument, wanted: _Wanted) -> None:
        player, part = self._player, self._player.parts[number]
        assert wanted.path is not None
        missing, mine = part.missing, player.own.of(instrument.name)
        part.open(instrument, wanted.path, mine)
        self.opened = [wanted.path, *(path for path in self.opened if path != wanted.path)]
        if mine is not None and mine.problem:
            player.noticed.emit(mine.problem)
        data = wanted.data
        if data is None and missing is not None and missing_name(missing) in (instrument.name, wanted.path.name):
            data = missing  # the player found what had been missing
        if data is not None:
            line = part.take(data)
            if line:
                player.noticed.emit(line)
            return
        names = [each.name for each in part.presets]
        if wanted.preset is not None and wanted.preset not in names:
            player.noticed.emit(f"{instrument.name} has no preset {wanted.preset!r}; playing {names[0]!r}")
        part.take_preset(names.index(wanted.preset) if wanted.preset in names else 0)

    def _empty(self, numbers: Iterable[int]) -> None:
        """Empty parts, in the engine too."""
        for number in numbers:
            if self._player.parts[number].used:
                self._player.parts[number] = Part()
                self._unload(number)

    def _unload(self, number: int) -> None:
        player, client = self._player, self._player.client
        if client is None:
            return

        def unloaded(_: object) -> None:
            # Not before: its last notes fade as they sounded.
            if not player.parts[number].used and number not in self.loading and player.client is client:
                for parameter_id, value in part_defaults().items():
                    client.set_parameter(parameter_id, value, number)

        player.requests.ask(lambda: client.unload_instrument(number), unloaded, player.noticed.emit)

    def _remember(
        self, what: str, parts: Mapping[int, PartData | None], values: Mapping[str, float] | None = None
    ) -> None:
        self._player.history.add(Change(what, RACK, dict(values or {}), parts=parts), time.monotonic())
        self._player.history_changed.emit()

    def bring_up(self, numbers: Iterable[int], loaded: Mapping[int, Path] | None = None) -> None:
        """Have an engine that just started load the instruments of these parts, and know how they are set.

        loaded: what it has already.
        """
        player, client = self._player, self._player.client
        for number in numbers:
            path = player.parts[number].path
            if path is not None and client is not None:
                if (loaded or {}).get(number) == path:
                    player.send_part(number)
                else:
                    self._bring_up(client, number, path)

    def _bring_up(self, client: EngineClient, number: int, path: Path) -> None:
        player = self._player

        def loaded(_: object) -> None:
            if player.parts[number].path == path and player.client is client:
                player.send_part(number)

        player.requests.ask(lambda: client.load_instrument(path, number), loaded, player.noticed.emit)
