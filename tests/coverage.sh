#!/bin/sh
# What the quick tests reach: lines and branches by room, and the error paths that no test has taken.
#
#   sh tests/coverage.sh            builds, runs all but the system tests of scale and of timing
#   sh tests/coverage.sh --all      those too
#   sh tests/coverage.sh --report   only the report, of what has run before
#
# WEIR_BUILD_DIR   where the build goes (build, below the source): its folder `coverage`
#
# Needs what tests/run.sh installs, and gcovr. Not part of tests/run.sh: it takes some minutes and
# judges the tests, not the program. A test that fails here is told and counts as far as it went:
# programs that are killed, or that run where they may not write, leave no counts behind.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
build=${WEIR_BUILD_DIR:-$top/build}/coverage
command -v gcovr >/dev/null 2>&1 || {
    echo "tests/coverage.sh: gcovr is missing: apt-get install gcovr" >&2
    exit 2
}
# test_install builds a program of its own, without the counters; the calls that fail in the faults
# are the counters' own, too.
quick="-LE static -E test_install|faults.short|test_scale|test_limits|test_prefetch_kill"
case ${1-} in
'') ;;
--all) quick="-LE static -E test_install|faults.short" ;;
--report) quick= ;;
*)
    echo "usage: sh tests/coverage.sh [--all | --report]" >&2
    exit 2
    ;;
esac
if [ -n "$quick" ]; then
    mkdir -p "$build"
    # Counters are shared by threads; -O0 keeps lines what they are in the source.
    flags="--coverage -fprofile-update=atomic -O0"
    if ! { cmake -S "$top" -B "$build" -G Ninja -DWEIR_TESTS=ON -DWEIR_EXAMPLES=ON \
        -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" &&
        cmake --build "$build"; } </dev/null >"$build/build.log" 2>&1; then
        tail -n 50 "$build/build.log"
        exit 1
    fi
    find "$build" -name '*.gcda' -delete
    # shellcheck disable=SC2086
    ctest --test-dir "$build" $quick -j "$(nproc)" --timeout 400 </dev/null \
        >"$build/ctest.log" 2>&1 ||
        grep -E '^[[:space:]]+[0-9]+ - |tests passed' "$build/ctest.log" || true
fi
gcovr --root "$top" --filter "$top/src/" --object-directory "$build" "$build" \
    --exclude-unreachable-branches --gcov-ignore-parse-errors --json "$build/coverage.json" \
    >"$build/gcovr.log" 2>&1 || {
    tail -n 20 "$build/gcovr.log"
    exit 1
}
exec python3 -B "$top/tests/coverage_report.py" "$build/coverage.json" "$top"
