"""Whether a window can be opened here; asked before Qt starts, which aborts the whole program where it cannot."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

X11_TCP_BASE = 6000
CONNECT_S = 2.0


def display_problem(environment: Mapping[str, str] = os.environ) -> str:
    """Why no window can be opened, in a few words; "" when one can."""
    try:
        import PySide6
    except ImportError as error:
        return f"PySide6 cannot be loaded ({error})"
    if loses_references(PySide6.__version__):
        return (
            f"PySide6 {PySide6.__version__} crashes under Python {sys.version_info.major}.{sys.version_info.minor}; "
            "install another: pip install 'PySide6-Essentials!=6.12.0'"
        )
    if not sys.platform.startswith("linux"):
        return ""
    platform = environment.get("QT_QPA_PLATFORM", "")
    if platform and not platform.startswith(("xcb", "wayland")):
        return ""  # offscreen, vnc, linuxfb: somebody knows what they ask for
    problems = []
    wayland = environment.get("WAYLAND_DISPLAY", "")
    if wayland and not platform.startswith("xcb"):
        if _reaches(_wayland_socket(wayland, environment)):
            return ""
        problems.append(f"nothing answers at WAYLAND_DISPLAY={wayland}")
    display = environment.get("DISPLAY", "")
    if display and not platform.startswith("wayland"):
        if not _x11_answers(display):
            problems.append(f"nothing answers at DISPLAY={display}")
        else:
            missing = _missing_library(Path(PySide6.__file__).parent)
            if not missing:
                return ""
            problems.append(f"Qt lacks a library: {missing}")
    return "; ".join(problems) or "neither DISPLAY nor WAYLAND_DISPLAY is set"


def loses_references(version: str) -> bool:
    """PySide6 6.12.0 drops a reference to None in every call that returns nothing. Where None is not immortal (before
    Python 3.12) that ends the program after some thousand calls: "Fatal Python error: deallocating None".
    """
    return version == "6.12.0" and sys.version_info < (3, 12)


def _wayland_socket(name: str, environment: Mapping[str, str]) -> str:
    return os.path.join(environment.get("XDG_RUNTIME_DIR", ""), name)  # an absolute name stays as it is


def _reaches(address: str) -> bool:
    """Whether somebody listens on a Unix socket (a leading NUL: the abstract kind)."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


def _x11_answers(display: str) -> bool:
    match = re.fullmatch(r"(?P<host>.*):(?P<number>\d+)(\.\d+)?", display)
    if match is None:
        return False
    host, number = match["host"], int(match["number"])
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        return _reaches(path) or _reaches("\0" + path)
    if host.startswith("/"):
        return _reaches(display) or _reaches(f"{host}:{number}")
    try:
        socket.create_connection((host.rsplit("/", 1)[-1], X11_TCP_BASE + number), CONNECT_S).close()
    except OSError:
        return False
    return True


def _missing_library(package: Path) -> str:
    """What the dynamic loader says about Qt's X11 plugin; "" when it loads."""
    plugin = package / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    if not plugin.is_file():  # a distribution's own PySide6 keeps it elsewhere, with its libraries
        return ""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        return str(error).split(": cannot open shared object file")[0]
    return ""
