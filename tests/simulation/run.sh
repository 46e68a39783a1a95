#!/bin/sh
# The simulation of the decisions, by itself: builds it, and runs many seeds.
#
#   sh tests/simulation/run.sh            ten thousand seeds
#   sh tests/simulation/run.sh --long     a hundred thousand, from a seed that is told
#   sh tests/simulation/run.sh --seed N [--trace]     one of them again
#
# WEIR_BUILD_DIR   where the build goes (build, below the source); needs what tests/run.sh installs
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${WEIR_BUILD_DIR:-$top/build}/plain
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S "$top" -B "$build" -G Ninja -DWEIR_TESTS=ON && cmake --build "$build" --target simulation; } \
    </dev/null >"$log" 2>&1; then
    tail -n 50 "$log"
    exit 1
fi
case ${1-} in
--long)
    shift
    set -- --seeds 100000 --from "$(date +%s)00000" "$@"
    ;;
'') set -- --seeds 10000 ;;
esac
"$build/tests/simulation/simulation" "$@" >"$log" 2>&1 && status=0 || status=$?
cat "$log"
# "N seeds from M in S s, R a second: no rule was broken"
sed -n 's/^\([0-9]*\) seeds from \([0-9]*\) in .*: \(.*\)$/\1\t\2\t\3/p' "$log" |
    python3 -B "$top/tests/scores.py" simulation "" seeds from found
exit "$status"
