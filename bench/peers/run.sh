#!/usr/bin/env bash
# Times qeff and other engines on the same model, the same inputs and the same cores, in turns:
#
#   bench/peers/run.sh BUILD MODEL [--part fp32|int8|threads|avx2|encode|startup|tokenize] [OPTION...]
#
# BUILD is a build folder with libqeff.so and the program qeff; MODEL a folder such as all-MiniLM-L6-v2. Installs
# the peers into a virtual environment (PEERS_VENV, default build/peers/venv) on the first call, converts the model
# for each of them (PEERS_WORK, default build/peers/ and the model's name), measures, keeps the samples in bench/peers/results, prints
# the table, and with --docs writes the part of docs/performance.md between its marks and the plot beside it. Without
# --part, all parts are measured one after the other. A part takes up to 8 minutes; one that was stopped goes on with the
# same call, and --again begins anew. A peer that cannot be installed or loaded is named and left out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ $# -lt 2 ]; then
    sed -n '4s/^# *//p' "$0" >&2
    exit 2
fi
build=$(cd "$1" && pwd) model=$(cd "$2" && pwd)
shift 2
venv=${PEERS_VENV:-$root/build/peers/venv}
work=${PEERS_WORK:-$root/build/peers/$(basename "$model")}
mkdir -p "$work"
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    while read -r package; do
        "$venv/bin/pip" install --quiet "$package" || echo "not installed: $package" >&2
    done <"$here/requirements.txt"
    cp "$here/requirements.txt" "$venv"
fi
exec "$venv/bin/python" -B "$here/peers.py" "$build" "$model" "$work" "$@"
