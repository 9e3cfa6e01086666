# shellcheck shell=bash
# What the tables give: help, manual pages, completion, docs/cli.md, and examples that run.

commands='embed tokenize export compile run inspect bench'

test_help_fits_80_columns() {
    local c
    for c in '' $commands; do
        # shellcheck disable=SC2086
        succeeds $c --help
        awk 'length > 80 { print; bad = 1 } END { exit bad }' .out || fail "help of '$c' is wider than 80"
        grep -q ' $' .out && fail "help of '$c' has spaces at the end of a line"
        # shellcheck disable=SC2086
        COLUMNS=40 succeeds $c --help
        # words, options and examples that are longer than that cannot be broken
        grep -vE '^    (qeff|cat) |^  +[-A-Z$]|^Usage' .out |
            awk 'length > 40 { print; bad = 1 } END { exit bad }' || fail "help of '$c' is wider than 40"
    done
}

test_help_has_all_parts() {
    local c part
    for c in $commands; do
        succeeds help "$c"
        cp .out help
        succeeds "$c" -h
        cmp -s help .out || fail "help $c and $c -h differ"
        for part in "Usage: qeff $c " 'Arguments:' 'Options:' '  -h, --help' 'Examples:'; do
            grep -q -e "$part" .out || fail "help of $c lacks '$part'"
        done
        succeeds __examples "$c"
        [ "$(wc -l <.out)" -ge 3 ] || fail "$c has less than three examples"
        while IFS= read -r line; do
            grep -qFx -e "    $line" help || fail "help of $c lacks the example '$line'"
        done <.out
    done
    succeeds help
    cp .out help
    succeeds -h
    cmp -s help .out || fail "help and -h differ"
    for c in $commands; do prints "^  $c "; done
}

test_help_wins_over_missing_arguments() {
    succeeds embed --threads 1 --help
    prints '^Usage: qeff embed'
    succeeds run -h
}

test_version_is_printed() {
    succeeds --version
    prints '^qeff [0-9]+\.[0-9]+\.[0-9]+ \(cpu: [a-z0-9]+\)$'
    cp .out version
    succeeds version
    cmp -s version .out || fail "version and --version differ"
}

test_man_pages_pass_the_lint() {
    local c
    for c in '' $commands; do
        # shellcheck disable=SC2086
        succeeds __man $c
        grep -q '^\.SH NAME$' .out || fail "man page of '$c' has no NAME"
        if command -v mandoc >/dev/null; then
            mandoc -Tlint -W warning .out >lint || { cat lint; fail "man page of '$c'"; }
        fi
    done
    command -v mandoc >/dev/null || skip "mandoc is not installed"
}

test_man_pages_name_every_option() {
    local c option
    for c in $commands; do
        succeeds "$c" --help
        grep -oE '^  (-., |    )--[a-z-]+' .out | grep -oE -- '--[a-z-]+' >options
        succeeds __man "$c"
        sed 's/\\-/-/g' .out >plain
        while IFS= read -r option; do
            grep -q -e "fB$option\\\\fR" plain || fail "man page of $c lacks $option"
        done <options
    done
}

test_docs_are_what_the_tables_say() {
    succeeds __markdown
    diff "$source/docs/cli.md" .out >difference ||
        { cat difference; fail "docs/cli.md is old: qeff __markdown > docs/cli.md"; }
}

# complete_words WORD…: what bash would offer for the last word.
complete_words() {
    bash -uc '
        . ./completion
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        COMPREPLY=()
        _qeff
        [ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' - "$@" >offered 2>complaints ||
        fail "completion failed: $(cat complaints)"
    [ ! -s complaints ] || fail "completion complained: $(cat complaints)"
}

test_completion_offers_commands_options_and_words() {
    succeeds __completion bash
    cp .out completion
    bash -n completion || fail "bash cannot read it"
    complete_words qeff ''
    grep -qx embed offered || fail "no command is offered"
    complete_words qeff em
    [ "$(cat offered)" = embed ] || fail "'em' is not embed"
    complete_words qeff help in
    [ "$(cat offered)" = inspect ] || fail "'help in' is not inspect"
    complete_words qeff embed m --trunc
    [ "$(cat offered)" = --truncate-dim ] || fail "no option is offered"
    complete_words qeff embed m --format p
    [ "$(cat offered)" = pretty ] || fail "no format is offered"
    complete_words qeff embed m --format = js
    [ "$(tr '\n' ' ' <offered)" = 'jsonl json ' ] || fail "no format is offered behind ="
    complete_words qeff embed m --pooling =
    grep -qx lasttoken offered || fail "no pooling is offered"
    mkdir 'a folder' && touch 'a file'
    complete_words qeff export m -o a
    [ "$(cat offered)" = 'a folder' ] || fail "no folder is offered"
    complete_words qeff embed m -o a
    [ ! -s offered ] || fail "files are left to bash"
    complete_words qeff embed m --threads ''
    [ ! -s offered ] || fail "numbers cannot be offered"
}

test_completion_knows_every_option() {
    local c option
    succeeds __completion bash
    cp .out completion
    for c in $commands; do
        succeeds "$c" --help
        while IFS= read -r option; do
            complete_words qeff "$c" "$option"
            grep -qxF -e "$option" offered || fail "completion of $c lacks $option"
        done < <(grep -oE '^  (-., |    )--[a-z-]+' .out | grep -oE -- '--[a-z-]+')
    done
}

# The examples stand in a folder that has what they name.
run_examples() {
    local line
    mkdir bin models
    ln -s "$qeff" bin/qeff
    ln -s "$1" models/all-MiniLM-L6-v2
    PATH=$work/bin:$PATH
    printf 'The water is cold today.\n\nthe cat sat\n' >texts.txt
    qeff export models/all-MiniLM-L6-v2 -o prepared >/dev/null || fail "preparing: export"
    ln -s prepared/*.onnx model.onnx
    ln -s prepared/*.data .
    qeff compile models/all-MiniLM-L6-v2 -o program >/dev/null || fail "preparing: compile"
    python3 "$here/arrays.py" ids in.npz 2,5,3 2,6,7,3 || fail "preparing: arrays"
    for c in $commands; do
        succeeds __examples "$c"
        cp .out examples
        while IFS= read -r line; do
            case $line in *'compile models/all-MiniLM-L6-v2 -o program') rm -rf program ;; esac
            bash -euo pipefail -c "$line" >.example 2>.err || fail "example '$line' failed"
            [ ! -s .err ] || fail "example '$line' wrote to stderr"
            case $line in *' -f npy -o '*) ;; *) [ -s .example ] || fail "example '$line' printed nothing" ;; esac
        done <examples
    done
}

test_examples_run_with_a_small_model() { run_examples "$model"; }

test_examples_run_with_the_real_model() {
    [ -n "${QEFF_TEST_MODEL-}" ] || skip "QEFF_TEST_MODEL is not set"
    run_examples "$QEFF_TEST_MODEL"
}
