#!/usr/bin/env bash
# The program cache under concurrency, kill -9 and damage: results never change, nothing needs a
# hand to repair it. Usage: cache_races.sh QEFF MODEL_FOLDER
set -u
qeff=$1
model=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

embed() { # home -> vectors on stdout
    QEFF_HOME=$1 "$qeff" embed "$model" "the quick brown fox" "" "jumps over" --format jsonl --threads 1
}

program_in() { # the one entry of a cache
    find "$1" -name programqpc.bin -not -path '*/.tmp-*' -not -path '*corrupt*'
}

embed "$work/reference" >"$work/expected" || fail "the first run"
[ -s "$work/expected" ] || fail "the first run printed nothing"

# --- many processes, one entry ----------------------------------------------------------------
for round in 1 2 3; do
    for i in 1 2 3 4 5 6 7 8; do
        embed "$work/shared$round" >"$work/out$i" 2>"$work/err$i" &
    done
    wait
    for i in 1 2 3 4 5 6 7 8; do
        cmp -s "$work/expected" "$work/out$i" || fail "process $i of round $round: $(cat "$work/err$i")"
    done
    [ "$(program_in "$work/shared$round" | wc -l)" = 1 ] || fail "round $round left more than one entry"
    [ -z "$(find "$work/shared$round" -name '.tmp-*')" ] || fail "round $round left temporaries"
done

# --- killed at many moments ---------------------------------------------------------------------
for i in $(seq 1 40); do
    home=$work/killed$((i % 4)) # some homes see several kills
    embed "$home" >/dev/null 2>&1 &
    pid=$!
    sleep "0.0$(printf '%02d' "$i")"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    embed "$home" >"$work/out" 2>"$work/err" || fail "after kill $i: $(cat "$work/err")"
    cmp -s "$work/expected" "$work/out" || fail "other vectors after kill $i"
    [ $((i % 8)) = 0 ] && rm -rf "$work"/killed*
done

# --- damaged entries ------------------------------------------------------------------------------
damage() { # name, command that spoils $file
    rm -rf "$work/damaged"
    embed "$work/damaged" >/dev/null || fail "$1: preparing"
    file=$(program_in "$work/damaged")
    eval "$2"
    embed "$work/damaged" >"$work/out" 2>"$work/err" || fail "$1: $(cat "$work/err")"
    cmp -s "$work/expected" "$work/out" || fail "$1: other vectors"
}
damage "container cut to nothing" ': >"$file"'
damage "container cut in half" 'truncate -s $(($(stat -c %s "$file") / 2)) "$file"'
damage "container one byte short" 'truncate -s -1 "$file"'
damage "container one byte longer" 'printf x >>"$file"'
damage "container removed" 'rm "$file"'
damage "integrity file removed" 'rm "$(dirname "$file")/integrity.json"'
damage "integrity file of nonsense" 'echo nonsense >"$(dirname "$file")/integrity.json"'
size=$(stat -c %s "$(program_in "$work/reference")")
for i in $(seq 1 40); do
    at=$((i * 7919 * 104729 % size))
    damage "byte $at flipped" 'perl -e '\''open my $f, "+<", $ARGV[0]; seek $f, $ARGV[1], 0; read $f, my $c, 1; seek $f, $ARGV[1], 0; print $f chr(255 ^ ord $c)'\'' "$file" "$at"'
done

# --- no place for a cache ---------------------------------------------------------------------------
: >"$work/a_file"
embed "$work/a_file/below" >"$work/out" 2>"$work/err" || fail "cache below a file: $(cat "$work/err")"
cmp -s "$work/expected" "$work/out" || fail "cache below a file: other vectors"

[ $failed = 0 ] && echo "cache survives concurrency, kills and damage"
exit $failed
