"""The tables of the effects: what each is called and what can be set. Their kernels are `noisysynth.dsp.effects`.

To add an effect: a row here, and `dsp/effects/ID.py` with its kernels.
"""

from __future__ import annotations

import dataclasses

from noisysynth.table import Parameter

EFFECT_VALUES = 6  # the most that one effect can have set


@dataclasses.dataclass(frozen=True)
class Effect:
    """One effect. `parameters`: at most EFFECT_VALUES rows, the last of which is `mix` (0 dry .. 1 wet)."""

    id: str
    label: str
    parameters: tuple[Parameter, ...]
    help: str = ""

    def default_positions(self) -> list[float]:
        """Knob positions, 0..1, that it begins with, in the order of `parameters`."""
        return [row.to_position(row.default) for row in self.parameters]


def _mix(default: float = 0.5) -> Parameter:
    return Parameter("mix", "Mix", "", 0.0, 1.0, default, smoothing_s=0.01, help="From dry to effect alone.")


EFFECTS: tuple[Effect, ...] = (
    Effect("drive", "Drive", (
        Parameter("drive", "Drive", "dB", 0.0, 40.0, 12.0, smoothing_s=0.01, help="How hard the stage is driven."),
        Parameter("tone", "Tone", "Hz", 500.0, 18_000.0, 8_000.0, curve="log", smoothing_s=0.01,
                  help="What the stage lets through above."),
        Parameter("level", "Level", "dB", -24.0, 12.0, 0.0, smoothing_s=0.01, help="Loudness behind the stage."),
        _mix(1.0),
    ), help="Soft saturation without aliases."),
    Effect("equalizer", "Equalizer", (
        Parameter("low", "Low", "dB", -18.0, 18.0, 0.0, smoothing_s=0.02, help="Shelf below 200 Hz."),
        Parameter("mid", "Mid", "dB", -18.0, 18.0, 0.0, smoothing_s=0.02, help="Bell at the middle frequency."),
        Parameter("mid_hz", "Mid freq", "Hz", 200.0, 8_000.0, 1_000.0, curve="log", smoothing_s=0.02,
                  help="The bell's centre."),
        Parameter("high", "High", "dB", -18.0, 18.0, 0.0, smoothing_s=0.02, help="Shelf above 5 kHz."),
        _mix(1.0),
    ), help="Two shelves and a bell."),
    Effect("compressor", "Compressor", (
        Parameter("threshold", "Threshold", "dB", -48.0, 0.0, -18.0, smoothing_s=0.02,
                  help="Level above which it turns down."),
        Parameter("ratio", "Ratio", ":1", 1.0, 20.0, 4.0, curve="log", smoothing_s=0.02,
                  help="How much louder in is one louder out."),
        Parameter("attack", "Attack", "s", 0.0005, 0.1, 0.01, curve="log", smoothing_s=0.02,
                  help="How fast it turns down."),
        Parameter("release", "Release", "s", 0.02, 2.0, 0.2, curve="log", smoothing_s=0.02,
                  help="How fast it recovers."),
        Parameter("gain", "Gain", "dB", 0.0, 24.0, 0.0, smoothing_s=0.02, help="Loudness given back."),
        _mix(1.0),
    ), help="Evens out the level of both channels together."),
    Effect("phaser", "Phaser", (
        Parameter("rate", "Rate", "Hz", 0.02, 8.0, 0.4, curve="log", smoothing_s=0.02, help="Speed of the sweep."),
        Parameter("depth", "Depth", "", 0.0, 1.0, 0.7, smoothing_s=0.02, help="Width of the sweep."),
        Parameter("center", "Center", "Hz", 100.0, 4_000.0, 700.0, curve="log", smoothing_s=0.02,
                  help="Where the sweep lies."),
        Parameter("feedback", "Feedback", "", -0.9, 0.9, 0.3, smoothing_s=0.02, help="Sharpness of the notches."),
        _mix(),
    ), help="Three notches that sweep."),
    Effect("chorus", "Chorus", (
        Parameter("rate", "Rate", "Hz", 0.05, 8.0, 0.6, curve="log", smoothing_s=0.02, help="Speed of the voices."),
        Parameter("depth", "Depth", "ms", 0.0, 8.0, 2.5, smoothing_s=0.05, help="How far the voices stray."),
        Parameter("delay", "Delay", "ms", 0.5, 30.0, 12.0, smoothing_s=0.05, help="How far behind the voices are."),
        Parameter("spread", "Spread", "", 0.0, 1.0, 0.8, smoothing_s=0.02, help="Stereo width."),
        Parameter("feedback", "Feedback", "", -0.9, 0.9, 0.0, smoothing_s=0.02, help="Towards a flanger."),
        _mix(),
    ), help="Three voices that stray; with feedback a flanger."),
    Effect("delay", "Delay", (
        Parameter("time", "Time", "s", 0.01, 2.0, 0.375, curve="log", smoothing_s=0.1,
                  help="Between repeats; ignored while it follows the tempo."),
        Parameter("sync", "Sync", "beats", 0.0, 4.0, 0.0, help="Between repeats in quarter notes; 0: use the time."),
        Parameter("feedback", "Feedback", "", 0.0, 0.98, 0.35, smoothing_s=0.02, help="How many repeats."),
        Parameter("damping", "Damping", "Hz", 500.0, 18_000.0, 6_000.0, curve="log", smoothing_s=0.02,
                  help="Each repeat loses what lies above."),
        Parameter("cross", "Ping-pong", "", 0.0, 1.0, 0.0, smoothing_s=0.02, help="How far repeats change sides."),
        _mix(0.35),
    ), help="Repeats, straight or from side to side."),
    Effect("reverb", "Reverb", (
        Parameter("decay", "Decay", "s", 0.2, 20.0, 2.2, curve="log", smoothing_s=0.05,
                  help="Until it has fallen by 60 dB."),
        Parameter("size", "Size", "", 0.3, 1.0, 0.8, smoothing_s=0.2, help="Of the room."),
        Parameter("damping", "Damping", "Hz", 500.0, 18_000.0, 6_500.0, curve="log", smoothing_s=0.05,
                  help="What lies above dies away sooner."),
        Parameter("pre_delay", "Pre-delay", "ms", 0.0, 200.0, 15.0, smoothing_s=0.1,
                  help="Before the room answers."),
        Parameter("width", "Width", "", 0.0, 1.0, 1.0, smoothing_s=0.02, help="Stereo width."),
        _mix(0.3),
    ), help="A hall of delay lines that feed each other."),
)  # fmt: skip

EFFECT_INDEX: dict[str, int] = {effect.id: i for i, effect in enumerate(EFFECTS)}
# The effects that every part can send to; each is a bus of its own.
SENDS: tuple[str, ...] = ("chorus", "delay", "reverb")
