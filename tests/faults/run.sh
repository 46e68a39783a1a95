#!/bin/sh
# The proof by faults: each fault in each mode, what must hold after it, and a table of counts.
#
#   sh tests/faults/run.sh [--short|--long] [--seed N] [--jobs N] [--only ROW/NAME] [ROW...]
#   sh tests/faults/run.sh --build DIR ...     with what was built there, by WEIR_TESTS=ON
#   sh tests/faults/run.sh --help              the rows
#
# Without --build it builds into build/plain (or $WEIR_BUILD_DIR/plain), where tests/run.sh does,
# which also installs what is needed. Root, or a user namespace, is needed for mounts and networks.
# The exit status is 1 when a promise was broken, or a trial could not run.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 2
source=$(cd "$here/../.." && pwd) || exit 2
build=
next=
count=$#
while [ "$count" -gt 0 ]; do
    word=$1
    shift
    count=$((count - 1))
    if [ -n "$next" ]; then
        build=$word
        next=
        continue
    fi
    case $word in
    --build) next=yes ;;
    --build=*) build=${word#--build=} ;;
    *) set -- "$@" "$word" ;;
    esac
done
if [ -z "$build" ]; then
    build=${WEIR_BUILD_DIR:-$source/build}/plain
    mkdir -p "$build" || exit 2
    log=$build/faults.log
    if ! { cmake -S "$source" -B "$build" -G Ninja -DWEIR_TESTS=ON &&
        cmake --build "$build"; } </dev/null >"$log" 2>&1; then
        tail -n 40 "$log"
        echo "tests/faults/run.sh: the build failed; sh tests/run.sh installs what it needs" >&2
        exit 2
    fi
fi
build=$(cd "$build" && pwd) || exit 2
[ -x "$build/weir" ] || {
    echo "tests/faults/run.sh: $build/weir: not there; build with -DWEIR_TESTS=ON" >&2
    exit 2
}
sanitize=$(sed -n 's/^WEIR_SANITIZE:[A-Z]*=//p' "$build/CMakeCache.txt")

export WEIR_COMMAND="$build/weir" WEIR_BUILD_DIR="$build" WEIR_SOURCE_DIR="$source"
export WEIR_SANITIZE="$sanitize" WEIR_FAULTD="$build/tests/faults/faultd"
export WEIR_FAULTBODY="$build/tests/faults/faultbody.so"
export WEIR_FAULTSHIM="$build/tests/faults/faultshim.so"
export WEIR_FAULTMEMORY="$build/tests/faults/faultmemory.so"
export PYTHONPATH="$source/tests/system:$source/tests"
export ASAN_OPTIONS=exitcode=99 LSAN_OPTIONS=exitcode=99 TSAN_OPTIONS=exitcode=99:halt_on_error=1
export UBSAN_OPTIONS=halt_on_error=1:exitcode=99:print_stacktrace=1
# the one of the system, for which the distribution has the modules
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" -B "$here/matrix.py" "$@"
