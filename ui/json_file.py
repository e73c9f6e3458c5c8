"""Small JSON files of the player's own, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_json(path: Path, data: Any) -> None:
    """Replace the file in one step; folders are made. OSError when that fails, and then the old file is untouched."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise


def read_json(path: Path) -> Any:
    """What the file holds. OSError, or ValueError when it is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be used, in a few words."""
    return (error.strerror or "it cannot be used") if isinstance(error, OSError) else "it is not valid JSON"
