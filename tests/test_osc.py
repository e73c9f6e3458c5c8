"""OSC: what addresses mean, what an answer is, and that nothing that arrives does harm."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from noisysynth.engine.osc import OscServer
from noisysynth.engine.osc_addresses import event_of, value_at
from noisysynth.engine.state import PARTS
from noisysynth.errors import UserError
from noisysynth.events import BY_CHANNEL, EventKind
from noisysynth.parameters import MAX_PARAMETERS, PARAMETER_INDEX, PARAMETERS
from noisysynth.spec import MAX_LATENT

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("address", "argument", "part", "id_", "value"),
    [
        ("/part/1/volume", -12.0, 0, "volume", -12.0),
        ("/part/16/volume", -12, 15, "volume", -12.0),
        ("/part/3/volume", 500.0, 2, "volume", 6.0),
        ("/part/3/volume/position", 0.0, 2, "volume", -60.0),
        ("/part/3/volume/position", 7.0, 2, "volume", 6.0),
        ("/part/1/filter_cutoff/position", 0.5, 0, "filter_cutoff", (20.0 * 20_000.0) ** 0.5),
        ("/part/1/filter_mode", 2, 0, "filter_mode", 2.0),
        ("/part/1/filter_mode", "low-pass 24", 0, "filter_mode", 2.0),
        ("/part/1/transpose", -12, 0, "transpose", -12.0),
        ("/part/1/transpose", "-12", 0, "transpose", -12.0),
        ("/part/1/enabled", False, 0, "enabled", 0.0),
        ("/rack/master_volume", -3.0, 0, "master_volume", -3.0),
        ("/rack/tempo/position", 1.0, 0, "tempo", 300.0),
    ],
)
def test_parameters(address: str, argument: Any, part: int, id_: str, value: float) -> None:
    event = event_of(address, [argument])[0]
    assert (event["kind"], event["part"], event["index"]) == (EventKind.PARAMETER, part, PARAMETER_INDEX[id_])
    assert event["value"] == pytest.approx(value)


def test_every_parameter_has_an_address() -> None:
    for index, row in enumerate(PARAMETERS):
        event = event_of(f"/rack/{row.id}" if row.rack else f"/part/2/{row.id}", [row.maximum])[0]
        assert (event["index"], event["part"], event["value"]) == (index, 0 if row.rack else 1, np.float32(row.maximum))


@pytest.mark.parametrize(
    ("address", "arguments", "kind", "channel", "part", "index", "value"),
    [
        ("/note", [60, 0.5], EventKind.NOTE_ON, 0, BY_CHANNEL, 60, 0.5),
        ("/note", [60.0, 0], EventKind.NOTE_OFF, 0, BY_CHANNEL, 60, 0.0),
        ("/part/5/note", [60, 1], EventKind.NOTE_ON, 4, 4, 60, 1.0),
        ("/part/5/note", [60, 0.0], EventKind.NOTE_OFF, 4, 4, 60, 0.0),
        ("/bend", [-0.5], EventKind.PITCH_BEND, 0, BY_CHANNEL, 0, -0.5),
        ("/part/2/bend", [1], EventKind.PITCH_BEND, 1, BY_CHANNEL, 0, 1.0),
        ("/preset", [3], EventKind.PRESET, 0, 0, 3, 0.0),
        ("/part/9/preset", [3], EventKind.PRESET, 0, 8, 3, 0.0),
        ("/panic", [], EventKind.PANIC, 0, BY_CHANNEL, 0, 0.0),
        ("/panic", [1], EventKind.PANIC, 0, BY_CHANNEL, 0, 0.0),
    ],
)
def test_what_is_played(
    address: str, arguments: list[Any], kind: EventKind, channel: int, part: int, index: int, value: float
) -> None:
    event = event_of(address, arguments)[0]
    assert (event["kind"], event["channel"], event["part"], event["index"]) == (kind, channel, part, index)
    assert event["value"] == value


def test_a_latent() -> None:
    event = event_of("/part/2/latent", [0.5, -1, 2.0])[0]
    assert (event["kind"], event["part"]) == (EventKind.LATENT, 1)
    assert event["latent"][:4].tolist() == [0.5, -1.0, 2.0, 0.0]
    assert event_of("/latent", [0.5])[0]["part"] == 0


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("", [1]), ("/", [1]), ("part/1/volume", [1]), ("/part", [1]), ("/part/1", [1]), ("/part/0/volume", [1]),
        ("/part/17/volume", [1]), ("/part/-1/volume", [1]), ("/part/\u0661/volume", [1]), ("/part/999999/volume", [1]),
        ("/part/1/nothing", [1]), ("/part/1/volume/", [1]), ("/part/1/volume/position/position", [1]),
        ("/part/1/master_volume", [1]), ("/rack/volume", [1]), ("/rack", [1]), ("/volume", [1]),
        ("/part/1/volume", []), ("/part/1/volume", [1, 2]), ("/part/1/volume", [float("nan")]),
        ("/part/1/volume", [float("inf")]), ("/part/1/volume", ["loud"]), ("/part/1/filter_mode", ["loud"]),
        ("/part/1/volume", [None]), ("/part/1/volume", [b"\0"]), ("/part/1/volume", [[1]]),
        ("/part/1/volume/position", ["x"]), ("/note", [60]), ("/note", [128, 1.0]), ("/note", [-1, 1.0]),
        ("/note", [60.5, 1.0]), ("/note", [60, 1.5]), ("/note", [60, -0.1]), ("/note", [60, float("nan")]),
        ("/bend", [2.0]), ("/bend", []), ("/latent", []), ("/latent", [0.0] * (MAX_LATENT + 1)), ("/latent", ["x"]),
        ("/latent", [1e30]), ("/preset", [-1]), ("/preset", [1e9]), ("/preset", ["bright"]), ("/panic/now", []),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(address: str, arguments: list[Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        event_of(address, arguments)


def test_where_a_parameter_stands() -> None:
    values = np.zeros((PARTS, MAX_PARAMETERS), np.float32)
    values[2, PARAMETER_INDEX["filter_cutoff"]] = 2000.0
    values[0, PARAMETER_INDEX["tempo"]] = 90.0
    assert value_at("/part/3/filter_cutoff", values) == 2000.0
    assert value_at("/part/3/filter_cutoff/position", values) == pytest.approx(2 / 3)
    assert value_at("/rack/tempo", values) == 90.0
    for address in ("/note", "/part/3/tempo", "/part/3/note", "", "/get"):
        with pytest.raises(ValueError):  # noqa: PT011
            value_at(address, values)


class Client:
    """A server, what it received and told, and a socket that talks to it."""

    def __init__(self) -> None:
        self.heard: list[np.ndarray] = []
        self.told: list[str] = []
        self.values = np.zeros((PARTS, MAX_PARAMETERS), np.float32)
        self.server = OscServer(self.heard.append, lambda: self.values, self.told.append, port=0)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(5.0)

    def send(self, packet: bytes) -> None:
        self.socket.sendto(packet, ("127.0.0.1", self.server.port))

    def ask(self, address: str) -> tuple[str, list[Any]]:
        self.send(packed("/get", address))
        (timed,) = OscPacket(self.socket.recv(1 << 16)).messages
        return timed.message.address, list(timed.message.params)

    def settle(self) -> None:
        """Wait until everything sent before is dealt with."""
        self.ask("/part/1/volume")

    def close(self) -> None:
        self.server.close()
        self.socket.close()


def packed(address: str, *arguments: Any) -> bytes:
    message = OscMessageBuilder(address)
    for argument in arguments:
        message.add_arg(argument)
    return message.build().dgram


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_messages_become_events(client: Client) -> None:
    client.send(packed("/note", 60, 0.5))
    client.send(packed("/part/2/filter_mode", "Notch"))
    client.settle()
    assert [int(event["kind"][0]) for event in client.heard] == [EventKind.NOTE_ON, EventKind.PARAMETER]
    assert client.server.ignored == 0


def test_a_bundle_is_played_at_once_whatever_its_time(client: Client) -> None:
    bundle = OscBundleBuilder(time.time() + 1000.0)
    for pitch in (60, 64):
        message = OscMessageBuilder("/note")
        message.add_arg(pitch)
        message.add_arg(1.0)
        bundle.add_content(message.build())
    client.send(bundle.build().dgram)
    client.settle()
    assert [int(event["index"][0]) for event in client.heard] == [60, 64]


def test_questions_are_answered(client: Client) -> None:
    client.values[2, PARAMETER_INDEX["pan"]] = 0.5
    assert client.ask("/part/3/pan") == ("/part/3/pan", [0.5])
    assert client.ask("/part/3/pan/position") == ("/part/3/pan/position", [0.75])


def test_nothing_that_arrives_does_harm(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(3)
    good = packed("/part/1/volume", -3.0)
    nested = b"#bundle\0" + bytes(8)
    for _ in range(2500):
        nested = b"#bundle\0" + bytes(8) + len(nested).to_bytes(4, "big") + nested
    packets = [
        b"", b"\0", b"/", b"#bundle\0", nested, packed("/get"), packed("/get", 3), packed("/get", "/nothing"),
        b"/note\0\0\0,zq\0", b"/note\0\0\0,if\0\0\0\0\1", bytes(60_000), packed("/" + 50_000 * "x", 1),
        *(noise.bytes(int(noise.integers(1, 200))) for _ in range(100)),
        *(good[:n] for n in range(len(good))),
        *(bytes(byte ^ int(noise.integers(256) * (noise.random() < 0.1)) for byte in good) for _ in range(100)),
    ]  # fmt: skip
    for number, packet in enumerate(packets):
        client.send(packet)
        if number % 16 == 0:
            client.settle()  # no datagram may be lost on the way
    client.settle()
    assert client.server.ignored > 150
    # The parser fills up a number that was cut short.
    assert {int(event["kind"][0]) for event in client.heard} <= {EventKind.PARAMETER, EventKind.NOTE_OFF}
    assert all(np.isfinite(event["value"][0]) for event in client.heard)
    assert client.told == []
    assert capfd.readouterr().err == ""


def test_a_flood_is_cut(client: Client) -> None:
    bundle = OscBundleBuilder(0)
    message = OscMessageBuilder("/part/1/volume")
    message.add_arg(1.0)
    for _ in range(100):
        bundle.add_content(message.build())
    packet = bundle.build().dgram
    started = time.monotonic()
    for _ in range(100):
        client.send(packet)
    wait_for(lambda: client.server.ignored > 0)
    time.sleep(0.3)
    assert len(client.heard) <= 1000 + 4000 * (time.monotonic() - started)
    assert len(client.told) == 1
    before = len(client.heard)
    time.sleep(0.1)
    client.send(packed("/note", 60, 1.0))
    wait_for(lambda: len(client.heard) == before + 1)


def test_a_taken_port_is_one_line(client: Client) -> None:
    with pytest.raises(UserError, match=f"OSC cannot listen on port {client.server.port}") as caught:
        OscServer(lambda event: None, lambda: client.values, client.told.append, port=client.server.port)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="OSC cannot listen on port 99999"):
        OscServer(lambda event: None, lambda: client.values, client.told.append, port=99_999)


def test_it_listens_to_this_machine_alone_and_lets_go_of_its_port(client: Client) -> None:
    assert client.server._socket.getsockname()[0] == "127.0.0.1"
    port = client.server.port
    client.server.close()
    OscServer(lambda event: None, lambda: client.values, client.told.append, port=port).close()


def test_the_page_is_what_the_script_writes(tmp_path: Path) -> None:
    page = tmp_path / "osc.md"
    committed = (ROOT / "docs" / "osc.md").read_text(encoding="utf-8")
    page.write_text(committed, encoding="utf-8")
    subprocess.run([sys.executable, str(ROOT / "scripts" / "write_osc_table.py"), str(page)], check=True, timeout=60)
    assert page.read_text(encoding="utf-8") == committed, "run scripts/write_osc_table.py and commit the page"
