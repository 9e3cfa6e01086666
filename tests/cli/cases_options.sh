# shellcheck shell=bash
# Parsing: forms of options, values, unknown words. Most need no model, because options are read
# before anything is opened: a run that gets past them says that 'missing' is not there.

test_unknown_words_suggest_the_nearest() {
    fails 2 'embedd: unknown command$' embedd
    hints 'did you mean embed\?$'
    fails 2 'complie: unknown command$' complie
    hints 'did you mean compile\?$'
    fails 2 '--vers: unknown option$' --vers
    hints 'did you mean --version\?$'
    fails 2 'xyzzy: unknown command$' xyzzy
    hints 'see qeff --help$'
    fails 2 '--formt: unknown option$' embed "$model" --formt json
    hints 'did you mean --format\?$'
    fails 2 '--normalise: unknown option$' embed "$model" --normalise
    hints 'did you mean --normalize\?$'
    fails 2 '--trunc: unknown option$' embed "$model" --trunc=3
    hints 'did you mean --truncate-dim\?$'
    fails 2 '--wibble-wobble: unknown option$' embed "$model" --wibble-wobble
    hints 'see qeff embed --help$'
    fails 2 '-x: unknown option$' embed "$model" -x
    fails 2 'rn: unknown command' help rn
    hints 'did you mean run\?$'
}

test_hidden_words_are_checked_too() {
    fails 2 '__completion: unknown command$' __completion zsh
    fails 2 '__examples: unknown command$' __examples nothing
    fails 2 '__: unknown command$' __
}

test_missing_arguments_are_named() {
    fails 2 'COMMAND: expected a command, found nothing$'
    fails 2 'MODEL: expected a model folder.*, found nothing$' embed
    fails 2 'MODEL: expected .*, found an empty argument$' embed ''
    fails 2 'MODEL: expected a model folder, found nothing$' export
    fails 2 'IN: expected a \.npz file.*, found nothing$' run dir
    fails 2 'PATH: ' inspect
    fails 2 '--output: expected FILE, found nothing$' run dir in.npz
    fails 2 '--output: expected DIR, found nothing$' export missing -o
    fails 2 '--format: expected FORMAT, found nothing$' embed missing --format
}

test_superfluous_arguments_are_named() {
    fails 2 'b: one argument too many$' inspect a b
    fails 2 'third: one argument too many$' run a b third -o c
    fails 2 '--json: expected no value, found .yes.$' inspect a --json=yes
    fails 2 '--normalize: expected no value, found ..$' embed a --normalize=
}

test_numbers_are_whole_and_within_their_range() {
    local bad
    for bad in 0 -1 +1 1.0 1e3 0x10 ' 1' '1 ' abc NaN '' 1025 18446744073709551616 \
               99999999999999999999999999; do
        fails 2 '--threads: expected a whole number from 1 to 1024, found ' embed missing x --threads "$bad"
        fails 2 '--threads: ' embed missing x "--threads=$bad"
    done
    fails 2 "--batch-size: expected a whole number from 1 to 65536, found '0'$" embed missing x --batch-size 0
    fails 2 "--truncate-dim: expected a whole number from 1 to 1048576, found '-5'$" embed missing x --truncate-dim -5
    fails 2 "--max-length: expected a whole number from 1 to 1048576, found '1048577'$" embed missing x --max-length 1048577
    fails 3 'missing: no such file or folder$' embed missing x --threads 01 --max-length 0001
}

test_more_threads_than_can_run_at_once_are_refused() {
    local too_many='--threads: expected at most [0-9]+, since no more can run at once here, found 999$'
    fails 2 "$too_many" embed "$model" x --threads 999
    QEFF_THREADS=999 fails 2 "$too_many" embed "$model" x
    [ ! -e "$QEFF_HOME" ] || fail "something was compiled before the number was refused"
    succeeds compile "$model" -o program
    fails 2 "$too_many" embed program x --threads 999
    python3 "$here/arrays.py" ids in.npz 2,5,3
    fails 2 "$too_many" run program in.npz -o out.npz --threads 999
    [ ! -e out.npz ] || fail "out.npz was written"
    if command -v taskset >/dev/null; then
        one() { taskset -c "$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')" "$qeff" "$@"; }
        one embed "$model" x --threads 2 >.out 2>.err && fail "two threads on one processor"
        is_one_error '--threads: expected at most 1, '
        one embed "$model" x >/dev/null || fail "the default is no number of threads that can run"
    fi
}

test_choices_are_listed() {
    fails 2 "--format: expected auto, pretty, jsonl, json, npy or csv, found 'xml'$" embed missing x --format xml
    fails 2 "--format: expected .*, found ''$" embed missing x --format=
    fails 2 "--format: expected auto, pretty or jsonl, found 'npy'$" tokenize missing x -f npy
    fails 2 "--pooling: expected mean, max, .* or none, found 'MEAN'$" embed missing x --pooling MEAN
    fails 2 "--on-overflow: expected truncate-right, truncate-left or error, found 'cut'$" embed missing x --on-overflow cut
    fails 2 "--target: expected cpu, found 'gpu'$" compile missing --target gpu
}

test_forms_of_an_option() {
    local form
    for form in '--format json' '--format=json' '-f json' '-fjson'; do
        # shellcheck disable=SC2086
        fails 3 'missing: no such file or folder$' embed missing x $form
        # shellcheck disable=SC2086
        fails 3 'missing: no such file or folder$' embed $form missing x
    done
    fails 2 '--output: expected a path, found nothing$' embed missing x --output=
    fails 2 '--input: expected a path, found nothing$' embed missing -i ''
}

test_the_last_of_two_equal_options_counts() {
    succeeds embed "$model" x --format json --format csv
    prints '^dim0,dim1,'
    succeeds embed "$model" x --format csv -f json
    prints '^\[\['
    succeeds embed "$model" x --normalize --no-normalize -f json
    cp .out last
    succeeds embed "$model" x --no-normalize -f json
    cmp -s .out last || fail "the last of --normalize and --no-normalize does not count"
    fails 2 '--threads: ' embed "$model" x --threads 0 --threads 1
}

test_two_dashes_end_the_options() {
    succeeds tokenize "$model" --no-special-tokens -- --pair
    prints '"offsets": \[\[0, 1\], '
    succeeds tokenize "$model" --no-special-tokens -- -- a
    [ "$(wc -l <.out)" = 2 ] || fail "expected two texts"
    fails 2 '--pair: expected TEXT, found nothing$' tokenize "$model" --pair
    succeeds tokenize "$model" -
    prints '"offsets": \[\[0, 0\], \[0, 1\], \[0, 0\]\]'
}

test_values_may_look_like_options() {
    succeeds tokenize "$model" a --pair --help
    prints '"type_ids": \[.*1'
}

test_variables_stand_in_for_options() {
    QEFF_THREADS=0 fails 2 "QEFF_THREADS: expected a whole number from 1 to 1024, found '0'$" embed missing x
    QEFF_THREADS=0 fails 3 'missing: ' embed missing x --threads 1
    QEFF_BATCH_SIZE=many fails 2 "QEFF_BATCH_SIZE: expected a whole number .*, found 'many'$" embed missing x
    QEFF_THREADS='' fails 3 'missing: ' embed missing x
    QEFF_THREADS=0 fails 3 'missing: ' inspect missing
}

test_shown_words_stay_on_one_short_line() {
    fails 2 '\?\[31mred: unknown command$' $'\e[31mred'
    fails 2 'a\?b: unknown command$' $'a\nb'
    fails 2 '\?: unknown command$' $'\xff'
    fails 2 "--format: expected .*, found 'x{60}\.\.\.'$" embed m x --format "$(printf 'x%.0s' {1..5000})"
    fails 3 'no\?such: no such file or folder$' inspect $'no\nsuch'
}

test_long_arguments_are_fine() {
    local long
    long=$(head -c 120000 /dev/zero | tr '\0' a)
    run tokenize "$model" "$long"
    [ $code = 0 ] || fail "a text of 120,000 bytes gave exit code $code"
    run embed "$long" x
    [ $code = 1 ] || [ $code = 2 ] || [ $code = 3 ] || fail "a path of 120,000 bytes gave exit code $code"
    is_one_error ''
}

test_options_that_an_onnx_file_cannot_keep_are_refused() {
    fails 2 '--pooling: expected a model folder, found an ONNX file$' compile m.onnx -o p --pooling cls
    fails 2 '--normalize: expected a model folder, found an ONNX file$' compile m.onnx -o p --no-normalize
    fails 2 '--with-token-type-ids: expected a model' compile m.onnx -o p --with-token-type-ids
    fails 2 '--output: expected a folder for the program of an ONNX file, found nothing$' compile m.onnx
    fails 3 'm\.onnx: ' compile m.onnx -o p
}
