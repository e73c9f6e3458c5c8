#!/bin/sh
# Prints a Python 3.10 or newer. 3.10 to 3.12 come first: every package has a ready-made wheel for them.
set -eu
fits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $2))" 2>/dev/null
}
if [ -n "${PYTHON:-}" ]; then
    if fits "$PYTHON" 99; then echo "$PYTHON"; exit 0; fi
    echo "setup: PYTHON=$PYTHON is not a Python 3.10 or newer" >&2
    exit 2
fi
for newest in 12 14; do
    for name in python3 python3.12 python3.11 python3.10 python3.13 python3.14; do
        if fits "$name" "$newest"; then echo "$name"; exit 0; fi
    done
done
echo "setup: no Python from 3.10 to 3.14 found; install one, or name it: make play PYTHON=/path/to/python3" >&2
exit 2
