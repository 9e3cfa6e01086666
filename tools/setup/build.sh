#!/usr/bin/env bash
# Configures build/<preset> once and brings targets up to date: build.sh PRESET [TARGET…] [-- CMAKE_ARG…]
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh

preset=$1
shift
targets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    targets+=("$1")
    shift
done
[ $# -eq 0 ] || shift

folder=build/$preset
if ! [ -e "$folder/build.ninja" ] || [ $# -gt 0 ]; then
    [ -e "$folder/build.ninja" ] || say "configuring $folder"
    quietly "configure-$preset" cmake --preset "$preset" -DQEFF_WERROR=OFF "$@"
fi
[ ${#targets[@]} -gt 0 ] || exit 0
# A build that has nothing to do says nothing.
if ! ninja -C "$folder" -n "${targets[@]}" | grep -q 'no work to do'; then
    say "building $folder"
    quietly "build-$preset" ninja -C "$folder" "${targets[@]}"
fi
