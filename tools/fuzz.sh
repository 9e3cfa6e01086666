#!/usr/bin/env bash
# Runs every libFuzzer target of build/fuzz for a while, two at a time, from its stored corpus: fuzz.sh SECONDS
# New inputs go to build/fuzz/corpus/<target>. A finding ends that target, leaves its input in
# build/fuzz/findings/, and fails the run.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=$1
mkdir -p build/fuzz/findings
mapfile -t targets < <(find build/fuzz -type f -executable -name 'fuzz_*' | sort)
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz target in build/fuzz" >&2 && exit 1; }

fuzz_one() {
    local program=$1 seconds=$2 name seeds found
    name=$(basename "$program")
    seeds=tests/fuzz/${name#fuzz_}/corpus
    found=build/fuzz/corpus/$name
    [ -d "$seeds" ] || { echo "$name: no corpus in $seeds" >&2 && return 1; }
    mkdir -p "$found"
    if ! "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/findings/$name-" "$found" "$seeds" >"build/fuzz/$name.log" 2>&1; then
        tail -n 40 "build/fuzz/$name.log" >&2
        echo "$name: FOUND SOMETHING, see build/fuzz/findings/ and build/fuzz/$name.log"
        return 1
    fi
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log") executions, nothing found"
}
export -f fuzz_one
printf '%s\n' "${targets[@]}" | xargs -P 2 -I '{}' bash -c "fuzz_one '{}' $seconds"
