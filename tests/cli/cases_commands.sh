# shellcheck shell=bash
# What the commands do, end to end, with the tiny models of the goldens.

write_texts() { printf '%s\n' 'the cat sat' 'a dog' '' 'the dog sat on the cat' 'zzz' >texts.txt; }

test_all_formats_hold_the_same_bits() {
    write_texts
    succeeds embed "$model" -i texts.txt -f npy
    cp .out vectors.npy
    python3 "$here/arrays.py" text vectors.npy >all || fail "npy cannot be read"
    [ "$(head -n 1 all)" = 5x16 ] || fail "expected 5x16, found $(head -n 1 all)"
    tail -n +2 all >expected
    succeeds embed "$model" -i texts.txt -f jsonl
    sed 's/^{"index": [0-9]*, "embedding": //; s/}$//' .out | python3 "$here/arrays.py" bits >found
    cmp -s expected found || fail "jsonl differs from npy"
    grep -o '"index": [0-9]*' .out | sed 's/.* //' | diff - <(seq 0 4) >/dev/null || fail "indices"
    succeeds embed "$model" -i texts.txt
    sed 's/^{"index": [0-9]*, "embedding": //; s/}$//' .out | python3 "$here/arrays.py" bits >found
    cmp -s expected found || fail "auto is not jsonl"
    succeeds embed "$model" -i texts.txt -f json
    sed 's/^\[\[/[/; s/^ //; s/\]\]$/]/; s/,$//' .out | python3 "$here/arrays.py" bits >found
    cmp -s expected found || fail "json differs from npy"
    python3 -c 'import json, sys; assert len(json.load(sys.stdin)) == 5' <.out || fail "json is no list of 5"
    succeeds embed "$model" -i texts.txt -f csv
    [ "$(head -n 1 .out)" = "$(seq -s, -f 'dim%g' 0 15)" ] || fail "header of csv"
    tail -n +2 .out | sed 's/^/[/; s/$/]/' | python3 "$here/arrays.py" bits >found
    cmp -s expected found || fail "csv differs from npy"
    succeeds embed "$model" -i texts.txt -f npy -o file.npy
    cmp -s file.npy vectors.npy || fail "--output differs from stdout"
    [ ! -s .out ] || fail "something is on stdout beside --output"
}

test_token_vectors_have_their_forms() {
    succeeds embed "$model" 'the cat sat' --pooling none -f npy -o one.npy
    [ "$(python3 "$here/arrays.py" text one.npy | head -n 1)" = 5x16 ] || fail "expected [CLS] 3 [SEP]"
    python3 "$here/arrays.py" text one.npy | tail -n +2 >expected
    succeeds embed "$model" 'the cat sat' 'a' --pooling none -f jsonl
    [ "$(wc -l <.out)" = 2 ] || fail "expected a line a text"
    head -n 1 .out | sed 's/.*"token_embeddings": \[//; s/\]}$//; s/\], \[/]\n[/g' |
        python3 "$here/arrays.py" bits >found
    cmp -s expected found || fail "jsonl differs from npy"
    succeeds embed "$model" 'the cat sat' 'a' --pooling none -f csv
    [ "$(wc -l <.out)" = 9 ] || fail "expected 5 and 3 tokens"
    grep -q '^text,token,dim0,' .out || fail "header of csv"
    grep -q '^1,2,' .out || fail "tokens of the second text"
    fails 2 '--format: npy holds the token vectors of one text, found 2 texts$' embed "$model" a b --pooling none -f npy
    hints '--format jsonl'
}

test_order_is_kept() {
    write_texts
    succeeds embed "$model" -i texts.txt -f csv --batch-size 2
    tail -n +2 .out >forward
    tac texts.txt >reversed.txt
    succeeds embed "$model" -i reversed.txt -f csv --batch-size 3
    tail -n +2 .out | tac >backward
    cmp -s forward backward || fail "another order, other vectors"
    succeeds embed "$model" -i texts.txt -f csv --threads "$(two_threads)"
    tail -n +2 .out | cmp -s - forward || fail "two threads, other vectors"
}

test_cut_texts_are_counted() {
    local long='the cat sat on the dog a b c d e f g h i j k l m n o p q r s t u v w x y z'
    notes '1 of 2 inputs were cut to [0-9]+ tokens$' embed "$model" "$long" 'the cat'
    notes '1 of 1 input was cut to 5 tokens$' embed "$model" "$long" --max-length 5
    fails 1 'text 2: expected at most 5 tokens, found [0-9]+$' embed "$model" 'a' "$long" --max-length 5 --on-overflow error
    printf 'a\nb\n%s\n' "$long" >texts.txt
    fails 1 'texts\.txt: line 3: expected at most 5 tokens' embed "$model" -i texts.txt --max-length 5 --on-overflow error
    stdin=texts.txt fails 1 'stdin: line 3: expected at most 5 tokens' embed "$model" --max-length 5 --on-overflow error
    notes '1 of 1 input was' embed "$model" "$long" --max-length 5 --on-overflow truncate-left -f csv
    cp .out left
    notes '1 of 1 input was' embed "$model" "$long" --max-length 5 -f csv
    cmp -s left .out && fail "left and right keep the same tokens"
    fails 2 '--max-length: expected at most [0-9]+, found 100000$' embed "$model" a --max-length 100000
}

test_dimensions_are_cut() {
    succeeds embed "$model" 'the cat' -f csv --truncate-dim 4
    [ "$(head -n 1 .out)" = dim0,dim1,dim2,dim3 ] || fail "expected four dimensions"
    fails 2 '--truncate-dim: expected at most 16, found 17$' embed "$model" 'the cat' --truncate-dim 17
}

test_prompts_are_put_before_texts() {
    succeeds embed "$goldens/prompts" 'the cat' -f csv --prompt-name query
    cp .out named
    succeeds embed "$goldens/prompts" 'query: the cat' -f csv --prompt-name document
    cmp -s .out named || fail "--prompt-name query is not 'query: '"
    fails 3 "prompt 'qurey': the model has no such prompt$" embed "$goldens/prompts" a --prompt-name qurey
}

test_a_folder_without_modules_is_remarked() {
    notes '.*no_modules: the folder names no pooling .*: using mean$' embed "$goldens/no_modules" 'the cat' -f csv
    cp .out found
    succeeds embed "$goldens/no_modules" 'the cat' -f csv --pooling mean
    cmp -s .out found || fail "it is not mean"
}

test_programs_give_the_vectors_of_their_folder() {
    write_texts
    succeeds embed "$model" -i texts.txt -f csv
    cp .out expected
    succeeds compile "$model" -o program
    [ "$(cat .out)" = program ] || fail "the path is not printed"
    succeeds embed program -i texts.txt -f csv
    cmp -s .out expected || fail "the program differs from its folder"
    succeeds embed "$model" -i texts.txt -f csv --no-cache
    cmp -s .out expected || fail "without the cache it differs"
    fails 2 'program: ' compile "$model" -o program
    fails 6 'program: a compiled program cannot be exported' export program -o onnx
    succeeds tokenize program 'the cat'
    cp .out expected
    succeeds tokenize "$model" 'the cat'
    cmp -s .out expected || fail "the tokenizer of the program differs"
}

test_programs_of_other_instructions_are_refused_and_caches_made_anew() {
    local precision
    for precision in bf16 int8; do
        succeeds compile "$model" --precision $precision -o program-$precision
        succeeds embed "$model" a --precision $precision
        grep -q '"level": "scalar"' program-$precision/programqpc.bin && skip "this processor is at level scalar"
        export QEFF_CPU=scalar
        fails 6 "program-$precision/programqpc\\.bin: .*compiled for '.*', this processor is used at level 'scalar'$" embed program-$precision a
        hints 'compile it again'
        succeeds embed "$model" a --precision $precision
        cp .out expected
        succeeds embed "$model" a --precision $precision --no-cache
        cmp -s .out expected || fail "the cached program is not one of this level"
        unset QEFF_CPU
    done
}

test_onnx_files_give_the_vectors_of_their_folder() {
    succeeds export "$model" -o onnx
    [ "$(cat .out)" = onnx/BertModel.onnx ] || fail "the path is not printed"
    succeeds compile onnx/BertModel.onnx -o program
    python3 "$here/arrays.py" ids in.npz 2,49,50,51,3 2,5,52,3
    succeeds run program in.npz -o out.npz
    [ "$(cat .out)" = out.npz ] || fail "the path is not printed"
    python3 "$here/arrays.py" text out.npz:output >found || fail "out.npz cannot be read"
    succeeds compile "$model" -o direct
    succeeds run direct in.npz -o direct.npz
    python3 "$here/arrays.py" text direct.npz:output >expected
    [ "$(head -n 1 found)" = 2x16 ] || fail "expected 2x16"
    cmp -s expected found || fail "the ONNX file and the folder differ"
    fails 6 'program: a program without text settings$' embed program a
    hints '.*qeff run'
    cp onnx/BertModel.onnx first
    succeeds export "$model" -o again
    cmp -s first again/BertModel.onnx || fail "a second export has other bytes"
}

test_arrays_that_do_not_fit_are_refused() {
    succeeds compile "$model" -o program
    python3 "$here/arrays.py" npz lacks.npz 'input_ids=<i8:1x3'
    fails 2 '.*attention_mask' run program lacks.npz -o out.npz
    python3 "$here/arrays.py" npz type.npz 'input_ids=<f4:1x3' 'attention_mask=<i8:1x3'
    fails 2 '.*input_ids' run program type.npz -o out.npz
    python3 "$here/arrays.py" npz shape.npz 'input_ids=<i8:1x3' 'attention_mask=<i8:1x4'
    fails 2 '.*attention_mask' run program shape.npz -o out.npz
    python3 "$here/arrays.py" npz more.npz 'input_ids=<i8:1x3' 'attention_mask=<i8:1x3' 'more=<i8:1'
    fails 2 '.*more' run program more.npz -o out.npz
    python3 "$here/arrays.py" ids high.npz 2,57,3
    fails 2 '.*input_ids' run program high.npz -o out.npz
    echo junk >junk.npz
    fails 5 'junk\.npz: ' run program junk.npz -o out.npz
    fails 3 'absent\.npz: ' run program absent.npz -o out.npz
    fails 3 'absent: ' run absent high.npz -o out.npz
    [ ! -e out.npz ] || fail "an output is left"
}

test_models_that_are_none_are_refused() {
    fails 3 'absent: no such file or folder$' embed absent a
    mkdir empty && fails 3 'empty' embed empty a
    cp -r "$model" broken && echo '{' >broken/config.json
    fails 5 'broken/config\.json: ' embed broken a
    rm -r broken && cp -r "$model" broken && head -c 100 "$model/model.safetensors" >broken/model.safetensors
    fails 5 'broken/model\.safetensors: ' embed broken a
    rm -r broken && cp -r "$model" broken && sed -i 's/"bert"/"bart"/' broken/config.json
    fails 6 'broken/config\.json: .*bart' embed broken a
    rm -r broken && cp -r "$model" broken && echo '{}' >broken/tokenizer.json
    fails 5 'broken/tokenizer\.json: ' embed broken a
    fails 5 'broken/tokenizer\.json: ' tokenize broken/tokenizer.json a
    [ ! -e "$QEFF_HOME" ] || [ -z "$(find "$QEFF_HOME" -name programqpc.bin)" ] || fail "a cache entry is left"
}

test_tokens_are_shown() {
    succeeds tokenize "$model" 'the cats'
    [ "$(cat .out)" = '{"ids": [2, 49, 50, 41, 3], "tokens": ["[CLS]", "the", "cat", "##s", "[SEP]"], "offsets": [[0, 0], [0, 3], [4, 7], [7, 8], [0, 0]], "type_ids": [0, 0, 0, 0, 0]}' ] ||
        fail "found $(cat .out)"
    succeeds tokenize "$model/tokenizer.json" 'the cats'
    prints '"ids": \[2, 49, 50, 41, 3\]'
    succeeds tokenize "$model" 'the' --pair 'dog'
    prints '"ids": \[2, 49, 3, 51, 3\].*"type_ids": \[0, 0, 0, 1, 1\]'
    succeeds tokenize "$model" 'the' --no-special-tokens
    prints '"ids": \[49\], '
    succeeds tokenize "$model" $'the\tc\xc3\xa4t' -f pretty
    prints '^the c' && prints '^ +49  the +0-3 +0$'
    prints 'tokens$'
    succeeds tokenize "$goldens/old_subfolder" 'the'
    prints '"ids": \[2, 49, 3\]'
}

test_inspect_shows_every_kind() {
    succeeds inspect "$model"
    prints '^kind +model$' && prints '^architecture +BertModel$' && prints '^parameters +[0-9,]+$'
    prints '^ +embeddings\.word_embeddings\.weight +f32 +\[57, 16\]'
    prints '^ +input_ids +i64 +\[batch_size, seq_len\]$'
    succeeds inspect "$model/model.safetensors"
    prints '^kind +safetensors$'
    succeeds inspect "$model/tokenizer.json"
    prints '^kind +tokenizer$' && prints '^normalizer +BertNormalizer$' && prints '^vocab size +57$'
    succeeds inspect "$source/tests/golden/bert/sharded/model.safetensors.index.json"
    prints '^tensors: '
    succeeds export "$model" -o onnx
    succeeds inspect onnx/BertModel.onnx
    prints '^kind +onnx$' && prints '^compiles +yes$' && prints '^ +MatMul +[0-9]+$'
    succeeds compile "$model" -o program
    succeeds inspect program
    prints '^kind +program$' && prints '^ +output +f32 +\[batch_size, 16\]$' && prints '^ +linear +[0-9]+$'
    succeeds inspect program/programqpc.bin
    grep -q ' $' .out && fail "spaces at the end of a line"
    fails 3 'absent: no such file or folder$' inspect absent
    fails 6 '.*texts\.json: a file of no known kind$' inspect "$goldens/texts.json"
    hints 'expected'
    fails 6 '.*golden: a folder of no known kind$' inspect "$source/tests/golden"
}

test_inspect_gives_json() {
    local path
    succeeds export "$model" -o onnx
    succeeds compile "$model" -o program
    succeeds compile onnx/BertModel.onnx -o generic
    for path in "$model" "$model/model.safetensors" "$model/tokenizer.json" onnx/BertModel.onnx program generic; do
        succeeds inspect "$path" --json
        python3 -c '
import json, sys
def unique(pairs):
    assert len(dict(pairs)) == len(pairs), "a key stands twice"
    return dict(pairs)
found = json.load(sys.stdin, object_pairs_hook=unique)
assert found["kind"] in ("model", "safetensors", "tokenizer", "onnx", "program"), found["kind"]
assert found["path"] == sys.argv[1]' "$path" <.out || fail "JSON of $path"
    done
}

test_inspect_is_not_fooled_by_names() {
    local name=$'\x1b[31mred\nline'
    python3 - "$name" <<'PYTHON'
import json, struct, sys
header = json.dumps({sys.argv[1]: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
open("names.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + bytes(4))
PYTHON
    succeeds inspect names.safetensors
    grep -q $'\x1b' .out && fail "a terminal command gets through"
    prints '\?\[31mred line'
    succeeds inspect names.safetensors --json
    grep -q $'\x1b' .out && fail "a terminal command gets through"
    return 0
}
