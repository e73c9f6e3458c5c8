"""Every control of the window changes the sound that it says it changes, measured in what leaves the JACK server.

The tables say which controls there are, so a row without a check fails here.
"""

from __future__ import annotations

import pytest
from desk import HELD, HZ, KEY, Desk, by_hand, controller, note
from effect_checks import EFFECT, Insert, Rack
from engine_tools import level_db
from heard import SILENT_DB, balance_db, cents, cut, middle, pitch_hz, rate_hz, track
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from sound_checks import SOUND, route

from noisysynth.effects import EFFECT_VALUES, EFFECTS, SENDS
from noisysynth.parameters import MOD_DESTINATIONS, MOD_SOURCES, N_INSERTS, N_ROUTES, PARAMETERS
from noisysynth.ui.rack_strip import PARAMETERS_SHOWN

pytest_plugins = ("desk_fixtures", "ui_fixtures")

BUS_VALUES = [
    (effect.id, row.id) for effect in EFFECTS if effect.id in SENDS for row in effect.parameters if row.id != "mix"
]
LONGEST = next(effect for effect in EFFECTS if len(effect.parameters) == EFFECT_VALUES)
ROUTE = ("source", "destination", "amount", "via")


def test_every_row_of_the_tables_has_a_check() -> None:
    of_effects = {f"{effect_id}_{name}" for effect_id, name in BUS_VALUES}
    of_effects |= {f"insert_{n}{i}" for n in range(1, N_INSERTS + 1) for i in ("", *(f"_{v}" for v in range(1, 7)))}
    of_routes = {f"mod_{number}_{what}" for number in range(1, N_ROUTES + 1) for what in ROUTE}
    assert {*SOUND, *of_effects, *of_routes} == {row.id for row in PARAMETERS}
    assert set(EFFECT) == {(effect.id, row.id) for effect in EFFECTS for row in effect.parameters}


@pytest.mark.parametrize("parameter_id", SOUND)
def test_a_control(parameter_id: str, desk: Desk) -> None:
    SOUND[parameter_id](lambda *a, **k: desk.both(parameter_id, *a, **k), desk)


@pytest.mark.parametrize("parameter_id", PARAMETERS_SHOWN)
def test_a_control_of_a_parts_strip(parameter_id: str, desk: Desk) -> None:
    SOUND[parameter_id](lambda *a, **k: desk.both(parameter_id, *a, strip=True, **k), desk)


@pytest.mark.parametrize(("effect_id", "name"), EFFECT)
def test_a_value_of_an_insert(effect_id: str, name: str, desk: Desk) -> None:
    EFFECT[effect_id, name](Insert(desk, effect_id))


@pytest.mark.parametrize("name", [row.id for row in LONGEST.parameters])
def test_a_value_of_the_second_insert(name: str, desk: Desk) -> None:
    EFFECT[LONGEST.id, name](Insert(desk, LONGEST.id, 2))


@pytest.mark.parametrize(("effect_id", "name"), BUS_VALUES)
def test_a_value_of_a_rack_effect(effect_id: str, name: str, desk: Desk) -> None:
    EFFECT[effect_id, name](Rack(desk, effect_id))


@pytest.mark.parametrize("number", range(1, N_INSERTS + 1))
def test_the_choice_of_an_insert(number: int, desk: Desk) -> None:
    """A delay is chosen, and taken out again."""
    place, delay = f"insert_{number}", 1 + [effect.id for effect in EFFECTS].index("delay")
    blip = note(0.0, 0.03)
    before, after = desk.both(place, 0.0, delay, blip, 0.45)
    desk.turn(place, 0.0)
    again = desk.record(blip, 0.45)
    for audio, echoes in ((before, False), (after, True), (again, False)):
        echo_db = level_db(cut(audio, 0.36, 0.43))
        assert echo_db > -45.0 if echoes else echo_db < SILENT_DB


@pytest.mark.parametrize("number", range(1, N_ROUTES + 1))
def test_a_line_of_the_matrix(number: int, desk: Desk) -> None:
    """Its four controls, one after the other, while a note sounds."""
    id_ = f"mod_{number}"
    desk.given(route("Velocity", "pitch", 0.25, number))
    key, hz = KEY + 12, 2 * HZ
    by_velocity, by_key = 6.0 * 100.0 / 127.0, 6.0 * (key - 60.0) / 60.0  # semitones

    def semitones() -> float:
        return cents(middle(desk.listen(0.045)), hz, 1.0) / 100.0

    desk.ear.send([0x90, key, 100])
    desk.wait(0.04)
    try:
        assert semitones() == pytest.approx(by_velocity, abs=0.1)
        desk.turn(f"{id_}_amount", -0.25)
        assert semitones() == pytest.approx(-by_velocity, abs=0.1)
        desk.turn(f"{id_}_source", MOD_SOURCES.index("Key"))
        assert semitones() == pytest.approx(-by_key, abs=0.1)
        desk.turn(f"{id_}_via", MOD_SOURCES.index("Mod wheel"))
        assert semitones() == pytest.approx(0.0, abs=0.1)
        desk.turn(f"{id_}_via", MOD_SOURCES.index("None"))
        desk.turn(f"{id_}_destination", MOD_DESTINATIONS.index("pan"))
        audio = desk.listen(0.06)
        assert cents(middle(audio), hz) == pytest.approx(0.0, abs=5.0)
        assert balance_db(audio) == pytest.approx(-2.4, abs=0.3)
    finally:
        desk.silence()


def test_the_tempo_box_beside_the_keys(desk: Desk) -> None:
    """As the knob of the rack page, which SOUND has."""

    def both(*a: object, **k: object) -> object:
        desk.turn = lambda parameter_id, value, strip=False: (  # type: ignore[method-assign]
            by_hand(desk.window.keyboard.tempo.box, value), desk.settle()
        )  # fmt: skip
        try:
            return desk.both("tempo", *a, **k)  # type: ignore[arg-type]
        finally:
            del desk.turn

    SOUND["tempo"](both, desk)  # type: ignore[arg-type]


def test_the_wheels(desk: Desk) -> None:
    """Dragged all the way up: the bend by its range, the modulation brings the vibrato."""
    desk.given({"bend_range": 5.0, "vibrato_rate": 8.0})
    desk.ear.send([0x90, KEY, 100])
    desk.wait(0.05)
    keyboard = desk.window.keyboard
    for wheel, held_hz in ((keyboard.bend, HZ * 2.0 ** (5 / 12)), (keyboard.modulation, HZ)):
        start = wheel.track_rect().center().toPoint()
        QTest.mousePress(wheel, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
        QTest.mouseMove(wheel, start - QPoint(0, 300))
        desk.wait(0.06)
        audio = middle(desk.listen(0.4))
        QTest.mouseRelease(wheel, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
        if wheel is keyboard.bend:
            assert pitch_hz(audio, held_hz) == pytest.approx(held_hz, rel=0.002)
            desk.wait(0.06)
            assert pitch_hz(middle(desk.listen(0.06)), HZ) == pytest.approx(HZ, rel=0.002)  # it springs back
        else:
            assert rate_hz(track(audio, HZ)) == pytest.approx(8.0, rel=0.15)
    keyboard.modulation.reset()
    desk.silence()


def test_the_keys_of_the_window(desk: Desk) -> None:
    """A click plays the key under it, lower on it louder."""
    desk.given({})
    keys = desk.window.keyboard.keys
    levels = []
    for share in (0.7, 0.97):
        place = QPoint(3, round(share * keys.height()))
        played: list[int] = []
        keys.note_pressed.connect(lambda pitch, _, played=played: played.append(pitch))
        QTest.mousePress(keys, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        desk.wait(0.06)
        audio = desk.listen(0.12)
        QTest.mouseRelease(keys, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        hz = 440.0 * 2.0 ** ((played[0] - 69) / 12)
        assert pitch_hz(middle(audio), hz) == pytest.approx(hz, rel=0.003)
        levels.append(level_db(audio))
        desk.wait(0.03)
        desk.silence()
    assert levels[1] > levels[0] + 1.0


def test_panic(desk: Desk) -> None:
    desk.given({})
    desk.ear.send([0x90, KEY, 100])
    desk.wait(0.05)
    assert level_db(desk.listen(0.05)) > -40.0
    QTest.mouseClick(desk.window.top.panic, Qt.MouseButton.LeftButton)
    desk.wait(0.03)
    assert level_db(desk.listen(0.05)) < SILENT_DB


def test_a_controller_moves_the_sound_and_the_knob(desk: Desk) -> None:
    """MIDI's own way; the desk goes on only when the window shows it, too."""
    desk.given({})
    audio = desk.record((*controller(0.0, 10, 0), *HELD))
    assert balance_db(cut(audio, 0.08, 0.13)) < -60.0
