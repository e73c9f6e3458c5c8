#!/bin/sh
# mypy on the built wheel: it cannot follow an editable install whose folders lie elsewhere.
#   types.sh [VENV]
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
bin=${1:-$root/.venv}/bin
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$bin/python" scripts/build_wheel.py "$scratch/wheel" >/dev/null
"$bin/python" -m zipfile -e "$scratch"/wheel/*.whl "$scratch/package"
status=0
(
    cd "$scratch/package"
    MYPYPATH=. "$bin/mypy" --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache" -p noisysynth
) >"$scratch/report" || status=$?
# Name files where they are edited.
sed -E 's#^noisysynth/(train|export|ui)/#\1/#' "$scratch/report"
exit "$status"
