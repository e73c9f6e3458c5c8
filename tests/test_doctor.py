"""noisysynth-doctor: what it says of machines that lack something, and what it measures on a real server."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
import servers
from fake_engine import FakeEngine

from noisysynth.cli import doctor
from noisysynth.engine import checkup
from noisysynth.engine.checkup import ADVICE, FINE, PROBLEM, Finding, Measured, recommended
from noisysynth.engine.messages import AudioChoice, AudioDevice
from noisysynth.errors import UserError


def measured(block_size: int, held: bool) -> Measured:
    return Measured(block_size, 1e3 * block_size / 48_000, 1.0, 0, 0 if held else 3, 0, 0.1, held)


def test_the_smallest_block_that_held_is_recommended() -> None:
    assert recommended([measured(32, False), measured(64, True), measured(128, True)]) == measured(64, True)
    assert recommended([measured(32, True), measured(64, False), measured(128, True)]) == measured(128, True)
    assert recommended([measured(64, True), measured(128, False)]) is None
    # A server with blocks of 256 of its own: nothing is gained below.
    same = [dataclasses.replace(measured(size, True), latency_ms=max(size, 256) / 48.0) for size in (64, 128, 256, 512)]
    assert recommended(same) == same[2]
    assert recommended([]) is None


class DroppingEngine(FakeEngine):
    """Drops blocks while it plays at small block sizes."""

    def open_audio(self, choice: AudioChoice) -> None:
        super().open_audio(choice)
        if choice.block_size == 1024:
            raise UserError("block size 1024 is too large; choose 512 or less")

    def status(self):  # type: ignore[no-untyped-def]
        self.meters["output_latency_s"] = self.audio.block_size / 48_000
        if self.held and self.audio.block_size < 128:
            self.meters["underruns"] = self.meters.get("underruns", 0) + 1
        return super().status()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> DroppingEngine:
    fake = DroppingEngine()
    monkeypatch.setattr("noisysynth.engine.client.EngineClient", lambda: fake)
    monkeypatch.setattr(checkup.time, "sleep", lambda _: None)
    monkeypatch.setattr(doctor, "CHECKS", ())
    return fake


def test_it_measures_every_block_size_and_recommends_one(
    engine: DroppingEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main(["--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["block_size"] for row in report["measured"]] == [32, 64, 128, 256, 512]
    assert [row["held"] for row in report["measured"]] == [False, False, True, True, True]
    assert report["recommended"]["block_size"] == 128
    assert any("1024 is too large" in finding["text"] for finding in report["findings"])
    assert engine.stopped == 1
    assert not engine.held


def test_without_a_device_it_says_so(engine: DroppingEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.sound = False
    engine.pending_notices = ["no sound device found; connect one"]
    assert doctor.main([]) == 1
    out = capsys.readouterr().out
    assert "nothing is heard: no sound device found" in out
    assert "-> " in out


def test_an_engine_that_does_not_start_is_a_problem(engine: DroppingEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.refuse = "the engine did not answer"
    assert doctor.main([]) == 1
    assert "!!!  engine: the engine did not answer" in capsys.readouterr().out


def test_bad_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--seconds", "0"]) == 2
    assert capsys.readouterr().err == "noisysynth-doctor: error: --seconds 0 is not between 0.1 and 600\n"


class TestChecks:
    def test_devices_by_host_api(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("noisysynth.engine.audio.rescan", lambda: None)
        monkeypatch.setattr("noisysynth.engine.audio.release", lambda: None)
        monkeypatch.setattr(
            "noisysynth.engine.audio.output_devices",
            lambda: [AudioDevice("Card", "ALSA", False), AudioDevice("system", "JACK", True)],
        )
        assert [finding.text for finding in doctor.check_audio(None)] == ["ALSA: Card", "JACK: system (default)"]
        with pytest.raises(UserError, match="host API 'WASAPI' is not there; known: ALSA, JACK"):
            list(doctor.check_audio("wasapi".upper()))
        monkeypatch.setattr("noisysynth.engine.audio.output_devices", list)
        (finding,) = doctor.check_audio(None)
        assert finding.level == PROBLEM

    def test_no_portaudio(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing() -> None:
            raise UserError("no sound: the PortAudio library is missing")

        monkeypatch.setattr("noisysynth.engine.audio.rescan", missing)
        (finding,) = doctor.check_audio(None)
        assert (finding.level, "PortAudio" in finding.text) == (PROBLEM, True)

    @pytest.mark.parametrize(("allowed", "level"), [(True, FINE), (False, ADVICE)])
    def test_priority(self, allowed: bool, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("noisysynth.engine.priority.raise_thread_priority", lambda: allowed)
        monkeypatch.setattr(checkup.sys, "platform", "linux")
        (finding,) = doctor.check_priority(None)
        assert finding.level == level
        assert allowed or "limits.d" in finding.todo

    def test_a_full_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = type("Usage", (), {"free": 1 << 20})
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
        assert all(finding.level != FINE and finding.todo for finding in doctor.check_space(None))

    @pytest.mark.parametrize("check", doctor.CHECKS, ids=lambda check: check.__name__)
    def test_each_says_what_to_do_unless_all_is_fine(self, check) -> None:  # type: ignore[no-untyped-def]
        findings: Iterator[Finding] = check(None)
        for finding in findings:
            assert finding.text
            assert finding.todo or finding.level == FINE


def test_a_real_server(jack_server: servers.JackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "BLOCK_SIZES", (64, 512))
    results = [each for each in doctor.measure("JACK", 0.3) if isinstance(each, Measured)]
    assert [each.block_size for each in results] == [64, 512]
    assert results[1].latency_ms >= 1e3 * 512 / 48_000
    assert all(0.0 < each.load < 1.0 for each in results)
