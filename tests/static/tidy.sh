#!/bin/sh
# clang-tidy over every C file of src, by the compile commands of a build of its own.
#
#   sh tests/static/tidy.sh SOURCE BUILD
set -u
source=$1 build=$2
mkdir -p "$build" || exit 1
cmake -S "$source" -B "$build" -DWEIR_TESTS=OFF -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
    -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ >"$build/cmake.log" 2>&1 || {
    cat "$build/cmake.log"
    exit 1
}
# Headers are made by the build; one file at a time, so that a slow one keeps nobody waiting.
find "$source/src" -name '*.c' | sort |
    xargs -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet 2>"$build/tidy.err"
status=$?
[ $status -eq 0 ] || tail -n 20 "$build/tidy.err"
exit $status
