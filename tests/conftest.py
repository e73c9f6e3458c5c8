"""Fixtures and rules for all tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before anything imports Qt or asks for a configuration folder: windows of in-process tests stay off the user's
# screen, and no test reads or writes the user's own settings.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
_HOME = tempfile.TemporaryDirectory(prefix="noisysynth-test-home-")
for _variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
    os.environ[_variable] = os.path.join(_HOME.name, _variable)

# Compiled kernels outlive a test run: their folder is named after their sources.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent.parent / ".numba_cache"))

import pytest  # noqa: E402
import servers  # noqa: E402

SOUNDFONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
)
pytest.register_assert_rewrite("effect_checks", "sound_checks")
MARKER_OF_FIXTURE = {"jack_server": "jack", "display": "display", "soundfont": "soundfont"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that uses a server's fixture carries its marker, so that `-m "not jack"` works."""
    for item in items:
        for fixture, marker in MARKER_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(getattr(pytest.mark, marker))


@pytest.fixture(scope="module")
def jack_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.JackServer]:
    """A JACK server at 48 kHz, 64 frames; this process and its children use it by default."""
    with servers.jack_dummy_server(tmp_path_factory.mktemp("jack") / "jackd.log") as server:
        yield server


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables for a child process that opens a real X window on a display of its own."""
    with servers.virtual_display(tmp_path_factory.mktemp("x") / "xvfb.log") as variables:
        yield variables


@pytest.fixture(scope="session")
def soundfont() -> Path:
    """FluidR3_GM.sf2 (MIT licence), as Debian and Ubuntu install it; NOISYSYNTH_SOUNDFONT names another place."""
    for path in (os.environ.get("NOISYSYNTH_SOUNDFONT", ""), *SOUNDFONTS):
        if path and Path(path).is_file():
            return Path(path)
    servers.missing("FluidR3_GM.sf2 is not installed (Debian: fluid-soundfont-gm)")
    raise AssertionError
