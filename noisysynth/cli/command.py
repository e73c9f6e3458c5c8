"""What every command does alike: one line for bad input and exit code 2, a clean end on Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from noisysynth.errors import UserError


def run_command(name: str, run: Callable[[], int | None], stopped: str = "stopped") -> int:
    """Run a command's body. Return its exit code: 0, 2 with one line on stderr for bad input, 130 on Ctrl-C.

    stopped: what a person who pressed Ctrl-C should know.
    """
    try:
        return run() or 0
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "noisysynth").partition(".")[0]
        if package == "noisysynth":
            raise
        # `make play` leaves out what only training and exporting need.
        print(f"{name}: error: the Python package {package!r} is missing; 'make setup' installs it", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{name}: {stopped}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output left, as `| head` does; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
