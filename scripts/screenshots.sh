#!/bin/sh
# Pictures of the window for README.md and docs/manual.md, in docs/images/.
set -eu
cd "$(dirname "$0")/.."
for size in 1280x800 1920x1080 1280x800@2; do
    .venv/bin/python scripts/take_screenshots.py "$size"
done
