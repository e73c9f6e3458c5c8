"""noisysynth-bench: bad input in one line, figures without a device and with one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import servers
from make_instrument import write_test_instrument

from noisysynth.cli import bench
from noisysynth.cli.bench import OfflineRow, main, voices_in_real_time


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Options of a short measurement of the test instrument."""
    monkeypatch.setattr(bench, "OFFLINE_BLOCKS", (64, 128))
    monkeypatch.setattr(bench, "OFFLINE_VOICES", (4, 16))
    monkeypatch.setattr(bench, "LATENCY_NOTES", 3)
    instrument = write_test_instrument(tmp_path / "test.noisy")
    return ["--instrument", str(instrument), "--seconds", "0.2", "--no-progress"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--voices", "1,many"],
        ["--voices", "0"],
        ["--voices", "257"],
        ["--seconds", "0"],
        ["--seconds", "nan"],
        ["--block-size", "3"],
        ["--json", "no/such/folder/figures.json"],
        ["--instrument", "missing.noisy"],
    ],
)
def test_bad_input_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("noisysynth-bench: error: ")


def test_a_missing_matplotlib_is_told_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["--plot", str(tmp_path / "plot.png")]) == 2
    assert "matplotlib" in capsys.readouterr().err


def test_offline_figures(small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, plot = tmp_path / "figures.json", tmp_path / "plot.png"
    assert main([*small, "--offline", "--json", str(figures), "--plot", str(plot)]) == 0
    data = json.loads(figures.read_text())
    assert [(row["block_size"], row["voices"]) for row in data["offline"]] == [(64, 4), (64, 16), (128, 4), (128, 16)]
    assert all(row["control"] > 0.0 and row["render"] > 0.0 for row in data["offline"])
    assert set(data["in_real_time"]) == {"64", "128"}
    assert "live" not in data
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "voices at 64 frames" in capsys.readouterr().out


def test_voices_in_real_time_are_where_the_line_meets_one_core() -> None:
    rows = [OfflineRow(64, voices, 0.1 + 0.003 * voices, 0.001 * voices) for voices in (8, 64, 192)]
    assert abs(voices_in_real_time([*rows, OfflineRow(128, 8, 0.9, 0.0)], 64) - 225) <= 1


def test_without_a_device_one_line_says_so(
    small: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-runs-this")
    assert main([*small, "--voices", "1", "--host-api", "JACK"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not measured live: ")]
    assert len(lines) == 1


def test_live_figures(
    jack_server: servers.JackServer, small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    assert main([*small, "--voices", "1,8", "--host-api", "JACK", "--json", str(figures)]) == 0
    data = json.loads(figures.read_text())
    assert [row["voices"] for row in data["live"]] == [1, 8]
    assert all(0.8 * row["blocks_due"] < row["blocks_played"] < 1.2 * row["blocks_due"] for row in data["live"])
    assert data["device"]["block_size"] == 64
    assert data["latency"]["notes"] >= 2
    assert 0.0 < data["latency"]["median_ms"] < 30.0
    assert "beyond the device's latency" in capsys.readouterr().out
