#!/usr/bin/env bash
# Makes the Python environment .venv, for fetching and checking only: venv.sh [REQUIREMENTS]
# A requirements file is installed once, and again when it changes.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh

if ! [ -e .venv/made ]; then
    say "making the Python environment .venv"
    rm -rf .venv
    quietly venv python3 -m venv .venv
    touch .venv/made
fi

requirements=${1:-}
[ -n "$requirements" ] || exit 0
stamp=.venv/installed-$(basename "$requirements")
cmp --silent "$requirements" "$stamp" && exit 0
say "installing Python packages into .venv: $(grep -v '^#' "$requirements" | xargs)"
quietly pip .venv/bin/pip install --quiet --requirement "$requirements"
cp "$requirements" "$stamp"
