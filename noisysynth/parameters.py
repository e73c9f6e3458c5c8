"""The one table of playable parameters: engine columns, knobs, presets, MIDI learn and OSC all derive from it."""

from __future__ import annotations

from noisysynth.effects import EFFECT_VALUES, EFFECTS, SENDS, Effect
from noisysynth.table import Parameter

__all__ = [
    "MOD_DESTINATIONS",
    "PARAMETERS",
    "PARAMETER_INDEX",
    "PARAMETER_OF_CC",
    "Parameter",
    "db_to_gain",
    "default_values",
]  # fmt: skip

N_PARTS = 16  # of the rack
N_KNOBS = 6
N_LFOS = 3
N_ENVELOPES = 2
N_ROUTES = 12
N_INSERTS = 2

OFF_ON = ("Off", "On")
VOICE_MODES = ("Poly", "Mono", "Legato")
MORPH_MODES = ("All notes", "Held notes", "New notes")
FILTER_MODES = ("Off", "Low-pass 12", "Low-pass 24", "High-pass 12", "High-pass 24", "Band-pass", "Notch")
LFO_SHAPES = ("Sine", "Triangle", "Saw up", "Saw down", "Square", "Steps", "Drift")
LFO_STARTS = ("Free", "Each note")
# Beats (quarter notes) of one period; the first means that the rate knob rules.
SYNC_BEATS = (0.0, 16.0, 8.0, 4.0, 3.0, 2.0, 1.5, 4.0 / 3.0, 1.0, 0.75, 2.0 / 3.0, 0.5, 1.0 / 3.0, 0.25, 0.125)
SYNCS = ("Off", "4 bars", "2 bars", "1 bar", "1/2.", "1/2", "1/4.", "1/2T", "1/4", "1/8.", "1/4T", "1/8", "1/8T",
         "1/16", "1/32")  # fmt: skip
# What can move something. The numbers are stored in presets: add at the end only.
MOD_SOURCES = (
    "None", "Velocity", "Key", "Random", "Mod wheel", "Pitch bend", "Pressure", "Slide", "Breath", "Foot",
    "Expression", "Release velocity", "LFO 1", "LFO 2", "LFO 3", "Envelope 1", "Envelope 2", "Time held",
)  # fmt: skip
MPE_ZONES = ("Off", "Lower", "Upper", "Both")


def _choice(id_: str, label: str, choices: tuple[str, ...], help_: str, default: int = 0) -> Parameter:
    return Parameter(
        id_, label, "", 0.0, len(choices) - 1.0, float(default), choices=choices, target="note", help=help_
    )


def _knob(number: int) -> Parameter:
    return Parameter(
        f"knob_{number}", f"Knob {number}", "", -1.0, 1.0, 0.0,
        midi_cc=20 + number, target="latent", help="Moves the sound along the instrument's named direction.",
    )  # fmt: skip


def _insert(number: int) -> tuple[Parameter, ...]:
    kinds = ("None", *(effect.label for effect in EFFECTS))
    return (
        Parameter(f"insert_{number}", f"Insert {number}", "", 0.0, len(kinds) - 1.0, 0.0, choices=kinds,
                  help="The effect in this place of the part."),
        *(
            Parameter(f"insert_{number}_{i}", f"Insert {number} value {i}", "", 0.0, 1.0, 0.5,
                      help="A value of the effect in this place, as a knob position.")
            for i in range(1, EFFECT_VALUES + 1)
        ),
    )  # fmt: skip


def _envelope(
    id_: str, label: str, times_s: tuple[float, float, float], sustain: float, what: str
) -> tuple[Parameter, ...]:
    attack_s, decay_s, release_s = times_s
    return (
        Parameter(f"{id_}_attack", f"{label} attack", "s", 0.001, 10.0, attack_s, curve="log", target="note",
                  help=f"How long {what} rises."),
        Parameter(f"{id_}_decay", f"{label} decay", "s", 0.001, 20.0, decay_s, curve="log", target="note",
                  help=f"How long {what} falls to its sustain level."),
        Parameter(f"{id_}_sustain", f"{label} sustain", "", 0.0, 1.0, sustain, target="note",
                  help=f"Where {what} stays while the key is down."),
        Parameter(f"{id_}_release", f"{label} release", "s", 0.001, 20.0, release_s, curve="log", target="note",
                  help=f"How long {what} falls once the key is up."),
    )  # fmt: skip


def _lfo(number: int) -> tuple[Parameter, ...]:
    id_, label = f"lfo_{number}", f"LFO {number}"
    return (
        _choice(f"{id_}_shape", f"{label} shape", LFO_SHAPES, "Its form."),
        Parameter(f"{id_}_rate", f"{label} rate", "Hz", 0.02, 30.0, (5.0, 0.5, 2.0)[number - 1], curve="log",
                  target="note", help="Its speed, unless it follows the tempo."),
        _choice(f"{id_}_sync", f"{label} sync", SYNCS, "Its period in the tempo of the rack or of MIDI clock."),
        _choice(f"{id_}_start", f"{label} start", LFO_STARTS, "Whether it runs on or begins with each note."),
        Parameter(f"{id_}_fade", f"{label} fade-in", "s", 0.0, 5.0, 0.0, target="note",
                  help="How long it takes to come in after a note began."),
    )  # fmt: skip


_PART: tuple[Parameter, ...] = (
    Parameter("volume", "Volume", "dB", -60.0, 6.0, -6.0, smoothing_s=0.01, midi_cc=7,
              help="Loudness of the part; the lowest setting is silence."),
    Parameter("tune", "Tune", "cents", -100.0, 100.0, 0.0, target="voice",
              help="Tuning of the whole part."),
    Parameter("bend_range", "Bend range", "semitones", 0.0, 24.0, 2.0, target="note",
              help="How far the pitch wheel bends."),
    Parameter("pad_x", "Pad X", "", -1.0, 1.0, 0.0, midi_cc=16, target="latent",
              help="The latent pad, left to right."),
    Parameter("pad_y", "Pad Y", "", -1.0, 1.0, 0.0, midi_cc=17, target="latent",
              help="The latent pad, bottom to top."),
    *(_knob(number) for number in range(1, N_KNOBS + 1)),
    Parameter("morph_time", "Morph time", "s", 0.01, 10.0, 0.05, curve="log", target="note",
              help="How long sounding notes take to reach a new timbre."),
    Parameter("attack", "Attack", "x", 0.25, 4.0, 1.0, curve="log", midi_cc=73, target="latent",
              help="Stretches how notes begin and evolve: above 1 is slower."),
    Parameter("release", "Release", "x", 0.25, 4.0, 1.0, curve="log", midi_cc=72, target="latent",
              help="Stretches how notes end: above 1 is longer."),
    Parameter("brightness", "Tilt", "dB/oct", -9.0, 9.0, 0.0, midi_cc=74, target="voice",
              help="Tilts the partials above the fundamental."),
    Parameter("tone_level", "Tone", "dB", -60.0, 12.0, 0.0, target="voice",
              help="Level of the harmonic part; the lowest setting is silence."),
    Parameter("noise_level", "Noise", "dB", -60.0, 12.0, 0.0, target="voice",
              help="Level of the noise part; the lowest setting is silence."),
    Parameter("vibrato_rate", "Vibrato rate", "Hz", 0.5, 12.0, 5.5, curve="log", target="note",
              help="Speed of the vibrato that the mod wheel brings in."),
    Parameter("vibrato_depth", "Vibrato depth", "cents", 0.0, 100.0, 35.0, target="voice",
              help="Depth of the vibrato with the mod wheel all the way up."),
    # where and what it listens to
    _choice("enabled", "Enabled", OFF_ON, "Whether the part plays.", default=1),
    _choice("mute", "Mute", OFF_ON, "Silences the part, notes that sound as well."),
    _choice("solo", "Solo", OFF_ON, "While any part is solo, only those that are can be heard."),
    _choice("channel", "Channel", ("All", *map(str, range(1, 17))), "The MIDI channel it plays from."),
    Parameter("key_low", "Lowest key", "", 0.0, 127.0, 0.0, target="note", choices=tuple(map(str, range(128))),
              help="Keys below it do not play the part."),
    Parameter("key_high", "Highest key", "", 0.0, 127.0, 127.0, target="note", choices=tuple(map(str, range(128))),
              help="Keys above it do not play the part."),
    Parameter("velocity_low", "Softest", "", 0.0, 1.0, 0.0, target="note",
              help="Softer strokes do not play the part."),
    Parameter("velocity_high", "Hardest", "", 0.0, 1.0, 1.0, target="note",
              help="Harder strokes do not play the part."),
    Parameter("transpose", "Transpose", "semitones", -48.0, 48.0, 0.0, target="note",
              choices=tuple(map(str, range(-48, 49))), help="Moves the keyboard."),
    Parameter("velocity_curve", "Velocity curve", "", -1.0, 1.0, 0.0, target="note",
              help="Below 0 soft strokes come out softer, above 0 louder."),
    # voices
    _choice("voice_mode", "Voices", VOICE_MODES, "Many notes, one note, or one note that slides without a new attack."),
    Parameter("polyphony", "Polyphony", "", 1.0, 256.0, 256.0, target="note",
              help="Voices the part may use at once."),
    Parameter("portamento", "Portamento", "s", 0.0, 5.0, 0.0, midi_cc=5, target="note",
              help="How long the pitch takes from note to note; 0: at once."),
    Parameter("unison", "Unison", "voices", 1.0, 8.0, 1.0, target="note", choices=tuple(map(str, range(1, 9))),
              help="Voices for each note."),
    Parameter("unison_detune", "Unison detune", "cents", 0.0, 100.0, 12.0, target="note",
              help="How far apart the voices of a note are in pitch."),
    Parameter("unison_width", "Unison width", "", 0.0, 1.0, 0.6, target="note",
              help="How far apart the voices of a note are in stereo."),
    Parameter("unison_latent", "Unison latent", "", 0.0, 2.0, 0.3, target="note",
              help="How far apart the voices of a note are in timbre."),
    Parameter("latent_random", "Latent random", "", 0.0, 2.0, 0.0, target="note",
              help="How much the timbre differs from note to note."),
    _choice("morph_mode", "Morph", MORPH_MODES, "Which notes follow when the timbre moves."),
    # what every voice goes through
    Parameter("pan", "Pan", "", -1.0, 1.0, 0.0, midi_cc=10, target="voice", help="Left to right."),
    *_envelope("amp", "Amp", (0.001, 1.0, 20.0), 1.0, "the loudness"),
    _choice("filter_mode", "Filter", FILTER_MODES, "Cuts partials and noise of every voice."),
    Parameter("filter_cutoff", "Cutoff", "Hz", 20.0, 20_000.0, 20_000.0, curve="log", target="voice",
              help="Where the filter cuts."),
    Parameter("filter_resonance", "Resonance", "", 0.0, 1.0, 0.0, target="voice",
              help="How much the filter stresses what lies at its cutoff."),
    Parameter("filter_key", "Key follow", "", 0.0, 1.0, 0.0, target="note",
              help="How far the cutoff follows the key, from 60 on."),
    Parameter("filter_envelope", "Filter envelope", "octaves", -8.0, 8.0, 0.0, target="voice",
              help="How far envelope 1 moves the cutoff."),
    Parameter("inharmonicity", "Stretch", "", 0.0, 1.0, 0.0, target="voice",
              help="Stretches the partials as stiff strings and bells do."),
    # modulation
    *(row for number in range(1, N_LFOS + 1) for row in _lfo(number)),
    *(
        row
        for number in range(1, N_ENVELOPES + 1)
        for row in _envelope(f"env_{number}", f"Envelope {number}", (0.005, 0.5, 0.3), 0.0, f"envelope {number}")
    ),
    # effects
    *(row for number in range(1, N_INSERTS + 1) for row in _insert(number)),
    Parameter("room", "Room", "", 0.0, 1.0, 0.0, smoothing_s=0.02,
              help="How much of the room that the instrument learned is heard."),
    Parameter("send_chorus", "Chorus send", "dB", -60.0, 6.0, -60.0, smoothing_s=0.01, midi_cc=93,
              help="How much goes to the rack's chorus; the lowest setting is nothing."),
    Parameter("send_delay", "Delay send", "dB", -60.0, 6.0, -60.0, smoothing_s=0.01, midi_cc=94,
              help="How much goes to the rack's delay; the lowest setting is nothing."),
    Parameter("send_reverb", "Reverb send", "dB", -60.0, 6.0, -60.0, smoothing_s=0.01, midi_cc=91,
              help="How much goes to the rack's reverb; the lowest setting is nothing."),
    Parameter("shimmer", "Shimmer", "x", 0.0, 2.0, 1.0, target="latent",
              help="How much partials tremble; 1: as in the recordings that were learned from."),
)  # fmt: skip


def _bus(effect: Effect) -> tuple[Parameter, ...]:
    """The rows of a send effect: as the effect's own, but for `mix`, for a bus is all wet."""
    return tuple(
        Parameter(f"{effect.id}_{row.id}", f"{effect.label} {row.label.lower()}", row.unit, row.minimum, row.maximum,
                  row.default, row.curve, row.smoothing_s, rack=True, help=row.help)
        for row in effect.parameters
        if row.id != "mix"
    )  # fmt: skip


_RACK: tuple[Parameter, ...] = (
    Parameter("master_volume", "Master", "dB", -60.0, 6.0, 0.0, smoothing_s=0.01, rack=True,
              help="Loudness of everything; the lowest setting is silence."),
    Parameter("tempo", "Tempo", "bpm", 20.0, 300.0, 120.0, target="note", rack=True,
              help="What synced modulation and delays follow; MIDI clock sets it."),
    Parameter("mpe", "MPE", "", 0.0, 3.0, 0.0, choices=MPE_ZONES, target="note", rack=True,
              help="Zones in which every note has a channel of its own; controllers may set it, too."),
    Parameter("mpe_bend_range", "MPE bend range", "semitones", 1.0, 96.0, 48.0, target="note", rack=True,
              help="How far a single note bends in an MPE zone."),
    *(row for effect in EFFECTS if effect.id in SENDS for row in _bus(effect)),
)  # fmt: skip


def _routed(row: Parameter) -> bool:
    return not row.choices and row.id not in ("bend_range", "polyphony", "velocity_low", "velocity_high")


# What the modulation matrix can move, by parameter id; "pitch" is no knob of its own. In a preset a destination is
# stored by its place here: add at the end of the table only.
MOD_DESTINATIONS: tuple[str, ...] = ("none", "pitch", *(row.id for row in _PART if _routed(row)))
PITCH_MOD_SEMITONES = 24.0  # of an amount of 1


def _route(number: int) -> tuple[Parameter, ...]:
    labels = {row.id: row.label for row in _PART} | {"none": "None", "pitch": "Pitch"}
    destinations = tuple(labels[id_] for id_ in MOD_DESTINATIONS)
    id_, label = f"mod_{number}", f"Mod {number}"
    return (
        _choice(f"{id_}_source", f"{label} source", MOD_SOURCES, "What moves."),
        _choice(f"{id_}_destination", f"{label} destination", destinations, "What is moved."),
        Parameter(f"{id_}_amount", f"{label} amount", "", -1.0, 1.0, 0.0, target="note",
                  help="How far, as a share of the knob's way; for pitch, of two octaves."),
        _choice(f"{id_}_via", f"{label} via", MOD_SOURCES, "What scales the amount; None: nothing does."),
    )  # fmt: skip


PARAMETERS: tuple[Parameter, ...] = (
    *_PART,
    *(row for number in range(1, N_ROUTES + 1) for row in _route(number)),
    *_RACK,
)
MAX_PARAMETERS = 256  # columns of the engine's tables

# A preset does not touch these: they belong to the player, the keyboard and the mix, not to the sound.
KEPT_BY_PRESETS = frozenset((
    "volume", "tune", "bend_range", "morph_time", "enabled", "mute", "solo", "channel", "key_low", "key_high",
    "velocity_low", "velocity_high", "transpose", "velocity_curve", "send_chorus", "send_delay", "send_reverb",
))  # fmt: skip

PARAMETER_INDEX: dict[str, int] = {parameter.id: i for i, parameter in enumerate(PARAMETERS)}
PARAMETER_OF_CC: dict[int, int] = {
    parameter.midi_cc: i for i, parameter in enumerate(PARAMETERS) if parameter.midi_cc is not None
}


def default_values() -> dict[str, float]:
    """Every parameter's default by id."""
    return {parameter.id: parameter.default for parameter in PARAMETERS}


def db_to_gain(level_db: float) -> float:
    """Linear gain; -60 dB and below is silence, as the volume-like parameters promise."""
    return 0.0 if level_db <= -60.0 else float(10.0 ** (level_db / 20.0))
