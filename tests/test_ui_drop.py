"""What is dropped on the window: instruments, presets, songs, and what is none of these."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
from fake_engine import SAMPLE_RATE, FakeEngine
from make_instrument import make_test_instrument, write_test_instrument
from PySide6.QtCore import QMimeData, QUrl
from pytestqt.qtbot import QtBot

from noisysynth.events import EventKind
from noisysynth.instrument import Preset, write_instrument
from noisysynth.ui.window import Window

pytest_plugins = ("ui_fixtures",)


def dropped(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def write_song(path: Path, notes: int = 6, gap_s: float = 0.2) -> Path:
    song, track = mido.MidiFile(ticks_per_beat=1000), mido.MidiTrack()
    song.tracks.append(track)
    for i in range(notes):
        track.append(mido.Message("note_on", note=60 + i % 40, velocity=100, time=0))
        track.append(mido.Message("note_off", note=60 + i % 40, time=round(gap_s * 2000)))  # 120 beats a minute
    song.save(path)
    return path


class Clock:
    """Sends are caught, and the engine's position is what a test says."""

    def __init__(self, window: Window, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[np.ndarray] = []
        self._window, self._engine = window, engine
        monkeypatch.setattr(engine, "send_events", self.sent.append)
        self.at(1.0)

    def at(self, seconds: float) -> None:
        self._engine.meters["position"] = round(seconds * SAMPLE_RATE)
        self._engine.meters["sample_rate"] = SAMPLE_RATE
        self._window.player.status()

    def rows(self, kind: EventKind) -> np.ndarray:
        events = np.concatenate(self.sent) if self.sent else np.zeros(0)
        return events[events["kind"] == kind] if len(events) else events


def test_a_song_is_sent_a_little_ahead_with_its_own_times(
    window: Window, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    clock = Clock(window, engine, monkeypatch)
    window.drop.take(dropped(write_song(tmp_path / "song.mid")))
    qtbot.waitUntil(lambda: window.songs.playing)
    for tenth in range(10, 40):
        clock.at(tenth / 10)
        window.songs._look()
        if clock.sent:
            newest = np.concatenate(clock.sent)["time"].max() / SAMPLE_RATE
            assert newest <= tenth / 10 + 0.35
    assert not window.songs.playing
    on = clock.rows(EventKind.NOTE_ON)
    assert list(on["index"]) == [60, 61, 62, 63, 64, 65]
    assert np.allclose(np.diff(on["time"]) / SAMPLE_RATE, 0.2, atol=1e-4)
    assert len(clock.rows(EventKind.NOTE_OFF)) == 6


def test_a_song_of_several_channels_gets_a_part_for_each_and_undo_takes_them_back(
    window: Window, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    player, latent = window.player, np.zeros(8, np.float32)
    presets = (Preset("Piano", latent, program=0), Preset("Violin", latent, program=40), Preset("Mine", latent))
    path = tmp_path / "General.noisy"
    write_instrument(path, make_test_instrument(presets=presets, pad_points=()))
    player.open_instrument(path)
    qtbot.waitUntil(lambda: player.instrument_path == path)
    Clock(window, engine, monkeypatch)
    song, track = mido.MidiFile(), mido.MidiTrack()
    song.tracks.append(track)
    track.append(mido.Message("program_change", program=41, channel=3))
    for channel in (0, 3, 9):  # 9 are drums
        track.append(mido.Message("note_on", note=60, velocity=100, channel=channel))
        track.append(mido.Message("note_off", note=60, time=480, channel=channel))
    song.save(tmp_path / "band.mid")
    window.drop.take_file(tmp_path / "band.mid")
    qtbot.waitUntil(lambda: window.songs.playing)
    assert [(part.preset_name, part.values["channel"]) for part in player.parts[:2]] == [
        ("Piano", 1.0),
        ("Violin", 4.0),
    ]
    assert player.used == [0, 1]
    player.undo()
    qtbot.waitUntil(lambda: player.used == [0])
    assert player.values["channel"] == 0.0


def test_another_song_panic_and_the_end_of_the_engine_stop_it(
    window: Window, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    clock = Clock(window, engine, monkeypatch)
    path = write_song(tmp_path / "song.mid", notes=100)
    window.drop.take_file(path)
    qtbot.waitUntil(lambda: window.songs.playing)
    clock.at(2.0)
    window.songs._look()
    window.drop.take_file(path)
    qtbot.waitUntil(lambda: len(clock.rows(EventKind.ALL_NOTES_OFF)) == 1)
    off = int(clock.rows(EventKind.ALL_NOTES_OFF)["time"][0])
    assert off > clock.rows(EventKind.NOTE_ON)["time"][0]
    window.player.panic()
    assert not window.songs.playing
    window.drop.take_file(path)
    qtbot.waitUntil(lambda: window.songs.playing)
    engine.meters["alive"] = False
    window.player.status()
    assert not window.songs.playing


def test_an_instrument_and_a_preset(window: Window, engine: FakeEngine, tmp_path: Path, qtbot: QtBot) -> None:
    player = window.player
    player.save_preset("Fog")
    player.export_preset(len(player.presets) - 1, tmp_path / "fog.noisypreset")
    player.delete_preset(len(player.presets) - 1)
    window.drop.take(dropped(tmp_path / "fog.noisypreset"))
    assert player.preset_name == "Fog"
    other = write_test_instrument(tmp_path / "Other.noisy")
    window.drop.take(dropped(other))
    qtbot.waitUntil(lambda: player.instrument_path == other)


@pytest.mark.parametrize("name", ["broken.noisy", "broken.mid", "broken.noisypreset", "photo.jpg", "noise.wav", "none"])
def test_broken_files_are_told_of_and_nothing_changes(
    window: Window, engine: FakeEngine, tmp_path: Path, qtbot: QtBot, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(range(256)))
    before = window.player.instrument, window.player.preset, dict(window.player.values)
    engine.meters["position"] = SAMPLE_RATE
    window.player.status()
    with qtbot.waitSignal(window.player.noticed) as told:
        window.drop.take(dropped(path))
    assert "\n" not in told.args[0]
    assert (window.player.instrument, window.player.preset, dict(window.player.values)) == before


def test_the_window_takes_files_and_no_text(window: Window, tmp_path: Path) -> None:
    text = QMimeData()
    text.setText("hello")
    assert not window.drop.accepts(text)
    assert window.drop.accepts(dropped(tmp_path / "a.mid"))
    assert window.acceptDrops()
