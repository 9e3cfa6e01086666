#!/usr/bin/env bash
# install_test.sh SOURCE BUILD WORK - the installed tree is complete, may be moved, and is found by
# pkg-config and by CMake. Reads CC, CFLAGS, CMAKE and FORMS ("shared static") from the environment.
set -euo pipefail

source=$1 build=$2 work=$3
model=$source/tests/golden/sentence_transformers/new_mean
fail() { echo "install: $*" >&2; exit 1; }

rm -rf "$work"
mkdir -p "$work"
"$CMAKE" --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/moved"
prefix=$work/moved

for file in bin/qeff include/qeff/qeff.h lib*/libqeff.a lib*/pkgconfig/qeff.pc \
            lib*/cmake/qeff/qeffConfig.cmake share/man/man1/qeff.1 \
            share/bash-completion/completions/qeff; do
    compgen -G "$prefix/$file" >/dev/null || fail "'$file' is not installed"
done
for header in "$source"/include/qeff/*.h; do
    cmp "$header" "$prefix/include/qeff/$(basename "$header")"
done
text=$(find "$prefix" -type f \( -name '*.pc' -o -name '*.cmake' \))
# shellcheck disable=SC2086
if grep -n -e "$work" -e "$build" $text; then fail "an installed file names the folder it was made in"; fi

libdir=$(dirname "$(find "$prefix" -name libqeff.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig

check() { # check NAME PROGRAM: it runs, and finds a sentence equal to itself but not to another
    local name=$1 program=$2
    [ "$(LD_LIBRARY_PATH=$libdir "$program" "$model" 'one text' 'one text')" = "cosine 1.0000" ] ||
        fail "$name: a text does not equal itself"
    [ "$(LD_LIBRARY_PATH=$libdir "$program" "$model" 'one text' 'and a longer other')" != "cosine 1.0000" ] ||
        fail "$name: two texts are equal"
}

export QEFF_HOME=$work/cache
"$prefix/bin/qeff" --version >/dev/null || fail "the installed program does not run"
for form in $FORMS; do
    if [ "$form" = static ]; then
        flags=$(pkg-config --static --cflags --libs qeff | sed 's/-lqeff\b/-l:libqeff.a/')
        option=-DQEFF_STATIC=ON
    else
        flags=$(pkg-config --cflags --libs qeff)
        option=-DQEFF_STATIC=OFF
    fi
    # shellcheck disable=SC2086
    "$CC" $CFLAGS -std=c11 -Wall -Wextra -Wpedantic -Werror "$source/examples/embed.c" $flags -lm -o "$work/pkg-$form"
    check "pkg-config, $form" "$work/pkg-$form"

    "$CMAKE" -S "$source/examples" -B "$work/cmake-$form" -DCMAKE_PREFIX_PATH="$prefix" $option \
        -DCMAKE_C_COMPILER="$CC" -DCMAKE_C_FLAGS="$CFLAGS" >"$work/cmake-$form.log"
    "$CMAKE" --build "$work/cmake-$form" >>"$work/cmake-$form.log" || { cat "$work/cmake-$form.log"; exit 1; }
    check "CMake, $form" "$work/cmake-$form/embed"
    echo "$form: pkg-config and CMake"
done
if [ "$FORMS" = "shared static" ]; then
    readelf -d "$work/pkg-shared" | grep -q 'libqeff\.so\.0' || fail "the shared example does not use libqeff.so.0"
fi
! readelf -d "$work/pkg-static" | grep -q 'libqeff' || fail "the static example uses the shared library"
