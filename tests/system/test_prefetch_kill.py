"""weir prefetch and its consumer, killed at random points; the long form is
tests/faults/prefetch_kill.py."""
import os

from harness import main, scaled
from prefetch_killing import Rounds
from prefetching import PrefetchCase


class Killed(PrefetchCase):
    def test_nothing_out_of_order_and_nothing_again_behind_a_commit(self):
        kills = int(os.environ.get("WEIR_KILLS", scaled(10, 5)))
        self.shards(int(os.environ.get("WEIR_KILL_SHARDS", scaled(40, 20))), size=5000)
        rounds = Rounds(self, 5000, os.environ.get("WEIR_KILL_SEED", "7"))
        rounds.run(kills)
        self.assertGreaterEqual(rounds.kills, kills)


if __name__ == "__main__":
    main()
