#!/bin/sh
# Lint, format, types and tests; all of them run, and any failure fails the whole.
set -u
cd "$(dirname "$0")/.." || exit 2
failed=''
step() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name"
}
step lint .venv/bin/ruff check .
step format .venv/bin/ruff format --check --quiet .
step types sh scripts/types.sh
# What is heard live has the machine to itself: a core that another test uses would be a click.
# A worker a core, so no threads within: they would fight.
step tests env OMP_NUM_THREADS=1 .venv/bin/pytest -n auto --maxprocesses 8 --dist loadfile -m 'not jack and not alone'
step live .venv/bin/pytest -m 'jack or alone'
if [ -n "$failed" ]; then
    echo "make test: failed:$failed" >&2
    exit 1
fi
