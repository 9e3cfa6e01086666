# shellcheck shell=bash
# Where texts come from: arguments, lines, JSON lines. `tokenize` shows what arrived.

# texts_of: the texts that the last tokenize run saw, one a line, by their tokens
tokens_of() { sed 's/.*"tokens": \[\(.*\)\], "offsets".*/\1/' .out; }

test_lines_are_texts() {
    printf 'the cat\nsat on\nthe dog\n' >lines.txt
    succeeds tokenize "$model" -i lines.txt --no-special-tokens
    [ "$(tokens_of)" = $'"the", "cat"\n"sat", "on"\n"the", "dog"' ] || fail "other texts"
    printf 'the cat\nsat on\nthe dog' >unended.txt
    cp .out expected
    succeeds tokenize "$model" -i unended.txt --no-special-tokens
    cmp -s .out expected || fail "the last line needs no line feed"
    printf 'the cat\r\nsat on\r\nthe dog\r\n' >windows.txt
    succeeds tokenize "$model" -i windows.txt --no-special-tokens
    cmp -s .out expected || fail "CR LF ends a line too"
    stdin=lines.txt succeeds tokenize "$model" --input - --no-special-tokens
    cmp -s .out expected || fail "- is stdin"
    stdin=lines.txt succeeds tokenize "$model" --no-special-tokens
    cmp -s .out expected || fail "stdin is read where there is no text"
    succeeds tokenize "$model" --no-special-tokens 'the cat' 'sat on' 'the dog'
    cmp -s .out expected || fail "arguments are texts"
}

test_empty_lines_are_texts() {
    printf 'the\n\n\ncat\n' >lines.txt
    succeeds tokenize "$model" -i lines.txt
    [ "$(wc -l <.out)" = 4 ] || fail "expected four texts"
    succeeds embed "$model" -i lines.txt -f csv
    [ "$(wc -l <.out)" = 5 ] || fail "expected four vectors"
    [ "$(sed -n 3p .out)" = "$(sed -n 4p .out)" ] || fail "empty texts are alike"
}

test_no_lines_give_no_vectors() {
    : >none.txt
    succeeds tokenize "$model" -i none.txt
    [ ! -s .out ] || fail "expected nothing"
    succeeds embed "$model" -i none.txt -f jsonl
    [ ! -s .out ] || fail "expected nothing"
    succeeds embed "$model" -i none.txt -f json
    [ "$(cat .out)" = '[]' ] || fail "expected an empty list"
    succeeds embed "$model" -i none.txt -f csv
    [ "$(wc -l <.out)" = 1 ] || fail "expected a header"
    succeeds embed "$model" -i none.txt -f npy -o none.npy
    [ "$(python3 "$here/arrays.py" text none.npy)" = 0x16 ] || fail "expected no rows"
}

test_json_lines_are_texts() {
    printf '%s\n' '"the cat"' '{"id": 7, "text": "sat on"}' '' '   ' '"the\u0020dog"' >lines.jsonl
    succeeds tokenize "$model" -i lines.jsonl --no-special-tokens
    [ "$(tokens_of)" = $'"the", "cat"\n"sat", "on"\n"the", "dog"' ] || fail "other texts"
    cp .out expected
    sed 's/$/\r/' lines.jsonl >windows.jsonl
    succeeds tokenize "$model" -i windows.jsonl --no-special-tokens
    cmp -s .out expected || fail "CR LF ends a line too"
    printf '"the\\ncat"\n"a\\u0000b"\n' >escapes.jsonl
    succeeds tokenize "$model" -i escapes.jsonl --no-special-tokens
    [ "$(wc -l <.out)" = 2 ] || fail "line feeds and NUL may stand in a string"
}

test_bad_json_lines_are_named() {
    local line
    while IFS='|' read -r regex line; do
        printf '"fine"\n%s\n' "$line" >bad.jsonl
        fails 5 "bad\.jsonl: line 2: $regex" embed "$model" -i bad.jsonl
        fails 5 "bad\.jsonl: line 2: $regex" tokenize "$model" -i bad.jsonl
    done <<'CASES'
column [0-9]+: expected JSON: |{"text": "open
column [0-9]+: expected JSON: |plain
column [0-9]+: expected JSON: |"a" "b"
column [0-9]+: expected JSON: |{"text": "a", "text": "b"}
column [0-9]+: expected JSON: |"\ud800"
expected a member 'text', found none|{"txt": "a"}
expected a string as 'text', found null|{"text": null}
expected a string as 'text', found a number|{"text": 7}
expected a string or an object with 'text', found a list|["a"]
expected a string or an object with 'text', found a truth value|true
expected a string or an object with 'text', found null|null
CASES
    { printf '"fine"\n'; printf '[%.0s' {1..5000}; printf '\n'; } >deep.jsonl
    fails 5 'deep\.jsonl: line 2: column [0-9]+: expected JSON: ' tokenize "$model" -i deep.jsonl
    { printf '[0'; head -c 2000000 /dev/zero | sed 's/\x00/,0/g'; printf ']\n'; } >wide.jsonl
    fails 5 'wide\.jsonl: line 1: expected a string or an object' tokenize "$model" -i wide.jsonl
}

test_texts_have_a_limit() {
    head -c 1048576 /dev/zero | tr '\0' ' ' >fits.txt
    succeeds tokenize "$model" -i fits.txt
    { cat fits.txt; printf '\r\n'; } >crlf.txt
    succeeds tokenize "$model" -i crlf.txt
    { printf 'a\nb\n'; cat fits.txt; printf ' \nc\n'; } >over.txt
    fails 5 'over\.txt: line 3: expected a text of at most 1048576 bytes, found over 1048576$' tokenize "$model" -i over.txt
    { printf '"'; cat fits.txt; printf ' "\n'; } >over.jsonl
    fails 5 'over\.jsonl: line 1: expected a text of at most 1048576 bytes, found 1048577$' tokenize "$model" -i over.jsonl
    # no line feed ever comes: refused as soon as that is clear
    fails 5 '/dev/zero: line 1: expected at most 1048576 bytes, found more$' tokenize "$model" -i /dev/zero
}

test_invalid_utf8_is_replaced() {
    printf 'a\xffb\n' >bytes.txt
    printf 'a\xef\xbf\xbdb\n' >replaced.txt
    succeeds tokenize "$model" -i replaced.txt
    cp .out expected
    succeeds tokenize "$model" -i bytes.txt
    cmp -s .out expected || fail "invalid bytes are U+FFFD in lines"
    printf '"a\xffb"\n' >bytes.jsonl
    succeeds tokenize "$model" -i bytes.jsonl
    cmp -s .out expected || fail "invalid bytes are U+FFFD in JSON"
    succeeds tokenize "$model" $'a\xffb'
    cmp -s .out expected || fail "invalid bytes are U+FFFD in arguments"
}

test_sources_of_texts_do_not_mix() {
    echo a >lines.txt
    fails 2 '--input: expected either TEXT or a file, found both$' embed "$model" text -i lines.txt
    fails 3 'nowhere\.txt: no such file or directory$' embed "$model" -i nowhere.txt
    fails 1 '.*: is a directory$' embed "$model" -i .
    "$qeff" embed "$model" <&- >.out 2>.err
    code=$?
    [ $code = 1 ] || fail "a closed stdin gave exit code $code"
    is_one_error 'stdin: bad file descriptor$'
}

test_a_terminal_is_not_waited_for() {
    command -v script >/dev/null || skip "script is not installed"
    script -qec "'$qeff' embed '$model'; echo code \$?" /dev/null >.out 2>&1 </dev/null
    grep -q 'TEXT: expected a text, --input or a pipe, found none' .out || fail "no usage error"
    grep -q 'code 2' .out || fail "not exit code 2"
}
