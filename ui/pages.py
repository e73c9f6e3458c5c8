"""Where each parameter of the table stands in the window: pages of sections, as plain data."""

from __future__ import annotations

import dataclasses

from noisysynth.effects import EFFECT_VALUES, EFFECTS, SENDS
from noisysynth.parameters import N_ENVELOPES, N_INSERTS, N_KNOBS, N_LFOS, N_ROUTES, PARAMETERS, Parameter

COLUMNS = 6
RACK_PAGE = "Rack"  # beside it stand the parts
ON_THE_PAD = ("pad_x", "pad_y")
DIRECTIONS = tuple(f"knob_{number}" for number in range(1, N_KNOBS + 1))


@dataclasses.dataclass(frozen=True)
class Section:
    """Controls under one heading; `row` of the page's grid.

    span: columns of the page that it takes, 0: one for each control. headed: the first control is in the heading.
    """

    title: str
    row: int
    parameters: tuple[str, ...]
    span: int = 0
    headed: bool = False

    @property
    def columns(self) -> int:
        return self.span or len(self.parameters)


@dataclasses.dataclass(frozen=True)
class Page:
    """A tab. table: each section is one line of a table instead of a frame with knobs."""

    title: str
    sections: tuple[Section, ...]
    table: bool = False


def _envelope(id_: str, title: str, row: int) -> Section:
    stages = ("attack", "decay", "sustain", "release")
    return Section(title, row, tuple(f"{id_}_{stage}" for stage in stages), span=COLUMNS)


def _insert(number: int) -> Section:
    values = tuple(f"insert_{number}_{i}" for i in range(1, EFFECT_VALUES + 1))
    return Section(f"Insert {number}", number - 1, (f"insert_{number}", *values), span=COLUMNS, headed=True)


def _lfo(number: int) -> Section:
    what = ("shape", "rate", "sync", "start", "fade")
    return Section(f"LFO {number}", number - 1, tuple(f"lfo_{number}_{name}" for name in what), span=COLUMNS)


def _route(number: int) -> Section:
    what = ("source", "destination", "amount", "via")
    return Section(f"Mod {number}", number - 1, tuple(f"mod_{number}_{name}" for name in what))


def _bus(effect_id: str, row: int) -> Section:
    effect = next(effect for effect in EFFECTS if effect.id == effect_id)
    rows = tuple(f"{effect_id}_{value.id}" for value in effect.parameters if value.id != "mix")
    return Section(effect.label, row, rows, span=COLUMNS)


_PAGES = (
    Page("Sound", (
        Section("Sound", 1, ("brightness", "tone_level", "noise_level", "shimmer", "attack", "release")),
        Section("Morph", 2, ("morph_time",)),
        Section("Vibrato", 2, ("vibrato_rate", "vibrato_depth")),
        Section("Output", 2, ("tune", "pan", "volume")),
    )),
    Page("Voice", (
        Section("Notes", 0, ("voice_mode", "polyphony", "portamento")),
        Section("Velocity", 0, ("velocity_low", "velocity_high", "velocity_curve")),
        Section("Unison", 1, ("unison", "unison_detune", "unison_width", "unison_latent")),
        Section("Latent", 1, ("morph_mode", "latent_random")),
        Section("Part", 2, ("enabled", "mute", "solo", "channel"), span=COLUMNS),
        Section("Keys", 3, ("key_low", "key_high", "transpose", "bend_range"), span=COLUMNS),
    )),
    Page("Filter/Amp", (
        Section("Filter", 0, ("filter_mode", "filter_cutoff", "filter_resonance", "filter_key", "filter_envelope")),
        Section("Partials", 0, ("inharmonicity",)),
        _envelope("amp", "Amp", 1),
        *(_envelope(f"env_{number}", f"Envelope {number}", 1 + number) for number in range(1, N_ENVELOPES + 1)),
    )),
    Page("LFOs", tuple(_lfo(number) for number in range(1, N_LFOS + 1))),
    Page("Matrix", tuple(_route(number) for number in range(1, N_ROUTES + 1)), table=True),
    Page("Effects", (
        *(_insert(number) for number in range(1, N_INSERTS + 1)),
        Section("Room", N_INSERTS, ("room",), span=2),
        Section("Sends", N_INSERTS, tuple(f"send_{effect_id}" for effect_id in SENDS), span=4),
    )),
    Page(RACK_PAGE, (
        Section("All parts", 0, ("master_volume", "tempo"), span=3),
        Section("MPE", 0, ("mpe", "mpe_bend_range"), span=3),
        *(_bus(effect_id, row) for row, effect_id in enumerate(SENDS, 1)),
    )),
)  # fmt: skip


def pages() -> tuple[Page, ...]:
    """Every row of the table has a place; rows that nobody placed yet show up under More."""
    placed = {name for page in _PAGES for section in page.sections for name in section.parameters}
    placed |= {*ON_THE_PAD, *DIRECTIONS}
    rest = tuple(row.id for row in PARAMETERS if row.id not in placed)
    more = tuple(Section("More", i // COLUMNS, rest[i : i + COLUMNS]) for i in range(0, len(rest), COLUMNS))
    return (*_PAGES, Page("More", more)) if more else _PAGES


def sections() -> tuple[Section, ...]:
    """Those of all pages."""
    return tuple(section for page in pages() for section in page.sections)


def short_name(parameter: Parameter, title: str) -> str:
    """'Vibrato rate' under the heading Vibrato is 'Rate', 'Delay send' under Sends is 'Delay'."""
    rest = parameter.label.removeprefix(title).removesuffix(f" {title.lower().removesuffix('s')}").strip()
    return rest[:1].upper() + rest[1:] if rest else parameter.label
