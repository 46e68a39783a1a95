"""The house keeps its floors; and the reader of #include lines notices when it does not."""
import os

import layering
from harness import SOURCE, Case, main


class House(Case):
    def test_tree_has_no_breach(self):
        found = list(layering.breaches(SOURCE)) + list(layering.name_breaches(SOURCE))
        self.assertEqual(found, [], "\n".join(found))

    def test_source_files_are_short_enough_to_read(self):
        for path in layering.sources(os.path.join(SOURCE, "src")):
            with open(path) as text:
                self.assertLessEqual(sum(1 for _ in text), 700, path)


class Reader(Case):
    """Each row is a file and what it includes; the breach must be found, the good one not."""
    ROWS = [
        ("src/core/a.c", '#include "engine/run.h"', "reaches up"),
        ("src/core/a.c", '  #  include "net/url.h"', "reaches up"),
        ("src/sink/a.c", '#include "queue/queue.h"', "never meet"),
        ("src/limit/a.h", '#include "codec/decoder.h"', "never meet"),
        ("src/engine/a.c", "#include <curl/curl.h>", "only src/net"),
        ("src/core/a.c", "#include <ini.h>", "only src/config"),
        ("src/cli/a.c", '#include "core/text.h"', "public headers only"),
        ("src/net/a.c", '#include "text.h"', "in no room"),
        ("src/queue/a.c", '#include "../core/text.h"', "in no room"),
        ("src/elsewhere/a.c", "", "on no floor"),
        ("src/a.c", "", "stand in rooms"),
        ("include/weir/a.h", '#include "core/text.h"', "no room"),
        ("include/weir/a.h", "#include <curl/curl.h>", "does not show"),
        ("src/engine/a.c", '#include "net/url.h"\n#include "sink/sink.h"\n#include <stdio.h>',
         None),
        ("src/limit/a.c", '#include "config/options.h"', None),
        ("src/net/a.c", "#include <curl/curl.h>", None),
        ("src/config/a.c", "#include <ini.h>", None),
        ("src/cli/a.c", '#include "weir/weir.h"\n#include "cli/b.h"', None),
    ]

    def test_each_kind_of_breach_is_found(self):
        for number, (path, text, wanted) in enumerate(self.ROWS):
            with self.subTest(path=path, text=text):
                root = self.path(str(number))
                self.write(f"{number}/{path}", "/* a file */\n" + text + "\n")
                found = list(layering.breaches(root))
                if wanted is None:
                    self.assertEqual(found, [])
                else:
                    self.assertEqual(len(found), 1)
                    self.assertIn(wanted, found[0])

    def test_names_that_repeat_or_do_not_belong(self):
        for name in ("src/core/x.c", "src/net/x.c", "src/core/util.c", "notes.txt", "README.md",
                     "tests/README.md"):
            self.write("tree/" + name, "")
        found = "\n".join(layering.name_breaches(self.path("tree")))
        for word in ("same file name", "util.c", "notes.txt"):
            self.assertIn(word, found)
        self.assertNotIn("README.md: ", found)


if __name__ == "__main__":
    main()
