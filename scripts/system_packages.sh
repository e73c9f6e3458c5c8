#!/bin/sh
# Installs system libraries: with apt-get or brew where that is allowed, otherwise prints the command to run.
#   system_packages.sh play    sound card, MIDI and window
#   system_packages.sh all     and the servers, tools and sounds that the tests use
#   system_packages.sh build   a C++ compiler and headers, where a package has no wheel
# It never fails: the program says itself what it misses, and plays on whatever is there.
set -eu
set_=${1:-all}

apt_play='python3-venv libportaudio2 libegl1 libgl1 libxkbcommon0 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1
    libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0
    fonts-dejavu-core'
# jack-example-tools holds jack_lsp and others where jackd2 (from Debian 13 on) does not.
apt_test='jackd2 jack-example-tools xvfb xdotool fluidsynth fluid-soundfont-gm'
apt_build='g++ python3-dev pkg-config libasound2-dev libjack-jackd2-dev'

say() { echo "setup: $*"; }

apt_install() {
    missing=''
    for package in "$@"; do
        case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" in
            *' ok installed') ;;
            *) missing="$missing $package" ;;
        esac
    done
    if [ -z "$missing" ]; then return; fi
    as_root=''
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            say "some system libraries are missing and I may not install them; please run"
            echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing"
            return
        fi
        as_root='sudo'
    fi
    $as_root apt-get update -qq || say "apt-get update failed; trying with the package lists that are there"
    known=''
    for package in $missing; do
        if apt-cache show "$package" >/dev/null 2>&1; then known="$known $package"; fi
    done
    if [ -z "$known" ]; then return; fi
    say "installing system packages:$known"
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 $known </dev/null >/dev/null ||
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
