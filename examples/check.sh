#!/bin/sh
# Checks an installed weir as a stranger would use it: the exported names, the pkg-config file, the
# CMake package, and each example, built against the prefix and run.
#
#   sh examples/check.sh PREFIX BASE_URL [PATH...]
#
# PREFIX    where `cmake --install build --prefix PREFIX` put things
# BASE_URL  a server that is up; the files are BASE_URL/PATH for each PATH, or BASE_URL itself
#
# Exit code 0 when all is well, 1 with a line that says what is not.
set -u

[ $# -ge 2 ] || { echo "usage: sh examples/check.sh PREFIX BASE_URL [PATH...]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd) || exit 1
prefix=$(cd "$1" && pwd) || exit 1
base=${2%/}
shift 2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

die() { echo "examples/check.sh: $*" >&2; exit 1; }
# quiet STEP COMMAND...: the command's output is shown only when it fails
quiet() {
    step=$1
    shift
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; die "$step failed: $*"; }
}

# The files and their list.
urls=
[ $# -gt 0 ] || set -- ""
for path; do
    url=$base${path:+/$path}
    urls="$urls $url"
    echo "$url" >>"$work/list"
done
count=$#

# The shared library: its soname, and nothing exported but weir_.
lib=$(find "$prefix" -name 'libweir.so.0' | head -n 1)
[ -n "$lib" ] || die "$prefix has no libweir.so.0"
libdir=$(dirname "$lib")
readelf -d "$lib" | grep -q 'SONAME.*\[libweir\.so\.0\]' ||
    die "$lib: the soname is not libweir.so.0"
stray=$(nm -D --defined-only "$lib" | awk '$NF !~ /^weir_/ { print $NF }')
[ -z "$stray" ] || die "$lib exports more than weir_ names: $stray"
for name in $(sed -n 's/^WEIR_API.*[ *]\(weir_[a-z_]*\)(.*/\1/p' "$prefix"/include/weir/weir.h "$prefix"/include/weir/prefetch.h); do
    nm -D --defined-only "$lib" | grep -q " $name\$" || die "$lib does not export $name"
done

# pkg-config: shared, and linked with libweir.a.
PKG_CONFIG_PATH=$libdir/pkgconfig
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs weir) || die "pkg-config does not find weir"
# shellcheck disable=SC2086
quiet "pkg-config, shared" cc -o "$work/shared" "$here/download_list.c" $flags "-Wl,-rpath,$libdir"
# libweir.a upon shared libraries: libcurl.a needs more than its Debian package brings.
# shellcheck disable=SC2046
flags="$(pkg-config --cflags --libs-only-L weir) -l:libweir.a
    $(pkg-config --libs $(pkg-config --print-requires-private weir)) $(pkg-config --variable=static_libs weir)"
# shellcheck disable=SC2086
quiet "pkg-config, static" cc -o "$work/static" "$here/download_list.c" $flags
if ldd "$work/static" | grep -q libweir; then
    die "the program linked with libweir.a needs libweir.so"
fi

# The CMake package, by the examples' own project; weir::weir_static by a second one.
quiet "find_package" cmake -S "$here" -B "$work/build" "-DCMAKE_PREFIX_PATH=$prefix"
quiet "building the examples" cmake --build "$work/build"
mkdir "$work/static-project"
cat >"$work/static-project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.22)
project(static_user LANGUAGES C)
find_package(weir 0.1 REQUIRED)
add_executable(static_user $here/download_list.c)
target_link_libraries(static_user PRIVATE weir::weir_static)
END
quiet "find_package, weir::weir_static" \
    cmake -S "$work/static-project" -B "$work/build-static" "-DCMAKE_PREFIX_PATH=$prefix"
quiet "building with weir::weir_static" cmake --build "$work/build-static"

# files DIR: how many plain files are there
files() { find "$1" -type f | wc -l; }

run_list() {
    mkdir "$work/out-$1"
    (cd "$work/out-$1" && quiet "$1" "$2" "$work/list") || exit 1
    [ "$(files "$work/out-$1")" -eq "$count" ] ||
        die "$1: wanted $count files, got $(files "$work/out-$1")"
}
run_list shared "$work/shared"
run_list static "$work/static"
run_list static_user "$work/build-static/static_user"
run_list download_list "$work/build/download_list"

# shellcheck disable=SC2086
quiet per_file "$work/build/per_file" "$work/per_file" $urls
[ "$(grep -c ': done, .* saved as' "$work/log")" -eq "$count" ] || {
    cat "$work/log" >&2
    die "per_file: not every file was told as done"
}
diff -r "$work/out-shared" "$work/per_file" || die "per_file saved other bytes than download_list"

mkdir "$work/first"
(cd "$work/first" && quiet first_bytes "$work/build/first_bytes" "$work/list") || exit 1
grep -q "^$count good, 0 failed" "$work/log" || {
    cat "$work/log" >&2
    die "first_bytes: wanted $count good, 0 failed"
}
[ "$(files "$work/first")" -eq 0 ] || die "first_bytes left files behind"

# shellcheck disable=SC2086
quiet filter_lines "$work/build/filter_lines" $urls
[ "$(grep -c ' lines, the longest is number ' "$work/log")" -eq "$count" ] || {
    cat "$work/log" >&2
    die "filter_lines: not every file was told"
}
# shellcheck disable=SC2086
quiet count_levels "$work/build/count_levels" $urls
# shellcheck disable=SC2086
"$work/build/tee" "$work/tee" '' $urls >"$work/tee-lines" || die "tee failed"
diff -r "$work/out-shared" "$work/tee" || die "tee saved other bytes than download_list"
[ -s "$work/tee-lines" ] || die "tee wrote no lines"
# shellcheck disable=SC2086
quiet head_stage "$work/build/head_stage" "$work/head" 1 $urls
for file in "$work/out-shared"/*; do
    head -n 1 "$file" | cmp - "$work/head/${file##*/}" || die "head_stage saved another first line"
done

quiet feed_jobs sh -c '"$1" "$2" <"$3"' sh "$work/build/feed_jobs" "$work/feed" "$work/list"
diff -r "$work/out-shared" "$work/feed" || die "feed_jobs saved other bytes than download_list"

quiet prefetch_shards "$work/build/prefetch_shards" "$work/list" "$work/cache" 100M
[ "$(wc -l <"$work/log")" -eq "$count" ] || die "prefetch_shards: wanted $count shards"
[ -z "$(ls "$work/cache")" ] || die "prefetch_shards left shards behind that were done with"

# share_mirror serves what download_list saved: where weir was built with a server.
mkdir "$work/shared-again"
"$work/build/share_mirror" "$work/out-shared" 127.0.0.1:0 >"$work/mirror.out" 2>"$work/mirror.err" &
mirror=$!
trap 'kill $mirror 2>/dev/null; rm -rf "$work"' EXIT
until [ -s "$work/mirror.out" ] || ! kill -0 "$mirror" 2>/dev/null; do sleep 0.05; done
at=$(head -n 1 "$work/mirror.out")
if [ -n "$at" ]; then
    for file in "$work/out-shared"/*; do echo "$at${file##*/}"; done >"$work/mirror.list"
    (cd "$work/shared-again" && quiet "share_mirror" "$work/build/download_list" "$work/mirror.list") || exit 1
    diff -r "$work/out-shared" "$work/shared-again" || die "share_mirror served other bytes"
    kill "$mirror"
    wait "$mirror" || die "share_mirror ended with exit code $?"
    grep -q "127.0.0.1.*$count files" "$work/mirror.out" || die "share_mirror counted wrong"
elif ! grep -q 'built without libmicrohttpd' "$work/mirror.err"; then
    die "share_mirror did not start: $(cat "$work/mirror.err")"
fi

echo "examples: 9 programs built against $prefix and run; CMake and pkg-config, shared and static"
