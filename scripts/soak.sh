#!/bin/sh
# The long runs, and their report in docs/.
#   soak.sh [--minutes N] [--only NAME,...]
set -eu
cd "$(dirname "$0")/.."
exec .venv/bin/python benchmarks/soak/soak.py "$@"
