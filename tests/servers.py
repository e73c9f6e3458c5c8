"""Real servers for tests: a JACK audio server with its dummy driver, an X server without a screen.

Each picks a name or display of its own, so that runs side by side do not meet, and ends with the test.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
STOP_TIMEOUT_S = 10.0


def missing(what: str) -> None:
    """Fail in CI, where everything must be there; skip on a machine that lacks something."""
    if IN_CI:
        pytest.fail(f"{what} (a skip elsewhere, a failure in CI; `make test` installs it)", pytrace=False)
    pytest.skip(what)


def program(name: str) -> str:
    """Full path of a program, or fail/skip."""
    path = shutil.which(name)
    if path is None:
        missing(f"the program {name} is not installed")
    assert path is not None
    return path


def stop(process: subprocess.Popen[str]) -> None:
    """Ask the process to end, then make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)


class JackServer:
    """A running jackd with the dummy driver. `environment` is what a client process needs to find it."""

    def __init__(self, name: str, pid: int, sample_rate: int, block_size: int, environment: dict[str, str]) -> None:
        self.name = name
        self.pid = pid
        self.sample_rate = sample_rate
        self.block_size = block_size
        self.environment = environment

    def run(self, tool: str, *arguments: str, timeout_s: float = 20.0) -> str:
        """Output of a JACK tool (jack_lsp, jack_connect, ...) on this server; CalledProcessError if it fails."""
        done = subprocess.run(
            [program(tool), *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=True,
        )
        return done.stdout

    def ports(self) -> list[str]:
        """Full names (client:port) of all ports, audio and MIDI."""
        for remaining in reversed(range(5)):
            try:
                listed = self.run("jack_lsp")
                break
            except subprocess.CalledProcessError:
                # Clients of the same name meet in /dev/shm though their servers differ: another run may be asking.
                if not remaining:
                    raise
                time.sleep(0.1)
        return [line for line in listed.splitlines() if ":" in line and not line.startswith(" ")]

    def wait_for_port(self, part: str, timeout_s: float = 20.0) -> str:
        """Name of the first port that contains `part`, once there is one."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for port in self.ports():
                if part in port:
                    return port
            time.sleep(0.05)
        raise AssertionError(f"no JACK port with {part!r} in its name; there are {self.ports()}")


@contextlib.contextmanager
def jack_dummy_server(
    log: Path, sample_rate: int = 48_000, block_size: int = 64, name: str | None = None
) -> Iterator[JackServer]:
    """Run `jackd -r -d dummy` and point this process (and those it starts) at it until the end.

    name: None for one of its own; that of a server that has ended for one that comes back.
    """
    name = name or f"noisysynth-test-{uuid.uuid4().hex[:8]}"
    environment = {
        "JACK_DEFAULT_SERVER": name,
        "JACK_NO_START_SERVER": "1",  # a client must never start a server of its own
        "JACK_NO_AUDIO_RESERVATION": "1",  # there is no card to reserve, and no D-Bus in a container
    }
    # Real time where the machine allows it, as a musician's server has it: a busy machine then costs no blocks.
    scheduling = ["-R", "-P", "70"] if _may_run_realtime() else ["-r"]
    command = [program("jackd"), "-n", name, *scheduling, "-m", "-d", "dummy"]
    command += ["-r", str(sample_rate), "-p", str(block_size)]
    _free_places_of_the_dead()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    server = JackServer(name, process.pid, sample_rate, block_size, environment)
    try:
        _wait_until_up(server, process, log)
        with _environment(environment):
            yield server
    finally:
        stop(process)
        _remove_shared_memory(name)


def _may_run_realtime() -> bool:
    try:
        before = os.sched_getscheduler(0), os.sched_getparam(0)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(70))
        os.sched_setscheduler(0, *before)
    except (OSError, AttributeError):
        return False
    return True


def _wait_until_up(server: JackServer, process: subprocess.Popen[str], log: Path, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"jackd ended with {process.returncode}:\n{log.read_text()}", pytrace=False)
        with contextlib.suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
            if any("system:playback_1" in port for port in server.ports()):
                return
        time.sleep(0.05)
    pytest.fail(f"jackd did not come up in {timeout_s:.0f} s:\n{log.read_text()}", pytrace=False)


def _free_places_of_the_dead(registry: Path = Path("/dev/shm/jack-shm-registry")) -> None:
    """JACK has eight places for servers, and one that was killed keeps its own for ever. Only our tests' are freed."""
    if not registry.exists():
        return
    with registry.open("r+b") as file:
        for place in range(8):
            file.seek(24 + 264 * place)  # jack_shm_header_t: behind six words come pid and name of each server
            pid, name = struct.unpack("<i260s", file.read(264))
            if name.startswith(b"jack-0:noisysynth-test-") and not Path(f"/proc/{pid}").exists():
                file.seek(-264, os.SEEK_CUR)
                file.write(bytes(264))


def _remove_shared_memory(name: str) -> None:
    """A killed server leaves its semaphores and sockets in /dev/shm; those with our unique name are ours."""
    for left in Path("/dev/shm").glob(f"*{name}*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def virtual_display(log: Path, width: int = 1280, height: int = 800) -> Iterator[dict[str, str]]:
    """Run Xvfb on a free display; yields the variables that a Qt process needs to open a window there."""
    read_end, write_end = os.pipe()
    screen = f"{width}x{height}x24"
    with log.open("w") as output:
        process = subprocess.Popen(
            [program("Xvfb"), "-displayfd", str(write_end), "-screen", "0", screen, "-nolisten", "tcp"],
            pass_fds=(write_end,), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    os.close(write_end)
    try:
        ready, _, _ = select.select([read_end], [], [], 30.0)
        number = os.read(read_end, 16).decode().strip() if ready else ""
        if not number:
            pytest.fail(f"Xvfb did not come up:\n{log.read_text()}", pytrace=False)
        yield {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
    finally:
        os.close(read_end)
        stop(process)


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
