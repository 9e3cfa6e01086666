# shellcheck shell=bash
# Instruction sets: what QEFF_CPU allows, programs for processors that have more, their cache.

# levels: those that this processor has, best first.
levels() {
    local level
    for level in avx512 avx2 scalar; do
        QEFF_CPU=$level "$qeff" tokenize "$model" a >/dev/null 2>&1 &&
            QEFF_CPU=$level "$qeff" embed "$model" a --no-cache >/dev/null 2>&1 && echo "$level"
    done
}

# Entries of the program cache.
count_entries() { find "$QEFF_HOME" -name programqpc.bin | wc -l; }

test_an_unknown_level_is_an_error() {
    local bad="QEFF_CPU: expected scalar, avx2, avx2vnni or avx512, found 'bogus'\$"
    succeeds compile "$model" -o program
    python3 "$here/arrays.py" ids in.npz 2,5,3
    QEFF_CPU=bogus fails 2 "$bad" embed "$model" a
    QEFF_CPU=bogus fails 2 "$bad" compile "$model" -o other
    QEFF_CPU=bogus fails 2 "$bad" bench "$model" -b 1 -l 4 --milliseconds 1
    QEFF_CPU=bogus fails 2 ".*$bad" embed program a
    QEFF_CPU=bogus fails 2 ".*$bad" run program in.npz -o out.npz
    [ ! -e other ] && [ ! -e out.npz ] && [ "$(count_entries)" = 0 ] || fail "something was made"
}

test_a_level_that_the_processor_lacks_is_an_error() {
    local level n=0
    for level in avx2 avx2vnni avx512; do
        QEFF_CPU=$level "$qeff" embed "$model" a --no-cache >/dev/null 2>&1 && continue
        n=$((n + 1))
        QEFF_CPU=$level fails 6 "QEFF_CPU: this CPU has no $level\$" embed "$model" a
        [ ! -e "$QEFF_HOME" ] || fail "something was made"
    done
    [ $n -gt 0 ] || skip "this processor has all levels"
}

test_a_program_for_a_better_processor_names_both() {
    local list higher lower
    list=$(levels)
    python3 "$here/arrays.py" ids in.npz 2,5,3
    for higher in $list; do
        QEFF_CPU=$higher succeeds compile "$model" -o "program-$higher"
        for lower in $(echo "$list" | sed "1,/^$higher\$/d"); do
            local both="program is compiled for '$higher.*', this processor is used at level '$lower'\$"
            QEFF_CPU=$lower fails 6 ".*$both" embed "program-$higher" a
            hints 'compile it again on this machine'
            QEFF_CPU=$lower fails 6 ".*$both" run "program-$higher" in.npz -o out.npz
            [ ! -e out.npz ] || fail "out.npz was written"
        done
        succeeds embed "program-$higher" a # at the best level, which has all the lower ones
    done
}

test_the_cache_keeps_a_program_of_each_level() {
    local list level precision n=0
    list=$(levels)
    for precision in fp32 int8; do
        for level in $list; do
            QEFF_CPU=$level succeeds embed "$model" 'the cat' --precision $precision -f csv
            cp .out "$precision-$level.csv"
            n=$((n + 1))
            [ "$(count_entries)" = $n ] || fail "$precision at $level: expected $n programs, found $(count_entries)"
        done
    done
    for precision in fp32 int8; do
        for level in $list; do
            QEFF_CPU=$level succeeds embed "$model" 'the cat' --precision $precision -f csv
            cmp -s .out "$precision-$level.csv" || fail "$precision at $level: other vectors from the cache"
        done
    done
    [ "$(count_entries)" = $n ] || fail "programs were compiled twice"
}
