#!/usr/bin/env bash
# Installs Debian packages that are missing: packages.sh GROUP…   (groups: run, test, check)
# Does nothing, and asks for no rights, where all of them are there.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh

# run: compiler, build tools, the two libraries that libqeff links, Python to fetch the model.
run="gcc libc6-dev cmake ninja-build pkg-config libjansson-dev libssl-dev python3 python3-venv"
test="libcmocka-dev libsimde-dev g++ clang-format mandoc"
check="clang libclang-rt-14-dev"

names=""
for group in "$@"; do
    case $group in
    run) names+=" $run" ;;
    test) names+=" $test" ;;
    check) names+=" $check" ;;
    *) say "unknown package group '$group'" && exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: install what these packages hold by hand:$names"
    exit 0
fi

missing=""
for name in $names; do
    state=$(dpkg-query --show --showformat '${db:Status-Abbrev}' "$name" 2>/dev/null || true)
    [ "${state:0:2}" = ii ] || missing+=" $name"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "needs root to install:$missing" && exit 1; }
    as_root=sudo
fi
say "installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# Already installed packages stay at their version.
apt_install() {
    # shellcheck disable=SC2086
    $as_root apt-get install --quiet --yes --no-install-recommends --no-upgrade $missing
}
quietly apt-update $as_root apt-get update --quiet
quietly apt-install apt_install
