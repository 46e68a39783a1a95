"""What a round of power_cut.py does and what it fetches; it follows from seed and number."""
import ctypes
import functools
import os
import random

KINDS = ("small", "mixed", "begin", "update", "resume", "small", "overwrite", "mixed", "begin",
         "update")  # in turn
# ext4 forgives some (auto_da_alloc) or most (data=ordered) of what a program forgot: not here
MOUNTS = ("data=ordered", "noauto_da_alloc", "noauto_da_alloc,nodelalloc",
          "noauto_da_alloc,nodelalloc,data=writeback", "noauto_da_alloc,data=writeback,commit=1")


@functools.cache
def load_bodies():
    """The fault server's own random numbers."""
    library = ctypes.CDLL(os.environ["WEIR_FAULTBODY"])
    library.fault_seed.restype = library.fault_word.restype = ctypes.c_uint64
    return library


class Body:
    """One record: its name, and its body in the versions that the server has had."""

    def __init__(self, harness, server, seed, size, name, query):
        self.harness, self.seed, self.size, self.name = harness, seed, size, name
        self.url = server.url(seed, size, query)
        self.target = self.url[len(server.base):]

    def bytes(self, version=0):
        return self.harness.body(self.seed, self.size, version)

    def tag(self, version):
        """The ETag that the server gives it."""
        words = load_bodies()
        number = words.fault_seed(self.seed.encode(), ctypes.c_size_t(len(self.seed)))
        word = words.fault_word(ctypes.c_uint64((number + version) % 2**64),
                                ctypes.c_uint64(self.size))
        return f'"{word:016x}"'


class Plan:
    """What a round does; the same for the same seed and number, but for the moment of each cut."""

    def __init__(self, seed, number, durability):
        self.seed, self.number = seed, number
        self.chance = chance = random.Random(f"{seed}/{number}")
        self.kind = KINDS[number % len(KINDS)]
        self.durability = durability or chance.choice(("batch", "batch", "file"))
        self.journal = self.kind == "begin" or self.kind != "overwrite" and chance.random() < 0.65
        self.mount = chance.choice(MOUNTS)
        self.neighbour = chance.choice((0, 0.001, 0.01))
        if self.kind == "resume":  # a resume record is on disk after the next commit of ext4
            self.neighbour = self.neighbour or 0.05
        if self.kind == "begin":
            self.neighbour = 0.0005
        self.rate = chance.choice((0, 800, 2000))
        self.folders = chance.random() < 0.4
        self.columns = chance.choice((("size",), ("size", "sha256"), ()))
        if self.versioned:
            self.columns = ()
        self.cuts = chance.choice((1, 2, 2, 3))
        self.killed = chance.random() < 0.25
        self.segments = chance.choice(("1", "1", "4", "8", "auto"))

    @property
    def versioned(self):
        return self.kind in ("update", "overwrite")

    def __str__(self):
        words = [self.kind, self.durability, "journal" if self.journal else "no journal"]
        words += [self.mount] + [f"rate {self.rate}"] * bool(self.rate) + ["folders"] * self.folders
        words += [f"segments {self.segments}"] if self.segments != "1" else []
        words += [f"neighbour each {self.neighbour} s"] * bool(self.neighbour) + [*self.columns]
        return ", ".join(words)

    def sizes(self):
        chance = self.chance
        small = [chance.randint(1000, 20_000) for _ in range(chance.randint(100, 500))]
        large = {"mixed": [3_000_000] * chance.randint(3, 8) + [9_000_000] * chance.randint(0, 1),
                 "update": [3_000_000] * chance.randint(0, 3),
                 "overwrite": [3_000_000] * chance.randint(0, 3),
                 "resume": [chance.randint(100_000_000, 220_000_000)]}.get(self.kind, [])
        sizes = small[:60] if self.kind in ("resume", "begin") else small
        for size in large:
            sizes.insert(chance.randint(0, min(len(sizes), 50)), size)
        return sizes

    def bodies(self, harness, server):
        for i, size in enumerate(self.sizes()):
            drip = "drip=500000/3" if size > 10_000_000 else "drip=60000/3" if size > 1e6 else ""
            query = harness.faulty("change=1" if self.versioned else "", drip)
            name = f"d{i % 5}/e{i % 3}/f{i}" if self.folders and i % 2 else f"f{i}"
            yield Body(harness, server, f"p{self.seed}-{self.number}-{i}", size, name, query)
