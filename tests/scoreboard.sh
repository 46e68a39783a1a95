#!/bin/sh
# What each suite found when it last ran here, as a table; see scoreboard.py.
#
#   sh tests/scoreboard.sh [--write]     --write: into tests/README.md as well
#
# WEIR_BUILD_DIR, WEIR_SCORES   where the builds and the results are (build, build/scores)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec python3 -B "$here/scoreboard.py" "$@"
