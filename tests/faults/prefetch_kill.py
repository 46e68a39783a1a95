"""kill -9 of weir prefetch and of its consumer at random points, as often as wanted.

    python3 tests/faults/prefetch_kill.py --build BUILD --rounds 100 --seed 1

BUILD is a build with -DWEIR_TESTS=ON. The test command does the same with a few rounds
(tests/system/test_prefetch_kill.py); what is checked stands in tests/system/prefetch_killing.py.
"""
import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    faults = os.path.join(build, "tests", "faults")
    env = dict(os.environ, WEIR_KILLS=str(options.rounds), WEIR_KILL_SEED=options.seed,
               WEIR_KILL_SHARDS=str(options.shards), WEIR_COMMAND=os.path.join(build, "weir"),
               WEIR_FAULTD=os.path.join(faults, "faultd"),
               WEIR_FAULTBODY=os.path.join(faults, "faultbody.so"), WEIR_SOURCE_DIR=SOURCE,
               WEIR_BUILD_DIR=build)
    env.setdefault("WEIR_SANITIZE", "")
    test = os.path.join(SOURCE, "tests", "system", "test_prefetch_kill.py")
    return subprocess.run([sys.executable, "-B", test], env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
