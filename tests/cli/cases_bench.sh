# shellcheck shell=bash
# qeff bench: what it prints, what it compares, what it refuses. Times are never looked at.

bench() { succeeds bench "$model" --milliseconds 3 "$@"; }
check() { python3 "$here/bench.py" "$@" || fail "bench.py $*"; }

test_bench_prints_a_line_a_cell() {
    bench --batch-size 1,3 --length 5,ragged
    prints '^qeff [0-9.]+.*, .+, [a-z0-9]+$'
    prints '^batch +length +precision +threads +n +median us +p95 us +sentences/s +tokens/s +% probe$'
    prints '^ +1 +5 +fp32 +1 '
    prints '^ +3 +ragged +fp32 +1 '
    [ "$(wc -l <.out)" = 7 ] || fail "expected a heading and four cells"
    awk 'NR > 2 && length != last && last { bad = 1 } NR > 2 { last = length } END { exit bad }' .out || fail "not aligned"
}

test_bench_json_has_all_cells() {
    bench -b 1,2 -l 4,ragged --json
    cp .out cells.json
    check cells cells.json 1 4 1 1 ragged 1 2 4 1 2 ragged 1
    [ "$(two_threads)" = 2 ] || return 0
    bench -b 1,2 -l 4,ragged --threads 1,2 --json
    cp .out cells.json
    check cells cells.json 1 4 1 1 ragged 1 2 4 1 2 ragged 1 1 4 2 1 ragged 2 2 4 2 2 ragged 2
}

test_bench_leaves_out_lengths_the_model_lacks() {
    run bench "$model" --milliseconds 1 --json
    [ $code = 0 ] || fail "exit code $code"
    [ "$(grep -c '^note: length [0-9]* is left out: the model has not so many positions$' .err)" = 2 ] || fail "expected two notes"
    cp .out cells.json
    check cells cells.json 1 8 1 1 16 1 1 ragged 1 32 8 1 32 16 1 32 ragged 1
    fails 1 'sequence 0: expected at most 24 tokens, found 25$' bench "$model" -b 1 -l 25
}

test_bench_runs_a_program() {
    succeeds compile "$model" -o program
    succeeds bench program --milliseconds 1 -b 1 -l 4 --json
    cp .out cells.json
    check cells cells.json 1 4 1
}

test_bench_shares_add_to_100() {
    local threads
    for threads in 1 "$(two_threads)"; do
        bench -b 2 -l 6,ragged --threads "$threads" --profile --json
        cp .out cells.json
        check shares cells.json
    done
    bench -b 2 -l 6 --profile
    prints "^batch 2, length 6, fp32, 1 thread: share of the threads' time\$"
    prints '^  attention +[0-9.]+ % '
    prints '^  outside of the steps +[0-9.]+ %$'
}

test_bench_trace_opens() {
    bench -b 3 -l 6 --threads "$(two_threads)" --trace trace.json
    check trace trace.json load compile tokenize 'first call' encode attention
    fails 3 "no/such/trace.json" bench "$model" --milliseconds 1 -b 1 -l 4 --trace no/such/trace.json
    has_no_temporaries
}

test_bench_compare_tells_losses() {
    bench -b 1,2 -l 6 --json
    cp .out now.json
    check scale now.json 0.01 >fast.json
    check scale now.json 100 >slow.json
    run bench "$model" --milliseconds 3 -b 1,2 -l 6 --compare fast.json
    [ $code = 1 ] || fail "a loss gave exit code $code"
    [ "$(grep -c 'x  slower$' .out)" = 2 ] || fail "expected two losses"
    grep -q "^note: 2 cells are significantly slower than in 'fast.json'$" .err || fail "expected a note"
    succeeds bench "$model" --milliseconds 3 -b 1,2 -l 6 --compare slow.json
    [ "$(grep -c 'x  faster$' .out)" = 2 ] || fail "expected two gains"
    # spreads that meet are no loss, however far the medians are apart
    sed 's/"q3_us": [0-9.e+]*/"q3_us": 1e9/g' fast.json >spread.json
    succeeds bench "$model" --milliseconds 3 -b 1,2 -l 6 --compare spread.json
}

test_bench_compare_refuses_other_files() {
    echo '{"cells": [{"batch_size": 9, "length": 6, "precision": "fp32", "threads": 1, "median_us": 1}]}' >other.json
    echo '{"cells": [{"batch_size": 1, "length": 6, "precision": "fp32", "threads": 1}]}' >lacks.json
    echo '[1,' >broken.json
    echo '{}' >empty.json
    local base=(bench "$model" --milliseconds 1 -b 1 -l 6 --compare)
    fails 2 "other.json: expected a cell of this grid, found none" "${base[@]}" other.json
    fails 5 "lacks.json: a cell lacks 'median_us'" "${base[@]}" lacks.json
    fails 5 "broken.json: line " "${base[@]}" broken.json
    fails 5 "empty.json: expected an object with a list 'cells'" "${base[@]}" empty.json
    fails 3 "absent.json" "${base[@]}" absent.json
}

test_bench_refuses_lists() {
    local list
    for list in '' 0 1, ,1 1,,2 x -1 1x 99999999999999999999; do
        fails 2 "--batch-size: expected numbers from 1 to 16384, as in 1,32, found '" bench "$model" "--batch-size=$list"
    done
    fails 2 "--length: expected numbers from 1 to 65536 or ragged, as in 1,32, found 'raged'" bench "$model" --length raged
    fails 2 "--threads: expected numbers" bench "$model" --threads ragged
    fails 2 '--threads: expected at most [0-9]+, .*, found 64$' bench "$model" --threads 1,64
    fails 2 "--precision: expected fp32, bf16, int8 or int8-mixed, found 'fp31'" bench "$model" --precision fp32,fp31 -l 4
    fails 2 "--precision: expected names" bench "$model" --precision fp32,
    fails 3 "nothing" bench nothing
}
