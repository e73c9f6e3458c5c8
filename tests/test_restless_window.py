"""A window that is never left in peace, over a real engine: no sound knows of it. The long version: `make soak`."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torture
from PySide6.QtWidgets import QApplication

from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice
from noisysynth.factory import default_instrument

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SECONDS = 9.0
CHORD = (48, 55, 60, 64)


@pytest.mark.usefixtures("jack_server", "qapp")
def test_a_restless_window_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("soak", "."):
        monkeypatch.syspath_prepend(str(BENCHMARKS / folder))
    from restless import Restless
    from tape import TapeReader

    client = EngineClient()
    client.start(default_instrument(), AudioChoice(host_api="JACK", block_size=256), timeout_s=120.0)
    try:
        restless = Restless(client, tmp_path)
        settled = time.monotonic() + 1.5  # it sends its own settings when it opens
        while time.monotonic() < settled:
            restless._painter.work()
        tape, heard, struck = TapeReader(client), [], -1
        begun = time.monotonic()
        while (elapsed := time.monotonic() - begun) < SECONDS:
            if int(elapsed) > struck:  # a chord each second, for opening a window ends what is held
                struck = int(elapsed)
                for key in CHORD:
                    client.note_off(key)
                    client.note_on(key, 0.7)
            restless.work(elapsed)
            heard.append(tape.read())
        audio, rate = np.concatenate(heard), round(client.status().sample_rate)
        restless.close()
        QApplication.processEvents()
    finally:
        client.stop()
    assert sum(restless.done.values()) >= SECONDS
    assert {"paged", "resized"} <= set(restless.done)
    assert len(audio) > 0.75 * SECONDS * rate, "the engine went on"
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= 1.0
    tenths = np.abs(audio[: len(audio) // (rate // 10) * (rate // 10)]).reshape(-1, rate // 10 * 2).max(axis=1)
    assert (tenths > 0.01).mean() > 0.9, "and was heard nearly all the time"
    level, at_s = torture.loudest_click(audio, rate)
    assert level < torture.CLICK_DB, f"a click of {level:.1f} dB at {at_s:.3f} s"
