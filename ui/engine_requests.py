"""What the settings and the recorder ask the engine, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from noisysynth.engine.client import EngineClient
from noisysynth.engine.messages import AudioChoice, AudioDevice

if TYPE_CHECKING:
    from noisysynth.ui.player import Player

Failed = Callable[[str], None]


class EngineRequests:
    """Each ends in `done` or, with one line, in `failed`, both on the window's thread."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def _client(self, failed: Failed) -> EngineClient | None:
        client = self._player.client
        if client is None:
            failed(self._player.failure or "the engine is still starting")
        return client

    def ask_devices(
        self, done: Callable[[list[AudioDevice], list[tuple[str, bool]]], None], failed: Failed
    ) -> None:  # fmt: skip
        """Sound devices, and MIDI inputs with whether they are listened to."""
        client = self._client(failed)
        if client is not None:
            self._player.requests.ask(
                lambda: (client.audio_devices(), client.midi_inputs()), lambda found: done(*found), failed
            )

    def open_audio(self, choice: AudioChoice, done: Callable[[], None], failed: Failed) -> None:
        client = self._client(failed)
        if client is None:
            return

        def opened(_: object) -> None:
            self._player.audio = choice
            self._player.edited.emit()
            done()

        self._player.requests.ask(lambda: client.open_audio(choice), opened, failed)

    def listen_midi(self, port: str, enabled: bool, failed: Failed) -> None:
        player, client = self._player, self._player.client
        if client is None:
            return

        def heard(_: object) -> None:
            (player.muted_midi_inputs.discard if enabled else player.muted_midi_inputs.add)(port)
            player.edited.emit()

        player.requests.ask(lambda: client.listen_midi(port, enabled), heard, failed)

    def start_recording(self, choose: Callable[[], Path], done: Callable[[Path], None], failed: Failed) -> None:
        """Record what is heard into the file that `choose` names, which may take its time."""
        client = self._client(failed)
        if client is None:
            return

        def work() -> Path:
            path = choose()
            client.start_recording(path)
            return path

        self._player.requests.ask(work, done, failed)

    def stop_recording(self, done: Callable[[float], None], failed: Failed) -> None:
        """`done` is told the length in seconds; 0 when it had ended already."""
        client = self._client(failed)
        if client is not None:
            self._player.requests.ask(client.stop_recording, done, failed)
