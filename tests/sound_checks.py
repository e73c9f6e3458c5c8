"""What each parameter of the table does to what is heard: turned by hand in the window, measured in the recording.

`SOUND` has a check for every row but the matrix's and the effects': effect_checks.py has those.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from desk import HELD, HZ, KEY, LATENT_CHANNEL, LATENT_PART, ROOM_S, Audio, Desk, bend, controller, note
from engine_tools import level_db
from heard import (
    SILENT_DB,
    above_db,
    balance_db,
    centroid_hz,
    cents,
    cut,
    envelope,
    middle,
    noise_db,
    onset_s,
    partial_db,
    rate_hz,
    rise_s,
    track,
    width_db,
)

from noisysynth.parameters import (
    FILTER_MODES,
    LFO_SHAPES,
    LFO_STARTS,
    MOD_DESTINATIONS,
    MOD_SOURCES,
    MORPH_MODES,
    MPE_ZONES,
    N_ENVELOPES,
    N_LFOS,
    SYNCS,
    VOICE_MODES,
    db_to_gain,
)

Both = Callable[..., tuple[Audio, Audio]]
SOUND: dict[str, Callable[[Both, Desk], None]] = {}
LATER_S = (0.05, 0.135)  # of a held note: it has settled
LONG = note(0.0, 0.65), 0.65  # for noise: over 85 ms its level is random by 2 dB
TWO_NOTES = (*note(0.0, 0.09), *note(0.1, 0.19, KEY + 12))
FOUR_NOTES = tuple(message for i in range(4) for message in note(0.075 * i, 0.075 * i + 0.07))
SOFT_AND_HARD = (*note(0.0, 0.09, velocity=20), *note(0.1, 0.19, velocity=120))
CHORD = (*note(0.0, 0.19), *note(0.03, 0.19, KEY + 7))
FIFTH_HZ = HZ * 2.0 ** (7 / 12)


def check(*parameter_ids: str) -> Callable[[Callable[[Both, Desk], None]], Callable[[Both, Desk], None]]:
    """A check of these rows: `both(before, after, ...)` plays with the row before and after it was turned by hand."""

    def keep(function: Callable[[Both, Desk], None]) -> Callable[[Both, Desk], None]:
        for parameter_id in parameter_ids:
            assert parameter_id not in SOUND
            SOUND[parameter_id] = function
        return function

    return keep


def held(audio: Audio) -> Audio:
    return cut(audio, *LATER_S)


def four(audio: Audio) -> list[Audio]:
    """The settled part of each of FOUR_NOTES."""
    return [cut(audio, 0.075 * i + 0.025, 0.075 * i + 0.068) for i in range(4)]


def halves_db(audio: Audio) -> tuple[float, float]:
    """Levels of two notes that follow each other."""
    return level_db(cut(audio, 0.03, 0.085)), level_db(cut(audio, 0.13, 0.185))


def route(source: str, destination: str, amount: float, number: int = 1) -> dict[str, float]:
    return {
        f"mod_{number}_source": MOD_SOURCES.index(source),
        f"mod_{number}_destination": MOD_DESTINATIONS.index(destination),
        f"mod_{number}_amount": amount,
    }


# the part's output


@check("volume", "master_volume")
def _(both: Both, desk: Desk) -> None:
    before, after = both(-6.0, -26.0)
    assert level_db(held(after), held(before)) == pytest.approx(-20.0, abs=0.5)


@check("pan")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, -0.5)
    assert balance_db(held(before)) == pytest.approx(0.0, abs=0.1)
    assert balance_db(held(after)) == pytest.approx(20.0 * np.log10(np.tan(np.pi / 8)), abs=0.5)


@check("tune")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 50.0)
    assert cents(middle(held(before)), HZ) == pytest.approx(0.0, abs=3.0)
    assert cents(middle(held(after)), HZ) == pytest.approx(50.0, abs=3.0)


@check("transpose")
def _(both: Both, desk: Desk) -> None:
    _, after = both(0.0, -5.0)
    assert cents(middle(held(after)), HZ) == pytest.approx(-500.0, abs=3.0)


@check("bend_range")
def _(both: Both, desk: Desk) -> None:
    before, after = both(2.0, 12.0, (*bend(0.0, 0.5), *HELD))
    assert cents(middle(held(before)), HZ) == pytest.approx(100.0, abs=5.0)
    assert cents(middle(held(after)), HZ, 1.0) == pytest.approx(600.0, abs=5.0)


@check("enabled")
def _(both: Both, desk: Desk) -> None:
    before, after = both(1.0, 0.0)
    assert level_db(held(before)) > -40.0
    assert level_db(held(after)) < SILENT_DB


@check("mute")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 1.0)
    assert level_db(held(before)) > -40.0
    assert level_db(held(after)) < SILENT_DB


@check("solo")
def _(both: Both, desk: Desk) -> None:
    """The other part, on its own channel, is not heard any more."""
    before, after = both(0.0, 1.0, (*note(0.0, 0.12, channel=LATENT_CHANNEL), *note(0.25, 0.34)), 0.34)
    assert level_db(cut(before, 0.03, 0.12)) > -40.0
    assert level_db(cut(after, 0.05, 0.2)) < SILENT_DB
    assert level_db(cut(after, 0.28, 0.34)) > -40.0


# what it listens to


@check("channel")
def _(both: Both, desk: Desk) -> None:
    before, after = both(1.0, 5.0, (*note(0.0, 0.09), *note(0.1, 0.19, channel=4)), 0.19)
    assert halves_db(before)[0] > -40.0
    assert halves_db(before)[1] < SILENT_DB
    assert halves_db(after)[0] < SILENT_DB
    assert halves_db(after)[1] > -40.0


@check("key_low")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, KEY + 1.0, TWO_NOTES, 0.19)
    assert min(halves_db(before)) > -40.0
    assert halves_db(after)[0] < SILENT_DB
    assert halves_db(after)[1] > -40.0


@check("key_high")
def _(both: Both, desk: Desk) -> None:
    _, after = both(127.0, KEY + 1.0, TWO_NOTES, 0.19)
    assert halves_db(after)[0] > -40.0
    assert halves_db(after)[1] < SILENT_DB


@check("velocity_low")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 0.5, SOFT_AND_HARD, 0.19)
    assert min(halves_db(before)) > -55.0
    assert halves_db(after)[0] < SILENT_DB
    assert halves_db(after)[1] > -40.0


@check("velocity_high")
def _(both: Both, desk: Desk) -> None:
    _, after = both(1.0, 0.5, SOFT_AND_HARD, 0.19)
    assert halves_db(after)[0] > -55.0
    assert halves_db(after)[1] < SILENT_DB


@check("velocity_curve")
def _(both: Both, desk: Desk) -> None:
    before, after = both(
        0.0, 0.5, SOFT_AND_HARD, 0.19
    )  # v becomes the root of v, and the test instrument is linear in it
    louder = [now - then for now, then in zip(halves_db(after), halves_db(before), strict=True)]
    assert louder == pytest.approx([-10.0 * np.log10(20 / 127), -10.0 * np.log10(120 / 127)], abs=0.7)


# voices


@check("voice_mode")
def _(both: Both, desk: Desk) -> None:
    before, after = both(VOICE_MODES.index("Poly"), VOICE_MODES.index("Mono"), CHORD, 0.19)
    for audio, first_sounds in ((before, True), (after, False)):
        mono = middle(cut(audio, 0.06, 0.18))
        over = partial_db(mono, HZ) - partial_db(mono, FIFTH_HZ)
        assert over > -3.0 if first_sounds else over < -40.0


@check("polyphony")
def _(both: Both, desk: Desk) -> None:
    _, after = both(256.0, 1.0, CHORD, 0.19)
    mono = middle(cut(after, 0.06, 0.18))
    assert partial_db(mono, HZ) < partial_db(mono, FIFTH_HZ) - 40.0


@check("portamento")
def _(both: Both, desk: Desk) -> None:
    gesture = (*note(0.0, 0.09), *note(0.1, 0.49, KEY + 12))
    before, after = both(0.0, 0.3, gesture, 0.49, given={"filter_mode": 2.0, "filter_cutoff": HZ})
    assert cents(middle(cut(before, 0.13, 0.19)), 2.0 * HZ) == pytest.approx(0.0, abs=5.0)
    way = 6.0 + track(middle(cut(after, 0.1, 0.48)), 2.0**0.5 * HZ)[[23, 73, 163]]  # at 0.05, 0.15 and 0.33 s
    assert way == pytest.approx([2.0, 6.0, 12.0], abs=0.7)


def _unison(**more: float) -> dict[str, float]:
    return {"unison": 2.0, "unison_width": 0.0, "unison_latent": 0.0, "unison_detune": 0.0} | more


@check("unison")
def _(both: Both, desk: Desk) -> None:
    given = _unison(unison_detune=60.0)
    del given["unison"]
    before, after = both(1.0, 2.0, given=given)
    swings = [np.ptp(envelope(middle(held(audio)))) / envelope(middle(held(audio))).max() for audio in (before, after)]
    assert swings[0] < 0.1
    assert swings[1] > 0.3


@check("unison_detune")
def _(both: Both, desk: Desk) -> None:
    """Two voices: the beats of a note are as many as their distance in Hz."""
    given = {name: value for name, value in _unison().items() if name != "unison_detune"}
    seconds, hz = 0.4, 4 * HZ
    before, after = both(20.0, 40.0, note(0.0, seconds, KEY + 24), seconds, given=given)
    for audio, apart in ((before, 20.0), (after, 40.0)):
        fundamental = np.square(envelope(middle(cut(audio, 0.05, seconds)), 0.002))
        beats_hz = hz * (2.0 ** (apart / 2400.0) - 2.0 ** (-apart / 2400.0))
        assert rate_hz(fundamental, highest_hz=1.5 * beats_hz) == pytest.approx(beats_hz, rel=0.1)


@check("unison_width")
def _(both: Both, desk: Desk) -> None:
    given = {name: value for name, value in _unison(unison_detune=60.0).items() if name != "unison_width"}
    before, after = both(0.0, 1.0, given=given)
    assert width_db(held(before)) < -60.0
    apart = [cents(audio.astype(np.float64), HZ) for audio in held(after).T]
    assert apart[1] - apart[0] == pytest.approx(60.0, abs=8.0)


@check("unison_latent")
def _(both: Both, desk: Desk) -> None:
    """Voices of two timbres, one in each ear."""
    given = {name: value for name, value in _unison(unison_width=1.0).items() if name != "unison_latent"}
    before, after = both(0.0, 0.5, FOUR_NOTES, 0.3, given=given)

    def differ_db(audio: Audio) -> float:
        ears = [each.astype(np.float64).T for each in four(audio)]
        return max(abs(partial_db(left, 20 * HZ) - partial_db(right, 20 * HZ)) for left, right in ears)

    assert differ_db(before) < 0.5
    assert differ_db(after) > 1.0


@check("latent_random")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 0.5, FOUR_NOTES, 0.3)
    spread = [np.ptp([partial_db(middle(each), 20 * HZ) for each in four(audio)]) for audio in (before, after)]
    assert spread[0] < 0.5
    assert spread[1] > 1.0


@check("morph_mode")
def _(both: Both, desk: Desk) -> None:
    """Knob 1, by its controller, while a note sounds; then another note."""
    gesture = (*note(0.0, 0.19), *controller(0.08, 21, 127), *note(0.2, 0.29))
    before, after = both(MORPH_MODES.index("All notes"), MORPH_MODES.index("New notes"), gesture, 0.29)
    for audio, follows in ((before, True), (after, False)):
        mono = middle(audio)
        at, then, new = (centroid_hz(mono[int(a * 48_000) : int((a + 0.06) * 48_000)]) for a in (0.02, 0.12, 0.22))
        assert new > 1.3 * at
        assert then > 1.3 * at if follows else then == pytest.approx(at, rel=0.02)


@check("morph_time")
def _(both: Both, desk: Desk) -> None:
    gesture = (*note(0.0, 0.44), *controller(0.1, 21, 127))
    before, after = both(0.01, 0.4, gesture, 0.44)
    for audio, moved in ((before, 1.0), (after, 0.5)):  # half the way after 0.2 s
        dark, now = (partial_db(middle(cut(audio, a, a + 0.06)), 10 * HZ) for a in (0.03, 0.27))
        full = partial_db(middle(cut(before, 0.36, 0.43)), 10 * HZ)
        assert (now - dark) / (full - dark) == pytest.approx(moved, abs=0.3 if moved < 1.0 else 0.05)


# timbre


@check("attack")
def _(both: Both, desk: Desk) -> None:
    before, after = both(1.0, 4.0)  # of a time constant of 10 ms: at 63 % after 40
    assert rise_s(middle(before), 0.63) < 0.02
    assert rise_s(middle(after), 0.63) == pytest.approx(0.04, abs=0.012)


@check("release")
def _(both: Both, desk: Desk) -> None:
    before, after = both(1.0, 4.0, note(0.0, 0.1), 0.3, given={"amp_release": 20.0})
    for audio, constant_s in ((before, 0.08), (after, 0.32)):
        fall = level_db(cut(audio, 0.23, 0.27), cut(audio, 0.11, 0.15))
        assert fall == pytest.approx(-8.686 * 0.12 / constant_s, abs=1.0)


@check("brightness")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 6.0)
    over = [partial_db(middle(held(audio)), 8 * HZ) - partial_db(middle(held(audio)), HZ) for audio in (before, after)]
    assert over[1] - over[0] == pytest.approx(18.0, abs=1.0)  # three octaves


def tones_and_noises_db(*takes: Audio) -> tuple[list[float], list[float]]:
    monos = [middle(cut(audio, LATER_S[0], 0.645)) for audio in takes]
    return [partial_db(mono, HZ) for mono in monos], [noise_db(mono, HZ) for mono in monos]


@check("tone_level")
def _(both: Both, desk: Desk) -> None:
    tones, noises = tones_and_noises_db(*both(0.0, -20.0, *LONG, given={"noise_level": -12.0}))
    assert tones[1] - tones[0] == pytest.approx(-20.0, abs=1.0)
    assert noises[1] - noises[0] == pytest.approx(0.0, abs=2.0)


@check("noise_level")
def _(both: Both, desk: Desk) -> None:
    # Louder, what falls on the partial itself would move it by a decibel.
    tones, noises = tones_and_noises_db(*both(-24.0, -12.0, *LONG))
    assert tones[1] - tones[0] == pytest.approx(0.0, abs=1.0)
    assert noises[1] - noises[0] == pytest.approx(12.0, abs=2.0)


@check("inharmonicity")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 0.5)
    stretched = 1200.0 * np.log2(np.sqrt(1.0 + 0.02 * 0.25 * 64))
    assert cents(middle(held(before)), 8 * HZ, 0.08) == pytest.approx(0.0, abs=3.0)
    assert cents(middle(held(after)), 8 * HZ * 2.0 ** (stretched / 1200.0), 0.05) == pytest.approx(0.0, abs=5.0)


_WHEEL = (*controller(0.0, 1, 127), *note(0.0, 0.4))


@check("vibrato_rate")
def _(both: Both, desk: Desk) -> None:
    before, after = both(7.0, 11.0, _WHEEL, 0.4)
    for audio, hz in ((before, 7.0), (after, 11.0)):
        assert rate_hz(track(middle(cut(audio, 0.05, 0.4)), HZ)) == pytest.approx(hz, rel=0.15)


@check("vibrato_depth")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 100.0, _WHEEL, 0.4)
    swings = [np.ptp(track(middle(cut(audio, 0.05, 0.4)), HZ)) for audio in (before, after)]
    assert swings[0] < 0.05
    assert swings[1] == pytest.approx(2.0, abs=0.3)


@check("shimmer")
def _(both: Both, desk: Desk) -> None:
    """The test instrument trembles as a whole by what is more or less than usual."""
    before, after = both(1.0, 2.0, *LONG)
    levels = [20.0 * np.log10(envelope(middle(cut(audio, 0.1, 0.64)), 0.02)) for audio in (before, after)]
    assert np.ptp(levels[0]) < 0.5
    assert np.ptp(levels[1]) == pytest.approx(20.0 * np.log10(1.5 / 0.5), abs=1.5)


# the filter


@check("filter_mode")
def _(both: Both, desk: Desk) -> None:
    """In each mode what lies two octaves below, at, and two octaves above the cutoff."""
    changes = {
        "Low-pass 12": (0, -3, -24), "Low-pass 24": (0, -6, -48), "High-pass 12": (-24, -3, 0),
        "High-pass 24": (-48, -6, 0), "Band-pass": (-9, 0, -9), "Notch": (0, -60, 0),
    }  # fmt: skip
    assert {"Off", *changes} == set(FILTER_MODES)
    for mode, expected in changes.items():
        before, after = both(0.0, FILTER_MODES.index(mode), given={"filter_cutoff": 4 * HZ})
        for k, change_db in zip((1, 4, 16), expected, strict=True):
            found = partial_db(middle(held(after)), k * HZ) - partial_db(middle(held(before)), k * HZ)
            assert found < -40.0 if change_db == -60 else found == pytest.approx(change_db, abs=1.5), (mode, k)


_LOW_24 = {"filter_mode": float(FILTER_MODES.index("Low-pass 24"))}


@check("filter_cutoff")
def _(both: Both, desk: Desk) -> None:
    before, after = both(20_000.0, 2 * HZ, given=_LOW_24)
    assert above_db(middle(held(before)), 3.5 * HZ) > -12.0
    assert above_db(middle(held(after)), 3.5 * HZ) < -30.0
    assert partial_db(middle(held(after)), HZ) > partial_db(middle(held(before)), HZ) - 2.0


@check("filter_resonance")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 0.6, given={"filter_mode": 1.0, "filter_cutoff": 4 * HZ})
    found = [partial_db(middle(held(after)), k * HZ) - partial_db(middle(held(before)), k * HZ) for k in (1, 4, 16)]
    assert found[1] == pytest.approx(20.0 * np.log10(2.0 ** (4.5 * 0.6)), abs=1.5)
    assert max(abs(found[0]), abs(found[2])) < 2.0


@check("filter_key")
def _(both: Both, desk: Desk) -> None:
    """Key 84 is two octaves over the key at which the cutoff stays."""
    before, after = both(0.0, 1.0, note(0.0, 0.14, 84), given={**_LOW_24, "filter_cutoff": 523.25})
    lost = [
        partial_db(middle(held(audio)), 1046.5 * 4) - partial_db(middle(held(audio)), 1046.5)
        for audio in (before, after)
    ]
    assert lost[1] - lost[0] > 20.0


@check("filter_envelope")
def _(both: Both, desk: Desk) -> None:
    given = {**_LOW_24, "filter_cutoff": HZ, "env_1_sustain": 1.0, "env_1_attack": 0.001}
    before, after = both(0.0, 3.0, given=given)
    gained = partial_db(middle(held(after)), 8 * HZ) - partial_db(middle(held(before)), 8 * HZ)
    assert gained > 55.0  # from 72 dB down to 6


# envelopes


@check("amp_attack")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.001, 0.15, note(0.0, 0.19), 0.19)
    assert rise_s(middle(before)) < 0.025
    assert rise_s(middle(after)) == pytest.approx(0.105, abs=0.015)


@check("amp_decay")
def _(both: Both, desk: Desk) -> None:
    before, after = both(20.0, 0.4, given={"amp_sustain": 0.0})
    for audio, decay_s in ((before, 20.0), (after, 0.4)):
        fall = level_db(cut(audio, 0.11, 0.135), cut(audio, 0.06, 0.085))
        assert fall == pytest.approx(-60.0 * 0.05 / decay_s, abs=0.7)


@check("amp_sustain")
def _(both: Both, desk: Desk) -> None:
    before, after = both(1.0, 0.1, given={"amp_decay": 0.05})
    assert level_db(cut(after, 0.09, 0.135), cut(before, 0.09, 0.135)) == pytest.approx(-20.0, abs=0.5)


@check("amp_release")
def _(both: Both, desk: Desk) -> None:
    before, after = both(20.0, 0.3, note(0.0, 0.1), 0.2)
    own_db = level_db(cut(before, 0.16, 0.19), cut(before, 0.11, 0.14))
    assert own_db == pytest.approx(-8.686 * 0.05 / 0.08, abs=0.7)
    both_db = level_db(cut(after, 0.16, 0.19), cut(after, 0.11, 0.14))
    assert both_db - own_db == pytest.approx(-60.0 * 0.05 / 0.3, abs=0.7)


# each envelope and each LFO moves the pitch of a high note, where it is followed closely
_HIGH, _HIGH_HZ = KEY + 12, 2 * HZ


def _way(audio: Audio, start_s: float, end_s: float) -> Any:
    """Semitones every 2 ms; the first is 5 ms after the start, the middle of its window."""
    return track(middle(cut(audio, start_s, end_s)), _HIGH_HZ)


def _envelope_checks(id_: str, name: str) -> None:
    moved = route(name, "pitch", 0.125)  # three semitones
    given = {**moved, f"{id_}_attack": 0.001, f"{id_}_decay": 0.05, f"{id_}_sustain": 0.0}

    def without(parameter_id: str) -> dict[str, float]:
        return {each: value for each, value in given.items() if each != parameter_id}

    @check(f"{id_}_attack")
    def _(both: Both, desk: Desk) -> None:
        before, after = both(
            0.001, 0.2, note(0.0, 0.19, _HIGH), 0.19, given={**without(f"{id_}_attack"), f"{id_}_decay": 20.0}
        )
        assert _way(before, 0.02, 0.06).mean() == pytest.approx(3.0, abs=0.2)
        way = _way(after, 0.0, 0.18)
        assert way[[28, 73]] == pytest.approx([3.0 * 0.06 / 0.2, 3.0 * 0.15 / 0.2], abs=0.2)

    @check(f"{id_}_decay")
    def _(both: Both, desk: Desk) -> None:
        before, after = both(20.0, 0.2, note(0.0, 0.19, _HIGH), 0.19, given=without(f"{id_}_decay"))
        assert _way(before, 0.1, 0.16).mean() == pytest.approx(3.0, abs=0.2)
        assert _way(after, 0.1, 0.16).mean() < 0.2
        assert _way(after, 0.0, 0.16)[28] == pytest.approx(3.0 * 1000 ** (-0.06 / 0.2), abs=0.2)

    @check(f"{id_}_sustain")
    def _(both: Both, desk: Desk) -> None:
        before, after = both(0.0, 0.5, note(0.0, 0.19, _HIGH), 0.19, given=without(f"{id_}_sustain"))
        assert _way(before, 0.1, 0.18).mean() == pytest.approx(0.0, abs=0.1)
        assert _way(after, 0.1, 0.18).mean() == pytest.approx(1.5, abs=0.1)

    @check(f"{id_}_release")
    def _(both: Both, desk: Desk) -> None:
        fixed = {**without(f"{id_}_sustain"), f"{id_}_sustain": 1.0, "release": 4.0, "amp_release": 20.0}
        before, after = both(0.02, 0.6, note(0.0, 0.08, _HIGH), 0.2, given=fixed)
        assert _way(before, 0.12, 0.19).mean() < 0.3
        fallen = [3.0 * 1000 ** (-after_s / 0.6) for after_s in (0.06, 0.1)]  # to a half and a third
        assert _way(after, 0.1, 0.2)[[18, 38]] == pytest.approx(fallen, abs=0.2)


for _number in range(1, N_ENVELOPES + 1):
    _envelope_checks(f"env_{_number}", f"Envelope {_number}")


def _lfo_checks(id_: str, name: str) -> None:
    moved = {**route(name, "pitch", 0.05), f"{id_}_rate": 8.0}
    gesture = note(0.0, 0.35, _HIGH)

    def swing_hz(audio: Audio) -> float:
        return rate_hz(_way(audio, 0.03, 0.35))

    @check(f"{id_}_shape")
    def _(both: Both, desk: Desk) -> None:
        before, after = both(LFO_SHAPES.index("Sine"), LFO_SHAPES.index("Square"), gesture, 0.35, given=moved)
        for audio, least, most in ((before, 0.1, 0.45), (after, 0.7, 1.0)):
            way = _way(audio, 0.03, 0.35)
            assert np.ptp(way) == pytest.approx(2.4, abs=0.3)
            assert least < np.mean(np.abs(way) > 1.1) < most  # a square is always at one of its ends

    @check(f"{id_}_rate")
    def _(both: Both, desk: Desk) -> None:
        before, after = both(8.0, 14.0, gesture, 0.35, given=route(name, "pitch", 0.05))
        assert swing_hz(before) == pytest.approx(8.0, rel=0.1)
        assert swing_hz(after) == pytest.approx(14.0, rel=0.1)

    @check(f"{id_}_sync")
    def _(both: Both, desk: Desk) -> None:
        before, after = both(0.0, SYNCS.index("1/32"), gesture, 0.35, given=moved)
        assert swing_hz(before) == pytest.approx(8.0, rel=0.1)
        assert swing_hz(after) == pytest.approx(16.0, rel=0.1)  # at 120 bpm

    @check(f"{id_}_start")
    def _(both: Both, desk: Desk) -> None:
        """A second note, 0.18 s and so 1.44 turns later."""
        notes = (*note(0.0, 0.16, _HIGH), *note(0.18, 0.34, _HIGH))
        before, after = both(LFO_STARTS.index("Free"), LFO_STARTS.index("Each note"), notes, 0.34, given=moved)
        for audio, same in ((before, False), (after, True)):
            first, second = _way(audio, 0.02, 0.15), _way(audio, 0.2, 0.33)
            assert bool(np.abs(first - second).max() < 0.25) is same

    @check(f"{id_}_fade")
    def _(both: Both, desk: Desk) -> None:
        before, after = both(0.0, 0.6, gesture, 0.35, given=moved)
        assert np.abs(_way(before, 0.02, 0.12)).max() > 1.0
        assert np.abs(_way(after, 0.02, 0.12)).max() < 0.3
        assert 0.4 < np.abs(_way(after, 0.2, 0.34)).max() < 0.8


for _number in range(1, N_LFOS + 1):
    _lfo_checks(f"lfo_{_number}", f"LFO {_number}")


# the rack


@check("tempo")
def _(both: Both, desk: Desk) -> None:
    given = {**route("LFO 1", "pitch", 0.05), "lfo_1_sync": float(SYNCS.index("1/16"))}
    before, after = both(120.0, 180.0, note(0.0, 0.35, _HIGH), 0.35, given=given)
    assert rate_hz(_way(before, 0.03, 0.35)) == pytest.approx(8.0, rel=0.1)
    assert rate_hz(_way(after, 0.03, 0.35)) == pytest.approx(12.0, rel=0.1)


_MPE_NOTE = (*bend(0.0, 0.25, 4), *note(0.0, 0.14, channel=4))


@check("mpe")
def _(both: Both, desk: Desk) -> None:
    """The part is on the lower zone's master channel: notes of the members play it only then."""
    before, after = both(0.0, MPE_ZONES.index("Lower"), _MPE_NOTE)
    assert level_db(held(before)) < SILENT_DB
    assert cents(middle(held(after)), 2 * HZ) == pytest.approx(0.0, abs=5.0)


@check("mpe_bend_range")
def _(both: Both, desk: Desk) -> None:
    before, after = both(48.0, 24.0, _MPE_NOTE, given={"mpe": 1.0})
    assert cents(middle(held(before)), 2 * HZ) == pytest.approx(0.0, abs=5.0)
    assert cents(middle(held(after)), HZ, 0.7) == pytest.approx(600.0, abs=5.0)


# rooms and sends: what is heard after a short note has ended

BLIP = note(0.0, 0.03)


@check("room")
def _(both: Both, desk: Desk) -> None:
    before, after = both(0.0, 1.0, BLIP, 0.25)
    assert level_db(cut(before, 0.1, 0.24)) < SILENT_DB
    assert onset_s(middle(cut(after, 0.1, 0.24))) == pytest.approx(ROOM_S - 0.1, abs=0.01)


def _send_check(id_: str, given: dict[str, float], start_s: float, end_s: float) -> None:
    @check(id_)
    def _(both: Both, desk: Desk) -> None:
        before, after = both(-60.0, 0.0, BLIP, end_s, given=given)
        assert level_db(cut(before, start_s, end_s)) < SILENT_DB
        full = level_db(cut(after, start_s, end_s))
        assert full > -55.0
        _, less = both(-60.0, -20.0, BLIP, end_s, given=given)
        assert level_db(cut(less, start_s, end_s)) - full == pytest.approx(20.0 * np.log10(db_to_gain(-20.0)), abs=1.0)


_send_check("send_chorus", {"chorus_delay": 30.0, "chorus_depth": 0.0, "chorus_feedback": 0.9}, 0.08, 0.14)
_send_check("send_delay", {"delay_time": 0.1}, 0.09, 0.19)
_send_check("send_reverb", {"reverb_pre_delay": 0.0}, 0.08, 0.24)


# the pad


def on_the_pad(desk: Desk, x: float, y: float) -> None:
    """Type a place."""
    pad = desk.window.morph.pad
    desk.window.knobs.turn_to("Sound")
    pad.begin_edit()
    editor = pad._editor
    assert editor is not None
    editor.setText(f"{x}, {y}")
    editor.submitted.emit(editor.text())
    assert (pad.x_value, pad.y_value) == (x, y)
    desk.settle()


def _pad_takes(desk: Desk, x: float, y: float, **given: float) -> tuple[Audio, Audio, Audio]:
    """In the middle, at the place, and back."""
    desk.given(given)
    takes = []
    for place in ((0.0, 0.0), (x, y), (0.0, 0.0)):
        on_the_pad(desk, *place)
        takes.append(held(desk.record()))
    return takes[0], takes[1], takes[2]


@check("pad_x")
def _(both: Both, desk: Desk) -> None:
    here, there, back = (middle(each) for each in _pad_takes(desk, 0.75, 0.0))
    assert centroid_hz(there) > 1.4 * centroid_hz(here)
    for k in (1, 4, 16):
        assert partial_db(back, k * HZ) == pytest.approx(partial_db(here, k * HZ), abs=0.3)


@check("pad_y")
def _(both: Both, desk: Desk) -> None:
    here, there, back = (noise_db(middle(each), HZ) for each in _pad_takes(desk, 0.0, 0.5, noise_level=0.0))
    assert there - here == pytest.approx(20.0 * np.log10(np.e) * np.tanh(1.0), abs=2.5)
    assert back == pytest.approx(here, abs=2.5)


# the instrument's directions do what its manifest says

_LATENT_KEY, _LATENT_HZ = 60, 261.63
_MEASURES: dict[str, tuple[float, float, Callable[[Any], float]]] = {
    # by what the manifest calls it: seconds that the key is down, seconds recorded, the measure on a scale of steps
    "spectral centroid": (0.4, 0.4, lambda a: float(np.log2(centroid_hz(middle(cut(a, 0.1, 0.4)))))),
    "noise to tone": (0.4, 0.4, lambda a: noise_db(middle(cut(a, 0.1, 0.4)), _LATENT_HZ) - level_db(cut(a, 0.1, 0.4))),
    "attack time": (0.4, 0.4, lambda a: float(np.log2(1.0 + 1000.0 * rise_s(middle(a), 0.5, 0.004)))),
    "level after a second of holding": (1.1, 1.1, lambda a: level_db(cut(a, 1.0, 1.1), envelope(middle(a)).max())),
    "release time": (0.3, 1.0, lambda a: level_db(cut(a, 0.45, 0.55), cut(a, 0.2, 0.3))),
    "share of the fundamental": (
        0.4, 0.4, lambda a: partial_db(middle(cut(a, 0.1, 0.4)), _LATENT_HZ) - level_db(cut(a, 0.1, 0.4)),
    ),
}  # fmt: skip
_LEAST = {"spectral centroid": 0.1, "attack time": 0.3}


def _direction_check(number: int) -> None:
    @check(f"knob_{number}")
    def _(both: Both, desk: Desk) -> None:
        desk.given({}, LATENT_PART)
        instrument = desk.player.instrument
        assert instrument is not None
        direction = instrument.directions[number - 1]
        assert desk.window.knobs.knobs[f"knob_{number}"].name == direction.name
        what, stated = direction.effect.split(": ")
        down, _, up = (float(each) for each in re.findall(r"-?\d+\.?\d*", stated.replace("x f0", "")))
        held_s, seconds, measure = _MEASURES[what]
        gesture = note(0.0, held_s, _LATENT_KEY, 95, LATENT_CHANNEL)
        given = {"noise_level": 0.0, "amp_release": 20.0, "channel": 2.0}
        before, after = both(-1.0, 1.0, gesture, seconds, given=given, part=LATENT_PART)
        change = (measure(after) - measure(before)) * np.sign(up - down)
        assert change > _LEAST.get(what, 1.0), (direction.effect, change)


for _number in range(1, 7):
    _direction_check(_number)
