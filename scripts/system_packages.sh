#!/bin/sh
# Installs system libraries: with apt-get or brew where that is allowed, otherwise prints the command to run.
#   system_packages.sh play    sound card, MIDI and window
#   system_packages.sh all     and the servers, tools and sounds that the tests use
#   system_packages.sh build   a C++ compiler and headers, where a package has no wheel
# It never fails: the program says itself what it misses, and plays on whatever is there.
set -eu
set_=${1:-all}

# a|b: the first of these that this release has.
apt_play='python3-venv libportaudio2 libglib2.0-0t64|libglib2.0-0 libegl1 libgl1 libxkbcommon0 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1
    libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0
    libwayland-cursor0 libwayland-egl1 fonts-dejavu-core'
# jack_lsp and others: with jackd2 up to Debian 12, later on their own.
apt_test='jackd2 jack-example-tools|jackd2 xvfb xdotool fluidsynth fluid-soundfont-gm csound'
apt_build='g++ python3-dev pkg-config libasound2-dev libjack-jackd2-dev'

say() { echo "setup: $*"; }

installed() {
    case "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" in
        *' ok installed') return 0 ;;
    esac
    return 1
}

# The package to install for "a|b"; nothing when it is there.
choose() {
    alternatives=$(echo "$1" | tr '|' ' ')
    for package in $alternatives; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            installed "$package" || echo "$package"
            return
        fi
    done
    # Unknown to apt, so its lists are empty, as in a fresh container.
    for package in $alternatives; do
        if installed "$package"; then return; fi
    done
    echo "${1%%|*}"
}

choose_all() {
    for group in "$@"; do choose "$group"; done | sort -u | tr '\n' ' '
}

apt_install() {
    missing=$(choose_all "$@")
    if [ -z "$missing" ]; then return; fi
    as_root=''
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            say "some system libraries are missing and I may not install them; please run"
            echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing"
            return
        fi
        as_root='sudo'
    fi
    $as_root apt-get update -qq || say "apt-get update failed; trying with the package lists that are there"
    # With fresh lists the names may be others; one that apt does not know would stop all of them.
    missing=''
    for package in $(choose_all "$@"); do
        if apt-cache show "$package" >/dev/null 2>&1; then
            missing="$missing $package"
        else
            say "$package is not in this system's package lists; going on without it"
        fi
    done
    if [ -z "$missing" ]; then return; fi
    say "installing system packages:$missing"
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 $missing </dev/null >/dev/null ||
        say "apt-get could not install them; going on with what is there"
}

brew_install() {
    missing=''
    for package in "$@"; do
        brew list --versions "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    if [ -z "$missing" ]; then return; fi
    say "installing with brew:$missing"
    # shellcheck disable=SC2086
    brew install --quiet $missing </dev/null || say "brew could not install them; going on with what is there"
}

case "$(uname -s)" in
    Linux)
        if ! command -v apt-get >/dev/null 2>&1; then
            say "no apt-get here: please see to PortAudio, JACK's library, Qt's xcb libraries and Python's venv yourself"
            exit 0
        fi
        # shellcheck disable=SC2086
        case $set_ in
            play) apt_install $apt_play ;;
            build) apt_install $apt_build ;;
            *) apt_install $apt_play $apt_test ;;
        esac
        ;;
    Darwin)
        # PortAudio, CoreMIDI's binding and Qt are inside the wheels.
        wanted=''
        if [ "$set_" = play ] || [ "$set_" = all ]; then
            if ! sh "$(dirname "$0")/find_python.sh" >/dev/null 2>&1; then wanted='python@3.12'; fi
        fi
        if [ "$set_" = all ]; then wanted="$wanted fluid-synth jack"; fi
        if [ "$set_" = build ] && ! xcode-select -p >/dev/null 2>&1; then
            say "a C++ compiler is missing; please run: xcode-select --install"
        fi
        if [ -z "$wanted" ]; then exit 0; fi
        if ! command -v brew >/dev/null 2>&1; then
            say "Homebrew is missing; with it: brew install $wanted"
            exit 0
        fi
        # shellcheck disable=SC2086
        brew_install $wanted
        ;;
    *) say "unknown system $(uname -s): going on with what is there" ;;
esac
