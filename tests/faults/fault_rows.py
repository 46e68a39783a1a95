"""The rows of the proof by faults; a new row is one line here."""
import collections

import disk_trials
import hostile_trials
import http1_trials
import http2_faults
import kill_trials
import memory_trials
import power_trials
import scale_trials
import tls_trials

# short: part of the short form; plain: not with a sanitizer, which has an allocator of its own
Row = collections.namedtuple("Row", "name help trials parallel short plain",
                             defaults=(True, True, False))

ROWS = [
    Row("http1", "HTTP/1 faults in four modes", http1_trials.trials),
    Row("http2", "HTTP/2 faults in four modes", http2_faults.trials),
    Row("network", "TLS, names, links", tls_trials.trials),
    Row("disk", "full, read-only, failing disks in each phase", disk_trials.trials),
    Row("kill", "kill -9 at each durable call, and at random", kill_trials.trials),
    Row("memory", "each allocation fails", memory_trials.trials, plain=True),
    Row("hostile", "names, links, secrets, bombs, what is corrupt", hostile_trials.trials),
    Row("scale", "a million URLs in 64 MiB, ten thousand connections", scale_trials.trials,
        parallel=False, short=False),
    Row("power", "power cuts, by power_cut.py", power_trials.trials, parallel=False, short=False),
]
