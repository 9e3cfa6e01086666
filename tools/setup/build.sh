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
# A build that has nothing to do says nothing. (`ninja -n` cannot tell: looking again at globbed
# folders counts as work to it.)
announce() {
    local line said=""
    while IFS= read -r line; do
        case $line in
        *"Re-checking globbed"* | *"Re-running CMake"*) ;;
        "["*) [ -n "$said" ] || say "building $folder"
              said=yes ;;
        esac
    done
}
build() {
    mkdir -p build/log
    ninja -C "$folder" "${targets[@]}" 2>&1 | tee "build/log/build-$preset.log" | announce
}
if ! build; then
    tail -n 40 "build/log/build-$preset.log" >&2
    exit 1
fi
