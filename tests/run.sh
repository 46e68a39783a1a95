#!/bin/sh
# Installs what the tests need, builds, and runs everything: what CI runs.
#
#   sh tests/run.sh                 plain, ASan+UBSan and TSan builds, and fuzz targets by clang;
#                                   one ctest over all of them
#   sh tests/run.sh --quick         the plain build only
#   sh tests/run.sh [--quick] NAME  only tests whose names match the pattern
#
# WEIR_BUILD_DIR   where the builds go (build, below the source)
# WEIR_NO_INSTALL  when set, nothing is installed
#
# Needs no terminal and no standard input. The exit status is ctest's; its summary comes last.
set -u

source=$(cd "$(dirname "$0")/.." && pwd) || exit 1
build=${WEIR_BUILD_DIR:-$source/build}
case $build in
/*) ;;
*) build=$(pwd)/$build ;;
esac
quick=
pattern=
for word; do
    case $word in
    --quick) quick=yes ;;
    -*)
        echo "tests/run.sh: $word is not known; usage: sh tests/run.sh [--quick] [NAME]" >&2
        exit 2
        ;;
    *) pattern=$word ;;
    esac
done

# All that the tests need, by Debian 12 name.
packages="git cmake ninja-build gcc g++ libc6-dev binutils pkg-config libcurl4-openssl-dev
    libinih-dev libpcre2-dev zlib1g-dev libxxhash-dev libisal-dev libzstd-dev liblzma-dev
    libbz2-dev libbrotli-dev libsimdjson-dev libjq-dev libssl-dev libsqlite3-dev libexpat1-dev
    libmicrohttpd-dev libcmocka-dev clang libclang-rt-14-dev clang-tidy cppcheck nginx-light squid
    python3 openssl ca-certificates zstd xz-utils bzip2 brotli pigz jq ripgrep curl wget2 aria2
    strace util-linux mount iproute2 python3-h2"
case $(dpkg --print-architecture 2>/dev/null) in
amd64) packages="$packages libhyperscan-dev" ;;
arm64) packages="$packages libvectorscan-dev" ;;
esac

say() { echo "tests/run.sh: $*"; }

installed() {
    # another flavour of a package will do: nginx for nginx-light
    case $1 in
    nginx-light) command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] ;;
    *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
    esac
}

install_missing() {
    missing=
    for package in $packages; do
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || { say "everything that the tests need is installed"; return 0; }
    say "installing:$missing"
    root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || {
            say "not root and no sudo; as root: apt-get install$missing"
            return 1
        }
        root=sudo
    fi
    # RUNLEVEL=1: the servers among them are not to be started as services.
    log=$(mktemp) || return 1
    # shellcheck disable=SC2086
    if { $root apt-get update -q &&
        $root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y \
            --no-install-recommends $missing; } </dev/null >"$log" 2>&1; then
        rm -f "$log"
    else
        tail -n 40 "$log"
        rm -f "$log"
        say "apt-get failed; the packages are:$missing"
        return 1
    fi
}

# build NAME TARGET CMAKE_ARGUMENT...: configures and builds; its output only when something goes
# wrong, a warning included (-Werror, and CMake's own).
build() {
    name=$1
    target=$2
    shift 2
    say "building $build/$name"
    mkdir -p "$build/$name" || return 1
    log=$build/$name/build.log
    if ! { cmake -S "$source" -B "$build/$name" -G Ninja -DWEIR_TESTS=ON -DWEIR_WERROR=ON "$@" &&
        cmake --build "$build/$name" --target "$target"; } </dev/null >"$log" 2>&1; then
        tail -n 100 "$log"
        say "the $name build failed; all of its output is in $log"
        return 1
    fi
    if grep -Eq '(^|[ :])[Ww]arning:|CMake Warning' "$log"; then
        grep -E -A5 '(^|[ :])[Ww]arning:|CMake Warning' "$log"
        say "the $name build has warnings; all of its output is in $log"
        return 1
    fi
}

[ -n "${WEIR_NO_INSTALL:-}" ] || install_missing || exit 1
# A hundred programs are linked in each build: gold takes a third of the time.
link=
command -v ld.gold >/dev/null 2>&1 && link=-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=gold
build plain all -DWEIR_EXAMPLES=ON -DWEIR_SANITIZE= $link || exit 1
builds=plain
if [ -z "$quick" ]; then
    flags="-O1 -g -DNDEBUG"
    build asan all -DWEIR_SANITIZE=address,undefined -DWEIR_TEST_PREFIX=asan. $link \
        "-DCMAKE_C_FLAGS_RELWITHDEBINFO=$flags" || exit 1
    build tsan all -DWEIR_SANITIZE=thread -DWEIR_TEST_PREFIX=tsan. $link \
        "-DCMAKE_C_FLAGS_RELWITHDEBINFO=$flags" || exit 1
    build fuzz fuzz_targets -DWEIR_FUZZ=ON -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ ||
        exit 1
    builds="plain asan tsan fuzz"
fi

# One ctest over all builds: a list that names the lists of each.
for name in $builds; do
    echo "subdirs(\"$name\")"
done >"$build/CTestTestfile.cmake"

# TSan cannot place its memory where the kernel randomises too much.
fixed=
setarch "$(uname -m)" -R true 2>/dev/null && fixed="setarch $(uname -m) -R"

[ -z "$pattern" ] || set -- -R "$pattern"
[ -n "$pattern" ] || set -- --output-junit "$build/ctest.xml" # for the scoreboard
say "running the tests of: $builds"
# shellcheck disable=SC2086
exec $fixed ctest --test-dir "$build" -j "$((2 * $(nproc)))" --output-on-failure --no-label-summary "$@" </dev/null
