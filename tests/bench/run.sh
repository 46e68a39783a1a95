#!/bin/sh
# weir side by side with curl -Z, wget2 and aria2, and its filters with curl | rg and curl | jq: the
# same files from the same nginx on loopback, in interleaved rounds; medians of wall time, CPU and
# peak memory, and the goals of the project.
#
#   sh tests/bench/run.sh [--quick] [--rows small,large,...] [--weir PATH] [--json FILE] [--help]
#   sh tests/bench/run.sh --profile [--rows ...]     where weir's CPU time goes, by perf (linux-perf)
#
# Installs what it needs (apt, by name), builds into build-bench, and needs about 11 GB on a memory
# disk (/dev/shm) for files served and received; the filter rows alone 6 GB. Nothing but loopback is
# used. Figures are worth something on a machine that does nothing else. Every run goes to
# build-bench/bench.jsonl as well. Exit code 0: measured; 1: a run of weir did not do its work.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build-bench
PATH=$PATH:/usr/sbin:/sbin
export PATH

weir=
for word; do
    case $word in
    --weir | --weir=*) weir=given ;;
    esac
done

# need PROGRAM PACKAGE: notes the package when the program is missing
missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need nginx nginx-light
need curl curl
need wget2 wget2
need aria2c aria2
need openssl openssl
need rg ripgrep
need grep grep
need xargs findutils
need gzip gzip
need pigz pigz
need zstd zstd
need jq jq
need python3 python3
need gcc gcc
need g++ g++
need pkg-config pkg-config
need wrk wrk
need h2load nghttp2-client
dev="cmake make g++ pkg-config libcurl4-openssl-dev libinih-dev libpcre2-dev zlib1g-dev
    libxxhash-dev libisal-dev libzstd-dev liblzma-dev libbz2-dev libbrotli-dev libsimdjson-dev
    libjq-dev libexpat1-dev libmicrohttpd-dev"
case $(dpkg --print-architecture 2>/dev/null) in
arm64) matcher=libvectorscan-dev ;;
*) matcher=libhyperscan-dev ;;
esac
[ "$weir" = given ] && dev="libisal-dev libzstd-dev libsimdjson-dev"
dev="$dev $matcher"
for package in libc6-dev $dev; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    *" installed") ;;
    *) missing="$missing $package" ;;
    esac
done

if [ -n "$missing" ]; then
    echo "bench: installing$missing"
    root=
    [ "$(id -u)" = 0 ] || root=sudo
    $root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing
    case $missing in
    *nginx*) # its service is not wanted: the bench starts an nginx of its own
        if [ -d /run/systemd/system ]; then $root systemctl disable --now nginx; fi ;;
    esac
fi

mkdir -p "$build"
log=$build/build.log
if [ "$weir" != given ]; then
    echo "bench: building weir in build-bench (log: build-bench/build.log)"
    { cmake -S "$top" -B "$build" && cmake --build "$build" --target weir -j 2; } >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        exit 1
    }
    set -- --weir "$build/weir" "$@"
fi
gcc -std=c11 -D_GNU_SOURCE -O2 -o "$build/measure" "$here/measure.c"
gcc -std=c11 -D_GNU_SOURCE -O2 -o "$build/make_text" "$here/make_text.c"
gcc -std=c11 -D_GNU_SOURCE -O2 -pthread -o "$build/bare_copy" "$here/bare_copy.c"
gcc -std=c11 -D_GNU_SOURCE -O2 -pthread -o "$build/slow_link" "$here/slow_link.c"
gcc -std=c11 -D_GNU_SOURCE -O2 -o "$build/drain" "$here/drain.c"
# shellcheck disable=SC2046
g++ -std=c++17 -D_GNU_SOURCE -O2 -o "$build/bare_text" "$here/bare_text.cc" \
    $(pkg-config --cflags --libs libhs libisal libzstd simdjson)

PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/bench_main.py" \
    --measure "$build/measure" --bare-copy "$build/bare_copy" --make-text "$build/make_text" \
    --slow-link "$build/slow_link" --drain "$build/drain" \
    --bare-text "$build/bare_text" \
    --json "$build/bench.jsonl" "$@"
