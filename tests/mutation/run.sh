#!/bin/sh
# Do the tests notice? Plants the bugs of planted.py, one at a time, into a copy of the tree, builds
# what is needed, and runs the suite that must notice.
#
#   sh tests/mutation/run.sh [PATTERN] [--keep DIR]
#
# PATTERN: only bugs whose name matches. --keep: the copy and its build stay there, for a quicker
# second run. Needs what tests/run.sh installs. Exit code 1: a bug was not noticed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec python3 -B "$here/mutate.py" "$@"
