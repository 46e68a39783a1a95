"""Reads all shards in order and counts their bytes: what a training loop looks like.

    weir prefetch -i shards.txt -d cache --budget 20G --socket cache.sock &
    python3 count_bytes.py cache.sock NAME [RANK]
"""
import sys

import weir


def main():
    rank = int(sys.argv[3]) if len(sys.argv) > 3 else None
    count = total = 0
    with weir.prefetch(sys.argv[1], sys.argv[2], rank) as shards:
        for shard in shards:
            with open(shard.path, "rb") as data:
                while block := data.read(1 << 20):
                    total += len(block)
            count += 1
            if count % 10 == 0:
                shards.commit(shard.seq)
    print(f"{count} shards, {total} bytes")


if __name__ == "__main__":
    main()
