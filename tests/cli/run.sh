#!/usr/bin/env bash
# Runs one case against the program: run.sh QEFF SOURCE CASE
#
# A case is a function test_<name> in one of the cases_*.sh files. It runs in a folder of its own,
# with a program cache of its own, and fails at the first expectation that does not hold. Exit 77:
# skipped, with the reason.
set -u
qeff=$1 source=$2 case=$3
export LC_ALL=C NO_COLOR= QEFF_THREADS= QEFF_BATCH_SIZE= COLUMNS=
goldens=$source/tests/golden/sentence_transformers
model=$goldens/new_mean
here=$source/tests/cli

work=$(mktemp -d "${TMPDIR:-/tmp}/qeff-cli-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
export QEFF_HOME=$work/.home
cd "$work" || exit 1

fail() {
    echo "FAILED: $case: $*"
    if [ -e .err ]; then sed 's/^/stderr: /' .err | head -20; fi
    exit 1
}

# two_threads: 2, or 1 where no more can run at once.
two_threads() {
    "$qeff" embed "$model" x --threads 2 >.two 2>&1 </dev/null && echo 2 || echo 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# run ARG…: stdout in .out, stderr in .err, the exit code in $code; stdin is empty unless $stdin
# names a file.
run() {
    "$qeff" "$@" >.out 2>.err <"${stdin:-/dev/null}"
    code=$?
}

# succeeds ARG…: exit code 0 and nothing on stderr.
succeeds() {
    run "$@"
    [ $code = 0 ] || fail "'$*' gave exit code $code"
    [ ! -s .err ] || fail "'$*' wrote to stderr"
}

# notes REGEX ARG…: exit code 0, and exactly one remark on stderr.
notes() {
    local regex=$1
    shift
    run "$@"
    [ $code = 0 ] || fail "'$*' gave exit code $code"
    [ "$(wc -l <.err)" = 1 ] || fail "'$*': expected one remark"
    grep -Eq "^note: $regex" .err || fail "'$*': expected the remark '$regex'"
}

# is_one_error REGEX: stderr holds one line `qeff: …` that matches, and at most a hint.
is_one_error() {
    head -n 1 .err | grep -Eq "^qeff: $1" || fail "expected an error 'qeff: $1'"
    [ "$(wc -l <.err)" -le 2 ] || fail "more than an error and a hint"
    [ "$(wc -l <.err)" = 1 ] || sed -n 2p .err | grep -q '^hint: ' || fail "the second line is no hint"
}

# fails CODE REGEX ARG…: that exit code, one error, nothing on stdout.
fails() {
    local expected=$1 regex=$2
    shift 2
    run "$@"
    [ $code = "$expected" ] || fail "'$*' gave exit code $code, expected $expected"
    is_one_error "$regex"
    [ ! -s .out ] || fail "'$*' failed with something on stdout"
}

# hints REGEX: the last error came with that hint.
hints() { sed -n 2p .err | grep -Eq "^hint: $1" || fail "expected the hint '$1'"; }

# prints REGEX: stdout of the last run has such a line.
prints() { grep -Eq -- "$1" .out || fail "stdout lacks '$1'"; }

has_no_temporaries() {
    [ -z "$(find "$work" -name '.tmp-*')" ] || fail "temporaries are left: $(find "$work" -name '.tmp-*')"
}

for file in "$here"/cases_*.sh; do
    # shellcheck disable=SC1090
    . "$file"
done
declare -F "test_$case" >/dev/null || fail "there is no such case"
"test_$case"
has_no_temporaries
