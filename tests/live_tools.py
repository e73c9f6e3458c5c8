"""A live engine as tests play it: keys through a real MIDI port, ears at the JACK server's output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import rtmidi
from jack_probe import Probe
from make_instrument import SPEC
from numpy.typing import NDArray

from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice
from noisysynth.events import EventKind, make_event
from noisysynth.instrument import Preset
from noisysynth.parameters import MOD_DESTINATIONS, MOD_SOURCES, PARAMETERS

JACK = AudioChoice(host_api="JACK", block_size=64)
# Noise has no period; what is measured here does.
QUIET = {"noise_level": -60.0, "morph_time": 0.05}
CABLE_S = 0.0015
BRIGHT, DARK = 1, 129  # presets: the second of the first bank and of the second


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Live:
    """An engine that plays, a keyboard connected to it, and ears at the server's output."""

    def __init__(self, client: EngineClient, keys: rtmidi.MidiOut, ear: Probe) -> None:
        self.client = client
        self.keys = keys
        self.ear = ear

    def set(self, **values: float) -> None:
        """Parameters of the first part; returns when the engine has them."""
        for name, value in values.items():
            self.client.set_parameter(name, value)
        wait_until(lambda: all(abs(self.client.parameter_values()[name] - values[name]) < 1e-3 for name in values))

    def route(self, number: int, source: str, destination: str, amount: float) -> None:
        """A row of the modulation matrix."""
        id_ = f"mod_{number}"
        self.set(**{
            f"{id_}_source": MOD_SOURCES.index(source),
            f"{id_}_destination": MOD_DESTINATIONS.index(destination),
            f"{id_}_amount": amount,
        })  # fmt: skip

    def send(self, *messages: list[int]) -> None:
        """As a cable carries them: one after the other, about a millisecond each."""
        for message in messages:
            self.keys.send_message(message)
            time.sleep(CABLE_S)

    def on(self, pitch: int, velocity: int = 100, channel: int = 0) -> None:
        self.send([0x90 | channel, pitch, velocity])

    def off(self, pitch: int, channel: int = 0) -> None:
        self.send([0x80 | channel, pitch, 64])

    def control(self, number: int, value: int, channel: int = 0) -> None:
        self.send([0xB0 | channel, number, value])

    def rpn(self, number: int, value: int, channel: int = 0) -> None:
        """A registered parameter, by its four controllers."""
        for controller, byte in ((101, 0), (100, number), (6, value), (38, 0)):
            self.control(controller, byte, channel)

    def hear(self, seconds: float, after_s: float = 0.15) -> NDArray[np.float32]:
        """What comes out from `after_s` from now on, [n, 2]: by then what was sent is heard and has settled.

        A block that the machine lost on the way to our ear would be a jump in phase: then it listens again.
        """
        rate = self.ear.sample_rate
        for _ in range(5):
            skipped = int(self.ear.row["skipped"])
            start = self.ear.now + round(after_s * rate)
            audio = self.ear.audio(start, start + round(seconds * rate))
            if int(self.ear.row["skipped"]) == skipped:
                break
        return audio

    def rest(self) -> None:
        """Silence, every pedal and wheel at rest, every parameter where these tests want it."""
        client = self.client
        client.panic()
        client.send_events(np.concatenate([*_all_defaults()]))
        client.reset_tuning()
        for name in ("pan", "filter_cutoff"):
            client.forget_learned(name)
        self.set(**QUIET)
        wait_until(lambda: client.status().voices == 0)
        client.notices()


def _all_defaults() -> Iterator[NDArray[np.void]]:
    for index, row in enumerate(PARAMETERS):
        yield make_event(EventKind.PARAMETER, index, row.default)
    yield make_event(EventKind.LATENT, latent=np.zeros(SPEC.latent_size, np.float32))


def presets() -> tuple[Preset, ...]:
    def latent(tilt: float) -> NDArray[np.float32]:
        vector = np.zeros(SPEC.latent_size, np.float32)
        vector[0] = tilt
        return vector

    tilts = {BRIGHT: 1.5, DARK: -1.5}
    return tuple(Preset(f"p{i}", latent(tilts.get(i, 0.0)), dict(QUIET)) for i in range(130))
