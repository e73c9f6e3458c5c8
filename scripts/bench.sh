#!/bin/sh
# Runs every measurement in benchmarks/, one after the other.
set -eu
cd "$(dirname "$0")/.."
for script in benchmarks/*.py; do
    if [ ! -f "$script" ]; then
        echo "bench: nothing in benchmarks/" >&2
        exit 2
    fi
    echo "== $script"
    .venv/bin/python "$script"
done
