#!/bin/sh
# Prepares this checkout: system libraries, .venv, pinned packages.
#   setup.sh play   what playing needs (no torch)
#   setup.sh all    that, training, export and tests
set -eu
cd "$(dirname "$0")/.."
mode=${1:-all}
case $mode in
    play) extras='' ;;
    all) extras='[train,dev]' ;;
    *) echo "setup: say 'play' or 'all', not '$mode'" >&2; exit 2 ;;
esac

# A stamp holds a checksum of everything that decides what gets installed, and the place: a .venv cannot be moved.
wanted="$(cat pyproject.toml constraints.txt scripts/setup.sh scripts/system_packages.sh | cksum) $(pwd)"
for stamp in .venv/ready-all ".venv/ready-$mode"; do
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        exit 0
    fi
done

sh scripts/system_packages.sh "$mode"
python=$(sh scripts/find_python.sh)

if [ ! -x .venv/bin/pip ] || ! .venv/bin/python -c 'import pip' 2>/dev/null || [ "$(cat .venv/place 2>/dev/null)" != "$(pwd)" ]; then
    echo "setup: making .venv with $("$python" -V)"
    rm -rf .venv
    # Debian splits ensurepip off, and venv then says so in ten lines.
    if ! "$python" -c 'import ensurepip' 2>/dev/null || ! "$python" -m venv .venv; then
        rm -rf .venv
        echo "setup: $python cannot make a virtual environment; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2
        exit 2
    fi
    pwd > .venv/place
fi

# A person sees pip's progress; a log does not need it.
quiet='--quiet'
if [ -t 1 ]; then quiet=''; fi
install() {
    # shellcheck disable=SC2086
    .venv/bin/python -m pip install $quiet --no-input --disable-pip-version-check -c constraints.txt "$@"
}

echo "setup: installing Python packages for '$mode' (several hundred megabytes the first time; a few minutes)"
# Our own build tool comes from the constraints too, so nothing unpinned runs.
install 'setuptools>=77'
# python-rtmidi has no wheel for some Pythons (1.5.8: 3.13 and newer) and is then built here.
if ! install --only-binary=:all: --no-deps python-rtmidi 2>/dev/null; then
    echo "setup: no ready-made python-rtmidi for $(.venv/bin/python -V); building it"
    sh scripts/system_packages.sh build
    if ! install python-rtmidi; then
        echo "setup: python-rtmidi could not be built; it needs a C++ compiler and the ALSA and JACK headers (see above)," \
            "or use Python 3.10 to 3.12" >&2
        exit 2
    fi
fi
install --no-build-isolation -e ".$extras"

rm -f .venv/ready-play
echo "$wanted" > ".venv/ready-$mode"
echo "setup: ready"
