# shellcheck shell=bash
# Where data goes, and what happens where it cannot go there; terminals; signals.

# loses CODE REGEX ARG…: stdout was prepared by the caller and takes nothing.
is_lost() {
    [ "$code" = "$1" ] || fail "exit code $code, expected $1"
    is_one_error "$2"
}

test_a_closed_stdout_is_an_error() {
    local args
    for args in '--help' 'embed --help' '--version' '__man' "tokenize $model a" "inspect $model" \
                "embed $model a" "embed $model a -f npy" "embed $model a -f pretty"; do
        # shellcheck disable=SC2086
        "$qeff" $args >&- 2>.err </dev/null
        code=$?
        is_lost 1 'stdout: bad file descriptor$'
    done
}

test_a_full_stdout_is_an_error() {
    local args
    [ -c /dev/full ] || skip "there is no /dev/full"
    for args in '--help' "tokenize $model a" "inspect $model --json" "embed $model a" "export $model -o onnx"; do
        # shellcheck disable=SC2086
        "$qeff" $args >/dev/full 2>.err </dev/null
        code=$?
        is_lost 7 'stdout: no space left on device$'
    done
    fails 7 '/dev/full: no space left on device$' embed "$model" a -o /dev/full
    [ -c /dev/full ] || fail "the device is gone"
}

test_a_closed_pipe_is_an_error() {
    yes 'the cat' | head -n 20000 >texts.txt
    "$qeff" tokenize "$model" -i texts.txt 2>.err | head -n 1 >.out
    code=${PIPESTATUS[0]}
    is_lost 1 'stdout: broken pipe$'
    [ "$(wc -l <.out)" = 1 ] || fail "head got nothing"
}

test_a_closed_stderr_changes_nothing() {
    "$qeff" embed "$model" 'the cat' -f csv >.out 2>&- </dev/null || fail "exit code $?"
    [ "$(wc -l <.out)" = 2 ] || fail "the output differs"
    "$qeff" embed absent a >.out 2>&- </dev/null
    [ $? = 3 ] || fail "another exit code"
    [ ! -s .out ] || fail "the error is on stdout"
    "$qeff" embed "$model" a -f npy -o out.npy >&- 2>&- <&- || fail "all closed: exit code $?"
    python3 "$here/arrays.py" text out.npy >/dev/null || fail "the file took what was for stderr"
}

test_files_appear_complete_or_not_at_all() {
    echo before >out.csv
    fails 3 'absent: ' embed absent a -f csv -o out.csv
    fails 2 '--truncate-dim: ' embed "$model" a -f csv -o out.csv --truncate-dim 999
    fails 2 '--format: ' embed "$model" a b --pooling none -f npy -o out.csv
    [ "$(cat out.csv)" = before ] || fail "the file was touched by a failure"
    (
        ulimit -f 1
        "$qeff" embed "$model" a b c d e f g h -f csv --no-cache --output out.csv >.out 2>.err </dev/null
    )
    [ "$(cat out.csv)" = before ] || fail "the file was touched by a full disk"
    fails 3 'nowhere/out\.csv: no such file or directory$' embed "$model" a -o nowhere/out.csv
    fails 1 '\.: is a directory$' embed "$model" a -o .
    succeeds embed "$model" a -f csv -o out.csv
    [ "$(wc -l <out.csv)" = 2 ] || fail "the file is not new"
    [ "$(stat -c %a out.csv)" = "$(printf '%o' $((0666 & ~$(umask))))" ] || fail "the file has other rights"
}

test_links_and_devices_stay() {
    echo before >real.csv
    ln -s real.csv link.csv
    succeeds embed "$model" a -f csv -o link.csv
    [ -L link.csv ] || fail "the link is gone"
    grep -q '^dim0' real.csv || fail "the file behind the link is old"
    succeeds embed "$model" a -f csv -o /dev/null
    [ -c /dev/null ] || fail "the device is gone"
    succeeds embed "$model" a -f csv -o -
    prints '^dim0'
    succeeds embed "$model" a -f csv -o /dev/stdout
    prints '^dim0'
    mkfifo pipe
    "$qeff" embed "$model" a -f csv -o pipe 2>.err </dev/null &
    head -n 1 <pipe | grep -q '^dim0' || fail "the pipe took nothing"
    wait
    [ -p pipe ] || fail "the pipe is gone"
    succeeds compile "$model" -o program
    python3 "$here/arrays.py" ids in.npz 2,5,3
    fails 2 '/dev/null: expected a name for a regular file, found a device or pipe$' run program in.npz -o /dev/null
    fails 2 'program: expected a name for a regular file, found a folder$' run program in.npz -o program
    [ -c /dev/null ] || fail "the device is gone"
}

test_writing_where_nothing_may_be_written() {
    [ "$(id -u)" != 0 ] || skip "root may write everywhere"
    mkdir closed && chmod 555 closed
    fails 1 'closed/out\.csv: permission denied$' embed "$model" a -o closed/out.csv
    fails 1 'closed/' compile "$model" -o closed/program
    chmod 755 closed
}

test_a_locale_changes_nothing() {
    succeeds embed "$model" 'the cat' -f csv
    cp .out expected
    local locale
    for locale in $(locale -a 2>/dev/null | grep -iE '^(de|tr|fr)_' | head -3) C.UTF-8; do
        LC_ALL=$locale LANG=$locale succeeds embed "$model" 'the cat' -f csv
        cmp -s .out expected || fail "locale $locale changes the numbers"
    done
}

test_pretty_is_for_people() {
    succeeds embed "$model" 'the cat' 'the dog' -f pretty
    prints '^2 texts, 16 dimensions, 8 tokens$'
    prints '^ 1 the cat$' && prints 'norm [0-9.]+  \[ ?-?[0-9]\.'
    prints '^cosine similarity$' && prints '^ +1  1\.000 '
    awk 'length > 80 { bad = 1 } END { exit bad }' .out || fail "wider than 80"
    grep -q $'\x1b' .out && fail "colours where no terminal is"
    COLUMNS=40 succeeds embed "$model" 'the cat' 'the dog' "$(printf 'a b %.0s' {1..4})" -f pretty
    awk 'length > 40 { print; bad = 1 } END { exit bad }' .out || fail "wider than 40"
    COLUMNS=20 succeeds embed "$model" a b c d e f -f pretty
    prints '^cosine similarity of the first 2 texts$'
    succeeds embed "$model" a -f pretty
    prints '^1 text, ' && ! grep -q cosine .out || fail "one text has no matrix"
    succeeds embed "$model" $'\e[31mred\u202e' '' -f pretty
    grep -q $'\x1b' .out && fail "a terminal command gets through"
    prints '^ 2 \(empty\)$'
}

# on_terminal COMMAND: stdout and stderr of a command that has a terminal, in .out
on_terminal() {
    command -v script >/dev/null || skip "script is not installed"
    script -qec "$1" /dev/null >.out 2>&1 </dev/null
}

test_terminals_get_tables_and_colours() {
    export TERM=xterm-256color
    unset NO_COLOR COLUMNS
    on_terminal "'$qeff' embed '$model' 'the cat' 'the dog'"
    prints 'cosine similarity'
    grep -q $'\x1b\\[48;5;' .out || fail "no 256 colours"
    TERM=xterm on_terminal "'$qeff' embed '$model' 'the cat' 'the dog'"
    grep -q $'\x1b\\[4[346];3' .out || fail "no 8 colours"
    NO_COLOR=1 on_terminal "'$qeff' embed '$model' 'the cat' 'the dog'"
    prints 'cosine similarity'
    grep -q $'\x1b' .out && fail "colours in spite of NO_COLOR"
    TERM=dumb on_terminal "'$qeff' embed '$model' 'the cat' 'the dog'"
    grep -q $'\x1b' .out && fail "colours on a dumb terminal"
    on_terminal "'$qeff' tokenize '$model' 'the cat'"
    prints 'offsets  type'
    on_terminal "'$qeff' embed '$model' 'the cat' -f jsonl"
    prints '^\{"index": 0, '
    return 0
}

# interrupted SIGNAL ARG…: the signal comes as soon as there is a temporary file or folder. A shell
# has the signals of what it runs in the background ignored; env undoes that.
interrupted() {
    local signal=$1 made=$2 pid
    shift 2
    for _ in $(seq 20); do
        env --default-signal="$signal" "$qeff" "$@" >.out 2>.err </dev/null &
        pid=$!
        while kill -0 $pid 2>/dev/null; do
            [ -z "$(find . -name '.tmp-*')" ] || break
        done
        kill "-$signal" $pid 2>/dev/null
        wait $pid 2>/dev/null
        code=$?
        [ $code = 0 ] || return
        rm -rf "$made"
    done
    skip "the program is over before a signal comes"
}

test_signals_leave_nothing_half_made() {
    local signal
    env --default-signal=INT true 2>/dev/null || skip "env cannot reset signals"
    yes 'the cat sat on the dog' | head -n 100000 >many.txt
    succeeds embed "$model" a # the program is compiled
    for signal in INT TERM HUP; do
        interrupted $signal out.csv embed "$model" -i many.txt -f csv -o out.csv
        [ $code -gt 128 ] || fail "SIG$signal gave exit code $code"
        [ ! -e out.csv ] || fail "SIG$signal left a file"
        [ ! -s .err ] || fail "SIG$signal is no error"
        has_no_temporaries
    done
}

test_signals_leave_no_half_program() {
    [ -n "${QEFF_TEST_MODEL-}" ] || skip "QEFF_TEST_MODEL is not set"
    env --default-signal=INT true 2>/dev/null || skip "env cannot reset signals"
    interrupted INT program compile "$QEFF_TEST_MODEL" -o program
    [ $code -gt 128 ] || fail "SIGINT gave exit code $code"
    [ ! -e program ] || fail "SIGINT left a program"
    has_no_temporaries
    interrupted TERM onnx export "$QEFF_TEST_MODEL" -o onnx
    [ $code -gt 128 ] || fail "SIGTERM gave exit code $code"
    [ -z "$(ls onnx)" ] || fail "SIGTERM left a file: $(ls onnx)"
    has_no_temporaries
}

# From too little to load the program with its libraries, which is not ours to say, to enough.
test_little_memory_is_an_error() {
    grep -Eq '__(a|t|m)san_init' "$qeff" && skip "the sanitizer needs terabytes of addresses of its own"
    local kib source n_refused=0 n_done=0
    yes 'the cat sat on the dog' | head -n 200 >many.txt
    succeeds compile "$model" -o program
    for source in "$model" program; do
        for kib in $(seq 10000 500 40000) 1000000; do
            ( ulimit -v "$kib" && "$qeff" embed $source -i many.txt -f npy -o out.npy >.out 2>.err </dev/null )
            code=$?
            [ $code = 127 ] && continue
            has_no_temporaries
            [ $code = 0 ] && n_done=$((n_done + 1)) && rm out.npy && continue
            [ $code = 7 ] || fail "exit code $code with $kib KiB"
            is_one_error ''
            [ ! -s .out ] || fail "something is on stdout"
            [ ! -e out.npy ] || fail "a file was left"
            n_refused=$((n_refused + 1))
        done
    done
    [ $n_refused -gt 0 ] || fail "there was always enough"
    [ $n_done -gt 1 ] || fail "there was never enough"
}

test_few_files_are_enough() {
    (
        ulimit -n 16
        "$qeff" embed "$model" 'the cat' -f csv >.out 2>.err </dev/null
    ) || fail "exit code $?"
}

test_no_home_is_no_hindrance() {
    ( unset HOME QEFF_HOME XDG_CACHE_HOME; "$qeff" embed "$model" a -f csv >.out 2>.err </dev/null ) || fail "exit code $?"
    prints '^dim0'
    QEFF_HOME=/proc/nowhere run embed "$model" a -f csv
    [ $code = 0 ] || fail "an unusable cache gave exit code $code"
    grep -q '^note: .*program cache' .err || fail "the cache is not remarked on"
}
