"""Spectrum and spectrogram: their numbers are the signal's, and only what is shown is computed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from fake_engine import FakeEngine
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from noisysynth.engine.client import EngineClient
from noisysynth.engine.state import SCOPE_LENGTH, SHARED_DTYPE
from noisysynth.listening.log_spectrum import (
    FLOOR_DB,
    HIGHEST_HZ,
    LOWEST_HZ,
    LogSpectrum,
    harmonics_hz,
    log_spectrum,
    place,
)
from noisysynth.ui.controls import spectrogram, spectrum
from noisysynth.ui.controls.spectrogram import Spectrogram, colours
from noisysynth.ui.controls.spectrum import FALL_DB_PER_S, Spectrum
from noisysynth.ui.scope_panel import VIEWS
from noisysynth.ui.window import MINIMUM_SIZE, Window

pytest_plugins = ("ui_fixtures",)

OpenWindow = Callable[..., Window]
COLUMNS = 480
RATES = (44_100, 48_000, 96_000)


def sine(hz: float, level_db: float, rate: int = 48_000, phase: float = 0.3) -> NDArray[np.float32]:
    """One of this peak level, [SCOPE_LENGTH]."""
    turn = 2 * np.pi * hz / rate * np.arange(SCOPE_LENGTH) + phase
    return (10 ** (level_db / 20) * np.sin(turn)).astype(np.float32)


def stereo(mono: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.repeat(mono[:, None], 2, axis=1)


def column(hz: float, columns: int = COLUMNS) -> int:
    return int(place(hz) * columns)


class TestLevels:
    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize("level_db", [0.0, -20.0, -60.0, -80.0])
    @pytest.mark.parametrize("hz", [110.0, 261.63, 997.0, 3001.7, 8372.0, 15_000.0])
    def test_a_sine_reads_its_level_at_its_frequency(self, hz: float, level_db: float, rate: int) -> None:
        levels = LogSpectrum(SCOPE_LENGTH, rate, COLUMNS).levels_db(sine(hz, level_db, rate))
        assert levels.max() == pytest.approx(level_db, abs=0.5)
        assert levels[column(hz)] == pytest.approx(level_db, abs=0.5)
        # The window's main lobe is four bins to either side.
        lobe_hz = 4.5 * rate / SCOPE_LENGTH
        centres = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** ((np.arange(COLUMNS) + 0.5) / COLUMNS)
        far = np.abs(centres - hz) > lobe_hz + 0.01 * hz
        assert levels[far].max() < level_db - 80.0 or levels[far].max() == FLOOR_DB

    @pytest.mark.parametrize("offset", np.linspace(0.0, 1.0, 11))
    def test_between_two_bins_it_reads_the_same(self, offset: float) -> None:
        levels = log_spectrum(SCOPE_LENGTH, 48_000, COLUMNS).levels_db(sine((100 + offset) * 48_000 / 4096, -12.0))
        assert levels.max() == pytest.approx(-12.0, abs=0.5)

    def test_two_tones(self) -> None:
        levels = log_spectrum(SCOPE_LENGTH, 48_000, COLUMNS).levels_db(sine(440.0, -10.0) + sine(880.0, -50.0))
        assert levels[column(440.0)] == pytest.approx(-10.0, abs=0.5)
        assert levels[column(880.0)] == pytest.approx(-50.0, abs=0.5)
        assert levels[column(622.0)] < -90.0

    def test_the_harmonics_of_a_low_note_stand_apart(self) -> None:
        tones = [sine(82.41 * k, -20.0, phase=float(k)) for k in range(1, 6)]
        levels = log_spectrum(SCOPE_LENGTH, 48_000, COLUMNS).levels_db(np.sum(tones, axis=0).astype(np.float32))
        for k in range(1, 5):
            between = levels[column(82.41 * k) : column(82.41 * (k + 1))].min()
            assert between < -26.0

    def test_silence_is_at_the_floor(self) -> None:
        levels = log_spectrum(SCOPE_LENGTH, 48_000, COLUMNS).levels_db(np.zeros(SCOPE_LENGTH, np.float32))
        assert levels.shape == (COLUMNS,)
        assert (levels == FLOOR_DB).all()
        assert (log_spectrum(SCOPE_LENGTH, 48_000, COLUMNS).levels_db(sine(440.0, -110.0)) == FLOOR_DB).all()

    @pytest.mark.parametrize("columns", [2, 64, 300, 2000])
    @pytest.mark.parametrize("rate", [8000, 32_000, 48_000, 192_000])
    def test_any_width_and_rate(self, columns: int, rate: int) -> None:
        noise = np.random.default_rng(1).normal(0.0, 0.2, SCOPE_LENGTH).astype(np.float32)
        levels = LogSpectrum(SCOPE_LENGTH, rate, columns).levels_db(noise)
        edges = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (np.arange(1, columns + 1) / columns)
        assert levels.shape == (columns,)
        assert (levels[edges > rate / 2] == FLOOR_DB).all()
        assert (levels[edges <= rate / 2] > FLOOR_DB).all()

    def test_what_is_computed_once_is_kept(self) -> None:
        assert log_spectrum(SCOPE_LENGTH, 48_000, 123) is log_spectrum(SCOPE_LENGTH, 48_000, 123)


class TestHarmonics:
    def test_they_end_at_the_edge_and_where_they_would_touch(self) -> None:
        np.testing.assert_allclose(harmonics_hz(6000.0, 1000.0, 4.0), [6000.0, 12_000.0, 18_000.0])
        marks = harmonics_hz(55.0, 480.0, 4.0)
        gaps = np.diff([480.0 * place(hz) for hz in marks])
        assert gaps.min() >= 4.0
        assert 480.0 * (place(marks[-1] + 55.0) - place(marks[-1])) < 4.0

    @pytest.mark.parametrize("hz", [0.0, -1.0, 30_000.0, float("nan")])
    def test_no_note_has_none(self, hz: float) -> None:
        assert len(harmonics_hz(hz, 480.0, 4.0)) == 0


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of `Spectrum`, in seconds; tests move it."""
    result = [100.0]
    monkeypatch.setattr(spectrum, "time", SimpleNamespace(monotonic=lambda: result[0]))
    return result


class TestSpectrum:
    @pytest.fixture
    def view(self, qtbot: QtBot) -> Spectrum:
        view = Spectrum()
        qtbot.addWidget(view)
        view.resize(416, 80)
        view.show()
        qtbot.waitExposed(view)
        return view

    def test_peaks_are_held_and_fall(self, view: Spectrum, now: list[float]) -> None:
        view.feed(stereo(sine(1000.0, -10.0)), 48_000, 0.0)
        at = column(1000.0, len(view.levels))
        now[0] += 0.5
        view.feed(stereo(sine(200.0, -10.0)), 48_000, 0.0)
        assert view.levels[at] < -80.0
        assert view.hold[at] == pytest.approx(-10.0 - 0.5 * FALL_DB_PER_S, abs=0.5)
        assert view.hold[column(200.0, len(view.levels))] == pytest.approx(-10.0, abs=0.5)
        now[0] += 10.0
        view.feed(np.zeros((SCOPE_LENGTH, 2), np.float32), 48_000, 0.0)
        assert (view.hold == FLOOR_DB).all()

    def test_the_last_note_keeps_its_marks(self, view: Spectrum) -> None:
        silence = np.zeros((SCOPE_LENGTH, 2), np.float32)
        view.feed(silence, 48_000, 220.0)
        view.feed(silence, 48_000, 0.0)
        view.feed(silence, 48_000, float("inf"))
        assert view.note_hz == 220.0
        view.feed(silence, 48_000, 330.0)
        assert view.note_hz == 330.0

    def test_it_is_drawn_from_bottom_to_top(self, view: Spectrum, now: list[float]) -> None:
        blank = view.grab().toImage()
        view.feed(stereo(sine(1000.0, 0.0)), 48_000, 440.0)
        assert view.grab().toImage() != blank

    def test_silence_costs_no_repaint_and_broken_samples_do_no_harm(self, view: Spectrum, qtbot: QtBot) -> None:
        broken = np.zeros((SCOPE_LENGTH, 2), np.float32)
        broken[7] = np.nan
        for _ in range(2):
            view.feed(broken, 48_000, 0.0)
        qtbot.wait(20)
        before = view.frames_drawn
        for _ in range(3):
            view.feed(np.zeros((SCOPE_LENGTH, 2), np.float32), 48_000, 0.0)
            qtbot.wait(5)
        assert view.frames_drawn == before

    def test_another_width(self, view: Spectrum) -> None:
        view.feed(stereo(sine(1000.0, 0.0)), 48_000, 440.0)
        view.resize(300, 80)
        view.repaint()
        view.feed(stereo(sine(1000.0, 0.0)), 48_000, 440.0)
        assert len(view.hold) == len(view.levels) == 284
        view.repaint()


class TestSpectrogram:
    @pytest.fixture
    def view(self, qtbot: QtBot) -> Spectrogram:
        view = Spectrogram()
        qtbot.addWidget(view)
        view.resize(140, 108)
        view.show()
        qtbot.waitExposed(view)
        return view

    def test_the_newest_is_at_the_right_and_low_is_at_the_bottom(self, view: Spectrogram) -> None:
        rows, columns = view.pixels.shape
        for hz in (*[100.0] * (columns + 5), 1000.0, 10_000.0):
            view.feed(stereo(sine(hz, 0.0)), 48_000)
        light = np.argmax(np.isin(view.pixels, colours()[253:]), axis=0)
        for age, hz in ((1, 10_000.0), (2, 1000.0), (3, 100.0), (columns, 100.0)):
            assert abs(rows - 1 - light[columns - age] - column(hz, rows)) <= 2

    def test_what_is_drawn_is_what_was_computed(self, view: Spectrogram) -> None:
        for hz in np.geomspace(50.0, 15_000.0, 150):
            view.feed(stereo(sine(float(hz), 0.0)), 48_000)
        image, area, pixels = view.grab().toImage(), view._area(), view.pixels
        for row, at in ((0, 0), (50, 20), (99, 103), (30, 60)):
            drawn = image.pixelColor(int(area.left()) + at, int(area.top()) + row)
            assert drawn.rgb() == int(pixels[row, at])

    def test_a_column_for_every_tick_that_was_left_out(self, qtbot: QtBot) -> None:
        view = Spectrogram()
        qtbot.addWidget(view)
        view.resize(300, 120)
        view.show()
        view.feed(stereo(sine(1_000.0, -6.0)), 48_000.0, ticks=4)
        view.feed(stereo(sine(4_000.0, -6.0)), 48_000.0)
        newest = view.pixels[:, -5:]
        assert (newest[:, :4] == newest[:, :1]).all()
        assert (newest[:, 4] != newest[:, 0]).any()

    def test_it_stands_still_once_silence_fills_it(self, view: Spectrogram, qtbot: QtBot) -> None:
        silence = np.zeros((SCOPE_LENGTH, 2), np.float32)
        view.feed(stereo(sine(440.0, 0.0)), 48_000)
        columns = view.pixels.shape[1]
        for _ in range(columns):
            view.feed(silence, 48_000)
        assert (view.pixels == colours()[0]).all()
        qtbot.wait(20)
        before = view.frames_drawn
        view.feed(silence, 48_000)
        qtbot.wait(20)
        assert view.frames_drawn == before

    def test_lightness_grows_evenly(self) -> None:
        """CIE L* of the colours: what an eye that sees no colour has to go by."""
        rgb = np.array([QColor.fromRgb(int(each)).getRgbF()[:3] for each in colours()])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        luminance = linear @ [0.2126, 0.7152, 0.0722]
        lightness = np.where(luminance > 0.008856, 116.0 * np.cbrt(luminance) - 16.0, 903.3 * luminance)
        steps = np.diff(lightness[::16])
        assert (steps > 0.0).all()
        assert steps.max() < 2.0 * np.median(steps)


class TestPanel:
    def test_only_the_view_that_is_shown_is_computed(
        self, window: Window, engine: FakeEngine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        computed: list[str] = []
        for module in (spectrum, spectrogram):
            original = module.log_spectrum
            monkeypatch.setattr(
                module,
                "log_spectrum",
                lambda *size, name=module.__name__, do=original: (computed.append(name), do(*size))[1],
            )
        qtbot.wait(60)
        assert computed == []
        for name, module in (("spectrum", spectrum), ("spectrogram", spectrogram)):
            window.morph.scope.show_view(name)
            computed.clear()
            qtbot.waitUntil(lambda: len(computed) > 2)
            assert set(computed) == {module.__name__}
        window.hide()
        computed.clear()
        qtbot.wait(60)
        assert computed == []

    def test_marks_follow_the_note(self, window: Window, qtbot: QtBot) -> None:
        window.morph.scope.show_view("spectrum")
        window.player.notes.press("test", 57, 0.5)
        qtbot.waitUntil(lambda: window.morph.scope.spectrum.note_hz == pytest.approx(220.0))
        window.player.notes.press("test", 69, 0.5)
        qtbot.waitUntil(lambda: window.morph.scope.spectrum.note_hz == pytest.approx(440.0))
        window.player.notes.release("test", 69)
        qtbot.waitUntil(lambda: window.morph.scope.spectrum.note_hz == pytest.approx(220.0))
        window.player.notes.release_all()
        qtbot.wait(40)
        assert window.morph.scope.spectrum.note_hz == pytest.approx(220.0)

    def test_tabs_by_mouse_and_keys(self, window: Window, qtbot: QtBot) -> None:
        panel = window.morph.scope
        tabs = panel.tabs
        qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tab_rect(2).center().toPoint())
        assert panel.view == "spectrogram"
        assert panel.spectrogram.isVisible()
        qtbot.keyClick(tabs, Qt.Key.Key_Up)
        assert panel.view == "spectrum"
        assert tabs.accessibleDescription() == "Spectrum"
        qtbot.keyClick(tabs, Qt.Key.Key_Down)
        qtbot.keyClick(tabs, Qt.Key.Key_Down)  # there is none further
        assert panel.view == "spectrogram"
        assert tabs.focusPolicy() & Qt.FocusPolicy.TabFocus
        qtbot.mouseMove(tabs, tabs.tab_rect(0).center().toPoint())
        qtbot.waitUntil(lambda: "Oscilloscope" in window.status_line.hint.text)

    @pytest.mark.parametrize("name", VIEWS)
    def test_the_view_is_remembered(self, open_window: OpenWindow, name: str) -> None:
        window = open_window()
        window.morph.scope.show_view(name)
        window.close()
        again = open_window(instrument=None)
        assert again.morph.scope.view == name
        again.morph.scope.show_view("nothing of that kind")
        assert again.morph.scope.view == name

    def test_there_is_room_in_the_smallest_window(self, window: Window, qtbot: QtBot) -> None:
        window.resize(*MINIMUM_SIZE)
        qtbot.wait(30)
        panel = window.morph.scope
        for name in VIEWS:
            panel.show_view(name)
            assert panel.stack.currentWidget().height() == panel.height() >= 64
            assert panel.stack.currentWidget().width() >= 240


class TestSoundingNote:
    @pytest.fixture
    def client(self) -> EngineClient:
        client = EngineClient()
        client._shared = np.zeros(1, SHARED_DTYPE)
        return client

    def test_the_note_that_began_last_of_those_that_sound(self, client: EngineClient) -> None:
        assert client._shared is not None
        state = client._shared["state"][0]
        assert client.sounding_hz() == 0.0
        state["voice_heard_hz"][[2, 5, 9]] = 110.0, 220.0, 330.0
        state["voice_onset"][[2, 5, 9]] = 1000, 3000, 2000
        state["voice_active"][[2, 5, 9]] = 1
        assert client.sounding_hz() == 220.0
        state["voice_active"][5] = 0
        assert client.sounding_hz() == 330.0

    def test_no_engine_no_note(self) -> None:
        assert EngineClient().sounding_hz() == 0.0
