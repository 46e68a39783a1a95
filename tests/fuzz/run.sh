#!/bin/sh
# Builds the fuzz targets by clang, with ASan and UBSan, and runs them.
#
#   sh tests/fuzz/run.sh [--time SECONDS] [--jobs N] [TARGET...]
#
# --time  for each target (600); --jobs  targets at a time (as many as there are processors)
# TARGET  "url" for fuzz_url.c; without any, all of them
#
# WEIR_BUILD_DIR   where the build goes (build-fuzz, below the source). What is found stays there
#                  from run to run, in tests/fuzz/found/TARGET, and inputs that crash in
#                  tests/fuzz/TARGET-*.
#
# Prints a table; exit code 1 when a target has crashed, leaked, or hung (20 s for one input).
# Installs nothing; clang and libclang-rt-14-dev are needed.
set -u

source=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
build=${WEIR_BUILD_DIR:-$source/build-fuzz}
case $build in
/*) ;;
*) build=$(pwd)/$build ;;
esac
seconds=600
jobs=$(nproc)

say() { echo "tests/fuzz/run.sh: $*"; }

# One target, in the folder of the programs; its row of the table goes to TARGET.row.
run_one() {
    name=$1
    corpus=$source/tests/fuzz/corpus/$name
    dict=
    [ ! -f "$source/tests/fuzz/$name.dict" ] || dict=-dict=$source/tests/fuzz/$name.dict
    mkdir -p "found/$name"
    before=$(find . -maxdepth 1 -name "$name-*" | wc -l)
    # shellcheck disable=SC2086
    "./fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$name-" $dict "found/$name" "$corpus" </dev/null >"$name.log" 2>&1
    code=$?
    after=$(find . -maxdepth 1 -name "$name-*" | wc -l)
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$name.log" | tail -n 1)
    took=$(sed -n 's/^Done .* in \([0-9]*\) second.*/\1/p' "$name.log")
    inputs=$(find "found/$name" "$corpus" -type f | wc -l)
    crashes=$((after - before))
    # a leak or a hang may leave no input behind
    [ "$code" -eq 0 ] || [ "$crashes" -gt 0 ] || crashes=1
    printf '%-12s %12s %8s %8s %8s\n' "$name" "${runs:-0}" "${took:--}" "$inputs" "$crashes" |
        tee "$name.row"
    return "$code"
}

if [ "${1:-}" = --one ]; then
    seconds=$2
    cd "$build/tests/fuzz" || exit 1
    run_one "$3"
    exit 0
fi

while [ $# -gt 0 ]; do
    case $1 in
    --time | --jobs)
        case ${2:-} in
        '' | *[!0-9]*)
            say "$1 ${2:-}: a whole number is wanted" >&2
            exit 2
            ;;
        esac
        [ "$1" = --time ] && seconds=$2 || jobs=$2
        shift 2
        ;;
    -*)
        say "$1 is not known; see the top of tests/fuzz/run.sh" >&2
        exit 2
        ;;
    *) break ;;
    esac
done

command -v clang >/dev/null 2>&1 || {
    say "clang is missing: apt-get install clang libclang-rt-14-dev"
    exit 1
}
mkdir -p "$build" || exit 1
say "building in $build (log: build.log there)"
if ! { cmake -S "$source" -B "$build" -G Ninja -DWEIR_TESTS=ON -DWEIR_FUZZ=ON \
    -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ &&
    cmake --build "$build" --target fuzz_targets; } </dev/null >"$build/build.log" 2>&1; then
    tail -n 60 "$build/build.log"
    say "the build failed; all of its output is in $build/build.log"
    exit 1
fi

known=$(cat "$build/tests/fuzz/targets")
[ $# -gt 0 ] || eval "set -- $(echo "$known" | tr '\n' ' ')"
for name; do
    echo "$known" | grep -qx "$name" || {
        say "there is no target $name; there are:" $known >&2
        exit 2
    }
done

say "$# targets, $seconds s each, $jobs at a time"
rm -f "$build"/tests/fuzz/*.row
printf '%-12s %12s %8s %8s %8s\n' target runs seconds corpus crashes
export WEIR_BUILD_DIR="$build"
printf '%s\n' "$@" | xargs -P "$jobs" -n 1 sh "$0" --one "$seconds"

cat "$build"/tests/fuzz/*.row | python3 -B "$source/tests/scores.py" --keep fuzz "" \
    target runs seconds corpus crashes

bad=
for name; do
    row=$build/tests/fuzz/$name.row
    if [ ! -s "$row" ] || [ "$(awk '{ print $5 }' "$row")" != 0 ]; then
        bad="$bad $name"
        echo
        say "$name failed; the end of $build/tests/fuzz/$name.log:"
        tail -n 40 "$build/tests/fuzz/$name.log"
    fi
done
[ -z "$bad" ] || {
    say "failed:$bad; the inputs are $build/tests/fuzz/TARGET-*"
    exit 1
}
say "nothing found"
