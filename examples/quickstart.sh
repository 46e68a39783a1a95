#!/bin/sh
# From a bare Debian 12 to files on the disk:
#
#   sh examples/quickstart.sh            installs what is missing, builds, and shows weir at work
#   sh examples/quickstart.sh URL...     the same, then `weir get` with these arguments instead
#
# The show: `weir serve` hands out sample files on a loopback port, weir downloads them from a list,
# and a file of a gigabyte is fetched beside one of a megabyte, to see what memory each
# took. Everything is made in build-quickstart/, which may be deleted. Nothing but apt and loopback
# is used.
set -eu
umask 022

top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/build-quickstart
show=$build/show
log=$build/build.log
servers=

# With arguments, standard output belongs to what is downloaded: the steps go to standard error.
if [ $# -gt 0 ]; then exec 3>&2; else exec 3>&1; fi
step() { echo "==> $*" >&3; }
say() { echo "    $*" >&3; }
die() { echo "quickstart: $*" >&2; exit 1; }

# quiet COMMAND...: what it prints goes to the log, and is shown when it fails
quiet() {
    "$@" >>"$log" 2>&1 && return
    tail -n 40 "$log" >&2
    die "this failed: $* (all of its output: $log)"
}

finish() {
    code=$?
    trap - EXIT
    for server in $servers; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    rm -rf "$show/server"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Programs and libraries --------------------------------------------------------------------------
has_package() {
    case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in
    *" installed") return 0 ;;
    esac
    return 1
}

# The package of a program is wanted only where the program is not there in some other way.
wanted_packages() {
    command -v cc >/dev/null || echo gcc
    for tool in make cmake pkg-config; do command -v "$tool" >/dev/null || echo "$tool"; done
    command -v c++ >/dev/null || echo g++
    case $(dpkg --print-architecture 2>/dev/null) in
    amd64) matcher=libhyperscan-dev ;;
    arm64) matcher=libvectorscan-dev ;;
    *) matcher= ;;
    esac
    for package in libc6-dev libcurl4-openssl-dev libinih-dev libpcre2-dev zlib1g-dev \
        libxxhash-dev libssl-dev libsqlite3-dev libisal-dev libzstd-dev liblzma-dev \
        libbz2-dev libbrotli-dev libsimdjson-dev libjq-dev libexpat1-dev libmicrohttpd-dev \
        $matcher; do
        has_package "$package" || echo "$package"
    done
}

apt_install() {
    command -v apt-get >/dev/null || die "no apt-get here; needed are, by Debian name: $*"
    root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "as root, first: apt-get install $*"
        root=sudo
    fi
    quiet $root apt-get update
    quiet $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

install_missing() {
    # shellcheck disable=SC2046
    set -- $(wanted_packages)
    [ $# -gt 0 ] || return 0
    step "Installing with apt: $*"
    apt_install "$@"
}

build_weir() {
    step "Building weir in build-quickstart (output: build-quickstart/build.log)"
    quiet cmake -S "$top" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DWEIR_TESTS=OFF
    quiet cmake --build "$build" --target weir -j "$(nproc)"
    quiet cc -std=c11 -D_GNU_SOURCE -O2 -o "$build/measure" "$top/tests/bench/measure.c"
}

# The server --------------------------------------------------------------------------------------
make_files() {
    mkdir -p "$show/server/www" "$show/server/slow"
    i=1
    while [ "$i" -le 200 ]; do
        size=$((i * 7919 % 60 + 1))
        head -c "${size}k" /dev/urandom >"$show/server/www/sample-$i.bin"
        i=$((i + 1))
    done
    for i in 1 2 3; do head -c 60M /dev/urandom >"$show/server/slow/large-$i.bin"; done
    truncate -s 1M "$show/server/www/one-megabyte.bin"
    truncate -s "$big" "$show/server/www/$big_name" # zeros, which take no room here
}

# serve DIR FLAG...: sets `base`; the port is one that the kernel chose
serve() {
    dir=$1
    shift
    out=$show/server/${dir##*/}.out
    "$build/weir" serve "$dir" --no-config --listen 127.0.0.1:0 "$@" >"$out" 2>"$out.err" &
    server=$!
    servers="$servers $server"
    tries=0
    until grep -q ' at http' "$out"; do
        kill -0 "$server" 2>/dev/null || die "weir serve did not start: $(cat "$out.err")"
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || die "weir serve says nothing: see $out"
        sleep 0.1
    done
    base=$(sed -n 's/.* at \(http.*\)\/$/\1/p' "$out")
}

# The show ----------------------------------------------------------------------------------------
# peak NAME DIR: fetches one file, and sets `peak` to the run's peak memory in kilobytes
peak() {
    quiet "$build/measure" -o "$show/peak.json" \
        "$build/weir" get --no-config --progress none -d "$2" "$base/$1"
    peak=$(sed -n 's/.*"peak_bytes":\([0-9]*\).*/\1/p' "$show/peak.json")
    peak=$((peak / 1000))
}

megabytes() { echo "$(($1 / 1000)).$(($1 % 1000 / 100)) MB"; }

run_show() {
    files=$show/files
    rm -rf "$show"
    mkdir -p "$show"
    big=1000000000 big_name=one-gigabyte.bin
    # shellcheck disable=SC2046
    set -- $(df -Pk "$show" | tail -n 1)
    if [ "$4" -lt 1600000 ]; then
        big=100000000 big_name=hundred-megabytes.bin
        say "There is little room on the disk: the large file is one of 100 MB."
    fi

    step "Making 203 sample files and serving them with weir serve on loopback ports"
    make_files
    # Loopback is too quick to watch: the three large files come at a pace at which a bar moves.
    serve "$show/server/slow" --client-bandwidth 60M
    say "$base (the large files)"
    for file in "$show"/server/slow/large-*; do echo "$base/${file##*/}"; done >"$show/large.txt"
    serve "$show/server/www"
    say "$base"
    for file in "$show"/server/www/sample-*; do echo "$base/${file##*/}"; done |
        cat - "$show/large.txt" >"$show/list.txt"
    rm -f "$show/large.txt"

    step "weir get -i list.txt -d files --report report.jsonl"
    "$build/weir" get --no-config --progress auto -i "$show/list.txt" -d "$files" \
        --report "$show/report.jsonl" || die "weir get ended with exit code $?"

    step "Comparing what arrived with what was served, byte for byte"
    arrived=0
    for file in "$files"/*; do
        served=$(echo "$show"/server/*/"${file##*/}")
        cmp "$served" "$file" || die "$file is not what was served"
        arrived=$((arrived + 1))
    done
    [ "$arrived" -eq 203 ] || die "$arrived files arrived, 203 were in the list"
    say "$arrived files, $(du -sh "$files" | cut -f 1): all the same"

    step "Peak memory of a run that fetches one file"
    peak one-megabyte.bin "$show/memory"
    say "$(printf '%-24s' one-megabyte.bin) $(megabytes "$peak")"
    peak "$big_name" "$show/memory"
    say "$(printf '%-24s' "$big_name") $(megabytes "$peak")"
    rm -rf "$show/memory" "$show/peak.json"

    step "Done"
    say "files    $files"
    say "list     $show/list.txt"
    say "report   $show/report.jsonl    (one JSON object a line for each URL)"
    say "program  $build/weir"
    echo >&3
    say "What to type next, with URLs of your own:"
    say "  $build/weir get -d downloads https://example.org/file.iso"
    say "  $build/weir get -i urls.txt -d downloads --report report.jsonl"
    say "  $build/weir get --help"
    say "  sudo cmake --install $build        (puts weir into /usr/local)"
}

mkdir -p "$build"
: >"$log"
install_missing
build_weir
if [ $# -gt 0 ]; then
    step "weir get $*"
    trap - EXIT INT TERM HUP
    exec "$build/weir" get "$@"
fi
run_show
